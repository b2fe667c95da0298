//! Recognises an event that says the same as the last but for its text, without parsing it.
//!
//! Nearly all events of an answer are alike: they differ in the text and in the running token counts. The bytes
//! around the text of one such event, parsed properly, are the template for the next: what matches it byte by byte
//! needs no parser. Token counts may differ, and are read when somebody asks. Any doubt goes to the parser.

use std::ops::Range;

use memchr::{memchr2, memmem};

use crate::model::{PartKey, Str};

/// The shape of a text event.
#[derive(Debug)]
pub(super) struct Template {
    /// The part to which the text belongs.
    pub(super) part: PartKey,
    /// The event that the template was made from.
    model: Str,
    /// Up to and with the quote before the text.
    head: usize,
    /// The stretches after the text that must recur; token counts stand between them.
    tail: Vec<Range<usize>>,
}

/// How every count's name ends.
const COUNT: &[u8] = b"okenCount\":";

impl Template {
    /// A template from an event that is nothing but a delta of `text`, which is a slice of it without escapes.
    pub(super) fn new(part: PartKey, event: &Str, text: &str) -> Option<Self> {
        let start = text.as_ptr().addr().checked_sub(event.as_ptr().addr())?;
        let end = start.checked_add(text.len())?;
        let bytes = event.as_bytes();
        if bytes.get(start..end)? != text.as_bytes() || bytes.get(end) != Some(&b'"') {
            return None;
        }
        let mut tail = Vec::new();
        let mut from = end;
        while let Some(found) = memmem::find(bytes.get(from..)?, COUNT) {
            let spaces = |byte: &&u8| **byte == b' ';
            let mut stop = from + found + COUNT.len();
            stop += bytes.get(stop..)?.iter().take_while(spaces).count();
            tail.push(from..stop);
            from = stop + digits(bytes.get(stop..)?);
        }
        tail.push(from..bytes.len());
        Some(Self { part, model: event.clone(), head: start, tail })
    }

    /// The text of an event that matches.
    pub(super) fn text_of(&self, event: &Str) -> Option<Str> {
        let bytes = event.as_bytes();
        let model = self.model.as_bytes();
        if bytes.get(..self.head)? != model.get(..self.head)? {
            return None;
        }
        let rest = bytes.get(self.head..)?;
        let length = memchr2(b'"', b'\\', rest)?;
        let (text, mut rest) = rest.split_at_checked(length)?;
        // Control characters are not JSON; the parser has the right words for that.
        if text.iter().any(|byte| *byte < 0x20) {
            return None;
        }
        for (at, stretch) in self.tail.iter().enumerate() {
            if at > 0 {
                let count = digits(rest);
                // A number begins with zero only if it is zero.
                if count == 0 || (count > 1 && rest.first() == Some(&b'0')) || count > 18 {
                    return None;
                }
                rest = rest.get(count..)?;
            }
            rest = rest.strip_prefix(model.get(stretch.clone())?)?;
        }
        if !rest.is_empty() {
            return None;
        }
        let text = event.get(self.head..self.head + length)?;
        Some(event.slice_ref(text))
    }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}
