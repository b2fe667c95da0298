//! Answers and errors, fact by fact.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::{reply, sealer, *};
use crate::model::{
    CallKind, Candidate, ErrorClass, Event, Family, Finish, FinishReason, Media, MediaClass, MediaSource, Opaque,
    OpaqueKind, Part, PartContent, Reasoning, Response, ToolCall, Usage,
};

fn answer(parts: Vec<Part>, reason: FinishReason) -> Response {
    let candidate = Candidate { index: 0, parts, finish: Finish::new(reason), logprobs: None };
    Response { model: Str::from_static("served-1"), candidates: vec![candidate], ..Response::default() }
}

fn written(dialect: McpSampling, response: &Response) -> Value {
    serde_json::from_slice(&dialect.encode_response(response, &reply())).expect("answers are JSON")
}

fn call(args: &str, kind: CallKind) -> Part {
    let call = ToolCall { id: Str::from_static("c1"), name: Str::from_static("f"), kind, args: Str::from(args) };
    Part::new(PartContent::ToolCall(call))
}

#[test]
fn one_text_is_a_list_for_who_is_no_peer_and_a_block_for_peers() {
    let mut response = answer(vec![Part::text("One "), Part::text("line.")], FinishReason::Stop);
    response.usage = Some(Usage { input_uncached: 3, output_visible: 2, ..Usage::default() });
    let block = json!({"type": "text", "text": "One line."});
    let meta = json!({"lockgate/usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5, "reasoningTokens": 0, "cachedInputTokens": 0}});
    let result = |content: Value| json!({"role": "assistant", "content": content, "model": "served-1", "stopReason": "endTurn", "_meta": meta});
    assert_eq!(written(McpSampling::BARE, &response), result(json!([block])));
    assert_eq!(written(McpSampling::PEER, &response), result(block.clone()));
    assert_eq!(written(McpSampling::JSON_RPC, &response), json!({"jsonrpc": "2.0", "id": 7, "result": result(block)}));
    let silent = answer(Vec::new(), FinishReason::Stop);
    assert_eq!(written(McpSampling::PEER, &silent)["content"], json!({"type": "text", "text": ""}));
    assert_eq!(written(McpSampling::BARE, &silent)["content"], json!([]));
}

#[test]
fn calls_make_a_list_of_objects() {
    let opaque = Opaque {
        family: Family::Gemini,
        kind: OpaqueKind::ThoughtSignature,
        model: None,
        id: None,
        data: Str::from_static("s"),
    };
    let mut signed = call(r#"{"city":"Paris"}"#, CallKind::Function);
    signed.opaque.push(opaque.clone());
    let parts = vec![
        Part::text("Let me see."),
        signed,
        call("", CallKind::Function),
        call("[1", CallKind::Function),
        call("SELECT 1", CallKind::Custom),
    ];
    let result = written(McpSampling::PEER, &answer(parts, FinishReason::Stop));
    let inputs: Vec<_> = (1..5).map(|at| result["content"][at]["input"].clone()).collect();
    assert_eq!(inputs, [json!({"city": "Paris"}), json!({}), json!({"_raw": "[1"}), json!({"input": "SELECT 1"})]);
    assert_eq!(result["stopReason"], "toolUse");
    let envelope = result["content"][1]["_meta"]["lockgate/opaque"][0].as_str().expect("state travels with its call");
    assert_eq!(sealer().open(envelope), Some(opaque));
}

#[test]
fn thinking_is_never_shown_as_text() {
    let reasoning = Reasoning { text: Some(Str::from_static("secret")), ..Reasoning::default() };
    let image = Media::new(MediaClass::Image, None, MediaSource::Base64(Str::from_static("aGk=")));
    let parts =
        vec![Part::new(PartContent::Reasoning(reasoning)), Part::text("said"), Part::new(PartContent::Media(image))];
    let result = written(McpSampling::BARE, &answer(parts, FinishReason::Stop));
    assert!(!result.to_string().contains("secret"));
    assert_eq!(result["content"][1], json!({"type": "image", "data": "aGk=", "mimeType": "image/png"}));
}

#[test]
fn stop_reasons_are_the_protocols_words() {
    for (reason, calls, word) in [
        (FinishReason::Stop, false, "endTurn"),
        (FinishReason::Stop, true, "toolUse"),
        (FinishReason::ToolCalls, false, "endTurn"),
        (FinishReason::StopSequence, false, "stopSequence"),
        (FinishReason::Length, true, "maxTokens"),
        (FinishReason::ContextFull, false, "maxTokens"),
        (FinishReason::ContentFilter, false, "contentFilter"),
        (FinishReason::Refusal, false, "refusal"),
        (FinishReason::Pause, false, "pauseTurn"),
        (FinishReason::BadToolCall, false, "endTurn"),
        (FinishReason::Other, false, "endTurn"),
    ] {
        let parts = if calls { vec![call("{}", CallKind::Function)] } else { vec![Part::text("x")] };
        assert_eq!(written(McpSampling::BARE, &answer(parts, reason))["stopReason"], word, "{reason:?}");
    }
    let refusal = Part::new(PartContent::Refusal(Str::from_static("No.")));
    let result = written(McpSampling::PEER, &answer(vec![refusal], FinishReason::Stop));
    assert_eq!((&result["stopReason"], &result["content"]["text"]), (&json!("refusal"), &json!("No.")));
}

#[test]
fn errors_have_codes_in_an_envelope_and_statuses_without() {
    let error = ErrorInfo { retry_after: Some(3), ..ErrorInfo::new(ErrorClass::RateLimit, "slow down") };
    let rpc: Value = serde_json::from_slice(&McpSampling::JSON_RPC.encode_error(&error, "\"a\"")).expect("JSON");
    let expected = json!({"jsonrpc": "2.0", "id": "a", "error": {"code": -32603, "message": "slow down",
        "data": {"status": 429, "class": "rate_limit_exceeded", "retryAfter": 3}}});
    assert_eq!((rpc, McpSampling::JSON_RPC.error_status(&error)), (expected, 200));
    let bare: Value = serde_json::from_slice(&McpSampling::BARE.encode_error(&error, "id")).expect("JSON");
    assert_eq!((&bare["error"]["type"], McpSampling::BARE.error_status(&error)), (&json!("rate_limit_error"), 429));
    for (error, code) in [
        (ErrorInfo::invalid("messages", "x"), -32602),
        (ErrorInfo::new(ErrorClass::ModelNotFound, "x"), -32602),
        (ErrorInfo::new(ErrorClass::NotFound, "x").with_code("method_not_found"), -32601),
        (ErrorInfo::new(ErrorClass::InvalidRequest, "x").with_code("invalid_json"), -32700),
        (ErrorInfo::new(ErrorClass::UpstreamAuth, "x"), -32603),
        (ErrorInfo::new(ErrorClass::Cancelled, "x"), -1),
    ] {
        let body: Value = serde_json::from_slice(&McpSampling::JSON_RPC.encode_error(&error, "1")).expect("JSON");
        assert_eq!(body["error"]["code"], code, "{error:?}");
    }
}

#[test]
fn a_stream_is_collected() {
    let mut events = Vec::new();
    crate::stream::unfold(answer(vec![Part::text("hello")], FinishReason::Stop), &mut events);
    let mut encoder = McpSampling::BARE.stream_encoder(&reply());
    let mut out = BytesMut::new();
    for event in &events {
        assert!(out.is_empty(), "nothing is written before the end");
        encoder.encode(event, &mut out);
    }
    let result: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(result["content"][0]["text"], "hello");
    let mut encoder = McpSampling::BARE.stream_encoder(&reply());
    let mut out = BytesMut::new();
    for event in [Event::Error(Box::new(ErrorInfo::new(ErrorClass::Upstream, "cut"))), Event::End] {
        encoder.encode(&event, &mut out);
    }
    assert!(std::str::from_utf8(&out).expect("UTF-8").contains("cut"));
}
