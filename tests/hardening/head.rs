//! Lines of a head that are not what they should be.

use super::{Either, Refused, Served, Verdict, judge, pair, smuggled};

const BAD: Verdict = Refused(&[400]);

/// A GET of the health page with these header lines.
fn health(lines: &str) -> Vec<u8> {
    format!("GET /health HTTP/1.1\r\nConnection: close\r\n{lines}\r\n").into_bytes()
}

#[tokio::test]
async fn malformed_header_lines_are_refused() {
    let (gateway, upstream) = pair().await;
    let host = "Host: gateway.test\r\n";
    let cases = [
        ("a plain request", health(host), Served),
        ("a folded line", health(&format!("{host}X-A: one\r\n two\r\n")), BAD),
        ("a line folded by a tab", health(&format!("{host}X-A: one\r\n\ttwo\r\n")), BAD),
        ("a fold before the first header", health(&format!(" {host}")), BAD),
        ("a bare line feed after a header", health(&format!("{host}X-A: one\nX-B: two\r\n")), BAD),
        ("bare line feeds throughout", b"GET /health HTTP/1.1\nHost: a\nConnection: close\n\n".to_vec(), BAD),
        ("a bare carriage return", health(&format!("{host}X-A: one\rX-B: two\r\n")), BAD),
        ("a NUL in a value", health(&format!("{host}X-A: one\0two\r\n")), BAD),
        ("a NUL in a name", health(&format!("{host}X-\0A: one\r\n")), BAD),
        ("a space before the colon", health(&format!("{host}X-A : one\r\n")), BAD),
        ("a space in a name", health(&format!("{host}X A: one\r\n")), BAD),
        ("no name", health(&format!("{host}: one\r\n")), BAD),
        ("no colon", health(&format!("{host}nonsense\r\n")), BAD),
        ("a control character", health(&format!("{host}X-A: one\u{1}two\r\n")), BAD),
        ("a value that is not ASCII", health(&format!("{host}X-A: \u{e9}\r\n")), Either),
    ];
    judge(&gateway, &upstream, &cases).await;
}

#[tokio::test]
async fn host_is_there_once_and_sensible() {
    let (gateway, upstream) = pair().await;
    let absolute = |host: &str| {
        format!("GET http://evil.test/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let cases = [
        ("none", health(""), BAD),
        ("two different", health("Host: a\r\nHost: b\r\n"), BAD),
        ("two equal", health("Host: a\r\nHost: a\r\n"), BAD),
        ("with a path", health("Host: a/b\r\n"), BAD),
        ("with a user", health("Host: user@a\r\n"), BAD),
        ("with a space", health("Host: a b\r\n"), BAD),
        ("with a port", health("Host: a:8080\r\n"), Served),
        ("IPv6", health("Host: [::1]:8080\r\n"), Served),
        ("a bracket that does not close", health("Host: [::1\r\n"), BAD),
        ("two ports", health("Host: a:1:2\r\n"), BAD),
        ("a percent sign", health("Host: a%41\r\n"), BAD),
        ("empty", health("Host:\r\n"), Either),
        ("absolute target of another host", absolute("gateway.test"), BAD),
        ("absolute target of the same host", absolute("evil.test"), Served),
        ("HTTP/1.0 without a host", b"GET /health HTTP/1.0\r\n\r\n".to_vec(), Served),
    ];
    judge(&gateway, &upstream, &cases).await;
}

#[tokio::test]
async fn malformed_request_lines_are_refused() {
    let (gateway, upstream) = pair().await;
    let line = |line: &str| format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n").into_bytes();
    let bad_version = Refused(&[400, 505]);
    let cases = [
        ("no version", line("GET /health"), BAD),
        ("a future version", line("GET /health HTTP/9.1"), bad_version),
        ("a version with a word", line("GET /health HTTP/1.x"), bad_version),
        ("another protocol", line("GET /health ICAP/1.0"), bad_version),
        ("three spaces", line("GET   /health HTTP/1.1"), BAD),
        ("a space in the target", line("GET /hea lth HTTP/1.1"), BAD),
        ("a tab for a space", line("GET\t/health\tHTTP/1.1"), BAD),
        ("a control character in the target", line("GET /health\u{1} HTTP/1.1"), BAD),
        ("an unknown method", line("BREW /health HTTP/1.1"), Refused(&[400, 405, 501])),
        ("a method that is none", line("G(T /health HTTP/1.1"), BAD),
        ("an authority target", line("CONNECT evil.test:443 HTTP/1.1"), Refused(&[400, 404, 405, 501])),
        ("a target without a slash", line("GET health HTTP/1.1"), Refused(&[400, 404])),
        ("an asterisk", line("OPTIONS * HTTP/1.1"), Refused(&[400, 404, 405])),
        ("an asterisk for a path", line("GET * HTTP/1.1"), BAD),
        ("a target of another scheme", line("GET ftp://a/health HTTP/1.1"), BAD),
        ("a user in the target", line("GET http://u:p@a/health HTTP/1.1"), BAD),
        ("a fragment", line("GET /health#top HTTP/1.1"), BAD),
        ("a target that is not ASCII", line("GET /health\u{e9} HTTP/1.1"), BAD),
        ("a quote in the query", line("GET /health?a=\"b\" HTTP/1.1"), BAD),
        ("braces in the query", line("GET /health?a={b}|c HTTP/1.1"), Served),
        ("the preface of HTTP/2, cut", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(), BAD),
        ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), BAD),
        ("an empty line first", line("\r\nGET /health HTTP/1.1"), Either),
    ];
    judge(&gateway, &upstream, &cases).await;
}

#[tokio::test]
async fn body_of_a_get_is_not_a_request() {
    let (gateway, upstream) = pair().await;
    let inner = smuggled();
    let get = format!("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    let outcome = crate::support::Client::provoke(gateway.port, get.as_bytes(), super::LIMIT).await;
    assert_eq!(outcome.statuses().len(), 1, "the body of a request must not be answered: {outcome:?}");
    super::assert_unsmuggled(&upstream);
    gateway.still_serves().await;
}
