//! The items of an upstream's stream that have begun and are not complete.

use crate::model::PartKey;

/// An item.
#[derive(Debug)]
pub(super) struct OpenItem {
    /// Its position in the output. Some servers give it another id in each event, so this is what identifies it.
    pub(super) index: u64,
    pub(super) kind: OpenKind,
}

/// What an item is, and what of it has come.
#[derive(Debug)]
pub(super) enum OpenKind {
    /// A message, with its parts.
    Message(Vec<OpenPart>),
    Reasoning(OpenReasoning),
    /// A call, which is a part.
    Call(PartKey),
    /// Complete with its end.
    Held,
}

/// A part of a message.
#[derive(Debug)]
pub(super) struct OpenPart {
    /// Its position in the message.
    pub(super) index: u64,
    pub(super) key: PartKey,
    /// Sources that have come.
    pub(super) cited: usize,
    pub(super) ended: bool,
}

/// Reasoning, which is a part as soon as it says something.
#[derive(Debug, Default)]
pub(super) struct OpenReasoning {
    pub(super) key: Option<PartKey>,
    /// Which of the two forms its words come in. Where both come, the first counts.
    pub(super) form: Option<Form>,
    /// The piece of it that came last, and how many bytes came before that piece.
    pub(super) piece: u64,
    pub(super) before: usize,
}

/// In which form reasoning is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Summary,
    Full,
}
