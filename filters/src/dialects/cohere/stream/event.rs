//! The events of the wire.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::wire::{Call, OneOrMany, Text};

/// An event of any kind. Members that a kind does not have are absent.
#[derive(Debug, Deserialize)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) delta: Option<WireDelta<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

/// What an event says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireDelta<'a> {
    #[serde(borrow)]
    pub(super) message: Option<WireMessage<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<Text<'a>>,
}

/// What an event says of the message. In the first event these are empty lists.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_plan: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) citations: Option<&'a RawValue>,
}

/// `content` of an event.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireContent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
}

/// One value where a list of them might stand.
pub(super) fn one<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    let raw = raw?;
    if raw.get().starts_with('[') {
        return match serde_json::from_str::<OneOrMany<'a, T>>(raw.get()).ok()? {
            OneOrMany::Many(many) => many.into_iter().next(),
            OneOrMany::One(_) => None,
        };
    }
    serde_json::from_str(raw.get()).ok()
}

/// The call of an event.
pub(super) fn call_of<'a>(message: Option<&WireMessage<'a>>) -> Option<Call<'a>> {
    one(message?.tool_calls)
}
