//! Finish reasons, both ways.

use crate::model::{Finish, FinishReason, Str};

/// The reason that `word` stands for. No word at all is a normal stop.
pub(super) fn decode(word: Option<Str>) -> Finish {
    let reason = match word.as_deref() {
        None | Some("stop" | "eos" | "eos_token" | "stop_sequence") => FinishReason::Stop,
        Some("length" | "max_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some(_) => FinishReason::Other,
    };
    Finish { raw: word, ..Finish::new(reason) }
}

/// The word for a reason.
pub(super) fn word(reason: FinishReason, refused: bool) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextFull => "length",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        // A refusal is text here like another; the word is what tells it.
        FinishReason::Stop if refused => "content_filter",
        _ => "stop",
    }
}
