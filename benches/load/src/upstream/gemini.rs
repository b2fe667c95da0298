//! What Gemini's `generateContent` says: <https://ai.google.dev/api/generate-content>.

use serde_json::{Value, json};

use super::frames::{Answer, Frame, PROSE, head, whole};
use crate::stamp::PLACEHOLDER;

const HEADERS: &[(&str, &str)] = &[
    ("vary", "Origin"),
    ("vary", "X-Origin"),
    ("vary", "Referer"),
    ("server", "scaffolding on HTTPServer2"),
    ("x-xss-protection", "0"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
    ("server-timing", "gfet4t7; dur=301"),
    ("alt-svc", "h3=\":443\"; ma=2592000,h3-29=\":443\"; ma=2592000"),
];

/// Precomputes everything.
pub(super) fn answer() -> Answer {
    Answer {
        whole: whole(&response(&format!("{PROSE} {PROSE} {PLACEHOLDER}"), Some("STOP"), 200), HEADERS),
        head: head("text/event-stream", None, HEADERS),
        opening: Vec::new(),
        deltas: vec![event(&response(&format!(" {PLACEHOLDER}"), None, 5))],
        closing: vec![event(&response("", Some("STOP"), 200))],
    }
}

fn event(data: &Value) -> Frame {
    Frame::new(&format!("data: {data}\r\n\r\n"))
}

fn response(text: &str, finish_reason: Option<&str>, tokens: u32) -> Value {
    let mut candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}});
    if let Some(reason) = finish_reason {
        candidate["finishReason"] = json!(reason);
    }
    candidate["index"] = json!(0);
    json!({
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 27, "candidatesTokenCount": tokens, "totalTokenCount": 27 + tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 27}],
        },
        "modelVersion": "gemini-2.5-flash", "responseId": "qBwhaZ6nCdeFGHijKLMnopQ",
    })
}
