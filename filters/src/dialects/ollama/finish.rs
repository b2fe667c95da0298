//! `done_reason`, both ways.

use crate::model::{Finish, FinishReason, Str};

/// Reads `done_reason`. Servers before 0.1.38 give none.
pub(super) fn decode(reason: Option<Str>, saw_call: bool) -> Finish {
    let known = match reason.as_deref() {
        None | Some("stop") => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        // `load` and `unload` answer requests that say nothing; an empty word is a connection that broke.
        Some(_) => FinishReason::Other,
    };
    Finish { raw: reason, ..Finish::new(known) }.with_calls(saw_call)
}

/// The word for a reason; the wire tells calls by themselves.
pub(super) fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextFull => "length",
        _ => "stop",
    }
}
