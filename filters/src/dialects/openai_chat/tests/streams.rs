//! Streams as vendors really send them, and as clients can really read them.

use serde_json::json;

use super::*;
use crate::model::{
    CallKind, Citation, Delta, ErrorClass, ErrorInfo, Family, Finish, FinishReason, Opaque, OpaqueKind, PartContent,
    PartKey, PartKind, PartStart, Reasoning, Start, ToolCall, Usage,
};

fn answer(data: &[&str]) -> Response {
    fold(&events(&[&stream_of(data)])).expect("the stream holds an answer")
}

fn parts(data: &[&str]) -> Vec<PartContent> {
    answer(data).candidates.into_iter().flat_map(|candidate| candidate.parts).map(|part| part.content).collect()
}

fn call(id: &str, name: &str, args: &str) -> PartContent {
    let (id, name, args) = (Str::from(id), Str::from(name), Str::from(args));
    PartContent::ToolCall(ToolCall { id, name, kind: CallKind::Function, args })
}

/// A chunk of choice 0 with the given delta.
fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c","model":"m","choices":[{{"index":0,"delta":{delta}}}]}}"#)
}

const STOP: &str = r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

// === what upstreams send ===

#[test]
fn pitfall_15_calls_that_share_a_number_are_split_by_their_ids() {
    let first = delta(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}]}"#);
    let second = delta(r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]}"#);
    assert_eq!(parts(&[&first, &second, STOP]), [call("a", "f", r#"{"x":1}"#), call("b", "f", "{}")]);
}

#[test]
fn pitfall_27_an_id_that_changes_or_comes_again_is_still_one_call() {
    let first = delta(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}"#);
    let again = delta(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":":"}}]}"#);
    let other = delta(r#"{"tool_calls":[{"index":0,"id":"z","function":{"name":"","arguments":"1}"}}]}"#);
    assert_eq!(parts(&[&first, &again, &other, STOP]), [call("a", "f", r#"{"x":1}"#)]);
}

#[test]
fn a_complete_call_is_not_continued_by_a_piece_that_looks_alike() {
    let first = delta(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#);
    let piece = |args: &str| {
        delta(&format!(r#"{{"tool_calls":[{{"index":0,"id":"z","function":{{"name":"f","arguments":"{args}"}}}}]}}"#))
    };
    let (more, last, next) = (piece(r#"\"x\":"#), piece("1}"), piece("{}"));
    assert_eq!(parts(&[&first, &more, &last, &next, STOP]), [call("a", "f", r#"{"x":1}"#), call("z", "f", "{}")]);
}

#[test]
fn pitfall_28_calls_without_numbers_are_told_apart_by_id() {
    let first = delta(r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}"#);
    let rest = delta(r#"{"tool_calls":[{"function":{"arguments":"}"}}]}"#);
    let second = delta(r#"{"tool_calls":[{"id":"b","function":{"name":"g","arguments":{"y":2}}}]}"#);
    assert_eq!(parts(&[&first, &rest, &second, STOP]), [call("a", "f", "{}"), call("b", "g", r#"{"y":2}"#)]);
}

#[test]
fn pitfall_17_interleaved_calls_keep_their_arguments() {
    let chunk = |index: u32, args: &str| {
        delta(&format!(
            r#"{{"tool_calls":[{{"index":{index},"id":"c{index}","function":{{"name":"f","arguments":"{args}"}}}}]}}"#
        ))
    };
    let data = [chunk(0, "["), chunk(1, "["), chunk(0, "0]"), chunk(1, "1]"), STOP.to_owned()];
    let data: Vec<&str> = data.iter().map(String::as_str).collect();
    assert_eq!(parts(&data), [call("c0", "f", "[0]"), call("c1", "f", "[1]")]);
}

#[test]
fn pitfall_16_and_19_a_call_without_id_gets_one() {
    let first = delta(r#"{"tool_calls":[{"index":0,"function":{"name":"f"}},{"index":1,"function":{"name":"f"}}]}"#);
    let ids: Vec<_> = parts(&[&first, STOP])
        .into_iter()
        .map(|part| match part {
            PartContent::ToolCall(call) => (call.id, call.args),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert!(ids.iter().all(|(id, args)| id.starts_with("call_") && args == "{}"));
    assert_ne!(ids[0].0, ids[1].0);
}

#[test]
fn the_legacy_call_is_a_call() {
    let first = delta(r#"{"function_call":{"name":"f","arguments":""}}"#);
    let rest = delta(r#"{"function_call":{"arguments":"{\"a\":1}"}}"#);
    let end = STOP.replace("\"stop\"", "\"function_call\"");
    let answer = answer(&[&first, &rest, &end]);
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::ToolCalls);
    assert!(matches!(&answer.candidates[0].parts[0].content, PartContent::ToolCall(call) if call.args == r#"{"a":1}"#));
}

#[test]
fn pitfall_61_azure_chunks_without_choice_or_delta_are_passed_over() {
    let data = [
        r#"{"choices":[],"created":0,"id":"","model":"","prompt_filter_results":[]}"#,
        r#"{"id":"real","model":"gpt","choices":[{"index":0,"finish_reason":null,"content_filter_results":{}}]}"#,
        r#"{"id":"real","model":"gpt","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":""}]}"#,
        r#"{"id":"real","model":"gpt","choices":[{"index":0,"delta":null,"finish_reason":"stop"}]}"#,
    ];
    let answer = answer(&data);
    assert_eq!((&*answer.id, &*answer.model), ("real", "gpt"));
    assert_eq!(answer.candidates[0].parts, [crate::model::Part::text("hi")]);
}

#[test]
fn pitfall_13_content_beside_or_behind_a_finish_reason_is_kept() {
    let both = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"length"}]}"#;
    let behind = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"length"}]}"#;
    let answer = answer(&[both, behind]);
    assert_eq!(answer.candidates[0].parts, [crate::model::Part::text("ab")]);
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::Length);
}

#[test]
fn pitfall_32_an_answer_without_content_is_still_an_answer() {
    let end = STOP.replace("\"stop\"", "\"content_filter\"");
    let usage = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}"#;
    let answer = answer(&[&delta(r#"{"content":""}"#), &end, usage]);
    assert_eq!(answer.candidates[0].finish.reason, FinishReason::ContentFilter);
}

#[test]
fn usage_is_taken_from_wherever_it_stands() {
    let groq =
        STOP.replace("}]}", r#"}],"x_groq":{"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}}"#);
    assert_eq!(answer(&[&delta(r#"{"content":"x"}"#), &groq]).usage.map(|usage| usage.total()), Some(5));
    let every = |count: u64| {
        format!(
            r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"x"}}}}],"usage":{{"prompt_tokens":2,"completion_tokens":{count}}}}}"#
        )
    };
    assert_eq!(answer(&[&every(1), &every(2), STOP]).usage.map(|usage| usage.output()), Some(2));
}

#[test]
fn thinking_is_read_from_every_member() {
    for thinking in [
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning":"hm","reasoning_content":null,"reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"hm"}]}"#,
        r#"{"thinking_blocks":[{"type":"thinking","thinking":"hm"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":"hm"}]}"#,
    ] {
        let found = parts(&[&delta(thinking), &delta(r#"{"content":"so"}"#), STOP]);
        let thought = Reasoning { text: Some(Str::from_static("hm")), ..Reasoning::default() };
        assert_eq!(found, [PartContent::Reasoning(thought), PartContent::Text(Str::from_static("so"))], "{thinking}");
    }
}

#[test]
fn words_that_come_again_with_their_state_are_read_once() {
    let parts = parts(&[
        &delta(r#"{"reasoning_content":"think "}"#),
        &delta(r#"{"reasoning_content":"twice"}"#),
        &delta(
            r#"{"reasoning_details":[{"type":"reasoning.text","text":"think twice","index":0},{"type":"reasoning.encrypted","data":"c3RhdGU=","index":0}]}"#,
        ),
        &delta(r#"{"content":"done"}"#),
    ]);
    let words = parts.iter().filter_map(|part| match part {
        PartContent::Reasoning(reasoning) => reasoning.text.as_deref(),
        _ => None,
    });
    assert_eq!(words.collect::<String>(), "think twice");
}

#[test]
fn a_signature_stays_with_the_words_that_it_signs() {
    let block = |index: u32, text: &str| {
        delta(&format!(
            r#"{{"reasoning_details":[{{"type":"reasoning.text","text":"{text}","index":{index},"format":"anthropic-claude-v1"}}]}}"#
        ))
    };
    let signature = |index: u32, text: &str| {
        delta(&format!(
            r#"{{"reasoning_details":[{{"type":"reasoning.text","signature":"{text}","index":{index},"format":"anthropic-claude-v1"}}]}}"#
        ))
    };
    let data = [block(0, "a"), block(0, "b"), signature(0, "s0"), block(1, "c"), signature(1, "s1"), STOP.to_owned()];
    let data: Vec<&str> = data.iter().map(String::as_str).collect();
    let found: Vec<_> = parts(&data)
        .into_iter()
        .map(|part| match part {
            PartContent::Reasoning(Reasoning { text, opaque, .. }) => {
                (text.unwrap_or_default(), opaque[0].family, opaque[0].data.clone())
            }
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    let expected =
        [("ab", "s0"), ("c", "s1")].map(|(text, data)| (Str::from(text), Family::Anthropic, Str::from(data)));
    assert_eq!(found, expected);
}

#[test]
fn pitfall_04_and_05_a_stream_cut_short_is_an_error_and_not_an_end() {
    let code = |bytes: &[u8]| match &events(&[bytes])[..] {
        [.., Event::Error(error), Event::End] => error.code.as_ref().map(ToString::to_string),
        _ => None,
    };
    let begun = format!("data: {}\n\n", delta(r#"{"content":"x"}"#));
    assert_eq!(code(begun.as_bytes()).as_deref(), Some("stream_truncated"));
    let half = format!("{begun}data: {{\"id\":\"c\",\"choi");
    assert_eq!(code(half.as_bytes()).as_deref(), Some("stream_truncated"), "half an event is not malformed JSON");
    assert_eq!(code(b"").as_deref(), Some("empty_stream"));
    assert_eq!(code(b"data: [DONE]\n\n").as_deref(), Some("empty_stream"));
    assert_eq!(code(format!("{begun}data: {STOP}\n\n").as_bytes()), None, "a finish reason makes it whole");
    assert_eq!(code(format!("{begun}data: {STOP}").as_bytes()), None, "even without a last blank line");
}

#[test]
fn pitfall_04_an_error_in_the_stream_is_an_error() {
    for data in [
        r#"{"error":{"message":"slow down","type":"rate_limit_error","code":null}}"#,
        r#"{"choices":[],"error":{"message":"slow down","code":429}}"#,
        r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"message":"slow down","code":429}}]}"#,
        r#"{"object":"error","message":"slow down","code":429,"type":"x"}"#,
    ] {
        let found = events(&[&stream_of(&[&delta(r#"{"content":"x"}"#), data, STOP])]);
        let [.., Event::Error(error), Event::End] = &found[..] else { panic!("{data}: {found:?}") };
        assert_eq!((error.class, &*error.message), (ErrorClass::RateLimit, "slow down"));
    }
}

#[test]
fn pitfall_07_nothing_is_read_behind_the_terminator() {
    let mut stream = stream_of(&[&delta(r#"{"content":"x"}"#), STOP]);
    let before = events(&[&stream]);
    stream.extend_from_slice(b"data: not json\n\n");
    assert_eq!(events(&[&stream]), before);
}

#[test]
fn what_is_not_json_is_refused() {
    let mut decoder = OpenAiChat.stream_decoder();
    assert!(decoder.feed(Bytes::from_static(b"data: <html>\n\n"), &mut Vec::new()).is_err());
    let mut decoder = OpenAiChat.stream_decoder();
    let huge = Bytes::from_static(b"data: {\"choices\":[{\"index\":4000000000,\"delta\":{}}]}\n\n");
    assert!(decoder.feed(huge, &mut Vec::new()).is_err(), "an index must not cost memory");
}

// === what clients read ===

fn start() -> Event {
    Event::Start(Box::new(Start {
        id: Str::from_static("msg_1"),
        model: Str::from_static("up"),
        created: 5,
        usage: None,
    }))
}

fn begin(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn begin_call(part: u32, id: &str) -> Event {
    let call = ToolCall { id: Str::from(id), name: Str::from_static("f"), kind: CallKind::Function, args: Str::new() };
    begin(part, PartKind::ToolCall(call))
}

fn text(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

fn args(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Args(Str::from(text)) }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) }
}

fn write(events: &[Event]) -> Vec<serde_json::Value> {
    chunks(&written(events, &reply()))
}

/// The deltas that were written.
fn deltas(events: &[Event]) -> Vec<serde_json::Value> {
    write(events)
        .into_iter()
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .filter(|delta| !delta.is_null())
        .collect()
}

#[test]
fn pitfall_12_and_60_every_chunk_has_the_same_head() {
    let usage = Usage { input_uncached: 3, output_visible: 4, ..Usage::default() };
    let chunks = write(&[
        start(),
        begin(0, PartKind::Text),
        text(0, "a\"b"),
        Event::PartEnd(PartKey(0)),
        finish(FinishReason::Stop),
        Event::Usage(Box::new(usage)),
        Event::End,
    ]);
    assert_eq!(chunks.len(), 5);
    let (done, chunks) = chunks.split_last().expect("there are chunks");
    assert!(done.is_null());
    for chunk in chunks {
        assert_eq!(
            (&chunk["id"], &chunk["created"], &chunk["model"], &chunk["object"]),
            (&json!("msg_1"), &json!(5), &json!("client-model"), &json!("chat.completion.chunk"))
        );
        assert!(chunk["choices"].is_array());
    }
    let choice = |delta: serde_json::Value, reason: serde_json::Value| json!([{"index":0,"delta":delta,"finish_reason":reason,"logprobs":null}]);
    assert_eq!(chunks[0]["choices"], choice(json!({"role":"assistant","content":""}), json!(null)));
    assert_eq!(chunks[1]["choices"], choice(json!({"content":"a\"b"}), json!(null)));
    assert_eq!(chunks[2]["choices"], choice(json!({}), json!("stop")));
    assert_eq!((&chunks[3]["choices"], &chunks[3]["usage"]["total_tokens"]), (&json!([]), &json!(7)));
    assert!(chunks[..3].iter().all(|chunk| chunk["usage"].is_null()));
}

#[test]
fn pitfall_59_usage_comes_only_if_asked_for() {
    let events = [start(), finish(FinishReason::Stop), Event::Usage(Box::default()), Event::End];
    let bytes = written(&events, &Reply { include_usage: false, ..reply() });
    assert!(!String::from_utf8(bytes).expect("UTF-8").contains("usage"));
}

#[test]
fn pitfall_14_and_27_and_28_tool_index_counts_calls_only() {
    let found = deltas(&[
        start(),
        begin(0, PartKind::Text),
        text(0, "x"),
        Event::PartEnd(PartKey(0)),
        begin_call(1, "a"),
        args(1, "{\"x\""),
        args(1, ":1}"),
        Event::PartEnd(PartKey(1)),
        begin(2, PartKind::Reasoning),
        Event::PartEnd(PartKey(2)),
        begin_call(3, "b"),
        Event::PartEnd(PartKey(3)),
        finish(FinishReason::Stop),
    ]);
    assert_eq!(
        found[2]["tool_calls"],
        json!([{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}])
    );
    assert_eq!(found[3]["tool_calls"], json!([{"index":0,"function":{"arguments":"{\"x\""}}]), "id and name come once");
    assert_eq!(found[5]["tool_calls"][0]["index"], 1);
    assert_eq!(
        found[6]["tool_calls"],
        json!([{"index":1,"function":{"arguments":"{}"}}]),
        "no arguments are an object"
    );
    assert_eq!(found.len(), 8);
}

#[test]
fn pitfall_29_and_30_calls_override_only_a_normal_stop() {
    for (reason, word) in [
        (FinishReason::Stop, "tool_calls"),
        (FinishReason::Length, "length"),
        (FinishReason::ContentFilter, "content_filter"),
        (FinishReason::ToolCalls, "tool_calls"),
    ] {
        let chunks = write(&[start(), begin_call(0, "a"), Event::PartEnd(PartKey(0)), finish(reason), Event::End]);
        let words: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
        assert_eq!(words, [word]);
    }
    let chunks = write(&[start(), finish(FinishReason::ToolCalls), Event::End]);
    assert_eq!(chunks[1]["choices"][0]["finish_reason"], "stop", "no calls, no word for them");
}

#[test]
fn a_choice_always_finishes() {
    let chunks = write(&[start(), begin(0, PartKind::Text), text(0, "x"), Event::End]);
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
}

#[test]
fn pitfall_05_and_06_an_error_is_the_last_word() {
    let error = Event::Error(Box::new(ErrorInfo::new(ErrorClass::Overloaded, "busy")));
    let chunks = write(&[start(), error, Event::End]);
    assert_eq!(chunks.len(), 2);
    assert_eq!(chunks[1]["error"], json!({"message":"busy","type":"provider_error","param":null,"code":"overloaded"}));
}

#[test]
fn pitfall_44_foreign_state_is_sealed_with_its_words_and_comes_back() {
    let opaque = Opaque {
        family: Family::Anthropic,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static("c2ln"),
    };
    let stream = [
        start(),
        begin(0, PartKind::Reasoning),
        text(0, "h"),
        text(0, "m"),
        Event::Delta { part: PartKey(0), delta: Delta::Opaque(Box::new(opaque.clone())) },
        Event::PartEnd(PartKey(0)),
        begin(1, PartKind::Redacted(Opaque { kind: OpaqueKind::Redacted, ..opaque.clone() })),
        Event::PartEnd(PartKey(1)),
        finish(FinishReason::Stop),
    ];
    let found = deltas(&stream);
    assert_eq!((&found[1]["reasoning_content"], &found[2]["reasoning_content"]), (&json!("h"), &json!("m")));
    let entry = &found[3]["reasoning_details"][0];
    assert_eq!(entry["text"], "hm");
    let sealed = entry["signature"].as_str().expect("the state is there");
    assert_eq!(reply().sealer.open(sealed), Some(opaque));
    assert_eq!(found[4]["reasoning_details"][0]["type"], "reasoning.encrypted");
    // The client sends the entries back.
    let details = json!([entry, found[4]["reasoning_details"][0]]);
    let body = json!({"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"hm","reasoning_details":details}]});
    let parts = request(&body.to_string()).turns[0].parts.clone();
    assert!(matches!(&parts[0].content, PartContent::Reasoning(thought)
        if thought.text.as_deref() == Some("hm") && *thought.opaque[0].data == *sealed));
    assert!(matches!(&parts[1].content, PartContent::Reasoning(thought) if thought.redacted));
    let hidden = written(&stream, &Reply { show_reasoning: false, ..reply() });
    let hidden = String::from_utf8(hidden).expect("UTF-8");
    assert!(!hidden.contains("reasoning_content") && !hidden.contains("reasoning.text"));
}

#[test]
fn pitfall_49_a_thought_signature_rides_on_its_call() {
    let opaque = Opaque {
        family: Family::Gemini,
        kind: OpaqueKind::ThoughtSignature,
        model: None,
        id: None,
        data: Str::from_static("R0VN"),
    };
    let found = deltas(&[
        start(),
        begin_call(0, "a"),
        args(0, "{}"),
        Event::Delta { part: PartKey(0), delta: Delta::Opaque(Box::new(opaque.clone())) },
        Event::PartEnd(PartKey(0)),
    ]);
    let call = &found[3]["tool_calls"][0];
    assert_eq!((&call["index"], &call["function"]["arguments"]), (&json!(0), &json!("")));
    let sealed = call["extra_content"]["google"]["thought_signature"].as_str().expect("the state is there");
    assert_eq!(reply().sealer.open(sealed), Some(opaque));
}

#[test]
fn citations_have_all_four_members_in_characters() {
    let citation =
        Citation { span: None, url: Some(Str::from_static("https://x")), title: None, quoted: None, raw: None };
    let found = deltas(&[
        start(),
        begin(0, PartKind::Text),
        text(0, "zwölf"),
        Event::PartEnd(PartKey(0)),
        begin(1, PartKind::Text),
        text(1, "drei"),
        Event::Delta { part: PartKey(1), delta: Delta::Citation(Box::new(citation)) },
    ]);
    assert_eq!(
        found[3]["annotations"][0],
        json!({"type":"url_citation","url_citation":{"start_index":5,"end_index":9,"url":"https://x","title":"https://x"}})
    );
}

#[test]
fn several_choices_keep_their_numbers() {
    let of =
        |candidate| Event::PartStart(Box::new(PartStart { candidate, part: PartKey(candidate), kind: PartKind::Text }));
    let chunks = write(&[start(), of(0), of(1), text(1, "b"), text(0, "a"), Event::End]);
    let seen: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["index"].as_u64()).collect();
    assert_eq!(seen, [0, 1, 1, 0, 0, 1]);
}
