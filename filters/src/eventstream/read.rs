//! Cutting a stream into frames.

use bytes::{Buf, Bytes, BytesMut};

use super::{CHECKSUM_BYTES, HeaderValue, Headers, MAX_FRAME_BYTES, PRELUDE_BYTES, Prelude, u32_at};
use crate::model::FilterError;

/// A frame whose checksums are right and whose headers are well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The whole frame.
    bytes: Bytes,
    /// Bytes of its headers.
    headers: usize,
}

impl Frame {
    /// Checks a whole frame.
    fn new(bytes: Bytes, prelude: Prelude) -> Result<Self, FilterError> {
        let frame = Self { bytes, headers: prelude.headers };
        let end = prelude.total - CHECKSUM_BYTES;
        let content = frame.bytes.get(..end).unwrap_or_default();
        if u32_at(&frame.bytes, end) != Some(crc32fast::hash(content)) {
            return Err(malformed("the checksum of a frame is wrong"));
        }
        frame.headers().check().map_err(malformed)?;
        Ok(frame)
    }

    /// Its headers, in their order.
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(self.bytes.get(PRELUDE_BYTES..PRELUDE_BYTES + self.headers).unwrap_or_default())
    }

    /// The text of the header `name`, if it is there and is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.headers().flatten().find_map(|(of, value)| match value {
            HeaderValue::Text(text) if of == name => Some(text),
            _ => None,
        })
    }

    /// Its payload: a slice of the chunk that it came in, if it came whole.
    pub fn into_payload(self) -> Bytes {
        let mut payload = self.bytes;
        payload.truncate(payload.len().saturating_sub(CHECKSUM_BYTES));
        payload.advance((PRELUDE_BYTES + self.headers).min(payload.len()));
        payload
    }
}

/// Cuts a stream into frames. An error is final: what follows a broken frame cannot be told from it.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// The beginning of a frame whose end has not come.
    pub(super) pending: BytesMut,
    /// What was fed and not read.
    chunk: Bytes,
}

impl FrameReader {
    /// Takes the next chunk. Call [`Self::next_frame`] until it gives nothing before feeding another.
    ///
    /// # Errors
    /// If more is fed than the longest frame holds without being read.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), FilterError> {
        if self.chunk.is_empty() {
            self.chunk = chunk;
            return Ok(());
        }
        if self.chunk.len() + chunk.len() > MAX_FRAME_BYTES {
            return Err(FilterError::TooLong { limit: MAX_FRAME_BYTES });
        }
        let mut joined = BytesMut::from(&self.chunk[..]);
        joined.extend_from_slice(&chunk);
        self.chunk = joined.freeze();
        Ok(())
    }

    /// The next complete frame of what was fed. The lengths in a prelude are checked, never reserved for: memory grows
    /// with what has come.
    ///
    /// # Errors
    /// If a checksum is wrong, or a frame is none.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FilterError> {
        if self.pending.is_empty() {
            let prelude = Prelude::read(&self.chunk).map_err(malformed)?;
            if let Some(prelude) = prelude.filter(|prelude| prelude.total <= self.chunk.len()) {
                let frame = self.chunk.split_to(prelude.total);
                return Frame::new(frame, prelude).map(Some);
            }
        }
        loop {
            let prelude = Prelude::read(&self.pending).map_err(malformed)?;
            let wanted = prelude.map_or(PRELUDE_BYTES, |prelude| prelude.total);
            let missing = wanted.saturating_sub(self.pending.len());
            if let Some(prelude) = prelude.filter(|_| missing == 0) {
                return Frame::new(self.pending.split().freeze(), prelude).map(Some);
            }
            let more = self.chunk.split_to(missing.min(self.chunk.len()));
            self.pending.extend_from_slice(&more);
            if more.len() < missing {
                return Ok(None);
            }
        }
    }

    /// True if the stream stands between two frames.
    pub fn is_between_frames(&self) -> bool {
        self.pending.is_empty() && self.chunk.is_empty()
    }
}

fn malformed(complaint: &'static str) -> FilterError {
    FilterError::malformed("event stream", &complaint)
}
