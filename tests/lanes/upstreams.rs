//! Upstreams that break HTTP, and connections to them that are used again.

use crate::support::{Answer, Ask, Client, Config, Face, Gateway, Script, Upstream};

/// Asks once by each lane: same dialect, other dialect, not understood.
async fn ask_by_each_lane(gateway: &Gateway) -> Vec<Answer> {
    let asks = [
        Face::OpenAi.ask("up-openai/m", "hello", false),
        Face::Anthropic.ask("up-openai/m", "hello", false),
        Ask::get("/p/up-openai/v1/x"),
    ];
    let mut answers = Vec::new();
    for ask in asks {
        answers.push(gateway.ask(&ask).await);
    }
    answers
}

#[tokio::test]
async fn kept_connection_is_used_again() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for ask in [Face::OpenAi.ask("up-openai/m", "hello", false), Ask::get("/p/up-openai/v1/x")] {
        let before = upstream.seen().last().map_or(0, |seen| seen.connection);
        for _ in 0..10 {
            gateway.ask(&ask).await.expect_status(200);
        }
        let opened = upstream.seen().last().map_or(0, |seen| seen.connection) - before;
        assert!(opened <= 2, "{}: ten requests in turn need no ten connections, they opened {opened}", ask.target);
    }
}

#[tokio::test]
async fn bytes_after_an_answer_are_nobodys_answer() {
    // An upstream that says more than it announced: the rest must not be taken for the answer to the next request.
    let upstream = Upstream::start(|seen| {
        let body = Face::OpenAi.whole("fine");
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let stray = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
        if seen.head.get("x-plain").is_some() {
            Script::json(200, &body)
        } else {
            Script::default().raw(head + &body + stray)
        }
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for _ in 0..5 {
        for answer in ask_by_each_lane(&gateway).await {
            assert!(!answer.text().contains("stray"), "a stray answer must reach nobody: {answer:?}");
        }
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn half_read_answer_is_not_mixed_into_the_next() {
    let upstream = Upstream::start(|seen| {
        if seen.head.target().ends_with("/long") {
            return Script::sse().chunk("data: first\n\n").flood(b"data: more of the old stream\n\n", 200_000).end();
        }
        Face::OpenAi.script("fine", false)
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for _ in 0..5 {
        let mut client = Client::open(gateway.port).await;
        let (_, mut framing) = client.begin(&Ask::get("/p/up-openai/v1/long")).await;
        client.read_until(&mut framing, "first").await;
        drop(client);
        for answer in ask_by_each_lane(&gateway).await {
            assert!(answer.text().contains("fine"), "each request must get its own answer: {answer:?}");
        }
    }
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let upstream = Upstream::start(|_| {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        let Script(steps) = Face::OpenAi.script("fine", false);
        let mut script = Script::default().raw(interim);
        script.0.extend(steps);
        script
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for answer in ask_by_each_lane(&gateway).await {
        assert_eq!(answer.status(), 200, "the final answer must be relayed: {answer:?}");
        assert!(answer.text().contains("fine"), "the final answer must be relayed: {answer:?}");
    }
}

#[tokio::test]
async fn broken_answers_are_proper_errors() {
    let broken: [(&str, &[u8]); 9] = [
        ("nothing", b""),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le"),
        ("an odd status", b"HTTP/1.1 99999 Odd\r\ncontent-length: 0\r\n\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nhello"),
        ("a bad length", b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello"),
        ("a bad chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n"),
        ("an unasked upgrade", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        ("a short body", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"),
    ];
    for (name, bytes) in broken {
        let upstream = Upstream::start(move |_| Script::default().raw(bytes).close()).await;
        let gateway = Gateway::start(Config::to(&upstream)).await;
        for face in Face::ALL.iter().copied() {
            let answer = gateway.ask(&face.ask("up-openai/m", "hello", false)).await;
            assert_eq!(answer.status(), 502, "{name}: a broken answer is the upstream's failure: {answer:?}");
            face.error(&answer.json());
        }
        let mut client = Client::open(gateway.port).await;
        client.send(&Ask::get("/p/up-openai/v1/x").bytes()).await;
        let passed = crate::support::soon("the end of the exchange", client.wire.head()).await;
        if let Ok(Some(head)) = passed {
            assert!(matches!(head.status(), 502 | 200), "{name}: a passed answer is broken or cut: {}", head.start);
        }
        gateway.still_serves().await;
    }
}

#[tokio::test]
async fn endless_head_of_an_upstream_is_cut_off() {
    let upstream = Upstream::start(|_| Script::default().raw("HTTP/1.1 200 OK\r\n").flood(b"x-more: y", 500_000)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for answer in ask_by_each_lane(&gateway).await {
        assert!(matches!(answer.status(), 502 | 504), "a head without end is the upstream's failure: {answer:?}");
    }
    gateway.still_serves().await;
}
