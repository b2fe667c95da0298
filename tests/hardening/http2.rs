//! HTTP/2 as no client library speaks it: frames written by hand.

use std::time::Duration;

use tokio::{
    io::AsyncReadExt as _,
    time::{Instant, timeout},
};

use super::{LIMIT, chat_body, pair};
use crate::support::{
    Ask, Client, Config, Face, Gateway, Script, Upstream, gateway::scratch, http2::Http2, tls::Certificate, wire::Wire,
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut bytes = length.get(1..).expect("three bytes").to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Headers without compression (RFC 7541, section 6.2.2).
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).expect("a short text"));
            bytes.extend(text.bytes());
        }
    }
    bytes
}

fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)])
}

/// A connection with its preface and these settings.
async fn open(gateway: &Gateway, settings: &[u8]) -> Client {
    let mut client = Client::open(gateway.port).await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send(&frame(SETTINGS, 0, 0, settings)).await;
    client
}

/// Reads frames until one of that kind comes; whether it did before the end, or the limit.
async fn comes(client: &mut Client, kind: u8, limit: Duration) -> bool {
    let wanted = async {
        while let Some(head) = take(client, 9).await {
            let length = head.iter().take(3).fold(0, |length, byte| length << 8 | usize::from(*byte));
            if take(client, length).await.is_none() {
                return false;
            }
            if head.get(3) == Some(&kind) {
                return true;
            }
        }
        false
    };
    timeout(limit, wanted).await.unwrap_or(false)
}

/// The next bytes; `None` if the connection ends before.
async fn take(client: &mut Client, count: usize) -> Option<bytes::BytesMut> {
    let wire = &mut client.wire;
    while wire.ahead.len() < count {
        let read = wire.stream.read_buf(&mut wire.ahead).await;
        read.ok().filter(|read| *read > 0)?;
    }
    Some(wire.ahead.split_to(count))
}

/// How long a connection lives on which `drip` is written every 100 ms.
async fn lifetime(mut client: Client, drip: &[u8]) -> Duration {
    let start = Instant::now();
    let mut buf = vec![0; 4096];
    let ended = timeout(LIMIT * 2, async {
        loop {
            if !drip.is_empty() && client.try_send(drip).await.is_err() {
                return;
            }
            let read = client.wire.stream.read(&mut buf);
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(100), read).await {
                return;
            }
        }
    });
    ended.await.expect("the connection must end");
    start.elapsed()
}

#[tokio::test]
async fn idle_connections_end_however_lively_they_are() {
    let gateway = Gateway::start(Config::new().timeout("idle", "1s")).await;
    let unfinished = frame(HEADERS, END_STREAM, 1, &request("GET", "/health"));
    let more = frame(CONTINUATION, 0, 1, &block(&[("x", "y")]));
    let mut headers = open(&gateway, &[]).await;
    headers.send(&unfinished).await;
    let cases = [
        ("nothing but the preface", open(&gateway, &[]).await, Vec::new()),
        ("pings", open(&gateway, &[]).await, frame(PING, 0, 0, &[7; 8])),
        ("settings", open(&gateway, &[]).await, frame(SETTINGS, 0, 0, &[])),
        ("headers without an end", headers, more),
    ];
    for (name, client, drip) in cases {
        let lived = lifetime(client, &drip).await;
        assert!(lived < Duration::from_secs(4), "{name}: the idle timeout is 1 s, it lived {lived:?}");
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn stream_outlives_the_idle_timeout() {
    let upstream = Upstream::start(|_| {
        let words = Script::sse().chunk(Face::OpenAi.word("first")).pause(Duration::from_millis(2500));
        words.chunk(Face::OpenAi.word("last")).chunk("data: [DONE]\n\n").end()
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("idle", "1s").timeout("between_events", "20s")).await;
    for ask in [Face::OpenAi.ask("up-openai/m", "x", true), Ask::get("/p/up-openai/v1/stream")] {
        let mut client = Http2::open(gateway.port).await;
        let answer = client.ask(&ask).await.expect_status(200);
        assert!(answer.text().contains("last"), "{}: a slow stream is not idle: {}", ask.target, answer.text());
    }
}

#[tokio::test]
async fn body_of_another_length_than_it_says_reaches_nobody() {
    let (gateway, upstream) = pair().await;
    let body = chat_body("a");
    for length in ["5", "5000"] {
        for path in ["/v1/chat/completions", "/p/up-openai/v1/files"] {
            let mut client = open(&gateway, &[]).await;
            let mut headers = request("POST", path);
            headers.extend(block(&[("content-length", length)]));
            client.send(&frame(HEADERS, END_HEADERS, 1, &headers)).await;
            client.send(&frame(DATA, END_STREAM, 1, body.as_bytes())).await;
            assert!(
                comes(&mut client, RST_STREAM, LIMIT).await,
                "{path}: a body that is not {length} long is malformed"
            );
        }
    }
    gateway.still_serves().await;
    for seen in upstream.seen() {
        assert!(seen.body.is_empty(), "no such body may reach the upstream whole: {seen:?}");
    }
}

#[tokio::test]
async fn preface_that_does_not_come_is_not_waited_for() {
    let listener = "[{address: \"127.0.0.1:{PORT}\", tls: {cert: \"{DIR}/cert.pem\", key: \"{DIR}/key.pem\"}}]";
    let dir = scratch();
    let certificate = Certificate::write(&dir);
    let gateway = Gateway::start_in(dir, Config::new().section("listeners", listener).timeout("idle", "1s")).await;
    for bytes in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let stream = certificate.connect(gateway.port, &["h2"]).await.expect("the certificate must be served");
        let mut client = Client { wire: Wire::new(stream) };
        client.send(bytes).await;
        let start = Instant::now();
        client.closed().await;
        assert!(start.elapsed() < Duration::from_secs(5), "{bytes:?} must be given up: {:?}", start.elapsed());
    }
    let stream = certificate.connect(gateway.port, &["h2"]).await.expect("the listener must still serve");
    Http2::over(stream).await.ask(&Ask::get("/health")).await.expect_status(200);
}

#[tokio::test]
async fn rapid_resets_do_not_wear_the_gateway_out() {
    let (gateway, upstream) = pair().await;
    let mut client = open(&gateway, &[]).await;
    let body = chat_body("a");
    let mut flood = Vec::new();
    for stream in (1..6000).step_by(2) {
        flood.extend(frame(HEADERS, END_HEADERS, stream, &request("POST", "/v1/chat/completions")));
        flood.extend(frame(DATA, END_STREAM, stream, body.as_bytes()));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    // It may end before it has read everything, which is its right.
    drop(client.try_send(&flood).await);
    assert!(comes(&mut client, GOAWAY, LIMIT).await, "a client that resets what it asks for must be sent away");
    gateway.still_serves().await;
    assert!(upstream.seen().len() < 1000, "resets must not be multiplied: {}", upstream.seen().len());
}

#[tokio::test]
async fn oversized_header_blocks_are_refused() {
    let (gateway, _upstream) = pair().await;
    let value = "x".repeat(100);
    let large = block(&[("x-large", value.as_str()); 100]);
    for rounds in [3, 400] {
        let mut client = open(&gateway, &[]).await;
        let mut bytes = frame(HEADERS, END_STREAM, 1, &request("GET", "/health"));
        for _ in 0..rounds {
            bytes.extend(frame(CONTINUATION, 0, 1, &large));
        }
        bytes.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
        drop(client.try_send(&bytes).await);
        let answered = comes(&mut client, HEADERS, Duration::from_secs(3)).await;
        assert!(rounds < 10 || !answered, "4 MiB of headers are answered by the end of the connection");
        gateway.still_serves().await;
    }
}

#[tokio::test]
async fn client_that_opens_no_window_is_given_up() {
    let upstream = Upstream::start(|_| Script::sse().flood(Face::OpenAi.word("x").as_bytes(), 200_000)).await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("write", "1s").timeout("between_events", "30s")).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 0, and no WINDOW_UPDATE ever comes.
    let mut client = open(&gateway, &[0, 4, 0, 0, 0, 0]).await;
    let body =
        serde_json::json!({"model": "up-openai/m", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    client.send(&frame(HEADERS, END_HEADERS, 1, &request("POST", "/v1/chat/completions"))).await;
    client.send(&frame(DATA, END_STREAM, 1, body.to_string().as_bytes())).await;
    let gone = timeout(LIMIT, upstream.hung_up()).await;
    assert!(gone.is_ok(), "a client that takes nothing for 1 s must be given up");
    gateway.still_serves().await;
}

#[tokio::test]
async fn body_that_does_not_come_is_not_waited_for() {
    let (gateway, upstream) = pair().await;
    let mut client = open(&gateway, &[]).await;
    client.send(&frame(HEADERS, END_HEADERS, 1, &request("POST", "/v1/chat/completions"))).await;
    assert!(comes(&mut client, HEADERS, LIMIT).await, "a body that does not come must be refused in time");
    let refused = || gateway.access_lines().iter().any(|line| line["status"] == 408);
    crate::support::until("the line of a 408", refused).await;
    assert!(upstream.seen().is_empty(), "no request has come");
}

#[tokio::test]
async fn no_tunnel_is_opened() {
    let (gateway, _upstream) = pair().await;
    let tunnel = block(&[(":method", "CONNECT"), (":authority", "a:443")]);
    let websocket = block(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/p/up-openai/v1/realtime"),
    ]);
    for (name, headers) in [("plain", tunnel), ("extended", websocket)] {
        let mut client = open(&gateway, &[]).await;
        client.send(&frame(HEADERS, END_HEADERS, 1, &headers)).await;
        let reset = comes(&mut client, RST_STREAM, Duration::from_secs(2)).await;
        let lines = gateway.access_lines();
        let refused =
            lines.iter().filter(|line| line["status"] == 405 && line["error"] == "method_not_allowed").count();
        assert!(reset || refused == 1, "{name}: a tunnel must be refused: {lines:?}");
        gateway.still_serves().await;
    }
}

#[tokio::test]
async fn targets_that_two_servers_read_differently_are_refused() {
    let (gateway, upstream) = pair().await;
    let cases: [&[(&str, &str)]; 6] = [
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/p/up-openai/v1/x"), ("host", "b")],
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "http://b/p/up-openai/v1/x")],
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/p/up-openai/v1/x\r\nx: y")],
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "")],
        &[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/p/up-openai/v1/x"),
            ("transfer-encoding", "chunked"),
        ],
        &[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/p/up-openai/v1/x"),
            ("X-Upper", "y"),
        ],
    ];
    for headers in cases {
        let mut client = open(&gateway, &[]).await;
        client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(headers))).await;
        // Whatever it is, a frame of the stream's end comes: an error's head, a reset, or the connection's end.
        timeout(Duration::from_secs(3), client.wire.rest()).await.ok();
        gateway.still_serves().await;
    }
    assert!(upstream.seen().is_empty(), "no such request may reach the upstream: {:?}", upstream.seen());
}
