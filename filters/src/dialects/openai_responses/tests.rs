//! Tests of the whole dialect: recorded traffic, and the facts that went wrong elsewhere.

mod corpus;
mod legal;
mod properties;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::OpenAiResponses;
use crate::{
    dialects::{CallHead, Dialect, Encoded, Reply, StreamForm, Target, Upstream},
    model::{ErrorInfo, Event, Request, Response, Str},
    seal::Sealer,
    stream::Folder,
};

fn reply() -> Reply {
    Reply {
        model: Str::from_static("client-model"),
        id: Str::from_static("resp_minted"),
        created: 1_700_000_000,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: Sealer::new(b"key"),
    }
}

fn decode(body: &str) -> Result<Request, ErrorInfo> {
    OpenAiResponses.decode_request(&CallHead::default(), &Bytes::copy_from_slice(body.as_bytes()))
}

fn request(body: &str) -> Request {
    decode(body).expect("the test's request is good")
}

fn encode_with(request: &Request, model: &str, quirks: &[&str]) -> Result<Encoded, ErrorInfo> {
    let sealer = Sealer::new(b"key");
    let quirks: Vec<String> = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
    OpenAiResponses.encode_request(request, &Target { model, quirks: &quirks, usage_in_stream: true, sealer: &sealer })
}

fn encode(request: &Request, model: &str) -> (Value, Encoded) {
    let encoded = encode_with(request, model, &[]).expect("the test's request can be carried");
    (serde_json::from_slice(&encoded.body).expect("requests are JSON"), encoded)
}

/// Decodes a stream fed in the given pieces.
fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = OpenAiResponses.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events).expect("the stream is this dialect's");
    }
    decoder.finish(&mut events).expect("the stream's rest is this dialect's");
    events
}

/// A stream of the given event data, without names.
fn framed(data: &[impl AsRef<str>]) -> String {
    data.iter().flat_map(|data| ["data: ", data.as_ref(), "\n\n"]).collect()
}

fn written(events: &[Event], reply: &Reply) -> Vec<u8> {
    let mut encoder = OpenAiResponses.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out.to_vec()
}

fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}
