//! Tests of the whole dialect: recorded traffic, and the facts that went wrong elsewhere.

mod corpus;
mod facts;
mod hot_path;
mod properties;
mod quirks;
mod requests;
mod streams;
mod tap;

use bytes::{Bytes, BytesMut};

use super::OpenAiChat;
use crate::{
    dialects::{CallHead, Dialect, Encoded, Reply, StreamForm, Target, Upstream},
    model::{Event, Request, Response, Str},
    seal::Sealer,
    stream::Folder,
};

fn reply() -> Reply {
    Reply {
        model: Str::from_static("client-model"),
        id: Str::from_static("chatcmpl-minted"),
        created: 1_700_000_000,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: Sealer::new(b"key"),
    }
}

fn request(body: &str) -> Request {
    let body = Bytes::copy_from_slice(body.as_bytes());
    OpenAiChat.decode_request(&CallHead::default(), &body).expect("the test's request is good")
}

fn encode_with(request: &Request, model: &str, quirks: &[&str]) -> Result<Encoded, crate::model::ErrorInfo> {
    let sealer = Sealer::new(b"key");
    let quirks: Vec<String> = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
    OpenAiChat.encode_request(request, &Target { model, quirks: &quirks, usage_in_stream: true, sealer: &sealer })
}

fn encode(request: &Request, model: &str, quirks: &[&str]) -> (serde_json::Value, Encoded) {
    let encoded = encode_with(request, model, quirks).expect("the test's request can be carried");
    (serde_json::from_slice(&encoded.body).expect("requests are JSON"), encoded)
}

/// Decodes a stream fed in the given pieces.
fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = OpenAiChat.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events).expect("the stream is this dialect's");
    }
    decoder.finish(&mut events).expect("the stream's rest is this dialect's");
    events
}

/// A stream of the given event data, with its terminator.
fn stream_of(data: &[&str]) -> Vec<u8> {
    (framed(data) + "data: [DONE]\n\n").into_bytes()
}

fn framed(data: &[impl AsRef<str>]) -> String {
    data.iter().flat_map(|data| ["data: ", data.as_ref(), "\n\n"]).collect()
}

fn written(events: &[Event], reply: &Reply) -> Vec<u8> {
    let mut encoder = OpenAiChat.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out.to_vec()
}

/// The JSON of each event that was written; the terminator is `null`.
fn chunks(bytes: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(bytes).expect("streams are UTF-8");
    text.split_terminator("\n\n")
        .map(|event| event.strip_prefix("data: ").expect("every event is one line of data"))
        .map(
            |data| {
                if data == "[DONE]" {
                    serde_json::Value::Null
                } else {
                    serde_json::from_str(data).expect("data is JSON")
                }
            },
        )
        .collect()
}

fn fold(events: &[Event]) -> Result<Response, Box<crate::model::ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}
