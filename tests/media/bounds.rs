//! How much is fetched, how long that may take, and when it ends.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{PNG, file, files, gateway, path, picture, provider, reason};
use crate::support::{Ask, Client, Face, Script, Upstream, client::contains};

/// A request with many images for Gemini.
fn pictures(urls: impl Iterator<Item = String>) -> Ask {
    let mut ask = Face::OpenAi.ask("up-gemini/m", "look", false);
    let parts: Vec<_> = urls.map(|url| json!({"type": "image_url", "image_url": {"url": url}})).collect();
    let body = json!({"model": "up-gemini/m", "messages": [{"role": "user", "content": parts}]});
    ask.body = body.to_string().into();
    ask
}

/// A picture with so many bytes behind it.
fn padded(more: usize) -> Vec<u8> {
    let mut bytes = PNG.to_vec();
    bytes.resize(PNG.len() + more, b'x');
    bytes
}

#[tokio::test]
async fn what_is_too_large_is_not_taken() {
    let files = Upstream::start(|seen| match path(seen) {
        // Never more than the head: whoever waits for the rest waits for ever.
        "/announced" => Script::default()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1073741824\r\n\r\n")
            .silence(),
        "/endless" => Script::chunked(200, "image/png").chunk(PNG).flood(&[b'x'; 16 << 10], 1 << 16),
        "/lying" => Script::default()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 40\r\n\r\n")
            .raw(padded(200_000))
            .close(),
        path => file(path),
    })
    .await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1], max_bytes: 64KiB}").await;
    for path in ["announced", "endless"] {
        let (start, before) = (Instant::now(), files.sent());
        let told = reason(gateway.ask(&picture(&format!("{}/{path}", files.url()))).await);
        assert!(told.contains("too large") && told.contains("65536 bytes"), "{path}: {told}");
        assert!(start.elapsed() < Duration::from_secs(5), "{path}: it must be refused at once");
        files.hung_up().await;
        assert!(files.sent() - before < 32 << 20, "{path}: no more than buffers hold may be taken");
    }
    // A length that is too short delimits the answer all the same: the rest is not part of it.
    gateway.ask(&picture(&format!("{}/lying", files.url()))).await.expect_status(200);
    assert_eq!(super::inlined(&provider.only()).len(), 40);
    gateway.still_serves().await;
}

#[tokio::test]
async fn all_media_of_a_request_share_the_limit() {
    let files = Upstream::start(|_| Script::whole(200, "image/png", &padded(20_000))).await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1], max_bytes: 64KiB}").await;
    let urls = |count: usize| (0..count).map(|n| format!("{}/{n}.png", files.url())).collect::<Vec<_>>().into_iter();
    gateway.ask(&pictures(urls(3))).await.expect_status(200);
    let told = reason(gateway.ask(&pictures(urls(4))).await);
    assert!(told.contains("together"), "{told}");
    let told = reason(gateway.ask(&pictures(urls(101))).await);
    assert!(told.contains("more than 100"), "{told}");
}

#[tokio::test]
async fn a_server_that_drips_or_is_silent_is_given_up() {
    let files = Upstream::start(|seen| match path(seen) {
        "/silent.png" => Script::default().silence(),
        "/stalls.png" => Script::chunked(200, "image/png").chunk(PNG).silence(),
        _ => (0..100).fold(Script::chunked(200, "image/png").chunk(PNG), |script, _| {
            script.pause(Duration::from_millis(200)).chunk("x")
        }),
    })
    .await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1], timeout: 1s}").await;
    for path in ["silent", "stalls", "drips"] {
        let start = Instant::now();
        let told = reason(gateway.ask(&picture(&format!("{}/{path}.png", files.url()))).await);
        assert!(told.contains("took longer than 1s"), "{path}: {told}");
        let took = start.elapsed();
        assert!(took > Duration::from_millis(900) && took < Duration::from_secs(5), "{path} took {took:?}");
    }
    files.hung_up().await;
}

#[tokio::test]
async fn silence_in_the_middle_of_a_medium_is_given_up_before_its_time() {
    let files = Upstream::start(|_| Script::chunked(200, "image/png").chunk(PNG).silence()).await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1], timeout: 1m}").await;
    let told = reason(gateway.ask(&picture(&format!("{}/stalls.png", files.url()))).await);
    assert!(told.contains("took longer than 5s"), "{told}");
}

#[tokio::test]
async fn fetches_of_a_request_run_at_once_but_not_all() {
    let files = Upstream::start(|_| Script::default().silence()).await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1], timeout: 20s}").await;
    let ask = pictures((0..20).map(|n| format!("{}/{n}.png", files.url())));
    let mut client = Client::open(gateway.port).await;
    client.send(&ask.bytes()).await;
    files.saw(8).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(files.seen().len(), 8, "the ninth waits for one of the first");
    // A client that hangs up takes its fetches with it.
    drop(client);
    files.hung_up().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(files.seen().len(), 8, "nobody asks for the rest");
    assert!(provider.seen().is_empty());
    gateway.still_serves().await;
}

#[tokio::test]
async fn a_slow_fetch_holds_up_nobody_else() {
    let slow = Upstream::start(|_| Script::default().silence()).await;
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{allow: [127.0.0.1], timeout: 20s}").await;
    let mut waiting = Vec::new();
    for n in 0..10 {
        let mut client = Client::open(gateway.port).await;
        client.send(&picture(&format!("{}/{n}.png", slow.url())).bytes()).await;
        waiting.push(client);
    }
    slow.saw(10).await;
    gateway.ask(&picture(&format!("{}/cat.png", files.url()))).await.expect_status(200);
    gateway.ask(&Face::OpenAi.ask("up-openai/m", "hello", false)).await.expect_status(200);
}

#[tokio::test]
async fn a_streamed_request_fetches_before_it_streams() {
    let files = files().await;
    let provider = Upstream::start(|_| Face::Gemini.script("fine", true)).await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    let mut ask = picture(&format!("{}/cat.png", files.url()));
    let mut body: Value = serde_json::from_slice(&ask.body).expect("it was JSON");
    body["stream"] = json!(true);
    ask.body = body.to_string().into();
    let answer = gateway.ask(&ask).await.expect_status(200);
    assert_eq!(Face::OpenAi.streamed_text(answer.text()), "fine");
    assert!(contains(&provider.only().body, "inlineData"));
}
