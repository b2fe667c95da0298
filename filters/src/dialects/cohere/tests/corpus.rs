//! Every recorded exchange of this dialect goes through.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::{
    dialects::TapSpec,
    model::{FinishReason, PartContent},
};

struct Case {
    name: String,
    folder: PathBuf,
}

impl Case {
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(name)).ok()
    }
}

fn cases() -> Vec<Case> {
    let root = std::env::var("LOCKGATE_CORPUS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures").to_owned());
    let Ok(folders) = std::fs::read_dir(Path::new(&root).join("cohere")) else {
        println!("SKIPPED: no recorded traffic at {root}; set LOCKGATE_CORPUS");
        return Vec::new();
    };
    let mut cases = Vec::new();
    for folder in folders {
        let folder = folder.expect("the corpus can be listed").path();
        let meta = std::fs::read(folder.join("meta.json")).expect("a case has meta.json");
        let meta: Value = serde_json::from_slice(&meta).expect("meta.json is JSON");
        if meta["path"].as_str().is_none_or(|path| path.ends_with("/v2/chat")) {
            cases.push(Case { name: folder.file_name().unwrap_or_default().display().to_string(), folder });
        }
    }
    cases
}

/// What two spellings of a request have in common.
fn normal(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for member in object.values_mut() {
                normal(member);
            }
            let single = match object.get("content").and_then(Value::as_array).map(Vec::as_slice) {
                Some([part]) if part["type"] == "text" => Some(part["text"].clone()),
                _ => None,
            };
            if let Some(text) = single {
                object.insert("content".to_owned(), text);
            }
            object.retain(|name, value| {
                let empty = value.is_null() || value == &json!([]) || value == &json!("") && name == "content";
                !(empty || name == "stream" && *value == false)
            });
        }
        Value::Array(items) => items.iter_mut().for_each(normal),
        Value::Number(number) => *value = number.as_f64().into(),
        _ => {}
    }
}

#[test]
fn recorded_requests_survive_the_round_trip() {
    for case in cases() {
        let Some(body) = case.file("request.json") else { continue };
        let request = decode(std::str::from_utf8(&body).expect("UTF-8"));
        let request = request.unwrap_or_else(|error| panic!("{} is refused: {error}", case.name));
        let encoded = encode_for(&request.model, &request);
        let encoded = encoded.unwrap_or_else(|error| panic!("{} cannot be encoded: {error}", case.name));
        assert!(encoded.losses.is_empty(), "{} loses {:?}", case.name, encoded.losses);
        let mut expected: Value = serde_json::from_slice(&body).expect("recorded requests are JSON");
        let mut found: Value = serde_json::from_slice(&encoded.body).expect("what is written is JSON");
        normal(&mut expected);
        normal(&mut found);
        assert_eq!(found, expected, "{}", case.name);
    }
}

#[test]
fn recorded_answers_survive_the_round_trip() {
    for case in cases() {
        let Some(body) = case.file("response.json") else { continue };
        let first = Cohere.decode_response(&Bytes::from(body.clone()));
        let first = first.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let sent: Value = serde_json::from_slice(&body).expect("a response is JSON");
        let parts = &first.candidates[0].parts;
        let cited: usize = parts.iter().map(|part| part.citations.len()).sum();
        assert_eq!(cited, sent["message"]["citations"].as_array().map_or(0, Vec::len), "{}", case.name);
        for part in parts {
            let text = part.as_text().map(|text| &**text).unwrap_or_default();
            for citation in &part.citations {
                let span = citation.span.expect("recorded citations have places");
                let said: String =
                    text.chars().skip(span.start as usize).take((span.end - span.start) as usize).collect();
                let raw = citation.raw.as_ref().expect("they are kept").1.to_value();
                assert_eq!(said, raw["text"], "{}: the place counts characters of its part", case.name);
            }
        }
        let usage = first.usage.expect("recorded answers have usage");
        let tokens = &sent["usage"]["tokens"];
        let input = tokens["input_tokens"].as_u64().unwrap_or(0) + tokens["image_tokens"].as_u64().unwrap_or(0);
        assert_eq!((usage.input(), Some(usage.output())), (input, tokens["output_tokens"].as_u64()), "{}", case.name);
        assert_eq!(Cohere.inspect_response(&Bytes::from(body)).usage, Some(usage), "{}", case.name);
        let again =
            Cohere.decode_response(&Cohere.encode_response(&first, &reply())).expect("what was written reads back");
        assert_eq!(again, first, "{}", case.name);
    }
}

#[test]
fn recorded_streams_read_the_same_however_they_are_cut() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let whole = events(&[&stream]);
        assert!(matches!(whole.last(), Some(Event::End)), "{}", case.name);
        for size in [1, 2, 7, 64, 1000] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            assert_eq!(events(&pieces), whole, "{} by {size}", case.name);
        }
        let response = fold(&whole).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(!response.id.is_empty() && response.usage.is_some(), "{}", case.name);
        let candidate = &response.candidates[0];
        assert!(!candidate.parts.is_empty(), "{}", case.name);
        let calls: Vec<_> = candidate
            .parts
            .iter()
            .filter_map(|part| match &part.content {
                PartContent::ToolCall(call) => Some(call),
                _ => None,
            })
            .collect();
        assert_eq!(!calls.is_empty(), candidate.finish.reason == FinishReason::ToolCalls, "{}", case.name);
        for call in calls {
            assert!(!call.id.is_empty(), "{}", case.name);
            serde_json::from_str::<Value>(&call.args).unwrap_or_else(|_| panic!("{}: {}", case.name, call.args));
        }
        let cited: usize = candidate.parts.iter().map(|part| part.citations.len()).sum();
        let text = String::from_utf8(stream).expect("UTF-8");
        assert_eq!(cited, text.matches("\"type\":\"citation-start\"").count(), "{}", case.name);
    }
}

#[test]
fn recorded_streams_survive_the_round_trip() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let first = events(&[&stream]);
        let bytes = written(&first, &reply());
        told(&bytes);
        assert_eq!(fold(&events(&[&bytes])), fold(&first), "{}", case.name);
    }
}

#[test]
fn taps_see_what_decoders_see() {
    for case in cases() {
        let Some(stream) = case.file("response.sse") else { continue };
        let response = fold(&events(&[&stream])).expect("a whole answer");
        for size in [1, 7, 50, 1000, stream.len()] {
            let mut tap = Cohere.tap(TapSpec::default());
            let mut out = Vec::new();
            for piece in stream.chunks(size) {
                tap.feed(Bytes::copy_from_slice(piece), &mut out);
            }
            tap.finish(&mut out);
            assert_eq!(out.concat(), stream, "a tap changes nothing");
            assert_eq!(tap.usage().copied(), response.usage, "{}", case.name);
            assert!(tap.is_complete(), "{}", case.name);
        }
    }
}
