//! Heads of requests: the verdict is the same at every cut, and what passes means one thing to every parser.
#![no_main]

use http::{HeaderValue, Method, Uri, uri::PathAndQuery};
use libfuzzer_sys::fuzz_target;

// The checks know bytes only. Through the gateway's crate they would bring all of Pingora with them.
#[allow(dead_code, unused_imports, reason = "the gateway uses more of it")]
#[path = "../../src/edge/head/mod.rs"]
mod head;

use head::{HeadError, Progress};

const MAX_HEADERS: usize = 64;

/// What the door finds when the bytes come in these pieces.
fn found(pieces: &[bytes::Bytes]) -> Result<Progress, HeadError> {
    let (mut ahead, mut from) = (Vec::new(), 0);
    for piece in pieces {
        ahead.extend_from_slice(piece);
        match head::find_end(&ahead, from)? {
            Progress::More(next) => from = next,
            end @ Progress::End(_) => return Ok(end),
        }
    }
    Ok(Progress::More(from))
}

/// A path as a server may read it that decodes before it splits.
fn decoded(path: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), path);
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

fn values<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Vec<&'a [u8]> {
    headers.iter().filter(|own| own.name.eq_ignore_ascii_case(name)).map(|own| own.value).collect()
}

fn assert_framing(headers: &[httparse::Header<'_>], version: Option<u8>) {
    let (lengths, codings) = (values(headers, "content-length"), values(headers, "transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "there is one way to frame the body");
    assert!(lengths.iter().all(|length| std::str::from_utf8(length).is_ok_and(|text| text.parse::<u64>().is_ok())));
    assert!(codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked") && version == Some(1)));
    let hosts = values(headers, "host").len();
    assert!(hosts == 1 || hosts == 0 && version == Some(0), "there is one host");
}

fn assert_target(method: &str, target: &str, headers: &[httparse::Header<'_>]) {
    assert_ne!(method, "CONNECT", "no tunnels");
    let uri: Uri = target.parse().expect("what passes is a URI");
    if target.starts_with('/') {
        let path = PathAndQuery::try_from(target).expect("what passes is a path");
        assert_eq!(path.as_str(), target, "a path is not changed by parsing");
    } else if target != "*" {
        let authority = uri.authority().expect("an absolute URI has an authority").as_str();
        assert!(!authority.contains('@'), "no user in an authority");
        assert!(values(headers, "host").iter().all(|host| *host == authority.as_bytes()), "one host is meant");
    }
    let path = decoded(uri.path().as_bytes());
    let climbs = path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| matches!(segment, b"." | b".."));
    assert!(!climbs, "a path does not climb, however it is read: {target}");
}

fuzz_target!(|input: &[u8]| {
    let (pieces, whole) = lockgate_fuzz::chunks(input);
    let verdict = found(&pieces);
    let at_once = head::find_end(whole, 0);
    assert_eq!(verdict, at_once, "the same at every cut");
    let Ok(Progress::End(end)) = verdict else { return };
    let head = &whole[..end];
    if head::check(head, MAX_HEADERS).is_err() {
        return;
    }
    let lines = head.iter().filter(|byte| **byte == b'\n').count();
    let ends = head.windows(2).filter(|pair| pair == b"\r\n").count();
    assert_eq!(lines, ends, "no bare line feed");
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(head).expect("what passes, another parser takes");
    assert_eq!(parsed, httparse::Status::Complete(end), "and ends it in the same place");
    let (method, target) = (request.method.expect("a method"), request.path.expect("a target"));
    assert_eq!(head::request_line(head), Some((method.as_bytes(), target.as_bytes())));
    Method::from_bytes(method.as_bytes()).expect("what passes is a method");
    for own in request.headers.iter() {
        HeaderValue::from_bytes(own.value).expect("what passes is a value");
    }
    assert_framing(request.headers, request.version);
    assert_target(method, target, request.headers);
});
