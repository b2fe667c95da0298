//! Upgrades, expectations, and methods that change what an answer may hold.

use std::time::Duration;

use tokio::time::timeout;

use super::{Client, LIMIT, chat_body, pair};
use crate::support::{Ask, Config, Gateway, Script, Upstream, wire::Framing};

#[tokio::test]
async fn upgrade_is_not_granted_where_no_route_allows_it() {
    let (gateway, upstream) = pair().await;
    let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let body = chat_body("a");
    let post = format!("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
    for lines in [websocket, h2c] {
        for (start, body) in [
            ("GET /health HTTP/1.1\r\n", ""),
            ("GET /v1/models HTTP/1.1\r\n", ""),
            ("GET /nowhere HTTP/1.1\r\n", ""),
            ("GET /p/up-openai/v1/files HTTP/1.1\r\n", ""),
            (post.as_str(), body.as_str()),
        ] {
            let request = format!("{start}Host: a\r\n{lines}\r\n{body}");
            let mut client = Client::open(gateway.port).await;
            client.send(request.as_bytes()).await;
            let head = client.head().await;
            assert!(head.status() >= 200, "{start:?} must not change the protocol: {}", head.start);
        }
    }
    for seen in upstream.seen() {
        assert_eq!(seen.head.get("upgrade"), None, "an upgrade must not be forwarded");
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn upgrade_that_a_route_allows_takes_its_time() {
    let upstream = Upstream::start(|_| {
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly";
        // Pingora 0.9.1 takes the end of the request's empty body for the end of the upgraded stream, if the answer comes
        // before it has looked at that: no provider behind a network is that fast.
        let first = Script::default().pause(Duration::from_millis(100)).raw(head);
        first.pause(Duration::from_millis(1500)).raw("late").silence()
    })
    .await;
    let routes =
        "[{path: \"/live/{provider}/{rest}\", route_type: passthrough, upgrade: true, timeouts: {total: 500ms}}]";
    let gateway = Gateway::start(Config::to(&upstream).section("routes", routes)).await;
    let mut client = Client::open(gateway.port).await;
    let lines = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    client.send(format!("GET /live/up-openai/realtime HTTP/1.1\r\n{lines}\r\n").as_bytes()).await;
    assert_eq!(client.head().await.status(), 101, "the route allows it");
    let mut come = Vec::new();
    crate::support::soon("the late word", async {
        while !come.ends_with(b"late") {
            client.try_send(b"frame").await.expect("what follows an upgrade has no total");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let ready = timeout(Duration::from_millis(50), client.wire.piece(&mut Framing::Close)).await;
            if let Ok(piece) = ready {
                come.extend_from_slice(&piece.expect("it stays open").expect("it stays open"));
            }
        }
    })
    .await;
    assert_eq!(come, b"earlylate", "the bytes must pass as they are");
}

#[tokio::test]
async fn upstream_cannot_change_the_protocol_on_its_own() {
    let upstream = Upstream::start(|_| {
        Script::default()
            .raw("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nsmuggled")
            .silence()
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for lines in ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
        for target in ["/p/up-openai/v1/realtime", "/p/up-openai/v1/chat/completions"] {
            let mut client = Client::open(gateway.port).await;
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes()).await;
            let head = client.head().await;
            assert!(head.status() >= 500, "{target}: nobody asked for another protocol: {}", head.start);
        }
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn expectation_to_continue_is_met_before_the_body_is_read() {
    let (gateway, upstream) = pair().await;
    for target in ["/v1/chat/completions", "/p/up-openai/v1/chat/completions"] {
        let body = chat_body("a");
        let ask = Ask::new("POST", target).header("content-type", "application/json").header("expect", "100-continue");
        let mut client = Client::open(gateway.port).await;
        client.send(&ask.head_bytes(body.len())).await;
        assert_eq!(client.head().await.status(), 100, "{target}: the gateway must ask for the body");
        client.send(body.as_bytes()).await;
        client.answer().await.expect_status(200);
        assert!(upstream.seen().pop().is_some_and(|seen| !seen.body.is_empty()), "the body must reach the upstream");
    }
}

#[tokio::test]
async fn refused_request_is_not_asked_for_its_body() {
    let gateway = Gateway::start(Config::new().key("sk-gateway-expect")).await;
    let cases = [
        Ask::new("POST", "/v1/chat/completions").bearer("wrong").head_bytes(1000),
        Ask::new("POST", "/nowhere").bearer("sk-gateway-expect").head_bytes(1000),
        Ask::new("POST", "/v1/chat/completions").bearer("sk-gateway-expect").head_bytes(2 << 20),
    ];
    for head in cases {
        let text = String::from_utf8(head).expect("a head is text").replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
        let outcome = Client::provoke(gateway.port, text.as_bytes(), LIMIT).await;
        let statuses = outcome.statuses();
        assert!(matches!(statuses.as_slice(), [401 | 404 | 413]), "no 100 before a refusal: {statuses:?}");
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn unknown_expectation_does_not_hang() {
    let (gateway, _upstream) = pair().await;
    let body = chat_body("a");
    let ask = Ask::post_text("/v1/chat/completions", &body).header("expect", "a-miracle");
    let status = gateway.ask(&ask).await.status();
    assert!(matches!(status, 200 | 417), "an unknown expectation is refused or ignored, came {status}");
}

#[tokio::test]
async fn head_has_the_header_of_a_get_and_no_body() {
    let gateway = Gateway::start(Config::new()).await;
    for target in ["/health", "/health/ready", "/v1/models", "/v1/models/sim%2Fecho", "/metrics", "/nowhere"] {
        let mut client = Client::open(gateway.port).await;
        let get = client.ask(&Ask::get(target)).await;
        client.send(&Ask::new("HEAD", target).bytes()).await;
        let head = client.head().await;
        assert_eq!(head.status(), get.status(), "HEAD {target} must have the status of GET");
        assert_eq!(head.get("content-type"), get.get("content-type"), "HEAD {target} must have the type of GET");
        let more = timeout(Duration::from_millis(200), client.piece(&mut Framing::Length(1))).await;
        assert!(more.is_err(), "HEAD {target} must have no body, came {more:?}");
        client.ask(&Ask::get("/health")).await.expect_status(200);
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection_in_order() {
    let upstream = Upstream::start(|seen| match (seen.head.method(), seen.head.target()) {
        ("HEAD", _) => Script::default().raw("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nx-kind: head\r\n\r\n"),
        (_, "/v1/none") => Script::default().raw("HTTP/1.1 204 No Content\r\nx-kind: none\r\n\r\n"),
        (_, "/v1/same") => Script::default().raw("HTTP/1.1 304 Not Modified\r\nx-kind: same\r\n\r\n"),
        _ => Script::json(200, "{}"),
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Client::open(gateway.port).await;
    for (method, target, status) in
        [("HEAD", "/p/up-openai/v1/x", 200), ("GET", "/p/up-openai/v1/none", 204), ("GET", "/p/up-openai/v1/same", 304)]
    {
        client.send(&Ask::new(method, target).bytes()).await;
        let head = client.head().await;
        assert_eq!(head.status(), status, "{method} {target} must be relayed");
        assert!(head.get("x-kind").is_some(), "{method} {target} must keep the upstream's headers");
        let after = client.ask(&Ask::get("/health")).await.expect_status(200);
        assert_eq!(after.json()["status"], "ok", "the connection must be in order after {method} {target}");
    }
}
