//! Stop reasons, both ways.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::Text;
use crate::model::{Finish, FinishReason, Str};

/// What is asked for, so that the answer says which stop sequence was hit (`additionalModelResponseFieldPaths`).
pub(super) const STOP_SEQUENCE_PATH: &str = "/stop_sequence";

const GUARDRAIL: &str = "guardrail_intervened";

/// Reads `stopReason`, and the stop sequence among the model's own fields (`additionalModelResponseFields`).
pub(super) fn decode(reason: Option<Str>, fields: Option<&RawValue>) -> Finish {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        stop_sequence: Option<Text<'a>>,
    }
    let fields = fields.and_then(|fields| serde_json::from_str::<Fields<'_>>(fields.get()).ok());
    let stop_sequence = fields.and_then(|fields| fields.stop_sequence).map(|text| Str::from(&*text.0));
    let known = match reason.as_deref() {
        Some("end_turn") => FinishReason::Stop,
        Some("stop_sequence") => FinishReason::StopSequence,
        Some("max_tokens") => FinishReason::Length,
        Some("model_context_window_exceeded") => FinishReason::ContextFull,
        Some("tool_use") => FinishReason::ToolCalls,
        Some(GUARDRAIL | "content_filtered" | "refusal") => FinishReason::ContentFilter,
        Some("malformed_tool_use" | "malformed_model_output") => FinishReason::BadToolCall,
        _ => FinishReason::Other,
    };
    Finish { reason: known, raw: reason, stop_sequence, details: None }
}

/// The `stopReason` of an answer that does or does not hold a call for the client.
pub(super) fn encode(finish: &Finish, saw_call: bool) -> &'static str {
    let reason = match finish.reason {
        FinishReason::Stop if saw_call => FinishReason::ToolCalls,
        // A client would wait for a call that never came.
        FinishReason::ToolCalls if !saw_call => FinishReason::Stop,
        reason => reason,
    };
    match reason {
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextFull => "model_context_window_exceeded",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter if finish.raw.as_deref() == Some(GUARDRAIL) => GUARDRAIL,
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filtered",
        FinishReason::BadToolCall => "malformed_tool_use",
        _ => "end_turn",
    }
}
