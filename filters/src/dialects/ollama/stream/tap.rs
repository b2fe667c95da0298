//! Watches a stream that passes untouched, for its counts, its model and its end. Only the line that ends the answer
//! matters; the others are searched for it and not parsed.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem};

use super::super::wire::Line;
use crate::{
    dialects::Tap,
    model::{Str, Usage},
    sse::MAX_EVENT_BYTES,
};

/// The member that says whether an answer is complete. Inside a string its quotes would be escaped.
const MARK: &[u8] = b"\"done\"";

/// Watches one stream.
#[derive(Debug)]
pub(in super::super) struct StreamTap {
    mark: memmem::Finder<'static>,
    /// The beginning of a line whose end has not come.
    partial: BytesMut,
    /// The line grew beyond any event; it is skipped to its end.
    skipping: bool,
    usage: Option<Usage>,
    model: Option<Str>,
    complete: bool,
}

impl Default for StreamTap {
    fn default() -> Self {
        Self {
            mark: memmem::Finder::new(MARK),
            partial: BytesMut::new(),
            skipping: false,
            usage: None,
            model: None,
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
        self.model.as_ref()
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
        if self.complete || (self.model.is_some() && !self.ends(line)) {
            return;
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        self.model = line.model.as_ref().map(|model| Str::from(model.as_str())).or_else(|| self.model.take());
        if line.done == Some(true) {
            self.usage = line.usage().or(self.usage);
            self.complete = true;
        }
    }

    /// Whether a line may be the last: it says `"done"`, and `true`. In a string the quotes would be escaped.
    fn ends(&self, line: &[u8]) -> bool {
        self.mark.find_iter(line).any(|at| {
            let value = line.get(at + MARK.len()..).unwrap_or_default().trim_ascii_start();
            value.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
        })
    }
}
