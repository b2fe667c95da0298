//! Cuts a stream into its JSON messages, whether they come as server-sent events or as the elements of an array.
//!
//! Which of the two it is shows in the first byte; servers do not always answer in the form that was asked for.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::{
    model::{FilterError, Str},
    sse::{MAX_EVENT_BYTES, SseReader},
};

/// A reader of either form.
#[derive(Debug, Default)]
pub(super) enum Frames {
    /// Nothing but space has come.
    #[default]
    Unknown,
    /// Server-sent events.
    Events(Box<SseReader>),
    /// Elements of an array, or bare objects one after the other.
    Array(ArrayReader),
}

impl Frames {
    /// Takes the next chunk. Call [`Self::next_message`] until it gives nothing before feeding another.
    pub(super) fn feed(&mut self, mut chunk: Bytes) -> Result<(), FilterError> {
        if matches!(self, Self::Unknown) {
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            let Some(at) = chunk.iter().position(|byte| !is_space(byte)) else { return Ok(()) };
            chunk = chunk.slice(at..);
            *self = match chunk.first() {
                Some(b'[' | b'{') => Self::Array(ArrayReader::default()),
                _ => Self::Events(Box::default()),
            };
        }
        match self {
            Self::Unknown => Ok(()),
            Self::Events(reader) => reader.feed(chunk),
            Self::Array(reader) => reader.feed(chunk),
        }
    }

    /// The next complete message of what was fed.
    pub(super) fn next_message(&mut self) -> Result<Option<Str>, FilterError> {
        match self {
            Self::Unknown => Ok(None),
            Self::Events(reader) => Ok(reader.next_event()?.map(|event| event.data)),
            Self::Array(reader) => reader.next_element(),
        }
    }

    /// The stream ended: the message that its last blank line would have completed.
    pub(super) fn finish(&mut self) -> Result<Option<Str>, FilterError> {
        match self {
            Self::Events(reader) => Ok(reader.finish()?.map(|event| event.data)),
            Self::Unknown | Self::Array(_) => Ok(None),
        }
    }
}

/// Cuts an array into its elements, which must be objects.
#[derive(Debug, Default)]
pub(super) struct ArrayReader {
    /// The beginning of an element whose end has not come.
    pending: BytesMut,
    /// The chunk being read, from the first byte that no element has taken.
    chunk: Bytes,
    /// Open brackets of the element; 0 between elements.
    depth: usize,
    place: Place,
}

/// Where in an element the reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Plain,
    InString,
    /// After a backslash in a string.
    Escaped,
}

impl ArrayReader {
    fn feed(&mut self, chunk: Bytes) -> Result<(), FilterError> {
        if self.pending.len() + chunk.len() > MAX_EVENT_BYTES {
            return Err(FilterError::TooLong { limit: MAX_EVENT_BYTES });
        }
        self.chunk = chunk;
        Ok(())
    }

    fn next_element(&mut self) -> Result<Option<Str>, FilterError> {
        if self.depth == 0 && !self.skip_between()? {
            return Ok(None);
        }
        let Some(end) = self.scan() else {
            self.pending.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
            return Ok(None);
        };
        let rest = self.chunk.split_off(end);
        let last = std::mem::replace(&mut self.chunk, rest);
        let element = if self.pending.is_empty() {
            last
        } else {
            self.pending.extend_from_slice(&last);
            self.pending.split().freeze()
        };
        Str::try_from(element).map(Some).map_err(|_| FilterError::NotUtf8)
    }

    /// Goes to the next element; false if none has begun.
    fn skip_between(&mut self) -> Result<bool, FilterError> {
        let filler = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']');
        let Some(start) = self.chunk.iter().position(|byte| !filler(byte)) else {
            self.chunk = Bytes::new();
            return Ok(false);
        };
        self.chunk = self.chunk.slice(start..);
        if self.chunk.first() == Some(&b'{') {
            return Ok(true);
        }
        Err(FilterError::malformed("Gemini stream", &"an element of the array is not an object"))
    }

    /// The position after the element's end, if it is in this chunk.
    fn scan(&mut self) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = self.chunk.get(at) {
            match self.place {
                Place::Escaped => self.place = Place::InString,
                Place::InString => {
                    at += memchr2(b'"', b'\\', self.chunk.get(at..)?)?;
                    let quote = self.chunk.get(at) == Some(&b'"');
                    self.place = if quote { Place::Plain } else { Place::Escaped };
                }
                Place::Plain => match byte {
                    b'"' => self.place = Place::InString,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                },
            }
            at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::default();
        let mut messages = Vec::new();
        for chunk in chunks {
            frames.feed(Bytes::copy_from_slice(chunk)).expect("short");
            while let Some(message) = frames.next_message().expect("a stream") {
                messages.push(message.to_string());
            }
        }
        messages.extend(frames.finish().expect("a stream").map(|message| message.to_string()));
        messages
    }

    #[test]
    fn both_forms_are_told_by_their_first_byte() {
        assert_eq!(read(&[b"\r\n [{\"a\":\"}]\\\"\"}\n,\r\n{\"b\":[{}]}]"]), [r#"{"a":"}]\""}"#, r#"{"b":[{}]}"#]);
        assert_eq!(read(&[b"data: {\"a\":1}\r\n\r\ndata: {}"]), [r#"{"a":1}"#, "{}"]);
        assert_eq!(read(&[b"{\"error\":{}}"]), [r#"{"error":{}}"#]);
    }

    #[test]
    fn an_array_of_anything_else_is_refused() {
        let mut frames = Frames::default();
        frames.feed(Bytes::from_static(b"[1]")).expect("short");
        assert!(frames.next_message().is_err());
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_elements(
            texts in prop::collection::vec(".{0,8}", 0..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let elements: Vec<String> = texts.iter().map(|text| serde_json::json!({"t": [text]}).to_string()).collect();
            let whole = format!("[{}]", elements.join("\n,\r\n"));
            let bytes = whole.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&chunks), elements);
        }
    }
}
