//! What each quirk does to a translated request, and that it is told where something is lost.

use serde_json::{Value, json};

use super::{encode, encode_with, request};
use crate::model::{Field, LossLevel, Request};

const MESSAGES: &str = r#""messages":[{"role":"user","name":"ann","content":"hi"}]"#;

fn asking(members: &str) -> Request {
    let comma = if members.is_empty() { "" } else { "," };
    request(&format!("{{\"model\":\"m\",{MESSAGES}{comma}{members}}}"))
}

/// A member at an upstream without the quirk and with it, and what is lost with it.
fn with_and_without(members: &str, model: &str, quirk: &str, member: &str) -> (Value, Value, Vec<(Field, LossLevel)>) {
    let request = asking(members);
    let (plain, _) = encode(&request, model, &[]);
    let (odd, encoded) = encode(&request, model, &[quirk]);
    let losses = encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect();
    (plain.pointer(member).cloned().unwrap_or_default(), odd.pointer(member).cloned().unwrap_or_default(), losses)
}

#[test]
fn limits_and_seeds_have_the_upstreams_names() {
    let limit = |model: &str, quirks: &[&str]| {
        let (body, _) = encode(&asking(r#""max_tokens":7"#), model, quirks);
        (body["max_tokens"].as_u64(), body["max_completion_tokens"].as_u64())
    };
    assert_eq!(limit("my-deployment", &[]), (Some(7), None));
    assert_eq!(limit("my-deployment", &["max_completion_tokens"]), (None, Some(7)));
    assert_eq!(limit("gpt-4o", &["max_completion_tokens"]), (None, Some(7)));
    assert_eq!(limit("gpt-5", &[]), (None, Some(7)));
    assert_eq!(limit("gpt-5", &["max_tokens_legacy"]), (Some(7), None));
    let (body, _) = encode(&asking(r#""seed":7"#), "m", &["random_seed"]);
    assert_eq!((&body["seed"], &body["random_seed"]), (&Value::Null, &json!(7)));
}

#[test]
fn what_is_left_out_is_told() {
    let dropped = |field| vec![(field, LossLevel::Drop)];
    for (members, quirk, member, value, losses) in [
        (
            r#""frequency_penalty":0.5"#,
            "no_penalties",
            "/frequency_penalty",
            json!(0.5),
            dropped(Field::FrequencyPenalty),
        ),
        (r#""presence_penalty":0.5"#, "no_penalties", "/presence_penalty", json!(0.5), dropped(Field::PresencePenalty)),
        (r#""presence_penalty":0.0"#, "no_penalties", "/presence_penalty", json!(0), vec![]),
        (r#""service_tier":"flex""#, "no_platform_members", "/service_tier", json!("flex"), dropped(Field::Tier)),
        (r#""service_tier":"auto""#, "no_platform_members", "/service_tier", json!("auto"), vec![]),
        (r#""store":true"#, "no_platform_members", "/store", json!(true), dropped(Field::Store)),
        (r#""verbosity":"low""#, "no_platform_members", "/verbosity", json!("low"), dropped(Field::Verbosity)),
        (r#""metadata":{"a":"b"}"#, "no_platform_members", "/metadata", json!({"a":"b"}), dropped(Field::Metadata)),
        (r#""prompt_cache_key":"k""#, "no_platform_members", "/prompt_cache_key", json!("k"), dropped(Field::CacheKey)),
        ("", "no_name", "/messages/0/name", json!("ann"), dropped(Field::Name)),
        (r#""n":1"#, "no_candidates", "/n", json!(1), vec![]),
        (r#""user":"u""#, "no_user", "/user", json!("u"), dropped(Field::User)),
        (
            r#""reasoning_effort":"low""#,
            "no_reasoning_effort",
            "/reasoning_effort",
            json!("low"),
            dropped(Field::Reasoning),
        ),
    ] {
        let (plain, odd, lost) = with_and_without(members, "m", quirk, member);
        assert_eq!((plain, odd, lost), (value, Value::Null, losses), "{quirk} and {members}");
    }
}

#[test]
fn what_would_change_the_answers_shape_is_refused() {
    for (members, quirk, param) in [
        (r#""n":2"#, "no_candidates", "n"),
        (r#""logit_bias":{"1":5}"#, "no_logit_bias", "logit_bias"),
        (r#""logprobs":true"#, "no_logprobs", "logprobs"),
    ] {
        let request = asking(members);
        assert!(encode_with(&request, "m", &[]).is_ok(), "{members} goes where nothing forbids it");
        let error = encode_with(&request, "m", &[quirk]).expect_err("the upstream cannot do it");
        assert_eq!(error.param.as_deref(), Some(param));
    }
}

#[test]
fn a_call_that_must_be_made_becomes_one_that_may() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#;
    let (plain, odd, lost) = with_and_without(tools, "m", "no_required_tool", "/tool_choice");
    assert_eq!((plain, odd), (json!("required"), json!("auto")));
    assert_eq!(lost, [(Field::ToolChoice, LossLevel::Approx)]);
}

#[test]
fn a_schema_is_said_in_words() {
    let format =
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","x":1}}}"#;
    let (body, encoded) = encode(&asking(format), "deepseek-chat", &["json_object_only"]);
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    assert_eq!(body["messages"][0]["role"], "system");
    let words = body["messages"][0]["content"].as_str().expect("the words are a text");
    assert!(words.contains("JSON") && words.contains(r#"{"type":"object","x":1}"#), "{words}");
    assert_eq!(encoded.losses.iter().map(|loss| loss.field).collect::<Vec<_>>(), [Field::ResponseSchema]);
    let any = asking(r#""response_format":{"type":"json_object"}"#);
    let (body, encoded) = encode(&any, "deepseek-chat", &["json_object_only"]);
    assert!(body["messages"][0]["content"].as_str().is_some_and(|words| words.contains("JSON")));
    assert!(encoded.losses.is_empty());
    let (body, _) = encode(&asking(""), "deepseek-chat", &["json_object_only"]);
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(1), "who asks for text gets no such words");
}

#[test]
fn models_of_xai_that_think_refuse_what_they_refuse() {
    let request = asking(r#""frequency_penalty":0.5,"temperature":0.2,"reasoning_effort":"low""#);
    let (body, encoded) = encode(&request, "grok-4-1-fast", &[]);
    assert_eq!((&body["frequency_penalty"], &body["temperature"]), (&Value::Null, &json!(0.2)));
    assert_eq!(body["reasoning_effort"], Value::Null);
    assert_eq!(encoded.losses.iter().count(), 2);
    assert_eq!(encode(&request, "grok-4.3", &[]).0["reasoning_effort"], "low");
    assert_eq!(encode(&request, "grok-3", &[]).0["frequency_penalty"], json!(0.5));
    assert!(encode_with(&asking(r#""stop":"x""#), "grok-code-fast-1", &[]).is_err());
}

#[test]
fn models_of_mistral_think_or_do_not() {
    let effort = |model: &str, effort: &str| {
        let request = asking(&format!(r#""reasoning_effort":"{effort}""#));
        let (body, encoded) = encode(&request, model, &["effort_of_known_models"]);
        (body["reasoning_effort"].as_str().map(str::to_owned), encoded.losses.iter().next().map(|loss| loss.level))
    };
    let sent = |text: &str| Some(text.to_owned());
    assert_eq!(effort("mistral-small-latest", "high"), (sent("high"), None));
    assert_eq!(effort("mistral-small-latest", "none"), (sent("none"), None));
    assert_eq!(effort("mistral-small-latest", "low"), (sent("high"), Some(LossLevel::Approx)));
    assert_eq!(effort("mistral-small-latest", "xhigh"), (sent("high"), Some(LossLevel::Approx)));
    assert_eq!(effort("mistral-large-latest", "high"), (None, Some(LossLevel::Drop)));
    assert_eq!(effort("mistral-large-latest", "none"), (None, None));
}
