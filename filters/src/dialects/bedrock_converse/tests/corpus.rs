//! Every recorded exchange, both ways. `LOCKGATE_CORPUS` names the folder; without it the tests say that they did not
//! run.

use std::{fs, path::PathBuf};

use super::*;
use crate::{dialects::TapSpec, model::FinishReason};

struct Case {
    name: String,
    model: String,
    status: u64,
    request: Option<Bytes>,
    response: Option<Bytes>,
    stream: Option<Vec<u8>>,
}

/// The recorded exchanges of Converse; those of other operations are not this dialect's.
fn cases() -> Vec<Case> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let root = std::env::var_os("LOCKGATE_CORPUS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let Ok(folder) = fs::read_dir(root.join("bedrock")) else {
        eprintln!("SKIPPED: no corpus at {}, set LOCKGATE_CORPUS", root.display());
        return Vec::new();
    };
    let paths = folder.map(|entry| entry.expect("the folder can be listed").path());
    let mut cases: Vec<Case> = paths.filter_map(|path| read(&path)).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 12, "the corpus has shrunk");
    cases
}

fn read(path: &std::path::Path) -> Option<Case> {
    let meta: Value = serde_json::from_slice(&fs::read(path.join("meta.json")).expect("meta.json")).expect("JSON");
    let at = meta["path"].as_str().unwrap_or_default();
    let file = |name: &str| fs::read(path.join(name)).ok();
    (at.ends_with("/converse") || at.ends_with("/converse-stream")).then(|| Case {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        model: meta["model"].as_str().unwrap_or_default().to_owned(),
        status: meta["status"].as_u64().unwrap_or_default(),
        request: file("request.json").map(Bytes::from),
        response: file("response.json").map(Bytes::from),
        stream: file("response.eventstream"),
    })
}

#[test]
fn recorded_requests_survive_a_round_trip() {
    for case in cases() {
        let Some(body) = &case.request else { continue };
        BedrockConverse.inspect(&head(&case.model), body).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let request = BedrockConverse.decode_request(&head(&case.model), body);
        let request = request.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let encoded = encode_for(&case.model, &request).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(encoded.losses.is_empty(), "{}: {:?}", case.name, encoded.losses);
        let again = BedrockConverse.decode_request(&head(&case.model), &encoded.body).expect("it was written here");
        // Turns of one speaker are joined, and thinking implies a limit.
        let text = |request: &Request| {
            let mut request = request.clone();
            request.turns.dedup_by(|later, earlier| {
                let same = later.role == earlier.role;
                if same {
                    earlier.parts.append(&mut later.parts);
                }
                same
            });
            request.limits.max_output = None;
            format!("{request:#?}")
        };
        assert_eq!(text(&again), text(&request), "{}", case.name);
    }
}

#[test]
fn recorded_answers_survive_a_round_trip() {
    for case in cases() {
        let Some(body) = case.response.as_ref().filter(|_| case.status == 200) else { continue };
        let response = BedrockConverse.decode_response(body);
        let response = response.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_ne!(response.candidates[0].finish.reason, FinishReason::Other, "{}", case.name);
        assert_eq!(BedrockConverse.inspect_response(body).usage, response.usage, "{}", case.name);
        let written = BedrockConverse.encode_response(&response, &reply());
        let again = BedrockConverse.decode_response(&written).expect("it was written here");
        assert_eq!(again, response, "{}", case.name);
        let of = |body: &[u8]| -> Value { serde_json::from_slice(body).expect("JSON") };
        let (written, recorded) = (of(&written), of(body));
        assert_eq!(written["output"], recorded["output"], "{}: content comes back as it was", case.name);
        assert_eq!(written["stopReason"], recorded["stopReason"], "{}", case.name);
    }
}

#[test]
fn recorded_streams_read_alike_at_every_cut() {
    for case in cases() {
        let Some(body) = &case.stream else { continue };
        let whole = events_of([&body[..]]).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(events_of(body.chunks(1)).expect("the same bytes"), whole, "{} byte by byte", case.name);
        for size in [2, 11, 12, 13, 61, 997] {
            assert_eq!(events_of(body.chunks(size)).expect("the same bytes"), whole, "{} by {size}", case.name);
        }
    }
}

#[test]
fn recorded_streams_survive_a_round_trip() {
    for case in cases() {
        let Some(body) = &case.stream else { continue };
        let events = events_of([&body[..]]).expect("recorded streams are good");
        let response = fold(&events).unwrap_or_else(|error| panic!("{} fails: {error}", case.name));
        assert_ne!(response.candidates[0].finish.reason, FinishReason::Other, "{}", case.name);
        assert!(response.usage.is_some_and(|usage| usage.output() > 0 || usage.input() == 0), "{}", case.name);
        let written = write(&events, &reply());
        let again = fold(&events_of([&written[..]]).expect("it was written here")).expect("it has no error");
        assert_eq!(again, response, "{}", case.name);
        // What was recorded is written again event by event; calls come in pieces of our own, and what is the service's
        // own knowledge of the exchange is left out.
        let names = |bytes: &[u8]| -> Vec<String> {
            let names = frames(bytes).into_iter().map(|(name, _)| name);
            names.filter(|name| name != "contentBlockDelta").collect()
        };
        assert_eq!(names(&written), names(body), "{}", case.name);
    }
}

#[test]
fn a_stream_cut_at_any_frame_ends_in_an_error_or_is_whole() {
    for case in cases() {
        let Some(body) = &case.stream else { continue };
        let all = frames(body);
        let mut at = 0;
        for (count, _) in all.iter().enumerate() {
            for cut in [at, at + 7] {
                let events = events_of([&body[..cut]]).expect("what came is good");
                let stopped = all[..count].iter().any(|(name, _)| name == "messageStop");
                match events.as_slice() {
                    [.., Event::Error(error), Event::End] if !stopped => {
                        let code = if count == 0 { "empty_stream" } else { "stream_truncated" };
                        assert_eq!(error.code.as_deref(), Some(code), "{} at {cut}", case.name);
                    }
                    [.., Event::Finish { .. }, Event::End] if stopped => {}
                    other => panic!("{} at {cut}: {:?}", case.name, other.last()),
                }
            }
            let total = u32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
            at += total as usize;
        }
    }
}

#[test]
fn taps_pass_bytes_and_see_what_decoders_see() {
    for case in cases() {
        let Some(body) = &case.stream else { continue };
        let response = fold(&events_of([&body[..]]).expect("recorded streams are good")).expect("no error");
        for size in [1, 7, 100, 4096, body.len()] {
            let mut tap = BedrockConverse.tap(TapSpec::default());
            let mut out = Vec::new();
            body.chunks(size).for_each(|chunk| tap.feed(Bytes::copy_from_slice(chunk), &mut out));
            tap.finish(&mut out);
            assert_eq!(out.concat(), *body, "{} in chunks of {size}", case.name);
            assert!(tap.is_complete(), "{}", case.name);
            assert_eq!(tap.usage(), response.usage.as_ref(), "{}", case.name);
        }
    }
}
