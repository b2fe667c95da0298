//! Nothing is lost in silence: any conversation, written for an upstream and read again as its server would, means
//! the same, but for what the encoder reported.
//!
//! What a request means is a list of facts. A reported loss takes the facts that it names out of both lists; all
//! others must be equal.

mod meaning;

use lockgate_filters::{
    dialects::{CallHead, Target, Upstream, encode_request, upstreams},
    model::{
        CallKind, Effort, Field, LossLevel, Media, MediaClass, MediaSource, OutputFormat, Part, PartContent, RawJson,
        ReasoningMode, Request, Role, Str, Tool, ToolCall, ToolChoice, ToolResult, Turn,
    },
    seal::Sealer,
};
use meaning::{Fact, join_texts, meaning};
use proptest::prelude::*;

const MODELS: &[&str] = &[
    "claude-sonnet-4-5",
    "claude-opus-4-7",
    "gpt-4.1",
    "gpt-5.1",
    "gemini-2.5-flash",
    "gemini-3-pro",
    "command-a-03-2025",
    "qwen3",
    "amazon.nova-pro-v1:0",
];

fn text() -> impl Strategy<Value = Str> {
    "[a-zA-Z0-9\"\\\\é😀{}<>/]{1,12}( [a-z]{1,6}){0,2}".prop_map(Str::from)
}

fn image() -> impl Strategy<Value = Part> {
    Just(Part::new(PartContent::Media(Media::new(
        MediaClass::Image,
        Some(Str::from_static("image/png")),
        MediaSource::Base64(Str::from_static("iVBORw0KGgo=")),
    ))))
}

fn user() -> impl Strategy<Value = Turn> {
    let part = prop_oneof![4 => text().prop_map(Part::text), 1 => image()];
    prop::collection::vec(part, 1..3).prop_map(|parts| Turn { role: Role::User, parts, name: None })
}

/// What the model said, with calls that are answered in the next turn, and what the person said then.
fn exchange() -> impl Strategy<Value = Vec<Turn>> {
    let called = prop::collection::vec((0..3usize, text(), any::<bool>()), 0..3);
    (prop::option::of(text()), called, user()).prop_map(|(said, called, user)| {
        let mut parts: Vec<Part> = said.into_iter().map(Part::text).collect();
        let mut results = Vec::new();
        for (at, (tool, text, is_error)) in called.into_iter().enumerate() {
            let id = Str::from(format!("call_{at}"));
            let name = Str::from(TOOLS[tool]);
            let args = Str::from(serde_json::json!({"at": &*text}).to_string());
            let call = ToolCall { id: id.clone(), name: name.clone(), kind: CallKind::Function, args };
            parts.push(Part::new(PartContent::ToolCall(call)));
            let parts = vec![Part::text(text)];
            let result = ToolResult { call: id, name: Some(name), parts, json: None, is_error };
            results.push(Part::new(PartContent::ToolResult(result)));
        }
        if parts.is_empty() {
            return vec![user];
        }
        let answer = Turn { role: Role::Assistant, parts, name: None };
        let back = Turn { role: Role::User, parts: results.into_iter().chain(user.parts).collect(), name: None };
        vec![answer, back]
    })
}

const TOOLS: [&str; 3] = ["look", "get_weather", "a-much-longer-name_for.a/tool"];

fn tool(name: &'static str) -> Tool {
    Tool::Function {
        name: Str::from_static(name),
        description: Some(Str::from_static("does it")),
        schema: Some(RawJson::from_checked(Str::from_static(
            r#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"]}"#,
        ))),
        strict: None,
        cache: None,
    }
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Unset),
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named(Str::from_static("look"))),
    ]
}

fn format() -> impl Strategy<Value = OutputFormat> {
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    prop_oneof![
        3 => Just(OutputFormat::Text),
        1 => Just(OutputFormat::JsonObject),
        1 => Just(OutputFormat::JsonSchema {
            name: Some(Str::from_static("place")),
            description: None,
            schema: RawJson::from_checked(Str::from_static(schema)),
            strict: Some(true),
        }),
    ]
}

fn mode() -> impl Strategy<Value = ReasoningMode> {
    prop_oneof![
        3 => Just(ReasoningMode::Unset),
        1 => Just(ReasoningMode::Off),
        1 => Just(ReasoningMode::Effort(Effort::Medium)),
        1 => Just(ReasoningMode::Budget(4096)),
    ]
}

fn settings() -> impl Strategy<Value = Request> {
    let numbers =
        (prop::option::of(0u8..5), prop::option::of(1u8..5), prop::option::of(1u32..50), prop::option::of(0i64..9));
    let words = (
        prop::collection::vec("[a-z]{1,5}".prop_map(Str::from), 0..3),
        prop::option::of("[a-z0-9]{3,8}".prop_map(Str::from)),
    );
    (numbers, words, choice(), format(), mode(), prop::option::of(any::<bool>()), prop::option::of(2000u64..20_000))
        .prop_map(
            |(
                (temperature, top_p, top_k, seed),
                (stop, user),
                tool_choice,
                format,
                mode,
                parallel_tools,
                max_output,
            )| {
                let mut request = Request { tool_choice, parallel_tools, ..Request::default() };
                // Quarters are exact in every form.
                request.sampling.temperature = temperature.map(|quarters| f64::from(quarters) / 4.0);
                request.sampling.top_p = top_p.map(|quarters| f64::from(quarters) / 4.0);
                request.sampling.top_k = top_k;
                request.sampling.seed = seed;
                request.limits.stop = stop;
                request.limits.max_output = max_output;
                request.identity.user = user;
                request.output.format = format;
                request.reasoning.mode = mode;
                request
            },
        )
}

fn request() -> impl Strategy<Value = Request> {
    let turns = (user(), prop::collection::vec(exchange(), 0..3));
    (settings(), prop::collection::vec(text(), 0..2), turns).prop_map(|(mut request, system, (first, rest))| {
        request.model = Str::from_static("m");
        request.system = system.into_iter().map(Part::text).collect();
        request.turns = std::iter::once(first).chain(rest.into_iter().flatten()).collect();
        request.tools = TOOLS.into_iter().map(tool).collect();
        request
    })
}

/// Writes a request for an upstream and reads it as the upstream's server would.
fn there_and_back(request: &Request, to: &dyn Upstream, model: &str) -> Result<(), TestCaseError> {
    let sealer = Sealer::new(b"round trip");
    let target = Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer };
    let Ok(encoded) = encode_request(to, request, &target) else { return Ok(()) };
    let call = CallHead { model: Some(model), verb: None, query: None };
    let mut read = to.decode_request(&call, &encoded.body).map_err(|error| {
        TestCaseError::fail(format!("{} cannot read what it wrote: {error}: {:?}", to.name(), encoded.body))
    })?;
    meaning::restore_names(&mut read, &encoded.renamed_tools);
    let lost: Vec<_> = encoded.losses.iter().map(|loss| (loss.field, loss.level == LossLevel::Drop)).collect();
    let (mut before, mut after) = (meaning(request), meaning(&read));
    for facts in [&mut before, &mut after] {
        facts.retain(|fact| !lost.iter().any(|(field, _)| fact.is_of(*field)));
    }
    if encoded.json_tool.is_some() {
        for facts in [&mut before, &mut after] {
            facts.retain(|fact| !fact.is_of_emulated_format());
        }
    }
    let (before, after) = (join_texts(before), join_texts(after));
    // A wire that must have a limit gets one; a format that is asked for in words stands in the instructions.
    let told = lost.iter().any(|(field, _)| *field == Field::ResponseFormat);
    let may_be_added = |fact: &Fact| {
        (fact.about == Field::MaxTokens && request.limits.max_output.is_none()) || (fact.about == Field::System && told)
    };
    let missing: Vec<_> = before.iter().filter(|fact| !after.iter().any(|other| other.contains(fact, told))).collect();
    let invented: Vec<_> = after.iter().filter(|fact| !before.contains(fact) && !may_be_added(fact)).collect();
    prop_assert!(
        missing.is_empty() && invented.is_empty(),
        "{} for {model}: losses {lost:?}\nmissing {missing:#?}\ninvented {invented:#?}\n{:?}",
        to.name(),
        encoded.body
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_reported_is_carried(request in request(), model in prop::sample::select(MODELS)) {
        for to in upstreams() {
            there_and_back(&request, to, model)?;
        }
    }
}
