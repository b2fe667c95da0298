//! The members of answers that are read. They borrow from the body or the event.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    json::Text,
    model::ErrorInfo,
    openai::{
        error,
        wire::{Count, lenient},
    },
};

/// A whole answer, or one event of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    pub(super) created: Option<Count>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// `"error"` in error bodies without an `error` member (vLLM).
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

/// One answer of a response or event.
#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<Count>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

impl Answer<'_> {
    /// The error, if it is one: beside the choices, or the whole of `text`.
    pub(super) fn error_in(&self, text: &str) -> Option<ErrorInfo> {
        if let Some(error) = self.error.filter(|error| error.get() != "null") {
            return Some(error::decode_in_band(error));
        }
        let kind = lenient::<Text<'_>>(self.object);
        let is_error = kind.is_some_and(|kind| kind.as_str() == "error");
        is_error.then(|| serde_json::from_str(text).ok().map(error::decode_in_band))?
    }
}
