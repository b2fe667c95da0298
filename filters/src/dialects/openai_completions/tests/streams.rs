//! Streams, fact by fact.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{Delta, ErrorClass, Finish, FinishReason, PartKey, PartKind, PartStart, RawJson, Usage};

fn framed(data: &[&str]) -> Vec<u8> {
    data.iter().flat_map(|data| ["data: ", data, "\n\n"]).collect::<String>().into_bytes()
}

fn start(part: u32, candidate: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate, part: PartKey(part), kind }))
}

fn text(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

fn finish(candidate: u32, reason: FinishReason) -> Event {
    Event::Finish { candidate, finish: Box::new(Finish::new(reason)) }
}

#[test]
fn a_stream_is_text_a_reason_usage_and_the_end() {
    let usage = Usage { input_uncached: 3, output_visible: 2, ..Usage::default() };
    let stream = [
        Event::Start(Box::default()),
        start(0, 0, PartKind::Text),
        text(0, "Hé"),
        text(0, "\n"),
        finish(0, FinishReason::Length),
        Event::Usage(Box::new(usage)),
        Event::End,
    ];
    let found = chunks(&written(&stream, &reply()));
    let chunk = |choices: Value, usage: Value| {
        json!({"id": "cmpl-minted", "object": "text_completion", "created": 1_700_000_000, "model": "client-model",
            "choices": choices, "usage": usage})
    };
    let choice =
        |text: &str, reason: Value| json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}]);
    assert_eq!(found[0], chunk(choice("Hé", Value::Null), Value::Null));
    assert_eq!(found[1], chunk(choice("\n", Value::Null), Value::Null));
    assert_eq!(found[2], chunk(choice("", json!("length")), Value::Null));
    assert_eq!((&found[3]["choices"], &found[3]["usage"]["total_tokens"]), (&json!([]), &json!(5)));
    assert_eq!((found[4].clone(), found.len()), (Value::Null, 5));
    // Pitfall 59: nobody gets usage that was not asked for.
    let uninvited = chunks(&written(&stream, &Reply { include_usage: false, ..reply() }));
    assert!(uninvited.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn several_answers_keep_their_numbers() {
    let found = chunks(&written(
        &[
            start(0, 0, PartKind::Text),
            start(1, 1, PartKind::Text),
            text(1, "b"),
            text(0, "a"),
            text(1, "c"),
            finish(0, FinishReason::Stop),
            finish(1, FinishReason::ContentFilter),
            Event::End,
        ],
        &reply(),
    ));
    let said: Vec<_> = found.iter().filter_map(|chunk| chunk["choices"].get(0)).collect();
    let numbers: Vec<_> = said.iter().map(|choice| (choice["text"].as_str(), choice["index"].as_u64())).collect();
    assert_eq!(numbers[..3], [(Some("b"), Some(1)), (Some("a"), Some(0)), (Some("c"), Some(1))]);
    assert_eq!(said.iter().filter(|choice| !choice["finish_reason"].is_null()).count(), 2);
}

#[test]
fn thinking_and_calls_are_no_text() {
    let found = written(
        &[start(0, 0, PartKind::Reasoning), text(0, "secret"), finish(0, FinishReason::Stop), Event::End],
        &reply(),
    );
    assert!(!String::from_utf8_lossy(&found).contains("secret"));
    let refused = chunks(&written(
        &[start(0, 0, PartKind::Refusal), text(0, "No."), finish(0, FinishReason::Stop), Event::End],
        &reply(),
    ));
    assert_eq!(
        (&refused[0]["choices"][0]["text"], &refused[1]["choices"][0]["finish_reason"]),
        (&json!("No."), &json!("content_filter"))
    );
}

#[test]
fn log_probabilities_follow_their_text() {
    let rows = |token: &str| {
        let rows = json!([{"token": token, "logprob": -0.5, "bytes": null, "top_logprobs": []}]);
        let rows = RawJson::from_value(&rows);
        Event::Delta { part: PartKey(0), delta: Delta::Logprobs(Box::new(rows)) }
    };
    let bytes = written(
        &[
            start(0, 0, PartKind::Text),
            text(0, "Hé"),
            rows("Hé"),
            text(0, "!"),
            rows("!"),
            finish(0, FinishReason::Stop),
            Event::End,
        ],
        &reply(),
    );
    let found = chunks(&bytes);
    assert_eq!(found[1]["choices"][0]["logprobs"]["text_offset"], json!([0]));
    assert_eq!(found[3]["choices"][0]["logprobs"]["text_offset"], json!([2]));
    let response = fold(&events(&[&bytes])).expect("it is our own");
    let logprobs = response.candidates[0].logprobs.as_ref().expect("they are kept").to_value();
    assert_eq!(logprobs["content"].as_array().map(Vec::len), Some(2));
}

/// Pitfalls 4, 5 and 60.
#[test]
fn streams_end_in_an_answer_or_in_an_error() {
    let code = |bytes: &[u8]| match events(&[bytes]).as_slice() {
        [.., Event::Error(error), Event::End] => {
            error.code.as_deref().map(ToOwned::to_owned).or_else(|| Some(format!("{:?}", error.class)))
        }
        _ => None,
    };
    let word = r#"{"id":"c","choices":[{"text":"a","index":0,"finish_reason":null}]}"#;
    let done = r#"{"id":"c","choices":[{"text":"","index":0,"finish_reason":"stop"}]}"#;
    assert_eq!(code(&framed(&[word])).as_deref(), Some("stream_truncated"));
    assert_eq!(code(b": hello\n\n").as_deref(), Some("empty_stream"));
    assert_eq!(code(&framed(&["[DONE]"])).as_deref(), Some("empty_stream"));
    assert_eq!(code(&framed(&[word, r#"{"error":{"message":"no","code":429}}"#, word])).as_deref(), Some("RateLimit"));
    assert_eq!(code(&framed(&[word, done])), None, "some leave the terminator out");
    assert_eq!(
        code(&framed(&[
            word,
            done,
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
            "[DONE]"
        ])),
        None
    );
    let error = events(&[&framed(&[r#"{"error":{"message":"no","type":"overloaded_error"}}"#])]);
    let [Event::Error(error), Event::End] = error.as_slice() else { panic!("{error:?}") };
    assert_eq!(error.class, ErrorClass::Overloaded);
    let written = written(&[Event::Error(error.clone()), Event::End], &reply());
    assert_eq!(chunks(&written)[0]["error"]["message"], "no");
    let huge = framed(&[r#"{"choices":[{"text":"a","index":4000000000}]}"#]);
    assert!(OpenAiCompletions.stream_decoder().feed(Bytes::from(huge), &mut Vec::new()).is_err());
}

#[test]
fn text_of_a_steady_stream_is_a_slice() {
    let event = |text: &str| {
        framed(&[&format!(
            r#"{{"id":"c","choices":[{{"text":"{text}","index":0,"logprobs":null,"finish_reason":null}}],"obfuscation":"{text}x"}}"#
        )])
    };
    let mut decoder = OpenAiCompletions.stream_decoder();
    let mut found = Vec::new();
    decoder.feed(Bytes::from(event("one")), &mut found).expect("it is good");
    decoder.feed(Bytes::from(event("two")), &mut found).expect("it is good");
    found.clear();
    let chunk = Bytes::from(event("three"));
    decoder.feed(chunk.clone(), &mut found).expect("it is good");
    let [Event::Delta { delta: Delta::Text(text), .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(&**text, "three");
    assert!(chunk.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(
        texts in prop::collection::vec("[ -~é😀\n]{0,8}", 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut stream = vec![Event::Start(Box::default()), start(0, 0, PartKind::Text)];
        stream.extend(texts.iter().map(|said| text(0, said)));
        stream.extend([finish(0, FinishReason::Stop), Event::End]);
        let body = written(&stream, &reply());
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        at.extend([0, body.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        let whole = events(&[&body]);
        prop_assert_eq!(events(&pieces), whole.clone());
        let said: String = whole.iter().filter_map(|event| match event {
            Event::Delta { delta: Delta::Text(text), .. } => Some(&**text),
            _ => None,
        }).collect();
        prop_assert_eq!(said, texts.concat());
    }
}
