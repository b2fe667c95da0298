//! Vertex AI: Google's models and Anthropic's.

use serde_json::json;

use super::{KEY, assert_sent, body, gateway, last, text};
use crate::support::{Ask, Face, Script, Upstream};

const PARAMS: &str = ", params: {project: \"example.com:p-1\", location: europe-west4}";
const GOOGLE: &str = "/v1/projects/example.com:p-1/locations/europe-west4/publishers/google/models/";
const ANTHROPIC: &str = "/v1/projects/example.com:p-1/locations/europe-west4/publishers/anthropic/models/";

fn bearer() -> String {
    format!("Bearer {KEY}")
}

/// Answers as the path asks: whole, streamed, or with a number.
async fn upstream(face: Face) -> Upstream {
    Upstream::start(move |seen| {
        let target = seen.head.target();
        if target.contains("ount") {
            return Script::json(200, r#"{"input_tokens":42,"totalTokens":42}"#);
        }
        if target.contains("stream") && face == Face::Gemini && !target.contains("alt=sse") {
            return Script::json(200, &format!("[{}\n]", face.whole("fine")));
        }
        face.script("fine", target.contains("stream"))
    })
    .await
}

#[tokio::test]
async fn gemini_keeps_its_bytes_and_gets_another_path() {
    let upstream = upstream(Face::Gemini).await;
    let gateway = gateway(&upstream, "vx", "vertex", PARAMS).await;
    let sent = r#"{ "contents":[{"role":"user","parts":[{"text":"hi"}]}] , "labels":{"a":"b"}}"#;
    for (verb, reached) in [
        ("generateContent", "generateContent"),
        ("streamGenerateContent?alt=sse", "streamGenerateContent?alt=sse"),
        ("streamGenerateContent", "streamGenerateContent"),
    ] {
        let ask = Ask::post_text(&format!("/v1beta/models/vx%2Fgemini-3-flash:{verb}"), sent);
        let answer = gateway.ask(&ask).await.expect_status(200);
        assert!(answer.text().contains("fine"), "{verb}: {}", answer.text());
        let seen = last(&upstream);
        assert_sent(&seen, &format!("{GOOGLE}gemini-3-flash:{reached}"), "authorization", &bearer());
        assert_eq!(text(&seen), sent);
    }
}

#[tokio::test]
async fn other_dialects_reach_gemini_at_vertex() {
    let upstream = upstream(Face::Gemini).await;
    let gateway = gateway(&upstream, "vx", "vertex", PARAMS).await;
    for (face, streamed) in
        [(Face::OpenAi, false), (Face::OpenAi, true), (Face::Anthropic, false), (Face::Anthropic, true)]
    {
        let answer = gateway.ask(&face.ask("vx/gemini-3-flash", "hello", streamed)).await.expect_status(200);
        let said = if streamed { face.streamed_text(answer.text()) } else { face.text(&answer.json()) };
        assert_eq!(said, "fine", "{face:?}");
        let verb = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let seen = last(&upstream);
        assert_sent(&seen, &format!("{GOOGLE}gemini-3-flash:{verb}"), "authorization", &bearer());
        assert_eq!(body(&seen)["contents"], json!([{"role": "user", "parts": [{"text": "hello"}]}]));
    }
}

#[tokio::test]
async fn anthropic_gets_the_version_in_the_models_place() {
    let upstream = upstream(Face::Anthropic).await;
    let gateway = gateway(&upstream, "va", "vertex-anthropic", PARAMS).await;
    for (streamed, verb) in [(false, "rawPredict"), (true, "streamRawPredict")] {
        let sent = format!(
            r#"{{ "system":"s", "model" : "va/claude-sonnet-4@20250514" ,"max_tokens":5,"stream": {streamed}, "messages":[{{"role":"user","content":"hi"}}] }}"#
        );
        let ask = Ask::post_text("/v1/messages?beta=true", &sent)
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "claude-code-20250219,context-1m-2025-08-07");
        let answer = gateway.ask(&ask).await.expect_status(200);
        let expected =
            if streamed { Face::Anthropic.stream(&["fine"]).concat() } else { Face::Anthropic.whole("fine") };
        assert_eq!(answer.text(), expected, "the answer passes untouched");
        let seen = last(&upstream);
        assert_sent(&seen, &format!("{ANTHROPIC}claude-sonnet-4@20250514:{verb}"), "authorization", &bearer());
        let member = r#""model" : "va/claude-sonnet-4@20250514""#;
        assert_eq!(text(&seen), sent.replace(member, r#""anthropic_version":"vertex-2023-10-16""#));
        assert_eq!(seen.head.get("anthropic-version"), None, "the body says it");
        assert_eq!(seen.head.all("anthropic-beta").collect::<Vec<_>>(), ["context-1m-2025-08-07"]);
    }
}

#[tokio::test]
async fn other_dialects_reach_anthropic_at_vertex() {
    let upstream = upstream(Face::Anthropic).await;
    let gateway = gateway(&upstream, "va", "vertex-anthropic", PARAMS).await;
    for (face, streamed) in [(Face::OpenAi, false), (Face::OpenAi, true), (Face::Gemini, false), (Face::Gemini, true)] {
        let answer = gateway.ask(&face.ask("va/claude-sonnet-4@20250514", "hello", streamed)).await.expect_status(200);
        let said = if streamed { face.streamed_text(answer.text()) } else { face.text(&answer.json()) };
        assert_eq!(said, "fine", "{face:?}");
        let verb = if streamed { "streamRawPredict" } else { "rawPredict" };
        let seen = last(&upstream);
        assert_sent(&seen, &format!("{ANTHROPIC}claude-sonnet-4@20250514:{verb}"), "authorization", &bearer());
        let sent = body(&seen);
        assert_eq!((&sent["anthropic_version"], &sent["model"]), (&json!("vertex-2023-10-16"), &json!(null)));
        assert_eq!(sent["stream"], if streamed { json!(true) } else { json!(null) });
        assert!(text(&seen).starts_with(r#"{"anthropic_version":"vertex-2023-10-16","#), "{}", text(&seen));
    }
}

#[tokio::test]
async fn tokens_are_counted_where_the_hosts_count_them() {
    let google = upstream(Face::Gemini).await;
    let anthropic = upstream(Face::Anthropic).await;
    let (vx, va) =
        (gateway(&google, "vx", "vertex", PARAMS).await, gateway(&anthropic, "va", "vertex-anthropic", PARAMS).await);
    let messages = |model: &str| {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        Ask::post_text("/v1/messages/count_tokens", &body)
    };
    let contents = |model: &str, body: &str| {
        Ask::post_text(&format!("/v1beta/models/{}:countTokens", model.replace('/', "%2F")), body)
    };
    let plain = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let wrapped = plain.replacen('{', r#"{"generateContentRequest":{"model":"models/x","#, 1) + "}";
    let count = "count-tokens:rawPredict";
    for (gateway, upstream, ask, target, sent) in [
        (
            &va,
            &anthropic,
            messages("va/c@1"),
            format!("{ANTHROPIC}{count}"),
            r#"{"anthropic_version":"vertex-2023-10-16","model":"c@1","messages":[{"role":"user","content":"hi"}]}"#,
        ),
        (&vx, &google, contents("vx/g", plain), format!("{GOOGLE}g:countTokens"), plain),
        (&vx, &google, contents("vx/g", &wrapped), format!("{GOOGLE}g:countTokens"), plain),
    ] {
        let answer = gateway.ask(&ask).await.expect_status(200);
        assert!(answer.text().contains("42"), "{target}: {}", answer.text());
        assert_eq!(answer.get("x-lockgate-token-count"), Some("exact"));
        let seen = last(upstream);
        assert_sent(&seen, &target, "authorization", &bearer());
        assert_eq!(text(&seen), sent);
    }
    vx.ask(&messages("vx/g")).await.expect_status(200);
    let seen = last(&google);
    assert_sent(&seen, &format!("{GOOGLE}g:countTokens"), "authorization", &bearer());
    let sent = body(&seen);
    assert_eq!(sent["contents"], json!([{"role": "user", "parts": [{"text": "hi"}]}]));
    assert_eq!(sent.get("generateContentRequest"), None, "the host has no wrapper");
    va.ask(&contents("va/c@1", plain)).await.expect_status(200);
    let seen = last(&anthropic);
    assert_sent(&seen, &format!("{ANTHROPIC}{count}"), "authorization", &bearer());
    let sent = body(&seen);
    assert_eq!((&sent["model"], &sent["anthropic_version"]), (&json!("c@1"), &json!("vertex-2023-10-16")));
    assert_eq!((sent.get("max_tokens"), sent.get("stream")), (None, None));
}

#[tokio::test]
async fn googles_errors_are_told_in_the_clients_dialect() {
    let error = r#"[{"error":{"code":404,"message":"Publisher Model `x` was not found.","status":"NOT_FOUND"}}]"#;
    let upstream = Upstream::start(move |_| Script::json(404, error)).await;
    let gateway = gateway(&upstream, "va", "vertex-anthropic", PARAMS).await;
    for streamed in [false, true] {
        let answer = gateway.ask(&Face::Anthropic.ask("va/x", "hello", streamed)).await.expect_status(404);
        let (kind, message) = Face::Anthropic.error(&answer.json());
        assert_eq!((kind.as_str(), message.as_str()), ("not_found_error", "Publisher Model `x` was not found."));
    }
}
