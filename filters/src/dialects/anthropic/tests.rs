//! The recorded corpus, and the facts of this dialect one by one.

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::Anthropic;
use crate::{
    dialects::{
        CallHead, Dialect, Encoded, Reply, ResponseError, StreamDecoder, StreamForm, TapSpec, Target, Upstream,
    },
    model::{
        CallKind, Candidate, ErrorClass, ErrorInfo, Event, Finish, FinishReason, Part, PartContent, Request, Response,
        Str, ToolCall,
    },
    seal::Sealer,
    stream::Folder,
};

/// The recorded exchanges of this dialect, if the corpus is at hand.
pub(super) fn corpus() -> Vec<PathBuf> {
    let root = std::env::var_os("LOCKGATE_CORPUS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")), PathBuf::from);
    let Ok(cases) = std::fs::read_dir(root.join("anthropic")) else {
        println!("SKIPPED: no recorded corpus at {}, set LOCKGATE_CORPUS", root.display());
        return Vec::new();
    };
    let mut cases: Vec<PathBuf> = cases.map(|case| case.expect("the folder can be listed").path()).collect();
    cases.retain(|case| !case.to_string_lossy().contains("count-tokens"));
    cases.sort();
    cases
}

pub(super) fn read(path: &Path) -> Option<Bytes> {
    std::fs::read(path).ok().map(Bytes::from)
}

pub(super) fn sealer() -> Sealer {
    Sealer::new(b"a key for tests")
}

pub(super) fn reply(model: &str) -> Reply {
    Reply {
        model: Str::from(model),
        id: Str::from_static("msg_minted"),
        created: 0,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 42,
        sealer: sealer(),
    }
}

pub(super) fn decode_stream(chunks: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Anthropic.stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(Bytes::copy_from_slice(chunk), &mut events).expect("the stream is of this dialect");
    }
    decoder.finish(&mut events).expect("the rest is of this dialect");
    events
}

pub(super) fn encode_stream(events: &[Event], reply: &Reply) -> String {
    let mut encoder = Anthropic.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    String::from_utf8(out.to_vec()).expect("what is written is UTF-8")
}

pub(super) fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}

pub(super) fn encode_for(model: &str, request: &Request) -> Result<Encoded, ErrorInfo> {
    let sealer = sealer();
    let target = Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer };
    Anthropic.encode_request(request, &target)
}

fn decode(body: &Value) -> Result<Request, ErrorInfo> {
    Anthropic.decode_request(&CallHead::default(), &Bytes::from(body.to_string()))
}

pub(super) fn call(id: &str, args: &str) -> Part {
    Part::new(PartContent::ToolCall(ToolCall {
        id: Str::from(id),
        name: Str::from_static("f"),
        kind: CallKind::Function,
        args: Str::from(args),
    }))
}

/// What the model does not carry, and what two spellings of one thing have in common.
fn normal(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, value| {
                let lost = matches!(name.as_str(), "caller" | "defer_loading" | "anthropic_version");
                let default = matches!((name.as_str(), &*value), ("is_error" | "stream", Value::Bool(false)));
                let switch = name == "citations" && value.is_object();
                !lost && !default && !switch && !value.is_null()
            });
            if let Some(text) = object.get("content").and_then(Value::as_str) {
                let list = json!([{ "type": "text", "text": text }]);
                object.insert("content".to_owned(), list);
            }
            object.values_mut().for_each(normal);
        }
        Value::Array(items) => items.iter_mut().for_each(normal),
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                *value = json!(float);
            }
        }
        _ => {}
    }
}

#[test]
fn recorded_requests_survive_a_round_trip() {
    for case in corpus() {
        let Some(body) = read(&case.join("request.json")) else { continue };
        let mut expected: Value = serde_json::from_slice(&body).expect("recorded requests are JSON");
        let model = expected.get("model").and_then(Value::as_str).unwrap_or("claude-3-7-sonnet@20250219").to_owned();
        let call = CallHead { model: Some(&model), ..CallHead::default() };
        let request = Anthropic.decode_request(&call, &body);
        let request = request.unwrap_or_else(|error| panic!("{} is refused: {error}", case.display()));
        let encoded = encode_for(&model, &request);
        let encoded = encoded.unwrap_or_else(|error| panic!("{} cannot be encoded: {error}", case.display()));
        assert!(encoded.losses.is_empty(), "{} loses {:?}", case.display(), encoded.losses);
        let mut found: Value = serde_json::from_slice(&encoded.body).expect("the body is JSON");
        expected["model"] = Value::from(model);
        normal(&mut expected);
        normal(&mut found);
        assert_eq!(found, expected, "{}", case.display());
    }
}

#[test]
fn recorded_answers_survive_a_round_trip() {
    for case in corpus() {
        let Some(body) = read(&case.join("response.json")) else { continue };
        let response = match Anthropic.decode_response(&body) {
            Ok(response) => response,
            Err(ResponseError::Upstream(error)) => {
                let status = if error.class == ErrorClass::Overloaded { 529 } else { 400 };
                assert_eq!(Anthropic.error_status(&error), status, "{}", case.display());
                let again = Anthropic.encode_error(&error, "req_1");
                assert_eq!(Anthropic.decode_error(status, &again).class, error.class, "{}", case.display());
                assert!(Anthropic.inspect_response(&body).error.is_some(), "{}", case.display());
                continue;
            }
            Err(error) => panic!("{} is refused: {error}", case.display()),
        };
        let glance = Anthropic.inspect_response(&body);
        assert_eq!(glance.usage, response.usage, "{}", case.display());
        assert_eq!(glance.model.as_ref(), Some(&response.model), "{}", case.display());
        let encoded = Anthropic.encode_response(&response, &reply(&response.model));
        let again = Anthropic.decode_response(&encoded).expect("what is written can be read");
        assert_eq!(again, response, "{}", case.display());
    }
}

#[test]
fn inspection_finds_what_decoding_finds() {
    for case in corpus() {
        let Some(body) = read(&case.join("request.json")) else { continue };
        let call = CallHead { model: Some("from-path"), ..CallHead::default() };
        let inspection = Anthropic.inspect(&call, &body).expect("recorded requests are well formed");
        let request = Anthropic.decode_request(&call, &body).expect("recorded requests are well formed");
        assert_eq!(inspection.model, request.model, "{}", case.display());
        assert_eq!(inspection.stream.is_some(), request.stream.is_some(), "{}", case.display());
        let sealer = sealer();
        let target = Target { model: "other", quirks: &[], usage_in_stream: true, sealer: &sealer };
        let mut splices = Anthropic.splices(&inspection, &target);
        let edited = crate::json::apply(&body, &mut splices);
        let again = Anthropic.inspect(&call, &edited).expect("the edit keeps the body well formed");
        assert_eq!(again.model, if inspection.model_at.is_some() { "other" } else { "from-path" });
    }
}

#[test]
fn taps_see_what_decoders_see() {
    for case in corpus() {
        let Some(body) = read(&case.join("response.sse")) else { continue };
        for size in [1, 7, 1000, body.len()] {
            let mut tap = Anthropic.tap(TapSpec::default());
            let mut out = Vec::new();
            for chunk in body.chunks(size) {
                tap.feed(Bytes::copy_from_slice(chunk), &mut out);
            }
            tap.finish(&mut out);
            assert_eq!(out.concat(), body, "a tap changes nothing");
            let response = fold(&decode_stream(&[&body])).expect("recorded streams are whole");
            assert_eq!(tap.usage().copied(), response.usage, "{}", case.display());
            assert_eq!(tap.model(), Some(&response.model), "{}", case.display());
            assert!(tap.is_complete(), "{}", case.display());
        }
    }
}

#[test]
fn a_member_named_twice_is_refused() {
    let body = Bytes::from_static(br#"{"model":"a","mod\u0065l":"b"}"#);
    assert!(Anthropic.inspect(&CallHead::default(), &body).is_err(), "an escaped name is the same name");
    let body = Bytes::from_static(br#"{"model":"a","max_tokens":1,"max_tokens":2,"messages":[]}"#);
    assert!(Anthropic.decode_request(&CallHead::default(), &body).is_err());
}

#[test]
fn refusals_name_the_place() {
    let messages = |content: Value| json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":content}]});
    let error = decode(&messages(json!(["x"]))).expect_err("a string is no block");
    assert_eq!(error.param.as_deref(), Some("/messages/0/content/0"));
    let error = decode(&messages(json!([{"type":"hologram"}]))).expect_err("no such block");
    assert_eq!(error.param.as_deref(), Some("/messages/0/content/0/type"));
    let error = decode(&messages(json!([{"type":"image","source":{"type":"base64"}}]))).expect_err("no data");
    assert_eq!(error.param.as_deref(), Some("/messages/0/content/0/source/data"));
    let error = decode(&json!({"model":"m","messages":[]})).expect_err("no messages");
    assert_eq!(error.param.as_deref(), Some("/messages"));
    let error = decode(&json!({"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}));
    assert_eq!(error.expect_err("zero is not unset").param.as_deref(), Some("/max_tokens"));
}

#[test]
fn text_is_a_slice_of_the_body() {
    let body = Bytes::from(r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hello"}]}"#);
    let request = Anthropic.decode_request(&CallHead::default(), &body).expect("well formed");
    let text = request.turns[0].parts[0].as_text().expect("a text part");
    assert!(body.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}

#[test]
fn documents_say_whether_they_are_to_be_cited() {
    for switch in [json!({"enabled": true}), json!({"enabled": false}), Value::Null] {
        let source = json!({"type":"text","media_type":"text/plain","data":"words"});
        let mut document = json!({"type":"document","source":source,"citations":switch});
        let body = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[document]}]});
        let request = decode(&body).expect("well formed");
        let encoded = encode_for("claude-sonnet-4-5", &request).expect("it can be carried");
        let found: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        document.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        assert_eq!(found["messages"][0]["content"][0], document);
    }
}

#[test]
fn pitfall_56_and_57_cached_tokens_are_counted_once() {
    let body = json!({"id":"m","type":"message","model":"m","content":[],"stop_reason":"end_turn","usage":{
        "input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":30,
        "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":5},
        "output_tokens":9,"output_tokens_details":{"thinking_tokens":4}}});
    let response = Anthropic.decode_response(&Bytes::from(body.to_string())).expect("well formed");
    let usage = response.usage.expect("it has usage");
    assert_eq!((usage.input(), usage.input_uncached, usage.input_cache_write_other), (140, 10, 5));
    assert_eq!((usage.output_visible, usage.output_reasoning), (5, 4));
    let again = Anthropic.encode_response(&response, &reply("m"));
    assert_eq!(Anthropic.decode_response(&again).expect("well formed").usage, Some(usage));
}

#[test]
fn pitfall_19_and_30_only_a_stop_becomes_a_tool_use() {
    let parts = vec![call("a", "")];
    for (reason, word) in [(FinishReason::Stop, "tool_use"), (FinishReason::Length, "max_tokens")] {
        let candidate = Candidate { index: 0, parts: parts.clone(), finish: Finish::new(reason), logprobs: None };
        let response = Response { candidates: vec![candidate], ..Response::default() };
        let body: Value = serde_json::from_slice(&Anthropic.encode_response(&response, &reply("m"))).expect("JSON");
        assert_eq!(body["stop_reason"], word);
        assert_eq!(body["content"][0]["input"], json!({}));
    }
}

#[test]
fn errors_are_told_by_type_and_words() {
    let body = |kind: &str, message: &str| json!({"type":"error","error":{"type":kind,"message":message}}).to_string();
    for (status, kind, message, class) in [
        (400, "invalid_request_error", "prompt is too long: 300000 tokens", ErrorClass::ContextTooLong),
        (400, "invalid_request_error", "Your credit balance is too low", ErrorClass::Billing),
        (404, "not_found_error", "model: claude-x", ErrorClass::ModelNotFound),
        (529, "overloaded_error", "Overloaded", ErrorClass::Overloaded),
        (429, "new_error", "slow down", ErrorClass::RateLimit),
    ] {
        let error = Anthropic.decode_error(status, body(kind, message).as_bytes());
        assert_eq!((error.class, &*error.message), (class, message));
    }
    let error = Anthropic.decode_error(503, b"<html>");
    assert_eq!((error.class, Anthropic.error_status(&error)), (ErrorClass::Overloaded, 529));
    let body = Anthropic.encode_error(&error, "req_7");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(
        (&body["type"], &body["error"]["type"], &body["request_id"]),
        (&json!("error"), &json!("overloaded_error"), &json!("req_7"))
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let body = Bytes::from(bytes.clone());
        drop(Anthropic.inspect(&CallHead::default(), &body));
        drop(Anthropic.decode_request(&CallHead::default(), &body));
        drop(Anthropic.decode_response(&body));
        Anthropic.inspect_response(&body);
        Anthropic.decode_error(500, &body);
        let mut decoder: Box<dyn StreamDecoder> = Anthropic.stream_decoder();
        if decoder.feed(body, &mut Vec::new()).is_ok() {
            drop(decoder.finish(&mut Vec::new()));
        }
    }
}

#[test]
fn images_and_pdfs_are_taken_by_url() {
    use crate::model::{Media, MediaClass, MediaSource};
    for (class, mime, taken) in [
        (MediaClass::Image, None, true),
        (MediaClass::Document, None, true),
        (MediaClass::Document, Some("application/pdf"), true),
        (MediaClass::Document, Some("text/plain"), false),
        (MediaClass::Audio, None, false),
        (MediaClass::Video, None, false),
    ] {
        let source = MediaSource::Url(Str::from_static("https://example.com/x"));
        let media = Media::new(class, mime.map(Str::from_static), source);
        assert_eq!(Anthropic.takes_url(&media, &[]), taken, "{class:?} {mime:?}");
    }
}
