//! What operators see: metrics, access lines, request ids; and what nobody may see there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{
    Ask, Client, Config, Face, Gateway, Script, Upstream, config::UPSTREAM_KEY, until, wire::Framing,
};

const KEY: &str = "sk-gateway-observed";

/// The values of a metric whose labels contain all of these.
fn samples(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let lines = metrics.lines().filter(|line| {
        let bare = line.split(['{', ' ']).next();
        bare == Some(name) && labels.iter().all(|label| line.contains(label))
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

async fn metrics(gateway: &Gateway) -> String {
    let answer = gateway.ask(&Ask::get("/metrics")).await.expect_status(200);
    assert!(answer.get("content-type").is_some_and(|own| own.starts_with("text/plain")), "metrics are Prometheus text");
    answer.text().to_owned()
}

#[tokio::test]
async fn metrics_have_their_names_and_form() {
    let gateway = Gateway::start(Config::new()).await;
    gateway.ask(&Face::OpenAi.ask("sim/echo", "one two three", true)).await.expect_status(200);
    gateway.ask(&Face::Anthropic.ask("sim-openai/error=500", "hello", false)).await;
    // An exchange is counted when its answer is gone, which is a moment after it has come.
    let text = crate::support::soon("the count of the failure", async {
        loop {
            let text = metrics(&gateway).await;
            if text.contains("lockgate_upstream_errors_total{") {
                return text;
            }
        }
    })
    .await;
    let names: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for name in &names {
        assert!(name.starts_with("lockgate_") || name.starts_with("process_"), "{name} must carry the prefix");
    }
    let expected = [
        "lockgate_requests_total",
        "lockgate_request_duration_seconds",
        "lockgate_time_to_first_token_seconds",
        "lockgate_time_per_output_token_seconds",
        "lockgate_tokens_total",
        "lockgate_upstream_errors_total",
        "lockgate_requests_in_flight",
    ];
    for name in expected {
        assert!(names.contains(name), "{name} must be there: {names:?}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} must be explained");
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some(), "a sample must be a number: {line}");
    }
}

#[tokio::test]
async fn metrics_count_requests_and_tokens() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for _ in 0..3 {
        gateway.ask(&Face::Anthropic.ask("up-openai/m", "hello", false)).await.expect_status(200);
    }
    until("the count of requests", || gateway.access_lines().len() >= 3).await;
    let text = metrics(&gateway).await;
    let labels = ["provider=\"up-openai\"", "model=\"m\""];
    assert!(
        (samples(&text, "lockgate_requests_total", &labels) - 3.0).abs() < 0.1,
        "three requests were made:\n{text}"
    );
    assert!((samples(&text, "lockgate_tokens_total", &labels) - 54.0).abs() < 0.1, "each cost 18 tokens:\n{text}");
    assert!(samples(&text, "lockgate_requests_in_flight", &labels).abs() < 1.1, "nothing is in flight:\n{text}");
}

#[tokio::test]
async fn owners_and_labels_of_keys_are_told() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let keys = format!(
        "[{{name: ci, key: {KEY}, path: /org/team/ci, labels: {{cost_center: \"42\", env: prod}}}}, \
          {{name: bare, key: {KEY}-bare}}]"
    );
    let gateway = Gateway::start(Config::to(&upstream).section("keys", &keys)).await;
    for (id, key) in [("owned", KEY.to_owned()), ("bare", format!("{KEY}-bare"))] {
        let ask = Face::OpenAi.ask("up-openai/m", "hello", false).bearer(&key).header("x-request-id", id);
        gateway.ask(&ask).await.expect_status(200);
    }
    let line = gateway.access_line("owned").await;
    assert_eq!((&line["key"], &line["owner"]), (&"ci".into(), &"/org/team/ci".into()), "{line}");
    assert_eq!(line["labels"], serde_json::json!({"cost_center": "42", "env": "prod"}), "{line}");
    let line = gateway.access_line("bare").await;
    assert_eq!(line["key"], "bare", "{line}");
    assert!(line.get("owner").is_none() && line.get("labels").is_none(), "what is not there is left out: {line}");
    let text = metrics(&gateway).await;
    let labels = ["key=\"ci\"", "owner=\"/org/team/ci\""];
    assert!((samples(&text, "lockgate_key_requests_total", &labels) - 1.0).abs() < 0.1, "one request:\n{text}");
    assert!((samples(&text, "lockgate_key_tokens_total", &labels) - 18.0).abs() < 0.1, "18 tokens:\n{text}");
}

#[tokio::test]
async fn gauge_of_requests_in_flight_comes_back_after_hang_ups() {
    let upstream = Upstream::start(|_| Script::sse().chunk(Face::OpenAi.word("first")).silence()).await;
    let gateway = Gateway::start(Config::to(&upstream).timeout("between_events", "20s")).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = Client::open(gateway.port).await;
        let (_, mut framing) = client.begin(&Face::OpenAi.ask("up-openai/m", "hello", true)).await;
        client.read_until(&mut framing, "first").await;
        clients.push(client);
    }
    let busy = samples(&metrics(&gateway).await, "lockgate_requests_in_flight", &[]);
    assert!((5.0..=6.0).contains(&busy), "five streams are in flight, the gauge says {busy}");
    drop(clients);
    until("the access lines", || gateway.access_lines().len() >= 5).await;
    let idle = samples(&metrics(&gateway).await, "lockgate_requests_in_flight", &[]);
    assert!(idle <= 1.0, "nothing is in flight but the question itself, the gauge says {idle}");
}

#[tokio::test]
async fn hostile_names_cannot_blow_up_the_metrics() {
    let gateway = Gateway::start(Config::new()).await;
    for count in 0..50 {
        gateway.ask(&Face::OpenAi.ask(&format!("nobody-{count}\"}}\n"), "hello", false)).await;
        gateway.ask(&Ask::get(&format!("/nowhere-{count}"))).await;
    }
    let text = metrics(&gateway).await;
    assert!(!text.contains("nobody-") && !text.contains("nowhere-"), "names that anyone may make up are no labels");
}

#[tokio::test]
async fn each_request_has_one_access_line_with_everything() {
    let upstream = Upstream::start(|seen| {
        Face::OpenAi.script("fine", crate::support::client::contains(&seen.body, "\"stream\":true"))
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream).model("nick", "up-openai/m")).await;
    for streamed in [false, true] {
        let id = format!("line-{streamed}");
        let ask = Face::Anthropic.ask("nick", "hello", streamed).header("x-request-id", &id);
        let answer = gateway.ask(&ask).await.expect_status(200);
        let line = gateway.access_line(&id).await;
        for (field, value) in [
            ("method", "POST"),
            ("path", "/v1/messages"),
            ("dialect", "anthropic"),
            ("upstream_dialect", "openai_chat"),
            ("model", "nick"),
            ("upstream_model", "m"),
            ("provider", "up-openai"),
            ("ended_by", "complete"),
        ] {
            assert_eq!(line[field], value, "{field} must be told: {line}");
        }
        assert_eq!(line["status"], 200, "the status must be told: {line}");
        assert_eq!(line["attempts"], 1, "the attempts must be told: {line}");
        assert_eq!(line["stream"], streamed, "whether it was a stream must be told: {line}");
        assert_eq!(line["bytes_out"], answer.body.len(), "the bytes sent must be told: {line}");
        assert_eq!(line["bytes_in"], ask.body.len(), "the bytes read must be told: {line}");
        for field in ["duration_ms", "upstream_ms", "gateway_ms", "first_event_ms"] {
            assert!(
                line[field].as_f64().is_some_and(|ms| (0.0..10_000.0).contains(&ms)),
                "{field} must be told: {line}"
            );
        }
        if !streamed {
            assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&11.into(), &7.into()), "tokens: {line}");
        }
        assert!(line["route"].is_string(), "the route must be told: {line}");
    }
    gateway.ask(&Ask::get("/nowhere").header("x-request-id", "line-404")).await.expect_status(404);
    assert_eq!(gateway.access_line("line-404").await["status"], 404, "a refused request has a line too");
    let ids: Vec<Value> = gateway.access_lines().into_iter().map(|line| line["request_id"].clone()).collect();
    let unique: BTreeSet<String> = ids.iter().map(Value::to_string).collect();
    assert_eq!(ids.len(), unique.len(), "no request may have two lines");
}

#[tokio::test]
async fn access_line_says_who_ended_it() {
    let upstream = Upstream::start(|seen| {
        let first = Script::sse().chunk(Face::OpenAi.word("first"));
        if crate::support::client::contains(&seen.body, "\"cut\"") { first.close() } else { first.silence() }
    })
    .await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let mut client = Client::open(gateway.port).await;
    let left = Face::OpenAi.ask("up-openai/m", "hello", true).header("x-request-id", "left");
    let (_, mut framing) = client.begin(&left).await;
    client.read_until(&mut framing, "first").await;
    drop(client);
    assert_eq!(gateway.access_line("left").await["ended_by"], "client", "the client went away");
    for (model, id) in [("up-openai/cut", "cut"), ("up-openai/stall", "stall")] {
        gateway.ask(&Face::OpenAi.ask(model, "hello", true).header("x-request-id", id)).await;
        assert_eq!(gateway.access_line(id).await["ended_by"], "upstream", "{id}: the upstream failed");
    }
    gateway.ask(&Face::OpenAi.ask("nobody/m", "hello", true).header("x-request-id", "refused")).await;
    assert_eq!(gateway.access_line("refused").await["ended_by"], "gateway", "the gateway refused");
}

#[tokio::test]
async fn request_id_is_kept_if_it_is_sensible() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let chat = Face::OpenAi.ask("up-openai/m", "hello", false);
    let asks = [chat, Ask::get("/health"), Ask::get("/nowhere"), Ask::get("/p/up-openai/v1/x")];
    for ask in asks {
        let kept = gateway.ask(&ask.clone().header("x-request-id", "own-id_1.2:3")).await;
        assert_eq!(kept.get("x-request-id"), Some("own-id_1.2:3"), "{}: a sensible id must be kept", ask.target);
        let made = gateway.ask(&ask).await;
        let id = made.get("x-request-id").expect("an id must be made").to_owned();
        assert_eq!(id.len(), 36, "{}: an id that is made is a UUID: {id}", ask.target);
        for bad in ["", " ", &"x".repeat(129), "with space", "caf\u{e9}", "tab\there"] {
            let replaced = gateway.ask(&ask.clone().header("x-request-id", bad)).await;
            let id = replaced.get("x-request-id").expect("an id must be made");
            assert!(id.len() == 36 && id != bad, "{}: {bad:?} must be replaced, came {id}", ask.target);
        }
    }
    for seen in upstream.seen() {
        assert!(seen.head.get("x-request-id").is_some_and(|id| !id.is_empty()), "the id must be sent upstream");
    }
}

#[tokio::test]
async fn secrets_are_in_no_log() {
    let upstream = Upstream::start(|seen| match seen.head.target() {
        "/v1/messages" => {
            Script::json(401, r#"{"type":"error","error":{"type":"authentication_error","message":"bad"}}"#)
        }
        _ => Face::OpenAi.script("the-answer-text", false),
    })
    .await;
    for level in ["info", "trace"] {
        let config = Config::to(&upstream).key(KEY).section("log", &format!("{{format: json, level: {level}}}"));
        let gateway = Gateway::start(config.env("OPENAI_API_KEY", "sk-from-environment")).await;
        let chat = Face::OpenAi.ask("up-openai/m", "the-prompt-text", false);
        let asks = [
            chat.clone().bearer(KEY),
            chat.clone().header("x-api-key", KEY),
            chat.clone().header("x-goog-api-key", KEY),
            chat.clone().bearer("sk-wrong-one"),
            chat.bearer(KEY).header("x-openai-key", "sk-callers-own").header("cookie", "a=sk-cookie"),
            Face::Anthropic.ask("up-anthropic/m", "the-prompt-text", false).bearer(KEY),
            Ask::get(&format!("/v1beta/models?key={KEY}")),
            Ask::get(&format!("/v1beta/nowhere?key={KEY}")),
            Ask::get("/p/up-openai/v1/files?key=sk-in-query&api_key=sk-in-query").bearer(KEY),
        ];
        for ask in asks {
            gateway.ask(&ask).await;
        }
        until("the access lines", || gateway.access_lines().len() >= 9).await;
        let log = gateway.log();
        let secrets = [
            KEY,
            UPSTREAM_KEY,
            "sk-from-environment",
            "sk-wrong-one",
            "sk-callers-own",
            "sk-cookie",
            "sk-in-query",
            "the-prompt-text",
            "the-answer-text",
        ];
        for secret in secrets {
            let line = log.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "at level {level}, `{secret}` must not be logged: {line:?}");
        }
    }
}

#[tokio::test]
async fn human_log_is_text_and_access_lines_can_be_switched_off() {
    let gateway = Gateway::start(Config::new().section("log", "{format: human, access: false}")).await;
    let id = Ask::get("/health").header("x-request-id", "not-to-be-logged");
    gateway.ask(&id).await.expect_status(200);
    gateway.ask(&Face::OpenAi.ask("sim/echo", "hello", false).header("x-request-id", "not-to-be-logged")).await;
    let log = gateway.log();
    assert!(!log.contains("not-to-be-logged"), "no access line was asked for: {log}");
    assert!(log.lines().all(|line| !line.starts_with('{')), "a human log is no JSON: {log}");
    assert!(log.contains(&gateway.port.to_string()), "the address must be told at the start: {log}");
}

#[tokio::test]
async fn log_in_json_is_json_to_the_last_line() {
    let gateway = Gateway::start(Config::new()).await;
    let mut client = Client::open(gateway.port).await;
    client.send(b"GET /health HTTP/1.1\r\nHost: a\nX: \"quoted\"\r\n\r\n").await;
    drop(client.wire.piece(&mut Framing::Close).await);
    gateway.ask(&Ask::get("/no%22where%0a")).await;
    gateway.ask(&Face::OpenAi.ask("line\nbreak \"quoted\"", "hello", false)).await;
    gateway.still_serves().await;
    for line in gateway.log().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "every line must be JSON: {line}");
    }
}
