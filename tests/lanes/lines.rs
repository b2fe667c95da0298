//! Ollama's framing, a JSON value per line: what a client that parses every line reads, whatever the upstream does.

use serde_json::{Value, json};

use crate::support::{Ask, Config, Gateway, Script, Upstream};

const FIRST: &str = "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"a\"},\"done\":false}\n";

async fn gateway(upstream: &Upstream) -> Gateway {
    let provider = format!("{{dialect: ollama, base_url: \"{}\"}}", upstream.url());
    Gateway::start(Config::new().provider_text("up-ollama", &provider)).await
}

fn chat(model: &str) -> Ask {
    Ask::post("/api/chat", &json!({"model": model, "messages": [{"role": "user", "content": "hello"}]}))
}

/// The lines of a body; each must be a value, as the vendor's own client takes it to be.
fn values(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?} must be JSON"))).collect()
}

#[tokio::test]
async fn a_stream_that_breaks_between_lines_ends_with_a_line_of_its_own() {
    let upstream = Upstream::start(|_| Script::chunked(200, "application/x-ndjson").chunk(FIRST).end()).await;
    let answer = gateway(&upstream).await.ask(&chat("up-ollama/m")).await.expect_status(200);
    assert!(answer.text().starts_with(FIRST), "what came is passed on as it is");
    let lines = values(answer.text());
    assert_eq!(lines.len(), 2, "no empty line stands between: {:?}", answer.text());
    assert!(lines[1]["error"].as_str().is_some_and(|error| error.contains("broke off")), "{lines:?}");
}

#[tokio::test]
async fn a_stream_that_breaks_inside_a_line_has_its_error_on_the_next() {
    let upstream = Upstream::start(|_| {
        Script::chunked(200, "application/x-ndjson").chunk(FIRST).chunk("{\"model\":\"m\",\"mess").end()
    })
    .await;
    let answer = gateway(&upstream).await.ask(&chat("up-ollama/m")).await.expect_status(200);
    let last = answer.text().lines().last().expect("there are lines");
    let last: Value = serde_json::from_str(last).expect("the error stands alone on its line");
    assert!(last["error"].is_string());
}

#[tokio::test]
async fn an_answer_streams_unless_the_client_says_no() {
    let upstream = Upstream::start(|_| Script::json(500, "{}")).await;
    let gateway = gateway(&upstream).await;
    for model in ["sim-ollama/echo", "sim-openai/echo"] {
        let streamed = gateway.ask(&chat(model)).await.expect_status(200);
        assert_eq!(streamed.head.get("content-type"), Some("application/x-ndjson"), "{model}");
        assert_eq!(values(streamed.text()).last().map(|line| line["done"].clone()), Some(json!(true)));
        let mut body = json!({"model": model, "prompt": "hello", "stream": false});
        let whole = gateway.ask(&Ask::post("/api/generate", &body)).await.expect_status(200);
        assert_eq!(whole.head.get("content-type"), Some("application/json"), "{model}");
        assert_eq!(whole.json()["response"], "hello");
        body["stream"] = json!("yes");
        let refused = gateway.ask(&Ask::post("/api/generate", &body)).await.expect_status(400);
        assert!(refused.json()["error"].is_string(), "errors have the client's form: {:?}", refused.body);
    }
}

#[tokio::test]
async fn models_are_listed_for_ollamas_clients() {
    let upstream = Upstream::start(|_| Script::json(500, "{}")).await;
    let gateway = gateway(&upstream).await;
    let tags = gateway.ask(&Ask::get("/api/tags")).await.expect_status(200).json();
    let models = tags["models"].as_array().expect("a list");
    let echo = models.iter().find(|model| model["model"] == "sim/echo").expect("the simulator is listed");
    assert!(echo["size"].is_u64() && echo["modified_at"].is_string() && echo["details"]["family"].is_string());
    let version = gateway.ask(&Ask::get("/api/version")).await.expect_status(200).json();
    assert!(version["version"].is_string());
    let unknown = gateway.ask(&Ask::get("/api/ps")).await.expect_status(404).json();
    assert!(unknown["error"].as_str().is_some_and(|error| error.contains("/api/chat")), "{unknown}");
}
