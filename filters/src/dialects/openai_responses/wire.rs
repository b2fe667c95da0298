//! The wire structs, private to this dialect. They borrow from the body or the event that they are read from.
//!
//! One set serves requests, whole responses and stream events: an item of the history is what an answer's output held.
//! Members that are not listed are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) use crate::{
    json::{Text, Writer},
    openai::wire::{Count, OneOrMany, Source, lenient},
};

/// An item of `input` or `output`. Which members count is said by `type`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) id: Option<Text<'a>>,
    pub(super) role: Option<Text<'a>>,
    pub(super) call_id: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) namespace: Option<Text<'a>>,
    pub(super) encrypted_content: Option<Text<'a>>,
    /// A function's arguments: a string of JSON; some servers write the object itself.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    /// A custom tool's free text.
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    /// A message's content, or reasoning in full.
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) summary: Option<&'a RawValue>,
    /// What a call gave: a string, or a list of content parts.
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    /// A picture that the provider made, as base64.
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) output_format: Option<&'a RawValue>,
}

/// A part of a message's content, of reasoning, or of a call's output.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ContentPart<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) text: Option<Text<'a>>,
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    /// A URL; some clients write the object of Chat Completions.
    #[serde(borrow)]
    pub(super) image_url: Option<&'a RawValue>,
    pub(super) detail: Option<Text<'a>>,
    pub(super) file_id: Option<Text<'a>>,
    pub(super) file_data: Option<Text<'a>>,
    pub(super) file_url: Option<Text<'a>>,
    pub(super) filename: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input_audio: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) prompt_cache_breakpoint: Option<&'a RawValue>,
}

impl ContentPart<'_> {
    /// The part's type; empty if it has none.
    pub(super) fn kind(&self) -> &str {
        self.kind.as_ref().map_or("", Text::as_str)
    }
}

/// A response object: an answer, or what a stream's first and last events hold.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) created_at: Option<Count>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<&'a RawValue>,
}

impl Answer<'_> {
    /// How far the answer is.
    pub(super) fn status(&self) -> Option<Text<'_>> {
        lenient(self.status)
    }
}

/// A string that some servers leave out or write as something else; an empty one says nothing.
pub(super) fn word(raw: Option<&RawValue>, source: &Source) -> Option<crate::model::Str> {
    lenient::<Text<'_>>(raw).filter(|text| !text.is_empty()).map(|text| source.text(&text))
}

/// A string that is there and not empty.
pub(super) fn filled(text: Option<&Text<'_>>, source: &Source) -> Option<crate::model::Str> {
    text.filter(|text| !text.is_empty()).map(|text| source.text(text))
}
