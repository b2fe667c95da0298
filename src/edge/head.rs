//! What the head of an HTTP/1 request must look like before anybody acts on it.
//!
//! Pingora's parser is lenient where RFC 9112 lets a server be: it takes bare line feeds, folds repeated lengths, and
//! drops `Content-Length` beside `Transfer-Encoding`. A proxy that is lenient where the next server is not, or the
//! other way round, can be used to smuggle requests. So heads are checked here, on their raw bytes, and refused where
//! any server could read them differently.

use memchr::memchr;

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

/// Checks a whole head, its blank line included.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(head: &[u8], max_headers: usize) -> Result<(), HeadError> {
    let mut lines = Lines { rest: head };
    let request_line = lines.find(|line| !matches!(line, Ok([]))).ok_or(HeadError::RequestLine)??;
    let version = check_request_line(request_line)?;
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
    framing.check(version)
}

/// The target of the request line that `head` begins with.
pub fn target(head: &[u8]) -> Option<&[u8]> {
    let line = head.split(|byte| *byte == b'\r').find(|line| !matches!(line, [] | [b'\n']))?;
    line.split(|byte| *byte == b' ').nth(1)
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

fn check_request_line(line: &[u8]) -> Result<Version, HeadError> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HeadError::RequestLine);
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) || target.is_empty() {
        return Err(HeadError::RequestLine);
    }
    check_path(target)?;
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ => Err(HeadError::RequestLine),
    }
}

/// Refuses `.` and `..` as path segments, raw or percent-encoded: what stands between here and a provider may resolve
/// them. An encoded slash does not end a segment.
///
/// # Errors
/// If there is such a segment.
pub fn check_path(target: &[u8]) -> Result<(), HeadError> {
    let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let has_dots = path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        // An encoded slash or backslash makes pieces that a server further on may take for segments.
        is_dots(segment) || encoded_pieces(segment).any(is_dots)
    });
    if has_dots { Err(HeadError::DotSegment) } else { Ok(()) }
}

/// The pieces of a segment between `%2F` and `%5C`.
fn encoded_pieces(segment: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = memchr(b'%', segment).map(|_| segment);
    std::iter::from_fn(move || {
        let current = rest?;
        let at = current.windows(3).position(|window| {
            window[0] == b'%' && matches!((window[1], window[2] | 0x20), (b'2', b'f') | (b'5', b'c'))
        });
        if let Some(at) = at {
            rest = current.get(at + 3..);
            current.get(..at)
        } else {
            rest = None;
            Some(current)
        }
    })
}

/// Whether a segment is `.` or `..`, with any of the dots written `%2e`.
fn is_dots(mut segment: &[u8]) -> bool {
    let mut dots = 0;
    while !segment.is_empty() {
        segment = match segment {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return false,
        };
        dots += 1;
    }
    dots == 1 || dots == 2
}

#[derive(Default)]
struct Framing {
    hosts: u8,
    length: bool,
    encoding: bool,
}

impl Framing {
    fn header(&mut self, line: &[u8]) -> Result<(), HeadError> {
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
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts = self.hosts.saturating_add(1);
                if !value.iter().all(|byte| is_host(*byte)) {
                    return Err(HeadError::Host);
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if std::mem::replace(&mut self.length, true) {
                    return Err(HeadError::RepeatedLength);
                }
                if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
                    return Err(HeadError::Length);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding")
                && (std::mem::replace(&mut self.encoding, true) || !value.eq_ignore_ascii_case(b"chunked")) =>
            {
                return Err(HeadError::Encoding);
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self, version: Version) -> Result<(), HeadError> {
        if self.length && self.encoding {
            return Err(HeadError::LengthAndEncoding);
        }
        if self.encoding && version == Version::Http10 {
            return Err(HeadError::EncodingInHttp10);
        }
        if self.hosts > 1 || (self.hosts == 0 && version == Version::Http11) {
            return Err(HeadError::Host);
        }
        Ok(())
    }
}

/// The characters of a host with its port (RFC 3986, section 3.2.2).
fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte)
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Vec<u8> {
        format!("POST /v1/x HTTP/1.1\r\nhost: a\r\n{lines}\r\n").into_bytes()
    }

    #[test]
    fn ordinary_heads_pass() {
        for lines in ["", "content-length: 5\r\n", "Transfer-Encoding: Chunked\r\n", "x:\r\ny: a\tb\r\n"] {
            assert_eq!(check(&head(lines), 10), Ok(()), "{lines:?}");
        }
        assert_eq!(check(b"GET / HTTP/1.0\r\n\r\n", 10), Ok(()));
        assert_eq!(check(b"\r\nGET /a%2Fb?x=../y HTTP/1.1\r\nHost: a\r\n\r\n", 10), Ok(()));
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for (lines, error) in [
            ("content-length: 5\r\ntransfer-encoding: chunked\r\n", HeadError::LengthAndEncoding),
            ("content-length: 5\r\ncontent-length: 5\r\n", HeadError::RepeatedLength),
            ("content-length: 5, 5\r\n", HeadError::Length),
            ("content-length: +5\r\n", HeadError::Length),
            ("content-length:\r\n", HeadError::Length),
            ("content-length: 0x5\r\n", HeadError::Length),
            ("transfer-encoding: chunked, chunked\r\n", HeadError::Encoding),
            ("transfer-encoding: identity\r\n", HeadError::Encoding),
            ("transfer-encoding: \x0bchunked\r\n", HeadError::ControlCharacter),
            ("transfer-encoding : chunked\r\n", HeadError::Name),
            ("a: b\r\n c\r\n", HeadError::Folded),
            ("a: b\nc: d\r\n", HeadError::BareLineFeed),
            ("a: b\rc: d\r\n", HeadError::BareCarriageReturn),
            ("a: \0\r\n", HeadError::ControlCharacter),
            ("host: b\r\n", HeadError::Host),
            ("x: y\r\nHost: a/b\r\n", HeadError::Host),
            ("nocolon\r\n", HeadError::Name),
        ] {
            assert_eq!(check(&head(lines), 10), Err(error), "{lines:?}");
        }
        let old = b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(check(old, 10), Err(HeadError::EncodingInHttp10));
        assert_eq!(check(b"GET / HTTP/1.1\r\n\r\n", 10), Err(HeadError::Host));
        assert_eq!(check(b"GET  / HTTP/1.1\r\n\r\n", 10), Err(HeadError::RequestLine));
        assert_eq!(check(&head("a: b\r\nc: d\r\n"), 2), Err(HeadError::TooManyHeaders));
    }

    #[test]
    fn dot_segments_are_refused_however_written() {
        for path in ["/..", "/a/../b", "/%2e%2E/x", "/.%2e", "/a/.", "/p/x/%2e", "/p/a%2f..%2Fb", "/a\\..\\b"] {
            assert_eq!(check_path(path.as_bytes()), Err(HeadError::DotSegment), "{path}");
        }
        for path in ["/...", "/a..b", "/v1/models/sim%2Fecho", "/gemini-2.5", "/?a=/../", "/%2e%2e%2e"] {
            assert_eq!(check_path(path.as_bytes()), Ok(()), "{path}");
        }
    }

    #[test]
    fn the_end_is_found_at_any_cut() {
        let whole = head("a: b\r\n");
        for cut in 0..whole.len() {
            let Ok(Progress::More(from)) = find_end(&whole[..cut], 0) else { panic!("{cut} is not the end") };
            assert_eq!(find_end(&whole, from), Ok(Progress::End(whole.len())), "{cut}");
        }
        assert_eq!(find_end(b"GET / HTTP/1.1\n\n", 0), Err(HeadError::BareLineFeed));
    }
}
