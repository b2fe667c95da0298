//! How an answer ended: `status` and `incomplete_details`, both ways.

use serde::Deserialize;

use super::wire::{Answer, Source, Text, lenient, word};
use crate::model::{ErrorClass, ErrorInfo, Finish, FinishReason};

/// What an answer held that its end depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// A call that the client is to run.
    pub(super) call: bool,
    /// A refusal in words.
    pub(super) refusal: bool,
    /// Other words.
    pub(super) text: bool,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

/// Reads how an answer ended.
pub(super) fn decode(answer: &Answer<'_>, seen: Seen, source: &Source) -> Finish {
    let reason = lenient::<Details<'_>>(answer.incomplete_details).and_then(|details| details.reason);
    let status = word(answer.status, source);
    let known = match (status.as_deref(), reason.as_ref().map(Text::as_str)) {
        (_, Some("max_output_tokens" | "max_tokens" | "length")) => FinishReason::Length,
        (_, Some("content_filter")) => FinishReason::ContentFilter,
        (Some("incomplete"), _) => FinishReason::Other,
        _ if seen.refusal && !seen.text && !seen.call => FinishReason::Refusal,
        _ => FinishReason::Stop,
    };
    let raw = reason.map(|reason| source.text(&reason)).or(status);
    Finish { raw, ..Finish::new(known) }.with_calls(seen.call)
}

/// The end of an answer, in this dialect's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Completed,
    /// With the reason.
    Incomplete(&'static str),
    Failed(Box<ErrorInfo>),
}

impl End {
    /// The word for `status`.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }

    /// The `status` of an item with which the answer ends.
    pub(super) fn of_last_item(&self) -> &'static str {
        if *self == Self::Completed { "completed" } else { "incomplete" }
    }
}

/// How an answer that ended for `finish` ends here.
pub(super) fn encode(finish: &Finish, seen: Seen) -> End {
    match finish.reason {
        FinishReason::Length | FinishReason::ContextFull => End::Incomplete("max_output_tokens"),
        FinishReason::ContentFilter => End::Incomplete("content_filter"),
        // A refusal is a part of its own here; without one only the reason tells of it.
        FinishReason::Refusal if !seen.refusal => End::Incomplete("content_filter"),
        FinishReason::BadToolCall => {
            let message = "the model wrote a tool call that could not be read; try again";
            End::Failed(Box::new(ErrorInfo::new(ErrorClass::Upstream, message)))
        }
        _ => End::Completed,
    }
}
