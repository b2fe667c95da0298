//! Writing objects straight into a buffer.

use bytes::{BufMut, BytesMut};

use crate::json::{push_str, push_u64};

/// An object or array being written: puts the commas.
///
/// Names are written as they are given, so they must need no escape.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut BytesMut,
    first: bool,
    close: u8,
}

impl<'a> Writer<'a> {
    /// Begins an object.
    pub(super) fn object(out: &'a mut BytesMut) -> Self {
        out.put_u8(b'{');
        Self { out, first: true, close: b'}' }
    }

    /// Begins an array.
    pub(super) fn array(out: &'a mut BytesMut) -> Self {
        out.put_u8(b'[');
        Self { out, first: true, close: b']' }
    }

    /// Ends what was begun.
    pub(super) fn end(self) {
        self.out.put_u8(self.close);
    }

    /// Goes on to the next element of an array; the caller writes it to the buffer that comes back.
    pub(super) fn element(&mut self) -> &mut BytesMut {
        if !std::mem::replace(&mut self.first, false) {
            self.out.put_u8(b',');
        }
        self.out
    }

    /// Begins a member; the caller writes its value to the buffer that comes back.
    pub(super) fn member(&mut self, name: &str) -> &mut BytesMut {
        self.element();
        self.out.put_u8(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A member that is a string.
    pub(super) fn str(&mut self, name: &str, text: &str) {
        push_str(self.member(name), text);
    }

    /// A member that is a string, or is left out.
    pub(super) fn maybe_str(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.str(name, text);
        }
    }

    /// A member that is JSON text already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.member(name).extend_from_slice(json.as_bytes());
    }

    /// A member that is a count.
    pub(super) fn u64(&mut self, name: &str, number: u64) {
        push_u64(self.member(name), number);
    }

    /// A member that is a truth value.
    pub(super) fn bool(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// A member that is a number. Whole numbers are written without a fraction.
    pub(super) fn f64(&mut self, name: &str, number: f64) {
        self.raw(name, &number.to_string());
    }

    /// A member that is an object.
    pub(super) fn nested(&mut self, name: &str) -> Writer<'_> {
        Writer::object(self.member(name))
    }

    /// A member that is an array.
    pub(super) fn list(&mut self, name: &str) -> Writer<'_> {
        Writer::array(self.member(name))
    }
}
