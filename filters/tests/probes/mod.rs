//! The features: a plain request, and for each feature what is added to it.

use lockgate_filters::model::{
    CachePoint, CallKind, Effort, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, OutputFormat, Part,
    PartContent, RawJson, Reasoning, ReasoningMode, Request, Role, Str, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};

/// A feature that a request may have.
pub(crate) struct Probe {
    /// Its name in the tables.
    pub(crate) name: &'static str,
    /// Adds it to the plain request.
    pub(crate) add: fn(&mut Request),
}

/// What clients of dialects that no server speaks can ask for.
pub(crate) const CLIENTS_ONLY: &[(&str, &[&str])] = &[
    (
        "ai_sdk_ui",
        &[
            "system text",
            "image, inline",
            "image, by URL",
            "PDF, inline",
            "audio, inline",
            "video, inline",
            "tool result",
        ],
    ),
    (
        "mcp_sampling",
        &[
            "system text",
            "image, inline",
            "audio, inline",
            "tools",
            "tool choice: required",
            "tool choice: none",
            "tool result",
            "temperature",
            "stop sequences",
        ],
    ),
];

const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A small picture.
pub(crate) fn png() -> MediaSource {
    MediaSource::Base64(Str::from_static(PIXEL))
}

/// A request that every dialect carries.
pub(crate) fn base() -> Request {
    let mut request = Request { model: Str::from_static("m"), ..Request::default() };
    request.limits.max_output = Some(4000);
    request.turns.push(turn(Role::User, vec![Part::text("Hello")]));
    request
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

fn say(request: &mut Request, content: PartContent) {
    if let Some(turn) = request.turns.last_mut() {
        turn.parts.push(Part::new(content));
    }
}

fn media(request: &mut Request, class: MediaClass, mime: &'static str, source: MediaSource) {
    let mut media = Media::new(class, Some(Str::from_static(mime)), source);
    media.name = (class == MediaClass::Document).then(|| Str::from_static("file"));
    say(request, PartContent::Media(media));
}

fn raw(json: &'static str) -> RawJson {
    RawJson::from_checked(Str::from_static(json))
}

fn tool(request: &mut Request, strict: Option<bool>) {
    request.tools.push(Tool::Function {
        name: Str::from_static("look"),
        description: Some(Str::from_static("looks at a place")),
        schema: Some(raw(
            r#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"],"additionalProperties":false}"#,
        )),
        strict,
        cache: None,
    });
}

fn choose(request: &mut Request, choice: ToolChoice) {
    tool(request, None);
    request.tool_choice = choice;
}

/// A call in the history, with thinking before it if there is any, and its result.
fn exchange(request: &mut Request, thinking: Option<Reasoning>, result: ToolResult) {
    tool(request, None);
    let call = ToolCall {
        id: Str::from_static("call_1"),
        name: Str::from_static("look"),
        kind: CallKind::Function,
        args: Str::from_static(r#"{"at":"x"}"#),
    };
    let thinking = thinking.map(|thinking| Part::new(PartContent::Reasoning(thinking)));
    let parts = thinking.into_iter().chain([Part::new(PartContent::ToolCall(call))]);
    request.turns.push(turn(Role::Assistant, parts.collect()));
    request.turns.push(turn(Role::User, vec![Part::new(PartContent::ToolResult(result))]));
}

fn result(parts: Vec<Part>, is_error: bool) -> ToolResult {
    let name = Some(Str::from_static("look"));
    ToolResult { call: Str::from_static("call_1"), name, parts, json: None, is_error }
}

fn state(family: Family, kind: OpaqueKind) -> Reasoning {
    let data = Str::from_static("c3RhdGU=");
    let opaque = vec![Opaque { family, kind, model: None, id: Some(Str::from_static("rs_1")), data }];
    Reasoning { text: Some(Str::from_static("Hm.")), redacted: false, opaque }
}

/// All features, in the order of the tables.
pub(crate) fn probes() -> Vec<Probe> {
    let mut all = Vec::new();
    all.extend(conversation());
    all.extend(media_probes());
    all.extend(tools());
    all.extend(answers());
    all.extend(thinking());
    all.extend(bookkeeping());
    all
}

fn probe(name: &'static str, add: fn(&mut Request)) -> Probe {
    Probe { name, add }
}

fn conversation() -> Vec<Probe> {
    vec![
        probe("system text", |request| request.system.push(Part::text("Be brief."))),
        probe("system text in the middle", |request| {
            request.turns.push(turn(Role::Assistant, vec![Part::text("Hi")]));
            request.turns.push(turn(Role::System, vec![Part::text("Be brief from now on.")]));
            request.turns.push(turn(Role::User, vec![Part::text("And?")]));
        }),
        probe("name of a speaker", |request| {
            if let Some(turn) = request.turns.last_mut() {
                turn.name = Some(Str::from_static("ann"));
            }
        }),
        probe("beginning of the answer (prefill)", |request| {
            request.turns.push(turn(Role::Assistant, vec![Part::text("The answer is")]));
        }),
        probe("cache breakpoint", |request| {
            if let Some(part) = request.turns.last_mut().and_then(|turn| turn.parts.last_mut()) {
                part.cache = Some(CachePoint::default());
            }
        }),
    ]
}

fn media_probes() -> Vec<Probe> {
    const DATA: MediaSource = MediaSource::Base64(Str::from_static("aGVsbG8="));
    vec![
        probe("image, inline", |request| media(request, MediaClass::Image, "image/png", png())),
        probe("image, by URL", |request| {
            let url = MediaSource::Url(Str::from_static("https://example.com/x.png"));
            media(request, MediaClass::Image, "image/png", url);
        }),
        probe("image detail", |request| {
            let mut image = Media::new(MediaClass::Image, Some(Str::from_static("image/png")), png());
            image.detail = Some(Str::from_static("high"));
            say(request, PartContent::Media(image));
        }),
        probe("PDF, inline", |request| media(request, MediaClass::Document, "application/pdf", DATA)),
        probe("document of text", |request| {
            media(request, MediaClass::Document, "text/plain", MediaSource::Text(Str::from_static("Once upon a time")));
        }),
        probe("audio, inline", |request| media(request, MediaClass::Audio, "audio/wav", DATA)),
        probe("video, inline", |request| media(request, MediaClass::Video, "video/mp4", DATA)),
    ]
}

fn tools() -> Vec<Probe> {
    vec![
        probe("tools", |request| tool(request, None)),
        probe("strict tool", |request| tool(request, Some(true))),
        probe("custom tool (free text)", |request| {
            let format = Some(raw(r#"{"type":"grammar","syntax":"lark","definition":"start: /.+/"}"#));
            request.tools.push(Tool::Custom { name: Str::from_static("run"), description: None, format });
        }),
        probe("tool choice: required", |request| choose(request, ToolChoice::Required)),
        probe("tool choice: this one", |request| choose(request, ToolChoice::Named(Str::from_static("look")))),
        probe("tool choice: none", |request| choose(request, ToolChoice::None)),
        probe("tool choice: one of some", |request| {
            choose(request, ToolChoice::Allowed { names: vec![Str::from_static("look")], required: true });
        }),
        probe("no parallel calls", |request| {
            tool(request, None);
            request.parallel_tools = Some(false);
        }),
        probe("tool result", |request| exchange(request, None, result(vec![Part::text("seen")], false))),
        probe("tool result with an image", |request| {
            let image = Media::new(MediaClass::Image, Some(Str::from_static("image/png")), png());
            let parts = vec![Part::text("seen"), Part::new(PartContent::Media(image))];
            exchange(request, None, result(parts, false));
        }),
        probe("tool result: failed", |request| exchange(request, None, result(vec![Part::text("no")], true))),
    ]
}

fn answers() -> Vec<Probe> {
    vec![
        probe("JSON object as answer", |request| request.output.format = OutputFormat::JsonObject),
        probe("answer by a schema", |request| {
            request.output.format = OutputFormat::JsonSchema {
                name: Some(Str::from_static("place")),
                description: None,
                schema: raw(
                    r#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"],"additionalProperties":false}"#,
                ),
                strict: Some(true),
            };
        }),
        probe("temperature", |request| request.sampling.temperature = Some(0.5)),
        probe("top p", |request| request.sampling.top_p = Some(0.5)),
        probe("top k", |request| request.sampling.top_k = Some(5)),
        probe("frequency penalty", |request| request.sampling.frequency_penalty = Some(0.5)),
        probe("presence penalty", |request| request.sampling.presence_penalty = Some(0.5)),
        probe("seed", |request| request.sampling.seed = Some(7)),
        probe("token biases", |request| request.sampling.logit_bias = Some(raw(r#"{"50256":-100}"#))),
        probe("log probabilities", |request| {
            request.sampling.logprobs = true;
            request.sampling.top_logprobs = Some(2);
        }),
        probe("stop sequences", |request| request.limits.stop.push(Str::from_static("END"))),
        probe("several answers", |request| request.candidates = Some(2)),
        probe("verbosity", |request| request.output.verbosity = Some(Str::from_static("low"))),
        probe("audio as answer", |request| request.output.modalities.push(Str::from_static("audio"))),
    ]
}

fn thinking() -> Vec<Probe> {
    vec![
        probe("thinking: effort", |request| request.reasoning.mode = ReasoningMode::Effort(Effort::High)),
        probe("thinking: budget", |request| request.reasoning.mode = ReasoningMode::Budget(2000)),
        probe("thinking: off", |request| request.reasoning.mode = ReasoningMode::Off),
        probe("thinking in the history, of Anthropic", |request| {
            let thinking = Some(state(Family::Anthropic, OpaqueKind::Signature));
            exchange(request, thinking, result(vec![Part::text("seen")], false));
        }),
        probe("thinking in the history, of Gemini", |request| {
            let thinking = Some(state(Family::Gemini, OpaqueKind::ThoughtSignature));
            exchange(request, thinking, result(vec![Part::text("seen")], false));
        }),
        probe("thinking in the history, of OpenAI", |request| {
            let thinking = Some(state(Family::OpenAi, OpaqueKind::Encrypted));
            exchange(request, thinking, result(vec![Part::text("seen")], false));
        }),
    ]
}

fn bookkeeping() -> Vec<Probe> {
    vec![
        probe("end user", |request| request.identity.user = Some(Str::from_static("u1"))),
        probe("metadata", |request| request.identity.metadata = Some(raw(r#"{"team":"a"}"#))),
        probe("keep the exchange (store)", |request| request.state.store = Some(true)),
        probe("cache key", |request| request.state.cache_key = Some(Str::from_static("k"))),
        probe("service tier", |request| request.tier = Some(Str::from_static("priority"))),
        probe("safety settings of Gemini", |request| {
            let settings = r#"[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]"#;
            request.safety = Some((Family::Gemini, raw(settings)));
        }),
        probe("a stored answer to continue", |request| request.state.previous = Some(Str::from_static("resp_1"))),
    ]
}
