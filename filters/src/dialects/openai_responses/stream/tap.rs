//! Watches a stream that passes untouched, for its counts, its model and its end.
//!
//! Only events that hold a response object matter. Lines are searched for its member, and only lines that have it are
//! parsed.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memmem};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{usage, wire::Text};
use crate::{
    dialects::Tap,
    model::{Str, Usage},
    sse::MAX_EVENT_BYTES,
};

/// What stands in front of a response object. Inside of text its quotes would be escaped.
const MARK: &[u8] = b"\"response\"";

#[derive(Deserialize)]
struct Watched<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    response: Option<WatchedResponse<'a>>,
}

#[derive(Deserialize)]
struct WatchedResponse<'a> {
    #[serde(borrow)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

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
        let Ok(event) = serde_json::from_slice::<Watched<'_>>(data) else { return };
        let Some(response) = event.response else { return };
        if let Some(model) = response.model.filter(|model| !model.is_empty()) {
            self.model = Some(Str::from(model.as_str()));
        }
        if matches!(event.kind.as_str(), "response.completed" | "response.incomplete" | "response.failed") {
            self.usage = response.usage.and_then(usage::decode);
            self.complete = true;
        }
    }
}
