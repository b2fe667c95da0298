//! Cuts a stream into lines, wherever its chunks are cut.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::{
    model::{FilterError, Str},
    sse::{MAX_EVENT_BYTES, ends_inside_character},
};

/// Cuts a stream into lines. A line that lies whole in a chunk is a slice of it.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    /// The beginning of a line whose end has not come.
    pending: BytesMut,
    /// What of the chunk no line has taken.
    chunk: Bytes,
}

impl LineReader {
    /// Takes the next chunk. [`Self::next_line`] is to be called until it gives nothing before another is fed.
    ///
    /// # Errors
    /// If a line grows beyond [`MAX_EVENT_BYTES`].
    pub(super) fn feed(&mut self, chunk: Bytes) -> Result<(), FilterError> {
        if self.pending.len() + self.chunk.len() + chunk.len() > MAX_EVENT_BYTES {
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

    /// The next whole line, without its end. Blank ones are passed over.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub(super) fn next_line(&mut self) -> Result<Option<Str>, FilterError> {
        while let Some(end) = memchr(b'\n', &self.chunk) {
            let line = if self.pending.is_empty() {
                self.take(end)
            } else {
                let rest = self.take(end);
                self.pending.extend_from_slice(&rest);
                self.pending.split().freeze()
            };
            if let Some(line) = text_of(line)? {
                return Ok(Some(line));
            }
        }
        self.pending.extend_from_slice(&self.chunk);
        self.chunk = Bytes::new();
        Ok(None)
    }

    /// The stream ended: the line that lacks its end, if there is one. One that stops inside a character was cut off,
    /// and is none.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub(super) fn finish(&mut self) -> Result<Option<Str>, FilterError> {
        let rest = self.pending.split().freeze();
        if ends_inside_character(&rest) { Ok(None) } else { text_of(rest) }
    }

    /// The chunk up to `end`, where a newline stands. The last line takes the chunk over, which saves counting
    /// references.
    fn take(&mut self, end: usize) -> Bytes {
        if end + 1 == self.chunk.len() {
            let mut last = std::mem::take(&mut self.chunk);
            last.truncate(end);
            return last;
        }
        let line = self.chunk.split_to(end);
        drop(self.chunk.split_to(1));
        line
    }
}

/// The text of a line, unless it is blank.
fn text_of(line: Bytes) -> Result<Option<Str>, FilterError> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    Str::try_from(line).map(Some).map_err(|_| FilterError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut reader = LineReader::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            reader.feed(Bytes::copy_from_slice(chunk)).expect("short");
            while let Some(line) = reader.next_line().expect("UTF-8") {
                lines.push(line.trim_end().to_owned());
            }
        }
        lines.extend(reader.finish().expect("UTF-8").map(|line| line.to_string()));
        lines
    }

    #[test]
    fn blank_lines_and_returns_are_passed_over() {
        assert_eq!(read(&[b"a\r\n\n  \nb\nc"]), ["a", "b", "c"]);
    }

    #[test]
    fn a_line_is_bounded() {
        let mut reader = LineReader::default();
        let chunk = Bytes::from(vec![b'x'; MAX_EVENT_BYTES / 2]);
        for _ in 0..2 {
            reader.feed(chunk.clone()).expect("all that may come");
            assert_eq!(reader.next_line(), Ok(None));
        }
        assert_eq!(reader.feed(chunk), Err(FilterError::TooLong { limit: MAX_EVENT_BYTES }));
    }

    #[test]
    fn a_line_is_a_slice_of_its_chunk() {
        let chunk = Bytes::from_static(b"{}\n");
        let mut reader = LineReader::default();
        reader.feed(chunk.clone()).expect("short");
        let line = reader.next_line().expect("UTF-8").expect("whole");
        assert!(chunk.as_ptr_range().contains(&line.as_bytes().as_ptr()), "the text was copied");
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_lines(
            lines in prop::collection::vec("[a-zé😀]{0,5}", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = lines.join("\n");
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&chunks), read(&[bytes]));
        }
    }
}
