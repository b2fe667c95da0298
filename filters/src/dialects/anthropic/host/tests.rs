//! Bodies and headers as hosts take them; nothing else of a body changes.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Anthropic, CountTokens};
use crate::{
    dialects::{CallHead, Dialect, Target, Upstream, counting::Counting},
    json::apply,
    model::Str,
    seal::Sealer,
};

type Headers = Vec<(&'static str, Str)>;

fn pass(dialect: &dyn Upstream, quirk: &str, body: &str, head: &CallHead<'_>, headers: &mut Headers) -> String {
    let sealer = Sealer::new(b"key");
    let quirks = [quirk.to_owned()];
    let target = Target { model: "claude@1", quirks: &quirks, usage_in_stream: true, sealer: &sealer };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let inspection = dialect.inspect(head, &body).expect("the test's request is good");
    let mut edits = dialect.edits(&body, &inspection, &target, headers);
    String::from_utf8(apply(&body, &mut edits).to_vec()).expect("edits are UTF-8")
}

fn message(quirk: &str, body: &str) -> String {
    pass(&Anthropic, quirk, body, &CallHead::default(), &mut Vec::new())
}

fn count(body: &str) -> String {
    pass(&Counting(CountTokens), "vertex", body, &CallHead::default(), &mut Vec::new())
}

#[test]
fn the_version_takes_the_models_place() {
    for (body, expected) in [
        (
            r#"{ "model" : "c" , "max_tokens":5, "messages":[] }"#,
            r#"{ "anthropic_version":"vertex-2023-10-16" , "max_tokens":5, "messages":[] }"#,
        ),
        (
            r#"{"messages":[{"model":"x"}],"model":"c"}"#,
            r#"{"messages":[{"model":"x"}],"anthropic_version":"vertex-2023-10-16"}"#,
        ),
        (r#"{"mod\u0065l":"c","stream":true}"#, r#"{"anthropic_version":"vertex-2023-10-16","stream":true}"#),
        (
            r#"{"model":"c","anthropic_version":"vertex-2023-10-16","x":1}"#,
            r#"{"anthropic_version":"vertex-2023-10-16","x":1}"#,
        ),
        (
            r#"{"x":1, "anthropic_version":"bedrock-2023-05-31","model":"c"}"#,
            r#"{"x":1, "anthropic_version":"vertex-2023-10-16"}"#,
        ),
    ] {
        assert_eq!(message("vertex", body), expected, "{body}");
    }
}

#[test]
fn a_body_whose_model_stands_in_the_path_gets_the_version_in_front() {
    let head = CallHead { model: Some("c"), ..CallHead::default() };
    let passed = |body| pass(&Anthropic, "vertex", body, &head, &mut Vec::new());
    assert_eq!(passed(r#"{ "max_tokens":5}"#), r#"{ "anthropic_version":"vertex-2023-10-16","max_tokens":5}"#);
    let own = r#"{"max_tokens":5,"anthropic_version":"vertex-2023-10-16"}"#;
    assert_eq!(passed(own), own);
}

#[test]
fn a_count_keeps_its_model() {
    assert_eq!(
        count(r#"{"model":"c","messages":[]}"#),
        r#"{"anthropic_version":"vertex-2023-10-16","model":"claude@1","messages":[]}"#
    );
    assert_eq!(
        count(r#"{"messages":[], "model":"claude@1" }"#),
        r#"{"anthropic_version":"vertex-2023-10-16","messages":[], "model":"claude@1" }"#
    );
}

#[test]
fn pitfall_67_bedrock_reads_streaming_from_the_path_and_betas_from_the_body() {
    let mut headers = vec![
        ("anthropic-beta", Str::from_static("context-1m-2025-08-07, unknown-1")),
        ("anthropic-version", Str::from_static("x")),
    ];
    let body = r#"{"stream":true,"model":"c","messages":[]}"#;
    assert_eq!(
        pass(&Anthropic, "bedrock_invoke", body, &CallHead::default(), &mut headers),
        r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"],"messages":[]}"#
    );
    assert!(headers.is_empty(), "the host reads neither: {headers:?}");
    assert_eq!(
        message("bedrock_invoke", r#"{"anthropic_version":"bedrock-2023-05-31","model":"c","x":1,"stream":false}"#),
        r#"{"anthropic_version":"bedrock-2023-05-31","x":1}"#
    );
}

#[test]
fn pitfall_67_betas_that_a_host_does_not_know_stay_here() {
    let mut headers = vec![
        ("anthropic-beta", Str::from_static("claude-code-20250219, interleaved-thinking-2025-05-14")),
        ("anthropic-version", Str::from_static("2023-06-01")),
        ("anthropic-beta", Str::from_static("advanced-tool-use-2025-11-20")),
    ];
    pass(&Anthropic, "vertex", r#"{"model":"c","messages":[]}"#, &CallHead::default(), &mut headers);
    let left = [("anthropic-beta", Str::from_static("interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19"))];
    assert_eq!(headers, left);
}

proptest! {
    #[test]
    fn what_is_edited_means_what_it_should(
        before in prop::collection::btree_map("[a-l]{1,4}", any::<i32>(), 0..3),
        after in prop::collection::btree_map("[n-r]{1,4}", any::<i32>(), 0..3),
        has_model: bool,
        stream: Option<bool>,
        version in prop::option::of(prop::sample::select(&["vertex-2023-10-16", "bedrock-2023-05-31"][..])),
        bedrock: bool,
        blank in prop::sample::select(&["", " ", "\n  "][..]),
    ) {
        let mut members: Vec<(String, Value)> = before.into_iter().map(|(name, value)| (name, json!(value))).collect();
        members.extend(has_model.then(|| ("model".to_owned(), json!("c"))));
        members.extend(stream.map(|stream| ("stream".to_owned(), json!(stream))));
        members.extend(version.map(|version| ("anthropic_version".to_owned(), json!(version))));
        members.extend(after.into_iter().map(|(name, value)| (name, json!(value))));
        let written: Vec<String> =
            members.iter().map(|(name, value)| format!("{blank}\"{name}\"{blank}:{blank}{value}{blank}")).collect();
        let body = format!("{{{}}}", written.join(","));
        prop_assume!(!members.is_empty());
        let head = CallHead { model: Some("c"), ..CallHead::default() };
        let quirk = if bedrock { "bedrock_invoke" } else { "vertex" };
        let passed = pass(&Anthropic, quirk, &body, &head, &mut Vec::new());
        let passed: Value = serde_json::from_str(&passed).expect("edits leave JSON");
        members.retain(|(name, _)| name != "model" && !(bedrock && name == "stream") && name != "anthropic_version");
        let own = if bedrock { "bedrock-2023-05-31" } else { "vertex-2023-10-16" };
        members.push(("anthropic_version".to_owned(), json!(own)));
        prop_assert_eq!(passed, members.into_iter().collect::<Value>());
    }
}

#[test]
fn an_encoded_request_has_the_hosts_members() {
    let request = r#"{"model":"c","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}],"mcp_servers":[],"context_management":{"edits":[]}}"#;
    let request = Anthropic.decode_request(&CallHead::default(), &Bytes::copy_from_slice(request.as_bytes()));
    let request = request.expect("the test's request is good");
    let sealer = Sealer::new(b"key");
    let encoded = |dialect: &dyn Upstream, quirk: &str| {
        let quirks = [quirk.to_owned()];
        let target = Target { model: "claude-opus-4-6@1", quirks: &quirks, usage_in_stream: true, sealer: &sealer };
        let encoded = dialect.encode_request(&request, &target).expect("the request can be carried");
        let body: Value = serde_json::from_slice(&encoded.body).expect("a body of JSON");
        (body, encoded.headers)
    };
    let (plain, headers) = encoded(&Anthropic, "none");
    assert_eq!(plain["model"], "claude-opus-4-6@1");
    assert_eq!(&*headers[0].1, "mcp-client-2025-11-20,context-management-2025-06-27", "the vendor wants both betas");
    let (body, headers) = encoded(&Anthropic, "vertex");
    assert_eq!((&body["anthropic_version"], &body["model"]), (&"vertex-2023-10-16".into(), &Value::Null));
    assert_eq!((&body["stream"], &*headers[0].1), (&true.into(), "context-management-2025-06-27"));
    assert_eq!(body.get("mcp_servers"), None, "the host refuses what that beta allows");
    assert!(body.get("context_management").is_some());
    let (body, headers) = encoded(&Anthropic, "bedrock_invoke");
    assert_eq!((&body["anthropic_version"], &body["stream"]), (&"bedrock-2023-05-31".into(), &Value::Null));
    assert_eq!(body["anthropic_beta"], json!(["context-management-2025-06-27"]));
    assert_eq!(headers, Vec::new());
    let (body, _) = encoded(&Counting(CountTokens), "vertex");
    assert_eq!(
        (&body["anthropic_version"], &body["model"]),
        (&"vertex-2023-10-16".into(), &"claude-opus-4-6@1".into())
    );
    assert_eq!(body["max_tokens"], Value::Null);
}

#[test]
fn googles_errors_are_read_and_told_from_the_vendors() {
    let google = br#"{"error":{"code":404,"message":"Publisher Model `x` was not found.","status":"NOT_FOUND"}}"#;
    let listed = [&b"["[..], google, b"]"].concat();
    for body in [&google[..], &listed] {
        let error = Anthropic.decode_error(404, body);
        assert_eq!(error.class, crate::model::ErrorClass::ModelNotFound);
        assert!(error.message.starts_with("Publisher Model"));
        assert!(!Anthropic.is_own_error(body));
    }
    assert!(Anthropic.is_own_error(br#"{"type":"error","error":{"type":"api_error","message":"x"}}"#));
}
