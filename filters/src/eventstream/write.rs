//! Writing frames.

use bytes::{BufMut, BytesMut};

use super::PRELUDE_BYTES;

/// Appends a frame with text headers, and the payload that `payload` appends. Names are at most 255 bytes long, texts
/// at most 65,535, and the payload at most [`super::MAX_PAYLOAD_BYTES`]; headers that break the bound are left out.
pub fn push_frame(out: &mut BytesMut, headers: &[(&str, &str)], payload: impl FnOnce(&mut BytesMut)) {
    let frame = begin(out);
    for (name, text) in headers {
        push_header(out, name, text);
    }
    finish(out, frame, payload);
}

/// Appends a text header.
fn push_header(out: &mut BytesMut, name: &str, text: &str) {
    const TEXT: u8 = 7;
    let (Ok(name_length), Ok(length)) = (u8::try_from(name.len()), u16::try_from(text.len())) else { return };
    out.put_u8(name_length);
    out.extend_from_slice(name.as_bytes());
    out.put_u8(TEXT);
    out.put_u16(length);
    out.extend_from_slice(text.as_bytes());
}

/// Leaves room for a prelude; gives where the frame begins.
fn begin(out: &mut BytesMut) -> usize {
    let frame = out.len();
    out.put_bytes(0, PRELUDE_BYTES);
    frame
}

/// Appends the payload, fills in the prelude, and appends the checksum.
fn finish(out: &mut BytesMut, frame: usize, payload: impl FnOnce(&mut BytesMut)) {
    let headers = out.len() - frame - PRELUDE_BYTES;
    payload(out);
    let total = out.len() - frame + super::CHECKSUM_BYTES;
    put_at(out, frame, u32::try_from(total).unwrap_or(u32::MAX));
    put_at(out, frame + 4, u32::try_from(headers).unwrap_or(u32::MAX));
    let checksum = crc32fast::hash(out.get(frame..frame + 8).unwrap_or_default());
    put_at(out, frame + 8, checksum);
    let checksum = crc32fast::hash(out.get(frame..).unwrap_or_default());
    out.put_u32(checksum);
}

/// Writes a number over the four bytes at `at`.
fn put_at(out: &mut BytesMut, at: usize, number: u32) {
    if let Some(four) = out.get_mut(at..at + 4) {
        four.copy_from_slice(&number.to_be_bytes());
    }
}
