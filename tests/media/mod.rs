//! Media given by URL: who gets them how, from where they are not fetched, and how much is.

mod bounds;
mod carriage;
mod refusals;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{Answer, Ask, Config, Face, Gateway, Script, Upstream, upstream::Seen};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a picture, as far as anybody looks";
const PDF: &[u8] = b"%PDF-1.7 a paper, as far as anybody looks";

/// A server of files, and what it does with each path.
async fn files() -> Upstream {
    Upstream::start(|seen| file(path(seen))).await
}

fn file(path: &str) -> Script {
    match path {
        "/paper.pdf" => Script::whole(200, "application/pdf", PDF),
        "/notes.txt" => Script::whole(200, "text/plain; charset=utf-8", b"some notes"),
        path if path.rsplit('.').next() == Some("png") => Script::whole(200, "image/png", PNG),
        _ => Script::whole(404, "text/plain", b"no such file"),
    }
}

/// The path that a request asks for, without its query.
fn path(seen: &Seen) -> &str {
    seen.head.target().split('?').next().unwrap_or_default()
}

/// A provider of each dialect, which answers `fine` and keeps what it is sent.
async fn provider() -> Upstream {
    Upstream::start(|seen| {
        let face = Face::ALL.iter().copied().find(|face| face.target("m", false) == path(seen));
        face.map_or_else(|| Script::json(404, "{}"), |face| face.script("fine", false))
    })
    .await
}

/// A gateway to such a provider that may fetch from loopback by address.
async fn gateway(provider: &Upstream, media: &str) -> Gateway {
    Gateway::start(Config::to(provider).section("media", media)).await
}

/// A request with one medium by URL, as a client of each dialect writes it.
fn ask(face: Face, model: &str, kind: &str, url: &str) -> Ask {
    let mut ask = face.ask(model, "look", false);
    let mut body: Value = serde_json::from_slice(&ask.body).expect("it was JSON");
    match face {
        Face::OpenAi => {
            let part = match kind {
                "image" => json!({"type": "image_url", "image_url": {"url": url}}),
                _ => json!({"type": "file", "file": {"file_data": url, "filename": "f"}}),
            };
            body["messages"][0]["content"] = json!([part]);
        }
        Face::Responses => {
            let part = match kind {
                "image" => json!({"type": "input_image", "image_url": url}),
                _ => json!({"type": "input_file", "file_url": url}),
            };
            body["input"] = json!([{"role": "user", "content": [part]}]);
        }
        Face::Anthropic => {
            body["messages"][0]["content"] = json!([{"type": kind, "source": {"type": "url", "url": url}}]);
        }
        Face::Gemini => {
            let mime = if kind == "image" { "image/png" } else { "application/pdf" };
            body["contents"][0]["parts"] = json!([{"fileData": {"fileUri": url, "mimeType": mime}}]);
        }
    }
    ask.body = body.to_string().into();
    ask
}

/// An image for Gemini, which fetches none.
fn picture(url: &str) -> Ask {
    ask(Face::OpenAi, "up-gemini/m", "image", url)
}

/// The base64 that reached a provider as Gemini's inline data.
fn inlined(seen: &Seen) -> Vec<u8> {
    let body: Value = serde_json::from_slice(&seen.body).expect("a provider gets JSON");
    let data = body["contents"][0]["parts"][0]["inlineData"]["data"].as_str().expect("the data must be inline");
    STANDARD.decode(data).expect("the data must be base64")
}

/// Why media could not be had, as `OpenAI`'s clients are told.
fn reason(answer: Answer) -> String {
    let body = answer.expect_status(400).json();
    assert_eq!(body["error"]["code"], "media_fetch_failed", "{body}");
    assert_eq!(body["error"]["param"], "messages.content.image_url", "{body}");
    body["error"]["message"].as_str().expect("an error must say something").to_owned()
}
