//! Errors: in the dialect of who asked, with what would have worked.

use serde_json::json;

use crate::support::{Ask, Config, Face, Gateway, Upstream};

const KEY: &str = "sk-gateway-errors";

#[tokio::test]
async fn unknown_route_is_told_in_the_dialect_of_its_path() {
    let gateway = Gateway::start(Config::new()).await;
    let cases = [
        ("/nowhere", Face::OpenAi),
        ("/v1/nowhere", Face::OpenAi),
        ("/v1/messages/nowhere", Face::Anthropic),
        ("/v1beta/nowhere", Face::Gemini),
        ("/", Face::OpenAi),
    ];
    for (path, face) in cases {
        let answer = gateway.ask(&Ask::post(path, &json!({}))).await.expect_status(404);
        let (kind, message) = face.error(&answer.json());
        let expected = if face == Face::Gemini { "NOT_FOUND" } else { "not_found_error" };
        assert_eq!(kind, expected, "{path} must be told as not found");
        assert!(message.contains('/'), "{path}: the message must name paths that exist: {message}");
        assert!(answer.get("x-request-id").is_some(), "{path}: errors carry the request id");
        assert_eq!(answer.get("content-type"), Some("application/json"), "{path}: errors are JSON");
    }
}

#[tokio::test]
async fn wrong_method_names_the_right_one() {
    let gateway = Gateway::start(Config::new()).await;
    let cases = [
        ("GET", "/v1/chat/completions", "POST", Face::OpenAi),
        ("DELETE", "/chat/completions", "POST", Face::OpenAi),
        ("PUT", "/v1/messages", "POST", Face::Anthropic),
        ("GET", "/v1beta/models/sim%2Fecho:generateContent", "POST", Face::Gemini),
        ("POST", "/v1/models", "GET", Face::OpenAi),
        ("POST", "/health", "GET", Face::OpenAi),
        ("DELETE", "/metrics", "GET", Face::OpenAi),
    ];
    for (method, path, allowed, face) in cases {
        let answer = gateway.ask(&Ask::new(method, path)).await.expect_status(405);
        let allow = answer.get("allow").expect("a 405 must say what is allowed");
        assert!(
            allow.split(',').any(|one| one.trim() == allowed),
            "{method} {path}: Allow must name {allowed}: {allow}"
        );
        face.error(&answer.json());
    }
}

#[tokio::test]
async fn unknown_model_is_told_with_near_names() {
    let gateway = Gateway::start(Config::new().model("quick", "sim/echo").model("quicker", "sim/echo+think")).await;
    for face in Face::ALL.iter().copied() {
        let answer = gateway.ask(&face.ask("quik", "hello", false)).await.expect_status(404);
        let body = answer.json();
        let (_, message) = face.error(&body);
        assert!(message.contains("quik") && message.contains("quick"), "{face:?}: names must be near: {message}");
        if matches!(face, Face::OpenAi | Face::Responses) {
            assert_eq!(body["error"]["code"], "model_not_found", "the code must say what is wrong");
            assert_eq!(body["error"]["param"], "model", "the member must be named");
        }
    }
    let provider = gateway.ask(&Face::OpenAi.ask("simm/echo", "hello", false)).await.expect_status(404);
    let (_, message) = Face::OpenAi.error(&provider.json());
    assert!(message.contains("sim"), "a near provider must be named: {message}");
    gateway.ask(&Ask::get("/v1/models/quik")).await.expect_status(404);
}

#[tokio::test]
async fn missing_provider_key_names_its_variable() {
    let gateway = Gateway::start(Config::new()).await;
    for (model, variable) in [("openai/gpt-x", "OPENAI_API_KEY"), ("anthropic/claude-x", "ANTHROPIC_API_KEY")] {
        for face in Face::ALL.iter().copied() {
            let answer = gateway.ask(&face.ask(model, "hello", false)).await;
            assert!((400..600).contains(&answer.status()), "{model} cannot work without a key");
            let (_, message) = face.error(&answer.json());
            assert!(message.contains(variable), "{face:?} of {model}: the variable must be named: {message}");
        }
    }
}

#[tokio::test]
async fn malformed_json_is_refused_before_any_upstream_is_asked() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let cases = [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{}",
        "{\"messages\":[]}",
        "{\"model\":7,\"messages\":[]}",
        "{\"model\":null,\"messages\":[]}",
        "{\"model\":\"\",\"messages\":[]}",
        "{\"model\":\"up-openai/a\",\"messages\":[]",
        "{\"model\":\"up-openai/a\",\"messages\":[]} trailing",
        "{\"model\":\"up-openai/a\",\"model\":\"up-openai/b\",\"messages\":[]}",
        "{\"model\":\"up-openai/a\",\"mod\\u0065l\":\"up-openai/b\",\"messages\":[]}",
        "{\"model\":\"up-openai/a\",\"stream\":true,\"stream\":false,\"messages\":[]}",
        "{'model':'up-openai/a'}",
        "\u{feff}{\"model\":",
    ];
    for body in cases {
        for target in ["/v1/chat/completions", "/v1/messages"] {
            let face = if target == "/v1/messages" { Face::Anthropic } else { Face::OpenAi };
            let answer = gateway.ask(&Ask::post_text(target, body)).await;
            assert_eq!(answer.status(), 400, "{target} {body:?} must be refused: {:?}", answer.body);
            let (kind, message) = face.error(&answer.json());
            assert_eq!(kind, "invalid_request_error", "{body:?}: the client must change its request");
            assert!(message.len() > 10, "{body:?}: the message must say what is wrong: {message}");
        }
    }
    let deep = format!("{{\"model\":\"up-openai/a\",\"messages\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let answer = gateway.ask(&Ask::post_text("/v1/chat/completions", &deep)).await;
    assert!(matches!(answer.status(), 200 | 400), "endless nesting must not bring anything down");
    gateway.still_serves().await;
    let seen = upstream.seen();
    assert!(seen.iter().all(|seen| seen.body.len() > 100_000), "a malformed request must not be forwarded");
}

#[tokio::test]
async fn body_that_is_not_text_is_refused() {
    let gateway = Gateway::start(Config::new()).await;
    let gzipped =
        Ask::new("POST", "/v1/chat/completions").header("content-encoding", "gzip").body(vec![0x1f, 0x8b, 8, 0]);
    let status = gateway.ask(&gzipped).await.status();
    assert!(matches!(status, 400 | 415), "a compressed body must be refused or understood, came {status}");
    let broken = Ask::new("POST", "/v1/chat/completions").body(b"{\"model\":\"sim/echo\",\"x\":\"\xff\xfe\"}".to_vec());
    gateway.ask(&broken).await.expect_status(400);
    gateway.still_serves().await;
}

#[tokio::test]
async fn wrong_key_is_told_in_each_dialect() {
    let gateway = Gateway::start(Config::new().key(KEY)).await;
    for face in Face::ALL.iter().copied() {
        let ask = face.ask("sim/echo", "hello", false);
        for ask in [ask.clone(), ask.clone().bearer("wrong"), ask.clone().bearer(""), ask.header("x-api-key", "wrong")]
        {
            let answer = gateway.ask(&ask).await.expect_status(401);
            let (kind, message) = face.error(&answer.json());
            let expected = if face == Face::Gemini { "UNAUTHENTICATED" } else { "authentication_error" };
            assert_eq!(kind, expected, "{face:?} must be told of its key");
            assert!(!message.contains(KEY), "no message may tell a key: {message}");
        }
    }
    for path in ["/v1/models", "/p/sim/v1/x", "/v1beta/models"] {
        gateway.ask(&Ask::get(path)).await.expect_status(401);
    }
    for path in ["/health", "/health/ready"] {
        gateway.ask(&Ask::get(path)).await.expect_status(200);
    }
}

#[tokio::test]
async fn key_is_taken_wherever_a_client_puts_it() {
    let gateway = Gateway::start(Config::new().key(KEY)).await;
    for face in Face::ALL.iter().copied() {
        let plain = face.ask("sim/echo", "hello", false);
        let mut query = plain.clone();
        query.target += "?key=";
        query.target += KEY;
        let mut asks = vec![
            ("a bearer", plain.clone().bearer(KEY)),
            ("a bearer in lower case", plain.clone().header("authorization", &format!("bearer {KEY}"))),
            ("x-api-key", plain.clone().header("x-api-key", KEY)),
            ("x-goog-api-key", plain.clone().header("x-goog-api-key", KEY)),
        ];
        if face == Face::Gemini {
            asks.push(("the query", query));
        }
        for (place, ask) in asks {
            let answer = gateway.ask(&ask).await;
            assert_eq!(answer.status(), 200, "{face:?}: {place} must open the gateway: {:?}", answer.body);
        }
    }
}

#[tokio::test]
async fn key_may_be_kept_as_a_digest() {
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in Sha256::digest(KEY.as_bytes()) {
        write!(hex, "{byte:02x}").expect("a string takes any text");
    }
    let keys = format!("[{{name: digest, hash: \"sha256:{hex}\"}}]");
    let gateway = Gateway::start(Config::new().section("keys", &keys)).await;
    let ask = Face::OpenAi.ask("sim/echo", "hello", false);
    gateway.ask(&ask.clone().bearer(KEY)).await.expect_status(200);
    gateway.ask(&ask.bearer(&hex)).await.expect_status(401);
}

#[tokio::test]
async fn key_reaches_only_the_models_that_it_may_use() {
    let keys = format!("[{{name: narrow, key: {KEY}, models: [\"sim/*\"]}}]");
    let gateway = Gateway::start(Config::new().section("keys", &keys).model("nick", "sim/echo")).await;
    gateway.ask(&Face::OpenAi.ask("sim/echo", "hello", false).bearer(KEY)).await.expect_status(200);
    let answer = gateway.ask(&Face::OpenAi.ask("sim-openai/echo", "hello", false).bearer(KEY)).await;
    assert!(matches!(answer.status(), 403 | 404), "a model beyond the key's list must be refused: {}", answer.status());
    Face::OpenAi.error(&answer.json());
}
