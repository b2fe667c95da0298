//! Server-sent event framing (WHATWG HTML, section "Server-sent events").
//!
//! Works on bytes and decodes UTF-8 only per complete event, so a chunk may end inside a character. The data of an
//! event that lies whole in one chunk is a slice of that chunk.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use crate::model::{FilterError, Str};

/// The longest event that is read. Images come inline in events, so this is generous; it only bounds memory.
pub const MAX_EVENT_BYTES: usize = 32 << 20;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field, empty if there was none.
    pub name: Str,
    /// The `data:` lines, joined by newlines.
    pub data: Str,
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub struct SseReader {
    /// What has come and makes no whole line yet.
    pending: BytesMut,
    /// The chunk being read, from the first byte that no line has taken.
    chunk: Bytes,
    name: Option<Str>,
    data: Data,
    /// The last line ended with a carriage return: a newline that follows belongs to it.
    after_cr: bool,
    started: bool,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Str),
    Many(String),
}

impl SseReader {
    /// Takes the next chunk. Call [`Self::next_event`] until it gives nothing before feeding another.
    ///
    /// # Errors
    /// If an event grows beyond [`MAX_EVENT_BYTES`].
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), FilterError> {
        if self.pending.len() + self.data.len() + chunk.len() > MAX_EVENT_BYTES {
            return Err(FilterError::TooLong { limit: MAX_EVENT_BYTES });
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::from(&self.chunk[..]);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
        Ok(())
    }

    /// The next complete event of what was fed.
    ///
    /// # Errors
    /// If an event is not UTF-8.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, FilterError> {
        while let Some(line) = self.next_line() {
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
                continue;
            }
            self.field(line)?;
        }
        Ok(None)
    }

    /// The stream ended: the event that its last blank line would have completed. Vendors leave that line out.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn finish(&mut self) -> Result<Option<SseEvent>, FilterError> {
        let rest = self.pending.split().freeze();
        if !rest.is_empty() {
            self.field(rest)?;
        }
        Ok(self.dispatch())
    }

    /// True if the stream stands between two events.
    pub fn is_between_events(&self) -> bool {
        self.pending.is_empty() && self.chunk.is_empty() && self.name.is_none() && matches!(self.data, Data::None)
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let name = self.name.take().unwrap_or_default();
        let data = match std::mem::take(&mut self.data) {
            Data::None => return None,
            Data::One(data) => data,
            Data::Many(data) => Str::from(data),
        };
        Some(SseEvent { name, data })
    }

    /// The next whole line, without its end.
    fn next_line(&mut self) -> Option<Bytes> {
        if self.after_cr {
            let first = *self.chunk.first()?;
            self.after_cr = false;
            if first == b'\n' {
                self.advance(1);
            }
        }
        let end = memchr2(b'\n', b'\r', &self.chunk);
        let Some(end) = end else {
            self.pending.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
            return None;
        };
        self.after_cr = self.chunk[end] == b'\r';
        let line = self.chunk.slice(..end);
        self.advance(end + 1);
        if self.pending.is_empty() {
            return Some(line);
        }
        self.pending.extend_from_slice(&line);
        Some(self.pending.split().freeze())
    }

    fn advance(&mut self, count: usize) {
        // Dropping the chunk at its end lets its buffer go while the reader waits.
        self.chunk = if count == self.chunk.len() { Bytes::new() } else { self.chunk.slice(count..) };
    }

    fn field(&mut self, mut line: Bytes) -> Result<(), FilterError> {
        if !std::mem::replace(&mut self.started, true) && line.starts_with(b"\xef\xbb\xbf") {
            line = line.slice(3..);
        }
        if let Some(data) = field_value(&line, b"data") {
            let data = Str::try_from(data).map_err(|_| FilterError::NotUtf8)?;
            self.data.push(data);
        } else if let Some(name) = field_value(&line, b"event") {
            self.name = Some(Str::try_from(name).map_err(|_| FilterError::NotUtf8)?);
        }
        Ok(())
    }
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(data) => data.len(),
            Self::Many(data) => data.len(),
        }
    }

    fn push(&mut self, line: Str) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(line),
            Self::One(first) => Self::Many(format!("{first}\n{line}")),
            Self::Many(mut lines) => {
                lines.push('\n');
                lines.push_str(&line);
                Self::Many(lines)
            }
        };
    }
}

/// The value of a line that is the field `name`: `name:value`, `name: value` or `name` alone.
fn field_value(line: &Bytes, name: &[u8]) -> Option<Bytes> {
    let rest = line.strip_prefix(name)?;
    match rest {
        [] => Some(Bytes::new()),
        [b':', b' ', ..] => Some(line.slice(name.len() + 2..)),
        [b':', ..] => Some(line.slice(name.len() + 1..)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut reader = SseReader::default();
        let mut events = Vec::new();
        for chunk in chunks {
            reader.feed(Bytes::copy_from_slice(chunk)).expect("short");
            while let Some(event) = reader.next_event().expect("UTF-8") {
                events.push((event.name.to_string(), event.data.to_string()));
            }
        }
        if let Some(event) = reader.finish().expect("UTF-8") {
            events.push((event.name.to_string(), event.data.to_string()));
        }
        events
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn fields_and_line_ends_follow_the_standard() {
        let text = b"\xef\xbb\xbf: comment\r\nevent: a\r\ndata: one\r\ndata:two\r\n\r\ndata\n\nid: 7\nretry: 1\n\nevent: x\n\ndata: last";
        assert_eq!(read(&[text]), [pair("a", "one\ntwo"), pair("", ""), pair("", "last")]);
    }

    #[test]
    fn data_is_a_slice_of_its_chunk() {
        let chunk = Bytes::from_static(b"data: {}\n\n");
        let mut reader = SseReader::default();
        reader.feed(chunk.clone()).expect("short");
        let event = reader.next_event().expect("UTF-8").expect("whole");
        assert!(chunk.as_ptr_range().contains(&event.data.as_bytes().as_ptr()), "the text was copied");
    }

    #[test]
    fn invalid_utf8_is_an_error_not_a_replacement() {
        let mut reader = SseReader::default();
        reader.feed(Bytes::from_static(b"data: \xff\n\n")).expect("short");
        assert_eq!(reader.next_event(), Err(FilterError::NotUtf8));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_events(
            lines in prop::collection::vec("(data: |data:|event: |: |id: )[a-zé😀]{0,5}|", 0..12),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = lines.iter().flat_map(|line| [line.as_str(), end]).collect::<String>();
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&chunks), read(&[bytes]));
        }
    }
}
