//! Facts of streams and whole answers.

use serde_json::json;

use super::*;
use crate::{
    dialects::ResponseError,
    model::{
        CallKind, Citation, Delta, ErrorClass, Family, FilterError, Finish, FinishReason, Part, PartContent, PartKey,
        PartKind, PartStart, RawJson, Span, SpanUnit, ToolCall, Usage,
    },
};

fn sse(data: &[Value]) -> String {
    data.iter()
        .map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default()))
        .chain(["data: [DONE]\n\n".to_owned()])
        .collect()
}

fn start() -> Value {
    json!({"id": "i", "type": "message-start", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}})
}

fn content(kind: &str, index: u32, member: &str, text: &str) -> Value {
    json!({"type": kind, "index": index, "delta": {"message": {"content": {"type": member, member: text}}}})
}

fn call(kind: &str, index: u32, call: &Value) -> Value {
    json!({"type": kind, "index": index, "delta": {"message": {"tool_calls": call}}})
}

fn end(reason: &str) -> Value {
    json!({"type": "message-end", "delta": {"finish_reason": reason, "usage": {
        "billed_units": {"input_tokens": 1, "output_tokens": 2},
        "tokens": {"input_tokens": 10.0, "output_tokens": 5.0, "reasoning_tokens": 2}, "cached_tokens": 4.0}}})
}

fn read(data: &[Value]) -> Response {
    fold(&events(&[sse(data).as_bytes()])).expect("a whole answer")
}

/// The text of each thought of an answer.
fn thoughts(response: &Response) -> Vec<&str> {
    let parts = response.candidates[0].parts.iter();
    parts
        .filter_map(|part| match &part.content {
            PartContent::Reasoning(reasoning) => reasoning.text.as_deref(),
            _ => None,
        })
        .collect()
}

#[test]
fn pitfall_56_usage_is_of_tokens_not_of_what_is_billed() {
    let usage = read(&[start(), content("content-delta", 0, "text", "a"), end("COMPLETE")]).usage.expect("it came");
    assert_eq!((usage.input_uncached, usage.input_cache_read), (6, 4), "cached tokens are part of the input");
    assert_eq!((usage.output_visible, usage.output_reasoning), (3, 2));
    let billed = json!({"id": "i", "message": {"role": "assistant", "content": []}, "finish_reason": "COMPLETE",
        "usage": {"billed_units": {"input_tokens": 7, "output_tokens": 1}}});
    let usage = Cohere.decode_response(&Bytes::from(billed.to_string())).expect("an answer").usage;
    assert_eq!(usage.map(|usage| usage.total()), Some(8), "older models state nothing else");
}

#[test]
fn pitfall_19_a_call_without_arguments_has_an_empty_object() {
    for args in [vec![], vec!["null"], vec!["nu", "ll"], vec![" ", "null\n"], vec!["{", "}"]] {
        let begin = call(
            "tool-call-start",
            0,
            &json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}),
        );
        let mut data = vec![start(), begin];
        data.extend(args.iter().map(|args| call("tool-call-delta", 0, &json!({"function": {"arguments": args}}))));
        data.extend([json!({"type": "tool-call-end", "index": 0}), end("TOOL_CALL")]);
        let response = read(&data);
        let PartContent::ToolCall(call) = &response.candidates[0].parts[0].content else { panic!("a call") };
        assert_eq!(&*call.args, "{}", "{args:?}");
        assert_eq!(response.candidates[0].finish.reason, FinishReason::ToolCalls);
    }
}

#[test]
fn a_plan_is_a_thought_and_comes_back_as_a_plan() {
    let plan = |text: &str| json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": text}}});
    let begin =
        call("tool-call-start", 0, &json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}));
    let data =
        [start(), plan("I "), plan("will."), begin, json!({"type": "tool-call-end", "index": 0}), end("TOOL_CALL")];
    let first = events(&[sse(&data).as_bytes()]);
    let response = fold(&first).expect("a whole answer");
    let PartContent::Reasoning(thought) = &response.candidates[0].parts[0].content else { panic!("a thought") };
    assert_eq!(thought.text.as_deref(), Some("I will."));
    let again = told(&written(&first, &reply()));
    let kinds: Vec<_> = again.iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
    let expected = [
        "message-start",
        "tool-plan-delta",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
    ];
    assert_eq!(kinds, expected);
    let whole: Value = serde_json::from_slice(&Cohere.encode_response(&response, &reply())).expect("JSON");
    assert_eq!((&whole["message"]["tool_plan"], whole["message"].get("content")), (&json!("I will."), None));
}

#[test]
fn a_block_that_says_nothing_does_not_break_a_plan_in_two() {
    let plan = |text: &str| json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": text}}});
    let data = [
        start(),
        plan("I will "),
        content("content-start", 0, "thinking", ""),
        plan("look."),
        json!({"type": "content-end", "index": 0}),
        end("COMPLETE"),
    ];
    let whole = events(&[sse(&data).as_bytes()]);
    let response = fold(&whole).expect("a whole answer");
    assert_eq!(thoughts(&response), ["I will look."], "a message has one plan");
    let again = events(&[&written(&whole, &reply())]);
    assert_eq!(thoughts(&fold(&again).expect("a whole answer")), ["I will look."]);
}

#[test]
fn a_call_goes_on_behind_a_block_that_says_nothing() {
    let begin = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}});
    let more = |args: &str| call("tool-call-delta", 0, &json!({"function": {"arguments": args}}));
    let blank = content("content-start", 0, "text", "");
    let data = [start(), call("tool-call-start", 0, &begin), more("{\"a\":"), blank, more("1}"), end("TOOL_CALL")];
    let response = read(&data);
    let [Part { content: PartContent::ToolCall(call), .. }] = &*response.candidates[0].parts else {
        panic!("one call")
    };
    assert_eq!(&*call.args, r#"{"a":1}"#);
}

#[test]
fn a_block_that_begins_is_another_even_with_the_number_of_the_last() {
    for kind in ["text", "thinking"] {
        let (begin, more) = (content("content-start", 0, kind, ""), content("content-delta", 0, kind, "a"));
        let response = read(&[start(), begin.clone(), more.clone(), begin, more, end("COMPLETE")]);
        assert_eq!(response.candidates[0].parts.len(), 2, "{kind}");
    }
}

#[test]
fn sources_may_come_behind_the_end_of_their_text() {
    let citation = json!({"start": 0, "end": 1, "text": "a", "sources": [{"type": "document", "id": "d",
        "document": {"id": "d", "title": "T", "url": "https://x", "text": "words"}}], "type": "TEXT_CONTENT", "content_index": 1});
    let begin = json!({"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}});
    let data = [
        start(),
        content("content-start", 0, "thinking", ""),
        content("content-delta", 0, "thinking", "hm"),
        json!({"type": "content-end", "index": 0}),
        content("content-start", 1, "text", ""),
        content("content-delta", 1, "text", "a"),
        json!({"type": "content-end", "index": 1}),
        begin,
        json!({"type": "citation-end", "index": 0}),
        end("COMPLETE"),
    ];
    let response = read(&data);
    let text = &response.candidates[0].parts[1];
    assert_eq!(text.citations.len(), 1);
    assert_eq!(text.citations[0].span, Some(Span { start: 0, end: 1, unit: SpanUnit::Char }));
    assert_eq!((text.citations[0].url.as_deref(), text.citations[0].title.as_deref()), (Some("https://x"), Some("T")));
}

#[test]
fn an_answer_that_failed_is_an_error() {
    let failed = |delta: Value| {
        let all = events(&[sse(&[
            start(),
            content("content-delta", 0, "text", "a"),
            json!({"type": "message-end", "delta": delta}),
        ])
        .as_bytes()]);
        let [.., Event::Error(error), Event::End] = all.as_slice() else { panic!("{all:?}") };
        (error.class, error.message.to_string())
    };
    assert_eq!(
        failed(json!({"finish_reason": "ERROR", "error": "it broke"})),
        (ErrorClass::Upstream, "it broke".to_owned())
    );
    assert_eq!(failed(json!({"finish_reason": "COMPLETE", "error": "no"})), (ErrorClass::Upstream, "no".to_owned()));
    assert_eq!(failed(json!({"finish_reason": "TIMEOUT"})).0, ErrorClass::Timeout);
    let body = json!({"id": "i", "finish_reason": "ERROR", "message": {"role": "assistant", "content": [{"type": "text", "text": "a"}]}});
    let whole = Cohere.decode_response(&Bytes::from(body.to_string()));
    assert!(matches!(whole, Err(ResponseError::Upstream(_))), "{whole:?}");
}

#[test]
fn pitfall_4_an_error_in_a_success_is_an_error() {
    let body = Bytes::from_static(br#"{"message":"no such thing","id":"x"}"#);
    let whole = Cohere.decode_response(&body);
    assert!(matches!(&whole, Err(ResponseError::Upstream(error)) if &*error.message == "no such thing"), "{whole:?}");
    assert!(Cohere.inspect_response(&body).error.is_some());
    let all = events(&[b"data: {\"message\":\"too many tokens: total 9\"}\n\n"]);
    let [Event::Error(error), Event::End] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(error.class, ErrorClass::ContextTooLong);
}

#[test]
fn pitfall_5_a_stream_without_its_end_is_cut_off() {
    let whole = sse(&[start(), content("content-delta", 0, "text", "a"), end("COMPLETE")]);
    let border = whole.find("event: message-end").expect("it ends");
    for (cut, code) in [(0, "empty_stream"), (border, "stream_truncated"), (border + 40, "stream_truncated")] {
        let all = events(&[&whole.as_bytes()[..cut]]);
        let [.., Event::Error(error), Event::End] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(error.code.as_deref(), Some(code));
    }
    // The end without its blank line, and without the terminator, is the end.
    let last = whole.find("\n\ndata: [DONE]").expect("it ends");
    assert!(fold(&events(&[&whole.as_bytes()[..last]])).is_ok());
}

#[test]
fn unknown_events_and_comments_are_passed_over() {
    let text = ": hello\n\n".to_owned()
        + &sse(&[
            start(),
            json!({"type": "debug", "prompt": "x"}),
            content("content-delta", 0, "text", "a"),
            json!({"type": "new"}),
            end("COMPLETE"),
        ]);
    let response = fold(&events(&[text.as_bytes()])).expect("a whole answer");
    assert_eq!(response.candidates[0].parts.len(), 1);
}

#[test]
fn garbage_is_refused() {
    let fed = Cohere.stream_decoder().feed(Bytes::from_static(b"data: {{{\n\n"), &mut Vec::new());
    assert!(matches!(fed, Err(FilterError::Malformed { .. })));
    assert!(matches!(Cohere.decode_response(&Bytes::from_static(b"{}")), Err(ResponseError::Malformed(_))));
}

#[test]
fn a_text_event_is_read_without_a_copy_by_what_was_learnt() {
    let event = |text: &str| {
        Bytes::from(format!("event: content-delta\ndata: {}\n\n", content("content-delta", 0, "text", text)))
    };
    let mut decoder = Cohere.stream_decoder();
    let mut events = Vec::new();
    for text in ["a", "b"] {
        decoder.feed(event(text), &mut events).expect("good");
    }
    events.clear();
    let chunk = event("größer");
    decoder.feed(chunk.clone(), &mut events).expect("good");
    let [Event::Delta { delta: Delta::Text(text), .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(&**text, "größer");
    assert!(chunk.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}

fn started(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta { part: PartKey(part), delta }
}

fn tool(id: &'static str) -> PartKind {
    PartKind::ToolCall(ToolCall {
        id: Str::from_static(id),
        name: Str::from_static("f"),
        kind: CallKind::Function,
        args: Str::new(),
    })
}

#[test]
fn pitfall_14_and_17_and_29_interleaved_calls_come_one_by_one_with_numbers_of_their_own() {
    let args = |part, text: &'static str| delta(part, Delta::Args(Str::from_static(text)));
    let all = [
        started(0, PartKind::Reasoning),
        delta(0, Delta::Text(Str::from_static("Hm"))),
        started(1, PartKind::Text),
        delta(1, Delta::Text(Str::from_static("a\"b"))),
        started(2, tool("c1")),
        args(2, "{\"a\""),
        started(3, tool("c2")),
        args(3, "{}"),
        args(2, ":1}"),
        Event::Finish { candidate: 0, finish: Box::new(Finish::new(FinishReason::Stop)) },
        Event::Usage(Box::new(Usage { input_uncached: 3, output_visible: 2, ..Usage::default() })),
        Event::End,
    ];
    let told = told(&written(&all, &reply()));
    let said: Vec<_> =
        told.iter().map(|event| format!("{} {}", event["type"].as_str().unwrap_or_default(), event["index"])).collect();
    assert_eq!(
        said,
        [
            "message-start null",
            "content-start 0",
            "content-delta 0",
            "content-end 0",
            "content-start 1",
            "content-delta 1",
            "content-end 1",
            "tool-call-start 0",
            "tool-call-delta 0",
            "tool-call-delta 0",
            "tool-call-end 0",
            "tool-call-start 1",
            "tool-call-delta 1",
            "tool-call-end 1",
            "message-end null",
        ]
    );
    assert_eq!(told[0]["id"], "minted");
    assert_eq!(told[2]["delta"]["message"]["content"], json!({"thinking": "Hm"}));
    assert_eq!(told[5]["delta"]["message"]["content"], json!({"text": "a\"b"}));
    assert_eq!(told[7]["delta"]["message"]["tool_calls"]["id"], "c1");
    assert_eq!(told[14]["delta"]["finish_reason"], "TOOL_CALL", "a stop with calls");
    assert_eq!(told[14]["delta"]["usage"]["tokens"], json!({"input_tokens": 3, "output_tokens": 2}));
}

#[test]
fn free_text_of_a_call_becomes_an_object() {
    let free =
        ToolCall { id: Str::from_static("c"), name: Str::from_static("f"), kind: CallKind::Custom, args: Str::new() };
    let all = [
        started(0, PartKind::ToolCall(free)),
        delta(0, Delta::Args(Str::from_static("a \"b\"\n"))),
        Event::PartEnd(PartKey(0)),
        Event::End,
    ];
    let told = told(&written(&all, &reply()));
    let args = told[2]["delta"]["message"]["tool_calls"]["function"]["arguments"].as_str().expect("a string");
    assert_eq!(serde_json::from_str::<Value>(args).expect("an object"), json!({"input": "a \"b\"\n"}));
}

#[test]
fn a_source_of_text_that_never_came_is_not_told_of_other_text() {
    let source =
        Citation { span: None, url: Some(Str::from_static("https://x")), title: None, quoted: None, raw: None };
    let all = [
        started(0, PartKind::Text),
        delta(0, Delta::Citation(Box::new(source))),
        Event::PartEnd(PartKey(0)),
        started(1, PartKind::Text),
        delta(1, Delta::Text(Str::from_static("other"))),
        Event::PartEnd(PartKey(1)),
        Event::End,
    ];
    assert!(told(&written(&all, &reply())).iter().all(|event| event["type"] != "citation-start"));
}

#[test]
fn sources_of_others_are_told_in_characters() {
    let source = |span| Citation {
        span,
        url: Some(Str::from_static("https://x")),
        title: Some(Str::from_static("T")),
        quoted: Some(Str::from_static("q")),
        raw: Some((Family::Gemini, RawJson::from_checked(Str::from_static("{}")))),
    };
    let cite = |span| delta(0, Delta::Citation(Box::new(source(span))));
    let all = [
        started(0, PartKind::Text),
        // Before the text that it is about, as some vendors send it.
        cite(None),
        delta(0, Delta::Text(Str::from_static("aä"))),
        delta(0, Delta::Text(Str::from_static("öb"))),
        cite(Some(Span { start: 1, end: 5, unit: SpanUnit::Byte })),
        Event::PartEnd(PartKey(0)),
        Event::End,
    ];
    let told = told(&written(&all, &reply()));
    let cited: Vec<_> = told.iter().filter(|event| event["type"] == "citation-start").collect();
    let place = |at: usize| {
        let citation = &cited[at]["delta"]["message"]["citations"];
        (citation["start"].as_u64(), citation["end"].as_u64(), citation["content_index"].as_u64())
    };
    assert_eq!((place(0), place(1)), ((Some(1), Some(3), Some(0)), (Some(0), Some(4), Some(0))));
    let whole = fold(&all).expect("a whole answer");
    let whole: Value = serde_json::from_slice(&Cohere.encode_response(&whole, &reply())).expect("JSON");
    assert_eq!(whole["message"]["citations"][1]["text"], "äö");
    assert_eq!(
        whole["message"]["citations"][0]["sources"][0],
        json!({"type": "document", "id": "https://x", "document": {"id": "https://x", "title": "T", "text": "q", "url": "https://x"}})
    );
}

#[test]
fn log_probabilities_go_both_ways() {
    let piece = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "ab"}}},
        "logprobs": {"text": "ab", "token_ids": [1, 2], "logprobs": [-0.25, -0.5]}});
    let all = events(&[sse(&[start(), piece, end("COMPLETE")]).as_bytes()]);
    let response = fold(&all).expect("a whole answer");
    let tokens = response.candidates[0].logprobs.as_ref().expect("they came").to_value();
    assert_eq!(tokens["content"], json!([{"token": "ab", "logprob": -0.75, "bytes": [97, 98], "top_logprobs": []}]));
    let whole: Value = serde_json::from_slice(&Cohere.encode_response(&response, &reply())).expect("JSON");
    assert_eq!(whole["logprobs"], json!([{"text": "ab", "token_ids": [], "logprobs": [-0.75]}]));
    assert_eq!(
        fold(&events(&[&written(&all, &reply())])).expect("a whole answer").candidates[0].logprobs,
        response.candidates[0].logprobs
    );
}

#[test]
fn pitfall_5_and_6_a_failed_stream_ends_with_the_error() {
    let error = ErrorInfo::new(ErrorClass::Upstream, "it \"broke\"");
    let all = [
        started(0, PartKind::Text),
        delta(0, Delta::Text(Str::from_static("a"))),
        Event::Error(Box::new(error)),
        Event::End,
    ];
    let told = told(&written(&all, &reply()));
    let last = told.last().expect("it ends");
    assert_eq!((&last["delta"]["error"], &last["delta"]["finish_reason"]), (&json!("it \"broke\""), &json!("ERROR")));
    assert!(told.iter().all(|event| event["type"] != "content-end"), "what was half said does not look whole");
}

#[test]
fn pitfall_32_an_answer_of_nothing_has_content() {
    let response =
        fold(&[Event::Finish { candidate: 0, finish: Box::new(Finish::new(FinishReason::Stop)) }]).expect("an answer");
    let whole: Value = serde_json::from_slice(&Cohere.encode_response(&response, &reply())).expect("JSON");
    assert_eq!(whole["message"]["content"], json!([{"type": "text", "text": ""}]));
    assert_eq!((&whole["finish_reason"], &whole["id"]), (&json!("COMPLETE"), &json!("minted")));
}

#[test]
fn errors_are_told_by_status_and_words() {
    for (status, message, class) in [
        (400, "invalid request: message must be at least 1 token long", ErrorClass::InvalidRequest),
        (400, "too many tokens: total number of tokens in the prompt exceeds the limit", ErrorClass::ContextTooLong),
        (401, "invalid api token", ErrorClass::Auth),
        (498, "invalid token", ErrorClass::Auth),
        (404, "model 'x' not found, make sure the correct model ID was used", ErrorClass::ModelNotFound),
        (422, "unprocessable", ErrorClass::InvalidRequest),
        (429, "You are using a Trial key", ErrorClass::RateLimit),
        (503, "busy", ErrorClass::Overloaded),
    ] {
        let error = Cohere.decode_error(status, json!({"message": message}).to_string().as_bytes());
        assert_eq!((error.class, &*error.message), (class, message));
    }
    assert_eq!(&*Cohere.decode_error(500, br#"{"error":{"message":"no"}}"#).message, "no");
    assert!(Cohere.decode_error(500, b"<html>").message.contains("500"));
    let error = ErrorInfo::new(ErrorClass::RateLimit, "slow");
    let body: Value = serde_json::from_slice(&Cohere.encode_error(&error, "req_1")).expect("JSON");
    assert_eq!(body, json!({"message": "slow", "id": "req_1"}));
}
