//! Time: nobody waits for ever, and what ends a request says so.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream};

/// How much later than its timeout an answer may come on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

#[tokio::test]
async fn silent_upstream_is_a_gateway_timeout() {
    let upstream = Upstream::start(|_| Script::default().silence()).await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("first_event", "600ms")).await;
    for (from, to) in Face::pairs() {
        for streamed in [false, true] {
            let start = Instant::now();
            let answer = gateway.ask(&from.ask(&format!("{}/m", to.provider()), "hello", streamed)).await;
            assert_eq!(answer.status(), 504, "{from:?} of {to:?}: silence is a timeout: {:?}", answer.body);
            from.error(&answer.json());
            let took = start.elapsed();
            assert!(took > Duration::from_millis(500) && took < SLACK, "the timeout is 600 ms, it took {took:?}");
        }
    }
}

#[tokio::test]
async fn silent_upstream_of_a_passthrough_is_a_gateway_timeout() {
    let upstream = Upstream::start(|_| Script::default().silence()).await;
    let config = Config::to(&upstream).timeout("first_event", "600ms").timeout("between_events", "600ms");
    let gateway = Gateway::start(config).await;
    let start = Instant::now();
    let answer = gateway.ask(&Ask::get("/p/up-openai/v1/files")).await.expect_status(504);
    Face::OpenAi.error(&answer.json());
    assert!(start.elapsed() < SLACK, "the timeout is 600 ms, it took {:?}", start.elapsed());
}

#[tokio::test]
async fn whole_answer_that_stops_coming_is_a_gateway_timeout() {
    let upstream = Upstream::start(|_| {
        Script::default()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":")
            .silence()
    })
    .await;
    let config = Config::to(&upstream).timeout("first_event", "600ms").timeout("between_events", "600ms");
    let gateway = Gateway::start(config).await;
    for from in Face::ALL.iter().copied() {
        let answer = gateway.ask(&from.ask("up-openai/m", "hello", false)).await;
        assert!(matches!(answer.status(), 502 | 504), "{from:?}: half an answer is none: {:?}", answer.body);
        from.error(&answer.json());
    }
}

#[tokio::test]
async fn total_time_ends_a_request_that_still_moves() {
    for from in Face::ALL.iter().copied() {
        let upstream = Upstream::start(|_| {
            let word = Face::OpenAi.word("more ");
            (0..100).fold(Script::sse(), |script, _| script.chunk(&word).pause(Duration::from_millis(50)))
        })
        .await;
        let gateway = Gateway::start(Config::to(&upstream).timeout("total", "800ms")).await;
        let start = Instant::now();
        let mut client = Client::open(gateway.port).await;
        let (head, framing) = client.begin(&from.ask("up-openai/m", "hello", true)).await;
        assert_eq!(head.status(), 200, "{from:?}: the stream must begin");
        let body = crate::support::soon("the end of the stream", client.wire.body(framing)).await;
        assert!(start.elapsed() < Duration::from_secs(3), "{from:?}: the total is 800 ms, {:?}", start.elapsed());
        // A stream that was ended must not look like one that has ended.
        if let Ok(body) = body {
            let sse = String::from_utf8(body.to_vec()).expect("a stream must be text");
            assert!(from.stream_error(&sse).is_some(), "{from:?}: the end must be told: {sse}");
        }
        upstream.hung_up().await;
    }
}

#[tokio::test]
async fn total_time_covers_all_attempts() {
    let upstream = Upstream::start(|_| Script::default().silence()).await;
    let config = Config::to(&upstream)
        .model("pool", "{targets: [up-openai/a, up-anthropic/b, up-gemini/c]}")
        .timeout("first_event", "5s")
        .timeout("total", "800ms");
    let gateway = Gateway::start(config).await;
    let start = Instant::now();
    let answer = gateway.ask(&Face::OpenAi.ask("pool", "hello", false)).await.expect_status(504);
    Face::OpenAi.error(&answer.json());
    assert!(start.elapsed() < SLACK, "the total is 800 ms, it took {:?}", start.elapsed());
}

#[tokio::test]
async fn nearer_setting_wins() {
    let upstream = Upstream::start(|_| Script::default().silence()).await;
    let yaml =
        |own: &str| format!("{{dialect: openai, base_url: \"{}\", api_key: k, timeouts: {own}}}", upstream.url());
    let config = Config::new()
        .provider_text("quick", &yaml("{first_event: 300ms}"))
        .provider_text("slow", &yaml("{first_event: 20s}"))
        .model("quick-too", "{targets: [slow/m], timeouts: {first_event: 300ms}}")
        .model("quick-thrice", "{targets: [{model: slow/m, timeouts: {first_event: 300ms}}]}")
        .section(
            "routes",
            "[{path: /quick, route_type: llm/v1/chat, timeouts: {first_event: 300ms}}, \
              {path: \"/q/{provider}/{rest}\", route_type: passthrough, timeouts: {first_event: 300ms, between_events: 300ms}}]",
        )
        .timeout("first_event", "20s");
    let gateway = Gateway::start(config).await;
    for model in ["quick/m", "quick-too", "quick-thrice"] {
        let start = Instant::now();
        gateway.ask(&Face::OpenAi.ask(model, "hello", false)).await.expect_status(504);
        assert!(start.elapsed() < SLACK, "{model}: the nearer timeout is 300 ms, it took {:?}", start.elapsed());
    }
    let mut by_route = Face::OpenAi.ask("slow/m", "hello", false);
    by_route.target = "/quick".to_owned();
    for ask in [by_route, Ask::get("/q/slow/v1/files")] {
        let start = Instant::now();
        gateway.ask(&ask).await.expect_status(504);
        assert!(start.elapsed() < SLACK, "{}: the route's is 300 ms, it took {:?}", ask.target, start.elapsed());
    }
}

#[tokio::test]
async fn total_of_a_provider_bounds_its_attempts() {
    let upstream = Upstream::start(|_| Script::default().silence()).await;
    let lively = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let slow = format!("{{dialect: openai, base_url: \"{}\", api_key: k, timeouts: {{total: 500ms}}}}", upstream.url());
    let config = Config::new()
        .provider_text("slow", &slow)
        .provider("lively", Face::OpenAi, &lively.url())
        .model("pool", "{targets: [slow/m, lively/m]}")
        .model("nearer", "{targets: [{model: slow/m, timeouts: {total: 1500ms}}]}")
        .timeout("first_event", "20s");
    let gateway = Gateway::start(config).await;
    let start = Instant::now();
    let answer = gateway.ask(&Face::OpenAi.ask("slow/m", "hello", false)).await.expect_status(504);
    assert!(answer.text().contains("timeouts.total"), "the message must name the setting: {}", answer.text());
    assert!(start.elapsed() < SLACK, "the total is 500 ms, it took {:?}", start.elapsed());
    let answer = gateway.ask(&Face::OpenAi.ask("pool", "hello", false)).await.expect_status(200);
    assert_eq!(answer.get("x-lockgate-attempts"), Some("2"), "the next target must be tried");
    let start = Instant::now();
    gateway.ask(&Face::OpenAi.ask("nearer", "hello", false)).await.expect_status(504);
    assert!(start.elapsed() >= Duration::from_millis(1400), "the target's own total is nearer: {:?}", start.elapsed());
}

#[tokio::test]
async fn total_of_a_provider_ends_a_lively_stream() {
    let face = Face::OpenAi;
    let upstream = Upstream::start(move |_| {
        (0..100).fold(Script::sse(), |script, _| script.chunk(face.word("x")).pause(Duration::from_millis(100)))
    })
    .await;
    let yaml = format!("{{dialect: openai, base_url: \"{}\", api_key: k, timeouts: {{total: 600ms}}}}", upstream.url());
    let gateway = Gateway::start(Config::new().provider_text("up", &yaml)).await;
    for ask in [face.ask("up/m", "hello", true), Face::Anthropic.ask("up/m", "hello", true)] {
        let start = Instant::now();
        let answer = gateway.ask(&ask).await.expect_status(200);
        assert!(
            answer.text().contains("total_timeout") || answer.text().contains("timeouts.total"),
            "{}",
            answer.text()
        );
        assert!(start.elapsed() < SLACK, "the total is 600 ms, it took {:?}", start.elapsed());
    }
}

#[tokio::test]
async fn total_of_a_model_bounds_all_its_attempts() {
    let upstream = Upstream::start(|_| Script::default().silence()).await;
    let config = Config::to(&upstream).model(
        "pool",
        "{targets: [up-openai/a, up-openai/b, up-openai/c], timeouts: {total: 900ms, first_event: 400ms}}",
    );
    let gateway = Gateway::start(config).await;
    let start = Instant::now();
    gateway.ask(&Face::OpenAi.ask("pool", "hello", false)).await.expect_status(504);
    let took = start.elapsed();
    assert!((Duration::from_millis(850)..Duration::from_millis(1150)).contains(&took), "the total is 900 ms: {took:?}");
    assert_eq!(upstream.seen().len(), 3, "each attempt has what is left");
}

#[tokio::test]
async fn upload_that_drips_through_is_cut_off_by_the_total() {
    let upstream = Upstream::rude(|_| Script::default().silence()).await;
    let config = Config::to(&upstream).timeout("total", "1s").timeout("first_event", "20s");
    let gateway = Gateway::start(config).await;
    let mut client = Client::open(gateway.port).await;
    client.send(&Ask::new("POST", "/p/up-openai/v1/files").head_bytes(1 << 20)).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(8) && client.try_send(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(start.elapsed() < SLACK, "the total is 1 s, it took {:?}", start.elapsed());
    let rest = client.wire.rest().await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "the answer, if it comes through, is 408: {rest:?}");
    crate::support::until("the line of a 408", || gateway.access_lines().iter().any(|line| line["status"] == 408))
        .await;
    gateway.still_serves().await;
}

#[tokio::test]
async fn client_that_stops_reading_is_given_up() {
    let frame = Face::OpenAi.word(&"x".repeat(16 * 1024));
    for ask in [
        Face::OpenAi.ask("up-openai/m", "hello", true),
        Face::Anthropic.ask("up-openai/m", "hello", true),
        Ask::get("/p/up-openai/v1/stream"),
    ] {
        let frame = frame.clone();
        let upstream = Upstream::start(move |_| Script::sse().flood(frame.as_bytes(), 12_800)).await;
        let gateway = Gateway::start(Config::to(&upstream).timeout("write", "1s")).await;
        let mut client = Client::open(gateway.port).await;
        client.begin(&ask).await;
        let gone = tokio::time::timeout(Duration::from_secs(8), upstream.hung_up()).await;
        assert!(gone.is_ok(), "{}: a client that takes nothing for 1 s must be given up", ask.target);
        gateway.still_serves().await;
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_not_served() {
    let gateway = Gateway::start(Config::new().section("limits", "{connections: 2}")).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = Client::open(gateway.port).await;
        client.ask(&Ask::get("/health")).await.expect_status(200);
        kept.push(client);
    }
    let third = Client::provoke(gateway.port, &Ask::get("/health").bytes(), Duration::from_secs(1)).await;
    assert!(!third.statuses().contains(&200), "the third of two connections must not be served");
}
