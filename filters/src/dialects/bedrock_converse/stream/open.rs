//! The content blocks of an upstream's stream that are open.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{
    blocks,
    formats::mime_of,
    response::decode_part,
    wire::{Text, Writer},
};
use crate::model::{
    Delta, Event, Family, Media, MediaClass, MediaSource, OpaqueKind, Part, PartContent, PartKey, PartKind, PartStart,
    RawJson, ServerCall, Str,
};

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
    /// Thinking, and its signature, which goes out with the end.
    Thinking { signature: Option<Str> },
    /// A call: whether arguments have come.
    Call { saw_args: bool },
    /// A call of the service's own tool: it goes out whole, at its end.
    ServerCall { id: Str, tool: Str, input: String },
    /// What such a tool gave: its start, and its content so far, as JSON texts.
    ServerResult { start: RawJson, content: Vec<RawJson> },
    /// An image: its media type, and its bytes in base64.
    Image { mime: Option<Str>, data: Option<Str> },
    /// It went out whole.
    Whole,
}

/// The media type of an image's format.
pub(super) fn image_type(format: &str) -> Str {
    mime_of(MediaClass::Image, format).map_or_else(|| Str::from(format!("image/{format}")), Str::from_static)
}

/// The bytes of an image that a delta brought.
pub(super) fn image_data(data: &Str, raw: &RawValue) -> Option<Str> {
    #[derive(Deserialize)]
    struct Image<'a> {
        #[serde(borrow)]
        source: Option<Source<'a>>,
    }
    #[derive(Deserialize)]
    struct Source<'a> {
        #[serde(borrow)]
        bytes: Option<Text<'a>>,
    }
    let image: Image<'_> = serde_json::from_str(raw.get()).ok()?;
    image.source?.bytes.map(|bytes| bytes.keep(data))
}

/// Appends what waited for the end of a block, and the end.
pub(super) fn close(open: Open, events: &mut Vec<Event>) {
    let part = open.key;
    let whole = match open.kind {
        OpenKind::Thinking { signature } => {
            let opaque = signature.filter(|signature| !signature.is_empty());
            let opaque = opaque.map(|data| blocks::own_opaque(OpaqueKind::Signature, data));
            events.extend(opaque.map(|opaque| Event::Delta { part, delta: Delta::Opaque(Box::new(opaque)) }));
            None
        }
        // A call without arguments has none in its deltas.
        OpenKind::Call { saw_args: false } => {
            events.push(Event::Delta { part, delta: Delta::Args(Str::from_static("{}")) });
            None
        }
        OpenKind::ServerCall { id, tool, input } => {
            let nothing = |_| RawJson::from_checked(Str::from_static("{}"));
            let input = RawJson::parse(Str::from(input)).unwrap_or_else(nothing);
            Some(Part::new(PartContent::ServerCall(ServerCall { id, tool, input, family: Family::Bedrock })))
        }
        OpenKind::ServerResult { start, content } => assemble(&start, &content),
        OpenKind::Image { mime, data: Some(data) } => {
            let media = Media::new(MediaClass::Image, mime, MediaSource::Base64(data));
            Some(Part::new(PartContent::Media(media)))
        }
        OpenKind::Image { data: None, .. } => return,
        OpenKind::Text | OpenKind::Call { .. } | OpenKind::Whole => None,
    };
    if let Some(whole) = whole {
        let kind = PartKind::Whole(whole);
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
    }
    events.push(Event::PartEnd(part));
}

/// The whole block of a result that came in pieces.
fn assemble(start: &RawJson, content: &[RawJson]) -> Option<Part> {
    let start = start.to_value();
    let mut out = BytesMut::new();
    let mut block = Writer::object(&mut out);
    let mut result = block.nested("toolResult");
    for (name, value) in start.as_object()? {
        crate::json::push_str(result.element(), name);
        result.out.extend_from_slice(b":");
        result.out.extend_from_slice(value.to_string().as_bytes());
    }
    let mut list = result.list("content");
    for piece in content {
        list.element().extend_from_slice(piece.as_str().as_bytes());
    }
    list.end();
    result.end();
    block.end();
    let text = Str::try_from(out.freeze()).ok()?;
    let raw: &RawValue = serde_json::from_str(&text).ok()?;
    Some(decode_part(&text, raw))
}
