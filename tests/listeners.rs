//! Listeners: HTTP/2 in cleartext and over TLS, certificates that change, several addresses.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::support::{
    Ask, Client, Config, Face, Gateway, Script, Upstream,
    gateway::{free_port, scratch},
    http2::Http2,
    tls::{Certificate, protocol},
    wire::{Framing, Wire},
};

const TLS: &str = "{address: \"127.0.0.1:{PORT}\", tls: {cert: \"{DIR}/cert.pem\", key: \"{DIR}/key.pem\"}}";

/// A gateway that speaks TLS, and its certificate.
async fn sealed(config: Config) -> (Gateway, Certificate) {
    let dir = scratch();
    let certificate = Certificate::write(&dir);
    (Gateway::start_in(dir, config.section("listeners", &format!("[{TLS}]"))).await, certificate)
}

/// Streams whose words the test feeds, asked for by one request of each dialect over one connection.
async fn stream_each_dialect(gateway: &Gateway, mut client: Http2) {
    for face in Face::ALL.iter().copied() {
        let answer = client.ask(&face.ask("sim/echo", "one two three", false)).await.expect_status(200);
        assert_eq!(face.text(&answer.json()), "one two three", "{face:?}: a whole answer must come");
        let answer = client.ask(&face.ask("sim/echo", "one two three", true)).await.expect_status(200);
        assert_eq!(face.streamed_text(answer.text()), "one two three", "{face:?}: a streamed answer must come");
        assert!(face.is_complete(answer.text()), "{face:?}: a stream must end properly");
        assert_eq!(answer.get("transfer-encoding"), None, "{face:?}: HTTP/2 knows no transfer coding");
        assert_eq!(answer.get("connection"), None, "{face:?}: HTTP/2 knows no connection headers");
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn cleartext_http2_serves_by_prior_knowledge() {
    let gateway = Gateway::start(Config::new()).await;
    stream_each_dialect(&gateway, Http2::open(gateway.port).await).await;
}

#[tokio::test]
async fn tls_serves_http2_by_agreement() {
    let (gateway, certificate) = sealed(Config::new()).await;
    let stream = certificate.connect(gateway.port, &["h2", "http/1.1"]).await.expect("the certificate must be served");
    assert_eq!(protocol(&stream).as_deref(), Some("h2"), "HTTP/2 must be agreed on");
    let mut client = Http2::over(stream).await;
    client.ask(&Ask::get("/health")).await.expect_status(200);
    let answer = client.ask(&Face::OpenAi.ask("sim/echo", "one two", true)).await.expect_status(200);
    assert_eq!(Face::OpenAi.streamed_text(answer.text()), "one two", "a stream must pass over TLS and HTTP/2");
}

#[tokio::test]
async fn tls_serves_http1_by_agreement_and_without() {
    let (gateway, certificate) = sealed(Config::new()).await;
    for protocols in [&["http/1.1"][..], &[]] {
        let stream = certificate.connect(gateway.port, protocols).await.expect("the certificate must be served");
        assert_ne!(protocol(&stream).as_deref(), Some("h2"), "HTTP/2 must not be forced on anyone");
        let mut client = Client { wire: Wire::new(stream) };
        client.ask(&Ask::get("/health")).await.expect_status(200);
        let answer = client.ask(&Face::Anthropic.ask("sim/echo", "one two", true)).await.expect_status(200);
        assert_eq!(Face::Anthropic.streamed_text(answer.text()), "one two", "a stream must pass over TLS");
    }
}

#[tokio::test]
async fn cleartext_on_a_tls_listener_does_no_harm() {
    let (gateway, certificate) = sealed(Config::new()).await;
    let outcome =
        Client::provoke(gateway.port, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n", Duration::from_secs(8)).await;
    assert!(outcome.closed, "a connection that is not TLS must be closed");
    certificate.connect(gateway.port, &["h2"]).await.expect("the listener must still serve");
}

#[tokio::test]
async fn chunks_over_http2_leave_in_their_turn() {
    let (live, script) = Script::live();
    let upstream = Upstream::playing(vec![script]).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Http2::open(gateway.port).await;
    let ask = Face::Anthropic.ask("up-openai/m", "hello", true);
    live.send(&Face::OpenAi.word("alpha"));
    let (head, mut incoming) = client.begin(&ask).await.expect("the stream must begin");
    assert_eq!(head.status(), 200, "the stream must begin with success");
    incoming.read_until("alpha").await;
    for word in ["beta", "gamma"] {
        live.send(&Face::OpenAi.word(word));
        incoming.read_until(word).await;
    }
}

#[tokio::test]
async fn streams_of_one_connection_do_not_wait_for_each_other() {
    let gateway = Gateway::start(Config::new()).await;
    let mut client = Http2::open(gateway.port).await;
    let slow = Face::OpenAi.ask("sim/echo+first=3000", "slow", true);
    let sender = client.begin(&slow);
    let quick = async {
        let mut other = Http2::open(gateway.port).await;
        other.ask(&Face::OpenAi.ask("sim/echo", "quick", false)).await.expect_status(200)
    };
    let answered = timeout(Duration::from_secs(2), async {
        tokio::select! { _ = sender => None, a = quick => Some(a) }
    });
    assert!(answered.await.is_ok_and(|a| a.is_some()), "a slow stream must hold nobody up");
    let (head, mut body) =
        client.begin(&Face::OpenAi.ask("sim/chunks=50+pace=40", "x", true)).await.expect("it begins");
    assert_eq!(head.status(), 200, "the paced stream must begin");
    let start = Instant::now();
    client.ask(&Ask::get("/health")).await.expect_status(200);
    assert!(start.elapsed() < Duration::from_secs(1), "a second stream of the connection must be served at once");
    while body.piece().await.is_some() {}
}

#[tokio::test]
async fn stream_that_is_reset_cancels_the_upstream_call() {
    let face = Face::OpenAi;
    let upstream = Upstream::start(move |_| Script::sse().chunk(face.word("first")).silence()).await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("between_events", "20s")).await;
    for model in ["up-openai/m", "up-openai/m"] {
        let mut client = Http2::open(gateway.port).await;
        let (_, mut incoming) = client.begin(&Face::Anthropic.ask(model, "hello", true)).await.expect("it begins");
        incoming.read_until("first").await;
        let start = Instant::now();
        drop(incoming);
        let took = upstream.hung_up().await.saturating_duration_since(start);
        assert!(took < Duration::from_secs(1), "the upstream call must end at once, it took {took:?}");
        client.ask(&Ask::get("/health")).await.expect_status(200);
    }
}

#[tokio::test]
async fn hardening_holds_for_http2() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Http2::open(gateway.port).await;
    for path in ["/p/up-openai/v1/%2e%2e/x", "/v1/models/sim%2F..%2Fx"] {
        client.ask(&Ask::get(path)).await.expect_status(400);
    }
    client.ask(&Ask::get("/p/up-openai/v1/files/a%2Fb?x=%2F")).await.expect_status(200);
    assert_eq!(upstream.only().head.target(), "/v1/files/a%2Fb?x=%2F", "the target must arrive as it was written");
    let long = Ask::get("/health").header("x-long", &"x".repeat(20_000));
    if let Ok((head, _)) = client.begin(&long).await {
        assert!(matches!(head.status(), 431 | 400), "a head beyond the limit must be refused, came {}", head.status());
    }
    let mut client = Http2::open(gateway.port).await;
    let large = Ask::new("POST", "/v1/chat/completions").body(vec![b' '; 2 << 20]);
    if let Ok((head, _)) = client.begin(&large).await {
        assert_eq!(head.status(), 413, "a body beyond the limit must be refused");
    }
    gateway.still_serves().await;
    assert_eq!(upstream.seen().len(), 1, "no refused request may reach the upstream");
}

#[tokio::test]
async fn large_bodies_pass_over_http2() {
    let upstream = Upstream::start(|seen| Script::whole(200, "application/octet-stream", &seen.body)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(3 << 20).collect();
    let mut client = Http2::open(gateway.port).await;
    let answer = client.ask(&Ask::new("POST", "/p/up-openai/v1/files").body(bytes.clone())).await.expect_status(200);
    assert!(upstream.only().body == bytes, "the upload must pass untouched");
    assert!(answer.body == bytes, "the answer must pass untouched");
}

#[tokio::test]
async fn listener_without_http2_speaks_http1_alone() {
    let listeners = format!("[{}]", TLS.replace("tls:", "http2: false, tls:"));
    let dir = scratch();
    let certificate = Certificate::write(&dir);
    let gateway = Gateway::start_in(dir, Config::new().section("listeners", &listeners)).await;
    if let Ok(stream) = certificate.connect(gateway.port, &["h2", "http/1.1"]).await {
        assert_ne!(protocol(&stream).as_deref(), Some("h2"), "HTTP/2 is switched off");
    }
    assert!(certificate.connect(gateway.port, &["h2"]).await.map_or(true, |s| protocol(&s).as_deref() != Some("h2")));
}

#[tokio::test]
async fn replaced_certificate_is_served_after_a_reload() {
    let (gateway, old) = sealed(Config::new()).await;
    let kept = old.connect(gateway.port, &["http/1.1"]).await.expect("the first certificate must be served");
    let new = Certificate::write(gateway.file("cert.pem").parent().expect("a file stands in a folder"));
    old.connect(gateway.port, &["http/1.1"]).await.expect("a new file alone changes nothing");
    gateway.signal(rustix::process::Signal::HUP);
    crate::support::soon("the new certificate", async {
        while new.connect(gateway.port, &["http/1.1"]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(old.connect(gateway.port, &["http/1.1"]).await.is_err(), "the old certificate must be gone");
    let mut client = Client { wire: Wire::new(kept) };
    client.ask(&Ask::get("/health")).await.expect_status(200);
}

#[tokio::test]
async fn unusable_certificate_keeps_the_old_one() {
    let (gateway, certificate) = sealed(Config::new()).await;
    std::fs::write(gateway.file("cert.pem"), "not a certificate").expect("a test can write its folder");
    gateway.signal(rustix::process::Signal::HUP);
    crate::support::until("the refusal in the log", || gateway.log().contains("cert.pem")).await;
    certificate.connect(gateway.port, &["h2"]).await.expect("the old certificate must go on");
}

#[tokio::test]
async fn every_listener_serves() {
    let other = free_port();
    let listeners = format!(
        "[{{address: \"127.0.0.1:{{PORT}}\"}}, {{address: \"127.0.0.1:{other}\"}}, {}]",
        TLS.replace("{PORT}", &free_port().to_string())
    );
    let dir = scratch();
    Certificate::write(&dir);
    let gateway = Gateway::start_in(dir, Config::new().section("listeners", &listeners)).await;
    for port in [gateway.port, other] {
        // Each listener begins by itself; the gateway is waited for on one of them.
        crate::support::soon("the listener", async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        let mut client = Client::open(port).await;
        let (head, framing) = client.begin(&Face::OpenAi.ask("sim/echo", "hello", false)).await;
        assert_eq!(head.status(), 200, "the listener at {port} must serve");
        assert_ne!(framing, Framing::Close, "an answer must have a framing");
    }
}
