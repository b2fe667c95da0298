//! What went wrong in other gateways, and must not here: rules about answers and attempts, held by the layers together.
//!
//! A test is named by the numbers of `docs/pitfalls.md`.
#![cfg(test)]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use lockgate_filters::{dialects, model::Str, seal::Sealer};
use lockgate_layers::{
    BoxError,
    body::Body,
    credential::Outgoing,
    failover::{FailoverLayer, RetryOn},
    record::{EndedBy, Record},
    resolve::{Balance, Directory, Pool, ResolveError, ResolveLayer, RouteModel},
    target::{Credential, Endpoint, Face, Target, Timeouts},
    translate::{AttemptError, InspectLayer, StateMemory, TranslateLayer},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt, service_fn};

// === what the tests stand on ===

/// A target of these tests: dialect, model, quirks.
type Place = (&'static str, &'static str, &'static [&'static str]);

/// One pool for all names.
struct Only(Arc<Pool>);

impl Directory for Only {
    fn find(&self, _model: &str) -> Result<Arc<Pool>, ResolveError> {
        Ok(self.0.clone())
    }
}

fn target(&(dialect, model, quirks): &Place) -> Arc<Target> {
    let found = dialects::find(dialect, "llm/v1/chat").and_then(dialects::Dialect::upstream);
    let dialect_ = found.expect("the test names a dialect");
    let face = Face { dialect: dialect_, at: None, path: "/chat".to_owned(), stream_path: "/chat".to_owned() };
    let endpoint = Endpoint {
        name: Str::from_static(dialect),
        tls: false,
        authority: "upstream.test".parse().expect("an authority"),
        prefix: String::new(),
        faces: vec![face],
        instead: None,
        quirks: quirks.iter().map(|quirk| (*quirk).to_owned()).collect(),
        usage_in_stream: true,
        headers: HeaderMap::new(),
        credential: Credential::None,
        caller_key: None,
        key_hint: None,
        unfilled: None,
        timeouts: Timeouts::default(),
    };
    Arc::new(Target {
        provider: Str::from_static(dialect),
        model: Str::from_static(model),
        endpoint: Arc::new(endpoint),
        timeouts: Timeouts::default(),
    })
}

/// A request as it reached an upstream.
struct Sent {
    headers: HeaderMap,
    body: Value,
}

/// What came of a request.
struct Outcome {
    answer: Result<Response<Body>, BoxError>,
    record: Arc<Record>,
    sent: Vec<Sent>,
}

impl Outcome {
    /// The status, and the whole body as the client reads it.
    async fn told(self) -> (u16, String) {
        let (parts, body) = self.answer.expect("it is answered").into_parts();
        let bytes = body.collect().await.expect("the body has no error").to_bytes();
        (parts.status.as_u16(), String::from_utf8(bytes.to_vec()).expect("the answer is text"))
    }
}

/// Sends a request of a dialect's client through the layers of a conversation, to upstreams that `answer`.
async fn ask(
    client: &str,
    places: &[Place],
    headers: &[(&'static str, &'static str)],
    body: &Value,
    answer: impl Fn(usize) -> Response<Body> + Clone + Send + Sync + 'static,
) -> Outcome {
    let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let seen = sent.clone();
    let upstream = service_fn(move |out: Outgoing| {
        let (parts, body) = out.request.into_parts();
        let body = serde_json::from_slice(body.as_bytes().expect("requests are whole")).expect("requests are JSON");
        let mut seen = seen.lock().expect("nobody panics with it");
        let answer = answer(seen.len());
        seen.push(Sent { headers: parts.headers, body });
        std::future::ready(Ok::<_, BoxError>(answer))
    });
    let pool = Pool {
        attempts: 9,
        targets: places.iter().map(target).collect(),
        balance: Balance::Failover,
        retry_on: RetryOn::default(),
        total: None,
    };
    let dialect = dialects::find(client, "llm/v1/chat").expect("the test names a dialect");
    let stack = ServiceBuilder::new()
        .layer(InspectLayer::new(Arc::from([dialect]), false, Duration::from_mins(15)))
        .layer(ResolveLayer::new(Arc::new(Only(Arc::new(pool))), RouteModel::default()))
        .layer(FailoverLayer)
        .layer(TranslateLayer::new(Sealer::new(b"test"), StateMemory::new(1 << 20, Duration::from_mins(1))))
        .service(upstream);
    let mut request = Request::new(Bytes::from(body.to_string()));
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let record = Record::new(Str::new(), "".into(), http::Method::POST, Str::new(), dialect.name());
    let record = Arc::new(record);
    request.extensions_mut().insert(record.clone());
    let answer = stack.oneshot(request).await;
    let sent = std::mem::take(&mut *sent.lock().expect("nobody panics with it"));
    Outcome { answer, record, sent }
}

/// A request for one word, of clients of a dialect.
fn question(client: &str, streamed: bool) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "hi"}]});
    if streamed || client == "ollama" {
        body["stream"] = json!(streamed);
    }
    body
}

fn response(status: u16, content_type: &str, body: Body) -> Response<Body> {
    let response = Response::builder().status(status).header("content-type", content_type);
    response.body(body).expect("a response")
}

/// A whole answer of a dialect, with counts.
fn whole(dialect: &str) -> String {
    let body = match dialect {
        "openai" => json!({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"},
            "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
        "anthropic" => {
            json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 3, "output_tokens": 4}})
        }
        _ => panic!("no answer of {dialect} is written here"),
    };
    body.to_string()
}

/// A whole stream of a dialect, its terminator included.
fn stream(dialect: &str) -> String {
    let frames = match dialect {
        "openai" => vec![
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ok\"}}]}",
            "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}",
            "data: [DONE]",
        ],
        "anthropic" => vec![
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"ok\"}}",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}",
        ],
        _ => panic!("no stream of {dialect} is written here"),
    };
    frames.join("\n\n") + "\n\n"
}

/// A body that says its pieces and then keeps the connection open; tells when it is dropped.
struct Lingering {
    pieces: Vec<Bytes>,
    dropped: Arc<AtomicBool>,
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.pieces.pop() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Pending,
        }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

// === answers ===

#[tokio::test]
async fn pitfall_02_nothing_compressed_is_asked_for_or_taken() {
    let gzip = |name: &'static str| {
        move |at: usize| {
            let mut answer = response(200, "application/json", Body::full(whole(name)));
            if at == 0 {
                answer.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
            }
            answer
        }
    };
    for (client, name) in [("openai", "openai"), ("openai", "anthropic"), ("anthropic", "anthropic")] {
        let places = [(name, "m", &[][..]), (name, "m", &[])];
        let headers = [("accept-encoding", "gzip, br, zstd")];
        let outcome = ask(client, &places, &headers, &question(client, false), gzip(name)).await;
        for sent in &outcome.sent {
            let asked: Vec<_> = sent.headers.get_all("accept-encoding").iter().collect();
            assert_eq!(asked, ["identity"], "{client} at {name}: what the client takes is no matter of the upstream's");
        }
        assert_eq!(outcome.sent.len(), 2, "{client} at {name}: what nobody here can read is no answer");
        let answer = outcome.answer.as_ref().expect("the second answers");
        for header in ["content-encoding", "content-length"] {
            assert_eq!(answer.headers().get(header), None, "{client} at {name}: {header} was the upstream's");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_07_an_upstream_that_lingers_behind_its_end_is_cut_off() {
    for client in ["openai", "anthropic"] {
        for name in ["openai", "anthropic"] {
            for pieces in [1, 7] {
                let dropped = Arc::new(AtomicBool::new(false));
                let told = dropped.clone();
                let places = [(name, "m", &[][..])];
                let outcome = ask(client, &places, &[], &question(client, true), move |_| {
                    let text = stream(name);
                    let size = text.len().div_ceil(pieces);
                    let pieces = text.as_bytes().chunks(size).rev().map(Bytes::copy_from_slice).collect();
                    let lingering = Lingering { pieces, dropped: told.clone() };
                    response(200, "text/event-stream", Body::stream(lingering))
                })
                .await;
                let (start, record) = (Instant::now(), outcome.record.clone());
                let (status, text) = outcome.told().await;
                let case = format!("{client} at {name}, {pieces} pieces: {text}");
                assert!(start.elapsed() <= Duration::from_secs(1), "{case}: took {:?}", start.elapsed());
                assert!(dropped.load(Ordering::SeqCst), "{case}: the upstream is let go");
                assert!(status == 200 && !text.contains("error"), "{case}: it was whole");
                if client == name {
                    assert_eq!(text, stream(name), "{case}: to the last byte");
                }
                assert_eq!(record.note(|facts| facts.ended_by), Some(EndedBy::Complete), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn pitfall_08_every_success_is_an_answer_and_is_metered() {
    for client in ["openai", "anthropic"] {
        for name in ["openai", "anthropic"] {
            for status in [200, 201, 202, 203, 206, 299] {
                let places = [(name, "m", &[][..])];
                let answer = move |_| response(status, "application/json", Body::full(whole(name)));
                let outcome = ask(client, &places, &[], &question(client, false), answer).await;
                let record = outcome.record.clone();
                let (got, text) = outcome.told().await;
                assert!((200..300).contains(&got) && text.contains("ok"), "{client} at {name}: {got} {text}");
                let usage = record.note(|facts| facts.usage).expect("it is metered");
                assert_eq!((usage.input(), usage.output()), (3, 4), "{client} at {name}: {status}");
            }
        }
    }
    for status in [300, 304, 404] {
        let places = [("openai", "m", &[][..])];
        let answer = move |_| response(status, "application/json", Body::full(whole("openai")));
        let outcome = ask("openai", &places, &[], &question("openai", false), answer).await;
        let error = outcome.answer.map(|answer| answer.status()).expect_err("it is no success");
        let error = error.downcast::<AttemptError>().expect("an attempt failed");
        assert_eq!(error.info.upstream_status, Some(status));
    }
}

// === attempts ===

#[tokio::test]
async fn pitfall_67_betas_are_chosen_for_each_host_on_every_attempt() {
    let failing = |at: usize| match at {
        2 => response(200, "application/json", Body::full(whole("anthropic"))),
        _ => response(500, "application/json", Body::full("{}")),
    };
    let betas = "interleaved-thinking-2025-05-14,a-beta-of-tomorrow-2030-01-01,context-1m-2031-12-31";
    let places = [
        ("anthropic", "claude", &["vertex"][..]),
        ("anthropic", "claude", &["bedrock_invoke"]),
        ("anthropic", "claude", &[]),
    ];
    let headers = [("anthropic-beta", betas), ("anthropic-version", "2023-06-01")];
    let outcome = ask("anthropic", &places, &headers, &question("anthropic", false), failing).await;
    let [vertex, bedrock, vendor] = outcome.sent.as_slice() else { panic!("three attempts are made") };
    let header = |sent: &Sent| sent.headers.get("anthropic-beta").map(|beta| beta.to_str().expect("text").to_owned());
    assert_eq!(
        header(vertex).as_deref(),
        Some("interleaved-thinking-2025-05-14,context-1m-2031-12-31"),
        "what the host has, of whatever date"
    );
    assert_eq!(header(bedrock), None, "this host reads them in the body");
    assert_eq!(bedrock.body["anthropic_beta"], json!(["context-1m-2031-12-31"]));
    assert_eq!(header(vendor).as_deref(), Some(betas), "the vendor's own is not touched");
    assert_eq!(vendor.headers.get("anthropic-version").map(HeaderValue::as_bytes), Some(&b"2023-06-01"[..]));
    assert_eq!(vendor.body.get("anthropic_beta"), None, "nothing of another attempt is left");
}

#[tokio::test]
async fn pitfall_69_each_attempt_is_made_from_what_the_client_said() {
    let failing = |at: usize| match at {
        3 => response(200, "application/json", Body::full(whole("openai"))),
        _ => response(500, "application/json", Body::full("{}")),
    };
    let body = json!({"model": "m", "max_completion_tokens": 5000, "reasoning_effort": "high", "temperature": 0.3,
        "top_p": 0.9, "stop": ["\n", "END"], "messages": [{"role": "user", "content": "hi"}]});
    let places = [
        // It thinks as it likes, and takes no temperature.
        ("anthropic", "claude-opus-4-8", &[][..]),
        // It does not think, and takes all sampling.
        ("anthropic", "claude-3-5-haiku-20241022", &[]),
        ("gemini", "gemini-2.5-flash", &[]),
        ("openai", "gpt-5", &[]),
    ];
    let outcome = ask("openai", &places, &[], &body, failing).await;
    let [first, second, third, last] = outcome.sent.as_slice() else { panic!("four attempts are made") };
    let (first, second, third, last) = (&first.body, &second.body, &third.body, &last.body);
    assert_eq!((first["thinking"]["type"].as_str(), first.get("temperature")), (Some("adaptive"), None));
    assert_eq!((second.get("thinking"), &second["temperature"], &second["top_p"]), (None, &json!(0.3), &json!(0.9)));
    assert_eq!(second["stop_sequences"], json!(["END"]));
    assert_eq!(third["generationConfig"]["stopSequences"], json!(["\n", "END"]), "others take what one did not");
    assert_eq!(third["generationConfig"]["temperature"], json!(0.3));
    assert_eq!(third["generationConfig"]["maxOutputTokens"], json!(5000));
    let mut expected = body.clone();
    expected["model"] = json!("gpt-5");
    assert_eq!(last, &expected, "whoever speaks the client's dialect gets its own words");
}
