//! Azure: its undated version and its deployments.

use serde_json::json;

use super::{KEY, assert_sent, body, gateway, last, text};
use crate::support::{Ask, Face, Script, Upstream};

const V1: &str = "/openai/v1/chat/completions";
const DATED: &str = "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21";

/// The chunk with which Azure begins a stream: it has no choices, and no usage.
const FILTERED: &str = "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":\
                        [{\"prompt_index\":0,\"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":\"safe\"}}}]}\n\n";

async fn upstream() -> Upstream {
    Upstream::start(|seen| {
        let streamed = text(seen).contains("\"stream\":true");
        if !streamed {
            return Script::json(200, &Face::OpenAi.whole("fine"));
        }
        let mut frames = vec![FILTERED.to_owned()];
        frames.extend(Face::OpenAi.stream(&["fi", "ne"]));
        Script::events(&frames)
    })
    .await
}

#[tokio::test]
async fn a_request_of_the_same_dialect_passes_but_for_its_model() {
    for (entry, target) in [("azure", V1), ("azure-deployments", DATED)] {
        let upstream = upstream().await;
        let gateway = gateway(&upstream, "az", entry, "").await;
        let sent = r#"{ "model" : "az/my gpt","max_tokens":5, "developer":1, "messages":[{"role":"developer","content":"x"}]}"#;
        let answer = gateway.ask(&Ask::post_text("/v1/chat/completions", sent)).await.expect_status(200);
        assert_eq!(answer.text(), Face::OpenAi.whole("fine"), "the answer passes untouched");
        let seen = last(&upstream);
        assert_sent(&seen, target, "api-key", KEY);
        assert_eq!(text(&seen), sent.replace("az/my gpt", "my gpt"));
    }
}

#[tokio::test]
async fn a_stream_passes_with_what_its_filters_said() {
    for (entry, target) in [("azure", V1), ("azure-deployments", DATED)] {
        let upstream = upstream().await;
        let gateway = gateway(&upstream, "az", entry, "").await;
        let sent = r#"{"model":"az/my gpt","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
        let answer = gateway.ask(&Ask::post_text("/v1/chat/completions", sent)).await.expect_status(200);
        let expected = [FILTERED.to_owned(), Face::OpenAi.stream(&["fi", "ne"]).concat()].concat();
        assert_eq!(answer.text(), expected, "a chunk without choices is not usage, and stays");
        let seen = last(&upstream);
        assert_sent(&seen, target, "api-key", KEY);
        let asks = r#"{"model":"my gpt","stream_options":{"include_usage":true},"stream":true"#;
        assert_eq!(text(&seen), sent.replace(r#"{"model":"az/my gpt","stream":true"#, asks));
    }
}

#[tokio::test]
async fn other_dialects_are_translated() {
    for (entry, target, limit) in [("azure", V1, "max_completion_tokens"), ("azure-deployments", DATED, "max_tokens")] {
        let upstream = upstream().await;
        let gateway = gateway(&upstream, "az", entry, "").await;
        for streamed in [false, true] {
            let answer = gateway.ask(&Face::Anthropic.ask("az/my gpt", "hello", streamed)).await.expect_status(200);
            if streamed {
                assert_eq!(Face::Anthropic.streamed_text(answer.text()), "fine", "{entry}: {}", answer.text());
                assert!(Face::Anthropic.is_complete(answer.text()), "{entry}: {}", answer.text());
            } else {
                assert_eq!(Face::Anthropic.text(&answer.json()), "fine");
            }
            let seen = last(&upstream);
            assert_sent(&seen, target, "api-key", KEY);
            let mut expected = json!({"model": "my gpt", "messages": [{"role": "user", "content": "hello"}]});
            expected[limit] = json!(500);
            if streamed {
                expected["stream"] = json!(true);
                expected["stream_options"] = json!({"include_usage": true});
            }
            assert_eq!(body(&seen), expected, "{entry}");
        }
    }
}

#[tokio::test]
async fn models_that_are_known_by_name_get_the_limit_they_take() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream, "az", "azure-deployments", ", params: {api_version: 2025-04-01-preview}").await;
    for (model, limit) in
        [("gpt-5-mini", "max_completion_tokens"), ("o4-mini", "max_completion_tokens"), ("gpt-4o", "max_tokens")]
    {
        gateway.ask(&Face::Anthropic.ask(&format!("az/{model}"), "hello", false)).await.expect_status(200);
        let seen = last(&upstream);
        assert_eq!(
            seen.head.target(),
            format!("/openai/deployments/{model}/chat/completions?api-version=2025-04-01-preview")
        );
        assert_eq!(body(&seen)[limit], 500, "{model}");
    }
}

#[tokio::test]
async fn a_callers_key_and_a_token_of_entras_take_their_places() {
    let upstream = upstream().await;
    let own = gateway(&upstream, "az", "azure", "").await;
    let ask = Face::OpenAi.ask("az/m", "hello", false).header("x-az-key", "sk-callers");
    own.ask(&ask).await.expect_status(200);
    assert_sent(&last(&upstream), V1, "api-key", "sk-callers");
    let entra = ", auth: {header: authorization, scheme: Bearer}";
    let entra = gateway(&upstream, "az", "azure", entra).await;
    entra.ask(&Face::OpenAi.ask("az/m", "hello", false)).await.expect_status(200);
    assert_sent(&last(&upstream), V1, "authorization", &format!("Bearer {KEY}"));
}

#[tokio::test]
async fn errors_keep_their_meaning() {
    let missing =
        r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#;
    let filtered = r#"{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    for (status, error, gemini) in [(404, missing, "NOT_FOUND"), (400, filtered, "INVALID_ARGUMENT")] {
        let upstream = Upstream::start(move |_| Script::json(status, error)).await;
        let gateway = gateway(&upstream, "az", "azure", "").await;
        let answer = gateway.ask(&Face::OpenAi.ask("az/m", "hello", false)).await.expect_status(status);
        assert_eq!(answer.text(), error, "clients of the same dialect get the vendor's own words");
        let answer = gateway.ask(&Face::Gemini.ask("az/m", "hello", false)).await.expect_status(status);
        let (kind, message) = Face::Gemini.error(&answer.json());
        assert_eq!(kind, gemini);
        assert!(error.contains(&message), "{message}");
    }
}

#[tokio::test]
async fn the_foundry_has_a_path_for_each_dialect() {
    let upstream = Upstream::start(|seen| {
        let face = if seen.head.target().contains("anthropic") { Face::Anthropic } else { Face::OpenAi };
        face.script("fine", false)
    })
    .await;
    let gateway = gateway(&upstream, "foundry", "azure-ai", "").await;
    for (face, target) in [
        (Face::OpenAi, "/models/chat/completions?api-version=2024-05-01-preview"),
        (Face::Gemini, "/models/chat/completions?api-version=2024-05-01-preview"),
        (Face::Anthropic, "/anthropic/v1/messages"),
    ] {
        let answer = gateway.ask(&face.ask("foundry/m", "hello", false)).await.expect_status(200);
        assert_eq!(face.text(&answer.json()), "fine");
        assert_sent(&last(&upstream), target, "api-key", KEY);
        assert_eq!(last(&upstream).head.get("anthropic-version"), Some("2023-06-01"));
    }
}
