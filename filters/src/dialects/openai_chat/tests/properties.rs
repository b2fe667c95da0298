//! What holds for any input.

use proptest::prelude::*;

use super::*;
use crate::{dialects::StreamDecoder, stream::hidden};

/// Pieces of streams, good ones and odd ones, that a stream is put together from.
const DATA: &[&str] = &[
    r#"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Grüße "},"finish_reason":null}],"obfuscation":"aXb"}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a\nb"},"finish_reason":null}],"obfuscation":"q"}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"plain"},"finish_reason":null}],"obfuscation":"longer"}"#,
    r#"{"id":"c","model":"m","choices":[{"index":1,"delta":{"content":"other"},"finish_reason":null}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"x"}]},{"type":"text","text":"y"}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":{"x":1}}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":3,"id":"d","function":{"name":"f","arguments":""}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":3,"function":{"arguments":"{\"a\":"}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1"}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":3,"function":{"arguments":""}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"e","function":{"name":"f","arguments":"}"}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"[]"}}]}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{"refusal":"no"}}]}"#,
    r#"{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    r#"{"choices":[{"index":0,"content_filter_results":{}}]}"#,
    r#"{"choices":[],"prompt_filter_results":[]}"#,
    r#"{"choices":[],"error":{"message":"no","code":500}}"#,
    "[DONE]",
];

/// Checks the contract of decoders over a stream's events.
fn check(events: &[Event]) {
    let (mut begun, mut open, mut finished) = (Vec::new(), Vec::new(), Vec::new());
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(_) => assert_eq!(at, 0, "the start comes first"),
            Event::PartStart(start) => {
                assert!(!begun.contains(&start.part), "a key is used once");
                begun.push(start.part);
                open.push((start.part, start.candidate));
            }
            Event::Delta { part, .. } => {
                assert!(open.iter().any(|(key, _)| key == part), "a delta is for an open part");
            }
            Event::PartEnd(part) => {
                assert!(open.iter().any(|(key, _)| key == part), "a part ends once");
                open.retain(|(key, _)| key != part);
            }
            Event::Finish { candidate, .. } => {
                assert!(!finished.contains(candidate), "a candidate finishes once");
                assert!(open.iter().all(|(_, of)| of != candidate), "a candidate finishes after its parts");
                finished.push(*candidate);
            }
            Event::End => assert_eq!(at + 1, events.len(), "nothing follows the end"),
            _ => {}
        }
    }
    assert!(matches!(events.last(), Some(Event::End)), "a stream ends");
}

proptest! {
    #[test]
    fn any_stream_keeps_the_contract(picks in prop::collection::vec(prop::sample::select(DATA), 0..24)) {
        let stream = framed(&picks);
        let whole = events(&[stream.as_bytes()]);
        check(&whole);
        prop_assert_eq!(&events(&[framed(&hidden(&picks)).as_bytes()]), &whole, "the fast path differs");
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        prop_assert_eq!(&events(&pieces), &whole);
        // What is written of it is a legal stream too, and says the same.
        let bytes = written(&whole, &reply());
        check(&events(&[&bytes]));
        let text = |events: &[Event]| fold(events).ok().map(|response| {
            let parts = response.candidates.into_iter().flat_map(|candidate| candidate.parts);
            parts.filter_map(|part| part.as_text().map(ToString::to_string)).collect::<String>()
        });
        if !whole.iter().any(|event| matches!(event, Event::Error(_))) && picks.iter().all(|data| !data.contains("\"index\":1")) {
            prop_assert_eq!(text(&events(&[&bytes])), text(&whole));
        }
    }

    #[test]
    fn the_fast_path_agrees_with_the_slow_one(texts in prop::collection::vec("[a-zäß\"\\\\\n\t ]{0,8}", 1..12), pad in "[a-z\"]{0,5}") {
        let data: Vec<String> = texts.iter().map(|text| {
            let (text, pad) = (serde_json::to_string(text).expect("text"), serde_json::to_string(&pad).expect("text"));
            format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":{text}}},"finish_reason":null}}],"obfuscation":{pad}}}"#)
        }).collect();
        let stream = framed(&data);
        let mut decoder = OpenAiChat.stream_decoder();
        let mut fast = Vec::new();
        decoder.feed(Bytes::from(stream), &mut fast).expect("the stream is good");
        // Without a template every event takes the slow path: each comes after one that cannot be learnt.
        let mut slow = Vec::new();
        let mut decoder = OpenAiChat.stream_decoder();
        for data in &data {
            let between = r#"{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}"#;
            decoder.feed(Bytes::from(format!("data: {between}\n\ndata: {data}\n\n")), &mut slow).expect("the stream is good");
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
        let mut decoder = OpenAiChat.stream_decoder();
        let mut events = Vec::new();
        let fed = decoder.feed(Bytes::from(framed), &mut events);
        let ended = finish(&mut *decoder, &mut events);
        prop_assert!(fed.is_err() || ended.is_err() || !events.is_empty());
    }
}

fn finish(decoder: &mut dyn StreamDecoder, events: &mut Vec<Event>) -> Result<(), crate::model::FilterError> {
    decoder.finish(events)
}

fn feed_all(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    drop(OpenAiChat.inspect(&CallHead::default(), &body));
    drop(OpenAiChat.decode_request(&CallHead::default(), &body));
    drop(OpenAiChat.decode_response(&body));
    drop(OpenAiChat.inspect_response(&body));
    assert!(!OpenAiChat.decode_error(500, bytes).message.is_empty());
    let mut events = Vec::new();
    let mut decoder = OpenAiChat.stream_decoder();
    if decoder.feed(body, &mut events).is_ok() {
        drop(decoder.finish(&mut events));
    }
}
