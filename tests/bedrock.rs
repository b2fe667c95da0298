//! Bedrock Converse over real sockets: ids in paths, binary streams to the byte, keys and signatures, failover.

use bytes::{Bytes, BytesMut};
use lockgate_filters::eventstream::{FrameReader, push_frame};
use serde_json::{Value, json};

use crate::support::{Answer, Ask, Config, Face, Gateway, Script, Upstream, config::UPSTREAM_KEY};

const STREAM: &str = "application/vnd.amazon.eventstream";

/// An id as AWS makes them, and as its SDKs write it into a path.
const ARN: (&str, &str) = (
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x-v1:0",
    "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x-v1%3A0",
);

fn config(upstream: &Upstream) -> Config {
    let url = upstream.url();
    Config::to(upstream)
        .provider_text("up-bedrock", &format!("{{dialect: bedrock, base_url: \"{url}\", api_key: {UPSTREAM_KEY}}}"))
}

/// A request of a client of this dialect.
fn ask(model: &str, verb: &str) -> Ask {
    let body = r#"{ "messages":[{"role":"user","content":[{"text":"h\u00e9"}]}] , "x":1.0e0 }"#;
    Ask::post_text(&format!("/model/{model}/{verb}"), body)
}

fn frame(name: &str, payload: &Value) -> Bytes {
    let mut out = BytesMut::new();
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    push_frame(&mut out, &headers, |out| out.extend_from_slice(payload.to_string().as_bytes()));
    out.freeze()
}

fn exception(name: &str) -> Bytes {
    let mut out = BytesMut::new();
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    push_frame(&mut out, &headers, |out| out.extend_from_slice(br#"{"message":"the upstream is unwell"}"#));
    out.freeze()
}

/// A stream that says `the answer`.
fn stream() -> Vec<u8> {
    let delta = |text: &str| {
        frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": text}, "p": "abcdef"}))
    };
    [
        frame("messageStart", &json!({"role": "assistant"})),
        delta("the "),
        delta("answer"),
        frame("contentBlockStop", &json!({"contentBlockIndex": 0})),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
        frame(
            "metadata",
            &json!({"usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}, "metrics": {"latencyMs": 1}}),
        ),
    ]
    .concat()
}

/// The names of a stream's frames; the last must be whole.
fn names(body: &Bytes) -> Vec<String> {
    let mut reader = FrameReader::default();
    reader.feed(body.clone()).expect("it is one chunk");
    let mut names = Vec::new();
    while let Some(frame) = reader.next_frame().expect("every frame must be good") {
        let name = frame.text(":event-type").or_else(|| frame.text(":exception-type"));
        names.push(name.expect("a frame must have a name").to_owned());
    }
    assert!(reader.is_between_frames(), "the last frame must be whole");
    names
}

fn refusal(answer: &Answer) -> (String, String) {
    let message = answer.json()["message"].as_str().expect("an error must have a message").to_owned();
    (answer.get("x-amzn-errortype").expect("an error must have its name").to_owned(), message)
}

#[tokio::test]
async fn ids_and_bytes_of_a_request_are_kept() {
    let upstream = Upstream::start(|_| Script::json(200, r#"{"output":{"message":{"content":[]}},"usage":{}}"#)).await;
    let gateway = Gateway::start(config(&upstream)).await;
    let request = ask(&format!("up-bedrock%2F{}", ARN.1), "converse");
    gateway.ask(&request).await.expect_status(200);
    let seen = upstream.only();
    assert_eq!(seen.body, request.body, "nothing of the body may change");
    assert_eq!(
        seen.head.target().replace("%3A", ":"),
        format!("/model/{}/converse", ARN.0.replace('/', "%2F")),
        "the id must stay one segment"
    );
    let key = format!("Bearer {UPSTREAM_KEY}");
    assert_eq!(seen.head.all("authorization").collect::<Vec<_>>(), [key.as_str()], "only the provider's key goes out");
}

#[tokio::test]
async fn a_stream_is_kept_to_the_byte_however_it_is_cut() {
    for size in [1, 7, 100, 10_000] {
        let cut = move || stream().chunks(size).fold(Script::chunked(200, STREAM), Script::chunk).end();
        let upstream = Upstream::start(move |_| cut()).await;
        let gateway = Gateway::start(config(&upstream)).await;
        let request = ask("up-bedrock%2Fm", "converse-stream").header("x-request-id", "counted");
        let answer = gateway.ask(&request).await.expect_status(200);
        assert_eq!(answer.body, stream(), "in chunks of {size}");
        assert_eq!(answer.get("content-type"), Some(STREAM));
        assert_eq!(upstream.only().head.target(), "/model/m/converse-stream");
        assert_eq!(upstream.only().head.get("accept"), Some(STREAM), "an upstream must be asked for frames");
        let line = gateway.access_line("counted").await;
        assert_eq!((&line["input_tokens"], &line["output_tokens"]), (&json!(11), &json!(7)), "{line}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_in_a_frame_ends_with_an_exception() {
    let whole = stream();
    let cut = whole.len() / 2;
    let upstream = Upstream::start(move |_| Script::chunked(200, STREAM).chunk(&stream()[..cut]).end()).await;
    let gateway = Gateway::start(config(&upstream)).await;
    let answer = gateway.ask(&ask("up-bedrock%2Fm", "converse-stream")).await.expect_status(200);
    let names = names(&answer.body);
    assert_eq!(names.first().map(String::as_str), Some("messageStart"));
    assert_eq!(names.last().map(String::as_str), Some("modelStreamErrorException"), "{names:?}");
}

#[tokio::test]
async fn other_clients_get_the_meaning_of_a_stream() {
    let upstream = Upstream::start(|_| Script::chunked(200, STREAM).chunk(stream()).end()).await;
    let gateway = Gateway::start(config(&upstream)).await;
    for face in Face::ALL {
        let answer = gateway.ask(&face.ask("up-bedrock/m", "the question", true)).await.expect_status(200);
        assert_eq!(face.streamed_text(answer.text()), "the answer", "{face:?}");
        assert!(face.is_complete(answer.text()), "{face:?}: the stream must end properly");
    }
    let seen = upstream.seen();
    assert!(seen.iter().all(|seen| seen.head.target() == "/model/m/converse-stream"), "the verb must say it");
}

#[tokio::test]
async fn clients_of_this_dialect_get_frames_of_every_upstream() {
    for face in Face::ALL {
        let script = |seen: &crate::support::upstream::Seen, face: &Face| {
            let streamed =
                seen.head.target().contains("stream") || seen.body.windows(13).any(|w| w == b"\"stream\":true");
            face.script("the answer", streamed)
        };
        let upstream = Upstream::start(move |seen| script(seen, face)).await;
        let gateway = Gateway::start(config(&upstream)).await;
        let model = format!("{}%2Fm", face.provider());
        let whole = gateway.ask(&ask(&model, "converse")).await.expect_status(200).json();
        assert_eq!(whole["output"]["message"]["content"], json!([{"text": "the answer"}]), "{face:?}");
        assert_eq!(whole["usage"]["inputTokens"], 11, "{face:?}");
        let answer = gateway.ask(&ask(&model, "converse-stream")).await.expect_status(200);
        assert_eq!(answer.get("content-type"), Some(STREAM));
        let names = names(&answer.body);
        assert_eq!(names.first().map(String::as_str), Some("messageStart"), "{face:?}");
        assert_eq!(names.last().map(String::as_str), Some("metadata"), "{face:?}");
    }
}

#[tokio::test]
async fn an_exception_before_the_answer_goes_to_the_next_target() {
    let failing = || [frame("messageStart", &json!({"role": "assistant"})), exception("throttlingException")].concat();
    let upstream = Upstream::start(move |_| Script::chunked(200, STREAM).chunk(failing()).end()).await;
    let pool = "{targets: [up-bedrock/m, sim-anthropic/echo]}";
    let gateway = Gateway::start(config(&upstream).model("tried", pool)).await;
    let answer = gateway.ask(&ask("tried", "converse-stream")).await.expect_status(200);
    assert_eq!(answer.get("x-lockgate-provider"), Some("sim-anthropic"));
    assert_eq!(names(&answer.body).last().map(String::as_str), Some("metadata"));
    let alone = gateway.ask(&ask("up-bedrock%2Fm", "converse-stream")).await.expect_status(429);
    assert_eq!(refusal(&alone).0, "ThrottlingException");
}

#[tokio::test]
async fn signatures_are_no_keys() {
    let signature = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, \
                     Signature=00";
    let signed = |model: &str| {
        ask(model, "converse").header("authorization", signature).header("x-amz-security-token", "theirs")
    };
    let upstream = Upstream::start(|_| Script::json(200, r#"{"output":{"message":{"content":[]}},"usage":{}}"#)).await;
    let gateway = Gateway::start(config(&upstream)).await;
    gateway.ask(&signed("up-bedrock%2Fm")).await.expect_status(200);
    let seen = upstream.only();
    assert!(!format!("{:?}", seen.head).contains("AWS4"), "a caller's signature must stay here");
    assert_eq!(seen.head.get("x-amz-security-token"), None, "a caller's token must stay here");
    let gateway = Gateway::start(config(&upstream).key("sk-test")).await;
    let (name, message) = refusal(&gateway.ask(&signed("up-bedrock%2Fm")).await.expect_status(403));
    assert_eq!(name, "AccessDeniedException");
    assert!(message.contains("AWS_BEARER_TOKEN_BEDROCK"), "what to do must be said: {message}");
    gateway.ask(&ask("sim%2Fecho", "converse").bearer("sk-test")).await.expect_status(200);
}

#[tokio::test]
async fn refusals_are_in_the_dialect() {
    let gateway = Gateway::start(Config::new()).await;
    for (request, status, name) in [
        (ask("nope%2Fnone", "converse"), 404, "ResourceNotFoundException"),
        (ask("sim%2Fecho", "invent"), 404, "ResourceNotFoundException"),
        (ask("sim%2Fecho", "converse").body("{"), 400, "ValidationException"),
        (ask("sim%2Fecho", "converse").body(r#"{"messages":[],"messages":[]}"#), 400, "ValidationException"),
        (ask("sim%2Ferror=429", "converse-stream"), 429, "ThrottlingException"),
        (Ask::get("/model/sim%2Fecho/converse"), 405, "ValidationException"),
    ] {
        let answer = gateway.ask(&request).await;
        assert_eq!(answer.status(), status, "{}: {:?}", request.target, answer.body);
        assert_eq!(refusal(&answer).0, name, "{}", request.target);
    }
}
