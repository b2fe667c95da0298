//! One recorded exchange, as far as the gateway serves its operation.

use std::{fs, path::Path};

use bytes::Bytes;
use serde_json::Value;

use crate::support::Face;

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// Where a client sends the request.
    pub(super) target: String,
    /// The model that it asks for.
    pub(super) model: String,
    pub(super) request: Bytes,
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) response: Bytes,
    /// Whether the answer is a stream of events.
    pub(super) is_sse: bool,
}

/// The cases of a folder, by name; none if there is no such folder.
pub(super) fn load(folder: &Path, face: Face) -> Vec<Case> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a folder of cases must be readable").path());
    let mut cases: Vec<Case> = paths.filter_map(|path| read(&path, face)).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn read(folder: &Path, face: Face) -> Option<Case> {
    let file = |name: &str| fs::read(folder.join(name)).ok().map(Bytes::from);
    let meta: Value = serde_json::from_slice(&file("meta.json")?).expect("meta.json must be JSON");
    let (sse, json) = (file("response.sse"), file("response.json"));
    let is_sse = sse.is_some();
    let plain = if is_sse { "text/event-stream" } else { "application/json" };
    let (target, model, request) = match meta["path"].as_str() {
        Some(path) => fit(face, path.split(' ').nth(1)?, file("request.json")),
        None => Some(plain_request(face, is_sse)),
    }?;
    Some(Case {
        name: folder.file_name()?.to_str()?.to_owned(),
        target,
        model,
        request,
        status: u16::try_from(meta["status"].as_u64()?).ok()?,
        content_type: meta["content_type"].as_str().unwrap_or(plain).to_owned(),
        response: sse.or(json)?,
        is_sse,
    })
}

/// Where a recorded request is sent, and for which model; `None` if it is another operation.
fn fit(face: Face, path: &str, request: Option<Bytes>) -> Option<(String, String, Bytes)> {
    let Some(request) = request else {
        return path.ends_with("/messages").then(|| plain_request(face, false));
    };
    let body: Value = serde_json::from_slice(&request).ok()?;
    let bare = path.split('?').next()?;
    let named = |end: &str| bare.ends_with(end).then(|| body["model"].as_str().map(str::to_owned))?;
    let (target, model) = match face {
        Face::OpenAi => (face.target("", false), named("/chat/completions")?),
        Face::Anthropic => (face.target("", false), named("/messages")?),
        Face::Responses => (face.target("", false), named("/responses")?),
        Face::Gemini => {
            let (_, call) = path.split_once("/models/")?;
            let (model, verb) = call.split_once(':')?;
            let chat = verb.starts_with("generateContent") || verb.starts_with("streamGenerateContent");
            chat.then(|| (format!("/v1beta/models/{call}"), model.to_owned()))?
        }
    };
    Some((target, model, request))
}

/// A request for an answer that was recorded without its own.
fn plain_request(face: Face, streamed: bool) -> (String, String, Bytes) {
    let ask = face.ask("unrecorded", "hello", streamed);
    (ask.target, "unrecorded".to_owned(), ask.body)
}
