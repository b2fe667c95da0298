//! Tests of the whole dialect: recorded traffic, and the facts that went wrong elsewhere.

mod corpus;
mod properties;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::{Ollama, OllamaGenerate};
use crate::{
    dialects::{CallHead, Dialect, Encoded, Reply, StreamForm, Target, Upstream},
    model::{ErrorInfo, Event, Request, Response, Str},
    seal::Sealer,
    stream::Folder,
};

fn reply() -> Reply {
    Reply {
        model: Str::from_static("client-model"),
        id: Str::from_static("minted"),
        created: 1_700_000_000,
        form: StreamForm::JsonLines,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: Sealer::new(b"key"),
    }
}

fn decode(dialect: &dyn Dialect, body: &str) -> Result<Request, ErrorInfo> {
    dialect.decode_request(&CallHead::default(), &Bytes::copy_from_slice(body.as_bytes()))
}

fn request(body: &str) -> Request {
    decode(&Ollama, body).expect("the test's request is good")
}

fn encode_with(dialect: &dyn Upstream, request: &Request, quirks: &[&str]) -> Result<Encoded, ErrorInfo> {
    let sealer = Sealer::new(b"key");
    let quirks: Vec<String> = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
    dialect.encode_request(request, &Target { model: "m-1", quirks: &quirks, usage_in_stream: true, sealer: &sealer })
}

fn encode(request: &Request) -> (Value, Encoded) {
    let encoded = encode_with(&Ollama, request, &[]).expect("the test's request can be carried");
    (serde_json::from_slice(&encoded.body).expect("requests are JSON"), encoded)
}

/// Decodes a stream fed in the given pieces.
fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Ollama.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events).expect("the stream is this dialect's");
    }
    decoder.finish(&mut events).expect("the stream's rest is this dialect's");
    events
}

fn written(dialect: &dyn Dialect, events: &[Event], reply: &Reply) -> Vec<u8> {
    let mut encoder = dialect.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out.to_vec()
}

/// The JSON of each line.
fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("streams are UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line ends");
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}
