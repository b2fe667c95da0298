//! Finish reasons, both ways.

use crate::model::{ErrorClass, ErrorInfo, Finish, FinishReason, Str};

/// Reads `finish_reason`.
///
/// # Errors
/// If it says that the answer failed; `message` is what the wire says besides.
pub(super) fn decode(reason: Option<Str>, message: Option<&Str>, saw_call: bool) -> Result<Finish, ErrorInfo> {
    let failed = |class, what: &'static str| {
        let message = message.filter(|message| !message.is_empty()).cloned();
        ErrorInfo::new(class, message.unwrap_or_else(|| Str::from_static(what)))
    };
    let known = match reason.as_deref() {
        Some("ERROR") => return Err(failed(ErrorClass::Upstream, "the upstream failed in the middle of its answer")),
        Some("TIMEOUT") => return Err(failed(ErrorClass::Timeout, "the upstream took too long for its answer")),
        _ if message.is_some_and(|message| !message.is_empty()) => {
            return Err(failed(ErrorClass::Upstream, ""));
        }
        Some("COMPLETE") => FinishReason::Stop,
        Some("STOP_SEQUENCE") => FinishReason::StopSequence,
        Some("MAX_TOKENS") => FinishReason::Length,
        // No calls can be asked for where none were made.
        Some("TOOL_CALL") if saw_call => FinishReason::ToolCalls,
        Some("TOOL_CALL") => FinishReason::Stop,
        Some("ERROR_TOXIC") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Ok(Finish { raw: reason, ..Finish::new(known) }.with_calls(saw_call))
}

/// The word for a reason.
pub(super) fn word(reason: FinishReason, saw_call: bool) -> &'static str {
    match Finish::new(reason).with_calls(saw_call).reason {
        FinishReason::StopSequence => "STOP_SEQUENCE",
        FinishReason::Length | FinishReason::ContextFull => "MAX_TOKENS",
        FinishReason::ToolCalls if saw_call => "TOOL_CALL",
        FinishReason::ContentFilter | FinishReason::BadToolCall => "ERROR",
        _ => "COMPLETE",
    }
}
