//! What `OpenAI`'s chat completions say: <https://platform.openai.com/docs/api-reference/chat>.

use serde_json::{Value, json};

use super::frames::{Answer, Frame, PROSE, head, whole};
use crate::stamp::PLACEHOLDER;

const ID: &str = "chatcmpl-CfT3pWm8uYqLx2Zk5RbNd7vGaJhE1";
const MODEL: &str = "gpt-4o-mini-2024-07-18";
const FINGERPRINT: &str = "fp_62a23a81ef";
const CREATED: u64 = 1_763_812_800;

const HEADERS: &[(&str, &str)] = &[
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", "org-mock"),
    ("openai-processing-ms", "298"),
    ("openai-project", "proj_mock"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999978"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "0s"),
    ("x-request-id", "req_b2f07a3cd9184f0fa0c51f6e7d8a9b1c"),
    ("cf-cache-status", "DYNAMIC"),
];

/// The padding that the real API adds so that the size of a chunk does not give its text away.
const PADDING: &str = "Zb3kX9qLm2VtR7wP";
const CONSTANT_PADDING: usize = 6;
/// Steps through the lengths in an order without a pattern in neighbours; coprime to their number.
const PADDING_STEP: usize = 5;

/// Precomputes everything; with `obfuscate`, padding has a different length in successive deltas.
pub(super) fn answer(obfuscate: bool) -> Answer {
    let paddings: Vec<usize> = if obfuscate {
        (0..PADDING.len()).map(|index| 1 + index * PADDING_STEP % PADDING.len()).collect()
    } else {
        vec![CONSTANT_PADDING]
    };
    let text = json!({"content": format!(" {PLACEHOLDER}")});
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    Answer {
        whole: whole(&completion(), HEADERS),
        head: head("text/event-stream; charset=utf-8", None, HEADERS),
        opening: vec![chunk(&role, &Value::Null, CONSTANT_PADDING)],
        deltas: paddings.into_iter().map(|padding| chunk(&text, &Value::Null, padding)).collect(),
        closing: vec![
            chunk(&json!({}), &json!("stop"), CONSTANT_PADDING),
            event(&envelope(&json!([]), &usage(), 0)),
            Frame::new("data: [DONE]\n\n"),
        ],
    }
}

fn chunk(delta: &Value, finish_reason: &Value, padding: usize) -> Frame {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
    event(&envelope(&json!([choice]), &Value::Null, padding))
}

fn envelope(choices: &Value, usage: &Value, padding: usize) -> Value {
    json!({
        "id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": MODEL, "service_tier": "default",
        "system_fingerprint": FINGERPRINT, "choices": choices, "usage": usage,
        "obfuscation": PADDING.get(..padding),
    })
}

fn event(data: &Value) -> Frame {
    Frame::new(&format!("data: {data}\n\n"))
}

fn completion() -> Value {
    let content = format!("{PROSE} {PLACEHOLDER}");
    let message = json!({"role": "assistant", "content": content, "refusal": null, "annotations": []});
    json!({
        "id": ID, "object": "chat.completion", "created": CREATED, "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}],
        "usage": usage(), "service_tier": "default", "system_fingerprint": FINGERPRINT,
    })
}

fn usage() -> Value {
    json!({
        "prompt_tokens": 27, "completion_tokens": 200, "total_tokens": 227,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_real_answers() {
        let answer = answer(false);
        let delta = answer.delta(7).text();
        assert!((300..360).contains(&delta.len()), "a chunk of {} bytes", delta.len());
        assert!(delta.contains(r#""usage":null,"obfuscation":"Zb3kX9"}"#), "{delta}");
        assert!((800..1000).contains(&completion().to_string().len()), "{}", completion().to_string().len());
    }

    #[test]
    fn obfuscation_varies_from_chunk_to_chunk() {
        let answer = answer(true);
        let lengths: Vec<usize> = (0..32).map(|index| answer.delta(index).text().len()).collect();
        assert!(lengths.windows(2).all(|pair| pair[0] != pair[1]), "{lengths:?}");
    }
}
