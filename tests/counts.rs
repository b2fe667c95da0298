//! Counting tokens: by the provider where it counts, by another dialect's where that one does, estimated otherwise.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{Answer, Ask, Config, Gateway, Script, Upstream};

/// The header that says whose number it is.
const WHOSE: &str = "x-lockgate-token-count";

/// The forms in which clients ask for a count.
const CLIENTS: [fn(&str) -> Ask; 5] = [anthropic, gemini, responses, converse, invoke];

fn anthropic(model: &str) -> Ask {
    let body =
        json!({"model": model, "system": "Be brief.", "messages": [{"role": "user", "content": "How are you?"}]});
    Ask::post("/v1/messages/count_tokens", &body)
}

fn gemini(model: &str) -> Ask {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "How are you?"}]}]});
    Ask::post(&format!("/v1beta/models/{}:countTokens", model.replace('/', "%2F")), &body)
}

fn responses(model: &str) -> Ask {
    let body = json!({"model": model, "instructions": "Be brief.", "input": "How are you?"});
    Ask::post("/v1/responses/input_tokens", &body)
}

fn converse(model: &str) -> Ask {
    let messages = json!([{"role": "user", "content": [{"text": "How are you?"}]}]);
    bedrock(model, &json!({"converse": {"system": [{"text": "Be brief."}], "messages": messages}}))
}

/// As a client of a vendor's at this host asks: what the vendor takes, in base64.
fn invoke(model: &str) -> Ask {
    let messages = json!([{"role": "user", "content": "How are you?"}]);
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "system": "Be brief.", "messages": messages});
    bedrock(model, &json!({"invokeModel": {"body": STANDARD.encode(body.to_string())}}))
}

fn bedrock(model: &str, input: &Value) -> Ask {
    Ask::post(&format!("/model/{}/count-tokens", model.replace('/', "%2F")), &json!({"input": input}))
}

fn count(answer: &Answer) -> u64 {
    let body = answer.json();
    let written = ["input_tokens", "totalTokens", "inputTokens"].iter().find_map(|name| body[name].as_u64());
    written.unwrap_or_else(|| panic!("there must be a count: {body}"))
}

#[tokio::test]
async fn who_counts_is_asked_and_who_does_not_is_estimated() {
    let gateway = Gateway::start(Config::new()).await;
    for (provider, whose) in [
        ("sim-anthropic", "exact"),
        ("sim-gemini", "exact"),
        ("sim-openai-responses", "exact"),
        ("sim-bedrock", "exact"),
        ("sim-openai", "estimate"),
        ("sim-cohere", "estimate"),
        ("sim-ollama", "estimate"),
    ] {
        for client in CLIENTS {
            let ask = client(&format!("{provider}/echo"));
            let answer = gateway.ask(&ask).await.expect_status(200);
            let told = format!("{provider}: {}: {}", ask.target, answer.text());
            assert_eq!(answer.get(WHOSE), Some(whose), "{told}");
            assert!((5..30).contains(&count(&answer)), "{told}");
        }
    }
}

#[tokio::test]
async fn an_answer_has_the_form_of_the_question() {
    let gateway = Gateway::start(Config::new()).await;
    for provider in ["sim-anthropic", "sim-gemini", "sim-openai-responses", "sim-bedrock", "sim-cohere"] {
        for client in CLIENTS {
            let ask = client(&format!("{provider}/echo"));
            let answer = gateway.ask(&ask).await.expect_status(200);
            let count = count(&answer);
            let form = match () {
                () if ask.target.contains("/responses/") => {
                    json!({"object": "response.input_tokens", "input_tokens": count})
                }
                () if ask.target.contains("/messages/") => json!({"input_tokens": count}),
                () if ask.target.contains("/model/") => json!({"inputTokens": count}),
                () => json!({"totalTokens": count}),
            };
            assert_eq!(answer.json(), form, "{provider}: {}", ask.target);
        }
    }
}

#[tokio::test]
async fn a_count_goes_out_in_the_form_of_who_counts() {
    let upstream = Upstream::start(|seen| {
        let target = seen.head.target();
        let counts = target.contains("ount") || target.contains("input_tokens");
        Script::json(200, if counts { r#"{"input_tokens":42,"totalTokens":42,"inputTokens":42}"# } else { "{}" })
    })
    .await;
    let url = upstream.url();
    let provider = |dialect: &str, path: &str| {
        format!("{{dialect: {dialect}, base_url: \"{url}\", api_key: k, paths: {{count_tokens: \"{path}\"}}}}")
    };
    let config = Config::new()
        .provider_text("a", &provider("anthropic", "/v1/messages/count_tokens"))
        .provider_text("g", &provider("gemini", "/v1beta/models/{model}:countTokens"))
        .provider_text("o", &provider("openai", "/v1/responses/input_tokens"))
        .provider_text("b", &provider("bedrock", "/model/{model}/count-tokens"));
    let gateway = Gateway::start(config).await;
    for client in CLIENTS {
        for (provider, native, target) in [
            ("a", "/v1/messages/", "/v1/messages/count_tokens"),
            ("g", "/v1beta/", "/v1beta/models/m:countTokens"),
            ("o", "/v1/responses/", "/v1/responses/input_tokens"),
            ("b", "/model/", "/model/m/count-tokens"),
        ] {
            let ask = client(&format!("{provider}/m"));
            let answer = gateway.ask(&ask).await.expect_status(200);
            let told = format!("{} at {target}", ask.target);
            assert_eq!((count(&answer), answer.get(WHOSE)), (42, Some("exact")), "{told}: {}", answer.text());
            let sent = upstream.seen().pop().expect("a request went out");
            assert_eq!(sent.head.target(), target, "{told}");
            if ask.target.starts_with(native) {
                let own = format!("\"{provider}/m\"");
                assert_eq!(sent.body, String::from_utf8_lossy(&ask.body).replace(&own, "\"m\"").as_bytes(), "{told}");
                continue;
            }
            let body: Value = serde_json::from_slice(&sent.body).expect("a body of JSON goes out");
            let system = if ask.target.starts_with("/v1beta/") { Value::Null } else { json!("Be brief.") };
            match provider {
                "a" => {
                    let content = &body["messages"][0]["content"];
                    assert!([content, &content[0]["text"]].contains(&&json!("How are you?")), "{told}: {body}");
                    assert_eq!((&body["model"], body["system"].is_null()), (&json!("m"), system.is_null()), "{told}");
                    assert!(body["max_tokens"].is_null() && body["stream"].is_null(), "{told}: {body}");
                }
                "g" => {
                    let inner = &body["generateContentRequest"];
                    assert_eq!(inner["model"], "models/m", "{told}: {body}");
                    assert_eq!(inner["contents"][0]["parts"][0]["text"], "How are you?", "{told}: {body}");
                }
                "o" => {
                    assert_eq!(body["model"], "m", "{told}: {body}");
                    let said = body["input"].to_string();
                    assert!(
                        said.contains("How are you?") && said.contains("Be brief.") != system.is_null(),
                        "{told}: {body}"
                    );
                    let of_the_answer = ["max_output_tokens", "store", "include", "stream"];
                    assert!(of_the_answer.iter().all(|name| body.get(name).is_none()), "{told}: {body}");
                }
                _ => {
                    let inner = &body["input"]["converse"];
                    assert_eq!(inner["messages"][0]["content"], json!([{"text": "How are you?"}]), "{told}: {body}");
                    assert_eq!(inner.get("inferenceConfig"), None, "{told}: {body}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_count_never_fails_for_a_provider() {
    let gateway = Gateway::start(Config::new()).await;
    let failing = ["sim-anthropic/error=500", "sim-anthropic/error=401", "sim-gemini/error=429", "anthropic/claude-x"];
    let failing = failing.iter().chain(&["sim-bedrock/error=400", "sim-openai-responses/error=404", "openai/gpt-x"]);
    for model in failing {
        for client in CLIENTS {
            let ask = client(model);
            let answer = gateway.ask(&ask).await.expect_status(200);
            assert_eq!(answer.get(WHOSE), Some("estimate"), "{model}: {}: {}", ask.target, answer.text());
            assert!(count(&answer) > 3, "{model}: {}: {}", ask.target, answer.text());
        }
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
    let answer = gateway.ask(&Ask::post("/v1/responses/input_tokens", &json!({"input": "hi"}))).await;
    assert_eq!(answer.expect_status(400).json()["error"]["type"], "invalid_request_error");
    let answer = gateway.ask(&responses("nowhere/nothing")).await.expect_status(404);
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
    let answer = gateway.ask(&converse("nowhere/nothing")).await.expect_status(404);
    assert_eq!(answer.get("x-amzn-errortype"), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn a_wrapper_with_nothing_or_two_things_in_it_is_refused() {
    let gateway = Gateway::start(Config::new()).await;
    let messages = r#"{"messages":[]}"#;
    for body in [
        "{}".to_owned(),
        r#"{"input":{}}"#.to_owned(),
        messages.to_owned(),
        format!(r#"{{"input":{{"converse":{messages},"invokeModel":{{"body":""}}}}}}"#),
        format!(r#"{{"input":{{"converse":{messages}}},"in\u0070ut":{{"converse":{messages}}}}}"#),
        format!(r#"{{"input":{{"converse":{messages}"#),
    ] {
        let ask = Ask::post_text("/model/sim-bedrock%2Fecho/count-tokens", &body);
        let answer = gateway.ask(&ask).await.expect_status(400);
        assert_eq!(answer.get("x-amzn-errortype"), Some("ValidationException"), "{body}");
    }
}

#[tokio::test]
async fn a_body_of_a_vendor_that_is_not_known_is_weighed() {
    let gateway = Gateway::start(Config::new()).await;
    let titan = STANDARD.encode(r#"{"inputText":"How are you?"}"#);
    for body in [json!(titan), json!("no base64!"), json!(7)] {
        let ask = bedrock("sim-anthropic/echo", &json!({"invokeModel": {"body": body}}));
        let answer = gateway.ask(&ask).await.expect_status(200);
        assert_eq!(answer.get(WHOSE), Some("estimate"), "{body}");
        assert!(count(&answer) > 0, "{body}");
    }
}

/// A recorded count: where it was asked for, its model, what was asked and answered.
struct Recorded {
    path: String,
    model: String,
    request: String,
    status: u16,
    response: String,
}

fn recorded() -> Vec<Recorded> {
    let named = std::env::var_os("LOCKGATE_CORPUS").map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no recordings at {}; set LOCKGATE_CORPUS to the folder that has them", corpus.display());
        return Vec::new();
    }
    let folders = ["anthropic", "bedrock", "openai-responses"].map(|name| corpus.join(name));
    let cases = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the corpus must have its folders"));
    let read = |case: fs::DirEntry| {
        let file = |name: &str| fs::read_to_string(case.path().join(name)).ok();
        let meta: Value = serde_json::from_str(&file("meta.json")?).expect("meta.json must be JSON");
        let path = meta["path"].as_str()?.strip_prefix("POST ")?.to_owned();
        let counts = ["/count_tokens", "/count-tokens", "/input_tokens"].iter().any(|end| path.contains(end));
        if !counts {
            return None;
        }
        // The id as the path has it, where it does: that of the file may lack its version.
        let in_path = path.split("/model/").nth(1).and_then(|rest| rest.split('/').next());
        Some(Recorded {
            model: in_path.or_else(|| meta["model"].as_str())?.to_owned(),
            path,
            request: file("request.json")?,
            status: u16::try_from(meta["status"].as_u64()?).ok()?,
            response: file("response.json")?,
        })
    };
    let cases: Vec<Recorded> = cases.filter_map(|case| read(case.expect("a folder is readable"))).collect();
    assert!(cases.len() >= 5, "the corpus must have counts, it has {}", cases.len());
    cases
}

#[tokio::test]
async fn recorded_counts_pass_untouched_and_are_told_to_others() {
    for case in recorded() {
        let answer = case.response.clone();
        let upstream = Upstream::start(move |_| Script::json(case.status, &answer)).await;
        let dialect = match &*case.path {
            path if path.contains("/messages/") => "anthropic",
            path if path.contains("/responses/") => "openai",
            _ => "bedrock",
        };
        let path = case.path.replace(&case.model, "{model}");
        let path = path.split('?').next().expect("a split has a first part");
        let yaml = format!(
            "{{dialect: {dialect}, base_url: \"{}\", api_key: k, paths: {{count_tokens: \"{path}\"}}}}",
            upstream.url()
        );
        let gateway = Gateway::start(Config::new().provider_text("up", &yaml)).await;
        let named = format!("\"model\": \"{}\"", case.model);
        let own = format!("\"model\": \"up/{}\"", case.model);
        let target = path.replace("{model}", &format!("up%2F{}", case.model));
        let told = gateway.ask(&Ask::post_text(&target, &case.request.replace(&named, &own))).await.expect_status(200);
        let seen = upstream.only();
        assert_eq!(seen.head.target().replace("%3A", ":"), path.replace("{model}", &case.model));
        let spliced = case.request.replace(&named, &format!("\"model\": \"{}\"", case.model));
        assert_eq!(String::from_utf8_lossy(&seen.body), spliced, "{target}");
        if case.status != 200 {
            assert_eq!(told.get(WHOSE), Some("estimate"), "{target}: {}", told.text());
            continue;
        }
        assert_eq!((told.text(), told.get(WHOSE)), (&*case.response, Some("exact")), "{target}");
        for client in CLIENTS {
            let crossed = gateway.ask(&client(&format!("up/{}", case.model))).await.expect_status(200);
            assert_eq!((count(&crossed), crossed.get(WHOSE)), (count(&told), Some("exact")), "{target}");
        }
    }
}
