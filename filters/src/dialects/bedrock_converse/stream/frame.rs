//! Frames of a client's stream: events, and the blocks that they number.

use bytes::BytesMut;

use super::super::{
    error,
    response::{push_citation, push_image_source, push_metrics, push_response_fields},
    usage::push_usage,
    wire::Writer,
};
use crate::{
    aws::{EVENT_TYPE, EXCEPTION_TYPE, MESSAGE_TYPE},
    eventstream::push_frame,
    json,
    model::{Citation, ErrorInfo, Finish, Usage},
};

/// Most bytes of text in one event: escaped, it fits into a frame whatever it says.
const MAX_TEXT: usize = 1 << 20;

/// The kinds of piece that come often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text,
    Args,
    Thinking,
}

impl Piece {
    /// What stands around the text in `delta`.
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => (r#""text":""#, r#""}}"#),
            Self::Args => (r#""toolUse":{"input":""#, r#""}}}"#),
            Self::Thinking => (r#""reasoningContent":{"text":""#, r#""}}}"#),
        }
    }
}

/// Numbers blocks and frames what is said of the open one.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The number of the next block; the open one's is one less.
    next: u64,
    /// All that stands before the text in the payload of a piece of the open block.
    prefix: BytesMut,
    suffix: &'static str,
}

impl Blocks {
    /// Opens the next block. Text and thinking are not announced.
    pub(super) fn open(&mut self, piece: Piece) {
        self.next += 1;
        let (before, after) = piece.around();
        self.prefix.clear();
        self.prefix.extend_from_slice(b"{\"contentBlockIndex\":");
        json::push_u64(&mut self.prefix, self.next - 1);
        self.prefix.extend_from_slice(b",\"delta\":{");
        self.prefix.extend_from_slice(before.as_bytes());
        self.suffix = after;
    }

    /// Writes a piece of the open block, of the kind that it was opened for.
    pub(super) fn piece(&self, text: &str, out: &mut BytesMut) {
        let mut rest = text;
        while !rest.is_empty() {
            let end = if rest.len() <= MAX_TEXT { rest.len() } else { rest.floor_char_boundary(MAX_TEXT) };
            let (said, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = after;
            self.bare_piece(said, out);
        }
    }

    /// Writes a piece even if it says nothing.
    pub(super) fn bare_piece(&self, text: &str, out: &mut BytesMut) {
        out.reserve(128 + self.prefix.len() + text.len());
        push_event(out, "contentBlockDelta", |out| {
            out.extend_from_slice(&self.prefix);
            json::push_raw_str(out, text);
            out.extend_from_slice(self.suffix.as_bytes());
        });
    }

    /// Writes a piece of another kind.
    pub(super) fn delta(&self, out: &mut BytesMut, write: impl FnOnce(&mut Writer<'_>)) {
        push_event(out, "contentBlockDelta", |out| {
            let mut event = Writer::object(out);
            event.u64("contentBlockIndex", self.next.saturating_sub(1));
            let mut delta = event.nested("delta");
            write(&mut delta);
            delta.end();
            event.end();
        });
    }

    /// Writes thinking's signature, or withheld thinking.
    pub(super) fn state(&self, member: &str, state: &str, out: &mut BytesMut) {
        self.delta(out, |delta| {
            let mut reasoning = delta.nested("reasoningContent");
            reasoning.str(member, state);
            reasoning.end();
        });
    }

    /// Writes a source.
    pub(super) fn citation(&self, citation: &Citation, out: &mut BytesMut) {
        self.delta(out, |delta| push_citation(delta.member("citation"), citation));
    }

    /// Announces the open block.
    pub(super) fn start(&self, out: &mut BytesMut, write: impl FnOnce(&mut Writer<'_>)) {
        push_event(out, "contentBlockStart", |out| {
            let mut event = Writer::object(out);
            event.u64("contentBlockIndex", self.next.saturating_sub(1));
            let mut start = event.nested("start");
            write(&mut start);
            start.end();
            event.end();
        });
    }

    /// Writes an image, which is a block of its own.
    pub(super) fn image(&mut self, format: &str, data: &str, out: &mut BytesMut) {
        self.open(Piece::Text);
        self.start(out, |start| {
            let mut image = start.nested("image");
            image.str("format", format);
            image.end();
        });
        self.delta(out, |delta| {
            let mut image = delta.nested("image");
            push_image_source(&mut image, data);
            image.end();
        });
        self.stop(out);
    }

    /// Closes the open block.
    pub(super) fn stop(&self, out: &mut BytesMut) {
        push_event(out, "contentBlockStop", |out| {
            let mut event = Writer::object(out);
            event.u64("contentBlockIndex", self.next.saturating_sub(1));
            event.end();
        });
    }
}

/// Writes one event.
fn push_event(out: &mut BytesMut, name: &str, payload: impl FnOnce(&mut BytesMut)) {
    let headers = [(EVENT_TYPE, name), (":content-type", "application/json"), (MESSAGE_TYPE, "event")];
    push_frame(out, &headers, payload);
}

/// Writes `messageStart`.
pub(super) fn push_message_start(out: &mut BytesMut) {
    push_event(out, "messageStart", |out| out.extend_from_slice(br#"{"role":"assistant"}"#));
}

/// Writes `messageStop` and, behind it, `metadata`.
pub(super) fn push_message_end(out: &mut BytesMut, reason: &str, finish: &Finish, usage: &Usage) {
    push_event(out, "messageStop", |out| {
        let mut event = Writer::object(out);
        event.str("stopReason", reason);
        push_response_fields(&mut event, finish);
        event.end();
    });
    push_event(out, "metadata", |out| {
        let mut event = Writer::object(out);
        push_usage(event.member("usage"), usage);
        push_metrics(&mut event);
        event.end();
    });
}

/// Writes an exception.
pub(super) fn push_exception(out: &mut BytesMut, error: &ErrorInfo) {
    let name = error::name_in_stream(error.class);
    let headers = [(EXCEPTION_TYPE, name), (":content-type", "application/json"), (MESSAGE_TYPE, "exception")];
    push_frame(out, &headers, |out| error::push_in_stream(out, error));
}
