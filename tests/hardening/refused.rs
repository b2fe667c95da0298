//! What the door does not let in leaves a trace all the same: an answer with an id, a line, a count.

use std::time::Duration;

use serde_json::Value;

use super::{LIMIT, pair};
use crate::support::{Answer, Ask, Client, Config, Gateway, gateway::scratch, http2::Http2, tls::Certificate};

/// Sends bytes that are refused; gives the answer and its access line.
async fn refused(gateway: &Gateway, bytes: &[u8]) -> (Answer, Value) {
    let mut outcome = Client::provoke(gateway.port, bytes, LIMIT).await;
    assert!(outcome.closed, "a refused connection must end: {bytes:?}");
    let answer = outcome.answers.pop().expect("a refused head must be answered");
    assert!(outcome.answers.is_empty(), "there is one answer to a refused head: {bytes:?}");
    let id = answer.get("x-request-id").expect("a refusal must have an id").to_owned();
    let line = gateway.access_line(&id).await;
    (answer, line)
}

#[tokio::test]
async fn every_refused_head_leaves_a_line_and_a_count() {
    let (gateway, upstream) = pair().await;
    let post = "POST /v1/chat/completions?key=sk-secret HTTP/1.1\r\nHost: a\r\n";
    let cases: [(&str, String, u16, &str, &str); 9] = [
        ("malformed", format!("{post}nonsense\r\n\r\n"), 400, "malformed_request", "/v1/chat/completions"),
        ("bare line feed", format!("{post}X: a\nY: b\r\n\r\n"), 400, "malformed_request", "/v1/chat/completions"),
        (
            "smuggling",
            format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
            "malformed_request",
            "/v1/chat/completions",
        ),
        ("large", format!("{post}X: {}\r\n\r\n", "x".repeat(20_000)), 431, "head_too_large", "/v1/chat/completions"),
        ("many", format!("{post}{}\r\n", "X: a\r\n".repeat(150)), 431, "head_too_large", "/v1/chat/completions"),
        ("no request line", "\u{16}\u{3}\r\n\r\n".to_owned(), 400, "malformed_request", "-"),
        ("late", format!("{post}X: a"), 408, "request_timeout", "/v1/chat/completions"),
        (
            "password",
            "GET http://u:sk-secret@a/x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            400,
            "malformed_request",
            "-",
        ),
        ("tunnel", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n".to_owned(), 405, "method_not_allowed", "-"),
    ];
    for (name, bytes, status, reason, path) in &cases {
        let (answer, line) = refused(&gateway, bytes.as_bytes()).await;
        assert_eq!(answer.status(), *status, "{name}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], *reason, "{name}: the client must be told why");
        assert_eq!(answer.get("connection"), Some("close"), "{name}: the end must be announced");
        for (field, value) in [("route", "-"), ("error", *reason), ("path", *path), ("ended_by", "gateway")] {
            assert_eq!(line[field], value, "{name}: {field} must be told: {line}");
        }
        assert_eq!(line["status"], *status, "{name}: {line}");
        assert_eq!(line["bytes_out"], answer.body.len(), "{name}: {line}");
        assert!(line["client"].as_str().is_some_and(|own| own.starts_with("127.0.0.1:")), "{name}: {line}");
    }
    let late = gateway.access_lines().into_iter().find(|line| line["status"] == 408).expect("one was late");
    assert!(late["duration_ms"].as_f64().is_some_and(|ms| ms >= 1900.0), "the wait is part of it: {late}");
    let metrics = gateway.ask(&Ask::get("/metrics")).await;
    for (status, count) in [(400, 5), (431, 2), (408, 1), (405, 1)] {
        let sample = format!("route=\"-\",status=\"{status}\",stream=\"false\"}} {count}\n");
        assert!(metrics.text().contains(&sample), "{status} must be counted {count} times:\n{}", metrics.text());
    }
    assert!(metrics.text().contains("lockgate_requests_in_flight 0\n"), "nothing is left in flight");
    assert!(!gateway.log().contains("sk-secret"), "neither queries nor passwords are logged");
    assert!(upstream.seen().is_empty(), "no refused head may reach the upstream");
    gateway.still_serves().await;
}

#[tokio::test]
async fn refusal_speaks_the_dialect_of_the_path() {
    let (gateway, _upstream) = pair().await;
    let ask = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n").into_bytes();
    let (answer, line) = refused(&gateway, &ask("/v1/messages")).await;
    assert_eq!((&answer.json()["type"], &line["dialect"]), (&"error".into(), &"anthropic".into()));
    let (answer, line) = refused(&gateway, &ask("/v1beta/models/m:generateContent")).await;
    assert_eq!((&answer.json()["error"]["status"], &line["dialect"]), (&"INVALID_ARGUMENT".into(), &"gemini".into()));
}

#[tokio::test]
async fn refused_head_request_has_no_body() {
    let (gateway, _upstream) = pair().await;
    let mut client = Client::open(gateway.port).await;
    client.send(b"HEAD /health HTTP/1.1\r\nnonsense\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 400, "a malformed head is refused, whatever the method");
    client.closed().await;
}

#[tokio::test]
async fn connection_beyond_the_limit_is_told_so_and_leaves_a_line() {
    let gateway = Gateway::start(Config::new().section("limits", "{connections: 1}")).await;
    // Readiness was seen by a connection, whose end may not have been seen yet.
    let mut kept = None;
    crate::support::soon("room for a connection", async {
        while kept.is_none() {
            let mut client = Client::open(gateway.port).await;
            kept = (client.ask(&Ask::get("/health")).await.status() == 200).then_some(client);
        }
    })
    .await;
    let (answer, line) = refused(&gateway, b"").await;
    assert_eq!(answer.status(), 503, "one connection may be open");
    assert_eq!(answer.get("retry-after"), Some("1"), "the client must know when to come back");
    assert_eq!(answer.json()["error"]["code"], "overloaded", "the client must be told why");
    assert_eq!(line["error"], "overloaded", "the line must tell why: {line}");
    assert_eq!(line["status"], 503, "the line must tell what was answered: {line}");
    drop(kept);
    crate::support::soon("room for another connection", async {
        while !Client::provoke(gateway.port, &Ask::get("/health").header("connection", "close").bytes(), LIMIT)
            .await
            .statuses()
            .contains(&200)
        {}
    })
    .await;
}

#[tokio::test]
async fn connection_beyond_the_limit_costs_no_handshake() {
    let listener = "[{address: \"127.0.0.1:{PORT}\", tls: {cert: \"{DIR}/cert.pem\", key: \"{DIR}/key.pem\"}}]";
    let dir = scratch();
    let certificate = Certificate::write(&dir);
    let config = Config::new().section("listeners", listener).section("limits", "{connections: 1}");
    let gateway = Gateway::start_in(dir, config).await;
    // Readiness was seen by a connection, whose end may not have been seen yet.
    let mut kept = None;
    crate::support::soon("room for a connection", async {
        while kept.is_none() {
            kept = certificate.connect(gateway.port, &[]).await.ok();
        }
    })
    .await;
    assert!(certificate.connect(gateway.port, &[]).await.is_err(), "the second connection must be closed");
    crate::support::until("the line of the second connection", || {
        gateway.access_lines().iter().any(|line| line["error"] == "overloaded" && line["status"] == 0)
    })
    .await;
}

#[tokio::test]
async fn what_http2_refuses_here_leaves_a_line_too() {
    let (gateway, upstream) = pair().await;
    let mut client = Http2::open(gateway.port).await;
    let many = (0..150).fold(Ask::get("/health"), |ask, count| ask.header(&format!("x-{count}"), "1"));
    for (ask, status, reason) in
        [(many, 431, "head_too_large"), (Ask::get("/p/up-openai/v1/%2e%2e/x"), 400, "malformed_request")]
    {
        let answer = client.ask(&ask).await.expect_status(status);
        let line = gateway.access_line(answer.get("x-request-id").expect("a refusal must have an id")).await;
        assert_eq!((&line["route"], &line["error"]), (&"-".into(), &reason.into()), "{line}");
    }
    client.ask(&Ask::get("/health")).await.expect_status(200);
    assert!(upstream.seen().is_empty(), "no refused head may reach the upstream");
}

#[tokio::test]
async fn slow_handshake_is_cut_off_by_the_head_timeout() {
    let listener = "[{address: \"127.0.0.1:{PORT}\", tls: {cert: \"{DIR}/cert.pem\", key: \"{DIR}/key.pem\"}}]";
    let dir = scratch();
    let certificate = Certificate::write(&dir);
    let gateway = Gateway::start_in(dir, Config::new().section("listeners", listener)).await;
    // Nothing at all, and the beginning of a client's hello that promises more.
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let start = tokio::time::Instant::now();
        let outcome = Client::provoke(gateway.port, bytes, LIMIT).await;
        assert!(outcome.closed, "a handshake that does not go on must be cut off");
        assert!(start.elapsed() >= Duration::from_millis(1900), "it has the time of a head: {:?}", start.elapsed());
    }
    certificate.connect(gateway.port, &["h2"]).await.expect("the listener must still serve");
}
