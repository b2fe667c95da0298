//! Tests of the whole dialect: recorded traffic, and the facts one by one.

mod corpus;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::OpenAiCompletions;
use crate::{
    dialects::{CallHead, Dialect, Encoded, Reply, StreamForm, Target, Upstream},
    model::{ErrorInfo, Event, Request, Response, Str},
    seal::Sealer,
    stream::Folder,
};

fn reply() -> Reply {
    Reply {
        model: Str::from_static("client-model"),
        id: Str::from_static("cmpl-minted"),
        created: 1_700_000_000,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: Sealer::new(b"key"),
    }
}

fn decode(body: &Value) -> Result<Request, ErrorInfo> {
    OpenAiCompletions.decode_request(&CallHead::default(), &Bytes::from(body.to_string()))
}

fn encode(request: &Request) -> Result<(Value, Encoded), ErrorInfo> {
    let sealer = Sealer::new(b"key");
    let target = Target { model: "m", quirks: &[], usage_in_stream: true, sealer: &sealer };
    let encoded = OpenAiCompletions.encode_request(request, &target)?;
    Ok((serde_json::from_slice(&encoded.body).expect("requests are JSON"), encoded))
}

fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = OpenAiCompletions.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece), &mut events).expect("the stream is this dialect's");
    }
    decoder.finish(&mut events).expect("the stream's rest is this dialect's");
    events
}

fn written(events: &[Event], reply: &Reply) -> Vec<u8> {
    let mut encoder = OpenAiCompletions.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out.to_vec()
}

/// The JSON of each event that was written; the terminator is `null`.
fn chunks(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("streams are UTF-8");
    let data = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("one line of data"));
    data.map(|data| if data == "[DONE]" { Value::Null } else { serde_json::from_str(data).expect("JSON") }).collect()
}

fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}
