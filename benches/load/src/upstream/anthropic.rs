//! What Anthropic's messages say: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use serde_json::{Value, json};

use super::frames::{Answer, Frame, PROSE, head, whole};
use crate::stamp::PLACEHOLDER;

const ID: &str = "msg_01Qb7Xk3VtR9wPz5LmN2cYdA";
const MODEL: &str = "claude-sonnet-4-20250514";

const HEADERS: &[(&str, &str)] = &[
    ("anthropic-ratelimit-input-tokens-limit", "2000000"),
    ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
    ("anthropic-ratelimit-input-tokens-reset", "2025-11-22T12:00:00Z"),
    ("anthropic-ratelimit-output-tokens-limit", "400000"),
    ("anthropic-ratelimit-output-tokens-remaining", "399000"),
    ("anthropic-ratelimit-output-tokens-reset", "2025-11-22T12:00:00Z"),
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-requests-reset", "2025-11-22T12:00:00Z"),
    ("request-id", "req_011CVNqY5tWb8eRzK2mXpLdF"),
    ("anthropic-organization-id", "2f9b7c64-0000-4000-8000-0123456789ab"),
    ("via", "1.1 google"),
    ("cf-cache-status", "DYNAMIC"),
];

/// Precomputes everything.
pub(super) fn answer() -> Answer {
    let text = json!({"type": "text_delta", "text": format!(" {PLACEHOLDER}")});
    let block = json!({"type": "text", "text": ""});
    let end = json!({"stop_reason": "end_turn", "stop_sequence": null});
    Answer {
        whole: whole(&message(), HEADERS),
        head: head("text/event-stream; charset=utf-8", None, HEADERS),
        opening: vec![
            event(&json!({"type": "message_start", "message": start()})),
            event(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
            event(&json!({"type": "ping"})),
        ],
        deltas: vec![event(&json!({"type": "content_block_delta", "index": 0, "delta": text}))],
        closing: vec![
            event(&json!({"type": "content_block_stop", "index": 0})),
            event(&json!({"type": "message_delta", "delta": end, "usage": usage(200)})),
            event(&json!({"type": "message_stop"})),
        ],
    }
}

/// An event is named by the type of its data.
fn event(data: &Value) -> Frame {
    let name = data["type"].as_str().unwrap_or_default();
    Frame::new(&format!("event: {name}\ndata: {data}\n\n"))
}

fn message() -> Value {
    let text = format!("{PROSE} {PLACEHOLDER}");
    json!({
        "id": ID, "type": "message", "role": "assistant", "model": MODEL,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": usage(200),
    })
}

fn start() -> Value {
    json!({
        "id": ID, "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(1),
    })
}

fn usage(output_tokens: u32) -> Value {
    json!({
        "input_tokens": 27, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens, "service_tier": "standard",
    })
}
