//! Dialects that only clients speak, and the path that names no model.

use serde_json::{Value, json};

use crate::support::{Ask, Config, Face, Gateway, Upstream};

fn ui(model: Option<&str>) -> Value {
    let parts = json!([{"type": "text", "text": "hello there"}]);
    let mut body = json!({
        "id": "chat-1", "messages": [{"id": "1", "role": "user", "parts": parts}], "trigger": "submit-message",
    });
    if let Some(model) = model {
        body["model"] = model.into();
    }
    body
}

fn sampling(hints: &[&str]) -> Value {
    let hints: Vec<_> = hints.iter().map(|hint| json!({"name": hint})).collect();
    json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": "hello"}}], "maxTokens": 9,
        "modelPreferences": {"hints": hints},
    })
}

#[tokio::test]
async fn ui_message_stream_says_what_it_is() {
    let gateway = Gateway::start(Config::new()).await;
    for model in ["sim-openai/echo", "sim-anthropic/echo", "sim-gemini/echo"] {
        let answer = gateway.ask(&Ask::post("/api/chat", &ui(Some(model)))).await.expect_status(200);
        assert_eq!(answer.get("x-vercel-ai-ui-message-stream"), Some("v1"), "{model}: clients look for it");
        assert_eq!(answer.get("content-type"), Some("text/event-stream"), "{model}: it is a stream");
        let text = answer.text();
        assert!(text.starts_with("data: {\"type\":\"start\"}\n\n"), "{model}: {text}");
        assert!(text.contains("\"delta\":\"there\"") && text.ends_with("data: [DONE]\n\n"), "{model}: {text}");
    }
}

#[tokio::test]
async fn a_request_without_a_model_gets_the_routes() {
    let route = "{path: /team/chat, route_type: llm/v1/chat, dialect: ai-sdk-ui, model: sim-gemini/echo}";
    let config = Config::new().section("routes", &format!("[{route}]"));
    let gateway = Gateway::start(config).await;
    let answer = gateway.ask(&Ask::post("/team/chat", &ui(None))).await.expect_status(200);
    assert_eq!(answer.get("x-lockgate-provider"), Some("sim-gemini"), "the route names the model");
    let refused = gateway.ask(&Ask::post("/api/chat", &ui(None))).await.expect_status(400).json();
    assert_eq!(refused["error"]["param"], "model", "nobody has named one: {refused}");
}

#[tokio::test]
async fn a_body_tells_whose_chat_it_is() {
    let gateway = Gateway::start(Config::new()).await;
    let plain = json!([{"role": "user", "content": "hello there"}]);
    let parts = json!([{"role": "user", "parts": [{"type": "text", "text": "hello there"}]}]);
    for body in [json!({"messages": parts}), json!({"id": "c", "messages": parts}), ui(None)] {
        let mut body = body;
        body["model"] = "sim-gemini/echo".into();
        let answer = gateway.ask(&Ask::post("/api/chat", &body)).await.expect_status(200);
        assert_eq!(answer.get("x-vercel-ai-ui-message-stream"), Some("v1"), "{body}");
    }
    for model in ["sim-gemini/echo", "sim-ollama/echo"] {
        let whole = json!({"model": model, "messages": plain, "stream": false});
        let answer = gateway.ask(&Ask::post("/api/chat", &whole)).await.expect_status(200).json();
        assert_eq!(answer["message"]["content"], "hello there", "{model}: {answer}");
        let streamed = json!({"model": model, "messages": plain});
        let answer = gateway.ask(&Ask::post("/api/chat", &streamed)).await.expect_status(200);
        assert_eq!(answer.get("content-type"), Some("application/x-ndjson"), "{model}: lines of JSON");
    }
    let refused = gateway.ask(&Ask::post("/api/chat", &json!({"trigger": "x", "messages": []}))).await;
    assert!(refused.expect_status(400).json()["error"]["message"].is_string(), "told as the AI SDK's clients expect");
    for text in ["{", "[]", "{\"messages\": [5]}"] {
        let refused = gateway.ask(&Ask::post_text("/api/chat", text)).await.expect_status(400).json();
        assert!(refused["error"].is_string(), "what nobody claims is Ollama's: {refused}");
    }
}

#[tokio::test]
async fn a_lost_ui_stream_cannot_be_resumed() {
    let gateway = Gateway::start(Config::new()).await;
    let answer = gateway.ask(&Ask::get("/api/chat/chat-1/stream")).await.expect_status(204);
    assert!(answer.body.is_empty(), "the transport takes 204 for `nothing to go on with`");
}

#[tokio::test]
async fn hints_choose_a_model_that_there_is() {
    let gateway = Gateway::start(Config::new().model("house-small", "sim-anthropic/echo")).await;
    for (hints, provider) in [
        (&["nothing", "house-small"][..], "sim-anthropic"),
        (&["SMALL"], "sim-anthropic"),
        (&["sim-gemini/echo"], "sim-gemini"),
        (&["echo"], "sim"),
    ] {
        let answer = gateway.ask(&Ask::post("/sampling", &sampling(hints))).await.expect_status(200);
        assert_eq!(answer.get("x-lockgate-provider"), Some(provider), "{hints:?}");
        let result = answer.json();
        assert_eq!((&result["model"], &result["content"][0]["text"]), (&json!("echo"), &json!("hello")), "{hints:?}");
    }
    for hints in [&["gpt-9"][..], &[], &["nobody/echo"]] {
        let refused = gateway.ask(&Ask::post("/sampling", &sampling(hints))).await.expect_status(400).json();
        assert_eq!(refused["error"]["param"], "model", "{hints:?}: {refused}");
    }
}

#[tokio::test]
async fn sampling_answers_in_the_form_of_its_request() {
    let gateway = Gateway::start(Config::new()).await;
    let peer = Ask::post("/sampling", &sampling(&["echo"])).header("mcp-protocol-version", "2025-06-18");
    let result = gateway.ask(&peer).await.expect_status(200).json();
    assert_eq!(result["content"]["type"], "text", "a peer reads one block as a block: {result}");
    let rpc = |id: Value, hint: &str| {
        let params = sampling(&[hint]);
        Ask::post(
            "/sampling",
            &json!({"jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": params}),
        )
    };
    let answer = gateway.ask(&rpc(json!("a\"1"), "echo")).await.expect_status(200).json();
    assert_eq!((&answer["id"], &answer["result"]["stopReason"]), (&json!("a\"1"), &json!("endTurn")), "{answer}");
    let refused = gateway.ask(&rpc(json!(7), "gpt-9")).await.expect_status(200).json();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(7), &json!(-32602)), "{refused}");
}

#[tokio::test]
async fn completions_are_translated_only_where_they_must_be() {
    let gateway = Gateway::start(Config::new()).await;
    let ask = |model: &str, prompt: Value| Ask::post("/v1/completions", &json!({"model": model, "prompt": prompt}));
    for model in ["sim-openai-completions/echo", "sim-openai/echo", "sim-anthropic/echo", "sim-gemini/echo"] {
        let answer = gateway.ask(&ask(model, json!("Once upon"))).await.expect_status(200).json();
        assert_eq!(
            (&answer["object"], &answer["choices"][0]["text"]),
            (&json!("text_completion"), &json!("Once upon")),
            "{model}"
        );
    }
    let refused = gateway.ask(&ask("sim-anthropic/echo", json!([1, 2]))).await.expect_status(400).json();
    assert_eq!(refused["error"]["param"], "prompt", "tokens mean nothing to another model: {refused}");
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let legacy = format!(
        "{{dialect: openai, base_url: \"{}\", api_key: key, paths: {{completions: /v1/completions}}}}",
        upstream.url()
    );
    let gateway = Gateway::start(Config::new().provider_text("legacy", &legacy)).await;
    gateway.ask(&ask("legacy/m", json!([1, 2]))).await.expect_status(200);
    let seen = upstream.only();
    assert_eq!(seen.head.target(), "/v1/completions", "its own endpoint is preferred");
    assert_eq!(seen.body, r#"{"model":"m","prompt":[1,2]}"#, "and gets what was sent, but for the model's name");
}
