//! `/p/{provider}/…`: bytes, status and target are the provider's own, both ways.

use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream, config::UPSTREAM_KEY, script::chunk};

async fn echoing() -> (Gateway, Upstream) {
    let upstream = Upstream::start(|seen| Script::whole(200, "application/x-echo", &seen.body)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    (gateway, upstream)
}

#[tokio::test]
async fn every_method_passes() {
    let (gateway, upstream) = echoing().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let body = if method == "GET" { "" } else { "{\"odd\" :1 }" };
        let answer = gateway.ask(&Ask::new(method, "/p/up-openai/v1/files/f-1").body(body)).await.expect_status(200);
        let seen = upstream.seen().pop().expect("the request must reach the upstream");
        assert_eq!((seen.head.method(), seen.head.target()), (method, "/v1/files/f-1"), "the request line must pass");
        assert_eq!(seen.body, body, "{method}: the body must pass untouched");
        assert_eq!(answer.text(), body, "{method}: the answer must pass untouched");
        assert_eq!(answer.get("content-type"), Some("application/x-echo"), "{method}: the type must pass");
    }
    gateway.ask(&Ask::new("HEAD", "/p/up-openai/v1/files/f-1")).await.expect_status(200);
    assert_eq!(
        upstream.seen().pop().map(|seen| seen.head.method().to_owned()),
        Some("HEAD".to_owned()),
        "HEAD must pass"
    );
}

#[tokio::test]
async fn target_passes_as_it_was_written() {
    let (gateway, upstream) = echoing().await;
    let cases = [
        ("/v1/files?b=2&a=%2F+%20&c&c=&=x", "/v1/files?b=2&a=%2F+%20&c&c=&=x"),
        ("/v1/files/a%2Fb%20c", "/v1/files/a%2Fb%20c"),
        ("/v1/files/a+b;c=d,e@f:g!$'()*", "/v1/files/a+b;c=d,e@f:g!$'()*"),
        ("/v1/files/", "/v1/files/"),
        ("/v1/files?", "/v1/files?"),
        ("/v1beta/x", "/v1beta/x"),
        ("/v2/x", "/v2/x"),
        ("/v1/v1/x", "/v1/v1/x"),
    ];
    for (asked, expected) in cases {
        gateway.ask(&Ask::get(&format!("/p/up-openai{asked}"))).await.expect_status(200);
        let seen = upstream.seen().pop().expect("the request must reach the upstream");
        assert_eq!(seen.head.target(), expected, "the target must arrive as it was written");
    }
}

#[tokio::test]
async fn version_segment_counts_once() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let yaml = |base: &str| format!("{{dialect: openai, base_url: \"{}{base}\", api_key: k}}", upstream.url());
    let config = Config::new().provider_text("with", &yaml("/api/v1")).provider_text("without", &yaml("/api"));
    let gateway = Gateway::start(config).await;
    for (asked, expected) in [
        ("/p/with/v1/chat/completions", "/api/v1/chat/completions"),
        ("/p/with/chat/completions", "/api/v1/chat/completions"),
        ("/p/without/v1/chat/completions", "/api/v1/chat/completions"),
        ("/p/with/v1/files", "/api/v1/files"),
        ("/p/without/v1/files", "/api/v1/files"),
    ] {
        gateway.ask(&Ask::post_text(asked, "{}")).await.expect_status(200);
        let seen = upstream.seen().pop().expect("the request must reach the upstream");
        assert_eq!(seen.head.target(), expected, "{asked}: `v1` must go out once");
    }
}

#[tokio::test]
async fn status_and_error_bodies_pass() {
    let upstream = Upstream::start(|seen| {
        let status = seen.head.target().trim_start_matches("/v1/");
        Script::default().raw(format!(
            "HTTP/1.1 {status} Odd\r\ncontent-type: text/x-own\r\nretry-after: 3\r\nlocation: /elsewhere\r\n\
             content-length: 9\r\n\r\nopaque \u{1}\n"
        ))
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for status in [201, 202, 302, 307, 400, 401, 403, 404, 409, 418, 422, 429, 451, 500, 502, 503, 529, 599] {
        let answer = gateway.ask(&Ask::get(&format!("/p/up-openai/v1/{status}"))).await;
        assert_eq!(answer.status(), status, "a status must pass");
        assert_eq!(answer.text(), "opaque \u{1}\n", "{status}: the body must pass");
        assert_eq!(answer.get("location"), Some("/elsewhere"), "{status}: headers must pass");
    }
    assert_eq!(upstream.seen().len(), 18, "no passed request may be tried again or follow a redirection");
}

#[tokio::test]
async fn refusal_of_the_callers_own_key_passes() {
    let upstream = Upstream::start(|_| Script::json(401, r#"{"error":"your key"}"#)).await;
    let yaml = format!(
        "{{dialect: openai, base_url: \"{}\", api_key: {UPSTREAM_KEY}, key_header: x-mine-key}}",
        upstream.url()
    );
    let gateway = Gateway::start(Config::new().provider_text("mine", &yaml)).await;
    let answer = gateway.ask(&Ask::get("/p/mine/v1/files").header("x-mine-key", "sk-own")).await.expect_status(401);
    assert_eq!(answer.text(), r#"{"error":"your key"}"#, "the provider's own words must pass");
}

#[tokio::test]
async fn binary_bodies_of_every_framing_pass() {
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(300_000).collect();
    let sent = bytes.clone();
    let upstream = Upstream::start(move |seen| match seen.head.target() {
        "/v1/length" => Script::whole(200, "application/octet-stream", &sent),
        "/v1/chunked" => sent.chunks(7000).fold(Script::chunked(200, "application/octet-stream"), Script::chunk).end(),
        _ => Script::default().raw("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").raw(sent.clone()).close(),
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for target in ["/v1/length", "/v1/chunked", "/v1/close"] {
        let ask = Ask::new("POST", &format!("/p/up-openai{target}"));
        let by_length = gateway.ask(&ask.clone().body(bytes.clone())).await.expect_status(200);
        assert!(by_length.body == bytes, "{target}: the answer must pass untouched");
        let mut client = Client::open(gateway.port).await;
        client.send(&ask.header("transfer-encoding", "chunked").head_bytes(0)).await;
        for piece in bytes.chunks(50_000) {
            client.send(&chunk(piece)).await;
        }
        client.send(b"0\r\n\r\n").await;
        assert!(client.answer().await.body == bytes, "{target}: the answer to a chunked upload must pass untouched");
        for seen in upstream.seen() {
            assert!(seen.body == bytes, "{target}: the upload must pass untouched");
        }
    }
}

#[tokio::test]
async fn answer_that_is_cut_is_cut_for_the_client() {
    let upstream = Upstream::start(|seen| match seen.head.target() {
        "/v1/length" => Script::default().raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").close(),
        _ => Script::chunked(200, "text/plain").chunk("half").reset(),
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for target in ["/p/up-openai/v1/length", "/p/up-openai/v1/chunked"] {
        let mut client = Client::open(gateway.port).await;
        let (head, framing) = client.begin(&Ask::get(target)).await;
        if head.status() == 200 {
            let body = crate::support::soon("the cut", client.wire.body(framing)).await;
            assert!(body.is_err(), "{target}: half an answer must not look like a whole one: {body:?}");
        } else {
            assert_eq!(head.status(), 502, "{target}: an answer cut before it was relayed is a 502");
        }
        gateway.still_serves().await;
    }
}

#[tokio::test]
async fn failures_of_the_gateway_use_its_own_envelope() {
    let (gateway, _upstream) = echoing().await;
    for (target, status) in
        [("/p/nobody/v1/x", 400), ("/p/up-openai", 400), ("/p/up-openai/", 400), ("/p/up-openai/v1", 400)]
    {
        let answer = gateway.ask(&Ask::get(target)).await;
        assert!(answer.status() == status || answer.status() == 404, "{target}: came {}", answer.status());
        Face::OpenAi.error(&answer.json());
    }
    let nobody = crate::support::gateway::free_port();
    let dead = Config::new().provider("dead", Face::OpenAi, &format!("http://127.0.0.1:{nobody}"));
    let gateway = Gateway::start(dead).await;
    let answer = gateway.ask(&Ask::get("/p/dead/v1/files")).await.expect_status(502);
    Face::OpenAi.error(&answer.json());
    assert!(answer.get("x-request-id").is_some(), "errors carry the request id too");
}
