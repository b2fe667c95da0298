//! The canonical whole response.

use super::{Family, Part, RawJson, Str, Usage};

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The provider's id of the answer.
    pub id: Str,
    /// When it was made, Unix seconds; 0 if the wire does not say.
    pub created: u64,
    /// The model that served, as the provider names it.
    pub model: Str,
    /// The answers; one unless more were asked for.
    pub candidates: Vec<Candidate>,
    /// What it cost in tokens.
    pub usage: Option<Usage>,
    /// The service tier that served it.
    pub tier: Option<Str>,
    /// How many tokens the prompt amounts to, where that was all that was asked.
    pub counted: Option<u64>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its number.
    pub index: u32,
    /// Its content, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub finish: Finish,
    /// Log probabilities as `OpenAI` writes them (`{"content":[…]}`).
    pub logprobs: Option<RawJson>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The reason on the common scale.
    pub reason: FinishReason,
    /// The provider's own word.
    pub raw: Option<Str>,
    /// The stop sequence that was hit, where the provider says which.
    pub stop_sequence: Option<Str>,
    /// What its family says besides (Anthropic `stop_details`).
    pub details: Option<(Family, RawJson)>,
}

impl Finish {
    /// A finish with nothing but its reason known.
    pub fn new(reason: FinishReason) -> Self {
        Self { reason, raw: None, stop_sequence: None, details: None }
    }

    /// Applies the rule of every dialect that has no word of its own for it: an answer that stopped normally and
    /// holds a call for the client ended *for* the call. Other reasons (length, filter) are never masked.
    #[must_use]
    pub fn with_calls(mut self, saw_call: bool) -> Self {
        if saw_call && self.reason == FinishReason::Stop {
            self.reason = FinishReason::ToolCalls;
        }
        self
    }
}

/// Why an answer ended, on a common scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// A stop sequence was hit.
    StopSequence,
    /// The token limit was reached.
    Length,
    /// The context window was full.
    ContextFull,
    /// The client is to run tools.
    ToolCalls,
    /// A filter or guardrail cut it off.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider paused a turn of its own tools.
    Pause,
    /// The model wrote a call that could not be read.
    BadToolCall,
    /// A word that no row of the table knows.
    Other,
}
