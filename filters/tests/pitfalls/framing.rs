//! Streams: bytes that are cut anywhere, ends that come or do not, errors on the way.

use bytes::{Bytes, BytesMut};
use lockgate_filters::{
    dialects::{StreamForm, TapSpec, Upstream, upstreams},
    model::{Delta, ErrorClass, ErrorInfo, Event, Finish, FinishReason, PartKey, PartKind, PartStart},
};
use serde_json::{Value, json};

use crate::support::{
    answer, args, begin, begin_call, calls, conversing, dialect, end, finish, fold, framed, json_of, read, read_pieces,
    reply_to, say, start, stream, text_of, write,
};

/// Letters of one, two, three and four bytes, in text and in arguments.
const WORDS: &str = "aé汉🌊 и東";
const ARGS: &str = r#"{"city":"東京🗼"}"#;

fn spoken(dialect: &dyn Upstream) -> Vec<Event> {
    let mut between = vec![begin(0, PartKind::Text), say(0, WORDS), say(0, WORDS), end(0)];
    if conversing().iter().any(|other| other.name() == dialect.name()) {
        between.extend([begin_call(1, "call_1"), args(1, ARGS), end(1)]);
    }
    stream(between, FinishReason::Stop)
}

#[test]
fn pitfall_01_a_character_that_is_cut_stays_whole() {
    for dialect in upstreams() {
        let name = dialect.name();
        let bytes = write(dialect, &spoken(dialect));
        let whole = read(dialect, &bytes);
        let told = fold(&whole).expect("it is whole");
        assert_eq!(text_of(&told), WORDS.repeat(2), "{name}");
        for call in calls(&told) {
            let found: Value = serde_json::from_str(&call.args).expect("arguments are JSON");
            assert_eq!(found, json!({"city": "東京🗼"}), "{name}");
        }
        for cut in 0..=bytes.len() {
            let (before, after) = bytes.split_at(cut);
            assert_eq!(read_pieces(dialect, &[before, after]), whole, "{name} cut at {cut}");
        }
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read_pieces(dialect, &each), whole, "{name} byte by byte");
    }
}

#[test]
fn pitfall_01_and_45_what_passes_keeps_its_bytes_however_it_is_cut() {
    for dialect in upstreams() {
        let bytes = write(dialect, &spoken(dialect));
        for size in [1, 2, 3, 5, 64] {
            let mut tap = dialect.tap(TapSpec::default());
            let mut out = Vec::new();
            bytes.chunks(size).for_each(|chunk| tap.feed(Bytes::copy_from_slice(chunk), &mut out));
            tap.finish(&mut out);
            assert_eq!(out.concat(), bytes, "{} in pieces of {size}", dialect.name());
        }
    }
}

#[test]
fn pitfall_04_a_stream_of_nothing_is_an_error() {
    for dialect in upstreams() {
        let events = read(dialect, b"");
        let [Event::Error(error), Event::End] = events.as_slice() else { panic!("{}: {events:?}", dialect.name()) };
        assert_eq!(error.code.as_deref(), Some("empty_stream"), "{}", dialect.name());
        let begun = write(dialect, &[start()]);
        let told = fold(&read(dialect, &begun));
        assert!(told.is_err(), "{}: an answer of which nothing came is none: {told:?}", dialect.name());
    }
}

#[test]
fn pitfall_05_a_stream_that_is_cut_is_an_error_wherever_it_is_cut() {
    for dialect in upstreams() {
        let name = dialect.name();
        let bytes =
            write(dialect, &stream([begin(0, PartKind::Text), say(0, WORDS), say(0, "and")], FinishReason::Stop));
        let whole = answer(dialect, &bytes);
        let mut cuts = 0;
        for cut in 0..bytes.len() {
            let events = read(dialect, bytes.get(..cut).expect("it is a beginning"));
            assert_eq!(events.last(), Some(&Event::End), "{name} at {cut}: {events:?}");
            match fold(&events) {
                Err(error) => {
                    cuts += 1;
                    assert_eq!(error.class, ErrorClass::Upstream, "{name} at {cut}");
                }
                // Nothing of the answer was missing but bookkeeping.
                Ok(told) => assert_eq!(told.candidates, whole.candidates, "{name} at {cut}"),
            }
        }
        assert!(cuts > bytes.len() / 3, "{name}: most cuts must be noticed, {cuts} of {} were", bytes.len());
    }
}

#[test]
fn pitfall_05_and_06_a_failure_has_its_own_end_and_is_never_content() {
    let failure = || Event::Error(Box::new(ErrorInfo::new(ErrorClass::Overloaded, "the upstream is unwell")));
    for dialect in upstreams() {
        let name = dialect.name();
        for begun in [vec![], vec![start()], vec![start(), begin(0, PartKind::Text), say(0, "so far")]] {
            let said = begun.len() > 1;
            let events: Vec<Event> = begun.into_iter().chain([failure(), say(0, "late"), Event::End]).collect();
            let bytes = write(dialect, &events);
            let found = read(dialect, &bytes);
            let error = fold(&found).expect_err("the failure must be read as one");
            assert_eq!(&*error.message, "the upstream is unwell", "{name}");
            let told: String = found
                .iter()
                .filter_map(|event| match event {
                    Event::Delta { delta: Delta::Text(text), .. } => Some(&**text),
                    _ => None,
                })
                .collect();
            assert_eq!(told, if said { "so far" } else { "" }, "{name}: an error is no content");
            let ended = found.iter().any(|event| matches!(event, Event::Finish { .. }));
            assert!(!ended, "{name}: what failed has no reason to have finished");
        }
    }
}

#[test]
fn pitfall_07_nothing_is_read_behind_the_end() {
    for dialect in upstreams().filter(|dialect| dialect.name() != "gemini") {
        let name = dialect.name();
        let mut bytes = write(dialect, &stream([begin(0, PartKind::Text), say(0, "all")], FinishReason::Stop));
        let whole = read(dialect, &bytes);
        bytes.extend_from_slice(b"data: {garbage\n\n{garbage\n\n");
        let mut decoder = dialect.stream_decoder();
        let mut events = Vec::new();
        decoder.feed(Bytes::from(bytes), &mut events).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(events, whole, "{name}: the end comes with the terminator, not when the upstream closes");
        assert_eq!(events.last(), Some(&Event::End), "{name}");
    }
}

#[test]
fn pitfall_09_and_11_keepalives_are_seen_by_no_client() {
    for dialect in upstreams() {
        let name = dialect.name();
        let keepalive = dialect.keepalive(dialect.stream_form());
        let text = std::str::from_utf8(keepalive).expect("keepalives are text");
        match name {
            // Official clients fail on anything but blank lines.
            "gemini" => assert!(text.trim().is_empty(), "{text:?}"),
            // The vendor's own event.
            "anthropic" => assert!(text.starts_with("event: ping\ndata: "), "{text:?}"),
            _ if dialect.stream_form() == StreamForm::Sse => {
                assert!(text.lines().all(|line| line.is_empty() || line.starts_with(':')), "{name}: {text:?}");
            }
            _ => {}
        }
        if keepalive.is_empty() {
            continue;
        }
        let said = [begin(0, PartKind::Text), say(0, "a"), say(0, "b"), end(0)];
        let events = stream(said, FinishReason::Stop);
        let mut encoder = dialect.stream_encoder(&reply_to(dialect));
        let (mut plain, mut kept) = (BytesMut::new(), BytesMut::new());
        for event in &events {
            let before = plain.len();
            encoder.encode(event, &mut plain);
            kept.extend_from_slice(plain.get(before..).expect("it only grows"));
            kept.extend_from_slice(keepalive);
        }
        let mut found = read(dialect, &kept);
        found.retain(|event| *event != Event::Ping);
        assert_eq!(found, read(dialect, &plain), "{name}");
    }
}

#[test]
fn pitfall_09_and_10_event_lines_are_where_clients_want_them() {
    let said = [begin(0, PartKind::Text), say(0, "a"), end(0)];
    for name in ["anthropic", "openai_responses", "cohere"] {
        let bytes = write(dialect(name), &stream(said.clone(), FinishReason::Stop));
        let text = String::from_utf8(bytes).expect("the stream is text");
        for frame in text.split_terminator("\n\n").filter(|frame| *frame != "data: [DONE]") {
            let (event, data) = frame.split_once('\n').unwrap_or_else(|| panic!("{name}: {frame} has two lines"));
            let data: Value =
                serde_json::from_str(data.strip_prefix("data: ").expect("the second is data")).expect("data is JSON");
            assert_eq!(event.strip_prefix("event: "), data["type"].as_str(), "{name}: the name repeats the type");
        }
    }
    for name in ["openai_chat", "gemini"] {
        let bytes = write(dialect(name), &stream(said.clone(), FinishReason::Stop));
        let text = String::from_utf8(bytes).expect("the stream is text");
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with("data: {") || line == "data: [DONE]"));
        assert_eq!(text.contains("[DONE]"), name == "openai_chat", "Gemini's clients take the terminator for JSON");
    }
}

/// Where each dialect of text says why an answer finished.
const REASONS: [(&str, &str); 6] = [
    ("openai_chat", "/choices/0/finish_reason"),
    ("anthropic", "/delta/stop_reason"),
    ("gemini", "/candidates/0/finishReason"),
    ("cohere", "/delta/finish_reason"),
    ("ollama", "/done_reason"),
    ("ollama_generate", "/done_reason"),
];

#[test]
fn pitfall_12_the_reason_comes_once_and_last() {
    for (name, pointer) in REASONS {
        let mut said = vec![begin(0, PartKind::Text)];
        said.extend((0..20).map(|_| say(0, "word ")));
        let data = json_of(&write(dialect(name), &stream(said, FinishReason::Stop)));
        let given = |data: &&Value| data.pointer(pointer).is_some_and(|reason| !reason.is_null());
        assert_eq!(data.iter().filter(given).count(), 1, "{name}");
        let said_after =
            data.iter().skip_while(|data| !given(data)).skip(1).any(|data| data.to_string().contains("word"));
        assert!(!said_after, "{name}: nothing is said behind it");
    }
    let begun = [0, 1].map(|candidate| {
        Event::PartStart(Box::new(PartStart { candidate, part: PartKey(candidate), kind: PartKind::Text }))
    });
    let ends = [0, 1].map(|candidate| {
        let finish = Box::new(Finish::new(FinishReason::Stop));
        Event::Finish { candidate, finish }
    });
    let said = [say(0, "a"), say(1, "b")];
    let events: Vec<Event> = std::iter::once(start()).chain(begun).chain(said).chain(ends).collect();
    let data = json_of(&write(dialect("openai_chat"), &events));
    let choices = data.iter().filter_map(|data| data["choices"].as_array()).flatten();
    let ended: Vec<_> =
        choices.filter(|choice| choice["finish_reason"] == "stop").map(|choice| choice["index"].clone()).collect();
    assert_eq!(ended, [json!(0), json!(1)], "once for each choice");
}

#[test]
fn pitfall_13_what_comes_with_the_reason_is_said() {
    for (name, data) in [
        ("openai_chat", json!({"choices": [{"index": 0, "delta": {"content": "end"}, "finish_reason": "stop"}]})),
        (
            "gemini",
            json!({"candidates": [{"content": {"parts": [{"text": "end"}]}, "finishReason": "STOP", "index": 0}]}),
        ),
        (
            "ollama",
            json!({"model": "m", "message": {"role": "assistant", "content": "end"}, "done": true, "done_reason": "stop"}),
        ),
    ] {
        let told = answer(dialect(name), &framed(name, &[data]));
        assert_eq!((text_of(&told).as_str(), told.candidates[0].finish.reason), ("end", FinishReason::Stop), "{name}");
    }
    // A client gets both apart, the words first.
    let data = json_of(&write(
        dialect("openai_chat"),
        &[start(), begin(0, PartKind::Text), say(0, "end"), finish(FinishReason::Stop)],
    ));
    let last = data.last().expect("it ends");
    assert_eq!((&last["choices"][0]["delta"], &last["choices"][0]["finish_reason"]), (&json!({}), &json!("stop")));
}
