//! Why an answer ended, in the words of the SDK.

use crate::model::{Finish, FinishReason};

/// What an answer held that its finish reason depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A call that the client is to run.
    pub(super) call: bool,
    /// A refusal in words.
    pub(super) refusal: bool,
}

/// The word for a reason. The client takes these six and fails on any other.
pub(super) fn word(finish: &Finish, seen: Seen) -> &'static str {
    match finish.clone().with_calls(seen.call).reason {
        FinishReason::Stop if seen.refusal => "content-filter",
        FinishReason::ToolCalls if seen.call => "tool-calls",
        // A client would wait for a call that never came.
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::Pause | FinishReason::ToolCalls => "stop",
        FinishReason::Length | FinishReason::ContextFull => "length",
        FinishReason::ContentFilter | FinishReason::Refusal => "content-filter",
        FinishReason::BadToolCall => "error",
        FinishReason::Other => "other",
    }
}
