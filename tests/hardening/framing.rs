//! Where a body ends: lengths and chunks that contradict themselves.

use tokio::io::AsyncWriteExt as _;

use super::{Either, Refused, Served, Verdict, chat, chat_body, judge, pair, smuggled};

/// Statuses for a request whose framing is wrong; 501 for a coding that nobody implements.
const BAD: Verdict = Refused(&[400]);
const BAD_CODING: Verdict = Refused(&[400, 501]);

/// A chunked body of one chunk, with `Connection: close`.
fn chunked(line: &str) -> Vec<u8> {
    let body = chat_body("a");
    chat(&format!("Connection: close\r\n{line}\r\n"), &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
}

#[tokio::test]
async fn contradictory_lengths_are_refused() {
    let (gateway, upstream) = pair().await;
    let body = chat_body("a");
    let length = body.len();
    let tail = format!("{body}{}", smuggled());
    let with = |lines: &str| chat(lines, &tail);
    let cases = [
        ("length and chunked", with(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n")), BAD),
        ("chunked and length", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), BAD),
        ("two different lengths", with(&format!("Content-Length: {length}\r\nContent-Length: 5\r\n")), BAD),
        ("two equal lengths", with(&format!("Content-Length: {length}\r\nContent-Length: {length}\r\n")), BAD),
        ("a list of lengths", with(&format!("Content-Length: {length}, {length}\r\n")), BAD),
        ("a list of other lengths", with("Content-Length: 5,6\r\n"), BAD),
        ("a plus sign", with(&format!("Content-Length: +{length}\r\n")), BAD),
        ("a minus sign", with("Content-Length: -1\r\n"), BAD),
        ("a hexadecimal length", with("Content-Length: 0x5\r\n"), BAD),
        ("an empty length", with("Content-Length:\r\n"), BAD),
        ("a length with a word", with(&format!("Content-Length: {length}x\r\n")), BAD),
        ("a length with a space inside", with("Content-Length: 1 0\r\n"), BAD),
        ("a length beyond 64 bits", with("Content-Length: 18446744073709551617\r\n"), Refused(&[400, 413])),
        ("a decimal fraction", with("Content-Length: 5.0\r\n"), BAD),
    ];
    judge(&gateway, &upstream, &cases).await;
    assert!(upstream.seen().is_empty(), "a refused request must not reach the upstream");
}

#[tokio::test]
async fn odd_transfer_codings_are_refused() {
    let (gateway, upstream) = pair().await;
    let cases = [
        ("plain", chunked("Transfer-Encoding: chunked"), Served),
        ("other case", chunked("Transfer-Encoding: Chunked"), Served),
        ("twice chunked", chunked("Transfer-Encoding: chunked, chunked"), BAD_CODING),
        ("two chunked lines", chunked("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), BAD_CODING),
        ("unknown", chunked("Transfer-Encoding: xchunked"), BAD_CODING),
        ("identity", chunked("Transfer-Encoding: identity"), BAD_CODING),
        ("chunked, identity", chunked("Transfer-Encoding: chunked, identity"), BAD_CODING),
        ("identity line after", chunked("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), BAD_CODING),
        ("compressed", chunked("Transfer-Encoding: gzip, chunked"), BAD_CODING),
        ("quoted", chunked("Transfer-Encoding: \"chunked\""), BAD_CODING),
        ("empty", chunked("Transfer-Encoding:"), BAD_CODING),
        ("a comma alone", chunked("Transfer-Encoding: ,chunked"), Either),
        ("tab before", chunked("Transfer-Encoding:\tchunked"), Either),
        ("space after", chunked("Transfer-Encoding: chunked "), Either),
        ("space before the colon", chunked("Transfer-Encoding : chunked"), BAD),
        ("vertical tab", chunked("Transfer-Encoding: \u{b}chunked"), BAD_CODING),
        ("line folded", chunked("Transfer-Encoding:\r\n chunked"), BAD),
    ];
    judge(&gateway, &upstream, &cases).await;
}

#[tokio::test]
async fn transfer_coding_in_http_1_0_is_refused() {
    let (gateway, upstream) = pair().await;
    let body = chat_body("a");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.0\r\nHost: gateway.test\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n{}",
        body.len(),
        smuggled()
    );
    let both = request.replacen("Transfer-Encoding", "Connection: keep-alive\r\nTransfer-Encoding", 1);
    let cases = [("alone", request.into_bytes(), BAD), ("with keep-alive", both.into_bytes(), BAD)];
    judge(&gateway, &upstream, &cases).await;
}

#[tokio::test]
async fn chunks_are_read_strictly() {
    let (gateway, upstream) = pair().await;
    let body = chat_body("a");
    let size = format!("{:x}", body.len());
    let send = |chunks: String| chat("Connection: close\r\nTransfer-Encoding: chunked\r\n", &chunks);
    let smuggled = smuggled();
    let cases = [
        ("trailers", send(format!("{size}\r\n{body}\r\n0\r\nX-Trailer: 1\r\n\r\n")), Served),
        ("an extension in quotes", send(format!("{size};name=\"va lue\"\r\n{body}\r\n0\r\n\r\n")), Served),
        ("a line feed in an extension, cut", send(format!("{size};a\nb\r\n")), BAD_LINE),
        ("a line feed in an extension", send(format!("{size};a\nb\r\n{body}\r\n0\r\n\r\n")), BAD_LINE),
        ("a carriage return in an extension", send(format!("{size};a\rb\r\n{body}\r\n0\r\n\r\n")), BAD_LINE),
        ("a space after the size", send(format!("{size} \r\n{body}\r\n0\r\n\r\n{smuggled}")), BAD_LINE),
        ("a plus sign", send(format!("+{size}\r\n{body}\r\n0\r\n\r\n{smuggled}")), BAD_LINE),
        ("a trailer without a colon", send(format!("{size}\r\n{body}\r\n0\r\nnonsense\r\n\r\n")), BAD_LINE),
        ("a folded trailer", send(format!("{size}\r\n{body}\r\n0\r\nX: a\r\n b\r\n\r\n")), BAD_LINE),
        ("a line feed in a trailer", send(format!("{size}\r\n{body}\r\n0\r\nX: a\nY: b\r\n\r\n")), BAD_LINE),
        ("framing in a trailer", send(format!("{size}\r\n{body}\r\n0\r\nContent-Length: 5\r\n\r\n")), Served),
        ("an extension", send(format!("{size};name=value\r\n{body}\r\n0\r\n\r\n")), Served),
        ("upper case and zeros", send(format!("000{}\r\n{body}\r\n0\r\n\r\n", size.to_uppercase())), Served),
        ("two chunks", send(format!("1\r\n{{\r\n{:x}\r\n{}\r\n0\r\n\r\n", body.len() - 1, &tail(&body))), Served),
        ("a long extension", send(format!("{size};{}\r\n{body}\r\n0\r\n\r\n", "x".repeat(64 * 1024))), BAD_LINE),
        ("endless trailers", send(format!("{size}\r\n{body}\r\n0\r\n{}\r\n", "X-T: 1\r\n".repeat(20_000))), BAD_LINE),
        ("too many digits", send(format!("FFFFFFFFFFFFFFFFF\r\n{smuggled}")), BAD_LINE),
        ("the largest size", send(format!("FFFFFFFFFFFFFFFF\r\n{smuggled}")), BAD_LINE),
        ("a negative size", send(format!("-1\r\n{smuggled}")), BAD_LINE),
        ("a hexadecimal prefix", send(format!("0x{size}\r\n{body}\r\n0\r\n\r\n{smuggled}")), BAD_LINE),
        ("no size", send(format!("\r\n{body}\r\n0\r\n\r\n{smuggled}")), BAD_LINE),
        ("a word for a size", send(format!("five\r\n{body}\r\n0\r\n\r\n{smuggled}")), BAD_LINE),
        ("data longer than its size", send(format!("5\r\n{body}\r\n0\r\n\r\n{smuggled}")), BAD_LINE),
        ("bare line ends", send(format!("{size}\n{body}\n0\n\n{smuggled}")), BAD_LINE),
        ("a bare line end after the size", send(format!("{size}\n{body}\r\n0\r\n\r\n")), BAD_LINE),
    ];
    judge(&gateway, &upstream, &cases).await;
}

/// What a chunk line that cannot be read is answered with; 413 and 431 where it is merely too long.
const BAD_LINE: Verdict = Refused(&[400, 413, 431]);

fn tail(body: &str) -> String {
    body.chars().skip(1).collect()
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_or_not_at_all() {
    let (gateway, upstream) = pair().await;
    let (first, second) = (chat_body("first"), chat_body("second"));
    let mut bytes = chat(&format!("Content-Length: {}\r\n", first.len()), &first);
    bytes.extend(chat(&format!("Connection: close\r\nContent-Length: {}\r\n", second.len()), &second));
    let outcome = crate::support::Client::provoke(gateway.port, &bytes, super::LIMIT).await;
    let bodies = upstream.seen().into_iter().map(|seen| seen.body).collect::<Vec<_>>();
    let firsts = bodies.iter().map(|body| crate::support::client::contains(body, "\"first\"")).collect::<Vec<_>>();
    match outcome.answers.as_slice() {
        // A server may close instead of serving a pipelined request, if it says so.
        [only] => {
            assert_eq!((only.status(), only.get("connection")), (200, Some("close")), "the end must be announced");
            assert_eq!(firsts, [true], "a request that is not answered must not be done");
        }
        both => {
            assert_eq!(
                both.iter().map(crate::support::Answer::status).collect::<Vec<_>>(),
                [200, 200],
                "both are answered"
            );
            assert_eq!(firsts, [true, false], "the upstream must see both, in order");
        }
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn chunks_are_read_strictly_where_they_only_pass() {
    let (gateway, upstream) = pair().await;
    let head = "POST /p/up-openai/v1/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let smuggled = smuggled();
    for body in ["5;a\nb\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nnonsense\r\n\r\n"] {
        let bytes = format!("{head}{body}{smuggled}");
        let outcome = crate::support::Client::provoke(gateway.port, bytes.as_bytes(), super::LIMIT).await;
        assert_eq!(outcome.statuses(), [400], "{body:?} must be refused");
        assert!(outcome.closed, "{body:?} must end the connection");
        gateway.still_serves().await;
    }
    super::assert_unsmuggled(&upstream);
}

#[tokio::test]
async fn pipelining_behind_a_passthrough_is_announced_to_be_cut() {
    let (gateway, upstream) = pair().await;
    let first = "GET /p/up-openai/v1/first HTTP/1.1\r\nHost: a\r\n\r\n";
    let bytes = format!("{first}{}", first.replace("first", "second"));
    let outcome = crate::support::Client::provoke(gateway.port, bytes.as_bytes(), super::LIMIT).await;
    assert_eq!(outcome.statuses(), [200], "one of the two is answered");
    let answer = outcome.answers.first().expect("there is one");
    assert_eq!(answer.get("connection"), Some("close"), "that the other is not must be announced");
    assert_eq!(upstream.only().head.target(), "/v1/first", "a request that is not answered must not be done");
}

#[tokio::test]
async fn requests_behind_an_error_are_answered() {
    let (gateway, _upstream) = pair().await;
    let last = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (name, first, status) in [
        ("unknown path", "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 404),
        ("wrong method", "GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("no JSON", "POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{nope".to_owned(), 400),
        (
            "unknown model",
            {
                let body = r#"{"model":"nobody","messages":[]}"#;
                format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            },
            404,
        ),
    ] {
        let bytes = format!("{first}{last}");
        let outcome = crate::support::Client::provoke(gateway.port, bytes.as_bytes(), super::LIMIT).await;
        assert_eq!(outcome.statuses(), [status, 200], "{name}: the connection must stay in order");
    }
    let bytes = format!("GET /h ealth HTTP/1.1\r\nHost: a\r\n\r\n{last}");
    let outcome = crate::support::Client::provoke(gateway.port, bytes.as_bytes(), super::LIMIT).await;
    assert_eq!(outcome.statuses(), [400], "behind a head that is malformed, nothing is a request");
}

#[tokio::test]
async fn client_that_closes_its_half_is_taken_for_gone() {
    let (gateway, upstream) = pair().await;
    for (bytes, statuses) in [
        // An answer that is there at once still arrives.
        (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), vec![200]),
        (b"GET /health HT".to_vec(), vec![]),
    ] {
        let mut client = crate::support::Client::open(gateway.port).await;
        client.send(&bytes).await;
        client.wire.stream.shutdown().await.expect("a half can be closed");
        let rest = crate::support::soon("the end of the connection", client.wire.rest()).await;
        let found = if rest.starts_with(b"HTTP/1.1 200") { vec![200] } else { vec![] };
        assert_eq!(found, statuses, "{rest:?}");
    }
    gateway.still_serves().await;
    assert!(upstream.seen().is_empty(), "nothing was asked of the upstream");
}

#[tokio::test]
async fn body_cut_by_the_client_reaches_nobody() {
    let (gateway, upstream) = pair().await;
    let body = chat_body("a");
    for lines in [format!("Content-Length: {}\r\n", body.len() + 10), "Transfer-Encoding: chunked\r\n".to_owned()] {
        let sent = if lines.starts_with('C') { body.clone() } else { format!("{:x}\r\n{body}", body.len() + 10) };
        let mut client = crate::support::Client::open(gateway.port).await;
        client.send(&chat(&lines, &sent)).await;
        drop(client);
    }
    gateway.still_serves().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(upstream.seen().is_empty(), "half a request must not be forwarded");
}
