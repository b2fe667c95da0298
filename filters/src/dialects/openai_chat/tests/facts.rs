//! Whole responses: facts that went wrong elsewhere.

use serde_json::{Value, json};

use super::*;
use crate::{
    dialects::ResponseError,
    model::{CallKind, Candidate, Finish, FinishReason, Part, PartContent, ToolCall},
};

fn decode(body: &Value) -> Response {
    OpenAiChat.decode_response(&Bytes::from(body.to_string())).expect("the test's response is good")
}

fn choice(message: &Value, reason: &str) -> Value {
    json!({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":message,"finish_reason":reason}]})
}

fn encode(response: &Response) -> Value {
    serde_json::from_slice(&OpenAiChat.encode_response(response, &reply())).expect("responses are JSON")
}

fn response(parts: Vec<Part>, reason: FinishReason) -> Response {
    let candidate = Candidate { index: 0, parts, finish: Finish::new(reason), logprobs: None };
    Response { candidates: vec![candidate], ..Response::default() }
}

#[test]
fn pitfall_32_a_candidate_without_content_is_still_a_choice() {
    for response in [response(vec![], FinishReason::ContentFilter), Response::default()] {
        let body = encode(&response);
        assert_eq!(body["choices"].as_array().map(Vec::len), Some(1));
        assert_eq!(body["choices"][0]["message"]["content"], "");
        assert!(body["choices"][0]["finish_reason"].is_string());
        assert_eq!(
            (&body["id"], &body["created"], &body["model"]),
            (&json!("chatcmpl-minted"), &json!(1_700_000_000), &json!("client-model"))
        );
    }
}

#[test]
fn pitfall_19_and_29_tool_calls_are_there_or_not_there() {
    let call =
        ToolCall { id: Str::from_static("a"), name: Str::from_static("f"), kind: CallKind::Function, args: Str::new() };
    let body = encode(&response(vec![Part::new(PartContent::ToolCall(call))], FinishReason::Stop));
    let message = &body["choices"][0]["message"];
    assert_eq!((&message["content"], &message["refusal"]), (&Value::Null, &Value::Null));
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}", "arguments are a string of an object");
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    let body = encode(&response(vec![Part::text("a"), Part::text("b")], FinishReason::Stop));
    assert_eq!(body["choices"][0]["message"], json!({"role":"assistant","content":"ab","refusal":null}));
}

#[test]
fn empty_members_are_as_if_absent() {
    let message = json!({"role":"assistant","content":"x","function_call":{"name":"","arguments":""},"refusal":"",
        "audio":{"id":"","data":"","transcript":"","expires_at":0},"tool_calls":[],"annotations":null});
    let response = decode(&choice(&message, ""));
    assert_eq!(response.candidates[0].parts, [Part::text("x")]);
    assert_eq!(response.candidates[0].finish.reason, FinishReason::Stop);
}

#[test]
fn a_refusal_is_a_refusal_on_both_sides() {
    let response = decode(&choice(&json!({"role":"assistant","content":null,"refusal":"no"}), "stop"));
    assert_eq!(response.candidates[0].finish.reason, FinishReason::Refusal);
    let body = encode(&response);
    assert_eq!(
        (&body["choices"][0]["message"]["refusal"], &body["choices"][0]["finish_reason"]),
        (&json!("no"), &json!("stop"))
    );
}

#[test]
fn pitfall_26_arguments_as_an_object_become_their_text() {
    let message = json!({"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]});
    let response = decode(&choice(&message, "tool_calls"));
    assert!(
        matches!(&response.candidates[0].parts[0].content, PartContent::ToolCall(call) if call.args == r#"{"x":1}"#)
    );
}

#[test]
fn mistrals_content_keeps_its_order() {
    let message = json!({"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"so"},
        {"type":"reference","reference_ids":[1]}]});
    let response = decode(&choice(&message, "stop"));
    assert_eq!(response.candidates[0].parts.len(), 2);
    assert!(
        matches!(&response.candidates[0].parts[0].content, PartContent::Reasoning(thought) if thought.text.as_deref() == Some("hm"))
    );
}

#[test]
fn pictures_and_sound_come_through() {
    let message = json!({"role":"assistant","content":null,"refusal":null,"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],
        "audio":{"id":"audio_1","expires_at":0,"data":"BBBB","transcript":"hi"}});
    let response = decode(&choice(&message, "stop"));
    let body = encode(&response);
    assert_eq!(body["choices"][0]["message"]["images"], message["images"]);
    assert_eq!(body["choices"][0]["message"]["audio"], message["audio"]);
}

#[test]
fn pitfall_04_an_error_or_nothing_is_not_an_answer() {
    let fails =
        |body: &str| OpenAiChat.decode_response(&Bytes::copy_from_slice(body.as_bytes())).expect_err("no answer");
    assert!(matches!(fails(r#"{"error":{"message":"no","code":500}}"#), ResponseError::Upstream(_)));
    assert!(matches!(fails(r#"{"error":"no"}"#), ResponseError::Upstream(_)));
    assert!(matches!(fails(r#"{"choices":[],"error":null}"#), ResponseError::Malformed(_)));
    assert!(matches!(fails("{}"), ResponseError::Malformed(_)));
    assert!(matches!(fails("<html>"), ResponseError::Malformed(_)));
}
