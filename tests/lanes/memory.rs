//! What passes does not pile up: uploads, and streams to clients that read slowly.

use std::time::Duration;

use tokio::time::sleep;

use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream, gateway::is_release};

const MIB: u64 = 1024;

#[tokio::test]
async fn large_upload_leaves_memory_flat() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    // One worker, and warm: each has a heap of its own, whose first pages are not what is measured here.
    let gateway = Gateway::start(Config::to(&upstream).section("server", "{threads: 1}")).await;
    let upload = |size: usize| Ask::new("POST", "/p/up-openai/v1/files").body(vec![b'x'; size]);
    for size in [1, 1, 8, 8] {
        gateway.ask(&upload(size << 20)).await.expect_status(200);
    }
    let before = gateway.memory_kib();
    gateway.ask(&upload(20 << 20)).await.expect_status(200);
    let grown = gateway.peak_kib().saturating_sub(before);
    let allowed = if is_release() { 2 * MIB } else { 6 * MIB };
    assert!(grown < allowed, "an upload of 20 MiB may raise memory by {allowed} KiB, it was {grown} KiB");
    let seen = upstream.seen().pop().expect("the upload must reach the upstream");
    assert_eq!(seen.body.len(), 20 << 20, "the whole upload must reach the upstream");
}

#[tokio::test]
async fn slow_reader_holds_bounded_memory() {
    let long = "x".repeat(16 * 1024);
    for (from, to) in [(Face::OpenAi, Face::OpenAi), (Face::Anthropic, Face::OpenAi), (Face::OpenAi, Face::Gemini)] {
        let frame = to.word(&long);
        let upstream = Upstream::start(move |_| {
            to.opening().into_iter().fold(Script::sse(), Script::chunk).flood(frame.as_bytes(), 12_800)
        })
        .await;
        let ask = from.ask(&format!("{}/m", to.provider()), "hello", true);
        read_slowly(&upstream, &ask).await;
    }
}

#[tokio::test]
async fn slow_reader_of_a_passthrough_holds_bounded_memory() {
    let upstream = Upstream::start(|_| Script::sse().flood(&[b'x'; 16 * 1024], 12_800)).await;
    read_slowly(&upstream, &Ask::get("/p/up-openai/v1/stream")).await;
}

/// Reads nothing for longer than the upstream may be silent, then goes on: the stream must have waited.
async fn read_slowly(upstream: &Upstream, ask: &Ask) {
    let gateway = Gateway::start(Config::to(upstream)).await;
    let mut client = Client::open(gateway.port).await;
    let (head, mut framing) = client.begin(ask).await;
    assert_eq!(head.status(), 200, "the stream must begin");
    client.piece(&mut framing).await;
    let before = gateway.memory_kib();
    sleep(Duration::from_secs(3)).await;
    let (held, sent) = (gateway.peak_kib().saturating_sub(before), upstream.sent());
    assert!(sent < 64 << 20, "the upstream must be slowed down, it has sent {sent} bytes");
    // What one stream holds is far less; most of this is the allocator's first growth.
    assert!(held < 32 * MIB, "a slow reader may hold 32 MiB of 200 MiB, it holds {held} KiB");
    let mut read = 0;
    while read < 32 << 20 {
        let piece = client.piece(&mut framing).await;
        read += piece.expect("a slow reader must not be taken for a silent upstream").len();
    }
    gateway.still_serves().await;
}
