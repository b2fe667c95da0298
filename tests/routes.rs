//! Routes: what each path serves, and how a model is named.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ask, Client, Config, Face, Gateway, Upstream};

/// An upstream of each dialect behind its path.
async fn any() -> Upstream {
    Upstream::start(|seen| {
        let target = seen.head.target();
        let face = match target {
            "/v1/chat/completions" => Face::OpenAi,
            "/v1/messages" => Face::Anthropic,
            _ => Face::Gemini,
        };
        face.script("fine", false)
    })
    .await
}

#[tokio::test]
async fn model_list_has_the_shape_that_its_reader_knows() {
    let gateway = Gateway::start(Config::new().model("nick", "sim/echo")).await;
    let open_ai = gateway.ask(&Ask::get("/v1/models")).await.expect_status(200).json();
    let ids = |list: &Value, member: &str, name: &str| -> Vec<String> {
        let entries = list[member].as_array().unwrap_or_else(|| panic!("{list} must be a list"));
        entries.iter().map(|entry| entry[name].as_str().expect("an entry has a name").to_owned()).collect()
    };
    assert_eq!(open_ai["object"], "list", "the list must have its type");
    let names = ids(&open_ai, "data", "id");
    assert!(names.iter().any(|name| name == "nick"), "an alias must be listed as it is: {names:?}");
    assert!(names.iter().any(|name| name == "sim/echo"), "the simulator must be there to be found: {names:?}");
    for entry in open_ai["data"].as_array().expect("the list has entries") {
        assert!(entry["created"].is_u64() && entry["owned_by"].is_string(), "an entry must be whole: {entry}");
    }
    let anthropic = Ask::get("/v1/models").header("anthropic-version", "2023-06-01");
    let anthropic = gateway.ask(&anthropic).await.expect_status(200).json();
    assert_eq!(ids(&anthropic, "data", "id"), names, "each shape must list the same models");
    assert_eq!(anthropic["data"][0]["type"], "model", "an entry must have its type");
    assert_eq!(anthropic["has_more"], false, "there is one page");
    let gemini = gateway.ask(&Ask::get("/v1beta/models")).await.expect_status(200).json();
    let prefixed: Vec<String> = names.iter().map(|name| format!("models/{name}")).collect();
    assert_eq!(ids(&gemini, "models", "name"), prefixed, "Gemini's names carry a prefix");
}

#[tokio::test]
async fn one_model_has_the_shape_that_its_reader_knows() {
    let gateway = Gateway::start(Config::new().model("nick", "sim/echo")).await;
    for id in ["nick", "sim/echo", "sim%2Fecho"] {
        let name = id.replace("%2F", "/");
        let one = gateway.ask(&Ask::get(&format!("/v1/models/{id}"))).await.expect_status(200).json();
        assert_eq!((&one["id"], &one["object"]), (&json!(name), &json!("model")), "{id} must be found");
        let ask = Ask::get(&format!("/v1/models/{id}")).header("anthropic-version", "2023-06-01");
        let one = gateway.ask(&ask).await.expect_status(200).json();
        assert_eq!((&one["id"], &one["type"]), (&json!(name), &json!("model")), "{id} must be found by Anthropic's");
        let one = gateway.ask(&Ask::get(&format!("/v1beta/models/{id}"))).await.expect_status(200).json();
        assert_eq!(one["name"], format!("models/{name}"), "{id} must be found by Gemini's");
    }
    let unknown = Ask::get("/v1/models/nobody").header("anthropic-version", "2023-06-01");
    Face::Anthropic.error(&gateway.ask(&unknown).await.expect_status(404).json());
    Face::Gemini.error(&gateway.ask(&Ask::get("/v1beta/models/nobody")).await.expect_status(404).json());
}

#[tokio::test]
async fn chat_is_served_without_its_version_too() {
    let gateway = Gateway::start(Config::new()).await;
    let mut ask = Face::OpenAi.ask("sim/echo", "hello", false);
    ask.target = "/chat/completions".to_owned();
    let answer = gateway.ask(&ask).await.expect_status(200);
    assert_eq!(Face::OpenAi.text(&answer.json()), "hello", "the short path must serve chat");
}

#[tokio::test]
async fn gemini_stream_is_an_array_unless_events_are_asked_for() {
    let gateway = Gateway::start(Config::new()).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]});
    for model in ["sim/echo", "sim-openai/echo", "sim-anthropic/echo"] {
        let path = format!("/v1beta/models/{}:streamGenerateContent", model.replace('/', "%2F"));
        let answer = gateway.ask(&Ask::post(&path, &body)).await.expect_status(200);
        assert_eq!(answer.get("content-type"), Some("application/json"), "{model}: an array is JSON");
        let array = answer.json();
        let chunks = array.as_array().unwrap_or_else(|| panic!("{model}: {array} must be an array"));
        let whole: String = chunks.iter().map(|chunk| Face::Gemini.text(chunk)).collect();
        assert_eq!(whole, "one two three", "{model}: the array must tell it all");
    }
}

#[tokio::test]
async fn array_elements_leave_in_their_turn() {
    let gateway = Gateway::start(Config::new()).await;
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "one two three"}]}]});
    let mut client = Client::open(gateway.port).await;
    let path = "/v1beta/models/sim-openai%2Fecho+pace=400:streamGenerateContent";
    let (_, mut framing) = client.begin(&Ask::post(path, &body)).await;
    let start = tokio::time::Instant::now();
    client.read_until(&mut framing, "one").await;
    assert!(start.elapsed() < Duration::from_millis(700), "the first element must not wait for the others");
    client.body(framing).await;
}

#[tokio::test]
async fn model_is_found_by_each_of_its_names() {
    let upstream = any().await;
    let yaml = format!(
        "{{dialect: openai, base_url: \"{}\", api_key: k, models: {{known: [solo], prefixes: [\"house-\"]}}}}",
        upstream.url()
    );
    let config = Config::to(&upstream)
        .provider_text("house", &yaml)
        .model("nick", "up-anthropic/m-1")
        .model("nick-of-nick", "nick")
        .model("\"odd/name:1\"", "up-gemini/m-2");
    let gateway = Gateway::start(config).await;
    let cases = [
        ("up-openai/a/b:c", "up-openai", "a/b:c"),
        ("nick", "up-anthropic", "m-1"),
        ("nick-of-nick", "up-anthropic", "m-1"),
        ("odd/name:1", "up-gemini", "m-2"),
        ("solo", "house", "solo"),
        ("house-7", "house", "house-7"),
    ];
    for (asked, provider, model) in cases {
        let answer = gateway.ask(&Face::OpenAi.ask(asked, "hello", false)).await;
        assert_eq!(answer.status(), 200, "`{asked}` must be found: {:?}", answer.body);
        assert_eq!(answer.get("x-lockgate-provider"), Some(provider), "`{asked}` must reach its provider");
        assert_eq!(answer.get("x-lockgate-model"), Some(model), "`{asked}` must ask for its model");
    }
}

#[tokio::test]
async fn route_of_ones_own_fixes_model_dialect_and_limits() {
    let upstream = any().await;
    let routes = "[{path: /team/chat, route_type: llm/v1/chat, dialect: anthropic, model: up-openai/fixed}, \
                  {path: /team/free, route_type: llm/v1/chat, model: up-openai/fixed, model_override: allow}, \
                  {path: /team/small, route_type: llm/v1/chat, model: up-openai/fixed, limits: {body: 200B}}, \
                  {path: /team/strict, route_type: llm/v1/chat, model: up-anthropic/m, strict: true}]";
    let gateway = Gateway::start(Config::to(&upstream).section("routes", routes)).await;
    let to = |face: Face, path: &str, model: &str| {
        let mut ask = face.ask(model, "hello", false);
        ask.target = path.to_owned();
        ask
    };
    let answer = gateway.ask(&to(Face::Anthropic, "/team/chat", "up-openai/fixed")).await.expect_status(200);
    assert_eq!(Face::Anthropic.text(&answer.json()), "fine", "the route must speak the dialect that it says");
    let other = gateway.ask(&to(Face::Anthropic, "/team/chat", "up-openai/other")).await.expect_status(400);
    let (_, message) = Face::Anthropic.error(&other.json());
    assert!(message.contains("fixed"), "the model that the route has must be named: {message}");
    let free = gateway.ask(&to(Face::OpenAi, "/team/free", "up-openai/other")).await.expect_status(200);
    assert_eq!(free.get("x-lockgate-model"), Some("other"), "where it is allowed the request's model wins");
    let large = to(Face::OpenAi, "/team/small", "up-openai/fixed");
    gateway.ask(&large.clone()).await.expect_status(200);
    gateway.ask(&large.body(vec![b' '; 300])).await.expect_status(413);
    let lossy = json!({"model": "up-anthropic/m", "seed": 1, "messages": [{"role": "user", "content": "x"}]});
    gateway.ask(&Ask::post("/team/strict", &lossy)).await.expect_status(400);
}

#[tokio::test]
async fn health_tells_what_it_should() {
    let gateway = Gateway::start(Config::new()).await;
    let health = gateway.ask(&Ask::get("/health")).await.expect_status(200).json();
    assert_eq!(health["status"], "ok", "a process that serves is well");
    let ready = gateway.ask(&Ask::get("/health/ready")).await.expect_status(200).json();
    assert!(matches!(ready["status"].as_str(), Some("ready" | "degraded")), "readiness must be told: {ready}");
    assert!(ready["components"].is_object(), "the parts must be told: {ready}");
}
