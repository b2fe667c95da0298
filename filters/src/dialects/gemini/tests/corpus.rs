//! Every recorded exchange, both ways. `LOCKGATE_CORPUS` names the folder; without it the tests say that they did not
//! run.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::*;
use crate::dialects::TapSpec;

struct Case {
    name: String,
    meta: Value,
    request: Option<String>,
    response: Option<String>,
    stream: Option<Vec<u8>>,
}

fn cases() -> Vec<Case> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let root = std::env::var_os("LOCKGATE_CORPUS").map_or_else(|| PathBuf::from(default), PathBuf::from).join("gemini");
    let Ok(folder) = fs::read_dir(&root) else {
        eprintln!("SKIPPED: no corpus at {}, set LOCKGATE_CORPUS", root.display());
        return Vec::new();
    };
    let mut cases: Vec<Case> = folder.map(|entry| read(&entry.expect("a readable folder").path())).collect();
    cases.retain(|case| !case.name.contains("embed"));
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 20, "the corpus has shrunk");
    cases
}

fn read(path: &std::path::Path) -> Case {
    let text = |name: &str| fs::read_to_string(path.join(name)).ok();
    Case {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        meta: serde_json::from_str(&text("meta.json").unwrap_or_default()).unwrap_or_default(),
        request: text("request.json"),
        response: text("response.json"),
        stream: fs::read(path.join("response.sse")).ok(),
    }
}

fn status(case: &Case) -> u16 {
    case.meta["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default()
}

/// Names, tiers and the places of sources may differ: the client's name, and what a stream does not carry.
fn comparable(mut response: Response) -> Response {
    response.model = Str::new();
    response.id = Str::new();
    response.tier = None;
    for part in response.candidates.iter_mut().flat_map(|candidate| &mut candidate.parts) {
        for citation in &mut part.citations {
            citation.span = None;
        }
    }
    response
}

#[test]
fn requests_survive_a_round_trip() {
    for case in cases() {
        let Some(json) = &case.request else { continue };
        let model = case.meta["model"].as_str().unwrap_or("gemini-3-flash");
        let head = call(model, "generateContent", "");
        let request = Gemini.decode_request(&head, &Bytes::copy_from_slice(json.as_bytes()));
        let request = request.unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        let encoded = encode_for(model, &[], &request).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        assert!(encoded.losses.is_empty(), "{}: {:?}", case.name, encoded.losses);
        let again = Gemini.decode_request(&head, &encoded.body).expect("what is encoded decodes");
        // Schemas may have been fitted; all else must be the same.
        let strip = |mut request: Request| {
            request.extra.sort_by(|a, b| a.0.cmp(&b.0));
            for tool in &mut request.tools {
                if let crate::model::Tool::Function { schema, .. } = tool {
                    *schema = None;
                }
            }
            let json = format!("{request:?}");
            json.replace([' ', '\n', '\\'], "").replace("RawJson(", "")
        };
        assert_eq!(strip(request), strip(again), "{}", case.name);
    }
}

#[test]
fn responses_survive_a_round_trip() {
    for case in cases().iter().filter(|case| status(case) < 400) {
        let Some(json) = &case.response else { continue };
        let body = Bytes::copy_from_slice(json.as_bytes());
        let response = Gemini.decode_response(&body).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        assert!(!response.candidates.is_empty(), "{}", case.name);
        assert!(response.usage.is_some_and(|usage| usage.input() > 0), "{}", case.name);
        let written = Gemini.encode_response(&response, &reply(StreamForm::Sse));
        let again = Gemini.decode_response(&written).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        assert_eq!(again.model, "alias");
        assert_eq!(comparable(again), comparable(response.clone()), "{}", case.name);
        let glance = Gemini.inspect_response(&body);
        assert_eq!((glance.usage, glance.error), (response.usage, None), "{}", case.name);
    }
}

#[test]
fn errors_keep_class_and_words() {
    for case in cases().iter().filter(|case| status(case) >= 400) {
        let json = case.response.as_deref().expect("an error has a body");
        let error = Gemini.decode_error(status(case), json.as_bytes());
        assert!(json.contains(&*error.message), "{}", case.name);
        let written = Gemini.encode_error(&error, "id");
        let again = Gemini.decode_error(status(case), &written);
        assert_eq!((again.class, &again.message), (error.class, &error.message), "{}", case.name);
        assert_eq!(again.retry_after, error.retry_after, "{}", case.name);
    }
}

#[test]
fn streams_read_the_same_however_they_are_cut() {
    for case in cases() {
        let Some(stream) = case.stream.filter(|_| status_ok(&case.meta)) else { continue };
        let whole = events_of([&stream[..]]).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        assert_eq!(events_of(stream.chunks(1)).expect("a stream"), whole, "{} by bytes", case.name);
        for size in [2, 3, 7, 64, 1000] {
            assert_eq!(events_of(stream.chunks(size)).expect("a stream"), whole, "{} by {size}", case.name);
        }
        let response = fold(&whole);
        assert!(!response.candidates.is_empty() && !response.candidates[0].parts.is_empty(), "{}", case.name);
        assert!(matches!(whole.last(), Some(Event::End)), "{}", case.name);
        for form in [StreamForm::Sse, StreamForm::JsonArray] {
            let written = write(&whole, &reply(form));
            let again = fold(&events_of([&written[..]]).expect("what is written reads"));
            assert_eq!(comparable(again), comparable(response.clone()), "{} {form:?}", case.name);
        }
        // Cut at any message, it is an error, unless the cut comes after the last.
        let last = memchr::memmem::rfind(&stream, b"data:").expect("a stream has messages");
        let cut = events_of([&stream[..last]]).expect("a stream");
        assert!(cut.iter().any(|event| matches!(event, Event::Error(_))), "{} was cut", case.name);
    }
}

fn status_ok(meta: &Value) -> bool {
    meta["status"].as_u64().is_some_and(|status| status < 400)
}

#[test]
fn taps_read_what_decoders_read() {
    for case in cases() {
        let array = case.response.as_ref().filter(|json| json.trim_start().starts_with('['));
        let bytes = match (&case.stream, array) {
            (Some(stream), _) if status_ok(&case.meta) => stream.clone(),
            (_, Some(array)) => array.as_bytes().to_vec(),
            _ => continue,
        };
        let expected = fold(&events_of([&bytes[..]]).expect("a stream"));
        for size in [1, 50, usize::MAX] {
            let mut tap = Gemini.tap(TapSpec { strip_usage: false, json_array: case.stream.is_none() });
            let mut out = Vec::new();
            for chunk in bytes.chunks(size) {
                tap.feed(Bytes::copy_from_slice(chunk), &mut out);
            }
            tap.finish(&mut out);
            assert_eq!(out.concat(), bytes, "{}: a tap changes nothing", case.name);
            assert_eq!(tap.usage(), expected.usage.as_ref(), "{} by {size}", case.name);
            assert_eq!(tap.model(), Some(&expected.model), "{} by {size}", case.name);
            assert!(tap.is_complete(), "{} by {size}", case.name);
        }
    }
}
