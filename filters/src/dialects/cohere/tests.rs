//! Tests of the whole dialect: recorded traffic, and the facts that went wrong elsewhere.

mod corpus;
mod properties;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::Cohere;
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
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: Sealer::new(b"key"),
    }
}

fn decode(body: &str) -> Result<Request, ErrorInfo> {
    Cohere.decode_request(&CallHead::default(), &Bytes::copy_from_slice(body.as_bytes()))
}

fn request(body: &str) -> Request {
    decode(body).expect("the test's request is good")
}

fn encode_for(model: &str, request: &Request) -> Result<Encoded, ErrorInfo> {
    let sealer = Sealer::new(b"key");
    Cohere.encode_request(request, &Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer })
}

fn encode(request: &Request) -> (Value, Encoded) {
    let encoded = encode_for("m-1", request).expect("the test's request can be carried");
    (serde_json::from_slice(&encoded.body).expect("requests are JSON"), encoded)
}

/// Decodes a stream fed in the given pieces.
fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Cohere.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events).expect("the stream is this dialect's");
    }
    decoder.finish(&mut events).expect("the stream's rest is this dialect's");
    events
}

fn written(events: &[Event], reply: &Reply) -> Vec<u8> {
    let mut encoder = Cohere.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out.to_vec()
}

/// The JSON of each event that was written. Each has its type for a name, and the terminator follows the last.
fn told(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("streams are UTF-8");
    let Some(text) = text.strip_suffix("data: [DONE]\n\n") else {
        panic!("a stream ends with its terminator: {text}");
    };
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
        let data: Value = serde_json::from_str(data).expect("data is JSON");
        assert_eq!(data["type"], name, "an event's name is its type");
        Some(data)
    };
    text.split_terminator("\n\n").map(|text| event(text).expect("an event has a name and data")).collect()
}

fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}
