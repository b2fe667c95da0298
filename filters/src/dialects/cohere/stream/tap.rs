//! Watches a stream that passes untouched, for its counts and its end. Only the event that ends the answer matters.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem};

use super::{super::usage, event::WireEvent};
use crate::{
    dialects::Tap,
    model::{Str, Usage},
    sse::MAX_EVENT_BYTES,
};

/// The type of the event that ends an answer. Inside a string its quotes would be escaped.
const MARK: &[u8] = b"\"message-end\"";

/// Watches one stream.
#[derive(Debug)]
pub(in super::super) struct StreamTap {
    mark: memmem::Finder<'static>,
    /// The beginning of a line whose end has not come.
    partial: BytesMut,
    /// The line grew beyond any event; it is skipped to its end.
    skipping: bool,
    usage: Option<Usage>,
    complete: bool,
}

impl Default for StreamTap {
    fn default() -> Self {
        Self {
            mark: memmem::Finder::new(MARK),
            partial: BytesMut::new(),
            skipping: false,
            usage: None,
            complete: false,
        }
    }
}

impl Tap for StreamTap {
    fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        self.watch(&chunk);
        out.push(chunk);
    }

    fn finish(&mut self, _out: &mut Vec<Bytes>) {
        let line = std::mem::take(&mut self.partial);
        self.line(&line);
    }

    fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    fn model(&self) -> Option<&Str> {
        // Answers do not name their model.
        None
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn is_over(&self) -> bool {
        self.complete
    }
}

impl StreamTap {
    fn watch(&mut self, mut rest: &[u8]) {
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.partial.is_empty() {
                self.line(line);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole);
                whole.clear();
                self.partial = whole;
            }
        }
        if self.skipping || self.partial.len() + rest.len() > MAX_EVENT_BYTES {
            self.skipping = true;
            self.partial = BytesMut::new();
        } else {
            self.partial.extend_from_slice(rest);
        }
    }

    fn line(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        if self.complete || self.mark.find(data).is_none() {
            return;
        }
        let Ok(event) = serde_json::from_slice::<WireEvent<'_>>(data) else { return };
        if event.kind.is_none_or(|kind| kind.as_str() != "message-end") {
            return;
        }
        self.usage = event.delta.and_then(|delta| delta.usage).and_then(usage::decode);
        self.complete = true;
    }
}
