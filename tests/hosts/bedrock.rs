//! Bedrock as a host of Anthropic's dialect: bodies at `invoke`, events in binary frames.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use lockgate_filters::eventstream::push_frame;
use serde_json::{Value, json};

use super::{KEY, assert_sent, body, gateway, last, text};
use crate::support::{Ask, Config, Face, Gateway, Script, Upstream};

const ENTRY: &str = "bedrock-anthropic";
const STREAM: &str = "application/vnd.amazon.eventstream";
const ID: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";

fn bearer() -> String {
    format!("Bearer {KEY}")
}

fn frame(headers: &[(&str, &str)], payload: &str) -> Bytes {
    let mut out = BytesMut::new();
    push_frame(&mut out, headers, |out| out.extend_from_slice(payload.as_bytes()));
    out.freeze()
}

/// An event of the vendor's as the host carries it.
fn carried(event: &str) -> Bytes {
    let headers = [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, &json!({"bytes": STANDARD.encode(event), "p": "abcdefghijkl"}).to_string())
}

fn exception(name: &str) -> Bytes {
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    frame(&headers, r#"{"message":"the host is unwell"}"#)
}

/// The events of a stream of the vendor's, each as it is carried.
fn frames(sse: &str) -> Vec<Bytes> {
    sse.lines().filter_map(|line| line.strip_prefix("data: ")).map(carried).collect()
}

/// What the vendor would have sent, with what the host adds to its last event.
fn said(words: &[&str]) -> String {
    let metrics = r#","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":7}}"#;
    let stream = Face::Anthropic.stream(words).concat();
    let end = stream.trim_end().strip_suffix('}').expect("the last event is an object");
    format!("{end}{metrics}\n\n")
}

/// Bytes cut at borders that look random, the same for each seed.
fn cut(bytes: &[u8], mut seed: u32) -> Script {
    let mut script = Script::chunked(200, STREAM);
    let mut rest = bytes;
    while !rest.is_empty() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = (seed >> 24) as usize % 61 + 1;
        let (piece, more) = rest.split_at(size.min(rest.len()));
        script = script.chunk(piece);
        rest = more;
    }
    script
}

/// Answers as the path asks.
async fn upstream() -> Upstream {
    Upstream::start(|seen| match seen.head.target() {
        target if target.ends_with("/count-tokens") => Script::json(200, r#"{"inputTokens":42}"#),
        target if target.ends_with("-stream") => cut(&frames(&said(&["the ", "answer"])).concat(), 1).end(),
        _ => Script::json(200, &Face::Anthropic.whole("the answer")),
    })
    .await
}

#[tokio::test]
async fn a_request_of_the_vendors_dialect_gets_what_the_host_wants_and_no_more() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream, "ba", ENTRY, "").await;
    for (streamed, verb) in [(false, "invoke"), (true, "invoke-with-response-stream")] {
        let sent = format!(
            r#"{{ "system":"s", "model" : "ba/{ID}" ,"max_tokens":5,"stream": {streamed}, "messages":[{{"role":"user","content":"hi"}}] }}"#
        );
        let ask = Ask::post_text("/v1/messages?beta=true", &sent)
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "claude-code-20250219,context-1m-2025-08-07");
        let answer = gateway.ask(&ask).await.expect_status(200);
        let expected = if streamed { said(&["the ", "answer"]) } else { Face::Anthropic.whole("the answer") };
        assert_eq!(answer.text(), expected, "the answer is the vendor's own");
        let kind = if streamed { "text/event-stream" } else { "application/json" };
        assert_eq!(answer.get("content-type"), Some(kind));
        let seen = last(&upstream);
        assert_sent(&seen, &format!("/model/{ID}/{verb}"), "authorization", &bearer());
        assert_eq!(seen.head.get("accept"), Some(if streamed { STREAM } else { "application/json" }));
        for name in ["anthropic-version", "anthropic-beta"] {
            assert_eq!(seen.head.get(name), None, "the body says it");
        }
        let version = r#""anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"]"#;
        let expected = sent
            .replace(&format!(r#""model" : "ba/{ID}""#), version)
            .replace(&format!(r#""stream": {streamed}, "#), "");
        assert_eq!(text(&seen), expected);
    }
}

#[tokio::test]
async fn an_id_with_slashes_stays_one_segment() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream, "ba", ENTRY, "").await;
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x";
    gateway.ask(&Face::Anthropic.ask(&format!("ba/{arn}"), "hello", false)).await.expect_status(200);
    assert_eq!(last(&upstream).head.target(), format!("/model/{}/invoke", arn.replace('/', "%2F")));
}

#[tokio::test]
async fn a_stream_is_the_vendors_however_it_is_cut() {
    let whole = said(&["a", "é", "\"quoted\"\n", "😀"]);
    for seed in 0..12 {
        let stream = frames(&whole).concat();
        let upstream = Upstream::start(move |_| {
            let script = if seed == 0 {
                stream.iter().fold(Script::chunked(200, STREAM), |s, b| s.chunk([*b]))
            } else {
                cut(&stream, seed)
            };
            script.end()
        })
        .await;
        let gateway = gateway(&upstream, "ba", ENTRY, "").await;
        let ask = Face::Anthropic.ask("ba/m", "hello", true).header("x-request-id", "counted");
        let answer = gateway.ask(&ask).await.expect_status(200);
        assert_eq!(answer.text(), whole, "seed {seed}");
        let line = gateway.access_line("counted").await;
        assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&json!(11), &json!(7)), "{line}");
        assert_eq!((&line["dialect"], &line["upstream_dialect"]), (&json!("anthropic"), &json!("anthropic")), "{line}");
    }
}

#[tokio::test]
async fn other_clients_are_translated_for() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream, "ba", ENTRY, "").await;
    for face in Face::ALL.iter().copied().filter(|face| *face != Face::Anthropic) {
        for (streamed, verb) in [(false, "invoke"), (true, "invoke-with-response-stream")] {
            let answer = gateway.ask(&face.ask(&format!("ba/{ID}"), "hello", streamed)).await.expect_status(200);
            if streamed {
                assert_eq!(face.streamed_text(answer.text()), "the answer", "{face:?}");
                assert!(face.is_complete(answer.text()), "{face:?}: {}", answer.text());
            } else {
                assert_eq!(face.text(&answer.json()), "the answer", "{face:?}");
            }
            let seen = last(&upstream);
            assert_sent(&seen, &format!("/model/{ID}/{verb}"), "authorization", &bearer());
            let sent = body(&seen);
            assert_eq!(sent["anthropic_version"], "bedrock-2023-05-31", "{face:?}");
            assert!(sent.get("model").is_none() && sent.get("stream").is_none(), "{face:?}: {sent}");
        }
    }
}

#[tokio::test]
async fn an_exception_before_the_answer_goes_to_the_next_target() {
    let early = || [frames(&Face::Anthropic.opening()[0]).concat(), exception("throttlingException").to_vec()].concat();
    let upstream = Upstream::start(move |_| cut(&early(), 3).end()).await;
    let yaml = format!("{{type: {ENTRY}, base_url: \"{}\", api_key: {KEY}}}", upstream.url());
    let config = Config::new().provider_text("ba", &yaml).model("tried", "{targets: [ba/m, sim-anthropic/echo]}");
    let gateway = Gateway::start(config).await;
    for face in Face::ALL {
        let answer = gateway.ask(&face.ask("tried", "hello", true)).await.expect_status(200);
        assert_eq!(answer.get("x-lockgate-provider"), Some("sim-anthropic"), "{face:?}");
        let alone = gateway.ask(&face.ask("ba/m", "hello", true)).await.expect_status(429);
        assert_eq!(face.error(&alone.json()).1, "the host is unwell", "{face:?}");
    }
}

#[tokio::test]
async fn an_exception_in_the_middle_ends_the_stream_as_one_error_of_the_clients() {
    let partly: String = Face::Anthropic.opening().concat() + &Face::Anthropic.word("the ");
    for (name, kind) in [
        ("throttlingException", "rate_limit_error"),
        ("modelStreamErrorException", "api_error"),
        ("serviceUnavailableException", "overloaded_error"),
    ] {
        let (stream, late) = (frames(&partly).concat(), carried(r#"{"type":"message_stop"}"#));
        let upstream = Upstream::start(move |_| {
            // The connection stays: it is the exception that ends the answer.
            cut(&stream, 5).pause(std::time::Duration::from_millis(50)).chunk(exception(name)).chunk(&late).silence()
        })
        .await;
        let gateway = gateway(&upstream, "ba", ENTRY, "").await;
        for face in Face::ALL {
            let answer = gateway.ask(&face.ask("ba/m", "hello", true)).await.expect_status(200);
            assert_eq!(face.streamed_text(answer.text()), "the ", "{face:?}");
            let (_, message) = face.stream_error(answer.text()).expect("the failure is told");
            assert_eq!(message, "the host is unwell", "{face:?}");
            assert!(!face.is_complete(answer.text()), "{face:?}: {}", answer.text());
        }
        let answer = gateway.ask(&Face::Anthropic.ask("ba/m", "hello", true)).await;
        assert!(answer.text().starts_with(&partly), "what came before stays: {}", answer.text());
        assert_eq!(answer.text().matches("event: error").count(), 1, "it is told once: {}", answer.text());
        assert_eq!(Face::Anthropic.stream_error(answer.text()).expect("the failure is told").0, kind, "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_a_failure() {
    let whole = frames(&said(&["the ", "answer"]));
    let all = whole.concat();
    let after: usize = whole.iter().take(4).map(Bytes::len).sum();
    // Between two frames, and inside one.
    for (end, resets) in [(after, false), (after + 40, false), (all.len() - 1, false), (after + 40, true)] {
        let part = all[..end].to_vec();
        let upstream = Upstream::start(move |_| {
            let script = cut(&part, 7);
            if resets { script.reset() } else { script.end() }
        })
        .await;
        let gateway = gateway(&upstream, "ba", ENTRY, "").await;
        for face in Face::ALL {
            let ask = face.ask("ba/m", "hello", true).header("x-request-id", "broken");
            let answer = gateway.ask(&ask).await.expect_status(200);
            assert!(face.stream_error(answer.text()).is_some(), "{end}: {face:?}: {}", answer.text());
            assert!(!face.is_complete(answer.text()), "{end}: {face:?}: {}", answer.text());
        }
        let line = gateway.access_line("broken").await;
        assert_eq!(line["ended_by"], "upstream", "{line}");
    }
}

#[tokio::test]
async fn what_is_no_frame_is_no_answer() {
    let mut flipped = frames(&said(&["the answer"])).concat();
    flipped[20] ^= 1;
    for bad in [flipped, b"data: {}\n\n".to_vec(), Vec::new()] {
        let upstream = Upstream::start(move |_| cut(&bad, 2).end()).await;
        let gateway = gateway(&upstream, "ba", ENTRY, "").await;
        for face in Face::ALL {
            let answer = gateway.ask(&face.ask("ba/m", "hello", true)).await.expect_status(502);
            assert!(face.error(&answer.json()).1.contains("no valid answer"), "{face:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn errors_of_the_host_are_told_in_the_clients_dialect() {
    for (status, told, kind, message) in [
        (400, 400, "invalid_request_error", "max_tokens: field required"),
        (400, 400, "not_found_error", "The provided model identifier is invalid."),
        (424, 424, "api_error", "The model failed."),
        (429, 429, "rate_limit_error", "Too many tokens."),
        (503, 529, "overloaded_error", "Try again."),
    ] {
        let error = json!({ "message": message }).to_string();
        let upstream = Upstream::start(move |_| Script::json(status, &error)).await;
        let gateway = gateway(&upstream, "ba", ENTRY, "").await;
        for streamed in [false, true] {
            let answer = gateway.ask(&Face::Anthropic.ask("ba/m", "hello", streamed)).await;
            assert_eq!(answer.status(), told, "{}", answer.text());
            assert_eq!(Face::Anthropic.error(&answer.json()), (kind.to_owned(), message.to_owned()));
        }
    }
    // The vendor's own passes as it is.
    let own = Face::Anthropic.failure(500, "x");
    let expected = own.clone();
    let upstream = Upstream::start(move |_| Script::json(500, &own)).await;
    let gateway = gateway(&upstream, "ba", ENTRY, "").await;
    let answer = gateway.ask(&Face::Anthropic.ask("ba/m", "hello", true)).await.expect_status(500);
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn tokens_are_counted_in_the_hosts_own_dialect() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream, "ba", ENTRY, "").await;
    let messages = json!([{"role": "user", "content": "hi"}]);
    let ask = Ask::post("/v1/messages/count_tokens", &json!({"model": format!("ba/{ID}"), "messages": messages}));
    let answer = gateway.ask(&ask).await.expect_status(200);
    assert_eq!((answer.text(), answer.get("x-lockgate-token-count")), (r#"{"input_tokens":42}"#, Some("exact")));
    let seen = last(&upstream);
    assert_sent(&seen, &format!("/model/{ID}/count-tokens"), "authorization", &bearer());
    let messages = json!([{"role": "user", "content": [{"text": "hi"}]}]);
    assert_eq!(body(&seen), json!({"input": {"converse": {"messages": messages}}}));
}

#[tokio::test]
async fn what_is_passed_through_keeps_its_frames() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream, "ba", ENTRY, "").await;
    let target = format!("/model/{ID}/invoke-with-response-stream");
    let sent = r#"{"anthropic_version":"bedrock-2023-05-31","model":"kept","stream":true}"#;
    let answer = gateway.ask(&Ask::post_text(&format!("/p/ba{target}"), sent)).await.expect_status(200);
    assert_eq!(answer.get("content-type"), Some(STREAM));
    assert_eq!(answer.body, frames(&said(&["the ", "answer"])).concat());
    let seen = last(&upstream);
    assert_eq!((seen.head.target(), text(&seen)), (target.as_str(), sent));
}

/// Streams that the vendor itself was recorded with, by name.
fn recorded() -> Vec<(String, String)> {
    let named = std::env::var_os("LOCKGATE_CORPUS").map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no recordings at {}; set LOCKGATE_CORPUS to the folder that has them", corpus.display());
        return Vec::new();
    }
    let cases = fs::read_dir(corpus.join("anthropic")).expect("the corpus must have its folders");
    let read = |case: fs::DirEntry| {
        let stream = fs::read_to_string(case.path().join("response.sse")).ok()?;
        // One came through a gateway, which ended it in the way of another dialect.
        if stream.contains("[DONE]") {
            return None;
        }
        Some((case.file_name().to_string_lossy().into_owned(), stream.replace("\r\n", "\n")))
    };
    let cases: Vec<_> = cases.filter_map(|case| read(case.expect("a folder is readable"))).collect();
    assert!(cases.len() >= 10, "the corpus must have streams, it has {}", cases.len());
    cases
}

#[tokio::test]
async fn recorded_streams_of_the_vendor_pass_through_the_hosts_frames() {
    for (name, stream) in recorded() {
        let carried = frames(&stream).concat();
        let upstream = Upstream::start(move |_| cut(&carried, 11).end()).await;
        let gateway = gateway(&upstream, "ba", ENTRY, "").await;
        let answer = gateway.ask(&Face::Anthropic.ask("ba/m", "hello", true)).await.expect_status(200);
        let events = |sse: &str| -> Vec<String> {
            sse.lines().filter(|line| line.starts_with("data:")).map(str::to_owned).collect()
        };
        assert_eq!(events(answer.text()), events(&stream), "{name}");
        for line in answer.text().split("\n\n").filter(|event| !event.is_empty()) {
            let (named, data) =
                line.split_once("\ndata: ").unwrap_or_else(|| panic!("{name}: an event has a name and data: {line}"));
            let data: Value = serde_json::from_str(data).expect("data are JSON");
            assert_eq!(named.strip_prefix("event: "), data["type"].as_str(), "{name}");
        }
    }
}
