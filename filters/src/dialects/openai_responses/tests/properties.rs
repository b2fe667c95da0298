//! What holds for any input.

use proptest::prelude::*;

use super::*;
use crate::{
    model::{
        CallKind, Family, Field, Opaque, OpaqueKind, Part, PartContent, Reasoning, Role, ToolCall, ToolResult, Turn,
    },
    stream::hidden,
};

/// Pieces of streams, good ones and odd ones, that a stream is put together from.
const DATA: &[&str] = &[
    r#"{"type":"response.created","response":{"id":"r","model":"m","created_at":1,"output":[]},"sequence_number":0}"#,
    r#"{"type":"response.in_progress","response":{"id":"r"},"sequence_number":1}"#,
    r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m0"},"sequence_number":2}"#,
    r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"reasoning","id":"r1"}}"#,
    r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c2","name":"f","arguments":""}}"#,
    r#"{"type":"response.output_item.added","output_index":3,"item":{"type":"custom_tool_call","call_id":"c3","name":"g"}}"#,
    r#"{"type":"response.output_item.added","output_index":4,"item":{"type":"web_search_call","id":"w"}}"#,
    r#"{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
    r#"{"type":"response.content_part.added","output_index":0,"content_index":1,"part":{"type":"refusal","refusal":""}}"#,
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Grüße ","sequence_number":7,"obfuscation":"x"}"#,
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"plain","sequence_number":8,"obfuscation":"xyz"}"#,
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a\nb","sequence_number":9,"obfuscation":""}"#,
    r#"{"type":"response.refusal.delta","output_index":0,"content_index":1,"delta":"no"}"#,
    r#"{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{"type":"url_citation","url":"u","start_index":0,"end_index":1}}"#,
    r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"Grüße plain and more"}"#,
    r#"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"x"}}"#,
    r#"{"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":0,"delta":"hm"}"#,
    r#"{"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":1,"delta":"so"}"#,
    r#"{"type":"response.reasoning_text.delta","output_index":1,"content_index":0,"delta":"raw"}"#,
    r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"a\""}"#,
    r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":":1","sequence_number":11}"#,
    r#"{"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"a\":1}"}"#,
    r#"{"type":"response.custom_tool_call_input.delta","output_index":3,"delta":"x"}"#,
    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"whole"}]}}"#,
    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"reasoning","id":"r1","summary":[],"encrypted_content":"blob"}}"#,
    r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c2","name":"f","arguments":"{\"a\":1}"}}"#,
    r#"{"type":"response.output_item.done","output_index":3,"item":{"type":"custom_tool_call","call_id":"c3","name":"g","input":"xy"}}"#,
    r#"{"type":"response.output_item.done","output_index":4,"item":{"type":"web_search_call","id":"w","action":{"type":"search","query":"q"}}}"#,
    r#"{"type":"response.shell_call_output_content.delta","output_index":5,"delta":{"stdout":"x"}}"#,
    r#"{"type":"keepalive","sequence_number":4}"#,
    r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2}}}"#,
    r#"{"type":"response.incomplete","response":{"id":"r","status":"incomplete","output":[],"incomplete_details":{"reason":"max_output_tokens"}}}"#,
    r#"{"type":"error","error":{"message":"no","code":"server_error"}}"#,
    "[DONE]",
];

/// Checks the contract of decoders over a stream's events.
fn check(events: &[Event]) {
    let (mut begun, mut open, mut finishes) = (Vec::new(), Vec::new(), 0);
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(_) => assert_eq!(at, 0, "the start comes first"),
            Event::PartStart(start) => {
                assert!(!begun.contains(&start.part), "a key is used once");
                begun.push(start.part);
                open.push(start.part);
            }
            Event::Delta { part, .. } => assert!(open.contains(part), "a delta is for an open part"),
            Event::PartEnd(part) => {
                assert!(open.contains(part), "a part ends once");
                open.retain(|key| key != part);
            }
            Event::Finish { .. } => {
                assert!(open.is_empty(), "the answer finishes after its parts");
                finishes += 1;
            }
            Event::End => assert_eq!(at + 1, events.len(), "nothing follows the end"),
            _ => {}
        }
    }
    assert!(finishes <= 1 && matches!(events.last(), Some(Event::End)), "a stream ends once");
}

proptest! {
    #[test]
    fn pitfall_36_and_37_and_38_and_39_and_40_any_stream_keeps_the_contract_and_is_written_legally(picks in prop::collection::vec(prop::sample::select(DATA), 0..24)) {
        let stream = framed(&picks);
        let whole = events(&[stream.as_bytes()]);
        check(&whole);
        prop_assert_eq!(&events(&[framed(&hidden(&picks)).as_bytes()]), &whole, "the fast path differs");
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        prop_assert_eq!(&events(&pieces), &whole);
        let bytes = written(&whole, &reply());
        let Ok(folded) = fold(&whole) else { return Ok(()) };
        legal::check(&bytes);
        let again = events(&[&bytes]);
        check(&again);
        let told = |response: &Response| -> String {
            response.candidates.iter().flat_map(|candidate| &candidate.parts).map(|part| match &part.content {
                PartContent::Text(text) | PartContent::Refusal(text) => text.to_string(),
                PartContent::ToolCall(call) => format!("<{} {}>", call.id, call.args),
                _ => String::new(),
            }).collect()
        };
        let again = fold(&again).expect("what was written reads back");
        // Items that interleaved come one after the other; each says what it said.
        let sorted = |text: String| { let mut chars: Vec<char> = text.chars().collect(); chars.sort_unstable(); chars };
        prop_assert_eq!(sorted(told(&again)), sorted(told(&folded)));
        prop_assert_eq!(again.usage, folded.usage);
    }

    #[test]
    fn the_fast_path_agrees_with_the_slow_one(texts in prop::collection::vec("[a-zäß\"\\\\\n\t ]{0,8}", 1..12), pad in "[a-z\"]{0,5}", first in any::<bool>()) {
        let data: Vec<String> = texts.iter().enumerate().map(|(at, text)| {
            let (text, pad) = (serde_json::to_string(text).expect("text"), serde_json::to_string(&pad).expect("text"));
            if first {
                format!(r#"{{"type":"response.output_text.delta","sequence_number":{at},"output_index":0,"content_index":0,"delta":{text},"logprobs":[],"obfuscation":{pad}}}"#)
            } else {
                format!(r#"{{"content_index":0,"delta":{text},"logprobs":[],"obfuscation":{pad},"output_index":0,"sequence_number":{at},"type":"response.output_text.delta"}}"#)
            }
        }).collect();
        let mut fast = Vec::new();
        OpenAiResponses.stream_decoder().feed(Bytes::from(framed(&data)), &mut fast).expect("the stream is good");
        let mut slow = Vec::new();
        let mut decoder = OpenAiResponses.stream_decoder();
        for data in &data {
            // What follows an end of another item is not like anything before.
            let between = r#"{"type":"response.output_item.done","output_index":9,"item":{"type":"reasoning","summary":[]}}"#;
            decoder.feed(Bytes::from(framed(&[between, data.as_str()])), &mut slow).expect("the stream is good");
        }
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed_all(&bytes);
    }

    #[test]
    fn any_change_of_a_good_body_is_read_or_refused(pick in prop::sample::select(DATA), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = pick.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        feed_all(&bytes);
        let mut framed = b"data: ".to_vec();
        framed.extend_from_slice(&bytes);
        framed.extend_from_slice(b"\n\n");
        feed_all(&framed);
    }

    #[test]
    fn any_conversation_survives_up_to_the_reported_losses(turns in prop::collection::vec(turn(), 1..8)) {
        let request = Request { turns, ..Request::default() };
        let Ok(encoded) = encode_with(&request, "gpt-5", &[]) else { return Ok(()) };
        let body = String::from_utf8(encoded.body.to_vec()).expect("JSON is UTF-8");
        // A conversation of which nothing is left was refused.
        let again = decode(&body).expect("what was written reads back");
        let lossy = |field: Field| encoded.losses.iter().any(|loss| loss.field == field);
        let paired = !lossy(Field::ToolResult);
        prop_assert_eq!(said(&again, paired), said(&request, paired));
        let thoughts = |request: &Request| count(request, |content| matches!(content, PartContent::Reasoning(_)));
        prop_assert!(lossy(Field::ReasoningHistory) || thoughts(&again) == thoughts(&request));
    }
}

fn count(request: &Request, is: impl Fn(&PartContent) -> bool) -> usize {
    request.turns.iter().flat_map(|turn| &turn.parts).filter(|part| is(&part.content)).count()
}

/// What is said by whom; calls and results only where all of them were paired, because stand-ins are made up.
fn said(request: &Request, paired: bool) -> Vec<(Role, String)> {
    let mut all: Vec<(Role, String)> = Vec::new();
    for turn in &request.turns {
        for part in &turn.parts {
            let text = match &part.content {
                PartContent::Text(text) | PartContent::Refusal(text) if !text.is_empty() && paired => text.to_string(),
                PartContent::ToolCall(call) => format!("<{} {} {}>", call.id, call.name, call.args),
                PartContent::ToolResult(result) if paired => {
                    let texts = result.parts.iter().filter_map(Part::as_text).map(|text| &**text);
                    format!("({} {})", result.call, texts.collect::<String>())
                }
                _ => continue,
            };
            all.push((turn.role, text));
        }
    }
    // Results come before what else was said in their turn.
    all.sort_by_key(|(role, text)| (*role as u8, text.clone()));
    all
}

fn turn() -> impl Strategy<Value = Turn> {
    let words = || "[a-zé\"\\\\]{0,6}".prop_map(Str::from);
    let id = || prop::sample::select(&["a", "b", "c"][..]).prop_map(Str::from_static);
    let thought = (words(), any::<bool>(), any::<bool>()).prop_map(|(text, has_state, is_own)| {
        let family = if is_own { Family::OpenAi } else { Family::Anthropic };
        let data = Str::from_static("blob");
        let opaque =
            Opaque { family, kind: OpaqueKind::Encrypted, model: None, id: Some(Str::from_static("rs")), data };
        PartContent::Reasoning(Reasoning {
            text: Some(text),
            redacted: false,
            opaque: has_state.then_some(opaque).into_iter().collect(),
        })
    });
    let assistant = prop_oneof![
        words().prop_map(PartContent::Text),
        words().prop_map(PartContent::Refusal),
        thought,
        (id(), any::<bool>(), words()).prop_map(|(id, is_free, args)| {
            let (kind, args) =
                if is_free { (CallKind::Custom, args) } else { (CallKind::Function, Str::from_static("{\"x\":1}")) };
            PartContent::ToolCall(ToolCall { id, name: Str::from_static("f"), kind, args })
        }),
    ];
    let user = prop_oneof![
        words().prop_map(PartContent::Text),
        (id(), words()).prop_map(|(call, text)| {
            let parts = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
            PartContent::ToolResult(ToolResult { call, name: None, parts, json: None, is_error: false })
        }),
    ];
    let parts = |content: BoxedStrategy<PartContent>| prop::collection::vec(content.prop_map(Part::new), 0..4);
    prop_oneof![
        parts(assistant.boxed()).prop_map(|parts| Turn { role: Role::Assistant, parts, name: None }),
        parts(user.boxed()).prop_map(|parts| Turn { role: Role::User, parts, name: None }),
    ]
}

fn feed_all(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    drop(OpenAiResponses.inspect(&CallHead::default(), &body));
    drop(OpenAiResponses.decode_request(&CallHead::default(), &body));
    drop(OpenAiResponses.decode_response(&body));
    drop(OpenAiResponses.inspect_response(&body));
    assert!(!OpenAiResponses.decode_error(500, bytes).message.is_empty());
    let mut events = Vec::new();
    let mut decoder = OpenAiResponses.stream_decoder();
    if decoder.feed(body, &mut events).is_ok() {
        drop(decoder.finish(&mut events));
    }
}
