//! The payloads of the wire's events.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{
    usage::WireUsage,
    wire::{ReasoningContent, Text, ToolUse},
};

/// The kinds of event that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    MessageStart,
    BlockStart,
    BlockDelta,
    BlockStop,
    MessageStop,
    Metadata,
    /// The vendor may add events.
    Unknown,
}

impl Kind {
    /// The kind of an event by its name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "contentBlockDelta" => Self::BlockDelta,
            "contentBlockStart" => Self::BlockStart,
            "contentBlockStop" => Self::BlockStop,
            "messageStart" => Self::MessageStart,
            "messageStop" => Self::MessageStop,
            "metadata" => Self::Metadata,
            _ => Self::Unknown,
        }
    }
}

/// An event of any kind. Members that a kind does not have are absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireEvent<'a> {
    #[serde(default, rename = "contentBlockIndex")]
    pub(super) index: u32,
    #[serde(borrow)]
    pub(super) start: Option<WireStart<'a>>,
    #[serde(borrow)]
    pub(super) delta: Option<WireDelta<'a>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) additional_model_response_fields: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage: Option<WireUsage<'a>>,
}

/// `start` of `contentBlockStart`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireStart<'a> {
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    pub(super) tool_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) image: Option<ImageStart<'a>>,
}

/// The beginning of an image.
#[derive(Debug, Deserialize)]
pub(super) struct ImageStart<'a> {
    #[serde(borrow)]
    pub(super) format: Option<Text<'a>>,
}

/// `delta` of `contentBlockDelta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireDelta<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<InputPiece<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<ReasoningContent<'a>>,
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) image: Option<&'a RawValue>,
}

/// A piece of a call's input.
#[derive(Debug, Deserialize)]
pub(super) struct InputPiece<'a> {
    #[serde(borrow)]
    pub(super) input: Option<Text<'a>>,
}
