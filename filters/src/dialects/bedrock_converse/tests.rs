//! Tests of the dialect: the recorded corpus, facts of requests, answers and streams, and what holds for any of them.

mod answers;
mod corpus;
mod properties;
mod requests;
mod streams;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::BedrockConverse;
use crate::{
    dialects::{CallHead, Dialect, Encoded, Reply, StreamForm, Target, Upstream},
    eventstream::{FrameReader, push_frame},
    model::{
        CallKind, ErrorInfo, Event, FilterError, Part, PartContent, PartKey, PartKind, PartStart, Request, Response,
        Role, Str, ToolCall, ToolResult, Turn,
    },
    seal::Sealer,
    stream::Folder,
};

/// A model that takes all that the dialect has.
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn sealer() -> Sealer {
    Sealer::new(b"a key for tests")
}

/// How the client's answer is written.
fn reply() -> Reply {
    Reply {
        model: Str::from_static("alias"),
        id: Str::from_static("minted"),
        created: 1,
        form: StreamForm::EventStream,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 42,
        sealer: sealer(),
    }
}

fn head(model: &str) -> CallHead<'_> {
    CallHead { model: Some(model), verb: Some("converse"), query: None }
}

fn decode(body: &Value) -> Result<Request, ErrorInfo> {
    BedrockConverse.decode_request(&head(CLAUDE), &Bytes::from(body.to_string()))
}

fn encode_for(model: &str, request: &Request) -> Result<Encoded, ErrorInfo> {
    let sealer = sealer();
    BedrockConverse.encode_request(request, &Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer })
}

fn json_of(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).expect("what is encoded is JSON")
}

fn body_for(model: &str, request: &Request) -> Value {
    json_of(&encode_for(model, request).expect("the request can be carried"))
}

/// The events of a stream that comes in these chunks.
fn events_of<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, FilterError> {
    let mut decoder = BedrockConverse.stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(Bytes::copy_from_slice(chunk), &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}

fn write(events: &[Event], reply: &Reply) -> BytesMut {
    let mut encoder = BedrockConverse.stream_encoder(reply);
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out
}

/// A stream of events, each a name and a payload.
fn stream(events: &[(&str, Value)]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for (name, payload) in events {
        let headers = [(":event-type", *name), (":content-type", "application/json"), (":message-type", "event")];
        push_frame(&mut out, &headers, |out| out.extend_from_slice(payload.to_string().as_bytes()));
    }
    out.to_vec()
}

/// Reads a stream back: the name of each event or exception, and its payload.
fn frames(bytes: &[u8]) -> Vec<(String, Value)> {
    let mut reader = FrameReader::default();
    reader.feed(Bytes::copy_from_slice(bytes)).expect("it is one chunk");
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().expect("the frames are good") {
        assert_eq!(frame.text(":content-type"), Some("application/json"));
        let name = match frame.text(":message-type") {
            Some("event") => frame.text(":event-type"),
            Some("exception") => frame.text(":exception-type"),
            other => panic!("a frame of type {other:?}"),
        };
        let name = name.expect("a frame has a name").to_owned();
        frames.push((name, serde_json::from_slice(&frame.into_payload()).expect("payloads are JSON")));
    }
    assert!(reader.is_between_frames(), "the stream ends in a frame");
    frames
}

fn start(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

fn tool_call(id: &str, args: &str) -> ToolCall {
    ToolCall { id: Str::from(id), name: Str::from_static("f"), kind: CallKind::Function, args: Str::from(args) }
}

fn call(id: &str, args: &str) -> Part {
    Part::new(PartContent::ToolCall(tool_call(id, args)))
}

fn result(id: &str, text: &str) -> Part {
    Part::new(PartContent::ToolResult(ToolResult {
        call: Str::from(id),
        name: None,
        parts: vec![Part::text(text)],
        json: None,
        is_error: false,
    }))
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

fn asking(turns: Vec<Turn>) -> Request {
    Request { model: Str::from_static("m"), turns, ..Request::default() }
}

fn hello() -> Request {
    asking(vec![turn(Role::User, vec![Part::text("hello")])])
}
