//! The content blocks of an upstream's stream that are open.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{
    blocks,
    response::decode_part,
    wire::{Text, keep_raw},
};
use crate::model::{Delta, Event, Family, OpaqueKind, Part, PartContent, PartKey, PartKind, PartStart, RawJson, Str};

/// An open content block.
#[derive(Debug)]
pub(super) struct Open {
    /// Its number on the wire.
    pub(super) index: u32,
    /// Its identity in the model.
    pub(super) key: PartKey,
    /// What it is, and what of it waits for its end.
    pub(super) kind: OpenKind,
}

/// What an open block is, and what of it waits for its end.
#[derive(Debug)]
pub(super) enum OpenKind {
    /// Text.
    Text,
    /// Its signature; a later one replaces an earlier one, so it goes out with the end.
    Thinking { signature: Option<Str> },
    /// A call: whether arguments have come, and what stood in `input` at the start.
    Call { saw_args: bool, input: Str },
    /// A call of the provider's own tool, or another block that comes in pieces: it goes out whole, at its end.
    Held { block: RawJson, input: String, content: Option<RawJson> },
    /// It went out whole with its start.
    Whole,
}

/// A block that goes out whole, at its end.
pub(super) fn held(data: &Str, raw: &RawValue) -> OpenKind {
    OpenKind::Held { block: keep_raw(data, raw), input: String::new(), content: None }
}

/// Whether a block that is kept as it is gets its content in deltas.
pub(super) fn comes_in_pieces(raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
    }
    let kind: Option<Kind<'_>> = serde_json::from_str(raw.get()).ok();
    kind.is_some_and(|kind| kind.kind.0 == "compaction" || kind.kind.0.ends_with("_tool_use"))
}

/// Appends what waited for the end of a block, and the end.
pub(super) fn close(open: Open, events: &mut Vec<Event>) {
    let part = open.key;
    match open.kind {
        OpenKind::Thinking { signature } => {
            let signature = signature.filter(|signature| !signature.is_empty());
            let opaque = signature.map(|data| blocks::own_opaque(OpaqueKind::Signature, data));
            events.extend(opaque.map(|opaque| Event::Delta { part, delta: Delta::Opaque(Box::new(opaque)) }));
        }
        // A call without arguments has none in its deltas; some servers put them all into the start.
        OpenKind::Call { saw_args: false, input } => {
            events.push(Event::Delta { part, delta: Delta::Args(input) });
        }
        OpenKind::Held { block, input, content } => {
            let kind = PartKind::Whole(assemble(&block, &input, content.as_ref()));
            events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
        }
        OpenKind::Text | OpenKind::Call { .. } | OpenKind::Whole => {}
    }
    events.push(Event::PartEnd(part));
}

/// A block with the input or content that its deltas brought.
fn assemble(block: &RawJson, input: &str, content: Option<&RawJson>) -> Part {
    let mut value = block.to_value();
    if let (Some(object), Ok(input)) = (value.as_object_mut(), serde_json::from_str(input)) {
        object.insert("input".to_owned(), input);
    }
    if let (Some(object), Some(content)) = (value.as_object_mut(), content) {
        object.insert("content".to_owned(), content.to_value());
    }
    let whole = RawJson::from_value(&value);
    match serde_json::from_str::<&RawValue>(whole.as_str()) {
        Ok(raw) => decode_part(whole.text(), raw),
        Err(_) => Part::new(PartContent::Unknown { family: Family::Anthropic, raw: block.clone() }),
    }
}
