//! The reference implementation's own streams, made of recorded provider streams: the same recording, read by the dialect
//! that it is in and written by this one, must give the client the same message.

use std::path::PathBuf;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{super::AiSdkUi, decode, reader, reply, sealer, written};
use crate::{
    dialects::{CallHead, Dialect, find},
    model::{Event, Family, Opaque, Part, PartContent, Role},
};

fn corpus() -> Vec<PathBuf> {
    let root = std::env::var_os("LOCKGATE_CORPUS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")), PathBuf::from);
    let Ok(cases) = std::fs::read_dir(root.join("ai-sdk-ui")) else {
        println!("SKIPPED: no recorded corpus at {}, set LOCKGATE_CORPUS", root.display());
        return Vec::new();
    };
    let mut cases: Vec<PathBuf> = cases.map(|case| case.expect("the folder can be listed").path()).collect();
    cases.sort();
    cases
}

fn json_of(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the case has it")).expect("it is JSON")
}

/// The dialect of a case's upstream, if it is spoken here.
fn upstream(case: &std::path::Path) -> Option<&'static dyn Dialect> {
    let meta = json_of(case.join("meta.json"));
    let (name, route_type) = match meta["upstream"]["dialect"].as_str()? {
        "openai-chat" | "openai-compat" | "groq" | "mistral" => ("openai", "llm/v1/chat"),
        "openai-responses" => ("openai", "llm/v1/responses"),
        name => (name, "llm/v1/chat"),
    };
    let found = find(name, route_type).filter(|dialect| dialect.upstream().is_some());
    if found.is_none() {
        println!("SKIPPED: {}: `{name}` for `{route_type}` is not spoken", case.display());
    }
    found
}

fn events(dialect: &dyn Dialect, stream: &[u8]) -> Vec<Event> {
    let mut decoder = dialect.upstream().expect("it is an upstream").stream_decoder();
    let mut events = Vec::new();
    decoder.feed(Bytes::copy_from_slice(stream), &mut events).expect("recorded streams are whole");
    decoder.finish(&mut events).expect("recorded streams are whole");
    events
}

/// Whether a thought is Cohere's plan before its calls, which the reference leaves out.
fn is_plan(metadata: &Value) -> bool {
    let envelope = metadata["lockgate"]["sealed"][0].as_str();
    envelope.and_then(|envelope| sealer().open(envelope)).is_some_and(|state| state.family == Family::Cohere)
}

/// What two messages that say the same may differ in: how ids are made, empty parts, how a vendor's own tools and
/// sources are written down, and where one run of text is cut.
fn normal(parts: &[Value], upstream: &str) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for part in parts {
        let kind = part["type"].as_str().expect("a type");
        if part["providerExecuted"] == true || kind.starts_with("source-") || kind == "step-start" {
            continue;
        }
        let metadata = &part["providerMetadata"];
        // Citations and item ids without state are the vendor's alone.
        let state = match (&metadata["anthropic"], &metadata["openai"]["reasoningEncryptedContent"]) {
            (anthropic, _) if anthropic.get("signature").is_some() || anthropic.get("redactedData").is_some() => {
                anthropic.clone()
            }
            (_, encrypted) if !encrypted.is_null() => encrypted.clone(),
            _ => Value::Null,
        };
        if is_plan(metadata) {
            continue;
        }
        match (kind, kept.last_mut()) {
            ("text", _) if part["text"] == "" => {}
            ("text", Some(last)) if last["type"] == "text" => {
                let text = format!("{}{}", last["text"].as_str().expect("text"), part["text"].as_str().expect("text"));
                last["text"] = text.into();
            }
            ("text" | "reasoning", _) => kept.push(json!({"type": kind, "text": part["text"], "state": state})),
            _ => kept.push(json!({
                "type": kind, "input": part["input"],
                // Who got no id from the provider makes one.
                "toolCallId": part["toolCallId"].as_str().filter(|id| upstream.contains(id)),
                "signature": part["callProviderMetadata"]["google"]["thoughtSignature"],
            })),
        }
    }
    kept
}

#[test]
fn recorded_streams_give_the_message_of_the_reference() {
    for case in corpus() {
        let Some(dialect) = upstream(&case) else { continue };
        let stream = std::fs::read(case.join("upstream_response.sse")).expect("the case has it");
        let found = reader::read(&written(&events(dialect, &stream), &reply()));
        let reference = std::fs::read_to_string(case.join("response.sse")).expect("the case has it");
        let message = json_of(case.join("final_message.json"));
        let upstream = std::str::from_utf8(&stream).expect("recorded streams are UTF-8");
        let expected = message["parts"].as_array().map(|parts| normal(parts, upstream)).unwrap_or_default();
        assert_eq!(normal(&found.parts, upstream), expected, "{}", case.display());
        let word = found.finish.as_deref().expect("it is finished");
        assert!(reference.contains(&format!("\"finishReason\":\"{word}\"")), "{}: {word}", case.display());
        assert_eq!(found.error, None, "{}", case.display());
    }
}

#[test]
fn the_reader_of_these_tests_agrees_with_the_sdks() {
    for case in corpus() {
        let stream = std::fs::read_to_string(case.join("response.sse")).expect("the case has it");
        let read = reader::read(&stream);
        let message = json_of(case.join("final_message.json"));
        let expected = message["parts"].as_array().expect("a message has parts");
        assert_eq!(normal(&read.parts, &stream), normal(expected, &stream), "{}", case.display());
    }
}

#[test]
fn recorded_requests_are_read_and_claimed() {
    for case in corpus() {
        let body = json_of(case.join("request.json"));
        let bytes = Bytes::from(body.to_string());
        assert!(AiSdkUi.claims(&bytes), "{}", case.display());
        let inspection = AiSdkUi.inspect(&CallHead::default(), &bytes).expect("recorded requests are good");
        assert!(inspection.stream.is_some() && inspection.model.is_empty());
        let request = decode(&body).unwrap_or_else(|error| panic!("{} is refused: {error}", case.display()));
        let text = body["messages"][0]["parts"][0]["text"].as_str().expect("the case is one text");
        assert_eq!(request.turns[0].parts[0].as_text().map(|text| &**text), Some(text));
    }
}

/// State as an upstream's encoder reads it.
fn opened(state: &[Opaque]) -> Vec<Opaque> {
    state.iter().map(|state| sealer().unwrap(state).expect("it is the vendor's, or sealed here")).collect()
}

/// What the client got goes back with its next message: thinking with its state, calls with theirs.
#[test]
fn recorded_messages_go_back_with_their_state() {
    for case in corpus() {
        let Some(dialect) = upstream(&case) else { continue };
        let stream = std::fs::read(case.join("upstream_response.sse")).expect("the case has it");
        let events = events(dialect, &stream);
        let message = reader::read(&written(&events, &reply()));
        let body = json!({"id": "c", "messages": [
            {"id": "1", "role": "user", "parts": [{"type": "text", "text": "x"}]},
            {"id": "2", "role": "assistant", "parts": message.parts},
            {"id": "3", "role": "user", "parts": [{"type": "text", "text": "y"}]},
        ]});
        let request = decode(&body).unwrap_or_else(|error| panic!("{} is refused: {error}", case.display()));
        let said: Vec<&Part> =
            request.turns.iter().filter(|turn| turn.role == Role::Assistant).flat_map(|turn| &turn.parts).collect();
        let mut folder = crate::stream::Folder::default();
        for event in &events {
            folder.push(event);
        }
        let answer = folder.finish().expect("recorded streams are whole");
        let sent = answer.candidates[0].parts.iter().filter(|part| {
            let is_refusal = matches!(part.content, PartContent::Refusal(_));
            let is_known = !matches!(part.content, PartContent::Unknown { .. });
            !is_refusal && is_known
        });
        for (found, expected) in said.iter().zip(sent) {
            match (&found.content, &expected.content) {
                (PartContent::Reasoning(found), PartContent::Reasoning(expected)) => {
                    assert_eq!(opened(&found.opaque), expected.opaque, "{}", case.display());
                }
                (PartContent::ToolCall(call), PartContent::ToolCall(of)) => {
                    assert_eq!((&call.id, &call.name), (&of.id, &of.name), "{}", case.display());
                    assert_eq!(opened(&found.opaque), expected.opaque, "{}", case.display());
                }
                (PartContent::ServerCall(found), PartContent::ServerCall(expected)) => {
                    assert_eq!((&found.id, found.family), (&expected.id, expected.family), "{}", case.display());
                }
                (PartContent::ServerResult(found), PartContent::ServerResult(expected)) => {
                    assert_eq!(found.output.to_value(), expected.output.to_value(), "{}", case.display());
                }
                _ => {}
            }
        }
    }
}
