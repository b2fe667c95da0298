//! Why an answer ended, both ways.

use super::wire::Word;
use crate::model::{Finish, FinishReason, Str};

/// Every reason that Gemini's documentation or traffic names.
const REASONS: &[(&str, FinishReason)] = &[
    ("STOP", FinishReason::Stop),
    ("MAX_TOKENS", FinishReason::Length),
    ("SAFETY", FinishReason::ContentFilter),
    ("RECITATION", FinishReason::ContentFilter),
    ("BLOCKLIST", FinishReason::ContentFilter),
    ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
    ("SPII", FinishReason::ContentFilter),
    ("LANGUAGE", FinishReason::ContentFilter),
    ("MODEL_ARMOR", FinishReason::ContentFilter),
    ("IMAGE_SAFETY", FinishReason::ContentFilter),
    ("IMAGE_PROHIBITED_CONTENT", FinishReason::ContentFilter),
    ("IMAGE_RECITATION", FinishReason::ContentFilter),
    ("MALFORMED_FUNCTION_CALL", FinishReason::BadToolCall),
    ("UNEXPECTED_TOOL_CALL", FinishReason::BadToolCall),
    ("TOO_MANY_TOOL_CALLS", FinishReason::BadToolCall),
    ("OTHER", FinishReason::Other),
];

/// The names of numbered reasons, as Vertex numbers them (clients that ask for numbers are Vertex clients).
const NUMBERED: &[&str] = &[
    "",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
];

/// Reads `finishReason`; `None` for the unspecified one, which says nothing.
pub(super) fn decode(word: &Word<'_>) -> Option<Finish> {
    let name = match word {
        Word::Name(name) => name.as_ref(),
        Word::Number(number) => {
            usize::try_from(*number).ok().and_then(|at| NUMBERED.get(at)).copied().unwrap_or("OTHER")
        }
    };
    if matches!(name, "" | "FINISH_REASON_UNSPECIFIED") {
        return None;
    }
    let reason = reason_of(name).unwrap_or(FinishReason::Other);
    Some(Finish { raw: Some(Str::from(name)), ..Finish::new(reason) })
}

/// A prompt that was refused before any answer.
pub(super) fn blocked(word: &Word<'_>) -> Finish {
    let raw = match word {
        Word::Name(name) => Str::from(name.as_ref()),
        Word::Number(number) => Str::from(number.to_string()),
    };
    Finish { raw: Some(raw), ..Finish::new(FinishReason::ContentFilter) }
}

fn reason_of(name: &str) -> Option<FinishReason> {
    REASONS.iter().find(|(of, _)| *of == name).map(|(_, reason)| *reason)
}

/// The word that a Gemini client reads: the upstream's own, if it is one of Gemini's for the same thing.
pub(super) fn encode(finish: &Finish) -> &'static str {
    let own = finish.raw.as_deref().and_then(|raw| REASONS.iter().find(|(of, _)| *of == raw));
    if let Some((name, _)) = own.filter(|(_, reason)| *reason == finish.reason) {
        return name;
    }
    match finish.reason {
        FinishReason::Length | FinishReason::ContextFull => "MAX_TOKENS",
        FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
        FinishReason::BadToolCall => "MALFORMED_FUNCTION_CALL",
        FinishReason::Other => "OTHER",
        _ => "STOP",
    }
}
