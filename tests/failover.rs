//! When the first target fails: before the first event the next one answers, after it the client is told.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Answer, Config, Face, Gateway, Script, Upstream, gateway::free_port};

/// Ways to fail before the first meaningful event, by the name of the model that fails so.
const BEFORE: &[&str] = &[
    "refused",
    "500",
    "503",
    "429",
    "silent",
    "reset",
    "empty",
    "html",
    "garbage",
    "error200",
    "cut-head",
    "cut-opening",
    "error-event",
    "stall-opening",
    "short",
];

/// What the failing upstream does for a model of that name.
fn failing(model: &str, streamed: bool) -> Script {
    let face = Face::OpenAi;
    let opened = || face.opening().into_iter().fold(Script::sse(), Script::chunk);
    let error = face.failure(500, "the upstream is unwell");
    match model {
        "500" | "503" | "429" => {
            let status = model.parse().expect("the name is a status");
            Script::json(status, &face.failure(status, "the upstream is unwell"))
        }
        "silent" => Script::default().silence(),
        "reset" => Script::default().reset(),
        "empty" => Script::json(200, ""),
        "html" => Script::whole(200, "text/html", b"<html><body>Login</body></html>"),
        "garbage" if streamed => Script::events(&["data: {not json\n\n"]),
        "garbage" => Script::json(200, "{not json"),
        "error200" if !streamed => Script::json(200, &error),
        "cut-head" if streamed => Script::sse().close(),
        "cut-opening" if streamed => opened().close(),
        "error200" | "error-event" if streamed => opened().chunk(face.failure_frame("the upstream is unwell")).end(),
        "stall-opening" if streamed => opened().silence(),
        "short" if streamed => opened().end(),
        _ => Script::default().raw("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\":").close(),
    }
}

/// A model name in a request's body.
fn model_of(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).expect("a forwarded request must be JSON");
    body["model"].as_str().expect("a forwarded request must name its model").to_owned()
}

/// A gateway with a pool for each failure: the failing upstream first, then a good one.
async fn pools() -> (Gateway, Upstream, Upstream) {
    let bad = Upstream::start(|seen| {
        let streamed = crate::support::client::contains(&seen.body, "\"stream\":true");
        failing(&model_of(&seen.body), streamed)
    })
    .await;
    let good = Upstream::start(|seen| {
        let streamed = crate::support::client::contains(&seen.body, "\"stream\":true");
        Face::Anthropic.script("from the second", streamed)
    })
    .await;
    let dead = format!("http://127.0.0.1:{}", free_port());
    let mut config = Config::new()
        .provider("bad", Face::OpenAi, &bad.url())
        .provider("dead", Face::OpenAi, &dead)
        .provider("good", Face::Anthropic, &good.url())
        .timeout("first_event", "800ms")
        .timeout("between_events", "800ms");
    for name in BEFORE {
        let first = if *name == "refused" { "dead" } else { "bad" };
        config =
            config.model(&format!("pool-{name}"), &format!("{{balance: failover, targets: [{first}/{name}, good/b]}}"));
        config = config.model(
            &format!("only-{name}"),
            &format!("{{balance: failover, targets: [{first}/{name}, {first}/{name}]}}"),
        );
    }
    (Gateway::start(config).await, bad, good)
}

/// Why an answer is not the second target's own, in time.
fn objection(face: Face, name: &str, streamed: bool, answer: &Answer, asked: usize, took: Duration) -> Option<String> {
    if answer.status() != 200 {
        return Some(format!("came {}: {:?}", answer.status(), answer.body));
    }
    // Within a dialect the bytes of a whole answer pass; nobody parses them to see whether they are JSON.
    if name == "garbage" && !streamed && face == Face::OpenAi {
        return None;
    }
    let told = if streamed { face.streamed_text(answer.text()) } else { face.text(&answer.json()) };
    let headers = (answer.get("x-lockgate-attempts"), answer.get("x-lockgate-provider"));
    let right = told == "from the second" && headers == (Some("2"), Some("good")) && asked == 1;
    let slow = took > Duration::from_secs(4);
    (!right || slow).then(|| format!("{told:?}, {headers:?}, the second was asked {asked} times, it took {took:?}"))
}

#[tokio::test]
async fn pitfall_03_and_04_failure_before_the_first_event_goes_to_the_next_target() {
    let (gateway, _bad, good) = pools().await;
    let mut wrong = Vec::new();
    for face in Face::ALL.iter().copied() {
        for (streamed, name) in [true, false].into_iter().flat_map(|s| BEFORE.iter().map(move |name| (s, *name))) {
            let (start, before) = (Instant::now(), good.seen().len());
            let answer = gateway.ask(&face.ask(&format!("pool-{name}"), "hello", streamed)).await;
            let asked = good.seen().len() - before;
            if let Some(reason) = objection(face, name, streamed, &answer, asked, start.elapsed()) {
                wrong.push(format!("{face:?} after `{name}`, streamed: {streamed}: {reason}"));
            }
        }
    }
    assert!(wrong.is_empty(), "the second target must answer every time:\n{}", wrong.join("\n"));
    gateway.still_serves().await;
}

#[tokio::test]
async fn pitfall_03_failure_of_all_targets_is_told_in_the_clients_dialect() {
    let (gateway, _bad, _good) = pools().await;
    let mut wrong = Vec::new();
    for face in Face::ALL.iter().copied() {
        for name in BEFORE {
            let answer = gateway.ask(&face.ask(&format!("only-{name}"), "hello", true)).await;
            let allowed: &[u16] = match *name {
                "silent" | "stall-opening" => &[504],
                "429" => &[429, 502],
                "500" => &[500, 502],
                "503" => &[502, 503, 529],
                "error-event" | "error200" => &[500, 502],
                _ => &[502],
            };
            if !allowed.contains(&answer.status()) {
                wrong.push(format!("{face:?} after `{name}`: came {} {:?}", answer.status(), answer.body));
                continue;
            }
            let (_, message) = face.error(&answer.json());
            assert!(!message.is_empty(), "{face:?} after `{name}`: the error must say something");
            assert!(answer.get("x-request-id").is_some(), "{face:?} after `{name}`: errors carry the request id");
        }
    }
    assert!(wrong.is_empty(), "every failure must have its status:\n{}", wrong.join("\n"));
    gateway.still_serves().await;
}

#[tokio::test]
async fn pitfall_05_and_06_failure_after_the_first_event_ends_the_stream_with_an_error() {
    for (from, to) in Face::pairs() {
        for name in ["error event", "cut", "reset", "stall"] {
            let case = format!("{from:?} of {to:?}, {name}");
            let first = Upstream::start(move |_| {
                let begun = to.opening().into_iter().fold(Script::sse(), Script::chunk);
                let begun = begun.chunk(to.word("so far"));
                match name {
                    "error event" => begun.chunk(to.failure_frame("the upstream is unwell")).end(),
                    "cut" => begun.close(),
                    "reset" => begun.pause(Duration::from_millis(100)).reset(),
                    _ => begun.silence(),
                }
            })
            .await;
            let second = Upstream::start(move |_| to.script("from the second", true)).await;
            let config = Config::new()
                .provider("first", to, &first.url())
                .provider("second", to, &second.url())
                .model("pool", "{balance: failover, targets: [first/a, second/b]}")
                .timeout("between_events", "500ms");
            let gateway = Gateway::start(config).await;
            let answer = gateway.ask(&from.ask("pool", "hello", true)).await.expect_status(200);
            let sse = answer.text();
            assert_eq!(from.streamed_text(sse), "so far", "{case}: what came must have been relayed: {sse}");
            let (_, message) = from.stream_error(sse).unwrap_or_else(|| panic!("{case}: an error must end it: {sse}"));
            assert!(!message.is_empty(), "{case}: the error must say something");
            assert!(second.seen().is_empty(), "{case}: nobody else may be asked after the first event");
            gateway.still_serves().await;
        }
    }
}

#[tokio::test]
async fn failure_that_another_target_cannot_mend_is_final() {
    for status in [400, 404, 413, 422] {
        let first =
            Upstream::start(move |_| Script::json(status, &Face::OpenAi.failure(status, "bad temperature"))).await;
        let second = Upstream::start(|_| Face::OpenAi.script("from the second", false)).await;
        let config = Config::new()
            .provider("first", Face::OpenAi, &first.url())
            .provider("second", Face::OpenAi, &second.url())
            .model("pool", "{balance: failover, targets: [first/a, second/b]}");
        let gateway = Gateway::start(config).await;
        for face in Face::ALL.iter().copied() {
            let answer = gateway.ask(&face.ask("pool", "hello", false)).await;
            assert_eq!(answer.status(), status, "the upstream's own verdict on the request must be relayed");
            let (_, message) = face.error(&answer.json());
            assert!(message.contains("bad temperature"), "the upstream's words must be relayed: {message}");
        }
        assert!(second.seen().is_empty(), "a request that is wrong is wrong for everyone");
    }
}

#[tokio::test]
async fn refusal_of_the_gateways_own_key_is_the_gateways_failure() {
    for (face, status) in Face::ALL.iter().flat_map(|face| [401, 402, 403].map(|status| (*face, status))) {
        let upstream = Upstream::start(move |_| Script::json(status, &face.failure(status, "bad key"))).await;
        let gateway = Gateway::start(Config::to(&upstream)).await;
        let answer = gateway.ask(&face.ask(&format!("{}/m", face.provider()), "hello", false)).await.expect_status(502);
        let body = answer.json();
        face.error(&body);
        if matches!(face, Face::OpenAi | Face::Responses) {
            assert_eq!(body["error"]["code"], "upstream_auth", "the code must say whose key was refused");
        }
    }
}

#[tokio::test]
async fn retry_after_of_an_upstream_is_forwarded() {
    let upstream = Upstream::start(|_| {
        let body = Face::OpenAi.failure(429, "slow down");
        Script::default().raw(format!(
            "HTTP/1.1 429 Slow\r\ncontent-type: application/json\r\nretry-after: 9\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for face in Face::ALL.iter().copied() {
        let answer = gateway.ask(&face.ask("up-openai/m", "hello", false)).await.expect_status(429);
        assert_eq!(answer.get("retry-after"), Some("9"), "{face:?}: the client must know when to come again");
    }
}

#[tokio::test]
async fn stale_pooled_connection_is_not_a_failure() {
    // The upstream closes a kept connection just when the next request comes: nothing was answered, nothing was done.
    let upstream = Upstream::start(|_| {
        let body = Face::OpenAi.whole("fine");
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        Script::default().raw(head + &body).close()
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for _ in 0..20 {
        gateway.ask(&Face::OpenAi.ask("up-openai/m", "hello", false)).await.expect_status(200);
    }
}
