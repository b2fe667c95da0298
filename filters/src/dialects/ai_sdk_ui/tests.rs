//! Tests of the whole dialect: recorded traffic, and the facts one by one.

mod corpus;
mod properties;
mod reader;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::AiSdkUi;
use crate::{
    dialects::{CallHead, Dialect, Reply, StreamForm},
    model::{
        CallKind, Delta, ErrorInfo, Event, Finish, FinishReason, PartKey, PartKind, PartStart, Request, Str, ToolCall,
    },
    seal::Sealer,
};

fn sealer() -> Sealer {
    Sealer::new(b"a key for tests")
}

fn reply() -> Reply {
    Reply {
        model: Str::from_static("client-model"),
        id: Str::from_static("req-1"),
        created: 0,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 0,
        sealer: sealer(),
    }
}

fn decode(body: &Value) -> Result<Request, ErrorInfo> {
    AiSdkUi.decode_request(&CallHead::default(), &Bytes::from(body.to_string()))
}

fn written(events: &[Event], reply: &Reply) -> String {
    let mut encoder = AiSdkUi.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    String::from_utf8(out.to_vec()).expect("what is written is UTF-8")
}

fn start(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn call(part: u32) -> Event {
    let id = Str::from(format!("call_{part}"));
    start(
        part,
        PartKind::ToolCall(ToolCall { id, name: Str::from_static("f"), kind: CallKind::Function, args: Str::new() }),
    )
}

fn text(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

fn args(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Args(Str::from(text)) }
}

fn end(part: u32) -> Event {
    Event::PartEnd(PartKey(part))
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) }
}
