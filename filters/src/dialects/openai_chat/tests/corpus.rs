//! Every recorded exchange of this dialect goes through.

use std::path::{Path, PathBuf};

use serde_json::Value;

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
    for dialect in ["openai-chat", "openai-compat", "groq", "mistral"] {
        let Ok(folders) = std::fs::read_dir(Path::new(&root).join(dialect)) else { continue };
        for folder in folders {
            let folder = folder.expect("the corpus can be listed").path();
            let meta = std::fs::read(folder.join("meta.json")).expect("a case has meta.json");
            let meta: Value = serde_json::from_slice(&meta).expect("meta.json is JSON");
            if meta["path"].as_str().is_none_or(|path| path.contains("chat/completions")) {
                let name = format!("{dialect}/{}", folder.file_name().unwrap_or_default().display());
                cases.push(Case { name, folder, meta });
            }
        }
    }
    if cases.is_empty() {
        println!("SKIPPED: no recorded traffic at {root}; set LOCKGATE_CORPUS");
    }
    cases
}

#[test]
fn recorded_requests_survive_the_round_trip() {
    for case in cases() {
        let Some(body) = case.file("request.json") else { continue };
        let sent: Value = serde_json::from_slice(&body).expect("a request is JSON");
        let decoded = OpenAiChat
            .decode_request(&CallHead::default(), &Bytes::from(body))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let model = sent["model"].as_str().expect("a request names its model");
        let quirks = ["cache_control", "no_developer_role", "reasoning_content_in"];
        let (again, _) = encode(&decoded, model, &quirks);
        assert_eq!(normal(sent), normal(again), "{}", case.name);
    }
}

/// A request without what the round trip may change: spellings of the same, and members that mean nothing.
fn normal(mut request: Value) -> Value {
    let object = request.as_object_mut().expect("a request is an object");
    if let Some(limit) = object.remove("max_completion_tokens") {
        object.insert("max_tokens".to_owned(), limit);
    }
    if let Some(functions) = object.remove("functions") {
        let tools = functions.as_array().into_iter().flatten();
        object.insert("tools".to_owned(), tools.map(|f| serde_json::json!({"type":"function","function":f})).collect());
    }
    // Other spellings of effort, or of nothing.
    for name in ["reasoning", "reasoning_effort", "stream_options"] {
        object.remove(name);
    }
    if object.get("stream") == Some(&Value::Bool(false)) {
        object.remove("stream");
    }
    if object.get("logprobs") == Some(&Value::Bool(false)) {
        object.remove("logprobs");
    }
    if object.get("tool_choice") == Some(&Value::from("any")) {
        object.insert("tool_choice".to_owned(), "required".into());
    }
    for name in ["temperature", "top_p"] {
        if let Some(number) = object.get(name).and_then(Value::as_f64) {
            object.insert(name.to_owned(), number.into());
        }
    }
    for tool in object.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        let tool = tool.as_object_mut().expect("a tool is an object");
        tool.entry("type").or_insert_with(|| "function".into());
    }
    for message in object.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        normal_message(message.as_object_mut().expect("a message is an object"));
    }
    // A turn that says nothing is left out.
    if let Some(messages) = object.get_mut("messages").and_then(Value::as_array_mut) {
        messages.retain(|message| {
            message["role"] != "assistant" || message.as_object().is_some_and(|message| message.len() > 1)
        });
    }
    request
}

fn normal_message(message: &mut serde_json::Map<String, Value>) {
    message.remove("prefix");
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let call = call.as_object_mut().expect("a call is an object");
        call.remove("index");
        // A breakpoint within calls has no place of its own.
        call.remove("cache_control");
    }
    // A message with one text and a part with it are the same.
    let control = message.remove("cache_control");
    let single = match message.get("content").and_then(Value::as_array).map(Vec::as_slice) {
        Some([part]) if part["type"] == "text" && control.is_none() => Some(part["text"].clone()),
        _ => None,
    };
    if let Some(text) = single {
        message.insert("content".to_owned(), text);
    }
    let is_empty = |content: &Value| match content {
        Value::String(text) => text.is_empty(),
        Value::Array(parts) => parts.is_empty(),
        content => content.is_null(),
    };
    if message.get("content").is_none_or(is_empty) {
        message.remove("content");
    }
}

#[test]
fn recorded_responses_survive_the_round_trip() {
    for case in cases().iter().filter(|case| case.is_success()) {
        let Some(body) = case.file("response.json") else { continue };
        let first = OpenAiChat
            .decode_response(&Bytes::from(body.clone()))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let sent: Value = serde_json::from_slice(&body).expect("a response is JSON");
        assert_eq!(first.candidates.len(), sent["choices"].as_array().map_or(0, Vec::len), "{}", case.name);
        let counted = &sent["usage"]["total_tokens"];
        assert_eq!(first.usage.map(|usage| usage.total()), counted.as_u64(), "{}", case.name);
        let mut again = OpenAiChat
            .decode_response(&OpenAiChat.encode_response(&first, &reply()))
            .expect("what was written reads back");
        again.model = first.model.clone();
        again.created = if first.created == 0 { 0 } else { again.created };
        again.id = if first.id.is_empty() { Str::new() } else { again.id };
        unsealed(&mut again);
        assert_eq!(comparable(first), comparable(again), "{}", case.name);
    }
}

/// Takes opaque state out of the envelopes that the encoder puts it in.
fn unsealed(response: &mut Response) {
    let sealer = Sealer::new(b"key");
    let open = |opaque: &mut crate::model::Opaque| {
        if let Some(inner) = sealer.open(&opaque.data) {
            *opaque = inner;
        }
    };
    for part in response.candidates.iter_mut().flat_map(|candidate| &mut candidate.parts) {
        part.opaque.iter_mut().for_each(open);
        if let PartContent::Reasoning(reasoning) = &mut part.content {
            reasoning.opaque.iter_mut().for_each(open);
        }
    }
}

/// A response without what the wire does not keep.
fn comparable(mut response: Response) -> Response {
    for candidate in &mut response.candidates {
        candidate.finish.raw = None;
        for citation in candidate.parts.iter_mut().flat_map(|part| &mut part.citations) {
            citation.raw = None;
            citation.span = None;
            citation.title = citation.title.take().or_else(|| citation.url.clone());
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
        let error = OpenAiChat.decode_error(status, &body);
        assert_eq!(error.upstream_status, Some(status), "{}", case.name);
        assert!(!error.message.is_empty(), "{}", case.name);
        let expected = match status {
            404 => ErrorClass::ModelNotFound,
            400 => ErrorClass::InvalidRequest,
            _ => ErrorClass::Upstream,
        };
        assert_eq!(error.class, expected, "{}: {error:?}", case.name);
        // The same body under a status that says success.
        let as_success = OpenAiChat.decode_response(&Bytes::from(body));
        assert!(matches!(as_success, Err(ResponseError::Upstream(_))), "{}", case.name);
    }
}

#[test]
fn recorded_streams_fold_to_sensible_answers() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let whole = events(&[&stream]);
        assert!(matches!(whole.last(), Some(Event::End)), "{}", case.name);
        if case.name.contains("stream-error") {
            assert!(whole.iter().any(|event| matches!(event, Event::Error(_))), "{}", case.name);
            continue;
        }
        let response = fold(&whole).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(!response.id.is_empty() && !response.model.is_empty(), "{}", case.name);
        for candidate in &response.candidates {
            assert!(!candidate.parts.is_empty(), "{}", case.name);
            let has_call = candidate.parts.iter().any(|part| matches!(part.content, PartContent::ToolCall(_)));
            assert_eq!(has_call, candidate.finish.reason == FinishReason::ToolCalls, "{}", case.name);
            for part in &candidate.parts {
                if let PartContent::ToolCall(call) = &part.content {
                    assert!(!call.id.is_empty() && !call.name.is_empty(), "{}", case.name);
                    serde_json::from_str::<Value>(&call.args)
                        .unwrap_or_else(|_| panic!("{}: {}", case.name, call.args));
                }
            }
        }
        assert_eq!(response.usage.is_some(), String::from_utf8(stream).expect("UTF-8").contains("\"usage\":{"));
    }
}

#[test]
fn recorded_streams_read_the_same_however_they_are_cut() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let whole = events(&[&stream]);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(events(&bytes), whole, "{} byte by byte", case.name);
        for size in [2, 7, 64, 1000] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(events(&pieces), whole, "{} by {size}", case.name);
        }
    }
}

#[test]
fn recorded_streams_survive_the_round_trip() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let Ok(first) = fold(&events(&[&stream])) else { continue };
        let bytes = written(&events(&[&stream]), &reply());
        let mut again = fold(&events(&[&bytes])).expect("what was written reads back");
        unsealed(&mut again);
        // Blocks of the same kind become one on this wire.
        let again = by_kind(comparable(again));
        assert_eq!(by_kind(comparable(Response { model: again.0.clone(), ..first })), again, "{}", case.name);
    }
}

type ByKind = (Str, Option<crate::model::Usage>, Vec<(String, String, Vec<String>, crate::model::Finish)>);

fn by_kind(response: Response) -> ByKind {
    let candidates = response.candidates.into_iter().map(|candidate| {
        let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
        for part in candidate.parts {
            match part.content {
                PartContent::Text(words) | PartContent::Refusal(words) => text.push_str(&words),
                PartContent::Reasoning(reasoning) => thinking.push_str(&reasoning.text.unwrap_or_default()),
                PartContent::ToolCall(call) => calls.push(format!("{call:?}")),
                other => panic!("unexpected {other:?}"),
            }
        }
        (text, thinking, calls, candidate.finish)
    });
    (response.model, response.usage, candidates.collect())
}

#[test]
fn taps_see_what_decoders_see() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let decoded = events(&[&stream]);
        let usage = decoded.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(**usage),
            _ => None,
        });
        let mut tap = OpenAiChat.tap(TapSpec::default());
        let mut out = Vec::new();
        for piece in stream.chunks(50) {
            tap.feed(Bytes::copy_from_slice(piece), &mut out);
        }
        tap.finish(&mut out);
        assert_eq!(out.concat(), stream, "{}", case.name);
        if !case.name.contains("stream-error") {
            assert_eq!(tap.usage().copied(), usage, "{}", case.name);
        }
        assert!(tap.is_complete() && tap.model().is_some(), "{}", case.name);
    }
}
