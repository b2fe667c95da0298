//! Every recorded exchange of this dialect goes through.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::{
    dialects::{ResponseError, TapSpec},
    model::{ErrorClass, FinishReason, PartContent},
};

struct Case {
    name: String,
    folder: PathBuf,
    meta: Value,
}

impl Case {
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(name)).ok()
    }

    fn is_success(&self) -> bool {
        self.meta["status"] == 200
    }
}

fn cases() -> Vec<Case> {
    let root = std::env::var("LOCKGATE_CORPUS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures").to_owned());
    let mut cases = Vec::new();
    let folders = std::fs::read_dir(Path::new(&root).join("openai-responses")).into_iter().flatten();
    for folder in folders {
        let folder = folder.expect("the corpus can be listed").path();
        let meta = std::fs::read(folder.join("meta.json")).expect("a case has meta.json");
        let meta: Value = serde_json::from_slice(&meta).expect("meta.json is JSON");
        // Token counting is another operation.
        if meta["path"].as_str().is_none_or(|path| path.ends_with("/responses")) {
            cases.push(Case { name: folder.file_name().unwrap_or_default().display().to_string(), folder, meta });
        }
    }
    if cases.is_empty() {
        println!("SKIPPED: no recorded traffic at {root}; set LOCKGATE_CORPUS");
    }
    cases
}

/// Streams of this dialect, those among them that were recorded for others included.
fn streams() -> Vec<(String, Vec<u8>)> {
    let mut streams: Vec<_> =
        cases().into_iter().filter_map(|case| Some((case.name.clone(), case.file("response.sse")?))).collect();
    let root = std::env::var("LOCKGATE_CORPUS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures").to_owned());
    for folder in std::fs::read_dir(Path::new(&root).join("ai-sdk-ui")).into_iter().flatten() {
        let folder = folder.expect("the corpus can be listed").path();
        let Ok(stream) = std::fs::read(folder.join("upstream_response.sse")) else { continue };
        if stream.windows(18).any(|bytes| bytes == b"\"response.created\"") {
            streams.push((folder.display().to_string(), stream));
        }
    }
    streams
}

#[test]
fn recorded_requests_survive_the_round_trip() {
    // What the provider refused, and was not about its credential, may well come out otherwise: sound as a file.
    for case in cases().iter().filter(|case| case.is_success()) {
        let Some(body) = case.file("request.json") else { continue };
        let sent: Value = serde_json::from_slice(&body).expect("a request is JSON");
        let decoded = OpenAiResponses
            .decode_request(&CallHead::default(), &Bytes::from(body))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let model = sent["model"].as_str().expect("a request names its model");
        let (again, encoded) = encode(&decoded, model);
        assert_eq!(normal(again), normal(sent), "{}", case.name);
        assert!(encoded.losses.is_empty(), "{}: {:?}", case.name, encoded.losses);
    }
}

/// A request without what the round trip may change: spellings of the same, and members that mean nothing.
fn normal(mut request: Value) -> Value {
    let object = request.as_object_mut().expect("a request is an object");
    object.retain(|_, value| !value.is_null());
    for name in ["include", "reasoning"] {
        object.remove(name);
    }
    if object.get("stream") == Some(&Value::Bool(false)) {
        object.remove("stream");
    }
    let mut items: Vec<Value> = Vec::new();
    if let Some(text) = object.remove("instructions") {
        items.push(message("system", &text));
    }
    match object.remove("input") {
        Some(Value::Array(list)) => items.extend(list.into_iter().map(normal_item)),
        Some(text) => items.push(message("user", &text)),
        None => {}
    }
    object.insert("input".to_owned(), Value::Array(items));
    for tool in object.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        let tool = tool.as_object_mut().expect("a tool is an object");
        tool.remove("defer_loading");
        if tool["type"] == "function" {
            tool.entry("strict").or_insert(Value::Bool(false));
        }
    }
    request
}

fn message(role: &str, text: &Value) -> Value {
    let kind = if role == "assistant" { "output_text" } else { "input_text" };
    json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})
}

fn normal_item(mut item: Value) -> Value {
    let object = item.as_object_mut().expect("an item is an object");
    if object.get("type").is_none_or(|kind| kind == "message") {
        let role = object["role"].as_str().expect("a message has a role").to_owned();
        if let Some(text) = object.get("content").filter(|content| content.is_string()) {
            return message(&role, text);
        }
        object.insert("type".to_owned(), "message".into());
        return item;
    }
    let kind = object["type"].as_str().expect("an item has a type").to_owned();
    if matches!(kind.as_str(), "function_call" | "function_call_output") {
        // Ids of items are not sent back without the reasoning that they go with; a namespace like the name is none.
        for name in ["id", "status", "namespace"] {
            object.remove(name);
        }
    }
    item
}

#[test]
fn recorded_responses_survive_the_round_trip() {
    for case in cases().iter().filter(|case| case.is_success()) {
        let Some(body) = case.file("response.json") else { continue };
        let first = OpenAiResponses
            .decode_response(&Bytes::from(body.clone()))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let sent: Value = serde_json::from_slice(&body).expect("a response is JSON");
        let counted = &sent["usage"]["total_tokens"];
        assert_eq!(first.usage.map(|usage| usage.total()), counted.as_u64(), "{}", case.name);
        let says_something = |item: &&Value| {
            item["type"] != "reasoning" || item["encrypted_content"].is_string() || item["summary"] != json!([])
        };
        let items = sent["output"].as_array().expect("a response has output").iter().filter(says_something).count();
        assert_eq!(first.candidates[0].parts.len(), items, "{}: every item is a part", case.name);
        let glance = OpenAiResponses.inspect_response(&Bytes::from(body));
        assert_eq!((glance.usage, glance.error), (first.usage, None), "{}", case.name);
        let mut again = OpenAiResponses
            .decode_response(&OpenAiResponses.encode_response(&first, &reply()))
            .expect("what was written reads back");
        again.created = if first.created == 0 { 0 } else { again.created };
        assert_eq!(comparable(again), comparable(first), "{}", case.name);
    }
}

/// A response without what the wire does not keep.
fn comparable(mut response: Response) -> Response {
    response.model = Str::new();
    for candidate in &mut response.candidates {
        for citation in candidate.parts.iter_mut().flat_map(|part| &mut part.citations) {
            if citation.url.is_some() {
                citation.raw = None;
            }
        }
    }
    response
}

#[test]
fn recorded_errors_are_read() {
    for case in cases().iter().filter(|case| !case.is_success()) {
        let body = case.file("response.json").expect("an error has a body");
        let status =
            u16::try_from(case.meta["status"].as_u64().expect("a case has a status")).expect("statuses are small");
        let error = OpenAiResponses.decode_error(status, &body);
        assert_eq!(error.upstream_status, Some(status), "{}", case.name);
        let expected = match (status, error.code.as_deref()) {
            (401, _) => ErrorClass::Auth,
            (_, Some("context_length_exceeded")) => ErrorClass::ContextTooLong,
            _ => ErrorClass::InvalidRequest,
        };
        assert_eq!(error.class, expected, "{}: {error:?}", case.name);
        // The same body under a status that says success.
        let as_success = OpenAiResponses.decode_response(&Bytes::from(body));
        assert!(matches!(as_success, Err(ResponseError::Upstream(_))), "{}", case.name);
    }
}

#[test]
fn pitfall_55_recorded_streams_fold_to_what_their_last_event_holds() {
    for (name, stream) in streams() {
        let whole = events(&[&stream]);
        assert!(matches!(whole.last(), Some(Event::End)), "{name}");
        let folded = fold(&whole);
        if name.contains("openai-error") {
            assert_eq!(folded.expect_err("it says so").class, ErrorClass::Billing, "{name}");
            continue;
        }
        let folded = folded.unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = std::str::from_utf8(&stream).expect("UTF-8");
        let last = text.lines().rev().find(|line| line.contains("\"usage\"")).expect("it ends with a response");
        let last: Value = serde_json::from_str(last.strip_prefix("data:").expect("data").trim()).expect("JSON");
        let unary = OpenAiResponses
            .decode_response(&Bytes::from(last["response"].to_string()))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        // Token counts, and all the rest, are the same streamed and whole.
        assert_eq!(folded.usage, unary.usage, "{name}");
        assert_eq!(folded.candidates[0].finish, unary.candidates[0].finish, "{name}");
        let texts = |response: &Response| -> Vec<String> { response.candidates[0].parts.iter().map(told).collect() };
        assert_eq!(texts(&folded), texts(&unary), "{name}");
    }
}

/// What a part says, apart from ids that some servers change from event to event.
fn told(part: &crate::model::Part) -> String {
    match &part.content {
        PartContent::Reasoning(reasoning) => {
            format!("thought {} {}", reasoning.text.as_deref().unwrap_or_default(), reasoning.opaque.len())
        }
        PartContent::Text(text) => format!("text {text} {}", part.citations.len()),
        PartContent::ServerCall(call) => format!("server {} {}", call.tool, call.input.to_value()),
        PartContent::Unknown { raw, .. } => format!("own {}", raw.to_value()),
        content => format!("{content:?}"),
    }
}

#[test]
fn recorded_streams_read_the_same_however_they_are_cut() {
    for (name, stream) in streams() {
        let whole = events(&[&stream]);
        for size in [1, 2, 7, 64, 1000] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(events(&pieces), whole, "{name} by {size}");
        }
    }
}

#[test]
fn recorded_streams_survive_the_round_trip() {
    for (name, stream) in streams() {
        let first = events(&[&stream]);
        let bytes = written(&first, &reply());
        let last = legal::check(&bytes);
        let Ok(first) = fold(&first) else {
            assert_eq!(last["type"], "response.failed", "{name}");
            continue;
        };
        let again = fold(&events(&[&bytes])).expect("what was written reads back");
        let told = |response: &Response| -> Vec<String> { response.candidates[0].parts.iter().map(told).collect() };
        assert_eq!(told(&again), told(&first), "{name}");
        assert_eq!(again.usage, first.usage, "{name}");
        assert_eq!(again.candidates[0].finish.reason, first.candidates[0].finish.reason, "{name}");
        assert_eq!(first.candidates[0].finish.reason == FinishReason::Length, last["type"] == "response.incomplete");
    }
}

#[test]
fn taps_see_what_decoders_see() {
    for (name, stream) in streams() {
        let decoded = events(&[&stream]);
        let usage = decoded.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(**usage),
            _ => None,
        });
        for size in [1, 50, 4096] {
            let mut tap = OpenAiResponses.tap(TapSpec::default());
            let mut out = Vec::new();
            for piece in stream.chunks(size) {
                tap.feed(Bytes::copy_from_slice(piece), &mut out);
            }
            tap.finish(&mut out);
            assert_eq!(out.concat(), stream, "{name}");
            assert_eq!(tap.usage().copied(), usage, "{name}");
            assert!(tap.is_complete() && tap.model().is_some(), "{name}");
        }
    }
}
