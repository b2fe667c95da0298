//! Heads and bodies that are too large, or never end.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LIMIT, Refused, Verdict, chat, chat_body, judge, pair};
use crate::support::{Ask, Client, Config, Face, Gateway, Upstream, client::Outcome};

/// The test configuration's timeouts for heads and bodies.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How much later than the timeout a busy machine may be.
const SLACK: Duration = Duration::from_secs(3);

#[tokio::test]
async fn oversized_heads_are_refused() {
    const TOO_LARGE: Verdict = Refused(&[431, 400]);
    let (gateway, upstream) = pair().await;
    let get = |lines: &str| format!("GET /health HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
    let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(20_000)).into_bytes();
    let many = "X-A: 1\r\n".repeat(150);
    let cases = [
        ("one long header", get(&format!("X-A: {}\r\n", "x".repeat(20_000))), TOO_LARGE),
        ("a long name", get(&format!("{}: 1\r\n", "x".repeat(20_000))), TOO_LARGE),
        ("many headers", get(&many), TOO_LARGE),
        ("a long target", line, Refused(&[414, 431, 400])),
        ("a head of a megabyte", get(&format!("X-A: {}\r\n", "x".repeat(1 << 20))), TOO_LARGE),
        ("a line that never ends", vec![b'G'; 64 * 1024], TOO_LARGE),
    ];
    judge(&gateway, &upstream, &cases).await;
}

#[tokio::test]
async fn head_just_below_the_limit_is_served() {
    let (gateway, _upstream) = pair().await;
    let ask = Ask::get("/health").header("x-large", &"x".repeat(15_000));
    gateway.ask(&ask).await.expect_status(200);
}

#[tokio::test]
async fn endless_head_is_cut_off() {
    let (gateway, _upstream) = pair().await;
    let mut client = Client::open(gateway.port).await;
    client.send(b"GET /health HTTP/1.1\r\nHost: a\r\nX-A: ").await;
    let start = Instant::now();
    while start.elapsed() < LIMIT && client.try_send(b"x").await.is_ok() {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(start.elapsed() < TIMEOUT + SLACK, "a dripping head must be cut off by its timeout");
    let rest = client.wire.rest().await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "the answer, if any, must be 408: {rest:?}");
    gateway.still_serves().await;
}

#[tokio::test]
async fn silent_connection_is_closed() {
    let (gateway, _upstream) = pair().await;
    let start = Instant::now();
    let outcome = Client::provoke(gateway.port, b"", LIMIT).await;
    assert!(outcome.closed, "a connection that never sends must be closed within the idle timeout");
    assert!(start.elapsed() < Duration::from_secs(5) + SLACK, "the idle timeout is 5 s");
    let half = Client::provoke(gateway.port, b"GET /hea", LIMIT).await;
    assert!(half.closed, "half a request line must be cut off by the head timeout");
}

#[tokio::test]
async fn idle_connection_is_closed_after_a_request() {
    let (gateway, _upstream) = pair().await;
    let mut client = Client::open(gateway.port).await;
    client.ask(&Ask::get("/health")).await.expect_status(200);
    let start = Instant::now();
    client.closed().await;
    let took = start.elapsed();
    assert!(took > Duration::from_secs(1), "a kept connection must live for a while, it lived {took:?}");
    assert!(took < Duration::from_secs(5) + SLACK, "the idle timeout is 5 s, it took {took:?}");
}

#[tokio::test]
async fn slow_body_is_cut_off_with_408() {
    let (gateway, upstream) = pair().await;
    for lines in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let start = Instant::now();
        let body = if lines.starts_with('C') { "{\"model\":" } else { "9\r\n{\"model\":\r\n" };
        let outcome = Client::provoke(gateway.port, &chat(lines, body), LIMIT).await;
        assert_eq!(outcome.statuses(), [408], "a body that stops coming is answered by 408");
        assert!(outcome.closed, "the rest of a body that stopped cannot be told from a request: close");
        let took = start.elapsed();
        assert!(took > Duration::from_secs(1) && took < TIMEOUT + SLACK, "the body timeout is 2 s, it took {took:?}");
        let error = outcome.answers.first().expect("there is one answer").json();
        Face::OpenAi.error(&error);
    }
    assert!(upstream.seen().is_empty(), "half a request must not be forwarded");
    gateway.still_serves().await;
}

#[tokio::test]
async fn body_beyond_the_limit_is_refused_by_its_length() {
    let (gateway, upstream) = pair().await;
    let start = Instant::now();
    let outcome = Client::provoke(gateway.port, &chat("Content-Length: 2097152\r\n", ""), LIMIT).await;
    assert!(start.elapsed() < TIMEOUT + SLACK, "the length says enough: no byte of the body has to come");
    assert_too_large(&outcome);
    assert!(upstream.seen().is_empty(), "a refused request must not reach the upstream");
    gateway.still_serves().await;
}

#[tokio::test]
async fn body_beyond_the_limit_is_refused_by_counting() {
    let (gateway, upstream) = pair().await;
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let outcome =
        Client::provoke(gateway.port, &chat("Transfer-Encoding: chunked\r\n", &piece.repeat(24)), LIMIT).await;
    assert_too_large(&outcome);
    assert!(upstream.seen().is_empty(), "a refused request must not reach the upstream");
    gateway.still_serves().await;
}

fn assert_too_large(outcome: &Outcome) {
    assert_eq!(outcome.statuses(), [413], "a body beyond the limit is answered by 413");
    assert!(outcome.closed, "a connection whose body was not read must be closed");
    let error = outcome.answers.first().expect("there is one answer").json();
    let (_, message) = Face::OpenAi.error(&error);
    assert!(message.contains("MiB") || message.contains("1048576"), "the message must name the limit: {message}");
}

#[tokio::test]
async fn each_dialect_says_too_large_in_its_own_words() {
    let (gateway, _upstream) = pair().await;
    for face in Face::ALL {
        let target = face.target("up-openai/a", false);
        let ask = Ask::new("POST", &target).header("content-type", "application/json").body(vec![b' '; 1_200_000]);
        let mut client = Client::open(gateway.port).await;
        // The gateway may stop reading once it knows that the body is too large.
        drop(client.try_send(&ask.bytes()).await);
        let answer = client.answer().await.expect_status(413);
        face.error(&answer.json());
    }
}

#[tokio::test]
async fn body_at_the_limit_is_served() {
    let (gateway, upstream) = pair().await;
    let body = chat_body("a");
    let padded = format!("{body}{}", " ".repeat((1 << 20) - body.len()));
    let ask = Ask::post_text("/v1/chat/completions", &padded);
    gateway.ask(&ask).await.expect_status(200);
    assert!(upstream.only().body.len() > 1_000_000, "the whole body must be forwarded");
}

#[tokio::test]
async fn upload_limit_holds_for_passthrough() {
    let upstream = Upstream::start(|_| crate::support::Script::json(200, "{}")).await;
    let gateway = Gateway::start(Config::to(&upstream).section("limits", "{body: 64KiB, upload: 1MiB}")).await;
    let post = |size: usize| Ask::new("POST", "/p/up-openai/v1/files").body(vec![b'x'; size]);
    gateway.ask(&post(1 << 20)).await.expect_status(200);
    let large = Client::provoke(gateway.port, &post(1_100_000).bytes(), LIMIT).await;
    assert_eq!(large.statuses(), [413], "an upload beyond its limit is answered by 413");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let head = "POST /p/up-openai/v1/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let counted = Client::provoke(gateway.port, format!("{head}{}0\r\n\r\n", chunk.repeat(20)).as_bytes(), LIMIT).await;
    assert!(counted.closed, "an upload that turns out too large must be cut");
    assert!(!counted.statuses().contains(&200), "an upload that turns out too large must not succeed: {counted:?}");
    gateway.still_serves().await;
}
