//! Answers given before the request was read: the client gets them, and the connection stays in order.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{LIMIT, assert_unsmuggled, chat_body, smuggled};
use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream, client::contains};

const KEY: &str = "sk-gateway-early";

async fn locked() -> (Gateway, Upstream) {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream).key(KEY).section("limits", "{body: 32MiB}")).await;
    (gateway, upstream)
}

#[tokio::test]
async fn refusal_arrives_while_a_large_body_is_sent() {
    let (gateway, upstream) = locked().await;
    for target in ["/v1/chat/completions", "/p/up-openai/v1/files", "/nowhere"] {
        let ask = Ask::new("POST", target).bearer("wrong").body(vec![b'x'; 10 << 20]);
        let start = Instant::now();
        let outcome = Client::provoke(gateway.port, &ask.bytes(), LIMIT).await;
        let statuses = outcome.statuses();
        assert!(matches!(statuses.as_slice(), [401 | 404]), "{target} must be refused once: {statuses:?}");
        assert!(start.elapsed() < LIMIT, "the connection must be drained or closed in time");
    }
    assert!(upstream.seen().is_empty(), "a refused request must not reach the upstream");
    gateway.still_serves().await;
}

#[tokio::test]
async fn refusal_does_not_wait_for_the_body() {
    let (gateway, _upstream) = locked().await;
    let ask = Ask::new("POST", "/v1/chat/completions").bearer("wrong");
    let mut client = Client::open(gateway.port).await;
    client.send(&ask.head_bytes(10 << 20)).await;
    let start = Instant::now();
    client.answer().await.expect_status(401);
    assert!(start.elapsed() < Duration::from_millis(1500), "the head says enough for a refusal");
    let ended = timeout(LIMIT, async {
        while client.try_send(&[b'x'; 8 * 1024]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    ended.await.expect("a body that trickles on after a refusal must be cut off within a bound");
    gateway.still_serves().await;
}

#[tokio::test]
async fn rest_of_a_refused_body_is_no_request() {
    let (gateway, upstream) = locked().await;
    let body = format!("{}{}", "x".repeat(100_000), smuggled().replace("Host:", &format!("X-Api-Key: {KEY}\r\nHost:")));
    let ask = Ask::new("POST", "/v1/chat/completions").bearer("wrong").body(body);
    let outcome = Client::provoke(gateway.port, &ask.bytes(), LIMIT).await;
    assert_eq!(outcome.statuses(), [401], "the body of a refused request must not be answered");
    assert_unsmuggled(&upstream);
    gateway.still_serves().await;
}

#[tokio::test]
async fn refused_request_may_be_followed_by_another() {
    let (gateway, upstream) = locked().await;
    let mut client = Client::open(gateway.port).await;
    let body = chat_body("a");
    let refused = Ask::post_text("/v1/chat/completions", &body).bearer("wrong");
    client.ask(&refused).await.expect_status(401);
    // Either the small body was drained and the connection goes on, or it was closed: never anything between.
    let good = Ask::post_text("/v1/chat/completions", &body).bearer(KEY);
    if client.try_send(&good.bytes()).await.is_ok()
        && let Ok(Some(head)) = client.wire.head().await
    {
        assert_eq!(head.status(), 200, "a kept connection must serve the next request");
        assert_eq!(upstream.seen().len(), 1, "the next request must reach the upstream");
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn early_answer_of_an_upstream_reaches_the_client() {
    let upstream = Upstream::rude(|_| Script::json(403, r#"{"error":"no uploads today"}"#)).await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("write", "2s")).await;
    let ask = Ask::new("POST", "/p/up-openai/v1/files").body(vec![b'x'; 10 << 20]);
    let outcome = Client::provoke(gateway.port, &ask.bytes(), LIMIT).await;
    assert_eq!(outcome.statuses(), [403], "an answer that comes before the upload has ended must be relayed");
    let answer = outcome.answers.first().expect("there is one answer");
    assert!(contains(&answer.body, "no uploads today"), "the upstream's own body must be relayed");
    gateway.still_serves().await;
}
