//! Recorded traffic of the hosts, through the provider of each: the path is the recorded one, the bytes are the recorded
//! ones in both directions, and clients of other dialects understand the answers.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use serde_json::Value;

use super::{KEY, last, text};
use crate::support::{Ask, Config, Face, Gateway, Script, Upstream};

/// One recorded exchange with a host.
#[derive(Debug)]
struct Case {
    name: String,
    face: Face,
    /// Entry of the catalog that reaches it, and what stands in its paths.
    entry: &'static str,
    params: String,
    model: String,
    path: String,
    request: String,
    status: u16,
    content_type: String,
    response: Bytes,
}

const FOLDERS: &[(&str, Face)] =
    &[("openai-chat", Face::OpenAi), ("anthropic", Face::Anthropic), ("gemini", Face::Gemini)];

fn cases() -> Vec<Case> {
    let named = std::env::var_os("LOCKGATE_CORPUS").map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no recordings at {}; set LOCKGATE_CORPUS to the folder that has them", corpus.display());
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (folder, face) in FOLDERS {
        let folder = fs::read_dir(corpus.join(folder)).expect("the corpus must have its folders");
        cases.extend(folder.filter_map(|entry| read(&entry.expect("a folder is readable").path(), *face)));
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() >= 12, "the corpus must have cases of hosts, it has {}", cases.len());
    cases
}

fn read(folder: &Path, face: Face) -> Option<Case> {
    let file = |name: &str| fs::read(folder.join(name)).ok().map(Bytes::from);
    let meta: Value = serde_json::from_slice(&file("meta.json")?).expect("meta.json must be JSON");
    if !matches!(meta["provider"].as_str(), Some("azure" | "vertex")) {
        return None;
    }
    let path = meta["path"].as_str()?.strip_prefix("POST ")?.to_owned();
    let (entry, params) = reached(&path)?;
    Some(Case {
        name: folder.file_name()?.to_str()?.to_owned(),
        face,
        entry,
        params,
        model: meta["model"].as_str()?.to_owned(),
        path,
        request: String::from_utf8(file("request.json")?.to_vec()).expect("requests are text"),
        status: u16::try_from(meta["status"].as_u64()?).ok()?,
        content_type: meta["content_type"].as_str().unwrap_or("application/json").to_owned(),
        response: file("response.sse").or_else(|| file("response.json"))?,
    })
}

/// Which entry reaches a recorded path, and with which params; `None` for what is no conversation.
fn reached(path: &str) -> Option<(&'static str, String)> {
    let query = |name: &str| path.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let version = || format!("{{api_version: {}}}", query("api-version").expect("it must have a version"));
    if path.ends_with("/openai/v1/chat/completions") {
        return Some(("azure", "{}".to_owned()));
    }
    if path.starts_with("/openai/deployments/") && path.contains("/chat/completions") {
        return Some(("azure-deployments", version()));
    }
    if path.starts_with("/models/chat/completions") {
        return Some(("azure-ai", version()));
    }
    // The recorder took one location's name out, and left what no location is called.
    let location = path.split("/locations/").nth(1)?.split('/').next()?.trim_matches(['<', '>']);
    let params = format!("{{project: PROJECT, location: {}}}", location.replace('_', "-"));
    let publisher = path.split("/publishers/").nth(1)?.split('/').next()?;
    let entry = if publisher == "anthropic" { "vertex-anthropic" } else { "vertex" };
    path.contains("redict").then_some(()).or_else(|| path.contains("enerateContent").then_some(()))?;
    Some((entry, params))
}

/// The path at which our client asks, and what it sends.
fn ask(case: &Case) -> Ask {
    let own = format!("host/{}", case.model);
    match case.face {
        Face::OpenAi | Face::Responses => {
            let named = format!("\"model\": \"{}\"", case.model);
            assert_eq!(case.request.matches(&named).count(), 1, "{}: the model is named once", case.name);
            let target = case.face.target(&own, false);
            Ask::post_text(&target, &case.request.replace(&named, &format!("\"model\": \"{own}\"")))
        }
        // What a client of the vendor's own would have sent: the model, and no version.
        Face::Anthropic => {
            let version = "\"anthropic_version\": \"vertex-2023-10-16\"";
            assert_eq!(case.request.matches(version).count(), 1, "{}: the version is said once", case.name);
            Ask::post_text("/v1/messages", &case.request.replace(version, &format!("\"model\": \"{own}\"")))
        }
        Face::Gemini => {
            let verb = case.path.rsplit(':').next().expect("a path of Gemini's ends in a verb");
            Ask::post_text(&format!("/v1beta/models/{}:{verb}", own.replace('/', "%2F")), &case.request)
        }
    }
}

/// A gateway and an upstream that answers with the case whose turn it is.
async fn stage(cases: &[Case], current: &Arc<AtomicUsize>) -> (Upstream, Vec<Gateway>) {
    let answers: Vec<(u16, String, Bytes)> =
        cases.iter().map(|case| (case.status, case.content_type.clone(), case.response.clone())).collect();
    let turn = Arc::clone(current);
    let upstream = Upstream::start(move |_| {
        let (status, kind, body) = answers.get(turn.load(Ordering::Relaxed)).expect("the case must exist");
        body.chunks(97).fold(Script::chunked(*status, kind), Script::chunk).end()
    })
    .await;
    let mut gateways = Vec::new();
    for case in cases {
        let yaml = format!(
            "{{type: {}, base_url: \"{}\", api_key: {KEY}, params: {}}}",
            case.entry,
            upstream.url(),
            case.params
        );
        let config = Config::new().provider_text("host", &yaml).section("limits", "{body: 32MiB}");
        gateways.push(Gateway::start(config).await);
    }
    (upstream, gateways)
}

#[tokio::test]
async fn recorded_traffic_of_hosts_passes_untouched() {
    let cases = cases();
    let current = Arc::new(AtomicUsize::new(0));
    let (upstream, gateways) = stage(&cases, &current).await;
    for (index, (case, gateway)) in cases.iter().zip(&gateways).enumerate() {
        current.store(index, Ordering::Relaxed);
        let answer = gateway.ask(&ask(case)).await;
        let seen = last(&upstream);
        let recorded =
            case.path.replace("/v1beta1/", "/v1/").replace("<GOOGLE_CLOUD_LOCATION>", "GOOGLE-CLOUD-LOCATION");
        assert_eq!(seen.head.target(), recorded, "{}", case.name);
        let asked = "\"stream_options\":{\"include_usage\":true},";
        let sent = text(&seen).replacen(&format!(",{}", asked.trim_end_matches(',')), "", 1);
        // The version is written without the recorder's blank.
        let expected = case.request.replace("\"anthropic_version\": ", "\"anthropic_version\":");
        assert_eq!(sent, expected, "{}", case.name);
        assert_eq!(answer.status(), case.status, "{}", case.name);
        // A usage chunk that nobody asked for is taken out; these recordings have none unasked.
        assert_eq!(answer.body, case.response, "{}: the answer passes untouched", case.name);
    }
}

#[tokio::test]
async fn recorded_answers_of_hosts_are_understood_by_other_clients() {
    let cases = cases();
    let current = Arc::new(AtomicUsize::new(0));
    let (_upstream, gateways) = stage(&cases, &current).await;
    for (index, (case, gateway)) in cases.iter().zip(&gateways).enumerate() {
        current.store(index, Ordering::Relaxed);
        let streamed = case.response.starts_with(b"data:")
            || case.response.starts_with(b"event:")
            || case.response.starts_with(b"\r\n");
        // A stream as a list is what only a client of Gemini's gets.
        let streamed = streamed || case.content_type.starts_with("text/event-stream");
        if case.response.starts_with(b"[") {
            continue;
        }
        // Azure speaks Responses too, so that a client of it would not be translated.
        let own = |face: Face| face == case.face || (case.entry == "azure" && face == Face::Responses);
        for face in Face::ALL.iter().copied().filter(|face| !own(*face)) {
            let answer = gateway.ask(&face.ask(&format!("host/{}", case.model), "hello", streamed)).await;
            assert_eq!(answer.status(), 200, "{} for {face:?}: {}", case.name, answer.text());
            if streamed {
                assert!(face.is_complete(answer.text()), "{} for {face:?}: {}", case.name, answer.text());
                assert_eq!(face.stream_error(answer.text()), None, "{} for {face:?}", case.name);
            } else {
                assert!(answer.json().is_object(), "{} for {face:?}", case.name);
            }
        }
    }
}
