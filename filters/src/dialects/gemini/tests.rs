//! Tests of the dialect: the recorded corpus, requests, and streams.

mod corpus;
mod properties;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};

use super::Gemini;
use crate::{
    dialects::{CallHead, Dialect, Encoded, Reply, StreamForm, Target, Upstream},
    model::{ErrorInfo, Event, FilterError, Request, Response, Str},
    seal::Sealer,
    stream::Folder,
};

/// How the client's answer is written.
fn reply(form: StreamForm) -> Reply {
    Reply {
        model: Str::from_static("alias"),
        id: Str::from_static("minted"),
        created: 1,
        form,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: Sealer::new(b"key"),
    }
}

fn call<'a>(model: &'a str, verb: &'a str, query: &'a str) -> CallHead<'a> {
    CallHead { model: Some(model), verb: Some(verb), query: Some(query) }
}

fn decode_request(json: &str) -> Result<Request, ErrorInfo> {
    Gemini.decode_request(&call("gemini-3-flash", "generateContent", ""), &Bytes::copy_from_slice(json.as_bytes()))
}

fn encode_for(model: &str, quirks: &[String], request: &Request) -> Result<Encoded, ErrorInfo> {
    let sealer = Sealer::new(b"key");
    Gemini.encode_request(request, &Target { model, quirks, usage_in_stream: true, sealer: &sealer })
}

fn json_of(encoded: &Encoded) -> serde_json::Value {
    serde_json::from_slice(&encoded.body).expect("what is encoded is JSON")
}

/// The events of a stream that comes in these chunks.
fn events_of<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, FilterError> {
    let mut decoder = Gemini.stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(Bytes::copy_from_slice(chunk), &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

fn fold(events: &[Event]) -> Response {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish().expect("the stream has no error")
}

fn write(events: &[Event], reply: &Reply) -> BytesMut {
    let mut encoder = Gemini.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out
}
