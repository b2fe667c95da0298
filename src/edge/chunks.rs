//! Follows a chunked request body as it passes, and stops it where two servers could frame it differently.
//!
//! Pingora's parser takes anything up to the next CRLF for a chunk extension, a bare line feed too. A proxy in front
//! that ends the line there sees other chunks, and what is a body to one is a request to the other. So lines are held to
//! RFC 9112, section 7.1, here; data is only counted.
//!
//! Knows bytes only, so that a fuzz target can be built of it without Pingora.

/// The most bytes of one line: of a size with its extensions, or of a trailer.
const MAX_LINE: usize = 4 << 10;

/// The most digits of a size: no chunk has 2^60 bytes.
const MAX_DIGITS: usize = 15;

/// A chunked body on its way.
#[derive(Clone, Debug)]
pub struct Chunks {
    /// Bytes that come before the body.
    before: usize,
    state: State,
    /// Bytes of the current line.
    line: usize,
}

/// The framing of a chunked body is not that of RFC 9112.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of the request body is malformed")]
pub struct ChunkError {
    /// The bytes that were passed before it, of those passed last.
    pub at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size.
    Size { size: u64, digits: usize },
    /// In the extensions behind it.
    Extension { size: u64 },
    /// Before the line feed that ends the line.
    SizeEnd { size: u64 },
    /// In the data; never with nothing left.
    Data { left: u64 },
    /// Before the carriage return behind the data.
    DataReturn,
    /// Before the line feed behind that.
    DataEnd,
    /// In the name of a trailer, or at the beginning of the last line.
    TrailerName,
    /// In its value.
    TrailerValue,
    /// Before the line feed of a trailer's line.
    TrailerEnd,
    /// Before the line feed that ends the body.
    LastEnd,
    /// The body has ended. What follows is not looked at.
    Done,
    /// It was malformed. Nothing that follows means anything.
    Failed,
}

const FIRST: State = State::Size { size: 0, digits: 0 };

impl Chunks {
    /// A body that begins `before` bytes from here.
    pub fn after(before: usize) -> Self {
        Self { before, state: FIRST, line: 0 }
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Sees bytes pass.
    ///
    /// # Errors
    /// If the body is malformed, now and whenever this is called again.
    pub fn pass(&mut self, bytes: &[u8]) -> Result<(), ChunkError> {
        if self.state == State::Failed {
            return Err(ChunkError { at: 0 });
        }
        let skipped = self.before.min(bytes.len());
        self.before -= skipped;
        let mut rest = bytes.get(skipped..).unwrap_or_default();
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                State::Done => return Ok(()),
                State::Data { left } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let left = left - here as u64;
                    self.state = if left == 0 { State::DataReturn } else { State::Data { left } };
                    rest = rest.get(here..).unwrap_or_default();
                }
                state => {
                    self.state =
                        step(state, byte, self.line == 0).filter(|_| self.line < MAX_LINE).unwrap_or(State::Failed);
                    if self.state == State::Failed {
                        return Err(ChunkError { at: bytes.len() - rest.len() });
                    }
                    self.line = if byte == b'\n' { 0 } else { self.line + 1 };
                    rest = after;
                }
            }
        }
        Ok(())
    }
}

/// The state after one byte of a line; `first` if it is the line's first; `None` if it may not stand there.
fn step(state: State, byte: u8, first: bool) -> Option<State> {
    match (state, byte) {
        (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < MAX_DIGITS => {
            let digit = char::from(byte).to_digit(16)?;
            Some(State::Size { size: size * 16 + u64::from(digit), digits: digits + 1 })
        }
        (State::Size { size, digits: 1.. }, b';') => Some(State::Extension { size }),
        (State::Size { size, digits: 1.. } | State::Extension { size }, b'\r') => Some(State::SizeEnd { size }),
        (State::Extension { .. } | State::TrailerValue, _) if is_text(byte) => Some(state),
        (State::SizeEnd { size: 0 }, b'\n') => Some(State::TrailerName),
        (State::SizeEnd { size }, b'\n') => Some(State::Data { left: size }),
        (State::DataReturn, b'\r') => Some(State::DataEnd),
        (State::DataEnd, b'\n') => Some(FIRST),
        (State::TrailerName, b'\r') if first => Some(State::LastEnd),
        (State::TrailerName, b':') if !first => Some(State::TrailerValue),
        (State::TrailerName, _) if is_name(byte) => Some(state),
        (State::TrailerValue, b'\r') => Some(State::TrailerEnd),
        (State::TrailerEnd, b'\n') => Some(State::TrailerName),
        (State::LastEnd, b'\n') => Some(State::Done),
        _ => None,
    }
}

/// What a line may hold that is no control character.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= 0x20 && byte != 0x7f
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(body: &[u8], cut: usize) -> Result<bool, ChunkError> {
        let mut chunks = Chunks::after(2);
        let (first, second) = body.split_at(cut);
        chunks.pass(b"\r\n")?;
        chunks.pass(first)?;
        chunks.pass(second)?;
        Ok(chunks.is_done())
    }

    #[test]
    fn what_the_standard_allows_passes_at_any_cut() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "005;name=\"va lue\"\r\nhello\r\nA\r\n0123456789\r\n0;x\r\n\r\nGET / HTTP/1.1\n",
            "1\r\n\n\r\n0\r\nX-A: b\tc\r\nx-b:\r\n\r\n",
        ] {
            for cut in 0..body.len() {
                assert_eq!(verdict(body.as_bytes(), cut), Ok(true), "{body:?} at {cut}");
            }
        }
        assert_eq!(verdict(b"5\r\nhello\r\n0\r\n", 3), Ok(false), "the end has not come");
    }

    #[test]
    fn what_can_be_read_in_two_ways_does_not() {
        for body in [
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "5;a\rb\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            ";a\r\nhello\r\n0\r\n\r\n",
            "\r\nhello\r\n0\r\n\r\n",
            "1000000000000000\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "0\r\nno colon\r\n\r\n",
            "0\r\n: no name\r\n\r\n",
            "0\r\nx: a\r\n folded\r\n\r\n",
            "0\r\nx: a\ny: b\r\n\r\n",
            "0\r\n\n",
        ] {
            for cut in 0..body.len() {
                assert!(verdict(body.as_bytes(), cut).is_err(), "{body:?} at {cut}");
            }
        }
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(MAX_LINE));
        assert!(verdict(long.as_bytes(), 9).is_err(), "a line has an end");
        let mut chunks = Chunks::after(3);
        assert_eq!(chunks.pass(b"abc5;a\nb"), Err(ChunkError { at: 6 }), "what is good before it is told");
        assert_eq!(chunks.pass(b"0\r\n\r\n"), Err(ChunkError { at: 0 }), "nothing means anything after it");
    }
}
