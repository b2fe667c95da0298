//! A client that hangs up cancels the upstream call at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream, wire::Framing};

/// How soon the upstream must know.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Reads up to the first word, hangs up, and says how long the upstream's connection lived on.
async fn hang_up(gateway: &Gateway, upstream: &Upstream, ask: &Ask, word: &str) -> Duration {
    let mut client = Client::open(gateway.port).await;
    let (head, mut framing) = client.begin(ask).await;
    assert_eq!(head.status(), 200, "the stream must begin");
    client.read_until(&mut framing, word).await;
    drop(client);
    let start = Instant::now();
    upstream.hung_up().await.saturating_duration_since(start)
}

#[tokio::test]
async fn hang_up_in_a_stream_cancels_the_upstream_call() {
    for (from, to) in Face::pairs() {
        let upstream = Upstream::start(move |_| {
            to.opening().into_iter().fold(Script::sse(), Script::chunk).chunk(to.word("first")).silence()
        })
        .await;
        let gateway = Gateway::start(Config::to(&upstream).timeout("between_events", "20s")).await;
        let ask = from.ask(&format!("{}/m", to.provider()), "hello", true);
        let took = hang_up(&gateway, &upstream, &ask, "first").await;
        assert!(took < AT_ONCE, "{from:?} of {to:?}: the upstream call must end at once, it took {took:?}");
    }
}

#[tokio::test]
async fn hang_up_in_a_passthrough_cancels_the_upstream_call() {
    let upstream = Upstream::start(|_| Script::sse().chunk("data: first\n\n").silence()).await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("between_events", "20s")).await;
    let took = hang_up(&gateway, &upstream, &Ask::get("/p/up-openai/v1/stream"), "first").await;
    assert!(took < AT_ONCE, "the upstream call must end at once, it took {took:?}");
}

#[tokio::test]
async fn hang_up_before_the_first_event_cancels_the_upstream_call() {
    let asks = [
        Face::OpenAi.ask("up-openai/m", "hello", true),
        Face::OpenAi.ask("up-openai/m", "hello", false),
        Face::Gemini.ask("up-openai/m", "hello", true),
        Ask::get("/p/up-openai/v1/slow"),
    ];
    for ask in asks {
        let upstream = Upstream::start(|_| Script::default().silence()).await;
        let config = Config::to(&upstream).timeout("first_event", "20s").timeout("between_events", "20s");
        let gateway = Gateway::start(config).await;
        let mut client = Client::open(gateway.port).await;
        client.send(&ask.bytes()).await;
        upstream.saw(1).await;
        drop(client);
        let start = Instant::now();
        let took = upstream.hung_up().await.saturating_duration_since(start);
        assert!(took < AT_ONCE, "{}: the upstream call must end at once, it took {took:?}", ask.target);
        assert_eq!(upstream.seen().len(), 1, "nobody may try again for a client that has gone");
        gateway.still_serves().await;
    }
}

#[tokio::test]
async fn hang_up_in_an_upload_reaches_the_upstream() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Client::open(gateway.port).await;
    client.send(&Ask::new("POST", "/p/up-openai/v1/files").head_bytes(1 << 20)).await;
    client.send(&[b'x'; 1000]).await;
    crate::support::until("the first piece", || upstream.received() >= 1000).await;
    drop(client);
    gateway.still_serves().await;
    tokio::time::sleep(AT_ONCE).await;
    assert!(upstream.seen().is_empty(), "half an upload must not look like a whole one");
}

#[tokio::test]
async fn client_that_only_closes_its_writing_side_still_gets_its_answer() {
    use tokio::io::AsyncWriteExt as _;
    let upstream = Upstream::start(|_| {
        Script::default().pause(Duration::from_millis(300)).raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Client::open(gateway.port).await;
    client.send(&Ask::get("/p/up-openai/v1/x").bytes()).await;
    client.wire.stream.shutdown().await.expect("a client may close its writing side");
    // A half-closed client cannot be told from one that has gone: either a whole answer, or none.
    if let Ok(Some(head)) = crate::support::soon("the end of the exchange", client.wire.head()).await {
        let body = client.body(head.framing(Framing::Close)).await;
        assert!(head.status() != 200 || body.as_ref() == b"{}", "an answer that comes must be whole");
    }
    gateway.still_serves().await;
}
