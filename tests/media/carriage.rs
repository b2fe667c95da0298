//! Who gets the bytes, and who the URL.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{PDF, PNG, ask, files, gateway, inlined, path, picture, provider};
use crate::support::{Config, Face, Gateway, Script, Upstream, until};

/// Whether a provider of a dialect is given the URL itself.
fn fetches(face: Face, kind: &str) -> bool {
    match face {
        Face::OpenAi => kind == "image",
        Face::Anthropic | Face::Responses => true,
        Face::Gemini => false,
    }
}

#[tokio::test]
async fn pitfall_66_every_pair_gets_the_bytes_or_the_url_as_its_provider_takes_them() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    for (kind, file, bytes) in [("image", "cat.png", PNG), ("document", "paper.pdf", PDF)] {
        let url = format!("{}/{file}", files.url());
        for (from, to) in Face::pairs() {
            let case = format!("{kind} from {from:?} to {to:?}");
            let (before, asked) = (provider.seen().len(), files.seen().len());
            let model = format!("{}/m", to.provider());
            let answer = gateway.ask(&ask(from, &model, kind, &url).header("x-lockgate-strict", "true")).await;
            assert_eq!(answer.status(), 200, "{case}: {:?}", answer.body);
            assert_eq!(answer.get("x-lockgate-loss"), None, "{case}: the bytes say the same as the URL");
            let seen = provider.seen().remove(before);
            let sent = String::from_utf8(seen.body.to_vec()).expect("a provider gets text");
            let by_url = from == to || fetches(to, kind);
            assert_eq!(sent.contains(&url), by_url, "{case}: {sent}");
            assert_eq!(sent.contains(&STANDARD.encode(bytes)), !by_url, "{case}: {sent}");
            assert_eq!(files.seen().len() - asked, usize::from(!by_url), "{case}: fetched once, or not at all");
        }
    }
}

#[tokio::test]
async fn a_fetch_says_nothing_of_client_and_gateway() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    let request = picture(&format!("{}/a/cat.png?q=1#part", files.url())).bearer("sk-client").header("cookie", "a=b");
    gateway
        .ask(&request.header("x-goog-api-key", "sk-other").header("traceparent", "00-1-2-01"))
        .await
        .expect_status(200);
    let head = files.only().head;
    assert_eq!(head.start, "GET /a/cat.png?q=1 HTTP/1.1", "the fragment is the client's own business");
    let mut names: Vec<_> = head.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "connection", "host", "user-agent"]);
    assert_eq!(head.get("accept-encoding"), Some("identity"));
    assert_eq!(head.get("host"), files.url().strip_prefix("http://"));
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_may_be() {
    let files = Upstream::start(|seen| {
        let location = match path(seen) {
            "/0" => "/1".to_owned(),
            "/1" => "2".to_owned(),
            "/odd" => "/\u{e9}t\u{e9}.png".to_owned(),
            "/2" => "?3".to_owned(),
            "/loop" => "/loop".to_owned(),
            path => return super::file(path),
        };
        let absolute = format!("//{}/cat.png", seen.head.get("host").unwrap_or_default());
        let location = if seen.head.target() == "/2?3" { absolute } else { location };
        Script::default().raw(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))
    })
    .await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    gateway.ask(&picture(&format!("{}/1", files.url()))).await.expect_status(200);
    let asked: Vec<_> = files.seen().iter().map(|seen| seen.head.target().to_owned()).collect();
    assert_eq!(asked, ["/1", "/2", "/2?3", "/cat.png"]);
    gateway.ask(&picture(&format!("{}/odd", files.url()))).await.expect_status(200);
    assert_eq!(files.seen().pop().expect("it was asked").head.target(), "/%c3%a9t%c3%a9.png");
    for start in ["0", "loop"] {
        let before = files.seen().len();
        let told = super::reason(gateway.ask(&picture(&format!("{}/{start}", files.url()))).await);
        assert!(told.contains("more than 3 times"), "{told}");
        assert_eq!(files.seen().len() - before, 4, "the URL itself and three redirects");
    }
}

#[tokio::test]
async fn media_larger_than_any_buffer_arrive_whole() {
    let picture_bytes: Vec<u8> = PNG.iter().copied().chain((0..3_000_000_u32).map(|n| n.to_le_bytes()[0])).collect();
    let served = picture_bytes.clone();
    let files = Upstream::start(move |seen| match path(seen) {
        "/chunked.png" => served.chunks(50_000).fold(Script::chunked(200, "image/png"), Script::chunk).end(),
        "/until-close.png" => {
            Script::default().raw("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n").raw(served.clone()).close()
        }
        _ => Script::whole(200, "image/png", &served),
    })
    .await;
    let provider = provider().await;
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    for name in ["whole.png", "chunked.png", "until-close.png"] {
        gateway.ask(&picture(&format!("{}/{name}", files.url()))).await.expect_status(200);
        let seen = provider.seen().pop().expect("the provider was asked");
        assert!(inlined(&seen) == picture_bytes, "{name}: every byte must arrive");
    }
}

#[tokio::test]
async fn further_attempts_use_what_was_fetched() {
    let files = files().await;
    let bad = Upstream::start(|_| Script::json(500, &Face::Gemini.failure(500, "unwell"))).await;
    let good = provider().await;
    let config = Config::new()
        .provider("bad", Face::Gemini, &bad.url())
        .provider("good", Face::Gemini, &good.url())
        .model("pool", "{balance: failover, targets: [bad/m, good/m]}")
        .section("media", "{allow: [127.0.0.1]}");
    let gateway = Gateway::start(config).await;
    let url = format!("{}/cat.png", files.url());
    let answer = gateway.ask(&ask(Face::OpenAi, "pool", "image", &url)).await.expect_status(200);
    assert_eq!(answer.get("x-lockgate-attempts"), Some("2"));
    assert_eq!((inlined(&bad.only()), inlined(&good.only())), (PNG.to_vec(), PNG.to_vec()));
    assert_eq!(files.seen().len(), 1, "the second attempt has it already");
}

#[tokio::test]
async fn what_was_fetched_is_counted() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{allow: [127.0.0.1]}").await;
    let good = gateway.ask(&picture(&format!("{}/cat.png", files.url()))).await.expect_status(200);
    let line = gateway.access_line(good.get("x-request-id").expect("an id")).await;
    assert_eq!((&line["media"], &line["media_bytes"]), (&Value::from(1), &Value::from(PNG.len())), "{line}");
    let bad = gateway.ask(&picture(&format!("{}/none", files.url()))).await.expect_status(400);
    let line = gateway.access_line(bad.get("x-request-id").expect("an id")).await;
    assert_eq!((&line["media_error"], &line["ended_by"]), (&Value::from("status"), &Value::from("gateway")), "{line}");
    assert!(!gateway.log().contains("/cat.png"), "URLs are content: no log has them");
    until("the access lines", || gateway.access_lines().len() >= 2).await;
    let metrics = gateway.ask(&crate::support::Ask::get("/metrics")).await;
    for sample in [
        "lockgate_media_fetches_total{result=\"fetched\"} 1",
        "lockgate_media_fetches_total{result=\"status\"} 1",
        &format!("lockgate_media_bytes_total {}", PNG.len()),
    ] {
        assert!(metrics.text().contains(sample), "{sample} must be in {}", metrics.text());
    }
}

#[tokio::test]
async fn a_gateway_that_may_not_fetch_says_so() {
    let (files, provider) = (files().await, provider().await);
    let gateway = gateway(&provider, "{fetch: false, allow: [127.0.0.1]}").await;
    let answer = gateway.ask(&picture(&format!("{}/cat.png", files.url()))).await.expect_status(400);
    assert!(answer.text().contains("send the file inline as base64"), "{}", answer.text());
    assert!(files.seen().is_empty() && provider.seen().is_empty());
    let native = ask(Face::OpenAi, "up-openai/m", "image", &files.url());
    gateway.ask(&native).await.expect_status(200);
}
