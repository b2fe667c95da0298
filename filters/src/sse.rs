//! Server-sent event framing (WHATWG HTML, section "Server-sent events").
//!
//! Works on bytes and decodes UTF-8 only per complete event, so a chunk may end inside a character. The data of an
//! event that lies whole in one chunk is a slice of that chunk, and the only reference that is counted.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
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
    /// The beginning of a line whose end has not come.
    pending: BytesMut,
    /// The chunk being read.
    chunk: Bytes,
    /// The first byte of the chunk that no line has taken.
    at: usize,
    name: Field,
    data: Field,
    /// The last line ended with a carriage return: a newline that follows belongs to it.
    after_cr: bool,
    started: bool,
}

/// What has come of one of an event's fields.
#[derive(Debug, Default)]
enum Field {
    #[default]
    Absent,
    /// Stands in the chunk being read.
    Here(Range<usize>),
    /// One line of an earlier chunk, or one that was cut in two.
    Kept(Bytes),
    /// Several lines.
    Lines(BytesMut),
}

/// The fields that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Data,
    Event,
}

impl SseReader {
    /// Takes the next chunk. Call [`Self::next_event`] until it gives nothing before feeding another.
    ///
    /// # Errors
    /// If an event grows beyond [`MAX_EVENT_BYTES`]. What was not read yet counts, so that a reader which is only fed
    /// is bounded too.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), FilterError> {
        self.leave_chunk();
        let kept = self.pending.len() + self.name.len() + self.data.len() + (self.chunk.len() - self.at);
        if kept + chunk.len() > MAX_EVENT_BYTES {
            return Err(FilterError::TooLong { limit: MAX_EVENT_BYTES });
        }
        if self.at == self.chunk.len() {
            self.chunk = chunk;
        } else {
            let mut joined = BytesMut::from(self.chunk.get(self.at..).unwrap_or_default());
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        }
        self.at = 0;
        Ok(())
    }

    /// The next complete event of what was fed.
    ///
    /// # Errors
    /// If an event is not UTF-8.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, FilterError> {
        if self.chunk.is_empty() {
            return Ok(None);
        }
        if let Some(event) = self.whole_event() {
            return event.map(Some);
        }
        while let Some(line) = self.next_line() {
            if !self.pending.is_empty() {
                self.pending.extend_from_slice(self.chunk.get(line).unwrap_or_default());
                let line = self.pending.split().freeze();
                self.cut_line(&line);
            } else if !line.is_empty() {
                self.line(line);
            } else if let Some(event) = self.dispatch()? {
                return Ok(Some(event));
            }
        }
        self.leave_chunk();
        // The chunk's buffer need not stay while the reader waits.
        self.chunk = Bytes::new();
        self.at = 0;
        Ok(None)
    }

    /// The stream ended: the event that its last blank line would have completed. Vendors leave that line out. One that
    /// stops inside a character was cut off, and is none.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn finish(&mut self) -> Result<Option<SseEvent>, FilterError> {
        let rest = self.pending.split().freeze();
        if ends_inside_character(&rest) {
            self.data = Field::Absent;
        } else if !rest.is_empty() {
            self.cut_line(&rest);
        }
        self.dispatch()
    }

    /// True if the stream stands between two events.
    pub fn is_between_events(&self) -> bool {
        let no_field = matches!((&self.name, &self.data), (Field::Absent, Field::Absent));
        self.pending.is_empty() && self.at == self.chunk.len() && no_field
    }

    /// The event that the chunk goes on with, if it stands whole in it as nearly all do: perhaps a name, one line of
    /// data, a blank line. Anything else is read line by line.
    fn whole_event(&mut self) -> Option<Result<SseEvent, FilterError>> {
        let between = self.started && !self.after_cr && self.pending.is_empty();
        if !between || !matches!((&self.name, &self.data), (Field::Absent, Field::Absent)) {
            return None;
        }
        let mut rest = self.chunk.get(self.at..)?;
        let mut name = Field::Absent;
        if let Some(value) = rest.strip_prefix(b"event: ") {
            let length = memchr2(b'\n', b'\r', value)?;
            rest = value.get(length..)?.strip_prefix(b"\n")?;
            let start = self.chunk.len() - value.len();
            name = Field::Here(start..start + length);
        }
        let value = rest.strip_prefix(b"data: ")?;
        let length = memchr2(b'\n', b'\r', value)?;
        let rest = value.get(length..)?.strip_prefix(b"\n\n")?;
        let start = self.chunk.len() - value.len();
        self.at = self.chunk.len() - rest.len();
        Some(self.event(name, Field::Here(start..start + length)))
    }

    fn dispatch(&mut self) -> Result<Option<SseEvent>, FilterError> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if matches!(data, Field::Absent) {
            return Ok(None);
        }
        self.event(name, data).map(Some)
    }

    fn event(&mut self, name: Field, data: Field) -> Result<SseEvent, FilterError> {
        let name = name.into_text(&mut self.chunk, false)?;
        // The last event of a chunk takes it over.
        let is_last = self.at == self.chunk.len();
        let data = data.into_text(&mut self.chunk, is_last)?;
        if self.chunk.is_empty() {
            self.at = 0;
        }
        Ok(SseEvent { name, data })
    }

    /// The next whole line, without its end. What the chunk ends with is kept.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let mut rest = self.chunk.get(self.at..).unwrap_or_default();
        if self.after_cr {
            let first = rest.first()?;
            self.after_cr = false;
            if *first == b'\n' {
                self.at += 1;
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        let start = self.at;
        let Some(length) = memchr2(b'\n', b'\r', rest) else {
            self.pending.extend_from_slice(rest);
            self.at = self.chunk.len();
            return None;
        };
        self.after_cr = rest.get(length) == Some(&b'\r');
        self.at = start + length + 1;
        Some(start..start + length)
    }

    /// Reads a line of the chunk.
    fn line(&mut self, line: Range<usize>) {
        let bytes = self.chunk.get(line.clone()).unwrap_or_default();
        let Some((name, value)) = field(bytes, &mut self.started) else { return };
        let here = Field::Here(line.end - value.len()..line.end);
        match name {
            Name::Event => self.name = here,
            Name::Data if matches!(self.data, Field::Absent) => self.data = here,
            Name::Data => self.data.push(value, &self.chunk),
        }
    }

    /// Reads a line of which only the end stood in the chunk.
    fn cut_line(&mut self, line: &Bytes) {
        let Some((name, value)) = field(line, &mut self.started) else { return };
        let kept = Field::Kept(line.slice(line.len() - value.len()..));
        match name {
            Name::Event => self.name = kept,
            Name::Data if matches!(self.data, Field::Absent) => self.data = kept,
            Name::Data => self.data.push(value, &self.chunk),
        }
    }

    /// Keeps what stands in the chunk of an event that is not complete.
    fn leave_chunk(&mut self) {
        for field in [&mut self.name, &mut self.data] {
            if let Field::Here(at) = field {
                *field = Field::Kept(self.chunk.slice(at.clone()));
            }
        }
    }
}

impl Field {
    fn len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Here(at) => at.len(),
            Self::Kept(line) => line.len(),
            Self::Lines(lines) => lines.len(),
        }
    }

    /// Adds a line to those that have come.
    fn push(&mut self, line: &[u8], chunk: &[u8]) {
        let mut lines = match std::mem::take(self) {
            Self::Absent => BytesMut::new(),
            Self::Here(at) => BytesMut::from(chunk.get(at).unwrap_or_default()),
            Self::Kept(first) => BytesMut::from(&first[..]),
            Self::Lines(lines) => lines,
        };
        lines.extend_from_slice(b"\n");
        lines.extend_from_slice(line);
        *self = Self::Lines(lines);
    }

    /// The value. Takes over the chunk, which saves counting references, if nothing else stands in it.
    fn into_text(self, chunk: &mut Bytes, is_last: bool) -> Result<Str, FilterError> {
        let bytes = match self {
            Self::Absent => return Ok(Str::new()),
            Self::Here(at) if is_last => {
                let mut last = std::mem::take(chunk);
                last.truncate(at.end);
                last.advance(at.start);
                last
            }
            Self::Here(at) => chunk.slice(at),
            Self::Kept(line) => line,
            Self::Lines(lines) => lines.freeze(),
        };
        Str::try_from(bytes).map_err(|_| FilterError::NotUtf8)
    }
}

/// Whether text stops before the last byte of a character.
pub(crate) fn ends_inside_character(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_err_and(|error| error.error_len().is_none())
}

/// The field that a line is, if it is one that is read: `name:value`, `name: value` or `name` alone.
fn field<'l>(mut line: &'l [u8], started: &mut bool) -> Option<(Name, &'l [u8])> {
    if !std::mem::replace(started, true) {
        line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    }
    let (name, rest) = match line.strip_prefix(b"data") {
        Some(rest) => (Name::Data, rest),
        None => (Name::Event, line.strip_prefix(b"event")?),
    };
    match rest {
        [] => Some((name, rest)),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some((name, value)),
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
    fn chunks_that_were_not_read_yet_are_bounded_too() {
        let mut reader = SseReader::default();
        let chunk = Bytes::from(vec![b'\n'; MAX_EVENT_BYTES / 2]);
        reader.feed(chunk.clone()).expect("half of what may come");
        reader.feed(chunk.clone()).expect("all that may come");
        assert_eq!(reader.feed(chunk), Err(FilterError::TooLong { limit: MAX_EVENT_BYTES }));
    }

    #[test]
    fn a_chunk_fed_before_the_last_was_read_goes_behind_it() {
        let mut reader = SseReader::default();
        reader.feed(Bytes::from_static(b"event: a\ndata: 1\n\nevent: b\ndata: 2\n")).expect("short");
        assert_eq!(reader.next_event().expect("UTF-8").map(|event| event.data), Some(Str::from_static("1")));
        reader.feed(Bytes::from_static(b"data: 3\n\n")).expect("short");
        let event = reader.next_event().expect("UTF-8").expect("whole");
        assert_eq!((&*event.name, &*event.data), ("b", "2\n3"));
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
