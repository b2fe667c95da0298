//! Signals: a gateway that ends lets streams finish, one that reloads drops nothing.

use std::time::Duration;

use rustix::process::Signal;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream, soon, until, wire::Framing};

/// A stream in flight: the client has its first word.
async fn in_flight(gateway: &Gateway) -> (Client, Framing) {
    let mut client = Client::open(gateway.port).await;
    let (head, mut framing) = client.begin(&Face::OpenAi.ask("up-openai/m", "hello", true)).await;
    assert_eq!(head.status(), 200, "the stream must begin");
    client.read_until(&mut framing, "first").await;
    (client, framing)
}

#[tokio::test]
async fn termination_lets_a_stream_finish_and_takes_no_more() {
    for signal in [Signal::TERM, Signal::INT] {
        let (live, script) = Script::live();
        live.send(&Face::OpenAi.word("first"));
        let upstream = Upstream::playing(vec![script]).await;
        let mut gateway = Gateway::start(Config::to(&upstream)).await;
        let (mut client, mut framing) = in_flight(&gateway).await;
        gateway.signal(signal);
        soon("the end of listening", async {
            while TcpStream::connect(("127.0.0.1", gateway.port)).await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        live.send(&Face::OpenAi.word("second"));
        client.read_until(&mut framing, "second").await;
        for frame in Face::OpenAi.closing() {
            live.send(&frame);
        }
        drop(live);
        let rest = client.body(framing).await;
        assert!(rest.ends_with(b"data: [DONE]\n\n"), "{signal:?}: the stream in flight must end properly: {rest:?}");
        let start = Instant::now();
        assert!(gateway.ended().await.success(), "{signal:?}: a drained gateway must end well");
        assert!(start.elapsed() < Duration::from_secs(3), "{signal:?}: nothing is left to wait for");
    }
}

#[tokio::test]
async fn idle_gateway_ends_at_once() {
    let mut gateway = Gateway::start(Config::new()).await;
    let mut kept = Client::open(gateway.port).await;
    kept.ask(&Ask::get("/health")).await.expect_status(200);
    let start = Instant::now();
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success(), "an idle gateway must end well");
    assert!(start.elapsed() < Duration::from_secs(3), "a kept connection without a request must hold nothing up");
}

#[tokio::test]
async fn grace_has_an_end() {
    let upstream = Upstream::start(|_| Script::sse().chunk(Face::OpenAi.word("first")).silence()).await;
    let config = Config::to(&upstream).timeout("between_events", "60s").timeout("drain", "1s");
    let mut gateway = Gateway::start(config).await;
    let (mut client, _) = in_flight(&gateway).await;
    let start = Instant::now();
    gateway.signal(Signal::TERM);
    gateway.ended().await;
    let took = start.elapsed();
    assert!(took > Duration::from_millis(700), "the stream must get its grace, it got {took:?}");
    assert!(took < Duration::from_secs(5), "a stream that never ends must not hold the process, {took:?}");
    client.wire.rest().await;
}

#[tokio::test]
async fn readiness_and_answers_say_that_the_gateway_is_ending() {
    let (live, script) = Script::live();
    live.send(&Face::OpenAi.word("first"));
    let upstream = Upstream::playing(vec![script]).await;
    let mut gateway = Gateway::start(Config::to(&upstream)).await;
    let mut kept = Client::open(gateway.port).await;
    kept.ask(&Ask::get("/health")).await.expect_status(200);
    let (mut client, framing) = in_flight(&gateway).await;
    gateway.signal(Signal::TERM);
    sleep(Duration::from_millis(300)).await;
    // A kept connection was either closed, or answers and says that it is the last time.
    if kept.try_send(&Ask::get("/health").bytes()).await.is_ok()
        && let Ok(Some(head)) = soon("the end of a kept connection", kept.wire.head()).await
    {
        assert_eq!(head.get("connection"), Some("close"), "an answer while draining must end its connection");
    }
    drop(live);
    client.body(framing).await;
    gateway.ended().await;
}

#[tokio::test]
async fn reload_is_live_for_new_requests() {
    let gateway = Gateway::start(Config::new().model("name", "sim/echo")).await;
    gateway.ask(&Face::OpenAi.ask("other", "hello", false)).await.expect_status(404);
    gateway.reload(&Config::new().model("other", "sim/echo"));
    let ask = Face::OpenAi.ask("other", "hello", false);
    soon("the new configuration", async {
        while gateway.ask(&ask).await.status() != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    gateway.ask(&Face::OpenAi.ask("name", "hello", false)).await.expect_status(404);
}

#[tokio::test]
async fn reload_changes_keys_and_limits_on_kept_connections() {
    let gateway = Gateway::start(Config::new().key("sk-gateway-old")).await;
    let ask = Face::OpenAi.ask("sim/echo", "hello", false);
    let mut kept = Client::open(gateway.port).await;
    kept.ask(&ask.clone().bearer("sk-gateway-old")).await.expect_status(200);
    gateway.reload(&Config::new().key("sk-gateway-new"));
    soon("the new key", async {
        while gateway.ask(&ask.clone().bearer("sk-gateway-new")).await.status() != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    kept.ask(&ask.bearer("sk-gateway-old")).await.expect_status(401);
}

#[tokio::test]
async fn bad_file_is_refused_with_its_reasons() {
    let gateway = Gateway::start(Config::new().model("name", "sim/echo")).await;
    for (yaml, reasons) in [
        ("listen: 127.0.0.1:1\nmodells: {}\n", &["modells", "models"][..]),
        ("providers: {x: {dialect: klingon, base_url: \"http://a\"}}\nopen: true\n", &["klingon"]),
        ("models: [\n", &["lockgate.yaml"]),
    ] {
        gateway.reload_text(yaml);
        let told = || reasons.iter().all(|reason| gateway.log().contains(reason));
        until("the reasons in the log", told).await;
        gateway.ask(&Face::OpenAi.ask("name", "hello", false)).await.expect_status(200);
    }
    gateway.still_serves().await;
}

#[tokio::test]
async fn stream_in_flight_survives_a_reload() {
    let (live, script) = Script::live();
    live.send(&Face::OpenAi.word("first"));
    let upstream = Upstream::playing(vec![script]).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let (mut client, mut framing) = in_flight(&gateway).await;
    gateway.reload(&Config::new());
    let ask = Face::OpenAi.ask("up-openai/m", "hello", false);
    soon("the new configuration", async {
        while gateway.ask(&ask).await.status() != 404 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    live.send(&Face::OpenAi.word("second"));
    client.read_until(&mut framing, "second").await;
    for frame in Face::OpenAi.closing() {
        live.send(&frame);
    }
    drop(live);
    let rest = client.body(framing).await;
    assert!(rest.ends_with(b"data: [DONE]\n\n"), "the stream must end as it was begun: {rest:?}");
}

#[tokio::test]
async fn reloads_under_load_fail_no_request() {
    let gateway = Gateway::start(Config::new().model("name", "sim/echo")).await;
    let ask = Face::Anthropic.ask("name", "hello there", true);
    let load = async {
        for _ in 0..60 {
            let answer = gateway.ask(&ask).await.expect_status(200);
            assert!(Face::Anthropic.is_complete(answer.text()), "every stream must end properly");
        }
    };
    let reloads = async {
        loop {
            gateway.reload(&Config::new().model("name", "sim/echo"));
            sleep(Duration::from_millis(15)).await;
        }
    };
    tokio::select! { () = load => (), () = reloads => () }
    gateway.still_serves().await;
}
