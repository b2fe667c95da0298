//! Streams: the rules of reading and writing.

use serde_json::{Value, json};

use super::*;
use crate::{
    dialects::{ResponseError, TapSpec},
    model::{
        Citation, Delta, ErrorClass, Family, Finish, FinishReason, Opaque, OpaqueKind, PartContent, PartKey, PartKind,
        PartStart, Span, SpanUnit, Start, ToolCall, Usage,
    },
    stream::unfold,
};

fn sse(messages: &[Value]) -> Vec<u8> {
    messages.iter().map(|message| format!("data: {message}\n\n")).collect::<Vec<_>>().concat().into_bytes()
}

fn text(text: &str) -> Value {
    let content = json!({"parts": [{"text": text}], "role": "model"});
    json!({"candidates": [{"content": content, "index": 0}], "usageMetadata": {"promptTokenCount": 5}})
}

fn stop() -> Value {
    json!({"candidates": [{"finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 9, "totalTokenCount": 14}})
}

pub(super) fn error_code(events: &[Event]) -> Option<&str> {
    events.iter().find_map(|event| match event {
        Event::Error(error) => Some(error.code.as_deref().unwrap_or_default()),
        _ => None,
    })
}

#[test]
fn pitfall_04_and_05_a_stream_that_breaks_off_is_an_error() {
    let cut = events_of([&sse(&[text("a")])[..]]).expect("a stream");
    assert_eq!(error_code(&cut), Some("stream_truncated"));
    assert_eq!(cut.last(), Some(&Event::End));
    for nothing in [&b""[..], b"\r\n", b"[]", b": hi\n\n"] {
        assert_eq!(error_code(&events_of([nothing]).expect("a stream")), Some("empty_stream"), "{nothing:?}");
    }
}

#[test]
fn an_error_object_ends_the_stream() {
    let error = json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}});
    for stream in [sse(&[text("a"), error.clone(), text("b")]), format!("[{},\r\n{error}\n]", text("a")).into_bytes()] {
        let events = events_of([&stream[..]]).expect("a stream");
        let [.., Event::Error(error), Event::End] = events.as_slice() else { panic!("no error in {events:?}") };
        assert_eq!((error.class, error.upstream_status, &*error.message), (ErrorClass::Overloaded, Some(503), "busy"));
    }
    let body = Bytes::from_static(br#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#);
    assert!(matches!(Gemini.decode_response(&body), Err(ResponseError::Upstream(_))));
}

#[test]
fn pitfall_33_a_refused_prompt_is_a_filtered_answer() {
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}});
    let whole = Gemini.decode_response(&Bytes::from(blocked.to_string())).expect("a response");
    assert_eq!(whole.candidates[0].finish.reason, FinishReason::ContentFilter);
    let streamed = fold(&events_of([&sse(&[blocked])[..]]).expect("a stream"));
    assert_eq!(streamed.candidates[0].finish, whole.candidates[0].finish);
}

#[test]
fn pitfall_29_and_30_calls_override_stop_alone_wherever_they_came() {
    let called = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]});
    for (word, reason) in [("STOP", FinishReason::ToolCalls), ("MAX_TOKENS", FinishReason::Length)] {
        let ended = json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": word}]});
        let response = fold(&events_of([&sse(&[called.clone(), ended])[..]]).expect("a stream"));
        assert_eq!(response.candidates[0].finish.reason, reason);
        assert_eq!(response.candidates[0].parts.len(), 1, "empty text is no part");
        let PartContent::ToolCall(call) = &response.candidates[0].parts[0].content else { panic!("a call") };
        assert_eq!(call.args, "{}");
        assert!(call.id.starts_with("call_"));
    }
}

#[test]
fn pitfall_12_a_reason_on_every_event_counts_once() {
    let mut early = text("a");
    early["candidates"][0]["finishReason"] = json!("STOP");
    let events = events_of([&sse(&[early.clone(), early, text("b"), stop()])[..]]).expect("a stream");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Finish { .. })).count(), 1);
    assert_eq!(fold(&events).candidates[0].parts[0].as_text().map(|text| &**text), Some("aab"));
}

#[test]
fn candidates_come_in_any_order_and_number() {
    let second = json!({"candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1}]});
    let events = events_of([&sse(std::slice::from_ref(&second))[..]]).expect("a stream");
    assert_eq!(error_code(&events), None, "a candidate that never came is not missing");
    let both = fold(&events_of([&sse(&[second, text("a"), stop()])[..]]).expect("a stream"));
    let texts: Vec<_> = both.candidates.iter().map(|candidate| candidate.parts[0].as_text().cloned()).collect();
    assert_eq!(texts, [Some(Str::from_static("a")), Some(Str::from_static("b"))]);
    let far = json!({"candidates": [{"index": 4_000_000_000_u32}]});
    assert!(events_of([&sse(&[far])[..]]).is_err());
}

#[test]
fn a_malformed_call_alone_is_an_upstream_failure() {
    let bad = json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]});
    assert_eq!(
        error_code(&events_of([&sse(std::slice::from_ref(&bad))[..]]).expect("a stream")),
        Some("malformed_function_call")
    );
    assert!(Gemini.decode_response(&Bytes::from(bad.to_string())).is_err());
    let response = fold(&events_of([&sse(&[text("a"), bad])[..]]).expect("a stream"));
    assert_eq!(response.candidates[0].finish.reason, FinishReason::BadToolCall);
}

#[test]
fn signatures_stay_with_their_text() {
    let part = |part: Value| json!({"candidates": [{"content": {"parts": [part]}}]});
    let stream = sse(&[
        part(json!({"text": "thinking", "thought": true})),
        part(json!({"text": "a"})),
        part(json!({"text": "b", "thoughtSignature": "s1"})),
        part(json!({"text": "c"})),
        part(json!({"text": "", "thoughtSignature": "s2"})),
        stop(),
    ]);
    let parts = fold(&events_of([&stream[..]]).expect("a stream")).candidates.remove(0).parts;
    let seen: Vec<(Option<&str>, Option<&str>)> = parts
        .iter()
        .map(|part| (part.as_text().map(|text| &**text), part.opaque.first().map(|opaque| &*opaque.data)))
        .collect();
    assert_eq!(seen, [(None, None), (Some("a"), None), (Some("b"), Some("s1")), (Some("c"), Some("s2"))]);
}

#[test]
fn streamed_arguments_are_put_together() {
    let piece = |call: Value| json!({"candidates": [{"content": {"parts": [{"functionCall": call}]}}]});
    let stream = sse(&[
        piece(json!({"name": "f", "willContinue": true})),
        piece(
            json!({"partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "x", "willContinue": true}], "willContinue": true}),
        ),
        piece(json!({"partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "y"}], "willContinue": true})),
        piece(
            json!({"partialArgs": [{"jsonPath": "$['c d']", "numberValue": 1.5}, {"jsonPath": "$.e", "boolValue": true},
            {"jsonPath": "$.f", "nullValue": null}, {"jsonPath": "$.far[9]", "boolValue": true}], "willContinue": true}),
        ),
        piece(json!({})),
        piece(json!({"name": "g", "args": {"z": 1}, "id": "own"})),
        stop(),
    ]);
    let parts = fold(&events_of([&stream[..]]).expect("a stream")).candidates.remove(0).parts;
    let calls: Vec<&ToolCall> = parts
        .iter()
        .filter_map(|part| if let PartContent::ToolCall(call) = &part.content { Some(call) } else { None })
        .collect();
    let args: Value = serde_json::from_str(&calls[0].args).expect("JSON");
    assert_eq!(args, json!({"a": [{"b": "xy"}], "c d": 1.5, "e": true, "f": null, "far": []}));
    assert_eq!((&*calls[1].id, &*calls[1].args), ("own", r#"{"z":1}"#));
}

#[test]
fn usage_is_the_last_though_it_is_not_parsed_each_time() {
    let counted = |said: &str, count: u64| {
        let content = json!({"parts": [{"text": said}], "role": "model"});
        json!({"candidates": [{"content": content}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": count, "totalTokenCount": 5 + count}})
    };
    let end = json!({"candidates": [{"finishReason": "STOP"}]});
    let events = events_of([&sse(&[counted("a", 1), counted("b", 20), counted("c", 300), end])[..]]).expect("a stream");
    let usage = fold(&events).usage.expect("counts");
    assert_eq!((usage.input(), usage.output_visible), (5, 300));
}

#[test]
fn pitfall_56_counts_that_include_thoughts_are_told_by_the_total() {
    let usage = |candidates: u64, total: u64| {
        let json = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 10,
            "cachedContentTokenCount": 4, "candidatesTokenCount": candidates, "thoughtsTokenCount": 5,
            "toolUsePromptTokenCount": 2, "totalTokenCount": total}});
        Gemini.decode_response(&Bytes::from(json.to_string())).expect("a response").usage.expect("counts")
    };
    for usage in [usage(7, 24), usage(12, 24)] {
        assert_eq!((usage.output_visible, usage.output_reasoning, usage.input_uncached), (7, 5, 6));
        assert_eq!(usage.total(), 24);
    }
}

fn started(kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(0), kind }))
}

fn said(text: &'static str) -> Event {
    Event::Delta { part: PartKey(0), delta: Delta::Text(Str::from_static(text)) }
}

fn finished(reason: FinishReason) -> Event {
    Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) }
}

#[test]
fn messages_are_written_as_clients_read_them() {
    let usage =
        Usage { input_uncached: 3, input_cache_read: 1, output_visible: 2, output_reasoning: 4, ..Usage::default() };
    let start = Start { id: Str::from_static("r"), model: Str::from_static("up"), ..Start::default() };
    let events = [
        Event::Start(Box::new(start)),
        started(PartKind::Text),
        said("a\"\n"),
        Event::Ping,
        Event::PartEnd(PartKey(0)),
        finished(FinishReason::ToolCalls),
        Event::Usage(Box::new(usage)),
        Event::End,
        said("late"),
    ];
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"a\"\n"}],"role":"model"},"index":0}],"modelVersion":"alias","responseId":"r"}"#;
    let last = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":10,"cachedContentTokenCount":1,"thoughtsTokenCount":4},"modelVersion":"alias","responseId":"r"}"#;
    let written = write(&events, &reply(StreamForm::Sse));
    assert_eq!(written, format!("data: {first}\n\ndata: {last}\n\n").as_bytes());
    let written = write(&events, &reply(StreamForm::JsonArray));
    assert_eq!(written, format!("[{first},\r\n{last}]").as_bytes());
}

#[test]
fn errors_are_written_in_both_forms() {
    let error = Event::Error(Box::new(ErrorInfo::new(ErrorClass::Overloaded, "busy")));
    let sse = write(&[error.clone(), Event::End], &reply(StreamForm::Sse));
    assert!(sse.starts_with(br#"data: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE""#), "{sse:?}");
    assert!(sse.ends_with(b"}}\n\n"));
    for before in [&[][..], &[started(PartKind::Text), said("a")]] {
        let events = [before, &[error.clone(), Event::End]].concat();
        let array = write(&events, &reply(StreamForm::JsonArray));
        let elements: Vec<Value> = serde_json::from_slice(&array).expect("a JSON array");
        assert_eq!(elements.last().expect("an element")["error"]["status"], "UNAVAILABLE");
    }
    assert_eq!(write(&[Event::End], &reply(StreamForm::JsonArray)), &b"[]"[..]);
}

#[test]
fn calls_are_written_whole_and_state_in_envelopes() {
    let call = ToolCall {
        id: Str::from_static("id"),
        name: Str::from_static("f"),
        kind: crate::model::CallKind::Function,
        args: Str::new(),
    };
    let opaque = Opaque {
        family: Family::Anthropic,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static("sig"),
    };
    let args = |text: &'static str| Event::Delta { part: PartKey(0), delta: Delta::Args(Str::from_static(text)) };
    let events = [
        started(PartKind::ToolCall(call)),
        // On several lines, as some models write them: an event of a stream is one.
        args("{\n  \"a\""),
        args(":1\r\n}"),
        Event::Delta { part: PartKey(0), delta: Delta::Opaque(Box::new(opaque.clone())) },
        Event::PartEnd(PartKey(0)),
        finished(FinishReason::ToolCalls),
        Event::End,
    ];
    let array: Vec<Value> = serde_json::from_slice(&write(&events, &reply(StreamForm::JsonArray))).expect("an array");
    let part = &array[0]["candidates"][0]["content"]["parts"][0];
    assert_eq!(part["functionCall"], json!({"id": "id", "name": "f", "args": {"a": 1}}));
    let sse = write(&events, &reply(StreamForm::Sse));
    let text = std::str::from_utf8(&sse).expect("UTF-8");
    assert!(text.lines().filter(|line| !line.is_empty()).all(|line| line.starts_with("data: ")), "{text}");
    let sealed = part["thoughtSignature"].as_str().expect("a signature");
    assert_eq!(Sealer::new(b"key").open(sealed), Some(opaque));
}

#[test]
fn hidden_thinking_keeps_its_state() {
    let opaque = Opaque {
        family: Family::Anthropic,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static("sig"),
    };
    let events = [
        started(PartKind::Reasoning),
        said("secret"),
        Event::Delta { part: PartKey(0), delta: Delta::Opaque(Box::new(opaque)) },
        Event::PartEnd(PartKey(0)),
        finished(FinishReason::Stop),
        Event::End,
    ];
    let reply = Reply { show_reasoning: false, ..reply(StreamForm::JsonArray) };
    let array: Vec<Value> = serde_json::from_slice(&write(&events, &reply)).expect("an array");
    assert_eq!(array.len(), 2);
    let part = &array[0]["candidates"][0]["content"]["parts"][0];
    assert_eq!((&part["text"], &part["thought"]), (&json!(""), &json!(true)));
    assert!(part["thoughtSignature"].is_string());
}

#[test]
fn positions_of_sources_become_bytes() {
    let citation = Citation {
        span: Some(Span { start: 1, end: 2, unit: SpanUnit::Char }),
        url: Some(Str::from_static("https://a")),
        title: None,
        quoted: None,
        raw: None,
    };
    let mut part = crate::model::Part::text(Str::from_static("äöü"));
    part.citations.push(citation);
    let candidate = crate::model::Candidate {
        index: 0,
        parts: vec![part],
        finish: Finish::new(FinishReason::Stop),
        logprobs: None,
    };
    let response = Response { candidates: vec![candidate], ..Response::default() };
    let json: Value =
        serde_json::from_slice(&Gemini.encode_response(&response, &reply(StreamForm::Sse))).expect("JSON");
    let grounding = &json["candidates"][0]["groundingMetadata"];
    assert_eq!(grounding["groundingSupports"][0]["segment"], json!({"startIndex": 2, "endIndex": 4}));
    assert_eq!(grounding["groundingChunks"][0], json!({"web": {"uri": "https://a"}}));
}

#[test]
fn log_probabilities_cross_both_ways() {
    let result = json!({"chosenCandidates": [{"token": "é", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e", "logProbability": "-Infinity"}]}]});
    let json = json!({"candidates": [{"content": {"parts": [{"text": "é"}]}, "finishReason": "STOP", "logprobsResult": result}]});
    let response = Gemini.decode_response(&Bytes::from(json.to_string())).expect("a response");
    let tokens = response.candidates[0].logprobs.as_ref().expect("tokens").to_value();
    assert_eq!(tokens["content"][0]["bytes"], json!([195, 169]));
    assert_eq!(tokens["content"][0]["top_logprobs"][1]["logprob"], json!(-9999.0));
    let streamed = fold(&events_of([&sse(&[json])[..]]).expect("a stream"));
    assert_eq!(streamed.candidates[0].logprobs, response.candidates[0].logprobs);
    let again = Gemini.encode_response(&response, &reply(StreamForm::Sse));
    assert_eq!(Gemini.decode_response(&again).expect("a response").candidates, response.candidates);
}

#[test]
fn a_whole_answer_streams_and_folds_back() {
    let body = json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true, "thoughtSignature": "t"},
        {"text": "a"}, {"functionCall": {"id": "x", "name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}]},
        "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}, "responseId": "r"});
    let response = Gemini.decode_response(&Bytes::from(body.to_string())).expect("a response");
    let mut events = Vec::new();
    unfold(response.clone(), &mut events);
    let written = write(&events, &reply(StreamForm::Sse));
    let again = fold(&events_of([&written[..]]).expect("a stream"));
    assert_eq!((again.candidates, again.usage, &*again.id), (response.candidates, response.usage, "r"));
}

#[test]
fn error_bodies_are_understood() {
    let class = |status: u16, body: Value| Gemini.decode_error(status, body.to_string().as_bytes()).class;
    let body =
        |code: u16, status: &str, message: &str| json!({"error": {"code": code, "status": status, "message": message}});
    let too_long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    assert_eq!(class(400, body(400, "INVALID_ARGUMENT", too_long)), ErrorClass::ContextTooLong);
    assert_eq!(class(400, body(400, "INVALID_ARGUMENT", "Unknown name \"x\"")), ErrorClass::InvalidRequest);
    assert_eq!(class(404, body(404, "NOT_FOUND", "models/x is not found")), ErrorClass::ModelNotFound);
    assert_eq!(class(429, json!([body(429, "RESOURCE_EXHAUSTED", "quota")])), ErrorClass::RateLimit);
    assert_eq!(class(502, json!("no")), ErrorClass::Upstream);
    assert!(!Gemini.decode_error(503, b"<html>").message.is_empty());
}

#[test]
fn a_tap_that_sees_something_else_only_passes_it_on() {
    let mut tap = Gemini.tap(TapSpec { strip_usage: false, json_array: true });
    let mut out = Vec::new();
    tap.feed(Bytes::from_static(b"<html>"), &mut out);
    tap.feed(Bytes::from_static(b"[{}]"), &mut out);
    tap.finish(&mut out);
    assert_eq!(out.concat(), b"<html>[{}]");
    assert!(tap.usage().is_none() && tap.model().is_none() && !tap.is_complete());
}
