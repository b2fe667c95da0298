//! Appending Gemini's JSON to a buffer, member by member.
//!
//! Whether a comma is due shows in the last byte written: none follows an opening bracket.

use bytes::{BufMut, BytesMut};

use crate::json::push_str;

/// Begins another element of the innermost object or array.
pub(super) fn item(out: &mut BytesMut) {
    if !matches!(out.last(), None | Some(b'{' | b'[')) {
        out.put_u8(b',');
    }
}

/// Begins the member `name`; its value follows. `name` needs no escapes.
pub(super) fn key(out: &mut BytesMut, name: &str) {
    item(out);
    out.put_u8(b'"');
    out.put_slice(name.as_bytes());
    out.put_slice(b"\":");
}

/// Appends a member that is text.
pub(super) fn text(out: &mut BytesMut, name: &str, value: &str) {
    key(out, name);
    push_str(out, value);
}

/// Appends a member that is text, if there is one.
pub(super) fn text_opt(out: &mut BytesMut, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

/// Appends a member that is JSON already.
pub(super) fn raw(out: &mut BytesMut, name: &str, json: &str) {
    key(out, name);
    out.put_slice(json.as_bytes());
}

/// Appends a member that is a number.
pub(super) fn number(out: &mut BytesMut, name: &str, value: impl Into<serde_json::Number>) {
    raw(out, name, &value.into().to_string());
}

/// Appends a member that is a fraction, if it is one that JSON knows.
pub(super) fn real(out: &mut BytesMut, name: &str, value: Option<f64>) {
    if let Some(number) = value.and_then(serde_json::Number::from_f64) {
        raw(out, name, &number.to_string());
    }
}

/// Appends an object member that `write` fills; nothing, if it stays empty.
pub(super) fn object<T>(out: &mut BytesMut, name: &str, write: impl FnOnce(&mut BytesMut) -> T) -> T {
    let before = out.len();
    key(out, name);
    out.put_u8(b'{');
    let opened = out.len();
    let result = write(out);
    if out.len() == opened {
        out.truncate(before);
    } else {
        out.put_u8(b'}');
    }
    result
}

/// Appends an array member of texts; nothing, if there are none.
pub(super) fn texts<'a>(out: &mut BytesMut, name: &str, values: impl IntoIterator<Item = &'a str>) {
    let before = out.len();
    key(out, name);
    out.put_u8(b'[');
    let opened = out.len();
    for value in values {
        item(out);
        push_str(out, value);
    }
    if out.len() == opened {
        out.truncate(before);
    } else {
        out.put_u8(b']');
    }
}
