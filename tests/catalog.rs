//! Every provider of the catalog, asked by a client of the `openai` dialect: one gateway, one upstream that all of them are
//! moved to, each with its own path prefix and a key of its own. What goes out is as the entry says, which a test of the
//! catalog compares with collected facts.

use std::collections::BTreeSet;

use lockgate_config::{Capability, CatalogEntry, Kind, catalog};
use serde_json::{Value, json};

use crate::support::{Ask, Client, Config, Face, Gateway, Script, Upstream, upstream::Seen};

/// What the upstream answers.
const ANSWER: &str = "from afar";

const CHAT: &str = "llm/v1/chat";

/// The entries that are somewhere else than in the gateway.
fn entries() -> Vec<CatalogEntry> {
    catalog().into_iter().filter(|entry| entry.kind != Kind::Builtin).collect()
}

/// Where such a client is served: in its own dialect where that is spoken, else in the one that is preferred.
fn chat(entry: &CatalogEntry) -> Option<&Capability> {
    let chats = || entry.capabilities.iter().filter(|own| own.route_type == CHAT);
    chats().find(|own| own.dialect.as_deref() == Some("openai")).or_else(|| chats().next())
}

/// The path before every endpoint's.
fn prefix(entry: &CatalogEntry) -> &str {
    below_host(&entry.base_url)
}

/// What of a URL stands behind its host; all of a path.
fn below_host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default()
}

fn key(entry: &CatalogEntry) -> String {
    format!("sk-of-{}", entry.name)
}

/// A gateway whose providers are all moved to the upstream.
async fn gateway(upstream: &Upstream, entries: &[CatalogEntry]) -> Gateway {
    let config = entries.iter().fold(Config::new(), |config, entry| {
        let params: Vec<String> = entry.params.iter().map(|(name, _)| format!("{name}: mine")).collect();
        let (url, key) = (upstream.url() + prefix(entry), key(entry));
        let yaml = format!("{{base_url: \"{url}\", api_key: {key}, params: {{{}}}}}", params.join(", "));
        config.provider_text(entry.name, &yaml)
    });
    Gateway::start(config).await
}

/// Whether a path is what a template says; `{model}` is `m-1`, params are what they are.
fn fits(path: &str, template: &str) -> bool {
    let mut rest = path;
    let mut pieces = template.split('{');
    let Some(tail) = rest.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    rest = tail;
    for piece in pieces {
        let (name, text) = piece.split_once('}').expect("a template closes its braces");
        let end = rest.find(['/', ':', '?', '&']).unwrap_or(rest.len());
        let (value, after) = rest.split_at_checked(end).expect("a separator is one byte");
        if value.is_empty() || (name == "model" && value != "m-1") {
            return false;
        }
        let Some(tail) = after.strip_prefix(text) else { return false };
        rest = tail;
    }
    rest.is_empty()
}

/// Asserts that a request carries the entry's key as the entry says, its headers, and no other credential.
fn assert_signed(seen: &Seen, entry: &CatalogEntry) {
    let shown = entry.auth.replace("KEY", &key(entry));
    let mut header = "";
    match shown.split_once(": ") {
        Some((name, value)) => {
            header = name;
            assert_eq!(seen.head.get(name), Some(value), "{}", entry.name);
            assert_eq!(seen.head.all(name).count(), 1, "{}: {name} must stand once", entry.name);
        }
        None if shown.starts_with('?') => {
            let query = seen.head.target().split_once('?').map(|(_, query)| query);
            let mut pairs = query.into_iter().flat_map(|query| query.split('&'));
            assert!(pairs.any(|pair| pair == shown.trim_start_matches('?')), "{}: {}", entry.name, seen.head.target());
        }
        None => assert_eq!(shown, "none", "{}", entry.name),
    }
    for other in ["authorization", "api-key", "x-api-key", "x-goog-api-key"].into_iter().filter(|name| *name != header)
    {
        assert_eq!(seen.head.get(other), None, "{}: {other}", entry.name);
    }
    for (name, value) in &entry.headers {
        assert_eq!(seen.head.get(name), Some(value.as_str()), "{}: {name}", entry.name);
    }
}

/// An answer in the dialect of the endpoint.
fn answer(seen: &Seen) -> Script {
    let path = seen.head.target().split('?').next().unwrap_or_default();
    let body = if path.ends_with("/converse") {
        json!({"output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}, "metrics": {"latencyMs": 1}})
    } else if path.ends_with("/v2/chat") {
        json!({"id": "c-1", "finish_reason": "COMPLETE", "message": {"role": "assistant",
            "content": [{"type": "text", "text": ANSWER}]}, "usage": {"tokens": {"input_tokens": 11, "output_tokens": 7}}})
    } else if path.ends_with(":generateContent") {
        return Face::Gemini.script(ANSWER, false);
    } else if ["/messages", ":rawPredict", "/invoke"].iter().any(|ending| path.ends_with(ending)) {
        return Face::Anthropic.script(ANSWER, false);
    } else {
        return Face::OpenAi.script(ANSWER, false);
    };
    Script::json(200, &body.to_string())
}

/// Asserts that a body is one of its dialect.
fn assert_shape(seen: &Seen, entry: &CatalogEntry, chat: &Capability) {
    let body: Value = serde_json::from_slice(&seen.body).expect("a body of JSON goes out");
    let dialect = chat.dialect.as_deref().expect("chat is spoken in a dialect");
    let said = match dialect {
        "gemini" => &body["contents"][0]["parts"][0]["text"],
        "bedrock" => &body["messages"][0]["content"][0]["text"],
        "anthropic" if body["messages"][0]["content"].is_array() => &body["messages"][0]["content"][0]["text"],
        _ => &body["messages"][0]["content"],
    };
    assert_eq!(said, "hello", "{}: {body}", entry.name);
    let in_path =
        ["gemini", "bedrock"].contains(&dialect) || chat.path.contains(":rawPredict") || chat.path.ends_with("/invoke");
    assert_eq!(body["model"].as_str(), (!in_path).then_some("m-1"), "{}: {body}", entry.name);
    assert_eq!(body["max_tokens"].is_u64(), dialect == "anthropic", "{}: {body}", entry.name);
}

#[tokio::test]
async fn every_chat_of_the_catalog_is_asked_as_its_entry_says() {
    let entries: Vec<CatalogEntry> = entries().into_iter().filter(|entry| chat(entry).is_some()).collect();
    let upstream = Upstream::start(answer).await;
    let gateway = gateway(&upstream, &entries).await;
    let mut client = Client::open(gateway.port).await;
    for (count, entry) in entries.iter().enumerate() {
        let own = chat(entry).expect("it has chat");
        let rsp = client.ask(&Face::OpenAi.ask(&format!("{}/m-1", entry.name), "hello", false)).await;
        assert_eq!(rsp.status(), 200, "{}: {}", entry.name, rsp.text());
        assert_eq!(rsp.get("x-lockgate-provider"), Some(entry.name));
        let message = &rsp.json()["choices"][0]["message"];
        assert_eq!((&message["role"], &message["content"]), (&json!("assistant"), &json!(ANSWER)), "{}", entry.name);
        let seen = upstream.seen();
        assert_eq!(seen.len(), count + 1, "{} is asked once", entry.name);
        let seen = seen.last().expect("it was counted");
        // A whole URL stands for its path where the provider is moved.
        let template = lockgate_config::join_path(prefix(entry), below_host(&own.path));
        assert_eq!(seen.head.method(), "POST");
        assert!(fits(seen.head.target(), &template), "{}: {} is not {template}", entry.name, seen.head.target());
        assert_signed(seen, entry);
        assert_shape(seen, entry, own);
    }
    assert!(entries.len() > 170, "{} providers were asked", entries.len());
    gateway.still_serves().await;
}

#[tokio::test]
async fn what_has_no_conversations_says_so_and_is_reached_under_its_own_path() {
    let entries: Vec<CatalogEntry> = entries().into_iter().filter(|entry| entry.dialects.is_empty()).collect();
    let upstream = Upstream::start(|_| Script::json(200, "{}")).await;
    let gateway = gateway(&upstream, &entries).await;
    let mut client = Client::open(gateway.port).await;
    for entry in &entries {
        for face in Face::ALL.iter().copied() {
            let rsp = client.ask(&face.ask(&format!("{}/m-1", entry.name), "hello", false)).await.expect_status(400);
            let (_, message) = face.error(&rsp.json());
            assert!(message.contains(&format!("`/p/{}/", entry.name)), "{face:?}: {message}");
            let operations = entry.capabilities.iter().filter(|own| own.dialect.is_none());
            for operation in operations {
                assert!(message.contains(&format!("`{}`", operation.name)), "{face:?}: {message}");
            }
        }
        let before = upstream.seen().len();
        let ask = Ask::post(&format!("/p/{}/own/thing?a=b", entry.name), &json!({"x": 1}));
        Client::open(gateway.port).await.ask(&ask).await.expect_status(200);
        let seen = upstream.seen();
        assert_eq!(seen.len(), before + 1, "{} is asked once", entry.name);
        let seen = seen.last().expect("it was counted");
        let target = format!("{}/own/thing?a=b", prefix(entry));
        assert!(seen.head.target().starts_with(&target), "{}: {}", entry.name, seen.head.target());
        assert_signed(seen, entry);
    }
    assert!(entries.len() > 60, "{} providers have no conversations", entries.len());
    gateway.still_serves().await;
}

#[tokio::test]
async fn a_provider_of_completions_alone_answers_chat() {
    let upstream = Upstream::start(|_| {
        let choice = json!({"index": 0, "text": ANSWER, "finish_reason": "stop", "logprobs": null});
        Script::json(
            200,
            &json!({"id": "c", "object": "text_completion", "created": 1, "choices": [choice]}).to_string(),
        )
    })
    .await;
    let config = Config::new().env("GOOSEAI_API_KEY", "sk-goose").env("GOOSEAI_BASE_URL", &upstream.url());
    let gateway = Gateway::start(config).await;
    let rsp = gateway.ask(&Face::OpenAi.ask("gooseai/m-1", "hello", false)).await.expect_status(200);
    assert_eq!(rsp.json()["choices"][0]["message"]["content"], json!(ANSWER));
    let seen = upstream.only();
    assert_eq!(seen.head.target(), "/v1/engines/m-1/completions");
    let body: Value = serde_json::from_slice(&seen.body).expect("a body of JSON goes out");
    assert!(body["prompt"].as_str().is_some_and(|prompt| prompt.contains("hello")), "{body}");
}

#[tokio::test]
async fn a_pool_passes_over_what_has_no_conversations() {
    let config = Config::new().provider_text("deepl", "{api_key: k}").model("pool", "{targets: [deepl/x, sim/echo]}");
    let gateway = Gateway::start(config).await;
    let rsp = gateway.ask(&Face::OpenAi.ask("pool", "hello", false)).await.expect_status(200);
    assert_eq!(rsp.get("x-lockgate-provider"), Some("sim"));
}

#[tokio::test]
async fn a_variable_switches_a_provider_on_and_an_alias_names_it() {
    let upstream = Upstream::start(answer).await;
    let config = Config::new()
        .env("XAI_API_KEY", "sk-xai")
        .env("XAI_BASE_URL", &upstream.url())
        .env("JINA_API_KEY", "sk-jina")
        .env("JINA_BASE_URL", &upstream.url());
    let gateway = Gateway::start(config).await;
    for (name, provider) in [("xai", "xai"), ("grok", "xai"), ("jina", "jina")] {
        let rsp = gateway.ask(&Face::OpenAi.ask(&format!("{name}/m-1"), "hello", false)).await.expect_status(200);
        assert_eq!(rsp.get("x-lockgate-provider"), Some(provider));
        let seen = upstream.seen().pop().expect("the request goes out");
        assert_eq!(seen.head.target(), "/v1/chat/completions");
        assert_eq!(seen.head.get("authorization"), Some(format!("Bearer sk-{provider}").as_str()));
    }
    let rsp = gateway.ask(&Ask::post("/p/grok/v1/tts", &json!({}))).await;
    assert_eq!((rsp.status(), upstream.seen().pop().expect("it passes").head.target()), (200, "/v1/tts"));
    let rsp = gateway.ask(&Face::OpenAi.ask("echo/echo", "hello", false)).await.expect_status(200);
    assert_eq!(Face::OpenAi.text(&rsp.json()), "hello", "the simulator has an alias too");
}

#[tokio::test]
async fn what_nobody_switched_on_is_woken_by_a_callers_key() {
    let upstream = Upstream::start(answer).await;
    let config = Config::new().env("PORTKEY_BASE_URL", &upstream.url());
    let gateway = Gateway::start(config).await;
    // Nobody has said anything about the first, so that it is made when it is asked for; no key, so nothing goes out.
    for (name, variable) in [("hyperstack", "HYPERSTACK_API_KEY"), ("portkey", "PORTKEY_API_KEY")] {
        for _ in 0..2 {
            let rsp = gateway.ask(&Face::OpenAi.ask(&format!("{name}/m-1"), "hello", false)).await;
            let (_, message) = Face::OpenAi.error(&rsp.json());
            let told = message.contains(variable) && message.contains(&format!("x-{name}-key"));
            assert!(rsp.status() >= 400 && told, "{}: {message}", rsp.status());
        }
    }
    let ask = Face::OpenAi.ask("portkey/m-1", "hello", false).header("x-portkey-key", "sk-mine");
    gateway.ask(&ask).await.expect_status(200);
    assert_eq!(upstream.only().head.get("x-portkey-api-key"), Some("sk-mine"));
    let ask =
        Ask::post("/p/portkey/v1/x", &json!({})).header("x-portkey-key", "sk-mine").header("x-hyperstack-key", "no");
    gateway.ask(&ask).await.expect_status(200);
    let seen = upstream.seen().pop().expect("it passes");
    let private: BTreeSet<&str> =
        ["x-portkey-key", "x-hyperstack-key"].into_iter().filter(|name| seen.head.get(name).is_some()).collect();
    assert!(private.is_empty(), "keys for the gateway stay here: {private:?}");
}
