//! The events of the wire.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{usage::WireUsage, wire::Text};

/// An event of any kind. Members that a kind does not have are absent.
#[derive(Debug, Deserialize)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(default)]
    pub(super) index: u32,
    #[serde(borrow)]
    pub(super) message: Option<WireMessage<'a>>,
    #[serde(borrow)]
    pub(super) content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<WireDelta<'a>>,
    pub(super) usage: Option<WireUsage>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// The message of `message_start`.
#[derive(Debug, Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    pub(super) usage: Option<WireUsage>,
}

/// The delta of `content_block_delta` and of `message_delta`.
#[derive(Debug, Deserialize)]
pub(super) struct WireDelta<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_sequence: Option<Text<'a>>,
}

/// The kinds of delta that are read.
const DELTAS: &[&str] =
    &["citations_delta", "compaction_delta", "input_json_delta", "signature_delta", "text_delta", "thinking_delta"];

/// Reads an event. One whose kind of delta is new may have any members, and says nothing that could be told on.
pub(super) fn parse(data: &str) -> Result<Option<WireEvent<'_>>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Glance<'a> {
        #[serde(borrow)]
        delta: Option<Kind<'a>>,
    }
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
    }
    serde_json::from_str(data).map(Some).or_else(|error| {
        let kind = serde_json::from_str::<Glance<'_>>(data).ok().and_then(|glance| glance.delta);
        if kind.is_some_and(|kind| !DELTAS.contains(&&*kind.kind.0)) { Ok(None) } else { Err(error) }
    })
}
