//! Where a body ends, and what of the bytes on the wire belongs to it.

use super::WireError;

/// The rest of a body, by the rule that ends it.
#[derive(Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunked transfer coding.
    Chunked(Chunk),
    /// Everything until the other side closes.
    UntilClose,
}

/// Where in the chunked coding the next byte stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// At a size line.
    Size,
    /// Inside the data of a chunk, with so many bytes left.
    Data(u64),
    /// At the line end behind the data.
    DataEnd,
    /// At a trailer line or at the empty line that ends the body.
    Trailer,
    /// Behind the body.
    Done,
}

// === impl Framing ===

impl Framing {
    /// Tells whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// Hands every run of body bytes at the start of `input` to `sink` and returns how much of `input` is used up.
    ///
    /// What is left over is either the start of an unfinished line, to be fed again with more behind it, or belongs to
    /// the next message.
    pub fn feed(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<usize, WireError> {
        match self {
            Self::Length(left) => Ok(run(left, input, sink)),
            Self::Chunked(chunk) => chunk.feed(input, sink),
            Self::UntilClose => {
                sink(input);
                Ok(input.len())
            }
        }
    }
}

// === impl Chunk ===

impl Chunk {
    fn feed(&mut self, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<usize, WireError> {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            match self {
                Self::Done => break,
                Self::Data(left) => {
                    used += run(left, rest, sink);
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                }
                Self::Size | Self::DataEnd | Self::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', rest) else { break };
                    self.line(rest[..end].trim_ascii())?;
                    used += end + 1;
                }
            }
        }
        Ok(used)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), WireError> {
        *self = match self {
            // Size → Data, or Size → Trailer at the last chunk.
            Self::Size => match size(line)? {
                0 => Self::Trailer,
                bytes => Self::Data(bytes),
            },
            Self::DataEnd if line.is_empty() => Self::Size,
            Self::DataEnd => return Err(WireError::ChunkEnd),
            Self::Trailer if !line.is_empty() => Self::Trailer,
            _ => Self::Done,
        };
        Ok(())
    }
}

fn run(left: &mut u64, input: &[u8], sink: &mut dyn FnMut(&[u8])) -> usize {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    if count > 0 {
        sink(&input[..count]);
        *left -= count as u64;
    }
    count
}

fn size(line: &[u8]) -> Result<u64, WireError> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let digits = str::from_utf8(digits).map_err(|_| WireError::ChunkSize)?;
    u64::from_str_radix(digits.trim_end(), 16).map_err(|_| WireError::ChunkSize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: &[u8] = b"5;x=y\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\ntrailer: 1\r\n\r\nGET /";

    #[test]
    fn chunks_are_joined_at_every_cut() {
        for cut in 0..=WIRE.len() {
            let mut framing = Framing::Chunked(Chunk::Size);
            let mut body = Vec::new();
            let first = framing.feed(&WIRE[..cut], &mut |run| body.extend_from_slice(run)).expect("valid coding");
            let second = framing.feed(&WIRE[first..], &mut |run| body.extend_from_slice(run)).expect("valid coding");
            assert_eq!(body, b"hello world", "cut at {cut}");
            assert!(framing.is_done(), "cut at {cut}");
            assert_eq!(&WIRE[first + second..], b"GET /", "cut at {cut}");
        }
    }

    #[test]
    fn a_body_of_known_length_leaves_the_next_message() {
        let mut framing = Framing::Length(3);
        let mut body = Vec::new();
        let used = framing.feed(b"abcdef", &mut |run| body.extend_from_slice(run)).expect("lengths cannot be wrong");
        assert_eq!((used, body.as_slice(), framing.is_done()), (3, &b"abc"[..], true));
    }

    #[test]
    fn a_chunk_that_runs_over_its_size_is_an_error() {
        let mut framing = Framing::Chunked(Chunk::Size);
        assert!(framing.feed(b"2\r\nabc\r\n", &mut |_| ()).is_err());
    }
}
