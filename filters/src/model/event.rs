//! The canonical stream.
//!
//! A decoder's contract: a [`PartKey`] is unique within its stream; parts may interleave; every candidate has exactly
//! one [`Event::Finish`]; [`Event::End`] comes if, and only if, the upstream said that it was done. An upstream that
//! stops short of that yields [`Event::Error`] from `finish`. An encoder owns the wire's own ids and indexes.
//! Candidates are numbered below [`MAX_CANDIDATES`]; a decoder refuses a stream that says otherwise.

use super::{Citation, ErrorInfo, Finish, Opaque, RawJson, Str, ToolCall, Usage};

/// More candidates than any vendor gives. It bounds what a broken index can cost.
pub const MAX_CANDIDATES: u32 = 128;

/// One thing that happened in a stream. Frequent variants are small; rare ones are boxed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The answer has begun. At most once, first.
    Start(Box<Start>),
    /// A part has begun.
    PartStart(Box<PartStart>),
    /// More of a part.
    Delta {
        /// Which part.
        part: PartKey,
        /// What came.
        delta: Delta,
    },
    /// A part is complete.
    PartEnd(PartKey),
    /// Token counts so far; later ones replace earlier ones.
    Usage(Box<Usage>),
    /// A candidate is complete.
    Finish {
        /// Which candidate.
        candidate: u32,
        /// Why it ended.
        finish: Box<Finish>,
    },
    /// The stream failed. Nothing follows but `End`.
    Error(Box<ErrorInfo>),
    /// The upstream is alive, and has nothing to say.
    Ping,
    /// The upstream said that it was done.
    End,
}

impl Event {
    /// Whether this event commits the answer: content, thinking, a call, a finish or an error. A start, a ping or
    /// bare usage does not; until one that does, the request may still go to another target.
    pub fn is_meaningful(&self) -> bool {
        match self {
            Self::Start(_) | Self::Ping | Self::Usage(_) | Self::PartEnd(_) => false,
            // An announced text or thinking part says nothing yet; an announced call does.
            Self::PartStart(start) => !matches!(start.kind, PartKind::Text | PartKind::Reasoning | PartKind::Refusal),
            Self::Delta { .. } | Self::Finish { .. } | Self::Error(_) | Self::End => true,
        }
    }
}

/// How an answer begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The provider's id of the answer.
    pub id: Str,
    /// The model that serves, as the provider names it.
    pub model: Str,
    /// When, Unix seconds; 0 if the wire does not say.
    pub created: u64,
    /// Token counts known before the first token (Anthropic gives the input's).
    pub usage: Option<Usage>,
}

/// The identity of a part within its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartKey(pub u32);

/// How a part begins.
#[derive(Clone, Debug, PartialEq)]
pub struct PartStart {
    /// The candidate it belongs to.
    pub candidate: u32,
    /// Its identity from now on.
    pub part: PartKey,
    /// What it is.
    pub kind: PartKind,
}

/// What a streamed part is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PartKind {
    /// Visible text, in [`Delta::Text`].
    Text,
    /// Thinking, in [`Delta::Text`] and [`Delta::Opaque`].
    Reasoning,
    /// Withheld thinking: complete with its start.
    Redacted(Opaque),
    /// A refusal's words, in [`Delta::Text`].
    Refusal,
    /// A call; its arguments come in [`Delta::Args`], so `args` is empty here.
    ToolCall(ToolCall),
    /// A complete part that comes in one piece (provider-run calls and results, media).
    Whole(super::Part),
}

/// More of a part.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Delta {
    /// Text of a text, thinking or refusal part.
    Text(Str),
    /// A piece of a call's arguments: JSON text for functions, free text for custom tools.
    Args(Str),
    /// State that belongs to the part.
    Opaque(Box<Opaque>),
    /// A source of the text so far.
    Citation(Box<Citation>),
    /// Log probabilities of the text just sent, as `OpenAI` writes them (an array of token objects).
    Logprobs(Box<RawJson>),
}
