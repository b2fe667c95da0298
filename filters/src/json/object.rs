//! Writing objects and arrays straight into a buffer.

use bytes::{BufMut, BytesMut};

use super::{push_str, push_u64};

/// An object or array being written: puts the commas.
///
/// Names are written as they are given, so they must need no escape.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) out: &'a mut BytesMut,
    first: bool,
    close: u8,
}

impl<'a> Writer<'a> {
    /// Begins an object.
    pub(crate) fn object(out: &'a mut BytesMut) -> Self {
        out.put_u8(b'{');
        Self { out, first: true, close: b'}' }
    }

    /// Begins an object of a kind: `{"type":"…"`.
    pub(crate) fn of_type(out: &'a mut BytesMut, kind: &str) -> Self {
        let mut object = Self::object(out);
        object.str("type", kind);
        object
    }

    /// Goes on with an object that has members.
    pub(crate) fn more(out: &'a mut BytesMut) -> Self {
        Self { out, first: false, close: b'}' }
    }

    /// Begins an array.
    pub(crate) fn array(out: &'a mut BytesMut) -> Self {
        out.put_u8(b'[');
        Self { out, first: true, close: b']' }
    }

    /// Ends what was begun.
    pub(crate) fn end(self) {
        self.out.put_u8(self.close);
    }

    /// Goes on to the next element of an array; the caller writes it to the buffer that comes back.
    pub(crate) fn element(&mut self) -> &mut BytesMut {
        if !std::mem::replace(&mut self.first, false) {
            self.out.put_u8(b',');
        }
        self.out
    }

    /// Begins a member; the caller writes its value to the buffer that comes back.
    pub(crate) fn member(&mut self, name: &str) -> &mut BytesMut {
        self.element();
        self.out.put_u8(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A member that is a string.
    pub(crate) fn str(&mut self, name: &str, text: &str) {
        push_str(self.member(name), text);
    }

    /// A member that is a string, or is left out.
    pub(crate) fn maybe_str(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.str(name, text);
        }
    }

    /// A member that is JSON text already.
    pub(crate) fn raw(&mut self, name: &str, json: &str) {
        self.member(name).extend_from_slice(json.as_bytes());
    }

    /// A member that is a count.
    pub(crate) fn u64(&mut self, name: &str, number: u64) {
        push_u64(self.member(name), number);
    }

    /// A member that is a truth value.
    pub(crate) fn bool(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// A member that is a number. Whole numbers are written without a fraction; JSON has no infinity.
    pub(crate) fn f64(&mut self, name: &str, number: f64) {
        let number = if number.is_finite() { number } else { 0.0 };
        self.raw(name, &number.to_string());
    }

    /// A member that is an object.
    pub(crate) fn nested(&mut self, name: &str) -> Writer<'_> {
        Writer::object(self.member(name))
    }

    /// A member that is an array.
    pub(crate) fn list(&mut self, name: &str) -> Writer<'_> {
        Writer::array(self.member(name))
    }
}
