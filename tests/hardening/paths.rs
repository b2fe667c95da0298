//! Paths: dots that climb, slashes that hide, bytes that do not belong.

use serde_json::Value;

use super::pair;
use crate::support::{Ask, Config, Gateway, Script, Upstream};

#[tokio::test]
async fn climbing_paths_are_refused() {
    let (gateway, upstream) = pair().await;
    let climbing = [
        "/v1/../health",
        "/..",
        "/../health",
        "/v1/models/..",
        "/v1/%2e%2e/health",
        "/v1/%2E%2E/health",
        "/v1/%2e./health",
        "/v1/.%2E/health",
        "/v1/models/sim%2F..%2Fecho",
        "/v1/models/sim%2f%2e%2e",
        "/p/up-openai/../up-gemini/x",
        "/p/up-openai/v1/%2e%2e/files",
        "/p/up-openai/v1/..%2Ffiles",
        "/p/%2e%2e/x",
        "/v1beta/models/a%2F..%2Fb:generateContent",
    ];
    for path in climbing {
        for method in ["GET", "POST"] {
            let answer = gateway.ask(&Ask::new(method, path)).await;
            assert_eq!(answer.status(), 400, "{method} {path} climbs and must be refused: {}", answer.text());
        }
    }
    assert!(upstream.seen().is_empty(), "no climbing path may reach the upstream");
    gateway.still_serves().await;
}

#[tokio::test]
async fn dots_that_do_not_climb_are_served() {
    let (gateway, upstream) = pair().await;
    for path in
        ["/p/up-openai/v1/a..b", "/p/up-openai/v1/files/...", "/p/up-openai/v1/.hidden", "/p/up-openai/v1/x?q=../y"]
    {
        gateway.ask(&Ask::get(path)).await.expect_status(200);
        let target = upstream.seen().pop().expect("the request must reach the upstream").head.target().to_owned();
        assert_eq!(target, path.trim_start_matches("/p/up-openai"), "the target must arrive as it was written");
    }
}

#[tokio::test]
async fn encoded_slash_is_legal_inside_an_id() {
    let gateway = Gateway::start(Config::new()).await;
    for path in ["/v1/models/sim%2Fecho", "/v1/models/sim%2fecho", "/v1/models/sim/echo"] {
        let answer = gateway.ask(&Ask::get(path)).await.expect_status(200);
        assert_eq!(answer.json()["id"], "sim/echo", "{path} must name the model");
    }
    let body = serde_json::json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    for path in ["/v1beta/models/sim%2Fecho:generateContent", "/v1beta/models/sim/echo:generateContent"] {
        gateway.ask(&Ask::post(path, &body)).await.expect_status(200);
    }
}

#[tokio::test]
async fn encoded_slash_never_changes_routing() {
    let (gateway, upstream) = pair().await;
    for path in ["/v1%2Fmodels", "/%2Fhealth", "/v1/chat%2Fcompletions", "/p%2Fup-openai/v1/files", "/health%2F"] {
        let answer = gateway.ask(&Ask::get(path)).await;
        assert_eq!(answer.status(), 404, "{path} is no route");
    }
    assert!(upstream.seen().is_empty(), "a hidden slash must not open a route");
    gateway.ask(&Ask::get("/p/up-openai/v1/files/a%2Fb")).await.expect_status(200);
    assert_eq!(upstream.only().head.target(), "/v1/files/a%2Fb", "under `/p/` an encoded slash stays raw");
}

#[tokio::test]
async fn hostile_escapes_are_errors() {
    let (gateway, upstream) = pair().await;
    for path in ["/v1/models/a%00b", "/v1/models/a%zz", "/v1/models/%", "/v1/models/%ff%fe", "/v1/models/a%0d%0ab"] {
        let answer = gateway.ask(&Ask::get(path)).await;
        assert!(matches!(answer.status(), 400 | 404), "{path} must be refused, came {}", answer.status());
        let error: Value = answer.json();
        assert!(error["error"]["message"].is_string(), "the refusal of {path} must be a proper error");
    }
    assert!(upstream.seen().is_empty(), "no hostile path may reach the upstream");
    gateway.still_serves().await;
}

#[tokio::test]
async fn header_injection_by_path_is_impossible() {
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    gateway.ask(&Ask::get("/p/up-openai/v1/x%0d%0aX-Evil:%201")).await;
    for seen in upstream.seen() {
        assert_eq!(seen.head.get("x-evil"), None, "an encoded line end must not become one");
    }
}
