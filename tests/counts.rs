//! Counting tokens: by the provider where it counts, by another dialect's where that one does, estimated otherwise.

use serde_json::{Value, json};

use crate::support::{Answer, Ask, Config, Gateway, Script, Upstream};

/// The header that says whose number it is.
const WHOSE: &str = "x-lockgate-token-count";

fn anthropic(model: &str) -> Ask {
    let body =
        json!({"model": model, "system": "Be brief.", "messages": [{"role": "user", "content": "How are you?"}]});
    Ask::post("/v1/messages/count_tokens", &body)
}

fn gemini(model: &str) -> Ask {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "How are you?"}]}]});
    Ask::post(&format!("/v1beta/models/{}:countTokens", model.replace('/', "%2F")), &body)
}

fn count(answer: &Answer) -> u64 {
    let body = answer.json();
    let count = body["input_tokens"].as_u64().or_else(|| body["totalTokens"].as_u64());
    count.unwrap_or_else(|| panic!("there must be a count: {body}"))
}

#[tokio::test]
async fn who_counts_is_asked_and_who_does_not_is_estimated() {
    let gateway = Gateway::start(Config::new()).await;
    for (provider, whose) in [("sim-anthropic", "exact"), ("sim-gemini", "exact"), ("sim-openai", "estimate")] {
        for ask in [anthropic(&format!("{provider}/echo")), gemini(&format!("{provider}/echo"))] {
            let answer = gateway.ask(&ask).await.expect_status(200);
            assert_eq!(answer.get(WHOSE), Some(whose), "{provider}: {}", answer.text());
            assert!((5..30).contains(&count(&answer)), "{provider}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_count_goes_out_in_the_form_of_who_counts() {
    let upstream = Upstream::start(|seen| {
        let counts = seen.head.target().contains("ount");
        Script::json(200, if counts { r#"{"input_tokens":42,"totalTokens":42}"# } else { "{}" })
    })
    .await;
    let url = upstream.url();
    let paths = |path: &str| format!("{{dialect: DIALECT, base_url: \"{url}\", api_key: k, paths: {{{path}}}}}");
    let config = Config::new()
        .provider_text("a", &paths("count_tokens: /v1/messages/count_tokens").replace("DIALECT", "anthropic"))
        .provider_text(
            "g",
            &paths("count_tokens: \"/v1beta/models/{model}:countTokens\"").replace("DIALECT", "gemini"),
        );
    let gateway = Gateway::start(config).await;
    for (ask, target, check) in [
        (anthropic("a/claude"), "/v1/messages/count_tokens", "native"),
        (gemini("g/flash"), "/v1beta/models/flash:countTokens", "native"),
        (gemini("a/claude"), "/v1/messages/count_tokens", "messages"),
        (anthropic("g/flash"), "/v1beta/models/flash:countTokens", "wrapped"),
    ] {
        let answer = gateway.ask(&ask).await.expect_status(200);
        assert_eq!((count(&answer), answer.get(WHOSE)), (42, Some("exact")), "{target}: {}", answer.text());
        let sent = upstream.seen().pop().expect("a request went out");
        assert_eq!(sent.head.target(), target);
        let body: Value = serde_json::from_slice(&sent.body).expect("a body of JSON goes out");
        match check {
            "messages" => {
                assert_eq!(body["model"], "claude");
                assert!(body["max_tokens"].is_null() && body["stream"].is_null(), "{body}");
            }
            "wrapped" => {
                let inner = &body["generateContentRequest"];
                assert_eq!(inner["model"], "models/flash", "{body}");
                assert_eq!(inner["contents"][0]["parts"][0]["text"], "How are you?", "{body}");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_count_never_fails_for_a_provider() {
    let gateway = Gateway::start(Config::new()).await;
    for model in ["sim-anthropic/error=500", "sim-anthropic/error=401", "sim-gemini/error=429", "anthropic/claude-x"] {
        let answer = gateway.ask(&anthropic(model)).await.expect_status(200);
        assert_eq!(answer.get(WHOSE), Some("estimate"), "{model}: {}", answer.text());
    }
    // What only the provider could have understood is weighed all the same.
    let odd = json!({"model": "sim-openai/echo", "messages": [{"role": "user", "content": [{"type": "new", "x": 1}]}]});
    let answer = gateway.ask(&Ask::post("/v1/messages/count_tokens", &odd)).await.expect_status(200);
    assert_eq!(answer.get(WHOSE), Some("estimate"));
    assert!(count(&answer) > 0);
}

#[tokio::test]
async fn a_count_is_not_usage() {
    let gateway = Gateway::start(Config::new()).await;
    let answer = gateway.ask(&anthropic("sim-anthropic/echo")).await.expect_status(200);
    let line = gateway.access_line(answer.get("x-request-id").expect("every answer has an id")).await;
    assert!(line["input_tokens"].is_null(), "what is counted is not used: {line}");
    assert_eq!(line["route"], "/v1/messages/count_tokens");
}

#[tokio::test]
async fn a_request_that_names_no_model_is_refused_in_its_dialect() {
    let gateway = Gateway::start(Config::new()).await;
    let answer = gateway.ask(&Ask::post("/v1/messages/count_tokens", &json!({"messages": []}))).await;
    let body = answer.expect_status(400).json();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("invalid_request_error")), "{body}");
    let answer = gateway.ask(&gemini("nowhere/nothing")).await.expect_status(404);
    assert_eq!(answer.json()["error"]["status"], "NOT_FOUND");
    gateway.ask(&Ask::post_text("/v1/messages/count_tokens", "{\"model\":")).await.expect_status(400);
}
