//! State that one vendor gave and a client of another dialect carries: it comes back to whoever made it, and reaches
//! nobody else.

use serde_json::{Value, json};

use crate::support::{Ask, Config, Face, Gateway, Script, Upstream};

const SIGNATURE: &str = "Q2xhc3NpY2FsIHN0YXRlIG9mIEdlbWluaQ==";

/// An upstream that calls a tool, with a signature, where it speaks Gemini.
async fn upstream() -> Upstream {
    Upstream::start(|seen| {
        if !seen.head.target().contains("generateContent") {
            return Face::Anthropic.script("fine", false);
        }
        let part = json!({"functionCall": {"name": "look", "args": {"at": "x"}}, "thoughtSignature": SIGNATURE});
        let answer = json!({"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}]});
        Script::json(200, &answer.to_string())
    })
    .await
}

fn first_turn(model: &str) -> Value {
    json!({
        "model": model, "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}],
        "messages": [{"role": "user", "content": "Look."}],
    })
}

/// The second turn of the conversation whose first answer is `answer`.
fn second_turn(model: &str, answer: &Value) -> Value {
    let mut body = first_turn(model);
    let call = answer["content"].as_array().and_then(|blocks| blocks.iter().find(|block| block["type"] == "tool_use"));
    let id = call.expect("the answer calls the tool")["id"].clone();
    let messages = body["messages"].as_array_mut().expect("there are messages");
    messages.push(json!({"role": "assistant", "content": answer["content"]}));
    messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "seen"}]}));
    body
}

async fn say(gateway: &Gateway, key: &str, body: &Value) -> Value {
    let ask = Ask::post("/v1/messages", body).header("x-api-key", key).header("anthropic-version", "2023-06-01");
    gateway.ask(&ask).await.expect_status(200).json()
}

#[tokio::test]
async fn pitfall_43_and_44_state_comes_back_to_its_maker_alone() {
    let upstream = upstream().await;
    let keys = "[{name: ann, key: sk-ann}, {name: bob, key: sk-bob}]";
    let gateway = Gateway::start(Config::to(&upstream).section("keys", keys)).await;
    let answer = say(&gateway, "sk-ann", &first_turn("up-gemini/gemini-3-pro")).await;
    assert!(!answer.to_string().contains(SIGNATURE), "foreign state travels in an envelope: {answer}");
    assert!(answer.to_string().contains("\"TEcx"), "there must be an envelope: {answer}");

    say(&gateway, "sk-ann", &second_turn("up-gemini/gemini-3-pro", &answer)).await;
    let sent = String::from_utf8(upstream.seen().pop().expect("it was asked").body.to_vec()).expect("text goes out");
    assert!(sent.contains(SIGNATURE), "the maker gets its state back: {sent}");
    assert!(!sent.contains("TEcx"), "{sent}");

    // Another tenant's envelope opens for nobody else.
    say(&gateway, "sk-bob", &second_turn("up-gemini/gemini-3-pro", &answer)).await;
    let sent = String::from_utf8(upstream.seen().pop().expect("it was asked").body.to_vec()).expect("text goes out");
    assert!(!sent.contains(SIGNATURE) && !sent.contains("TEcx"), "{sent}");

    // Nor does a vendor get another's, though it speaks the client's dialect and bytes would pass.
    say(&gateway, "sk-ann", &second_turn("up-anthropic/claude-sonnet-4-5", &answer)).await;
    let sent = String::from_utf8(upstream.seen().pop().expect("it was asked").body.to_vec()).expect("text goes out");
    assert!(!sent.contains(SIGNATURE) && !sent.contains("TEcx"), "{sent}");
    let sent: Value = serde_json::from_str(&sent).expect("JSON goes out");
    assert_eq!(sent["messages"][1]["content"][0]["type"], "tool_use", "{sent}");
}

/// The second turn of a client that sends back of an answer what its dialect's types have: the call.
fn chat_turn(model: &str, answer: Option<&Value>) -> Value {
    let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}});
    let mut body = json!({
        "model": model, "messages": [{"role": "user", "content": "Look."}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}],
    });
    if let (Some(answer), Some(messages)) = (answer, body["messages"].as_array_mut()) {
        let calls = answer["choices"][0]["message"]["tool_calls"].clone();
        let calls = json!([{"id": calls[0]["id"], "type": "function", "function": calls[0]["function"]}]);
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        messages.push(json!({"role": "tool", "tool_call_id": calls[0]["id"], "content": "seen"}));
    }
    body
}

#[tokio::test]
async fn pitfall_49_state_is_kept_for_clients_that_have_no_place_for_it() {
    let upstream = upstream().await;
    let keys = "[{name: ann, key: sk-ann}, {name: bob, key: sk-bob}]";
    let gateway = Gateway::start(Config::to(&upstream).section("keys", keys)).await;
    let say = async |key: &str, body: &Value| {
        gateway.ask(&Ask::post("/v1/chat/completions", body).bearer(key)).await.expect_status(200).json()
    };
    let answer = say("sk-ann", &chat_turn("up-gemini/gemini-3-pro", None)).await;
    for (key, kept) in [("sk-ann", true), ("sk-bob", false)] {
        say(key, &chat_turn("up-gemini/gemini-3-pro", Some(&answer))).await;
        let sent = upstream.seen().pop().expect("it was asked").body;
        let sent: Value = serde_json::from_slice(&sent).expect("JSON goes out");
        let signature = &sent["contents"][1]["parts"][0]["thoughtSignature"];
        assert_eq!(signature == SIGNATURE, kept, "{key}: {sent}");
    }
}
