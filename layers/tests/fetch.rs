//! Media given by URL, through the layers of a conversation: what is fetched, what reaches the upstream, who is tried.
#![cfg(test)]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use lockgate_filters::{dialects, model::Str, seal::Sealer};
use lockgate_layers::{
    BoxError, BoxFuture,
    body::Body,
    credential::Outgoing,
    failover::{FailoverLayer, RetryOn},
    fetch::{Budget, CONCURRENCY, Fetch, FetchError, FetchLayer, Fetched, MAX_URLS},
    resolve::{Balance, Directory, Pool, ResolveError, ResolveLayer, RouteModel},
    target::{Credential, Endpoint, Face, Target, Timeouts},
    translate::{AttemptError, Fault, InspectLayer, PathCall, StateMemory, TranslateLayer},
};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxService};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";
const PNG_BASE64: &str = "iVBORw0KGgogYW5kIHNvIG9u";

// === what the tests stand on ===

/// A world of files by URL; what is not in it is a 404.
#[derive(Default)]
struct World {
    files: HashMap<&'static str, &'static [u8]>,
    asked: Mutex<Vec<String>>,
    /// How long each fetch takes.
    pause: Duration,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// A fetch under way: counted until it is dropped.
struct Open(Arc<World>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Fetcher(Arc<World>);

impl Fetch for Fetcher {
    fn fetch(&self, url: Str, budget: Budget) -> BoxFuture<Fetched, FetchError> {
        let world = self.0.clone();
        Box::pin(async move {
            let open = world.open.fetch_add(1, Ordering::SeqCst) + 1;
            world.most_open.fetch_max(open, Ordering::SeqCst);
            let held = Open(world.clone());
            world.asked.lock().expect("nobody panics with it").push(url.to_string());
            tokio::time::sleep(world.pause).await;
            let path = url.split("/n/").next().unwrap_or_default();
            let bytes = world.files.get(path).copied().ok_or(FetchError::Status(404))?;
            budget.take(bytes.len() as u64)?;
            drop(held);
            Ok(Fetched { bytes: Bytes::from_static(bytes), content_type: Some(Str::from_static("text/plain")) })
        })
    }
}

impl World {
    fn new() -> Self {
        let files = HashMap::from([
            ("https://a.test/cat.png", PNG),
            ("https://a.test/dog.png", b"\x89PNG\r\n\x1a\n woof".as_slice()),
            ("https://a.test/paper.pdf", b"%PDF-1.7".as_slice()),
            ("https://a.test/notes.txt", b"some notes".as_slice()),
        ]);
        Self { files, ..Self::default() }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().expect("nobody panics with it").clone();
        asked.sort();
        asked
    }
}

/// Providers named by their dialect serve every model; a model's name lists them. Those called `unset-` lack a value.
struct Providers;

impl Directory for Providers {
    fn find(&self, model: &str) -> Result<Arc<Pool>, ResolveError> {
        let targets = model.split('+').map(|name| {
            let unset = name.strip_prefix("unset-");
            let dialect = unset.unwrap_or(name).trim_start_matches("bad-");
            let found = dialects::find(dialect, "llm/v1/chat").and_then(dialects::Dialect::upstream);
            let face = Face {
                dialect: found.expect("the test names a dialect"),
                at: None,
                path: "/chat".to_owned(),
                stream_path: "/chat".to_owned(),
            };
            let endpoint = Endpoint {
                name: Str::from(name),
                tls: false,
                authority: "upstream.test".parse().expect("an authority"),
                prefix: String::new(),
                faces: vec![face],
                instead: None,
                quirks: Vec::new(),
                usage_in_stream: true,
                headers: HeaderMap::new(),
                credential: Credential::None,
                caller_key: None,
                key_hint: None,
                unfilled: unset.map(|_| Str::from_static("`project` is not set")),
                timeouts: Timeouts::default(),
            };
            Arc::new(Target {
                provider: Str::from(name),
                model: Str::from_static("m"),
                endpoint: Arc::new(endpoint),
                timeouts: Timeouts::default(),
            })
        });
        let targets: Vec<_> = targets.collect();
        Ok(Arc::new(Pool {
            attempts: 9,
            targets,
            balance: Balance::Failover,
            retry_on: RetryOn::default(),
            total: None,
        }))
    }
}

/// What came of a request, and what reached the providers.
struct Outcome {
    answer: Result<Response<Body>, BoxError>,
    sent: Vec<(String, Value)>,
}

impl Outcome {
    fn failure(self) -> AttemptError {
        assert!(self.sent.is_empty(), "nothing may be sent: {:?}", self.sent);
        *self.answer.expect_err("it must be refused").downcast::<AttemptError>().expect("an attempt failed")
    }

    /// The one body that was sent.
    fn only(&self) -> &Value {
        assert!(self.answer.is_ok(), "it must be answered: {:?}", self.answer);
        assert_eq!(self.sent.len(), 1, "one request must be sent");
        &self.sent[0].1
    }
}

/// Answers as the provider's name says; those called `bad-` with a 500.
fn answer(provider: &str) -> Response<Body> {
    let (status, body) = match provider {
        "openai" => (200, json!({"choices": [{"message": {"role": "assistant", "content": "ok"}, "index": 0}]})),
        "anthropic" => {
            (200, json!({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "ok"}]}))
        }
        "gemini" => (200, json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}}]})),
        _ => (500, json!({"error": {"message": "unwell"}})),
    };
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Body::full(body.to_string())).expect("an answer")
}

/// The layers of a conversation, over providers that keep what they are sent.
fn stack(
    dialect: &str,
    strict: bool,
    fetch: Option<FetchLayer>,
    sent: Arc<Mutex<Vec<(String, Value)>>>,
) -> BoxService<Request<Bytes>, Response<Body>, BoxError> {
    let upstream = service_fn(move |out: Outgoing| {
        let name = out.endpoint.name.to_string();
        let body = serde_json::from_slice(out.request.body().as_bytes().expect("requests are whole"));
        let answer = answer(&name);
        sent.lock().expect("nobody panics with it").push((name, body.expect("requests are JSON")));
        std::future::ready(Ok::<_, BoxError>(answer))
    });
    let dialect = dialects::find(dialect, "llm/v1/chat").expect("the test names a dialect");
    let stack = ServiceBuilder::new()
        .layer(InspectLayer::new(Arc::from([dialect]), strict, Duration::from_mins(15)))
        .layer(ResolveLayer::new(Arc::new(Providers), RouteModel::default()))
        .layer(FailoverLayer)
        .option_layer(fetch)
        .layer(TranslateLayer::new(Sealer::new(b"test"), StateMemory::new(1 << 20, Duration::from_mins(1))))
        .service(upstream);
    BoxService::new(stack)
}

/// A request of a dialect. Gemini has the model in the path.
fn request(dialect: &str, body: &Value) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body.to_string()));
    if dialect == "gemini" {
        let model = Some(Str::from(body["model"].as_str().expect("the test names a model")));
        let verb = Some(Str::from_static("generateContent"));
        request.extensions_mut().insert(PathCall { model, verb });
    }
    request
}

/// Most bytes of media in these tests.
const LIMIT: u64 = 1000;

async fn ask(world: &Arc<World>, dialect: &str, body: &Value, strict: bool) -> Outcome {
    let sent = Arc::default();
    let layer = FetchLayer::new(Arc::new(Fetcher(world.clone())), LIMIT);
    let answer = stack(dialect, strict, Some(layer), Arc::clone(&sent)).oneshot(request(dialect, body)).await;
    let sent = std::mem::take(&mut *sent.lock().expect("nobody panics with it"));
    Outcome { answer, sent }
}

/// A Chat request with images by URL.
fn chat(model: &str, urls: &[&str]) -> Value {
    let parts: Vec<_> = urls.iter().map(|url| json!({"type": "image_url", "image_url": {"url": url}})).collect();
    json!({"model": model, "messages": [{"role": "user", "content": parts}]})
}

/// The inline data of the parts of a Gemini request's first content.
fn inline(body: &Value) -> Vec<&str> {
    let parts = body["contents"][0]["parts"].as_array().expect("a list of parts");
    parts.iter().filter_map(|part| part["inlineData"]["data"].as_str()).collect()
}

// === what is fetched ===

#[tokio::test]
async fn media_by_url_reach_a_target_of_bytes_as_bytes() {
    let world = Arc::new(World::new());
    let outcome = ask(&world, "openai", &chat("gemini", &["https://a.test/cat.png"]), true).await;
    let part = &outcome.only()["contents"][0]["parts"][0]["inlineData"];
    // The server called it a text: the bytes know better. Strict: nothing is lost.
    assert_eq!(*part, json!({"mimeType": "image/png", "data": PNG_BASE64}));
    assert!(outcome.answer.expect("it was answered").headers().get("x-lockgate-loss").is_none());
}

#[tokio::test]
async fn nothing_is_fetched_for_a_target_that_cannot_be_used() {
    let world = Arc::new(World::new());
    let failure = ask(&world, "openai", &chat("unset-gemini", &["https://a.test/cat.png"]), false).await.failure();
    assert_eq!(failure.info.code.as_deref(), Some("missing_provider_param"), "{failure}");
    assert_eq!(world.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn media_are_found_wherever_they_stand() {
    let world = Arc::new(World::new());
    let image =
        |name: &str| json!({"type": "image", "source": {"type": "url", "url": format!("https://a.test/{name}")}});
    let body = json!({"model": "gemini", "max_tokens": 9, "messages": [
        {"role": "user", "content": [
            {"type": "document", "source": {"type": "content", "content": [image("cat.png"), {"type": "text", "text": "x"}]}},
            {"type": "document", "source": {"type": "url", "url": "https://a.test/paper.pdf"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [image("dog.png")]}]},
    ]});
    let outcome = ask(&world, "anthropic", &body, false).await;
    let sent = outcome.only().to_string();
    for mime in ["image/png", "application/pdf"] {
        assert!(sent.contains(mime), "{mime} must be in {sent}");
    }
    assert!(!sent.contains("a.test"), "no URL is left: {sent}");
    assert_eq!(world.asked(), ["https://a.test/cat.png", "https://a.test/dog.png", "https://a.test/paper.pdf"]);
}

#[tokio::test]
async fn a_file_of_no_declared_kind_is_sent_as_what_it_is() {
    let world = Arc::new(World::new());
    let body = json!({"model": "openai", "contents": [{"role": "user", "parts": [
        {"fileData": {"fileUri": "https://a.test/cat.png"}},
        {"fileData": {"fileUri": "https://a.test/notes.txt", "mimeType": "text/plain"}}]}]});
    let outcome = ask(&world, "gemini", &body, false).await;
    let content = &outcome.only()["messages"][0]["content"];
    assert_eq!(content[0]["image_url"]["url"], format!("data:image/png;base64,{PNG_BASE64}"));
    assert!(content[1]["text"].as_str().is_some_and(|text| text.contains("some notes")), "{content}");
}

#[tokio::test]
async fn nothing_is_fetched_that_the_target_fetches() {
    let world = Arc::new(World::new());
    for (client, model, url) in [
        ("openai", "openai", "https://a.test/cat.png"),
        ("openai", "anthropic", "https://a.test/cat.png"),
        ("openai", "gemini", "https://www.youtube.com/watch?v=1"),
        ("openai", "gemini", "data:image/png;base64,AAAA"),
    ] {
        let outcome = ask(&world, client, &chat(model, &[url]), false).await;
        let sent = outcome.only().to_string();
        assert!(url.starts_with("data:") || sent.contains(url), "{model} gets the URL: {sent}");
    }
    let body = json!({"model": "gemini", "contents": [{"role": "user", "parts": [
        {"fileData": {"fileUri": "https://a.test/cat.png", "mimeType": "image/png"}}]}]});
    assert!(ask(&world, "gemini", &body, false).await.only().to_string().contains("a.test"), "bytes pass");
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn a_url_is_fetched_once_however_often_it_stands_and_is_tried() {
    let world = Arc::new(World::new());
    let cat = "https://a.test/cat.png";
    let outcome = ask(&world, "openai", &chat("bad-gemini+bad-gemini+gemini", &[cat, cat, cat]), false).await;
    assert_eq!(outcome.sent.len(), 3, "three targets were tried");
    for (_, body) in &outcome.sent {
        assert_eq!(inline(body), [PNG_BASE64; 3]);
    }
    assert_eq!(world.asked(), [cat]);
}

// === bounds ===

#[tokio::test(start_paused = true)]
async fn fetches_run_at_once_but_not_all() {
    let world = Arc::new(World { pause: Duration::from_secs(1), ..World::new() });
    let urls: Vec<_> = (0..20).map(|n| format!("https://a.test/cat.png/n/{n}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let started = tokio::time::Instant::now();
    let outcome = ask(&world, "openai", &chat("gemini", &urls), false).await;
    assert_eq!(inline(outcome.only()).len(), 20);
    assert_eq!(world.most_open.load(Ordering::SeqCst), CONCURRENCY);
    assert_eq!(started.elapsed().as_secs(), 3, "twenty by eight");
}

#[tokio::test]
async fn more_urls_than_may_be_are_refused_before_any_is_asked_for() {
    let world = Arc::new(World::new());
    let urls: Vec<_> = (0..=MAX_URLS).map(|n| format!("https://a.test/{n}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let failure = ask(&world, "openai", &chat("gemini", &urls), false).await.failure();
    assert!(failure.info.message.contains("more than 100"), "{}", failure.info.message);
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn the_media_of_one_request_share_one_limit() {
    let world = Arc::new(World::new());
    let urls: Vec<_> = (0..60).map(|n| format!("https://a.test/cat.png/n/{n}")).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let failure = ask(&world, "openai", &chat("gemini", &urls), false).await.failure();
    assert!(failure.info.message.contains("1000 bytes together"), "{}", failure.info.message);
}

/// A few bytes of URL must not become the same megabytes again and again.
#[tokio::test]
async fn a_url_that_stands_often_counts_as_often() {
    let world = Arc::new(World::new());
    let failure = ask(&world, "openai", &chat("gemini", &["https://a.test/cat.png"; 60]), false).await.failure();
    assert!(failure.info.message.contains("1000 bytes together"), "{}", failure.info.message);
    assert_eq!(world.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_ends_its_fetches() {
    let world = Arc::new(World { pause: Duration::from_hours(1), ..World::new() });
    let body = chat("gemini", &["https://a.test/cat.png", "https://a.test/dog.png"]);
    let asked = ask(&world, "openai", &body, false);
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err(), "it waits for its media");
    assert_eq!(world.most_open.load(Ordering::SeqCst), 2);
    assert_eq!(world.open.load(Ordering::SeqCst), 0, "they went with the call");
}

// === failures ===

#[tokio::test]
async fn a_failure_is_the_clients_and_says_where_and_why() {
    let world = Arc::new(World::new());
    let url = "https://user:word@a.test/none.png?signature=secret";
    for client in ["openai", "anthropic"] {
        let content = match client {
            "openai" => json!({"type": "image_url", "image_url": {"url": url}}),
            _ => json!({"type": "image", "source": {"type": "url", "url": url}}),
        };
        let body =
            json!({"model": "gemini+gemini", "max_tokens": 9, "messages": [{"role": "user", "content": [content]}]});
        let failure = ask(&world, client, &body, true).await.failure();
        assert_eq!(failure.fault, Fault::Media);
        let info = failure.info;
        assert_eq!((info.class.status(), info.code.as_deref()), (400, Some("media_fetch_failed")));
        assert!(info.param.is_some_and(|param| param.starts_with("messages.content")));
        assert!(info.message.contains("image at `https://a.test/none.png`"), "{}", info.message);
        assert!(info.message.contains("status 404"), "{}", info.message);
    }
    assert_eq!(world.asked().len(), 2, "the second target would fare no better: it is not asked for again");
}

#[tokio::test]
async fn the_wrong_type_is_a_failure_too() {
    let world = Arc::new(World::new());
    let failure = ask(&world, "openai", &chat("gemini", &["https://a.test/notes.txt"]), false).await.failure();
    assert!(failure.info.message.contains("expected an image, the server sent text/plain"), "{}", failure.info.message);
}

#[tokio::test]
async fn after_a_failure_only_a_target_that_fetches_for_itself_is_tried() {
    let world = Arc::new(World::new());
    let url = "https://a.test/none.png";
    let outcome = ask(&world, "openai", &chat("gemini+gemini+anthropic+gemini", &[url]), false).await;
    assert_eq!(outcome.only()["messages"][0]["content"][0]["source"], json!({"type": "url", "url": url}));
    let answer = outcome.answer.expect("it was answered");
    assert_eq!(answer.headers()["x-lockgate-provider"], "anthropic");
    assert_eq!(answer.headers()["x-lockgate-attempts"], "2", "who was passed over was not tried");
    assert_eq!(world.asked(), [url]);
}

// === cost ===

/// Allocations of one request, the layer in or out.
fn allocations(client: &str, body: &Value, fetch: bool) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let fetch = fetch.then(|| FetchLayer::new(Arc::new(Fetcher(Arc::new(World::new()))), LIMIT));
    let stack = stack(client, false, fetch, Arc::default());
    let request = request(client, body);
    let info = allocation_counter::measure(|| {
        drop(runtime.block_on(stack.oneshot(request)).expect("it is answered"));
    });
    info.count_total
}

#[test]
fn a_request_without_urls_allocates_nothing_for_this_layer() {
    for (client, model) in [("openai", "openai"), ("openai", "gemini"), ("anthropic", "gemini")] {
        let body = json!({"model": model, "max_tokens": 9, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello"}]}]});
        // The memory of state tidies up by the clock, and tests beside this one disturb the count: the middle of many holds.
        let usual = |fetch| {
            let mut counts: Vec<u64> = (0..25).map(|_| allocations(client, &body, fetch)).collect();
            counts.sort_unstable();
            counts[12]
        };
        assert_eq!(usual(true), usual(false), "{client} to {model}");
    }
}
