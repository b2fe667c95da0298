//! Stop reasons, both ways.

use crate::model::{Finish, FinishReason, Str};

/// Reads `stop_reason` and `stop_sequence`.
pub(super) fn decode(reason: Option<Str>, stop_sequence: Option<Str>) -> Finish {
    let known = match reason.as_deref() {
        Some("end_turn") => FinishReason::Stop,
        Some("stop_sequence") => FinishReason::StopSequence,
        Some("max_tokens") => FinishReason::Length,
        Some("model_context_window_exceeded") => FinishReason::ContextFull,
        Some("tool_use") => FinishReason::ToolCalls,
        // A classifier stopped the answer; the model's own refusals are ordinary text.
        Some("refusal") => FinishReason::ContentFilter,
        Some("pause_turn") => FinishReason::Pause,
        _ => FinishReason::Other,
    };
    Finish { reason: known, raw: reason, stop_sequence, details: None }
}

/// What an answer held that its stop reason depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A call that the client is to run.
    pub(super) call: bool,
    /// A refusal in words.
    pub(super) refusal: bool,
}

/// The `stop_reason` and `stop_sequence` of an answer.
pub(super) fn encode(finish: &Finish, seen: Seen) -> (&'static str, Option<&str>) {
    let reason = match finish.reason {
        FinishReason::Stop if seen.call => FinishReason::ToolCalls,
        FinishReason::Stop if seen.refusal => FinishReason::Refusal,
        // A client would wait for a call that never came.
        FinishReason::ToolCalls if !seen.call => FinishReason::Stop,
        reason => reason,
    };
    match reason {
        FinishReason::StopSequence if finish.stop_sequence.is_some() => {
            ("stop_sequence", finish.stop_sequence.as_deref())
        }
        FinishReason::Length => ("max_tokens", None),
        FinishReason::ContextFull => ("model_context_window_exceeded", None),
        FinishReason::ToolCalls => ("tool_use", None),
        FinishReason::ContentFilter | FinishReason::Refusal => ("refusal", None),
        FinishReason::Pause => ("pause_turn", None),
        // Including a stop sequence that the upstream did not name: the word promises its name.
        _ => ("end_turn", None),
    }
}
