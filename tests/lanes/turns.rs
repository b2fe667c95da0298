//! A chunk leaves in the turn in which it came: the upstream here waits for the client after each one.

use crate::support::{
    Ask, Client, Config, Face, Gateway, Script, Upstream, client::contains, script::Live, wire::Framing,
};

/// Streams that the test feeds, in the order in which they are asked for.
async fn live(count: usize) -> (Vec<Live>, Upstream) {
    let (lives, scripts): (Vec<_>, Vec<_>) = (0..count).map(|_| Script::live()).unzip();
    (lives, Upstream::playing(scripts).await)
}

/// Feeds a stream word by word, each only after the client has the one before.
async fn feed(client: &mut Client, ask: &Ask, upstream: Face, live: Live) -> String {
    client.send(&ask.bytes()).await;
    for frame in upstream.opening() {
        live.send(&frame);
    }
    let mut framing = None::<Framing>;
    let mut come = Vec::new();
    for word in ["alpha ", "beta ", "gamma ", "delta"] {
        live.send(&upstream.word(word));
        if framing.is_none() {
            let head = client.head().await;
            assert_eq!(head.status(), 200, "a stream must begin with success");
            framing = Some(head.framing(Framing::Close));
        }
        let framing = framing.as_mut().expect("the head has been read");
        while !contains(&come, word.trim()) {
            let piece = client.piece(framing).await.expect("the word must come before the end");
            come.extend_from_slice(&piece);
        }
    }
    for frame in upstream.closing() {
        live.send(&frame);
    }
    drop(live);
    let rest = client.body(framing.expect("the head has been read")).await;
    come.extend_from_slice(&rest);
    String::from_utf8(come).expect("a stream must be text")
}

#[tokio::test]
async fn every_chunk_of_every_pair_leaves_in_its_turn() {
    let (lives, upstream) = live(9).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for ((from, to), live) in Face::pairs().zip(lives) {
        let ask = from.ask(&format!("{}/m", to.provider()), "hello", true);
        let mut client = Client::open(gateway.port).await;
        let sse = feed(&mut client, &ask, to, live).await;
        assert_eq!(from.streamed_text(&sse), "alpha beta gamma delta", "{from:?} of {to:?} must tell it all: {sse}");
        assert!(from.is_complete(&sse), "{from:?} of {to:?} must end its stream properly: {sse}");
        client.ask(&Ask::get("/health")).await.expect_status(200);
    }
}

#[tokio::test]
async fn every_chunk_of_a_passthrough_leaves_in_its_turn() {
    let (lives, upstream) = live(2).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for (live, target) in lives.into_iter().zip(["/p/up-openai/v1/chat/completions", "/p/up-openai/v1/anything"]) {
        let ask = Ask::post_text(target, r#"{"model":"m","stream":true,"messages":[]}"#);
        let mut client = Client::open(gateway.port).await;
        let sse = feed(&mut client, &ask, Face::OpenAi, live).await;
        let sent = [Face::OpenAi.stream(&["alpha ", "beta ", "gamma ", "delta"]).concat()];
        assert_eq!(sse, sent.concat(), "{target}: the stream must pass untouched");
    }
}

#[tokio::test]
async fn head_of_a_passthrough_does_not_wait_for_its_body() {
    let (lives, upstream) = live(1).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Client::open(gateway.port).await;
    client.send(&Ask::get("/p/up-openai/v1/events").bytes()).await;
    assert_eq!(client.head().await.status(), 200, "the head must come while the body is still to be made");
    drop(lives);
}

#[tokio::test]
async fn pieces_of_an_upload_leave_as_they_come() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let ask = Ask::new("POST", "/p/up-openai/v1/files");
    let mut client = Client::open(gateway.port).await;
    client.send(&ask.head_bytes(3000)).await;
    for sent in 1..=3 {
        client.send(&[b'x'; 1000]).await;
        crate::support::until("the piece of the upload", || upstream.received() >= sent * 1000).await;
    }
    client.answer().await.expect_status(200);
}

#[tokio::test]
async fn first_word_is_not_held_for_the_next_event() {
    // The role chunk means nothing yet: the head waits for the first word, and for nothing after it.
    let (lives, upstream) = live(1).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let live = lives.into_iter().next().expect("one stream was made");
    let mut client = Client::open(gateway.port).await;
    client.send(&Face::OpenAi.ask("up-openai/m", "hello", true).bytes()).await;
    for frame in Face::OpenAi.opening() {
        live.send(&frame);
    }
    let held = tokio::time::timeout(std::time::Duration::from_millis(400), client.wire.head()).await;
    assert!(held.is_err(), "nothing may be committed before the first meaningful event: {held:?}");
    live.send(&Face::OpenAi.word("now"));
    assert_eq!(client.head().await.status(), 200, "the first word commits the answer");
}

#[tokio::test]
async fn answer_held_too_long_is_committed() {
    let (lives, upstream) = live(1).await;
    let config = Config::to(&upstream).timeout("commit", "500ms").timeout("first_event", "20s");
    let gateway = Gateway::start(config).await;
    let live = lives.into_iter().next().expect("one stream was made");
    let mut client = Client::open(gateway.port).await;
    client.send(&Face::OpenAi.ask("up-openai/m", "hello", true).bytes()).await;
    for frame in Face::OpenAi.opening() {
        live.send(&frame);
    }
    let head = client.head().await;
    assert_eq!(head.status(), 200, "after the commit deadline the head leaves without a meaningful event");
    let mut framing = head.framing(Framing::Close);
    live.send(&Face::OpenAi.word("late"));
    client.read_until(&mut framing, "late").await;
}
