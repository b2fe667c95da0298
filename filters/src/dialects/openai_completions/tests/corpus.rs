//! The recorded exchanges of this dialect, which stand among those of its successor.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::dialects::TapSpec;

fn corpus() -> Vec<PathBuf> {
    let root = std::env::var_os("LOCKGATE_CORPUS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")), PathBuf::from);
    let Ok(cases) = std::fs::read_dir(root.join("openai-chat")) else {
        println!("SKIPPED: no recorded corpus at {}, set LOCKGATE_CORPUS", root.display());
        return Vec::new();
    };
    let cases = cases.map(|case| case.expect("the folder can be listed").path());
    let is_own = |case: &PathBuf| {
        let meta = std::fs::read_to_string(case.join("meta.json")).unwrap_or_default();
        meta.contains("POST /v1/completions")
    };
    let mut cases: Vec<PathBuf> = cases.filter(is_own).collect();
    assert!(!cases.is_empty(), "the corpus has exchanges of this dialect");
    cases.sort();
    cases
}

fn read(case: &std::path::Path, name: &str) -> Option<Bytes> {
    std::fs::read(case.join(name)).ok().map(Bytes::from)
}

#[test]
fn recorded_requests_survive_a_round_trip() {
    for case in corpus() {
        let body = read(&case, "request.json").expect("the case has it");
        let mut expected: Value = serde_json::from_slice(&body).expect("recorded requests are JSON");
        let request =
            OpenAiCompletions.decode_request(&CallHead::default(), &body).expect("recorded requests are good");
        let inspection = OpenAiCompletions.inspect(&CallHead::default(), &body).expect("recorded requests are good");
        assert_eq!(inspection.model, request.model, "{}", case.display());
        let (mut found, encoded) = encode(&request).expect("it can go back");
        assert!(encoded.losses.is_empty(), "{} loses {:?}", case.display(), encoded.losses);
        // One prompt in a list is one prompt, an empty bias is none, and usage is always asked for.
        if let Some([one]) = expected["prompt"].as_array().map(Vec::as_slice) {
            expected["prompt"] = one.clone();
        }
        let object = expected.as_object_mut().expect("an object");
        object.remove("logit_bias");
        object.insert("model".into(), json!("m"));
        found.as_object_mut().expect("an object").remove("stream_options");
        let same = |name: &String| expected[name] == found[name] || expected[name].as_f64() == found[name].as_f64();
        let names = expected.as_object().expect("an object").keys();
        assert!(names.clone().all(same), "{}: {found} is not {expected}", case.display());
        assert_eq!(found.as_object().map(serde_json::Map::len), Some(names.len()), "{}", case.display());
    }
}

#[test]
fn recorded_answers_survive_a_round_trip() {
    for case in corpus() {
        let Some(body) = read(&case, "response.json") else { continue };
        let response = OpenAiCompletions.decode_response(&body).expect("recorded answers are good");
        let glance = OpenAiCompletions.inspect_response(&body);
        assert_eq!((glance.usage, glance.model.as_ref()), (response.usage, Some(&response.model)));
        let reply = Reply { model: response.model.clone(), ..reply() };
        let again = OpenAiCompletions.encode_response(&response, &reply);
        assert_eq!(OpenAiCompletions.decode_response(&again).expect("it is our own"), response, "{}", case.display());
        let (found, expected): (Value, Value) =
            (serde_json::from_slice(&again).expect("JSON"), serde_json::from_slice(&body).expect("JSON"));
        assert_eq!(found["choices"], expected["choices"], "{}", case.display());
    }
}

#[test]
fn recorded_streams_read_alike_at_every_cut_and_survive_a_round_trip() {
    for case in corpus() {
        let Some(body) = read(&case, "response.sse") else { continue };
        let whole = events(&[&body]);
        for size in [1, 2, 13, 61, 997] {
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            assert_eq!(events(&pieces), whole, "{} in pieces of {size}", case.display());
        }
        let response = fold(&whole).expect("recorded streams are whole");
        let reply = Reply { model: response.model.clone(), ..reply() };
        let again = fold(&events(&[&written(&whole, &reply)])).expect("it is our own");
        assert_eq!(again, response, "{}", case.display());
        for cut in body.windows(2).enumerate().filter(|(_, two)| *two == b"\n\n").map(|(at, _)| at + 2) {
            let part = body.get(..cut).expect("within the body");
            let ends = events(&[part]);
            let text = std::str::from_utf8(part).expect("recorded streams are UTF-8");
            // Whose last event says why it ends is whole without the terminator.
            let is_whole = text.contains(r#""finish_reason":"stop"}"#);
            let failed = ends.iter().any(|event| matches!(event, Event::Error(_)));
            assert_eq!(failed, !is_whole, "{} at {cut}", case.display());
        }
    }
}

#[test]
fn taps_change_nothing_and_see_what_decoders_see() {
    for case in corpus() {
        let Some(body) = read(&case, "response.sse") else { continue };
        for size in [1, 7, 1000] {
            let mut tap = OpenAiCompletions.tap(TapSpec { strip_usage: true, json_array: false });
            let mut out = Vec::new();
            for piece in body.chunks(size) {
                tap.feed(Bytes::copy_from_slice(piece), &mut out);
            }
            tap.finish(&mut out);
            assert_eq!(out.concat(), body, "{}", case.display());
            let response = fold(&events(&[&body])).expect("recorded streams are whole");
            assert_eq!((tap.model(), tap.usage().copied()), (Some(&response.model), response.usage));
            assert!(tap.is_complete());
        }
    }
    let usage =
        b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n";
    let mut tap = OpenAiCompletions.tap(TapSpec { strip_usage: true, json_array: false });
    let mut out = Vec::new();
    tap.feed(Bytes::from_static(usage), &mut out);
    tap.finish(&mut out);
    assert!(out.concat().is_empty() && tap.usage().is_some(), "usage that only the gateway asked for is taken out");
}
