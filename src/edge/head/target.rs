//! What is asked for: the forms of a target that are taken, and what its path may not hold.

use memchr::memchr;

use super::HeadError;

/// Checks a request target, and gives its authority if it has one (RFC 9112, section 3.2).
///
/// # Errors
/// If the gateway does not take the form, or the path climbs.
pub(super) fn check<'a>(method: &[u8], target: &'a [u8]) -> Result<Option<&'a [u8]>, HeadError> {
    if method == b"CONNECT" {
        return Err(HeadError::Connect);
    }
    if !target.iter().all(|byte| is_uri(*byte)) {
        return Err(HeadError::Target);
    }
    if target.first() == Some(&b'/') {
        check_path(target)?;
        return Ok(None);
    }
    if target == b"*" && method == b"OPTIONS" {
        return Ok(None);
    }
    let rest = after_scheme(target).ok_or(HeadError::Target)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(HeadError::Target)?;
    if !is_authority(authority) {
        return Err(HeadError::Target);
    }
    check_path(path)?;
    Ok(Some(authority))
}

/// What follows `http://` or `https://`.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let at = memchr(b':', target)?;
    let (scheme, rest) = target.split_at_checked(at)?;
    let known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    rest.strip_prefix(b"://").filter(|_| known)
}

/// Whether an authority is a host, or an address in brackets, with at most one port (RFC 3986, section 3.2.2, but for
/// percent signs, which parsers disagree about).
pub(super) fn is_authority(authority: &[u8]) -> bool {
    let port = if let [b'[', rest @ ..] = authority {
        let Some(end) = memchr(b']', rest) else { return false };
        let (address, after) = rest.split_at(end);
        let is_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        if address.is_empty() || !address.iter().all(is_address) {
            return false;
        }
        after.get(1..).unwrap_or_default()
    } else {
        let (host, port) = authority.split_at(memchr(b':', authority).unwrap_or(authority.len()));
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
        if host.is_empty() || !host.iter().all(is_name) {
            return false;
        }
        port
    };
    port.is_empty() || matches!(port, [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit))
}

/// The characters that a URI parser takes: printable ASCII, but for what ends a URI wherever it is written.
fn is_uri(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`')
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
