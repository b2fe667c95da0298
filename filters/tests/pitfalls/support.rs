//! Reading and writing as any dialect does, and the events and requests that the rules are tried on.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use lockgate_filters::{
    dialects::{CallHead, Dialect, Encoded, Reply, Target, Upstream, encode_request, find, upstreams},
    model::{
        CallKind, Candidate, Delta, ErrorInfo, Event, Finish, FinishReason, Part, PartContent, PartKey, PartKind,
        PartStart, RawJson, Request, Response, Role, Start, Str, Tool, ToolCall, ToolResult, Turn,
    },
    seal::Sealer,
    stream::Folder,
};
use serde_json::Value;

// === dialects ===

/// The dialects with tools and turns, at least: a rule that holds for all must have been tried on these.
const CONVERSING: [&str; 7] =
    ["openai_chat", "anthropic", "gemini", "bedrock_converse", "openai_responses", "cohere", "ollama"];

pub(crate) fn dialect(name: &str) -> &'static dyn Upstream {
    upstreams().find(|dialect| dialect.name() == name).unwrap_or_else(|| panic!("`{name}` must be in the table"))
}

/// The dialects of upstreams that hold conversations with tools.
pub(crate) fn conversing() -> Vec<&'static dyn Upstream> {
    let with_tool = Request { tools: vec![tool("f")], ..asking(vec![user("x")]) };
    let takes = |dialect: &&'static dyn Upstream| {
        let sent = encode(*dialect, &with_tool).map(|encoded| read_request(*dialect, &encoded));
        sent.is_ok_and(|request| !request.tools.is_empty())
    };
    let found: Vec<_> = upstreams().filter(takes).collect();
    let names: BTreeSet<&str> = found.iter().map(|dialect| dialect.name()).collect();
    let missing: Vec<_> = CONVERSING.iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} must take tools");
    found
}

/// A model whose generation has all that the dialect can do.
pub(crate) fn model_of(dialect: &dyn Dialect) -> &'static str {
    match dialect.name() {
        "anthropic" => "claude-sonnet-4-5",
        "bedrock_converse" => "anthropic.claude-sonnet-4-5-v1:0",
        "gemini" => "gemini-3-flash",
        "cohere" => "command-a-03-2025",
        "ollama" | "ollama_generate" => "qwen3",
        "openai_completions" => "gpt-3.5-turbo-instruct",
        _ => "gpt-4.1",
    }
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(b"pitfalls")
}

pub(crate) fn reply_to(dialect: &dyn Upstream) -> Reply {
    Reply {
        model: Str::from_static("asked-for"),
        id: Str::from_static("minted"),
        created: 1_700_000_000,
        form: dialect.stream_form(),
        include_usage: true,
        show_reasoning: true,
        input_estimate: 42,
        sealer: sealer(),
    }
}

// === streams ===

/// A client's stream of these events.
pub(crate) fn write(dialect: &dyn Upstream, events: &[Event]) -> Vec<u8> {
    let mut encoder = dialect.stream_encoder(&reply_to(dialect));
    let mut out = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    out.to_vec()
}

/// The events of an upstream's stream that comes in these pieces.
pub(crate) fn read_pieces(dialect: &dyn Upstream, pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = dialect.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        let fed = decoder.feed(Bytes::copy_from_slice(piece), &mut events);
        fed.unwrap_or_else(|error| panic!("{} cannot read its own stream: {error}", dialect.name()));
    }
    let finished = decoder.finish(&mut events);
    finished.unwrap_or_else(|error| panic!("{} cannot end its own stream: {error}", dialect.name()));
    events
}

pub(crate) fn read(dialect: &dyn Upstream, stream: &[u8]) -> Vec<Event> {
    read_pieces(dialect, &[stream])
}

pub(crate) fn fold(events: &[Event]) -> Result<Response, Box<ErrorInfo>> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    folder.finish()
}

/// The answer that a stream amounts to.
pub(crate) fn answer(dialect: &dyn Upstream, stream: &[u8]) -> Response {
    fold(&read(dialect, stream)).unwrap_or_else(|error| panic!("{}: {error}", dialect.name()))
}

/// The JSON of each event of a stream of text; terminators that are none are passed over.
pub(crate) fn json_of(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).expect("the stream is text");
    let data =
        text.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line)).filter(|line| line.starts_with('{'));
    data.map(|data| serde_json::from_str(data).expect("an event is JSON")).collect()
}

/// Data as upstreams frame them: with the event's name where the dialect has names, line by line where it has lines.
pub(crate) fn framed(dialect: &str, data: &[Value]) -> Vec<u8> {
    let frame = |data: &Value| match dialect {
        "openai_chat" | "gemini" => format!("data: {data}\n\n"),
        "ollama" => format!("{data}\n"),
        _ => format!("event: {}\ndata: {data}\n\n", data["type"].as_str().expect("an event has a type")),
    };
    let end = if dialect == "openai_chat" { "data: [DONE]\n\n" } else { "" };
    (data.iter().map(frame).collect::<String>() + end).into_bytes()
}

pub(crate) fn calls(response: &Response) -> Vec<&ToolCall> {
    let parts = response.candidates.iter().flat_map(|candidate| &candidate.parts);
    let calls = parts.filter_map(|part| match &part.content {
        PartContent::ToolCall(call) => Some(call),
        _ => None,
    });
    calls.collect()
}

pub(crate) fn text_of(response: &Response) -> String {
    let parts = response.candidates.iter().flat_map(|candidate| &candidate.parts);
    parts.filter_map(Part::as_text).map(|text| &**text).collect()
}

/// A whole answer of one call.
pub(crate) fn calling(args: &str) -> Response {
    let (id, name, args) = (Str::from_static("call_1"), Str::from_static("f"), Str::from(args));
    let part = Part::new(PartContent::ToolCall(ToolCall { id, name, kind: CallKind::Function, args }));
    let finish = Finish::new(FinishReason::ToolCalls);
    Response {
        candidates: vec![Candidate { index: 0, parts: vec![part], finish, logprobs: None }],
        ..Response::default()
    }
}

// === events ===

pub(crate) fn start() -> Event {
    let start = Start { id: Str::from_static("answer-1"), model: Str::from_static("real"), ..Start::default() };
    Event::Start(Box::new(start))
}

pub(crate) fn begin(part: u32, kind: PartKind) -> Event {
    Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
}

pub(crate) fn begin_call(part: u32, id: &str) -> Event {
    let (id, name) = (Str::from(id), Str::from_static("look"));
    begin(part, PartKind::ToolCall(ToolCall { id, name, kind: CallKind::Function, args: Str::new() }))
}

pub(crate) fn say(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Text(Str::from(text)) }
}

pub(crate) fn args(part: u32, text: &str) -> Event {
    Event::Delta { part: PartKey(part), delta: Delta::Args(Str::from(text)) }
}

pub(crate) fn end(part: u32) -> Event {
    Event::PartEnd(PartKey(part))
}

pub(crate) fn finish(reason: FinishReason) -> Event {
    Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) }
}

/// A whole stream of what is between.
pub(crate) fn stream(between: impl IntoIterator<Item = Event>, reason: FinishReason) -> Vec<Event> {
    let mut events = vec![start()];
    events.extend(between);
    events.extend([finish(reason), Event::Usage(Box::default()), Event::End]);
    events
}

// === requests ===

pub(crate) fn asking(turns: Vec<Turn>) -> Request {
    let mut request = Request { model: Str::from_static("m"), turns, origin: Some("another"), ..Request::default() };
    request.limits.max_output = Some(4000);
    request
}

pub(crate) fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

pub(crate) fn user(text: &str) -> Turn {
    turn(Role::User, vec![Part::text(Str::from(text))])
}

pub(crate) fn call(id: &str, args: &str) -> Part {
    let (id, args) = (Str::from(id), Str::from(args));
    Part::new(PartContent::ToolCall(ToolCall { id, name: Str::from_static("f"), kind: CallKind::Function, args }))
}

pub(crate) fn result(id: &str, text: &str) -> Part {
    let (call, name) = (Str::from(id), Some(Str::from_static("f")));
    let parts = vec![Part::text(Str::from(text))];
    Part::new(PartContent::ToolResult(ToolResult { call, name, parts, json: None, is_error: false }))
}

pub(crate) fn tool(name: &str) -> Tool {
    tool_with(name, r#"{"type":"object","properties":{}}"#)
}

pub(crate) fn tool_with(name: &str, schema: &str) -> Tool {
    let schema = Some(RawJson::parse(Str::from(schema)).expect("a schema is JSON"));
    Tool::Function { name: Str::from(name), description: None, schema, strict: None, cache: None }
}

pub(crate) fn encode_for(dialect: &dyn Upstream, model: &str, request: &Request) -> Result<Encoded, ErrorInfo> {
    let sealer = sealer();
    encode_request(dialect, request, &Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer })
}

pub(crate) fn encode(dialect: &dyn Upstream, request: &Request) -> Result<Encoded, ErrorInfo> {
    encode_for(dialect, model_of(dialect), request)
}

/// The body for an upstream, of a request that it takes.
pub(crate) fn body_of(dialect: &dyn Upstream, request: &Request) -> Value {
    let encoded = encode(dialect, request).unwrap_or_else(|error| panic!("{} refuses: {error}", dialect.name()));
    serde_json::from_slice(&encoded.body).expect("a body is JSON")
}

/// How a server of the dialect reads a body that was written for it.
pub(crate) fn read_request(dialect: &dyn Upstream, encoded: &Encoded) -> Request {
    decode(dialect, &encoded.body).unwrap_or_else(|error| panic!("{} cannot read it: {error}", dialect.name()))
}

/// A request of the dialect's clients, decoded.
pub(crate) fn decode(dialect: &dyn Dialect, body: &[u8]) -> Result<Request, ErrorInfo> {
    let verb = match dialect.name() {
        "gemini" => Some("generateContent"),
        "bedrock_converse" => Some("converse"),
        _ => None,
    };
    let head = CallHead { model: verb.map(|_| "m"), verb, query: None };
    dialect.decode_request(&head, &Bytes::copy_from_slice(body))
}

/// The request's parts as the server of the dialect reads them, turn by turn.
pub(crate) fn sent(dialect: &dyn Upstream, request: &Request) -> Vec<Turn> {
    let encoded = encode(dialect, request).unwrap_or_else(|error| panic!("{} refuses: {error}", dialect.name()));
    read_request(dialect, &encoded).turns
}

/// The dialect that configuration calls so, as a server of it speaks.
pub(crate) fn served(name: &str) -> &'static dyn Dialect {
    find(name, "llm/v1/chat").unwrap_or_else(|| panic!("`{name}` must be configurable"))
}
