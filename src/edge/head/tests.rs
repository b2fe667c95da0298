//! Heads that pass, and heads that do not.

use super::*;

fn head(lines: &str) -> Vec<u8> {
    format!("POST /v1/x HTTP/1.1\r\nhost: a\r\n{lines}\r\n").into_bytes()
}

#[test]
fn ordinary_heads_pass() {
    let nothing = Ok(Follows::Length(0));
    for (lines, follows) in [
        ("", nothing),
        ("content-length: 005\r\n", Ok(Follows::Length(5))),
        ("Transfer-Encoding: Chunked\r\n", Ok(Follows::Chunks)),
        ("x:\r\ny: a\tb\r\n", nothing),
    ] {
        assert_eq!(check(&head(lines), 10), follows, "{lines:?}");
    }
    assert_eq!(check(b"GET / HTTP/1.0\r\n\r\n", 10), nothing);
    assert_eq!(check(b"\r\nGET /a%2Fb?x=../y HTTP/1.1\r\nHost: a\r\n\r\n", 10), nothing);
}

#[test]
fn a_target_is_a_path_or_this_host() {
    let ask =
        |start: &str, host: &str| check(format!("{start} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), 10).map(|_| ());
    for (start, host) in [
        ("GET /a?b={c}|d", "a.b:80"),
        ("GET /", ""),
        ("GET http://a.b:80/c", "a.b:80"),
        ("GET HTTPS://[::1]?x", "[::1]"),
        ("GET http://a", "a"),
        ("OPTIONS *", "a"),
    ] {
        assert_eq!(ask(start, host), Ok(()), "{start} at {host}");
    }
    for (start, host, error) in [
        ("GET http://a/c", "b", HeadError::OtherHost),
        ("GET http://a:80/c", "a", HeadError::OtherHost),
        ("GET http://u@a/c", "a", HeadError::Target),
        ("GET http:///c", "", HeadError::Target),
        ("GET http:/c", "a", HeadError::Target),
        ("GET http://a/../c", "a", HeadError::DotSegment),
        ("GET ftp://a/c", "a", HeadError::Target),
        ("GET *", "a", HeadError::Target),
        ("GET c", "a", HeadError::Target),
        ("GET ?c", "a", HeadError::Target),
        ("GET /c#d", "a", HeadError::Target),
        ("GET /é", "a", HeadError::Target),
        ("GET /?\"", "a", HeadError::Target),
        ("CONNECT a:443", "a:443", HeadError::Connect),
        ("CONNECT /v1", "a", HeadError::Connect),
        ("GET /", "u@a", HeadError::Host),
        ("GET /", "a b", HeadError::Host),
        ("GET /", "[::1", HeadError::Host),
        ("GET /", "a:1:2", HeadError::Host),
        ("GET /", "a:x", HeadError::Host),
        ("GET /", "a%41", HeadError::Host),
    ] {
        assert_eq!(ask(start, host), Err(error), "{start} at {host}");
    }
}

#[test]
fn a_request_line_is_found_once_it_is_whole() {
    assert_eq!(request_line(b"\r\nGET /a?b HTTP/1.1\r\n"), Some((&b"GET"[..], &b"/a?b"[..])));
    assert_eq!(request_line(b"GET /a\r"), Some((&b"GET"[..], &b"/a"[..])));
    assert_eq!(request_line(b"GET /a HTTP/1.1"), None);
    assert_eq!(request_line(b"GET\r\n"), None);
    assert_eq!(request_line(b"\r\n"), None);
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
