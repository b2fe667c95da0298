//! Streams: the recorded ones, and the facts one by one.

use proptest::prelude::*;
use serde_json::Value;

use super::super::tests::{corpus, decode_stream, encode_stream, fold, read, reply, sealer};
use crate::{
    model::{
        CallKind, Delta, ErrorClass, Event, Family, Finish, FinishReason, Opaque, OpaqueKind, PartContent, PartKey,
        PartKind, PartStart, Start, Str, ToolCall, Usage,
    },
    stream::hidden,
};

fn start(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn tool(part: u32) -> Event {
    start(
        part,
        PartKind::ToolCall(ToolCall {
            id: Str::from(format!("call_{part}")),
            name: Str::from_static("f"),
            kind: CallKind::Function,
            args: Str::new(),
        }),
    )
}

fn text(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

fn args(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Args(Str::from(text)) }
}

fn state(part: u32) -> Event {
    let opaque = Opaque {
        family: Family::Gemini,
        kind: OpaqueKind::ThoughtSignature,
        model: None,
        id: None,
        data: Str::from_static("theirs"),
    };
    Event::Delta { part: PartKey(part), delta: Delta::Opaque(Box::new(opaque)) }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) }
}

/// Writes events and checks the rules of the wire: names equal types, one block open, indexes dense from 0, deltas of
/// the block's kind, one signature and that last. Gives the data of all events.
fn wire(events: &[Event]) -> Vec<Value> {
    check(&encode_stream(events, &reply("m")))
}

fn check(stream: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut open: Option<(u64, String)> = None;
    let mut next = 0;
    let mut signed = false;
    for event in stream.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').expect("two lines");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("a data line")).expect("JSON");
        let kind = data["type"].as_str().expect("a type").to_owned();
        assert_eq!(name, format!("event: {kind}"));
        assert!(all.is_empty() == (kind == "message_start") || kind == "error", "message_start comes first, once");
        match kind.as_str() {
            "content_block_start" => {
                assert_eq!(open, None, "a block opens inside another");
                assert_eq!(data["index"], next, "indexes are dense");
                next += 1;
                signed = false;
                open = Some((next - 1, data["content_block"]["type"].as_str().expect("a type").to_owned()));
            }
            "content_block_delta" => {
                let (index, of) = open.as_ref().expect("a block is open");
                assert_eq!(data["index"], *index);
                assert!(!signed, "a signature is last");
                let delta = data["delta"]["type"].as_str().expect("a type");
                let fits = match of.as_str() {
                    "text" => matches!(delta, "text_delta" | "citations_delta"),
                    "thinking" => matches!(delta, "thinking_delta" | "signature_delta"),
                    "tool_use" | "server_tool_use" => delta == "input_json_delta",
                    _ => false,
                };
                assert!(fits, "{delta} in {of}");
                signed = delta == "signature_delta";
            }
            "content_block_stop" => {
                let (index, of) = open.take().expect("a block is open");
                assert_eq!(data["index"], index);
                assert!(of != "thinking" || signed, "thinking is signed");
            }
            "message_delta" | "message_stop" => assert_eq!(open, None, "the message ends inside a block"),
            _ => {}
        }
        all.push(data);
    }
    all
}

fn kinds(events: &[Value]) -> Vec<String> {
    let kind = |event: &Value| {
        let places = [&event["content_block"]["type"], &event["delta"]["type"], &event["type"]];
        places.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
    };
    events.iter().map(kind).collect()
}

#[test]
fn recorded_streams_read_alike_at_every_cut() {
    for case in corpus() {
        let Some(body) = read(&case.join("response.sse")) else { continue };
        let whole = decode_stream(&[&body]);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(decode_stream(&bytes), whole, "{} byte by byte", case.display());
        for size in [2, 13, 61, 997] {
            let chunks: Vec<&[u8]> = body.chunks(size).collect();
            assert_eq!(decode_stream(&chunks), whole, "{} in chunks of {size}", case.display());
        }
    }
}

#[test]
fn recorded_streams_survive_a_round_trip() {
    for case in corpus() {
        let Some(body) = read(&case.join("response.sse")) else { continue };
        let events = decode_stream(&[&body]);
        let response = fold(&events).unwrap_or_else(|error| panic!("{} fails: {error}", case.display()));
        assert_eq!(response.candidates.len(), 1, "{}", case.display());
        assert_ne!(response.candidates[0].finish.reason, FinishReason::Other, "{}", case.display());
        assert!(response.usage.is_some_and(|usage| usage.output() > 0), "{}", case.display());
        let written = encode_stream(&events, &reply(&response.model));
        check(&written);
        let again = fold(&decode_stream(&[written.as_bytes()])).expect("what is written can be read");
        assert_eq!(again, response, "{}", case.display());
    }
}

#[test]
fn pitfall_05_a_stream_cut_at_any_event_ends_in_an_error() {
    for case in corpus().into_iter().take(6) {
        let Some(body) = read(&case.join("response.sse")) else { continue };
        let body = std::str::from_utf8(&body).expect("recorded streams are UTF-8");
        let stop = body.find("event: message_stop").expect("it ends");
        let mut cuts: Vec<usize> = body.split_at(stop).0.match_indices("\n\n").map(|(at, _)| at + 2).collect();
        cuts.push(stop / 2);
        for cut in cuts {
            let Some(part) = body.get(..cut) else { continue };
            let events = decode_stream(&[part.as_bytes()]);
            let [.., Event::Error(error), Event::End] = events.as_slice() else {
                panic!("{} at {cut}", case.display())
            };
            assert_eq!((error.class, error.code.as_deref()), (ErrorClass::Upstream, Some("stream_truncated")));
        }
    }
}

#[test]
fn pitfall_04_an_empty_stream_is_an_error() {
    let events = decode_stream(&[b": hello\n\n"]);
    let [Event::Error(error), Event::End] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(error.code.as_deref(), Some("empty_stream"));
}

#[test]
fn an_error_in_the_stream_ends_it() {
    let events = decode_stream(&[
        b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ]);
    let [Event::Error(error), Event::End] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(error.class, ErrorClass::Overloaded);
    assert_eq!(kinds(&wire(&events)), ["error"]);
}

#[test]
fn unknown_events_and_deltas_are_ignored_and_null_is_not_zero() {
    let events = decode_stream(&[br#"
data: {"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":7,"output_tokens":1}}}

data: {"type":"weather","index":0}

data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}

data: {"type":"content_block_delta","index":0,"delta":{"type":"hum_delta","hum":"x"}}

data: {"type":"content_block_stop","index":0}

data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":null,"output_tokens":3}}

data: {"type":"message_stop"}

data: not even JSON

"#]);
    let response = fold(&events).expect("it is whole");
    let usage = response.usage.expect("it has usage");
    assert_eq!((usage.input(), usage.output()), (7, 3));
    assert_eq!(response.candidates[0].parts[0].as_text().map(|text| &**text), Some("a"));
}

#[test]
fn pitfall_17_interleaved_calls_never_share_a_block() {
    let all = wire(&[
        Event::Start(Box::default()),
        tool(0),
        args(0, "{\"a\""),
        tool(1),
        args(1, "{\"b\""),
        args(0, ":1}"),
        args(1, ":2}"),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let said = |index: u64| -> String {
        let deltas = all.iter().filter(|event| event["index"] == index);
        deltas.filter_map(|event| event["delta"]["partial_json"].as_str()).collect()
    };
    assert_eq!((said(0), said(1)), ("{\"a\":1}".to_owned(), "{\"b\":2}".to_owned()));
    assert_eq!(all[all.len() - 2]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn pitfall_44_thinking_without_state_is_signed_with_an_envelope() {
    let all = wire(&[
        start(0, PartKind::Reasoning),
        text(0, "hm"),
        text(0, "m"),
        start(1, PartKind::Text),
        text(1, "hi"),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let signature = all.iter().find_map(|event| event["delta"]["signature"].as_str()).expect("it is signed");
    assert_eq!(sealer().open(signature).map(|opaque| opaque.data), Some(Str::new()));
}

#[test]
fn state_of_a_call_goes_before_it() {
    let all =
        wire(&[tool(0), args(0, "{}"), state(0), Event::PartEnd(PartKey(0)), finish(FinishReason::Stop), Event::End]);
    let blocks: Vec<String> = kinds(&all).into_iter().filter(|kind| kind == "thinking" || kind == "tool_use").collect();
    assert_eq!(blocks, ["thinking", "tool_use"]);
    let signature = all.iter().find_map(|event| event["delta"]["signature"].as_str()).expect("it is signed");
    assert_eq!(sealer().open(signature).map(|opaque| opaque.family), Some(Family::Gemini));
}

#[test]
fn hidden_thinking_leaves_only_its_state() {
    let events = [start(0, PartKind::Reasoning), text(0, "secret"), state(0), Event::PartEnd(PartKey(0)), Event::End];
    let hidden = crate::dialects::Reply { show_reasoning: false, ..reply("m") };
    let written = encode_stream(&events, &hidden);
    check(&written);
    assert!(!written.contains("secret") && written.contains("signature_delta"));
}

#[test]
fn pitfall_54_usage_waits_for_the_end_and_start_has_an_estimate() {
    let usage = Usage { input_uncached: 9, input_cache_read: 90, output_visible: 3, ..Usage::default() };
    let all = wire(&[
        Event::Start(Box::new(Start { id: Str::from_static("x"), ..Start::default() })),
        start(0, PartKind::Text),
        text(0, "hi"),
        finish(FinishReason::Stop),
        Event::Usage(Box::new(usage)),
        Event::End,
    ]);
    assert_eq!(all[0]["message"]["usage"]["input_tokens"], 42);
    assert_eq!(all[0]["message"]["content"], serde_json::json!([]));
    let delta = &all[all.len() - 2];
    assert_eq!(
        (delta["usage"]["input_tokens"].as_u64(), delta["usage"]["cache_read_input_tokens"].as_u64()),
        (Some(9), Some(90))
    );
    assert_eq!(all[all.len() - 1]["type"], "message_stop");
}

#[test]
fn pitfall_19_a_call_without_arguments_is_an_empty_object() {
    let written =
        encode_stream(&[tool(0), Event::PartEnd(PartKey(0)), finish(FinishReason::Stop), Event::End], &reply("m"));
    let response = fold(&decode_stream(&[written.as_bytes()])).expect("it is whole");
    let PartContent::ToolCall(call) = &response.candidates[0].parts[0].content else { panic!("a call") };
    assert_eq!(call.args, "{}");
}

#[test]
fn pitfall_05_an_error_leaves_the_open_block_open() {
    let error = crate::model::ErrorInfo::new(ErrorClass::Upstream, "cut");
    let all = wire(&[tool(0), args(0, "{"), args(0, "1"), Event::Error(Box::new(error)), Event::End]);
    assert_eq!(kinds(&all).last().map(String::as_str), Some("error"));
}

/// Pieces of streams, good ones and odd ones, that a stream is put together from.
const DATA: &[&str] = &[
    r#"{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"b","name":"g","input":{"x":1}}}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"plain"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\nb"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1"}    }"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
    r#"{"type":"message_stop"}"#,
];

proptest! {
    #[test]
    fn the_fast_path_says_what_the_parser_says(picks in prop::collection::vec(prop::sample::select(DATA), 0..32)) {
        let decoded = |data: &[&str]| {
            let stream: String = data.iter().flat_map(|data| ["data: ", data, "\n\n"]).collect();
            decode_stream(&[stream.as_bytes()])
        };
        let slow = hidden(&picks);
        let slow: Vec<&str> = slow.iter().map(String::as_str).collect();
        prop_assert_eq!(decoded(&picks), decoded(&slow));
    }

    #[test]
    fn pitfall_01_any_cut_gives_the_same_events(
        texts in prop::collection::vec("[ -~é😀\n]{0,8}", 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut events = vec![Event::Start(Box::default()), start(0, PartKind::Text)];
        events.extend(texts.iter().map(|said| text(0, said)));
        events.extend([finish(FinishReason::Stop), Event::End]);
        let body = encode_stream(&events, &reply("m"));
        let bytes = body.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let whole = decode_stream(&[bytes]);
        prop_assert_eq!(decode_stream(&chunks), whole.clone());
        let said: String = whole.iter().filter_map(|event| match event {
            Event::Delta { delta: Delta::Text(text), .. } => Some(&**text),
            _ => None,
        }).collect();
        prop_assert_eq!(said, texts.concat());
    }

    #[test]
    fn pitfall_10_and_17_and_18_any_events_make_a_legal_stream(steps in prop::collection::vec((0u32..5, 0u8..4), 0..40)) {
        let mut events = Vec::new();
        let mut begun = [0u8; 5];
        for (part, action) in steps {
            let at = part as usize;
            match (begun[at], action) {
                (0, _) => {
                    begun[at] = 1;
                    events.push(match part % 3 {
                        0 => start(part, PartKind::Text),
                        1 => tool(part),
                        _ => start(part, PartKind::Reasoning),
                    });
                }
                (1, 0) => {
                    begun[at] = 2;
                    events.push(Event::PartEnd(PartKey(part)));
                }
                (1, 1) => events.push(state(part)),
                (1, _) if part % 3 == 1 => events.push(args(part, "{}")),
                (1, _) => events.push(text(part, "x")),
                _ => {}
            }
        }
        events.extend([finish(FinishReason::Stop), Event::End]);
        let all = wire(&events);
        prop_assert_eq!(all.last().map(|event| event["type"].clone()), Some(Value::from("message_stop")));
    }
}

#[test]
fn sources_of_other_vendors_become_web_results_that_never_go_back() {
    let citation = crate::model::Citation {
        span: None,
        url: Some(Str::from_static("https://a.example")),
        title: None,
        quoted: None,
        raw: Some((
            Family::OpenAi,
            crate::model::RawJson::from_checked(Str::from_static(r#"{"type":"url_citation"}"#)),
        )),
    };
    let cited = Event::Delta { part: PartKey(0), delta: Delta::Citation(Box::new(citation)) };
    let all = wire(&[start(0, PartKind::Text), text(0, "hi"), cited, finish(FinishReason::Stop), Event::End]);
    let citation = all.iter().find_map(|event| event["delta"]["citation"].as_object()).expect("it is cited");
    assert_eq!(citation["type"], "web_search_result_location");
    let index = citation["encrypted_index"].as_str().expect("the member is required");
    assert!(sealer().open(index).is_some(), "the gateway knows its own index");
}

#[test]
fn other_answers_than_the_first_are_left_out() {
    let second = PartStart { candidate: 1, part: PartKey(1), kind: PartKind::Text };
    let written = encode_stream(
        &[
            start(0, PartKind::Text),
            text(0, "first"),
            Event::PartStart(Box::new(second)),
            text(1, "second"),
            text(0, " still"),
            finish(FinishReason::Stop),
            Event::End,
        ],
        &reply("m"),
    );
    check(&written);
    assert!(written.contains(" still") && !written.contains("second"));
}
