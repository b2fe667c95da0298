//! Facts about streams and answers, both ways.

use serde_json::json;

use super::*;
use crate::{
    dialects::{self, Target, Upstream},
    model::{
        CallKind, Citation, Delta, ErrorClass, Family, Finish, FinishReason, Media, MediaClass, MediaSource, Opaque,
        OpaqueKind, Part, PartContent, PartKey, PartKind, PartStart, RawJson, Request, Role, ServerCall, ServerResult,
        Span, SpanUnit, Start, Tool, ToolCall, Turn, Usage,
    },
    seal::Sealer,
};

const CREATED: &str = r#"{"type":"response.created","response":{"id":"resp_1","model":"gpt-5","created_at":7,"status":"in_progress","output":[]},"sequence_number":0}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"resp_1","model":"gpt-5","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2}},"sequence_number":9}"#;

fn stream(between: &[&str]) -> Vec<Event> {
    let data: Vec<&str> = std::iter::once(CREATED).chain(between.iter().copied()).chain([COMPLETED]).collect();
    events(&[framed(&data).as_bytes()])
}

fn parts(events: &[Event]) -> Vec<Part> {
    fold(events).expect("the stream is good").candidates.remove(0).parts
}

fn begin(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn said(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

fn args(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Args(Str::from(text)) }
}

fn state(part: u32, opaque: Opaque) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Opaque(Box::new(opaque)) }
}

fn end(part: u32) -> Event {
    Event::PartEnd(PartKey(part))
}

fn called(id: &str, kind: CallKind) -> PartKind {
    PartKind::ToolCall(ToolCall { id: Str::from(id), name: Str::from_static("f"), kind, args: Str::new() })
}

fn signature() -> Opaque {
    let (family, kind) = (Family::Gemini, OpaqueKind::ThoughtSignature);
    Opaque { family, kind, model: None, id: None, data: Str::from_static("c2ln") }
}

/// A stream of what is between, ended for a reason.
fn ended(between: Vec<Event>, reason: FinishReason) -> Vec<Event> {
    let start = Start { id: Str::from_static("r"), model: Str::from_static("m"), created: 5, usage: None };
    let mut all = vec![Event::Start(Box::new(start))];
    all.extend(between);
    all.push(Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) });
    all.push(Event::Usage(Box::new(Usage { input_uncached: 3, output_visible: 4, ..Usage::default() })));
    all.push(Event::End);
    all
}

fn output(events: &[Event]) -> Vec<Value> {
    let last = legal::check(&written(events, &reply()));
    last["response"]["output"].as_array().expect("an output").clone()
}

/// An item is opened by what it is, never for nothing, with one position and one id.
#[test]
fn pitfall_36_and_37_and_38_and_39_and_40_text_after_reasoning_and_calls_opens_items_of_their_own() {
    let items = output(&ended(
        vec![
            begin(0, PartKind::Reasoning),
            said(0, "hm"),
            end(0),
            begin(1, PartKind::Text),
            said(1, "a"),
            begin(2, called("c1", CallKind::Function)),
            args(2, "{\"x\""),
            args(2, ":1}"),
            said(1, "b"),
            end(2),
            end(1),
            begin(3, PartKind::Text),
            end(3),
            begin(4, PartKind::Reasoning),
            end(4),
        ],
        FinishReason::ToolCalls,
    ));
    let kinds: Vec<&str> = items.iter().filter_map(|item| item["type"].as_str()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "message"]);
    assert_eq!(items[2]["arguments"], r#"{"x":1}"#);
    assert_eq!(items[2]["call_id"], "c1");
    assert_ne!(items[1]["id"], items[3]["id"]);
}

#[test]
fn pitfall_19_and_38_an_answer_of_calls_alone_has_no_message() {
    let items = output(&ended(vec![begin(0, called("c", CallKind::Function)), end(0)], FinishReason::ToolCalls));
    assert_eq!(items.len(), 1);
    // No arguments at all are those of an empty object.
    assert_eq!(items[0]["arguments"], "{}");
}

#[test]
fn pitfall_17_and_39_calls_may_interleave() {
    let items = output(&ended(
        vec![
            begin(0, called("a", CallKind::Function)),
            args(0, "{\"a\""),
            begin(1, called("b", CallKind::Custom)),
            args(0, ":"),
            args(1, "x"),
            args(0, "1"),
            args(1, "y"),
            end(1),
            args(0, "}"),
            end(0),
        ],
        FinishReason::ToolCalls,
    ));
    assert_eq!(items[0]["arguments"], r#"{"a":1}"#);
    assert_eq!((&items[1]["type"], &items[1]["input"]), (&json!("custom_tool_call"), &json!("xy")));
}

#[test]
fn adjacent_texts_are_one_and_sources_count_characters_of_it() {
    let citation =
        |span| Citation { span, url: Some(Str::from_static("https://x")), title: None, quoted: None, raw: None };
    let cite = |part, span| Event::Delta { part: PartKey(part), delta: Delta::Citation(Box::new(citation(span))) };
    let items = output(&ended(
        vec![
            begin(0, PartKind::Text),
            said(0, "größer "),
            end(0),
            begin(1, PartKind::Text),
            said(1, "äb"),
            cite(1, None),
            cite(1, Some(Span { start: 2, end: 3, unit: SpanUnit::Byte })),
            cite(1, Some(Span { start: 0, end: 1, unit: SpanUnit::Char })),
            end(1),
        ],
        FinishReason::Stop,
    ));
    let content = items[0]["content"].as_array().expect("content");
    assert_eq!(content.len(), 1);
    assert_eq!(content[0]["text"], "größer äb");
    let spans: Vec<_> = content[0]["annotations"]
        .as_array()
        .expect("annotations")
        .iter()
        .map(|annotation| (annotation["start_index"].as_u64(), annotation["end_index"].as_u64()))
        .collect();
    assert_eq!(spans, [(Some(7), Some(9)), (Some(8), Some(9)), (Some(7), Some(8))]);
}

/// Calls have no field for state: it goes before them in an item that comes back in its place.
#[test]
fn state_of_a_call_goes_before_it() {
    for late in [false, true] {
        let mut between =
            vec![begin(0, PartKind::Text), said(0, "so"), end(0), begin(1, called("c", CallKind::Function))];
        if late {
            between.extend([args(1, "{}"), state(1, signature())]);
        } else {
            between.extend([state(1, signature()), args(1, "{}")]);
        }
        between.push(end(1));
        let items = output(&ended(between, FinishReason::ToolCalls));
        let kinds: Vec<&str> = items.iter().filter_map(|item| item["type"].as_str()).collect();
        assert_eq!(kinds, ["message", "reasoning", "function_call"], "late: {late}");
        let sealed = items[1]["encrypted_content"].as_str().expect("state");
        assert_eq!(Sealer::new(b"key").open(sealed), Some(signature()));
        assert_eq!(items[1]["summary"], json!([]));
    }
}

#[test]
fn the_end_says_how_it_ended() {
    let text = || vec![begin(0, PartKind::Text), said(0, "a"), end(0)];
    for (between, reason, kind, details, status) in [
        (text(), FinishReason::Stop, "response.completed", Value::Null, "completed"),
        (text(), FinishReason::Length, "response.incomplete", json!("max_output_tokens"), "incomplete"),
        (text(), FinishReason::ContextFull, "response.incomplete", json!("max_output_tokens"), "incomplete"),
        (text(), FinishReason::ContentFilter, "response.incomplete", json!("content_filter"), "incomplete"),
        (text(), FinishReason::Refusal, "response.incomplete", json!("content_filter"), "incomplete"),
        (text(), FinishReason::Pause, "response.completed", Value::Null, "completed"),
        (
            vec![begin(0, PartKind::Refusal), said(0, "no")],
            FinishReason::Refusal,
            "response.completed",
            Value::Null,
            "completed",
        ),
    ] {
        let events = ended(between, reason);
        let last = legal::check(&written(&events, &reply()));
        assert_eq!(last["type"], kind, "{reason:?}");
        assert_eq!(last["response"]["incomplete_details"]["reason"], details, "{reason:?}");
        assert_eq!(last["response"]["output"][0]["status"], status, "{reason:?}");
        assert_eq!(last["response"]["usage"]["total_tokens"], 7);
        // The whole answer is what the stream ends with.
        let whole = OpenAiResponses.encode_response(&fold(&events).expect("it is good"), &reply());
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        assert_eq!(whole, last["response"], "{reason:?}");
    }
}

/// What breaks off is told by this dialect's own last event, and nothing half-written looks whole.
#[test]
fn pitfall_05_a_broken_stream_fails() {
    let events = stream(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m","role":"assistant","content":[]}}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
    ]);
    let text =
        framed(&[CREATED, r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#]);
    for cut in 1..text.len() {
        let Some(piece) = text.as_bytes().get(..cut) else { continue };
        let got = super::events(&[piece]);
        let Some(Event::Error(error)) = got.iter().rev().nth(1) else { panic!("cut at {cut}: {got:?}") };
        assert_eq!(error.class, ErrorClass::Upstream);
        assert!(matches!(got.last(), Some(Event::End)));
    }
    let mut broken = events;
    broken.truncate(3);
    broken.extend([begin(7, called("c", CallKind::Function)), args(7, "{"), args(7, "\"")]);
    broken.push(Event::Error(Box::new(ErrorInfo::new(ErrorClass::Timeout, "too slow"))));
    let last = legal::check(&written(&broken, &reply()));
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["error"], json!({"code": "upstream_timeout", "message": "too slow"}));
    assert_eq!(last["response"]["output"].as_array().map(Vec::len), Some(1), "the call was not complete");
}

#[test]
fn pitfall_05_and_40_an_error_before_anything_is_raised_by_clients_of_any_sort() {
    let error = ErrorInfo::new(ErrorClass::Overloaded, "busy");
    let events = legal::data(&written(&[Event::Error(Box::new(error))], &reply()));
    assert_eq!(events[0]["type"], "error");
    assert_eq!((&events[0]["message"], &events[0]["error"]["message"]), (&json!("busy"), &json!("busy")));
    assert_eq!(events[1]["type"], "response.failed");
    assert_eq!((&events[0]["sequence_number"], &events[1]["sequence_number"]), (&json!(0), &json!(1)));
}

#[test]
fn errors_of_every_form_are_read() {
    for (data, class) in [
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"slow down","param":null,"sequence_number":1}"#,
            ErrorClass::RateLimit,
        ),
        (
            r#"{"type":"error","error":{"type":"insufficient_quota","code":"insufficient_quota","message":"no money"}}"#,
            ErrorClass::Billing,
        ),
        (r#"{"error":{"message":"boom","code":500}}"#, ErrorClass::Upstream),
        (
            r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"boom"}}}"#,
            ErrorClass::Upstream,
        ),
        (r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":null}}"#, ErrorClass::Upstream),
    ] {
        let got = events(&[framed(&[CREATED, data]).as_bytes()]);
        let error = fold(&got).expect_err(data);
        assert_eq!(error.class, class, "{data}");
        assert!(!error.message.is_empty());
    }
    // The vendor says it twice; once is enough.
    let twice = framed(&[
        CREATED,
        r#"{"type":"error","error":{"message":"a"}}"#,
        r#"{"type":"response.failed","response":{"error":{"message":"b"}}}"#,
    ]);
    let got = events(&[twice.as_bytes()]);
    assert_eq!(got.iter().filter(|event| matches!(event, Event::Error(_))).count(), 1);
}

/// Some servers give an item another id in each event; its position is what identifies it.
#[test]
fn pitfall_41_items_are_told_apart_by_position() {
    let events = stream(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"a"}}"#,
        r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"item_id":"b","part":{"type":"output_text","text":""}}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"c","delta":"Grü"}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"d","delta":"ße"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"e","content":[{"type":"output_text","text":"Grüße!"}]}}"#,
    ]);
    // What was lost on the way is made up for.
    assert_eq!(parts(&events), [Part::text("Grüße!")]);
}

/// Texts and arguments whose pieces never came are in their ends, which may come again.
#[test]
fn what_is_made_up_for_is_said_once() {
    let text = r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"whole"}"#;
    let call = r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}"#;
    let args = r#"{"type":"response.function_call_arguments.done","output_index":1,"arguments":"[1]"}"#;
    let opens = r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#;
    let all = parts(&stream(&[opens, text, text, call, args, args]));
    assert_eq!(all[0], Part::text("whole"));
    assert!(matches!(&all[1].content, PartContent::ToolCall(call) if *call.args == *"[1]"), "{:?}", all[1]);
}

#[test]
fn what_is_not_announced_is_read_all_the_same() {
    let events = stream(&[
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
        r#"{"type":"response.reasoning.delta","output_index":1,"content_index":0,"delta":"hm"}"#,
        r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{\"x\":1}"}}"#,
    ]);
    let all = parts(&events);
    assert_eq!(all.len(), 3);
    assert!(matches!(&all[2].content, PartContent::ToolCall(call) if *call.args == *r#"{"x":1}"#));
    // An answer of which nothing was streamed has its items at the end.
    let only = r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"all"}]}]}}"#;
    assert_eq!(parts(&super::events(&[framed(&[only]).as_bytes()])), [Part::text("all")]);
}

#[test]
fn summaries_are_joined_and_full_reasoning_is_not_repeated() {
    let events = stream(&[
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[]}}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"}"#,
        r#"{"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":0,"text":"ab"}"#,
        r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"the same at length"}"#,
        r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"c"}"#,
        r#"{"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":1,"text":"cd"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"blob"}}"#,
    ]);
    let parts = parts(&events);
    let PartContent::Reasoning(reasoning) = &parts[0].content else { panic!("it thought") };
    assert_eq!(reasoning.text.as_deref(), Some("ab\n\ncd"));
    assert_eq!((reasoning.opaque[0].id.as_deref(), &*reasoning.opaque[0].data), (Some("rs"), "blob"));
}

#[test]
fn probabilities_get_their_bytes_and_go_both_ways() {
    let events = stream(&[
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"ä","logprobs":[{"token":"ä","logprob":-0.5,"top_logprobs":[{"token":"a","logprob":-1}]}]}"#,
    ]);
    let expected = json!({"token": "ä", "logprob": -0.5, "bytes": [195, 164], "top_logprobs": [{"token": "a", "logprob": -1, "bytes": [97]}]});
    let folded = fold(&events).expect("it is good");
    let tokens = folded.candidates[0].logprobs.as_ref().expect("there are some").to_value();
    assert_eq!(tokens["content"], json!([expected]));
    let last = legal::check(&written(&events, &reply()));
    assert_eq!(last["response"]["output"][0]["content"][0]["logprobs"], json!([expected]));
    let whole: Value = serde_json::from_slice(&OpenAiResponses.encode_response(&folded, &reply())).expect("JSON");
    assert_eq!(whole["output"][0]["content"][0]["logprobs"], json!([expected]));
}

#[test]
fn what_providers_ran_is_shown_where_clients_know_the_like() {
    let raw = |text: &str| RawJson::parse(Str::from(text)).expect("JSON");
    let call = |tool, input| {
        PartKind::Whole(Part::new(PartContent::ServerCall(ServerCall {
            id: Str::from_static("s"),
            tool: Str::from_static(tool),
            input: raw(input),
            family: Family::Anthropic,
        })))
    };
    let result = PartKind::Whole(Part::new(PartContent::ServerResult(ServerResult {
        id: Str::from_static("s"),
        tool: Str::from_static("code_execution"),
        output: raw(r#"{"outcome":"OUTCOME_OK","output":"4"}"#),
        family: Family::Anthropic,
    })));
    let media = Media::new(
        MediaClass::Image,
        Some(Str::from_static("image/webp")),
        MediaSource::Base64(Str::from_static("AAAA")),
    );
    let own =
        Part::new(PartContent::Unknown { family: Family::OpenAi, raw: raw(r#"{"type":"compaction","id":"cmp_1"}"#) });
    let items = output(&ended(
        vec![
            begin(0, call("web_search", r#"{"query":"q"}"#)),
            begin(1, call("code_execution", r#"{"code":"2+2"}"#)),
            begin(2, result),
            begin(3, call("bash_code_execution", r#"{"command":"ls"}"#)),
            begin(4, call("memory", "{}")),
            begin(5, PartKind::Whole(Part::new(PartContent::Media(media)))),
            begin(6, PartKind::Whole(own)),
        ],
        FinishReason::Stop,
    ));
    assert_eq!(items[0]["action"], json!({"type": "search", "query": "q"}));
    assert_eq!((&items[1]["code"], &items[1]["outputs"]), (&json!("2+2"), &json!([{"type": "logs", "logs": "4"}])));
    assert_eq!((&items[2]["code"], &items[2]["outputs"]), (&json!("ls"), &Value::Null));
    assert_eq!((&items[3]["type"], &items[3]["output_format"]), (&json!("image_generation_call"), &json!("webp")));
    assert_eq!(items[4], json!({"type": "compaction", "id": "cmp_1"}));
    assert_eq!(items.len(), 5);
}

/// The steady state of a delta is a slice of the chunk, and costs no memory of its own beyond what is kept of it.
#[test]
fn text_deltas_take_the_fast_path_whatever_the_order_of_members() {
    for form in [
        r#"{"type":"response.output_text.delta","sequence_number":N,"item_id":"m","output_index":0,"content_index":0,"delta":"T","logprobs":[],"obfuscation":"P"}"#,
        r#"{"type":"response.output_text.delta","delta":"T","logprobs":[],"item_id":"m","content_index":0,"output_index":0,"sequence_number":N}"#,
    ] {
        let data = |n: usize, text: &str| {
            form.replace('N', &n.to_string())
                .replace("\"T\"", &format!("\"{text}\""))
                .replace("\"P\"", &format!("\"{}\"", "x".repeat(n)))
        };
        let mut decoder = OpenAiResponses.stream_decoder();
        let mut events = Vec::new();
        decoder.feed(Bytes::from(framed(&[data(4, "first")])), &mut events).expect("it is good");
        events.clear();
        let chunk = Bytes::from(framed(&[data(12345, "größer")]));
        let range = chunk.as_ptr_range();
        decoder.feed(chunk.clone(), &mut events).expect("it is good");
        let [Event::Delta { delta: Delta::Text(text), .. }] = &events[..] else { panic!("one delta: {events:?}") };
        assert_eq!(&**text, "größer");
        assert!(range.contains(&text.as_bytes().as_ptr()), "the text is a slice of the chunk");
        // Lengths count on the fast path too: nothing is repeated at the end.
        decoder
            .feed(
                Bytes::from(framed(&[
                    r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"firstgrößer!"}"#,
                ])),
                &mut events,
            )
            .expect("it is good");
        assert!(matches!(&events[..], [_, Event::Delta { delta: Delta::Text(text), .. }] if **text == *"!"));
    }
}

/// Whether a request with a tool can be carried to upstreams of a dialect; to others no client's call can go back.
fn takes_tools(upstream: &dyn Upstream) -> bool {
    let tool =
        Tool::Function { name: Str::from_static("f"), description: None, schema: None, strict: None, cache: None };
    let turns = vec![Turn { role: Role::User, parts: vec![Part::text("x")], name: None }];
    let request = Request { turns, tools: vec![tool], ..Request::default() };
    let sealer = Sealer::new(b"a key for tests");
    let target = Target { model: "m", quirks: &[], usage_in_stream: true, sealer: &sealer };
    upstream.encode_request(&request, &target).is_ok()
}

/// Every dialect's clients can read what comes of this one's recordings, and this one's what comes of theirs.
#[test]
fn a_stream_reaches_clients_of_every_dialect() {
    let events = stream(&[
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"custom_tool_call","id":"ctc","call_id":"c","name":"f","input":""}}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":1,"delta":"SELECT 1"}"#,
        r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"custom_tool_call","id":"ctc","call_id":"c","name":"f","input":"SELECT 1"}}"#,
    ]);
    for upstream in dialects::upstreams() {
        let mut encoder = upstream.stream_encoder(&reply());
        let mut out = BytesMut::new();
        for event in &events {
            encoder.encode(event, &mut out);
        }
        let mut decoder = upstream.stream_decoder();
        let mut again = Vec::new();
        decoder.feed(out.freeze(), &mut again).expect("what was written is the dialect's");
        decoder.finish(&mut again).expect("what was written is complete");
        let again = fold(&again).expect("no error was written").candidates.remove(0).parts;
        assert!(again.iter().any(|part| part.as_text().is_some_and(|text| **text == *"a")), "{}", upstream.name());
        if !takes_tools(upstream) {
            continue;
        }
        let args = again.iter().find_map(|part| match &part.content {
            PartContent::ToolCall(call) => Some(call.args.clone()),
            _ => None,
        });
        assert!(args.is_some_and(|args| args.contains("SELECT 1")), "{}", upstream.name());
    }
}
