//! Watches a stream that passes untouched, for its counts and its end.
//!
//! Frames pass whole: the beginning of one waits for its end. A reader can make nothing of half a frame, and behind half
//! a frame nothing could be said any more, not even that the stream broke off.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::{
    super::{inspect::Trace, usage::WireUsage},
    event::Kind,
};
use crate::{
    aws::EVENT_TYPE,
    dialects::Tap,
    eventstream::{CHECKSUM_BYTES, HeaderValue, Headers, PRELUDE_BYTES, Prelude},
    model::{Str, Usage},
};

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    usage: Option<WireUsage<'a>>,
    #[serde(borrow)]
    trace: Option<Trace<'a>>,
}

/// Watches one stream.
#[derive(Debug, Default)]
pub(in super::super) struct StreamTap {
    /// The beginning of a frame whose end has not come.
    partial: BytesMut,
    /// What came is no frame: all passes, and nothing is read any more.
    lost: bool,
    usage: Option<Usage>,
    model: Option<Str>,
    complete: bool,
}

impl Tap for StreamTap {
    fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        let chunk = if self.partial.is_empty() || self.lost { chunk } else { self.complete_partial(chunk, out) };
        if self.lost {
            out.push(chunk);
            return;
        }
        self.frames(chunk, out);
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) {
        // Half a frame would swallow whatever is said next. Behind a whole answer nothing is.
        let rest = self.partial.split().freeze();
        if self.complete && !rest.is_empty() {
            out.push(rest);
        }
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
}

impl StreamTap {
    /// Completes the frame that was cut; gives what follows it.
    fn complete_partial(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) -> Bytes {
        loop {
            let Ok(prelude) = Prelude::read(&self.partial) else {
                self.lost = true;
                out.push(self.partial.split().freeze());
                return chunk;
            };
            let wanted = prelude.map_or(PRELUDE_BYTES, |prelude| prelude.total);
            let missing = wanted.saturating_sub(self.partial.len());
            if let Some(prelude) = prelude.filter(|_| missing == 0) {
                let frame = self.partial.split().freeze();
                self.frame(&frame, prelude);
                out.push(frame);
                return chunk;
            }
            let more = chunk.split_to(missing.min(chunk.len()));
            self.partial.extend_from_slice(&more);
            if more.len() < missing {
                return chunk;
            }
        }
    }

    /// Passes the whole frames of a chunk, and keeps what it ends with.
    fn frames(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>) {
        let mut end = 0;
        loop {
            let rest = chunk.get(end..).unwrap_or_default();
            match Prelude::read(rest) {
                Ok(Some(prelude)) if prelude.total <= rest.len() => {
                    self.frame(rest.get(..prelude.total).unwrap_or_default(), prelude);
                    end += prelude.total;
                }
                Ok(_) => break,
                Err(_) => {
                    self.lost = true;
                    end = chunk.len();
                    break;
                }
            }
        }
        let whole = chunk.split_to(end);
        if !whole.is_empty() {
            out.push(whole);
        }
        self.partial.extend_from_slice(&chunk);
    }

    /// Looks at a frame. Its checksum is the client's to check.
    fn frame(&mut self, frame: &[u8], prelude: Prelude) {
        let payload_at = PRELUDE_BYTES + prelude.headers;
        let mut headers = Headers::new(frame.get(PRELUDE_BYTES..payload_at).unwrap_or_default()).flatten();
        let kind = headers.find_map(|(name, value)| match value {
            HeaderValue::Text(text) if name == EVENT_TYPE => Some(Kind::of(text)),
            _ => None,
        });
        match kind {
            Some(Kind::MessageStop) => self.complete = true,
            Some(Kind::Metadata) => {
                self.metadata(frame.get(payload_at..prelude.total - CHECKSUM_BYTES).unwrap_or_default());
            }
            _ => {}
        }
    }

    fn metadata(&mut self, payload: &[u8]) {
        let Ok(text) = std::str::from_utf8(payload) else { return };
        let Ok(metadata) = serde_json::from_str::<Metadata<'_>>(text) else { return };
        self.usage = metadata.usage.map(|usage| usage.to_usage()).or(self.usage);
        self.model = metadata.trace.and_then(|trace| trace.served_by(&Str::from(text))).or_else(|| self.model.take());
    }
}
