//! Whole answers, errors, and requests at a glance.

use serde_json::json;

use super::*;
use crate::{
    dialects::ResponseError,
    model::{Candidate, Citation, ErrorClass, Family, Finish, FinishReason, Opaque, OpaqueKind, Reasoning, Usage},
};

fn answer(parts: Vec<Part>, reason: FinishReason) -> Response {
    let candidate = Candidate { index: 0, parts, finish: Finish::new(reason), logprobs: None };
    Response { candidates: vec![candidate], ..Response::default() }
}

fn written(response: &Response) -> Value {
    serde_json::from_slice(&BedrockConverse.encode_response(response, &reply())).expect("JSON")
}

fn read(body: &Value) -> Response {
    BedrockConverse.decode_response(&Bytes::from(body.to_string())).expect("an answer")
}

#[test]
fn inspection_reads_the_path_and_checks_the_body() {
    let body = Bytes::from_static(br#"{"messages":[]}"#);
    let call = |verb| CallHead { model: Some("a/b:c"), verb: Some(verb), query: None };
    let inspection = BedrockConverse.inspect(&call("converse-stream"), &body).expect("good");
    assert_eq!(inspection.model, "a/b:c");
    assert_eq!((inspection.stream, inspection.model_at), (Some(StreamForm::EventStream), None));
    assert_eq!(BedrockConverse.inspect(&call("converse"), &body).expect("good").stream, None);
    for (body, word) in [
        (&br#"{"messages":[],"messages":[]}"#[..], "twice"),
        (br#"{"messages":[],"mess\u0061ges":[]}"#, "twice"),
        (b"[]", "object"),
        (b"\xff", "UTF-8"),
    ] {
        let error = BedrockConverse.inspect(&call("converse"), &Bytes::copy_from_slice(body)).expect_err("bad");
        assert!(error.message.contains(word), "{error}");
    }
    let error = BedrockConverse.inspect(&CallHead::default(), &body).expect_err("no model");
    assert!(error.message.contains("/model/{model}/converse"), "{error}");
}

#[test]
fn an_answer_has_all_that_clients_expect() {
    let usage = Usage { input_uncached: 5, output_visible: 2, output_reasoning: 1, ..Usage::default() };
    let mut response = answer(vec![Part::text("hi")], FinishReason::Stop);
    response.usage = Some(usage);
    assert_eq!(
        written(&response),
        json!({"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8}, "metrics": {"latencyMs": 0}})
    );
}

#[test]
fn pitfall_56_cached_tokens_are_counted_once() {
    let usage = json!({"inputTokens": 10, "outputTokens": 4, "totalTokens": 99, "cacheReadInputTokens": 7,
        "cacheWriteInputTokens": 6, "cacheDetails": [{"ttl": "5m", "inputTokens": 1}, {"ttl": "1h", "inputTokens": 2}]});
    let response = read(&json!({"output": {"message": {"content": []}}, "usage": usage}));
    let found = response.usage.expect("it has usage");
    assert_eq!(
        found,
        Usage {
            input_uncached: 10,
            input_cache_read: 7,
            input_cache_write_5m: 1,
            input_cache_write_1h: 2,
            input_cache_write_other: 3,
            output_visible: 4,
            ..Usage::default()
        }
    );
    let again = &written(&response)["usage"];
    assert_eq!((&again["inputTokens"], &again["totalTokens"]), (&json!(10), &json!(27)));
    assert_eq!((&again["cacheReadInputTokens"], &again["cacheWriteInputTokens"]), (&json!(7), &json!(6)));
}

#[test]
fn pitfall_30_only_a_stop_becomes_a_tool_use() {
    for (reason, calls, word) in [
        (FinishReason::Stop, true, "tool_use"),
        (FinishReason::Length, true, "max_tokens"),
        (FinishReason::ContentFilter, true, "content_filtered"),
        (FinishReason::ToolCalls, false, "end_turn"),
        (FinishReason::StopSequence, false, "stop_sequence"),
        (FinishReason::ContextFull, false, "model_context_window_exceeded"),
        (FinishReason::BadToolCall, false, "malformed_tool_use"),
        (FinishReason::Refusal, false, "content_filtered"),
        (FinishReason::Pause, false, "end_turn"),
    ] {
        let parts = if calls { vec![call("a", "{}")] } else { vec![Part::text("x")] };
        assert_eq!(written(&answer(parts, reason))["stopReason"], word, "{reason:?}");
    }
    let content = json!([{"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}]);
    let body = |reason: &str| json!({"output": {"message": {"content": content}}, "stopReason": reason});
    assert_eq!(read(&body("end_turn")).candidates[0].finish.reason, FinishReason::ToolCalls);
    assert_eq!(read(&body("max_tokens")).candidates[0].finish.reason, FinishReason::Length);
}

#[test]
fn pitfall_34_the_stop_sequence_that_was_hit_is_told() {
    let body = json!({"output": {"message": {"content": []}}, "stopReason": "stop_sequence",
        "additionalModelResponseFields": {"stop_sequence": "END"}});
    let response = read(&body);
    assert_eq!(response.candidates[0].finish.stop_sequence.as_deref(), Some("END"));
    assert_eq!(written(&response)["additionalModelResponseFields"], json!({"stop_sequence": "END"}));
}

#[test]
fn foreign_state_goes_into_the_signature_and_comes_back() {
    let theirs = Opaque {
        family: Family::Gemini,
        kind: OpaqueKind::ThoughtSignature,
        model: None,
        id: None,
        data: Str::from_static("theirs"),
    };
    let mut with_state = call("a", "{}");
    with_state.opaque.push(theirs.clone());
    let body = written(&answer(vec![with_state], FinishReason::ToolCalls));
    let content = &body["output"]["message"]["content"];
    let envelope = content[0]["reasoningContent"]["reasoningText"]["signature"].as_str().expect("an envelope");
    assert_eq!(sealer().open(envelope), Some(theirs.clone()));
    assert_eq!(content[1]["toolUse"]["toolUseId"], "a");
    let withheld = Opaque { family: Family::Anthropic, kind: OpaqueKind::Redacted, ..theirs };
    let reasoning = Reasoning { text: None, redacted: true, opaque: vec![withheld.clone()] };
    let body = written(&answer(vec![Part::new(PartContent::Reasoning(reasoning))], FinishReason::Stop));
    let blob = &body["output"]["message"]["content"][0]["reasoningContent"]["redactedContent"];
    assert_eq!(sealer().open(blob.as_str().expect("a blob")), Some(withheld));
}

#[test]
fn sources_of_other_vendors_become_web_pages() {
    let mut part = Part::text("It is so.");
    part.citations.push(Citation {
        span: None,
        url: Some(Str::from_static("https://example.com/a")),
        title: Some(Str::from_static("A")),
        quoted: Some(Str::from_static("so")),
        raw: Some((Family::Anthropic, crate::model::RawJson::from_checked(Str::from_static("{}")))),
    });
    let body = written(&answer(vec![part], FinishReason::Stop));
    assert_eq!(
        body["output"]["message"]["content"][0]["citationsContent"],
        json!({"content": [{"text": "It is so."}], "citations": [{"title": "A", "sourceContent": [{"text": "so"}],
            "location": {"web": {"url": "https://example.com/a"}}}]})
    );
}

#[test]
fn a_new_kind_of_block_does_not_lose_the_answer() {
    let body = json!({"output": {"message": {"content": [{"hologram": {"x": 1}}, {"text": "hi"}]}}});
    let response = read(&body);
    assert_eq!(response.candidates[0].parts.len(), 2);
    assert_eq!(written(&response)["output"]["message"]["content"], body["output"]["message"]["content"]);
}

#[test]
fn what_is_no_answer_is_refused() {
    let of = |body: &str| BedrockConverse.decode_response(&Bytes::copy_from_slice(body.as_bytes()));
    assert!(matches!(of(r#"{"message":"no"}"#), Err(ResponseError::Upstream(_))));
    assert!(matches!(of("{}"), Err(ResponseError::Malformed(_))));
    assert!(matches!(of("<html>"), Err(ResponseError::Malformed(_))));
    let glance = BedrockConverse.inspect_response(&Bytes::from_static(br#"{"message":"no"}"#));
    assert_eq!(glance.error.expect("it is an error").message, "no");
}

#[test]
fn errors_are_told_by_status_name_and_words() {
    for (status, body, class) in [
        (400, r#"{"message":"malformed input"}"#, ErrorClass::InvalidRequest),
        (400, r#"{"message":"Input is too long for requested model."}"#, ErrorClass::ContextTooLong),
        (400, r#"{"message":"The provided model identifier is invalid."}"#, ErrorClass::ModelNotFound),
        (403, r#"{"Message":"no access"}"#, ErrorClass::Permission),
        (404, r#"{"message":"gone"}"#, ErrorClass::NotFound),
        (408, r#"{"message":"slow"}"#, ErrorClass::Timeout),
        (424, r#"{"message":"the model failed"}"#, ErrorClass::Upstream),
        (429, r#"{"message":"too many"}"#, ErrorClass::RateLimit),
        (429, r#"{"__type":"ModelNotReadyException","message":"wait"}"#, ErrorClass::Overloaded),
        (400, r#"{"__type":"com.amazon#ThrottlingException:http://x","message":"m"}"#, ErrorClass::RateLimit),
        (503, "", ErrorClass::Overloaded),
        (500, "<html>", ErrorClass::Upstream),
    ] {
        let error = BedrockConverse.decode_error(status, body.as_bytes());
        assert_eq!((error.class, error.upstream_status), (class, Some(status)), "{status} {body}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn errors_are_written_with_their_name_in_a_header() {
    for (class, status, name) in [
        (ErrorClass::InvalidRequest, 400, "ValidationException"),
        (ErrorClass::Auth, 403, "AccessDeniedException"),
        (ErrorClass::ModelNotFound, 404, "ResourceNotFoundException"),
        (ErrorClass::RateLimit, 429, "ThrottlingException"),
        (ErrorClass::UpstreamAuth, 502, "InternalServerException"),
        (ErrorClass::Overloaded, 503, "ServiceUnavailableException"),
        (ErrorClass::Timeout, 504, "ModelTimeoutException"),
    ] {
        let error = ErrorInfo::new(class, "what happened");
        assert_eq!(BedrockConverse.error_status(&error), status);
        assert_eq!(BedrockConverse.error_headers(&error), [("x-amzn-errortype", Str::from_static(name))]);
        assert_eq!(BedrockConverse.encode_error(&error, "id"), br#"{"message":"what happened"}"#[..]);
    }
}
