//! Streams, fact by fact.

use serde_json::json;

use super::*;
use crate::{
    dialects::TapSpec,
    model::{Delta, ErrorClass, Family, Finish, FinishReason, Opaque, OpaqueKind, Usage},
};

fn text(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

fn args(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Args(Str::from(text)) }
}

fn state(part: u32, family: Family) -> Event {
    let kind = OpaqueKind::Signature;
    let opaque = Opaque { family, kind, model: None, id: None, data: Str::from_static("sig") };
    Event::Delta { part: PartKey(part), delta: Delta::Opaque(Box::new(opaque)) }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) }
}

/// Writes events, with an end, and checks the rules of the wire. Gives what stands between start and stop.
fn wire(events: Vec<Event>) -> Vec<(String, Value)> {
    let mut events = events;
    events.extend([finish(FinishReason::Stop), Event::End]);
    let mut frames = check(&write(&events, &reply()));
    frames.truncate(frames.len() - 2);
    frames.remove(0);
    frames
}

/// Checks the rules of the wire: start first, stop and counts last, one block at a time, dense indexes from 0, only calls,
/// results and images announced, one member in each piece, a signature last.
fn check(bytes: &[u8]) -> Vec<(String, Value)> {
    let frames = frames(bytes);
    let mut open: Option<(u64, &str)> = None;
    let mut next = 0;
    let mut signed = false;
    for (at, (name, payload)) in frames.iter().enumerate() {
        let index = payload["contentBlockIndex"].as_u64();
        match name.as_str() {
            "messageStart" => assert_eq!((at, payload), (0, &json!({"role": "assistant"}))),
            "contentBlockStart" => {
                assert_eq!((open, index), (None, Some(next)), "blocks follow one another");
                let start = payload["start"].as_object().expect("a start");
                assert_eq!(start.len(), 1);
                open = Some((next, start.keys().next().expect("one member")));
                next += 1;
            }
            "contentBlockDelta" => {
                let delta = payload["delta"].as_object().expect("a delta");
                assert_eq!(delta.len(), 1);
                let kind = delta.keys().next().expect("one member").as_str();
                let kind = if kind == "citation" { "text" } else { kind };
                let (of, block) = *open.get_or_insert_with(|| {
                    next += 1;
                    signed = false;
                    (next - 1, kind)
                });
                assert_eq!((Some(of), block), (index, kind), "a piece of the open block");
                assert!(!signed, "a signature is last");
                signed = delta.get("reasoningContent").is_some_and(|piece| piece.get("signature").is_some());
            }
            "contentBlockStop" => {
                assert_eq!(open.take().map(|(of, _)| of), index, "the open block ends");
                signed = false;
            }
            "messageStop" => assert_eq!((open, at), (None, frames.len() - 2)),
            "metadata" => {
                assert_eq!(at, frames.len() - 1, "counts come behind the stop");
                assert!(payload["usage"]["totalTokens"].is_u64() && payload["metrics"]["latencyMs"].is_u64());
            }
            exception => assert!(exception.ends_with("Exception") && at == frames.len() - 1, "{exception}"),
        }
    }
    frames
}

#[test]
fn text_and_thinking_begin_unannounced_and_calls_do_not() {
    let found = wire(vec![
        start(0, PartKind::Reasoning),
        text(0, "hm"),
        state(0, Family::Bedrock),
        Event::PartEnd(PartKey(0)),
        start(1, PartKind::Text),
        text(1, "a\"b"),
        text(1, "é"),
        Event::PartEnd(PartKey(1)),
        start(2, PartKind::ToolCall(tool_call("id", ""))),
        args(2, "{\"a\""),
        args(2, ":1}"),
        Event::PartEnd(PartKey(2)),
    ]);
    let delta = |index: u32, delta: Value| {
        ("contentBlockDelta".to_owned(), json!({"contentBlockIndex": index, "delta": delta}))
    };
    let stop = |index: u32| ("contentBlockStop".to_owned(), json!({"contentBlockIndex": index}));
    assert_eq!(
        found,
        [
            delta(0, json!({"reasoningContent": {"text": "hm"}})),
            delta(0, json!({"reasoningContent": {"signature": "sig"}})),
            stop(0),
            delta(1, json!({"text": "a\"b"})),
            delta(1, json!({"text": "é"})),
            stop(1),
            (
                "contentBlockStart".to_owned(),
                json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "id", "name": "f"}}})
            ),
            delta(2, json!({"toolUse": {"input": "{\"a\""}})),
            delta(2, json!({"toolUse": {"input": ":1}"}})),
            stop(2),
        ]
    );
}

#[test]
fn pitfall_17_interleaved_calls_come_one_after_the_other() {
    let found = wire(vec![
        start(0, PartKind::ToolCall(tool_call("a", ""))),
        args(0, "{\"x\":"),
        start(1, PartKind::ToolCall(tool_call("b", ""))),
        args(1, "{}"),
        args(0, "1}"),
        Event::PartEnd(PartKey(1)),
        Event::PartEnd(PartKey(0)),
    ]);
    let inputs: Vec<_> =
        found.iter().filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str()).collect();
    assert_eq!(inputs.concat(), "{\"x\":1}{}");
}

#[test]
fn pitfall_19_a_call_without_arguments_has_an_empty_object() {
    let empty = |deltas: &[&str]| {
        let mut events = vec![("messageStart", json!({"role": "assistant"}))];
        events.push((
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "a", "name": "f"}}}),
        ));
        events.extend(deltas.iter().map(|input| {
            ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"toolUse": {"input": input}}}))
        }));
        events.push(("contentBlockStop", json!({"contentBlockIndex": 0})));
        events.push(("messageStop", json!({"stopReason": "tool_use"})));
        fold(&events_of([&stream(&events)[..]]).expect("good")).expect("no error")
    };
    for deltas in [&[][..], &[""]] {
        let response = empty(deltas);
        let PartContent::ToolCall(call) = &response.candidates[0].parts[0].content else { panic!("a call") };
        assert_eq!(call.args, "{}");
    }
}

#[test]
fn state_of_a_call_goes_before_it() {
    let found = wire(vec![
        start(0, PartKind::ToolCall(tool_call("a", ""))),
        state(0, Family::Gemini),
        args(0, "{}"),
        Event::PartEnd(PartKey(0)),
    ]);
    assert_eq!(found[0].1["delta"]["reasoningContent"]["text"], "", "clients need words, even none");
    let signature = found[1].1["delta"]["reasoningContent"]["signature"].as_str().expect("state");
    assert_eq!(sealer().open(signature).map(|state| state.family), Some(Family::Gemini));
    assert_eq!(found[3].1["start"]["toolUse"]["toolUseId"], "a");
}

#[test]
fn counts_come_behind_the_stop_and_are_waited_for() {
    let usage = Usage { input_uncached: 3, input_cache_read: 4, output_visible: 5, ..Usage::default() };
    let events = [
        start(0, PartKind::Text),
        text(0, "x"),
        Event::PartEnd(PartKey(0)),
        finish(FinishReason::Length),
        Event::Usage(Box::new(usage)),
        Event::End,
    ];
    let written = write(&events, &reply());
    let found = check(&written);
    assert_eq!(found[found.len() - 2], ("messageStop".to_owned(), json!({"stopReason": "max_tokens"})));
    assert_eq!(fold(&events_of([&written[..]]).expect("good")).expect("no error").usage, Some(usage));
    let uncounted = check(&write(&[events[0].clone(), text(0, "x"), finish(FinishReason::Stop), Event::End], &reply()));
    assert_eq!(uncounted.last().expect("metadata").1["usage"]["inputTokens"], 42, "the estimate, for want of better");
}

#[test]
fn an_error_is_an_exception_and_nothing_follows() {
    for (class, name) in [
        (ErrorClass::RateLimit, "throttlingException"),
        (ErrorClass::Overloaded, "serviceUnavailableException"),
        (ErrorClass::InvalidRequest, "validationException"),
        (ErrorClass::Internal, "internalServerException"),
        (ErrorClass::Upstream, "modelStreamErrorException"),
    ] {
        let error = ErrorInfo::new(class, "what happened");
        let events = [
            start(0, PartKind::Text),
            text(0, "x"),
            Event::Error(Box::new(error)),
            text(0, "y"),
            finish(FinishReason::Stop),
            Event::End,
        ];
        let written = write(&events, &reply());
        let (last, payload) = check(&written).pop().expect("it is not empty");
        assert_eq!((last.as_str(), &payload["message"]), (name, &json!("what happened")));
        let read = events_of([&written[..]]).expect("it was written here");
        let [.., Event::Error(error), Event::End] = read.as_slice() else { panic!("{read:?}") };
        let expected = if class == ErrorClass::Internal { ErrorClass::Upstream } else { class };
        assert_eq!((error.class, &*error.message), (expected, "what happened"));
    }
}

#[test]
fn pitfall_5_a_transport_error_is_an_error() {
    let mut out = BytesMut::new();
    let headers =
        [(":message-type", "error"), (":error-code", "InternalServerException"), (":error-message", "broken")];
    push_frame(&mut out, &headers, |_| {});
    let events = events_of([&out[..]]).expect("the frame is good");
    let [Event::Error(error), Event::End] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((error.class, &*error.message), (ErrorClass::Upstream, "broken"));
}

#[test]
fn a_broken_checksum_ends_the_stream() {
    let mut bytes =
        stream(&[("messageStart", json!({"role": "assistant"})), ("messageStop", json!({"stopReason": "end_turn"}))]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(events_of([&bytes[..]]).is_err());
}

#[test]
fn tools_that_the_service_runs_come_whole_and_go_out_again() {
    let start = |start: Value| ("contentBlockStart", json!({"contentBlockIndex": 0, "start": start}));
    let delta = |delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}));
    let stop = ("contentBlockStop", json!({"contentBlockIndex": 0}));
    let result = json!({"toolResult": {"toolUseId": "t", "type": "nova_code_interpreter_result", "status": "success"}});
    let bytes = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        start(json!({"toolUse": {"toolUseId": "t", "name": "nova_code_interpreter", "type": "server_tool_use"}})),
        delta(json!({"toolUse": {"input": "{\"snippet\":"}})),
        delta(json!({"toolUse": {"input": "\"1\"}"}})),
        stop.clone(),
        start(result),
        delta(json!({"toolResult": [{"json": {"exitCode": 0}}]})),
        stop,
        ("messageStop", json!({"stopReason": "end_turn"})),
        ("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})),
    ]);
    let events = events_of([&bytes[..]]).expect("good");
    let response = fold(&events).expect("no error");
    let [call, result] = response.candidates[0].parts.as_slice() else { panic!("two parts") };
    let PartContent::ServerCall(call) = &call.content else { panic!("a call") };
    assert_eq!((&*call.tool, call.input.as_str()), ("nova_code_interpreter", "{\"snippet\":\"1\"}"));
    let PartContent::ServerResult(result) = &result.content else { panic!("a result") };
    assert_eq!((&*result.id, &*result.tool), ("t", "nova_code_interpreter"));
    assert_eq!(response.candidates[0].finish.reason, FinishReason::Stop, "only the client's tools are its business");
    let again = fold(&events_of([&write(&events, &reply())[..]]).expect("good")).expect("no error");
    assert_eq!(again, response);
}

#[test]
fn images_come_whole() {
    let bytes = stream(&[
        ("contentBlockStart", json!({"contentBlockIndex": 0, "start": {"image": {"format": "png"}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"image": {"source": {"bytes": "iVBO"}}}})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        ("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})),
    ]);
    let events = events_of([&bytes[..]]).expect("good");
    let response = fold(&events).expect("no error");
    let PartContent::Media(image) = &response.candidates[0].parts[0].content else { panic!("an image") };
    assert_eq!(image.mime.as_deref(), Some("image/png"));
    let again = fold(&events_of([&write(&events, &reply())[..]]).expect("good")).expect("no error");
    assert_eq!(again, response);
}

#[test]
fn unknown_events_are_ignored_and_missing_stops_are_made_up() {
    let bytes = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        ("somethingNew", json!({"contentBlockIndex": {"odd": 1}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 3, "delta": {"reasoningContent": {"text": "a"}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 3, "delta": {"text": "b"}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 3, "delta": {"hologram": 1}})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        ("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 3, "delta": {"text": "too late"}})),
    ]);
    let response = fold(&events_of([&bytes[..]]).expect("good")).expect("no error");
    let said: Vec<_> = response.candidates[0].parts.iter().map(|part| &part.content).collect();
    assert!(matches!(said[..], [PartContent::Reasoning(_), PartContent::Text(_)]), "{said:?}");
    assert_eq!(response.usage.map(|usage| usage.total()), Some(3));
}

#[test]
fn a_text_delta_is_a_slice_of_its_chunk() {
    let delta =
        |text: &str| ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"}));
    let mut decoder = BedrockConverse.stream_decoder();
    let mut events = Vec::new();
    for said in ["one", "two", "three"] {
        let chunk = Bytes::from(stream(&[delta(said)]));
        events.clear();
        decoder.feed(chunk.clone(), &mut events).expect("good");
        let Some(Event::Delta { delta: Delta::Text(text), .. }) = events.last() else { panic!("{events:?}") };
        assert_eq!(&**text, said);
        assert!(chunk.as_ptr_range().contains(&text.as_ptr()), "`{said}` was copied");
    }
}

#[test]
fn half_a_frame_does_not_pass() {
    let bytes = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "x"}})),
    ]);
    let mut tap = BedrockConverse.tap(TapSpec::default());
    let mut out = Vec::new();
    tap.feed(Bytes::copy_from_slice(&bytes[..bytes.len() - 5]), &mut out);
    tap.finish(&mut out);
    assert!(!tap.is_complete());
    let passed = frames(&out.concat());
    assert_eq!(passed.len(), 1, "what is said next stands behind a whole frame");
}

#[test]
fn what_is_no_frame_passes_unread() {
    for size in [1, 5, 100] {
        let mut tap = BedrockConverse.tap(TapSpec::default());
        let mut out = Vec::new();
        let body = b"<html>this is no event stream, whatever the header says</html>";
        body.chunks(size).for_each(|chunk| tap.feed(Bytes::copy_from_slice(chunk), &mut out));
        tap.finish(&mut out);
        assert_eq!(out.concat(), body);
    }
}

#[test]
fn the_longest_text_fits_into_frames() {
    let long = "\u{1}ä".repeat(1 << 20);
    let written = write(&[start(0, PartKind::Text), text(0, &long), finish(FinishReason::Stop), Event::End], &reply());
    let response = fold(&events_of([&written[..]]).expect("frames within limits")).expect("no error");
    assert_eq!(response.candidates[0].parts[0].as_text().map(|text| text.len()), Some(long.len()));
}
