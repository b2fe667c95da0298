//! A host whose URL has a placeholder without a value: nothing is sent, and what is missing is told everywhere.

use serde_json::json;

use crate::support::{Ask, Config, Face, Gateway};

const WAYS: [&str; 2] = ["AZURE_RESOURCE_NAME", "providers.azure.params.resource"];

fn config() -> Config {
    Config::new().provider_text("azure", "{api_key: sk-1}").model("pool", "{targets: [azure/gpt, sim/echo]}")
}

#[tokio::test]
async fn a_request_is_told_what_is_missing() {
    let gateway = Gateway::start(config()).await;
    for face in Face::ALL.iter().copied() {
        let answer = gateway.ask(&face.ask("azure/gpt", "hello", false)).await.expect_status(502);
        let (_, message) = face.error(&answer.json());
        assert!(WAYS.iter().all(|way| message.contains(way)) && message.contains("`resource`"), "{face:?}: {message}");
    }
    let answer = gateway.ask(&Ask::post("/p/azure/openai/v1/files", &json!({}))).await;
    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert!(answer.text().contains(WAYS[0]), "{}", answer.text());
    let list = gateway.ask(&Ask::get("/v1/models")).await.expect_status(200);
    assert!(!list.text().contains("azure"), "what cannot be asked is not listed: {}", list.text());
    gateway.still_serves().await;
}

#[tokio::test]
async fn the_next_target_takes_over() {
    let gateway = Gateway::start(config()).await;
    let answer = gateway.ask(&Face::OpenAi.ask("pool", "hello", false)).await.expect_status(200);
    assert_eq!(answer.get("x-lockgate-provider"), Some("sim"));
}

#[tokio::test]
async fn a_caller_with_a_key_of_its_own_is_told_too() {
    let gateway = Gateway::start(Config::new()).await;
    let ask = Face::Anthropic.ask("vertex-anthropic/claude-x", "hello", false).header("x-vertexaianthropic-key", "t");
    let answer = gateway.ask(&ask).await.expect_status(502);
    let (_, message) = Face::Anthropic.error(&answer.json());
    assert!(message.contains("ANTHROPIC_VERTEX_PROJECT_ID"), "{message}");
}
