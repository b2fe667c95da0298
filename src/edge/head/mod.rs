//! What the head of an HTTP/1 request must look like before anybody acts on it.
//!
//! Pingora's parser is lenient where RFC 9112 lets a server be: it takes bare line feeds, folds repeated lengths, and
//! drops `Content-Length` beside `Transfer-Encoding`. A proxy that is lenient where the next server is not, or the
//! other way round, can be used to smuggle requests. So heads are checked here, on their raw bytes, and refused where
//! any server could read them differently. What passes here, Pingora's parser takes too, and reads in the same way.
//!
//! - Here: lines, the request line, how the body is framed.
//! - `target`: what is asked for.
//!
//! Knows bytes only, so that a fuzz target can be built of it without Pingora.

mod target;

use memchr::memchr;

pub use target::check_path;

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// A line ends without a carriage return.
    #[error("a line of the request head ends without a carriage return")]
    BareLineFeed,
    /// A carriage return stands inside a line.
    #[error("a carriage return stands inside a line of the request head")]
    BareCarriageReturn,
    /// A null byte or another control character.
    #[error("the request head holds a control character")]
    ControlCharacter,
    /// A header value continues on the next line (obs-fold).
    #[error("a header continues on the next line")]
    Folded,
    /// White space or nothing before a header's colon, or no colon.
    #[error("a header name is malformed")]
    Name,
    /// The request line is not `METHOD target HTTP/1.x`.
    #[error("the request line is malformed")]
    RequestLine,
    /// `Content-Length` and `Transfer-Encoding` together.
    #[error("`content-length` and `transfer-encoding` stand together")]
    LengthAndEncoding,
    /// More than one `Content-Length`.
    #[error("`content-length` stands more than once")]
    RepeatedLength,
    /// A `Content-Length` that is not a plain decimal number.
    #[error("`content-length` is not a number")]
    Length,
    /// More than one `Transfer-Encoding`, or one that is not exactly `chunked`.
    #[error("`transfer-encoding` is not `chunked`")]
    Encoding,
    /// `Transfer-Encoding` in HTTP/1.0.
    #[error("`transfer-encoding` has no meaning in HTTP/1.0")]
    EncodingInHttp10,
    /// No `Host`, more than one, or one that is no host.
    #[error("there must be exactly one `host` header, with a host")]
    Host,
    /// More headers than the limit.
    #[error("the request has too many headers")]
    TooManyHeaders,
    /// `.` or `..` as a path segment, raw or encoded.
    #[error("the path holds `.` or `..` as a segment")]
    DotSegment,
    /// The target is neither a path nor an absolute URI, or holds what a URI cannot.
    #[error("the request target is neither a path nor an absolute `http` URI")]
    Target,
    /// The target is an absolute URI of another host than `Host` names.
    #[error("the request target and `host` name different hosts")]
    OtherHost,
    /// The method is `CONNECT`: the gateway opens no tunnels.
    #[error("`CONNECT` is not taken")]
    Connect,
    /// The head is larger than the limit.
    #[error("the request head is too large")]
    TooLarge,
    /// The head did not come within the limit.
    #[error("the request head did not arrive in time")]
    TooSlow,
}

/// Bytes of empty lines that may stand before a request line.
const MAX_LEADING: usize = 8;

/// Finds the end of a head in `bytes`, and checks each line that is complete. `from` is what an earlier call gave.
///
/// # Errors
/// As soon as a complete line is malformed.
pub fn find_end(bytes: &[u8], from: usize) -> Result<Progress, HeadError> {
    let mut start = from;
    while let Some(length) = memchr(b'\n', bytes.get(start..).unwrap_or_default()) {
        let end = start + length;
        let line = bytes.get(start..end).unwrap_or_default();
        let Some(line) = line.strip_suffix(b"\r") else { return Err(HeadError::BareLineFeed) };
        if line.is_empty() {
            // Empty lines before the request line are to be ignored (RFC 9112, section 2.2): a few of them.
            if start < MAX_LEADING && bytes[..start].iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                start = end + 1;
                continue;
            }
            return Ok(Progress::End(end + 1));
        }
        start = end + 1;
    }
    Ok(Progress::More(start))
}

/// How far a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It ends before this byte.
    End(usize),
    /// Read on, and look again from this byte.
    More(usize),
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// That many bytes of body; 0 where no header speaks of one.
    Length(u64),
    /// A body in chunks.
    Chunks,
}

/// Checks a whole head, its blank line included.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(head: &[u8], max_headers: usize) -> Result<Follows, HeadError> {
    let mut lines = Lines { rest: head };
    let request_line = lines.find(|line| !matches!(line, Ok([]))).ok_or(HeadError::RequestLine)??;
    let (version, authority) = check_request_line(request_line)?;
    let mut framing = Framing::default();
    let mut count = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        count += 1;
        if count > max_headers {
            return Err(HeadError::TooManyHeaders);
        }
        framing.header(line)?;
    }
    framing.check(version, authority)
}

/// Method and target of the request line that `head` begins with, if it has come whole. Neither was checked.
pub fn request_line(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let line = head.get(start..)?;
    let line = line.get(..memchr(b'\r', line)?)?;
    let mut words = line.split(|byte| *byte == b' ');
    words.next().zip(words.next())
}

/// The lines of a head, without their ends.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], HeadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some(check_line(line))
    }
}

fn check_line(line: &[u8]) -> Result<&[u8], HeadError> {
    let line = line.strip_suffix(b"\r").ok_or(HeadError::BareLineFeed)?;
    match line.iter().find(|byte| **byte < 0x20 && **byte != b'\t' || **byte == 0x7f) {
        None => Ok(line),
        Some(b'\r') => Err(HeadError::BareCarriageReturn),
        Some(_) => Err(HeadError::ControlCharacter),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// Gives the version, and the authority of a target that has one.
fn check_request_line(line: &[u8]) -> Result<(Version, Option<&[u8]>), HeadError> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HeadError::RequestLine);
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) || target.is_empty() {
        return Err(HeadError::RequestLine);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        _ => return Err(HeadError::RequestLine),
    };
    Ok((version, target::check(method, target)?))
}

#[derive(Default)]
struct Framing<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    encoding: bool,
}

impl<'a> Framing<'a> {
    fn header(&mut self, line: &'a [u8]) -> Result<(), HeadError> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(HeadError::Folded);
        }
        let colon = memchr(b':', line).ok_or(HeadError::Name)?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(HeadError::Name);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &'a [u8]) -> Result<(), HeadError> {
        let repeated = self.host.replace(value).is_some();
        if repeated || !is_host(value) { Err(HeadError::Host) } else { Ok(()) }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let repeated = self.length.replace(decimal(value)?).is_some();
        if repeated { Err(HeadError::RepeatedLength) } else { Ok(()) }
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let repeated = std::mem::replace(&mut self.encoding, true);
        if repeated || !value.eq_ignore_ascii_case(b"chunked") { Err(HeadError::Encoding) } else { Ok(()) }
    }

    fn check(&self, version: Version, authority: Option<&[u8]>) -> Result<Follows, HeadError> {
        if self.length.is_some() && self.encoding {
            return Err(HeadError::LengthAndEncoding);
        }
        if self.encoding && version == Version::Http10 {
            return Err(HeadError::EncodingInHttp10);
        }
        match (self.host, authority) {
            (None, _) if version == Version::Http11 => Err(HeadError::Host),
            (Some(host), Some(authority)) if host != authority => Err(HeadError::OtherHost),
            _ if self.encoding => Ok(Follows::Chunks),
            _ => Ok(Follows::Length(self.length.unwrap_or(0))),
        }
    }
}

/// A host may be empty, where the target has none (RFC 9112, section 3.2).
fn is_host(value: &[u8]) -> bool {
    value.is_empty() || target::is_authority(value)
}

/// A number in decimal digits, none of them too many for any server.
fn decimal(value: &[u8]) -> Result<u64, HeadError> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(HeadError::Length);
    }
    Ok(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
