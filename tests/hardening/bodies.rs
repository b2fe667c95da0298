//! Bodies of announced length: cut anywhere, followed by another request, or announced and never sent.

use std::time::Duration;

use super::{LIMIT, chat, chat_body, pair};
use crate::support::{Answer, Client, Config, Face, Gateway, Upstream};

/// A chat request of more than `size` bytes, the text of which has escapes.
fn large(size: usize) -> String {
    let text = r#"a \"quoted\" line\n"#.repeat(size / 18 + 1);
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}],"model":"up-openai/a"}}"#)
}

#[tokio::test]
async fn body_cut_anywhere_arrives_whole() {
    let (gateway, upstream) = pair().await;
    for size in [0, 60 << 10, 70 << 10] {
        let body = large(size);
        let bytes = chat(&format!("Content-Length: {}\r\n", body.len()), &body);
        let head = bytes.len() - body.len();
        let cuts = [head - 1, head, head + 1, head + 4095, head + (64 << 10), bytes.len() - 1];
        for cut in cuts.into_iter().filter(|cut| *cut < bytes.len()) {
            let mut client = Client::open(gateway.port).await;
            client.send(&bytes[..cut]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            client.send(&bytes[cut..]).await;
            client.answer().await.expect_status(200);
            let seen = upstream.seen().pop().expect("the request reached the upstream").body;
            assert_eq!(seen, body.replace("up-openai/", ""), "{size} bytes cut at {cut}");
        }
    }
}

#[tokio::test]
async fn large_body_leaves_what_follows_it() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let (first, second) = (large(5 << 20), chat_body("second"));
    let mut bytes = chat(&format!("Content-Length: {}\r\n", first.len()), &first);
    bytes.extend(chat(&format!("Connection: close\r\nContent-Length: {}\r\n", second.len()), &second));
    // Read whole, and refused for its length and drained.
    for (limit, expected) in [("8MiB", [200, 200]), ("1MiB", [413, 200])] {
        let config = Config::to(&upstream).section("limits", &format!("{{body: {limit}}}"));
        let gateway = Gateway::start(config).await;
        let outcome = Client::provoke(gateway.port, &bytes, LIMIT).await;
        let statuses: Vec<u16> = outcome.answers.iter().map(Answer::status).collect();
        assert_eq!(statuses, expected, "both are answered under {limit}");
    }
    let seen: Vec<_> = upstream.seen().into_iter().map(|seen| seen.body).collect();
    let plain = |body: &str| body.replace("up-openai/", "");
    assert_eq!(seen, [plain(&first), plain(&second), plain(&second)], "each has its own body, whole");
}

#[tokio::test]
async fn length_that_lies_takes_no_memory() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream).section("limits", "{body: 32MiB}")).await;
    gateway.still_serves().await;
    let before = gateway.memory_kib();
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::open(gateway.port).await;
        client.send(&chat(&format!("Content-Length: {}\r\n", 30 << 20), &large(80 << 10))).await;
        clients.push(client);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let grown = gateway.memory_kib().saturating_sub(before) >> 10;
    assert!(grown < 40, "100 bodies of 80 KiB that announced 30 MiB took {grown} MiB");
    drop(clients);
    gateway.still_serves().await;
    assert!(upstream.seen().iter().all(|seen| seen.head.target() != "/v1/chat/completions" || seen.body.len() < 1024));
}
