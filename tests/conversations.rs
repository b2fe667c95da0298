//! Conversations with tools and thinking, three turns deep, between a client of each dialect and an upstream of each
//! other: what the upstream reads in the third turn is what was said, its own state included.
//!
//! Both ends are played by the dialects' codecs, as a client and as a server; what stands between them is the gateway.
//! Clients of dialects that no server speaks have a player of their own.

mod clients;

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use lockgate_filters::{
    dialects::{CallHead, Reply, StreamForm, Target, Upstream as Speaker, upstreams},
    model::{
        CallKind, Candidate, Event, Family, Finish, FinishReason, Opaque, OpaqueKind, Part, PartContent, RawJson,
        Reasoning, ReasoningMode, Request, Response, Role, Str, StreamSpec, Tool, ToolCall, ToolResult, Turn, Usage,
    },
    seal::Sealer,
    stream::{Folder, unfold},
};

use self::clients::{CLIENTS, Client};
use crate::support::{Ask, Config, Gateway, Script, Upstream};

/// How a dialect is reached: its path for whole answers and for streams, and the provider that speaks it.
struct Place {
    path: &'static str,
    stream_path: &'static str,
    provider: &'static str,
    model: &'static str,
    /// Whose state its models give.
    family: Family,
    kind: OpaqueKind,
}

fn place(dialect: &str) -> Option<Place> {
    use Family::{Anthropic, Bedrock, Cohere, Gemini, Ollama, OpenAi};
    use OpaqueKind::{Encrypted, Signature, ThoughtSignature};
    let place = |path, stream_path, provider, model, family, kind| {
        Some(Place { path, stream_path, provider, model, family, kind })
    };
    match dialect {
        "openai_chat" => place(
            "/v1/chat/completions",
            "",
            "{dialect: openai, paths: {chat: /v1/chat/completions}, ",
            "gpt-5.1",
            OpenAi,
            Encrypted,
        ),
        "openai_responses" => place(
            "/v1/responses",
            "",
            "{dialect: openai, paths: {responses: /v1/responses}, ",
            "gpt-5.1",
            OpenAi,
            Encrypted,
        ),
        "anthropic" => place("/v1/messages", "", "{dialect: anthropic, ", "claude-sonnet-4-5", Anthropic, Signature),
        "gemini" => place(
            "/v1beta/models/{model}:generateContent",
            "/v1beta/models/{model}:streamGenerateContent?alt=sse",
            "{dialect: gemini, ",
            "gemini-3-pro",
            Gemini,
            ThoughtSignature,
        ),
        "bedrock_converse" => place(
            "/model/{model}/converse",
            "/model/{model}/converse-stream",
            "{dialect: bedrock, ",
            "anthropic.claude-sonnet-4-5-v1:0",
            Bedrock,
            Signature,
        ),
        "cohere" => place("/v2/chat", "", "{dialect: cohere, ", "command-a-reasoning-08-2025", Cohere, Signature),
        "ollama" => place("/api/chat", "", "{dialect: ollama, ", "qwen3", Ollama, Signature),
        // `openai_completions` and `ollama_generate`: one prompt, so neither turns nor tools.
        _ => None,
    }
}

/// Whether a dialect has a slot for state of its own.
fn has_state(dialect: &str) -> bool {
    matches!(dialect, "anthropic" | "gemini" | "openai_responses" | "bedrock_converse")
}

fn head<'a>(target: &'a str, place: &Place, model: &'a str) -> CallHead<'a> {
    let verb = match (place.path.rsplit_once("{model}"), target.contains("tream")) {
        (Some((_, after)), false) => Some(after.trim_start_matches([':', '/'])),
        (Some(_), true) => place
            .stream_path
            .rsplit_once("{model}")
            .map(|(_, after)| after.trim_start_matches([':', '/']).split('?').next().unwrap_or_default()),
        (None, _) => None,
    };
    // Places are static, so the verb outlives the target.
    CallHead {
        model: place.path.contains("{model}").then_some(model),
        verb: verb.map(|v| -> &str { v }),
        query: target.split_once('?').map(|(_, query)| query),
    }
}

fn reply(form: StreamForm) -> Reply {
    Reply {
        model: Str::from_static("m"),
        id: Str::from_static("answer-1"),
        created: 1,
        form,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 1,
        sealer: Sealer::new(b"upstream"),
    }
}

fn call(id: &str, at: &str) -> Part {
    Part::new(PartContent::ToolCall(ToolCall {
        id: Str::from(id),
        name: Str::from_static("look"),
        kind: CallKind::Function,
        args: Str::from(format!("{{\"at\":\"{at}\"}}")),
    }))
}

fn result(call: &ToolCall, text: &str) -> Part {
    let parts = vec![Part::text(Str::from(text))];
    let name = Some(call.name.clone());
    Part::new(PartContent::ToolResult(ToolResult { call: call.id.clone(), name, parts, json: None, is_error: false }))
}

/// What the model says in a turn: it thinks and calls one tool, then thinks and calls two, then answers.
fn said(turn: usize, dialect: &str, place: &Place) -> Response {
    let mut parts = Vec::new();
    if turn < 2 {
        let state = Opaque {
            family: place.family,
            kind: place.kind,
            model: None,
            id: (place.kind == OpaqueKind::Encrypted).then(|| Str::from(format!("rs_{turn}"))),
            data: Str::from(format!("c3RhdGUg{turn}AAA")),
        };
        let opaque = if has_state(dialect) { vec![state] } else { Vec::new() };
        let text = Some(Str::from(format!("I think {turn}.")));
        parts.push(Part::new(PartContent::Reasoning(Reasoning { text, redacted: false, opaque })));
    }
    match turn {
        0 => parts.push(call("call_a0000", "home")),
        1 => parts.extend([Part::text("Two more."), call("call_b0000", "left"), call("call_c0000", "right")]),
        _ => parts.push(Part::text("Done.")),
    }
    let finish = Finish::new(if turn < 2 { FinishReason::ToolCalls } else { FinishReason::Stop });
    Response {
        id: Str::from_static("answer-1"),
        model: Str::from_static("m"),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: None }],
        usage: Some(Usage { input_uncached: 10, output_visible: 5, ..Usage::default() }),
        ..Response::default()
    }
}

/// An upstream that plays a server of `dialect`, and keeps what it reads.
async fn server(dialect: &'static dyn Speaker, read: Arc<Mutex<Vec<Request>>>) -> Upstream {
    Upstream::start(move |seen| {
        let place = place(dialect.name()).expect("the dialect has a place");
        let target = seen.head.target().to_owned();
        let head = head(&target, &place, place.model);
        let request = match dialect.decode_request(&head, &seen.body) {
            Ok(request) => request,
            Err(error) => return Script::json(400, &format!("{{\"error\":{{\"message\":\"{error}\"}}}}")),
        };
        let turn = request.turns.iter().filter(|turn| turn.role == Role::Assistant).count();
        let streamed = request.stream.is_some();
        read.lock().expect("nobody panics with it").push(request);
        let answer = said(turn, dialect.name(), &place);
        if !streamed {
            let body = dialect.encode_response(&answer, &reply(StreamForm::Sse));
            return Script::whole(200, "application/json", &body);
        }
        let form = dialect.stream_form();
        let mut encoder = dialect.stream_encoder(&reply(form));
        let (mut events, mut body) = (Vec::new(), BytesMut::new());
        unfold(answer, &mut events);
        for event in &events {
            encoder.encode(event, &mut body);
        }
        Script::whole(200, form.content_type(), &body)
    })
    .await
}

/// How envelopes begin, and what stands for it on the client's side: a client takes an envelope for state of its own
/// vendor, which its codec here, being a gateway's, would not.
const ENVELOPE: &str = "TEcx";
const HIDDEN: &str = "AAcx";

fn hide(parts: &mut [Part]) {
    for part in parts {
        let thought = match &mut part.content {
            PartContent::Reasoning(reasoning) => reasoning.opaque.as_mut_slice(),
            _ => &mut [],
        };
        for state in thought.iter_mut().chain(&mut part.opaque) {
            state.data = Str::from(state.data.replacen(ENVELOPE, HIDDEN, 1));
        }
    }
}

/// Who asks.
#[derive(Clone, Copy)]
enum Asker {
    /// A dialect's codec, as a server's client.
    Codec(&'static dyn Speaker),
    /// A client of a dialect that no server speaks.
    Client(&'static Client),
}

impl Asker {
    fn name(self) -> &'static str {
        match self {
            Self::Codec(dialect) => dialect.name(),
            Self::Client(client) => client.name,
        }
    }

    /// Whether it asks for whole answers, and for streamed ones.
    fn has_form(self, streamed: bool) -> bool {
        match self {
            Self::Codec(_) => true,
            Self::Client(client) => client.streams == streamed,
        }
    }

    fn asks_for_thinking(self) -> bool {
        match self {
            Self::Codec(_) => true,
            Self::Client(client) => client.asks_for_thinking,
        }
    }

    /// One request, and the answer as the client reads it.
    async fn ask(self, gateway: &Gateway, model: &str, request: &Request) -> Vec<Part> {
        match self {
            Self::Codec(dialect) => ask(gateway, dialect, model, request).await,
            Self::Client(client) => {
                let body = (client.write)(request, model);
                let answer = gateway.ask(&Ask::post(client.path, &body)).await;
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                assert_eq!(answer.status(), 200, "{} of {model}: {text}\n{body}", client.name);
                (client.read)(&text)
            }
        }
    }
}

/// One request of a client of `dialect`, and the answer as the client reads it.
async fn ask(gateway: &Gateway, dialect: &'static dyn Speaker, model: &str, request: &Request) -> Vec<Part> {
    let place = place(dialect.name()).expect("the dialect has a place");
    let sealer = Sealer::new(b"client");
    // As a client that knows what the model can do.
    let target = Target { model: place.model, quirks: &[], usage_in_stream: true, sealer: &sealer };
    let encoded = dialect.encode_request(request, &target).expect("a client can write it");
    let streamed = request.stream.is_some();
    let path = if streamed && !place.stream_path.is_empty() { place.stream_path } else { place.path };
    let body = String::from_utf8(encoded.body.to_vec()).expect("JSON is text").replace(HIDDEN, ENVELOPE);
    let body = body.replacen(&format!("\"{}\"", place.model), &format!("\"{model}\""), 1);
    let target = path.replace("{model}", &model.replace('/', "%2F").replace(':', "%3A"));
    let mut ask = Ask::post_text(&target, &body);
    for (name, value) in &encoded.headers {
        ask = ask.header(name, value);
    }
    let answer = gateway.ask(&ask).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status(), 200, "{} of {model}: {text}\n{body}", dialect.name());
    let response = if streamed {
        fold(dialect, &answer.body)
    } else {
        dialect.decode_response(&answer.body).unwrap_or_else(|error| panic!("{}: {error}: {text}", dialect.name()))
    };
    let candidate = response.candidates.into_iter().next().unwrap_or_else(|| panic!("there is no answer: {text}"));
    let mut parts = candidate.parts;
    hide(&mut parts);
    parts
}

fn fold(dialect: &dyn Speaker, body: &Bytes) -> Response {
    let mut decoder = dialect.stream_decoder();
    let mut events: Vec<Event> = Vec::new();
    decoder.feed(body.clone(), &mut events).expect("the stream can be read");
    decoder.finish(&mut events).expect("the stream can be read");
    let mut folder = Folder::default();
    for event in &events {
        folder.push(event);
    }
    folder.finish().expect("the stream holds no error")
}

fn calls(parts: &[Part]) -> Vec<ToolCall> {
    let of = |part: &Part| match &part.content {
        PartContent::ToolCall(call) => Some(call.clone()),
        _ => None,
    };
    parts.iter().filter_map(of).collect()
}

/// Words, calls and results of a conversation, in order, without ids.
fn gist(request: &Request) -> Vec<String> {
    let mut names: Vec<Str> = Vec::new();
    let mut gist = Vec::new();
    for turn in &request.turns {
        for part in &turn.parts {
            match &part.content {
                PartContent::Text(text) => gist.push(format!("{:?}: {text}", turn.role)),
                PartContent::ToolCall(call) => {
                    names.push(call.id.clone());
                    let args: serde_json::Value = serde_json::from_str(&call.args).expect("arguments are JSON");
                    gist.push(format!("calls {} {args}", call.name));
                }
                PartContent::ToolResult(result) => {
                    let at = names.iter().position(|id| *id == result.call);
                    let text: String = result.parts.iter().filter_map(Part::as_text).map(|text| &**text).collect();
                    let json = result.json.as_ref().map(|json| json.to_value().to_string()).unwrap_or_default();
                    let seen = text.contains("seen") || json.contains("seen");
                    gist.push(format!("result of {at:?}: {seen}"));
                }
                // What is said before a call is a plan on some wires, and read again as thinking.
                PartContent::Reasoning(Reasoning { text: Some(text), .. }) if !text.starts_with("I think") => {
                    gist.push(format!("{:?}: {text}", turn.role));
                }
                _ => {}
            }
        }
    }
    gist
}

/// State of `family` in a request, wherever it stands.
fn states(request: &Request, family: Family) -> Vec<String> {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let of = |part: &Part| {
        let thought = match &part.content {
            PartContent::Reasoning(reasoning) => reasoning.opaque.clone(),
            _ => Vec::new(),
        };
        thought.into_iter().chain(part.opaque.clone()).collect::<Vec<_>>()
    };
    parts.flat_map(of).filter(|state| state.family == family).map(|state| state.data.to_string()).collect()
}

fn opening(streamed: bool) -> Request {
    let schema = r#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"]}"#;
    let mut request = Request {
        model: Str::from_static("m"),
        system: vec![Part::text("Be brief.")],
        turns: vec![Turn { role: Role::User, parts: vec![Part::text("Look around.")], name: None }],
        tools: vec![Tool::Function {
            name: Str::from_static("look"),
            description: Some(Str::from_static("looks at a place")),
            schema: Some(RawJson::from_checked(Str::from_static(schema))),
            strict: None,
            cache: None,
        }],
        stream: streamed.then_some(StreamSpec { include_usage: true }),
        ..Request::default()
    };
    request.limits.max_output = Some(9000);
    request.reasoning.mode = ReasoningMode::Effort(lockgate_filters::model::Effort::Low);
    request
}

async fn converse(client: Asker, upstream: &'static dyn Speaker, streamed: bool) {
    let pair = format!("{} to {}, streamed {streamed}", client.name(), upstream.name());
    let read = Arc::new(Mutex::new(Vec::new()));
    let server = server(upstream, read.clone()).await;
    let place = place(upstream.name()).expect("the dialect has a place");
    let provider = format!("{}base_url: \"{}\", api_key: sk-up}}", place.provider, server.url());
    let gateway = Gateway::start(Config::new().provider_text("up", &provider)).await;
    let model = format!("up/{}", place.model);
    let mut request = Request { origin: Some(client.name()), ..opening(streamed) };
    for round in 0..3 {
        let parts = client.ask(&gateway, &model, &request).await;
        let made = calls(&parts);
        assert_eq!(made.len(), [1, 2, 0][round], "{pair}: round {round}: {parts:?}");
        request.turns.push(Turn { role: Role::Assistant, parts, name: None });
        let mut back: Vec<Part> = made.iter().map(|call| result(call, "seen")).collect();
        if round == 1 {
            back.push(Part::text("Go on."));
        }
        if !back.is_empty() {
            request.turns.push(Turn { role: Role::User, parts: back, name: None });
        }
    }
    let read = read.lock().expect("nobody panics with it");
    let third = read.get(2).unwrap_or_else(|| panic!("{pair}: three rounds were made"));
    let expected = [
        "User: Look around.",
        r#"calls look {"at":"home"}"#,
        "result of Some(0): true",
        "Assistant: Two more.",
        r#"calls look {"at":"left"}"#,
        r#"calls look {"at":"right"}"#,
        "result of Some(1): true",
        "result of Some(2): true",
        "User: Go on.",
    ];
    assert_eq!(gist(third), expected, "{pair}");
    if has_state(upstream.name()) && client.asks_for_thinking() {
        let found = states(third, place.family);
        for turn in 0..2 {
            let state = format!("c3RhdGUg{turn}AAA");
            assert!(
                found.contains(&state),
                "{pair}: the state of turn {turn} must come back: {found:?}\n{:?}",
                third.turns
            );
        }
    }
}

#[tokio::test]
async fn pitfall_42_and_43_and_49_every_pair_holds_a_conversation() {
    let codecs = upstreams().filter(|dialect| place(dialect.name()).is_some()).map(Asker::Codec);
    for client in codecs.chain(CLIENTS.iter().map(Asker::Client)) {
        for upstream in upstreams().filter(|dialect| place(dialect.name()).is_some()) {
            for streamed in [false, true].into_iter().filter(|streamed| client.has_form(*streamed)) {
                converse(client, upstream, streamed).await;
            }
        }
    }
}
