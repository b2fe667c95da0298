//! The binary event framing of AWS (`application/vnd.amazon.eventstream`).
//!
//! Reference: <https://smithy.io/2.0/aws/amazon-eventstream.html>. A frame is a prelude (its whole length, the length
//! of its headers, and a checksum of the two), typed headers, a payload, and a checksum of all that stands before it.
//! Integers are big endian, checksums CRC-32 as in zlib. Frames do not keep to the borders of the chunks that they
//! arrive in.
//!
//! [`FrameReader`] cuts a stream into [`Frame`]s and checks them; [`push_frame`] writes one. What a frame means is the
//! dialect's business.

mod headers;
mod read;
mod write;

pub use headers::{HeaderValue, Headers};
pub use read::{Frame, FrameReader};
pub use write::push_frame;

/// The most bytes of headers in a frame.
pub const MAX_HEADERS_BYTES: usize = 128 << 10;

/// The most bytes of payload in a frame.
pub const MAX_PAYLOAD_BYTES: usize = 24 << 20;

/// The most headers in a frame. The format sets no bound; services send three or four.
pub const MAX_HEADERS: usize = 32;

/// The prelude: two lengths and their checksum.
pub(crate) const PRELUDE_BYTES: usize = 12;

/// The checksum at a frame's end.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// The longest frame.
pub(crate) const MAX_FRAME_BYTES: usize = PRELUDE_BYTES + MAX_HEADERS_BYTES + MAX_PAYLOAD_BYTES + CHECKSUM_BYTES;

/// What a checked prelude says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prelude {
    /// Bytes of the whole frame.
    pub(crate) total: usize,
    /// Bytes of its headers.
    pub(crate) headers: usize,
}

impl Prelude {
    /// Reads the prelude at the beginning of `bytes`; `None` if it has not come whole. Nothing it says is believed
    /// before its checksum is.
    ///
    /// # Errors
    /// If the checksum is wrong, or the lengths are none of a frame's.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let (Some(total), Some(headers), Some(checksum)) = (u32_at(bytes, 0), u32_at(bytes, 4), u32_at(bytes, 8))
        else {
            return Ok(None);
        };
        if crc32fast::hash(bytes.get(..8).unwrap_or_default()) != checksum {
            return Err("the checksum of a prelude is wrong");
        }
        let (total, headers) = (total as usize, headers as usize);
        let payload = total.checked_sub(PRELUDE_BYTES + CHECKSUM_BYTES).and_then(|rest| rest.checked_sub(headers));
        match payload {
            None => Err("a frame is shorter than its headers"),
            Some(_) if headers > MAX_HEADERS_BYTES => Err("the headers of a frame are longer than the format allows"),
            Some(payload) if payload > MAX_PAYLOAD_BYTES => {
                Err("the payload of a frame is longer than the format allows")
            }
            Some(_) => Ok(Some(Self { total, headers })),
        }
    }
}

/// The big-endian number at `at`, if it stands there whole.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests;
