//! Frames of a client's stream: numbered events, and the items that they announce.

use bytes::BytesMut;

use super::super::{output::Content, wire::Writer};
use crate::{
    json::{push_raw_str, push_u64},
    model::Str,
};

/// Numbers events and items, and keeps the items that are complete.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The number of the next event.
    sequence: u64,
    /// The items by their position, complete ones written out.
    items: Vec<Option<BytesMut>>,
    /// What stands before and after the number and before the text in a delta of the part that is live.
    hot: Hot,
}

/// A delta of one part, but for its number and its text.
#[derive(Debug, Default)]
struct Hot {
    head: BytesMut,
    middle: BytesMut,
    tail: &'static [u8],
}

impl Frames {
    /// Takes the next position in the output.
    pub(super) fn next_item(&mut self) -> usize {
        self.items.push(None);
        self.items.len() - 1
    }

    /// The position that the next item will have.
    pub(super) fn peek_item(&self) -> usize {
        self.items.len()
    }

    /// The complete items, in order.
    pub(super) fn items(&self) -> impl Iterator<Item = &BytesMut> {
        self.items.iter().flatten()
    }

    /// Writes an event. Its name repeats its type, for clients that go by either.
    pub(super) fn event(&mut self, kind: &str, out: &mut BytesMut, members: impl FnOnce(&mut Writer<'_>)) {
        begin(kind, out);
        push_u64(out, self.sequence);
        self.sequence += 1;
        let mut object = Writer::more(out);
        members(&mut object);
        object.end();
        out.extend_from_slice(b"\n\n");
    }

    /// Writes `response.output_item.added`.
    pub(super) fn added(&mut self, index: usize, out: &mut BytesMut, item: impl FnOnce(&mut BytesMut)) {
        self.event("response.output_item.added", out, |event| {
            event.u64("output_index", index as u64);
            item(event.member("item"));
        });
    }

    /// Writes `response.output_item.done`, and keeps the item for the end of the stream.
    pub(super) fn done(&mut self, index: usize, out: &mut BytesMut, item: impl FnOnce(&mut BytesMut)) {
        let mut whole = BytesMut::new();
        self.event("response.output_item.done", out, |event| {
            event.u64("output_index", index as u64);
            let out = event.member("item");
            let begins = out.len();
            item(out);
            whole.extend_from_slice(out.get(begins..).unwrap_or_default());
        });
        if let Some(slot) = self.items.get_mut(index) {
            *slot = Some(whole);
        }
    }

    /// Prepares the deltas of a part.
    pub(super) fn heat(&mut self, kind: &str, place: &Place<'_>, tail: &'static [u8]) {
        let Hot { mut head, mut middle, .. } = std::mem::take(&mut self.hot);
        head.clear();
        middle.clear();
        begin(kind, &mut head);
        let mut object = Writer::more(&mut middle);
        place.push(&mut object);
        object.member("delta").extend_from_slice(b"\"");
        self.hot = Hot { head, middle, tail };
    }

    /// Writes a delta of the part that was prepared.
    pub(super) fn delta(&mut self, text: &str, out: &mut BytesMut) {
        let Hot { head, middle, tail } = &self.hot;
        out.reserve(head.len() + middle.len() + text.len() + tail.len() + 20);
        out.extend_from_slice(head);
        push_u64(out, self.sequence);
        self.sequence += 1;
        out.extend_from_slice(middle);
        push_raw_str(out, text);
        out.extend_from_slice(tail);
    }
}

/// Writes an event up to its number.
fn begin(kind: &str, out: &mut BytesMut) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: {\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"sequence_number\":");
}

/// What follows the text of a delta.
pub(super) const PLAIN_TAIL: &[u8] = b"\"}\n\n";
/// The same for visible text, whose deltas always have probabilities.
pub(super) const TEXT_TAIL: &[u8] = b"\",\"logprobs\":[]}\n\n";

/// What an event is about.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) item_id: &'a str,
    pub(super) index: usize,
    /// The name of the member that numbers the part, and its number; items without parts have none.
    pub(super) part: Option<(&'static str, usize)>,
}

impl Place<'_> {
    pub(super) fn push(&self, event: &mut Writer<'_>) {
        event.str("item_id", self.item_id);
        event.u64("output_index", self.index as u64);
        if let Some((name, number)) = self.part {
            event.u64(name, number as u64);
        }
    }
}

/// A message that is being written.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) index: usize,
    pub(super) id: Str,
    /// Its parts; the last one is open.
    pub(super) contents: Vec<Content>,
}

impl Message {
    /// The place of its last part.
    pub(super) fn place(&self) -> Place<'_> {
        let part = Some(("content_index", self.contents.len().saturating_sub(1)));
        Place { item_id: &self.id, index: self.index, part }
    }
}

/// Reasoning that is being written.
#[derive(Debug)]
pub(super) struct Thinking {
    pub(super) index: usize,
    pub(super) id: Str,
    pub(super) text: String,
}

impl Thinking {
    /// The place of its one summary.
    pub(super) fn place(&self) -> Place<'_> {
        Place { item_id: &self.id, index: self.index, part: Some(("summary_index", 0)) }
    }
}
