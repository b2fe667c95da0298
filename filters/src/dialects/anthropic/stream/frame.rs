//! Frames of a client's stream: events, and the blocks that they number.

use bytes::{BufMut, BytesMut};

use super::super::{usage::push_usage, wire::Writer};
use crate::{json, model::Usage};

/// The keepalive event.
pub(in super::super) const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

/// What follows the text of any delta event.
const DELTA_END: &[u8] = b"\"}}\n\n";

/// Numbers blocks and frames what is said of the open one.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The number of the next block; the open one's is one less.
    next: u64,
    /// All that stands before the text in a delta event of the open block.
    prefix: BytesMut,
}

impl Blocks {
    /// Writes a delta of the kind that was prepared.
    pub(super) fn delta(&self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        out.reserve(self.prefix.len() + text.len() + DELTA_END.len());
        out.extend_from_slice(&self.prefix);
        json::push_raw_str(out, text);
        out.extend_from_slice(DELTA_END);
    }

    /// Writes a delta of another kind.
    pub(super) fn other_delta(&self, kind: &str, member: &str, text: &str, out: &mut BytesMut) {
        self.begin_delta(kind, member, out);
        json::push_raw_str(out, text);
        out.extend_from_slice(DELTA_END);
    }

    /// Writes a `citations_delta`.
    pub(super) fn citation(&self, out: &mut BytesMut, citation: impl FnOnce(&mut BytesMut)) {
        push_event(out, "content_block_delta", |out| {
            let mut event = Writer::of_type(out, "content_block_delta");
            event.u64("index", self.next - 1);
            let mut delta = Writer::of_type(event.member("delta"), "citations_delta");
            citation(delta.member("citation"));
            delta.end();
            event.end();
        });
    }

    /// Opens the next block.
    pub(super) fn start(&mut self, out: &mut BytesMut, block: impl FnOnce(&mut BytesMut)) {
        let index = self.next;
        self.next += 1;
        push_event(out, "content_block_start", |out| {
            let mut event = Writer::of_type(out, "content_block_start");
            event.u64("index", index);
            block(event.member("content_block"));
            event.end();
        });
    }

    /// Closes the open block.
    pub(super) fn stop(&mut self, out: &mut BytesMut) {
        push_event(out, "content_block_stop", |out| {
            let mut event = Writer::of_type(out, "content_block_stop");
            event.u64("index", self.next - 1);
            event.end();
        });
    }

    /// Prepares the deltas of the open block.
    pub(super) fn set_prefix(&mut self, kind: &str, member: &str) {
        let mut prefix = std::mem::take(&mut self.prefix);
        prefix.clear();
        self.begin_delta(kind, member, &mut prefix);
        self.prefix = prefix;
    }

    /// Writes a delta event of the open block up to its string.
    fn begin_delta(&self, kind: &str, member: &str, out: &mut BytesMut) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        json::push_u64(out, self.next - 1);
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(member.as_bytes());
        out.extend_from_slice(b"\":\"");
    }
}

/// Writes one event. Clients dispatch on its name, so it always has one.
pub(super) fn push_event(out: &mut BytesMut, name: &str, data: impl FnOnce(&mut BytesMut)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    data(out);
    out.put_slice(b"\n\n");
}

/// Writes `message_start`: an answer that has no content yet.
pub(super) fn push_message_start(out: &mut BytesMut, id: &str, model: &str, usage: &Usage) {
    push_event(out, "message_start", |out| {
        let mut event = Writer::of_type(out, "message_start");
        let mut message = Writer::object(event.member("message"));
        message.str("id", id);
        message.str("type", "message");
        message.str("role", "assistant");
        message.str("model", model);
        message.raw("content", "[]");
        message.raw("stop_reason", "null");
        message.raw("stop_sequence", "null");
        push_usage(message.member("usage"), usage, None);
        message.end();
        event.end();
    });
}

/// Writes `message_delta` and `message_stop`.
pub(super) fn push_message_end(out: &mut BytesMut, reason: &str, sequence: Option<&str>, usage: Option<&Usage>) {
    push_event(out, "message_delta", |out| {
        let mut event = Writer::of_type(out, "message_delta");
        let mut delta = Writer::object(event.member("delta"));
        delta.str("stop_reason", reason);
        match sequence {
            Some(sequence) => delta.str("stop_sequence", sequence),
            None => delta.raw("stop_sequence", "null"),
        }
        delta.end();
        match usage {
            Some(usage) => push_usage(event.member("usage"), usage, None),
            // Clients need the member; the input was estimated in `message_start` and is not repeated.
            None => event.raw("usage", r#"{"output_tokens":0}"#),
        }
        event.end();
    });
    out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}
