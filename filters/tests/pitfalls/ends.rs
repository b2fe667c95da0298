//! Ends: why an answer finished, answers of nothing, and sequences at which to stop.

use lockgate_filters::{
    dialects::{Upstream, upstreams},
    model::{Event, Field, FinishReason, Response, Str},
};
use serde_json::{Value, json};

use crate::support::{
    answer, args, asking, begin_call, body_of, calls, conversing, dialect, encode, end, finish, fold, framed, json_of,
    read, read_request, reply_to, start, stream, user, write,
};

/// A call, and then in an event of its own a normal stop.
fn called_then_stopped(name: &str) -> Vec<Value> {
    let function = json!({"name": "f", "arguments": {}});
    match name {
        "openai_chat" => {
            let function = json!({"name": "f", "arguments": "{}"});
            let delta = json!({"tool_calls": [{"index": 0, "id": "a", "function": function}]});
            vec![
                json!({"choices": [{"index": 0, "delta": delta}]}),
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            ]
        }
        "anthropic" => vec![
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {}}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
            json!({"type": "message_stop"}),
        ],
        "gemini" => vec![
            json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}, "index": 0}]}),
            json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "index": 0}]}),
            json!({"candidates": [{"finishReason": "STOP", "index": 0}]}),
        ],
        "cohere" => {
            let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}});
            vec![
                json!({"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant"}}}),
                json!({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}}),
                json!({"type": "tool-call-end", "index": 0}),
                json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
            ]
        }
        "ollama" => vec![
            json!({"model": "m", "message": {"role": "assistant", "tool_calls": [{"function": function}]}, "done": false}),
            json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop"}),
        ],
        _ => panic!("no stream of {name} is written here"),
    }
}

#[test]
fn pitfall_29_a_stop_behind_calls_says_that_tools_are_to_run() {
    for from in ["openai_chat", "anthropic", "gemini", "cohere", "ollama"] {
        let events = read(dialect(from), &framed(from, &called_then_stopped(from)));
        let told = fold(&events).expect("it is whole");
        assert_eq!((calls(&told).len(), told.candidates[0].finish.reason), (1, FinishReason::ToolCalls), "{from}");
        for to in conversing() {
            let reason = answer(to, &write(to, &events)).candidates[0].finish.reason;
            assert_eq!(reason, FinishReason::ToolCalls, "{from} to {}", to.name());
        }
    }
}

#[test]
fn pitfall_30_no_other_reason_is_masked_by_calls() {
    for to in conversing() {
        for (reason, expected) in [
            (FinishReason::Length, &[FinishReason::Length][..]),
            (FinishReason::ContentFilter, &[FinishReason::ContentFilter, FinishReason::Refusal]),
        ] {
            // This wire has no word for a filter.
            if to.name() == "ollama" && reason == FinishReason::ContentFilter {
                continue;
            }
            let said = [begin_call(0, "call_1"), args(0, "{}"), end(0)];
            let told = reasons(to, &stream(said, reason));
            assert!(told.iter().all(|told| expected.contains(told)), "{}: {reason:?} became {told:?}", to.name());
        }
    }
    for (from, word, masked) in [("gemini", "STOP", "MAX_TOKENS"), ("gemini", "STOP", "SAFETY")] {
        let data: Vec<Value> = called_then_stopped(from)
            .iter()
            .map(|data| serde_json::from_str(&data.to_string().replace(word, masked)).expect("JSON"))
            .collect();
        let reason = answer(dialect(from), &framed(from, &data)).candidates[0].finish.reason;
        assert_ne!(reason, FinishReason::ToolCalls, "{masked}");
    }
}

#[test]
fn pitfall_31_an_end_without_content_is_an_end() {
    let said = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "index": 0}]});
    for last in [
        json!({"finishReason": "STOP"}),
        json!({"finishReason": "STOP", "content": {}}),
        json!({"finishReason": "STOP", "content": {"role": "model"}, "index": 0}),
        json!({"finishReason": "STOP", "content": {"parts": []}}),
        json!({"finishReason": "STOP", "content": null}),
    ] {
        let data = [said.clone(), json!({"candidates": [last]})];
        let reason = answer(dialect("gemini"), &framed("gemini", &data)).candidates[0].finish.reason;
        assert_eq!(reason, FinishReason::Stop, "{}", data[1]);
    }
    let said = json!({"choices": [{"index": 0, "delta": {"content": "a"}}]});
    for last in [
        json!({"index": 0, "finish_reason": "stop"}),
        json!({"index": 0, "finish_reason": "stop", "delta": null}),
        json!({"index": 0, "finish_reason": "stop", "delta": {"content": null}}),
    ] {
        let data = [said.clone(), json!({"choices": [last]})];
        let reason = answer(dialect("openai_chat"), &framed("openai_chat", &data)).candidates[0].finish.reason;
        assert_eq!(reason, FinishReason::Stop, "{}", data[1]);
    }
}

#[test]
fn pitfall_32_an_answer_of_nothing_is_still_one_answer_with_a_reason() {
    let empty = vec![start(), finish(FinishReason::Stop), Event::End];
    for to in upstreams() {
        let name = to.name();
        let body = to.encode_response(&fold(&empty).expect("it is whole"), &reply_to(to));
        let whole = to.decode_response(&body).unwrap_or_else(|error| panic!("{name}: {error}: {body:?}"));
        for told in [whole, answer(to, &write(to, &empty))] {
            let reasons: Vec<_> = told.candidates.iter().map(|candidate| candidate.finish.reason).collect();
            assert_eq!(reasons, [FinishReason::Stop], "{name}");
        }
    }
    let body = dialect("openai_chat").encode_response(&Response::default(), &reply_to(dialect("openai_chat")));
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["choices"].as_array().map(Vec::len), Some(1), "clients index the first without looking");
}

/// Why a client of `to` reads that an answer ended, streamed and whole. Where the wire has no word for a filter but that
/// of a failure, it is a failure to the client.
fn reasons(to: &dyn Upstream, events: &[Event]) -> [FinishReason; 2] {
    let streamed = fold(&read(to, &write(to, events)));
    let whole = to.decode_response(&to.encode_response(&fold(events).expect("it is whole"), &reply_to(to)));
    if to.name() == "cohere" && streamed.is_err() && whole.is_err() {
        return [FinishReason::ContentFilter; 2];
    }
    let streamed = streamed.unwrap_or_else(|error| panic!("{}: {error}", to.name()));
    let whole = whole.unwrap_or_else(|error| panic!("{}: {error}", to.name()));
    [streamed, whole].map(|told| told.candidates[0].finish.reason)
}

#[test]
fn pitfall_32_and_33_what_a_filter_leaves_is_told_as_filtered() {
    for body in [
        json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}),
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "candidates": []}),
        json!({"candidates": [{"finishReason": "SAFETY", "index": 0}]}),
        json!({"candidates": [{"finishReason": "RECITATION", "index": 0, "content": {}}]}),
    ] {
        let events = read(dialect("gemini"), &framed("gemini", std::slice::from_ref(&body)));
        let whole = dialect("gemini").decode_response(&bytes::Bytes::from(body.to_string()));
        let whole = whole.unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(whole.candidates, fold(&events).expect("it is whole").candidates, "{body}");
        // A wire without a word for it says at least that it is over; its clients see an empty answer.
        for to in conversing().into_iter().filter(|to| to.name() != "ollama") {
            let [streamed, encoded] = reasons(to, &events);
            for reason in [streamed, encoded] {
                let told = matches!(reason, FinishReason::ContentFilter | FinishReason::Refusal);
                assert!(told, "{} reads {reason:?} of {body}", to.name());
            }
        }
    }
}

#[test]
fn pitfall_34_stop_sequences_are_sent_or_refused_and_the_one_that_was_hit_is_told() {
    let mut request = asking(vec![user("x")]);
    request.limits.stop = vec![Str::from_static("END")];
    for to in upstreams() {
        match encode(to, &request) {
            Ok(encoded) => assert_eq!(read_request(to, &encoded).limits.stop, ["END"], "{}", to.name()),
            Err(error) => assert_eq!(error.param.as_deref(), Some("stop"), "{}: {error}", to.name()),
        }
    }
    let told = [
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "so"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
            "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ];
    let events = read(dialect("anthropic"), &framed("anthropic", &told));
    let hit = |name: &str| {
        let finish = answer(dialect(name), &write(dialect(name), &events)).candidates.remove(0).finish;
        (finish.reason, finish.stop_sequence)
    };
    assert_eq!(hit("anthropic"), (FinishReason::StopSequence, Some(Str::from_static("END"))));
    assert_eq!(hit("bedrock_converse"), (FinishReason::StopSequence, Some(Str::from_static("END"))));
    let chunks = json_of(&write(dialect("openai_chat"), &events));
    let words: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).collect();
    assert!(words.contains(&&json!("stop")), "{words:?}");
}

#[test]
fn pitfall_35_blank_stop_sequences_stay_out_where_they_are_refused() {
    let mut request = asking(vec![user("x")]);
    request.limits.stop = ["\n", " \t ", "\u{3000}", "END\n"].map(Str::from_static).to_vec();
    for name in ["anthropic", "bedrock_converse"] {
        let encoded = encode(dialect(name), &request).expect("it can be carried");
        assert_eq!(read_request(dialect(name), &encoded).limits.stop, ["END\n"], "{name}");
        assert!(encoded.losses.iter().any(|loss| loss.field == Field::Stop), "{name}: it is told");
    }
    request.limits.stop.truncate(1);
    assert_eq!(body_of(dialect("anthropic"), &request).get("stop_sequences"), None, "none is left");
    // Others take them.
    assert_eq!(body_of(dialect("openai_chat"), &request)["stop"], json!(["\n"]));
}
