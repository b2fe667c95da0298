//! Token counts: the same streamed and whole, counted once, told to those who asked.

use bytes::Bytes;
use lockgate_filters::{
    dialects::{Reply, TapSpec, Upstream, upstreams},
    model::{Event, FinishReason, PartKind, Response, Start, Usage},
    stream::unfold,
};
use serde_json::{Value, json};

use crate::support::{
    answer, begin, calls, conversing, dialect, end, fold, framed, json_of, read, reply_to, say, stream, write,
};

/// 150 tokens of input, of which a cache gave 40 and another took 10; 25 of output, of which 5 are thoughts.
const USAGE: Usage = Usage {
    input_uncached: 100,
    input_cache_read: 40,
    input_cache_write_5m: 10,
    input_cache_write_1h: 0,
    input_cache_write_other: 0,
    input_tool_prompt: 0,
    output_visible: 20,
    output_reasoning: 5,
    input_audio: 0,
    output_audio: 0,
    prediction_accepted: 0,
    prediction_rejected: 0,
};

fn said() -> Response {
    let mut events = stream([begin(0, PartKind::Text), say(0, "hi"), end(0)], FinishReason::Stop);
    events.push(Event::Usage(Box::new(USAGE)));
    fold(&events).expect("it is whole")
}

fn whole(to: &dyn Upstream) -> Bytes {
    to.encode_response(&said(), &reply_to(to))
}

fn streamed(to: &dyn Upstream) -> Vec<u8> {
    let mut events = Vec::new();
    unfold(said(), &mut events);
    write(to, &events)
}

#[test]
fn pitfall_54_a_client_of_messages_gets_counts_at_both_ends() {
    let anthropic = dialect("anthropic");
    let usage = |events: Vec<Event>| {
        let data = json_of(&write(anthropic, &events));
        let start = data.iter().find(|data| data["type"] == "message_start").expect("it starts").clone();
        let delta = data.iter().find(|data| data["type"] == "message_delta").expect("it ends").clone();
        (start["message"]["usage"].clone(), delta["usage"].clone())
    };
    let mut counted_last = stream([begin(0, PartKind::Text), say(0, "hi"), end(0)], FinishReason::Stop);
    counted_last.insert(counted_last.len() - 1, Event::Usage(Box::new(USAGE)));
    let (first, last) = usage(counted_last.clone());
    assert_eq!(first["input_tokens"], 42, "an estimate, where the upstream has not counted");
    let exact = json!([100, 40, 10, 25]);
    let told = |usage: &Value| {
        json!([
            usage["input_tokens"],
            usage["cache_read_input_tokens"],
            usage["cache_creation_input_tokens"],
            usage["output_tokens"]
        ])
    };
    assert_eq!(told(&last), exact, "the end has all counts, those of the input too");
    let known = Start { usage: Some(Usage { output_visible: 1, output_reasoning: 0, ..USAGE }), ..Start::default() };
    counted_last[0] = Event::Start(Box::new(known));
    let (first, last) = usage(counted_last);
    assert_eq!((told(&first), told(&last)), (json!([100, 40, 10, 1]), exact));
}

#[test]
fn pitfall_55_counts_are_the_same_streamed_and_whole_and_in_passing() {
    for to in upstreams() {
        let name = to.name();
        let (body, bytes) = (whole(to), streamed(to));
        let of_whole = to.decode_response(&body).expect("it is an answer").usage.expect("it has counts");
        let of_stream = answer(to, &bytes).usage.expect("the stream has counts");
        assert_eq!(of_whole, of_stream, "{name}");
        assert_eq!(to.inspect_response(&body).usage, Some(of_whole), "{name}: at a glance");
        let mut tap = to.tap(TapSpec::default());
        tap.feed(Bytes::from(bytes), &mut Vec::new());
        tap.finish(&mut Vec::new());
        assert_eq!(tap.usage(), Some(&of_whole), "{name}: in passing");
        assert_eq!((of_whole.input(), of_whole.output()), (150, 25), "{name}: all tokens, whoever counts");
    }
}

/// Where counts stand in whole answers, and what [`USAGE`] is there.
fn wires() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "openai_chat",
            "/usage",
            json!({"prompt_tokens": 150, "completion_tokens": 25, "total_tokens": 175,
                "prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens_details": {"reasoning_tokens": 5}}),
        ),
        (
            "openai_responses",
            "/usage",
            json!({"input_tokens": 150, "output_tokens": 25, "total_tokens": 175,
                "input_tokens_details": {"cached_tokens": 40}, "output_tokens_details": {"reasoning_tokens": 5}}),
        ),
        (
            "anthropic",
            "/usage",
            json!({"input_tokens": 100, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 10,
                "output_tokens": 25}),
        ),
        (
            "bedrock_converse",
            "/usage",
            json!({"inputTokens": 100, "cacheReadInputTokens": 40, "cacheWriteInputTokens": 10, "outputTokens": 25,
                "totalTokens": 175}),
        ),
        (
            "gemini",
            "/usageMetadata",
            json!({"promptTokenCount": 150, "cachedContentTokenCount": 40, "candidatesTokenCount": 20,
                "thoughtsTokenCount": 5, "totalTokenCount": 175}),
        ),
        ("cohere", "/usage", json!({"tokens": {"input_tokens": 150, "output_tokens": 25}, "cached_tokens": 40})),
        ("ollama", "", json!({"prompt_eval_count": 150, "eval_count": 25})),
    ]
}

/// Whether all members of `expected` are in `found`.
fn holds(found: &Value, expected: &Value) -> bool {
    match expected {
        Value::Object(members) => members.iter().all(|(name, value)| holds(&found[name], value)),
        // Some wires write whole numbers as fractions.
        _ => found == expected || found.as_f64().is_some_and(|found| Some(found) == expected.as_f64()),
    }
}

#[test]
fn pitfall_56_and_57_and_58_cached_tokens_are_counted_once_by_everybody() {
    for (from, pointer, expected) in wires() {
        let body = whole(dialect(from));
        let found: Value = serde_json::from_slice(&body).expect("an answer is JSON");
        let found = found.pointer(pointer).unwrap_or_else(|| panic!("{from}: {found}"));
        assert!(holds(found, &expected), "{from}: {found} must hold {expected}");
        let read = dialect(from).decode_response(&body).expect("it is an answer");
        let usage = read.usage.expect("it has counts");
        assert_eq!((usage.input(), usage.output(), usage.total()), (150, 25, 175), "{from}");
        // From there to all others: nothing is added or taken away.
        for to in upstreams() {
            let told = to.decode_response(&to.encode_response(&read, &reply_to(to))).expect("it is an answer");
            let usage = told.usage.expect("it has counts");
            assert_eq!((usage.input(), usage.output()), (150, 25), "{from} to {}", to.name());
        }
    }
    // What includes the cache on one wire is without it on the other.
    let body = json!({"id": "c", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 900}}});
    let read = dialect("openai_chat").decode_response(&Bytes::from(body.to_string())).expect("it is an answer");
    let told = dialect("anthropic").encode_response(&read, &reply_to(dialect("anthropic")));
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    let usage = &told["usage"];
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(100), &json!(900)));
}

#[test]
fn pitfall_59_and_60_usage_comes_to_those_who_ask_in_a_chunk_of_its_own() {
    let chat = dialect("openai_chat");
    let mut events = Vec::new();
    unfold(said(), &mut events);
    let written = |include_usage| {
        let mut encoder = chat.stream_encoder(&Reply { include_usage, ..reply_to(chat) });
        let mut out = bytes::BytesMut::new();
        for event in &events {
            encoder.encode(event, &mut out);
        }
        json_of(&out)
    };
    let told = written(true);
    let with: Vec<&Value> = told.iter().filter(|chunk| chunk["usage"].is_object()).collect();
    assert_eq!((with.len(), &with[0]["choices"]), (1, &json!([])), "`choices` is there, and empty");
    assert!(told.iter().all(|chunk| chunk["choices"].is_array()));
    assert!(written(false).iter().all(|chunk| chunk.get("usage").is_none_or(Value::is_null)), "nobody asked");
    // In passing, the chunk that only the gateway asked for goes missing, and no other.
    let bytes = write(chat, &events);
    for strip_usage in [true, false] {
        let mut tap = chat.tap(TapSpec { strip_usage, json_array: false });
        let mut out = Vec::new();
        tap.feed(Bytes::from(bytes.clone()), &mut out);
        tap.finish(&mut out);
        let told = json_of(&out.concat());
        let with = told.iter().filter(|chunk| chunk["usage"].is_object()).count();
        assert_eq!(
            (with, told.len()),
            if strip_usage { (0, json_of(&bytes).len() - 1) } else { (1, json_of(&bytes).len()) }
        );
        assert_eq!(tap.usage().map(Usage::total), Some(175), "it is counted either way");
    }
}

#[test]
fn pitfall_61_chunks_without_choice_or_delta_say_nothing() {
    let odd = [
        json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": []}),
        json!({"id": "c", "choices": [{"index": 0, "finish_reason": null, "content_filter_results": {}}]}),
        json!({"id": "c", "choices": [{"index": 0, "delta": null}]}),
        json!({"id": "c", "choices": null}),
        json!({"id": "c"}),
    ];
    let plain = [
        json!({"id": "c", "choices": [{"index": 0, "delta": {"content": "hi"}}]}),
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    ];
    let expected = answer(dialect("openai_chat"), &framed("openai_chat", &plain));
    for odd in odd {
        let mixed = [odd.clone(), plain[0].clone(), odd.clone(), plain[1].clone(), odd.clone()];
        let found = answer(dialect("openai_chat"), &framed("openai_chat", &mixed));
        assert_eq!(found.candidates, expected.candidates, "{odd}");
    }
    // Gemini's, too.
    let data = [
        json!({"usageMetadata": {"promptTokenCount": 1}}),
        json!({"candidates": []}),
        json!({"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}),
    ];
    let events = read(dialect("gemini"), &framed("gemini", &data));
    for to in conversing() {
        let told = answer(to, &write(to, &events));
        assert_eq!((told.candidates.len(), calls(&told).len()), (1, 0), "{}", to.name());
    }
}
