//! The members of the wire format that are read. Everything borrows from the body or the line; what is kept becomes a
//! slice of it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub(super) use crate::json::{Object, Text, Writer, keep_raw, slice};
use crate::model::Usage;

/// A whole answer, or one line of a stream, of either endpoint.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) created_at: Option<Text<'a>>,
    /// Chat's.
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    /// Generate's words, and what it may say besides.
    #[serde(borrow)]
    pub(super) response: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    #[serde(default)]
    pub(super) done: Option<bool>,
    #[serde(borrow)]
    pub(super) done_reason: Option<Text<'a>>,
    pub(super) prompt_eval_count: Option<Count>,
    pub(super) eval_count: Option<Count>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl Line<'_> {
    /// Token counts, if it has any. The prompt's is left out where the whole prompt was cached. What was thought is
    /// not counted apart.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_eval_count.is_none() && self.eval_count.is_none() {
            return None;
        }
        let count = |count: Option<Count>| count.unwrap_or_default().0;
        Some(Usage {
            input_uncached: count(self.prompt_eval_count),
            output_visible: count(self.eval_count),
            ..Usage::default()
        })
    }
}

/// A message of a conversation or of an answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) role: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) images: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow)]
    pub(super) tool_name: Option<Text<'a>>,
    /// What `tool_name` was called before.
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_call_id: Option<Text<'a>>,
}

/// A call.
#[derive(Debug, Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
}

/// What is called.
#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// A count; servers that imitate the format write floats. What is no number counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if let Ok(count) = raw.parse() {
            return Ok(Self(count));
        }
        let float = raw.parse::<f64>().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as it should")]
        Ok(Self(float as u64))
    }
}
