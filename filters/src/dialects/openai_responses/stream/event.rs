//! The events of an upstream's stream, as they are read.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::wire::{Answer, ContentPart, Count, Source, Text, lenient};
use crate::model::Str;

/// Any event. Which members count is said by `type`; some have another form in events that are not read.
#[derive(Debug, Deserialize)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) output_index: Option<Count>,
    pub(super) content_index: Option<Count>,
    pub(super) summary_index: Option<Count>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) part: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) annotation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> WireEvent<'a> {
    /// The position of the item that the event is about.
    pub(super) fn item_index(&self) -> u64 {
        self.output_index.unwrap_or_default().0
    }

    /// The position of the part within its item.
    pub(super) fn part_index(&self) -> u64 {
        self.content_index.or(self.summary_index).unwrap_or_default().0
    }

    /// The part that the event holds.
    pub(super) fn part(&self) -> ContentPart<'a> {
        lenient(self.part).unwrap_or_default()
    }

    /// The response object that the event holds.
    pub(super) fn answer(&self) -> Answer<'a> {
        lenient(self.response).unwrap_or_default()
    }
}

/// A string that may be empty.
pub(super) fn text(raw: Option<&RawValue>, source: &Source) -> Str {
    lenient::<Text<'_>>(raw).map(|text| source.text(&text)).unwrap_or_default()
}
