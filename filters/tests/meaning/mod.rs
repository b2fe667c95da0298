//! What a request means, as a list of facts that two dialects can be compared by.

use lockgate_filters::model::{
    Field, MediaSource, OutputFormat, Part, PartContent, ReasoningMode, Request, Role, Str, Tool, ToolChoice,
};

/// One thing that a request says: about which member, and what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fact {
    pub(crate) about: Field,
    pub(crate) says: String,
}

impl Fact {
    /// Whether a loss of `field` explains that the fact is missing or different.
    pub(crate) fn is_of(&self, field: Field) -> bool {
        let group = |field: Field| match field {
            Field::ToolResult | Field::ToolError => Field::ToolResult,
            Field::ResponseFormat | Field::ResponseSchema => Field::ResponseFormat,
            Field::ToolSchema | Field::Tools | Field::ToolStrict => Field::Tools,
            other => other,
        };
        // A choice among tools may be carried by offering fewer of them.
        group(self.about) == group(field) || (field == Field::ToolChoice && self.about == Field::Tools)
    }

    /// Whether this fact says what `other` does, or, where instructions may have grown, that and more.
    pub(crate) fn contains(&self, other: &Self, told: bool) -> bool {
        self == other
            || (told
                && self.about == Field::System
                && other.about == Field::System
                && self.says.starts_with(&other.says))
    }

    /// Whether emulating structured output by a forced tool explains it.
    pub(crate) fn is_of_emulated_format(&self) -> bool {
        [Field::ResponseFormat, Field::Tools, Field::ToolChoice, Field::ParallelTools].contains(&self.about)
    }
}

/// Joins neighbouring texts of one speaker: where one ends is nobody's business.
pub(crate) fn join_texts(facts: Vec<Fact>) -> Vec<Fact> {
    let mut joined: Vec<Fact> = Vec::with_capacity(facts.len());
    for fact in facts {
        let speaker = |says: &str| says.split_once(" says ").map(|(who, said)| (who.to_owned(), said.to_owned()));
        if fact.about == Field::Messages
            && let Some(last) = joined.last_mut().filter(|last| last.about == Field::Messages)
            && let (Some((before, _)), Some((who, said))) = (speaker(&last.says), speaker(&fact.says))
            && before == who
        {
            last.says.push_str(&said);
        } else {
            joined.push(fact);
        }
    }
    joined
}

/// Gives tools the names that they had before they were changed for the upstream.
pub(crate) fn restore_names(request: &mut Request, renamed: &[(Str, Str)]) {
    let restore = |name: &mut Str| {
        if let Some((_, original)) = renamed.iter().find(|(sent, _)| sent == name) {
            *name = original.clone();
        }
    };
    for tool in &mut request.tools {
        if let Tool::Function { name, .. } | Tool::Custom { name, .. } = tool {
            restore(name);
        }
    }
    if let ToolChoice::Named(name) = &mut request.tool_choice {
        restore(name);
    }
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let PartContent::ToolCall(call) = &mut part.content {
            restore(&mut call.name);
        }
    }
}

/// All that a request says.
pub(crate) fn meaning(request: &Request) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut fact = |about, says: String| facts.push(Fact { about, says });
    fact(Field::System, plain(request.system.iter().filter_map(Part::as_text)));
    for (about, says) in conversation(request) {
        fact(about, says);
    }
    // A tool that may not be called need not be offered.
    let may_call = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
    let mut tools: Vec<String> =
        request.tools.iter().map(|tool| format!("{tool:?}").replace("strict: Some(false)", "strict: None")).collect();
    tools.retain(|_| may_call);
    tools.sort();
    fact(Field::Tools, tools.join(" "));
    // Who does not say leaves it to the model, which is what `auto` says.
    let choice = match &request.tool_choice {
        _ if !may_call => ToolChoice::None,
        ToolChoice::Unset => ToolChoice::Auto,
        choice => choice.clone(),
    };
    fact(Field::ToolChoice, format!("{choice:?}"));
    // Where no tool may be called, none are called side by side.
    if request.parallel_tools == Some(false) && request.tool_choice != ToolChoice::None {
        fact(Field::ParallelTools, "no".to_owned());
    }
    if let Some(says) = format_of(&request.output.format) {
        fact(Field::ResponseFormat, says);
    }
    let sampling = &request.sampling;
    let numbers = [
        (Field::Temperature, sampling.temperature),
        (Field::TopP, sampling.top_p),
        (Field::TopK, sampling.top_k.map(f64::from)),
        (Field::FrequencyPenalty, sampling.frequency_penalty),
        (Field::PresencePenalty, sampling.presence_penalty),
    ];
    for (about, number) in numbers {
        // The value at which it does nothing may go unsaid.
        let neutral = matches!(about, Field::Temperature | Field::TopP) && number == Some(1.0);
        if let Some(number) = number.filter(|_| !neutral) {
            fact(about, number.to_string());
        }
    }
    if let Some(seed) = sampling.seed {
        fact(Field::Seed, seed.to_string());
    }
    if let Some(most) = request.limits.max_output {
        fact(Field::MaxTokens, most.to_string());
    }
    if !request.limits.stop.is_empty() {
        fact(Field::Stop, request.limits.stop.join("|"));
    }
    if let Some(user) = &request.identity.user {
        fact(Field::User, user.to_string());
    }
    fact(Field::Reasoning, thinking(request.reasoning.mode).to_owned());
    facts
}

fn format_of(format: &OutputFormat) -> Option<String> {
    match format {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => Some("json".to_owned()),
        OutputFormat::JsonSchema { schema, .. } => Some(schema.to_value().to_string()),
    }
}

/// Whether thinking is asked for; dialects say how much in steps or in tokens. Where a model does not think unasked,
/// nothing need be said to keep it from it.
fn thinking(mode: ReasoningMode) -> &'static str {
    match mode {
        ReasoningMode::Unset | ReasoningMode::Off => "off",
        ReasoningMode::Adaptive | ReasoningMode::Effort(_) | ReasoningMode::Budget(_) => "on",
    }
}

/// What was said, by whom, in order.
fn conversation(request: &Request) -> Vec<(Field, String)> {
    let mut said: Vec<(Field, String)> = Vec::new();
    let mut calls: Vec<Str> = Vec::new();
    for turn in &request.turns {
        let who = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        for part in &turn.parts {
            let (about, says) = match &part.content {
                PartContent::Text(text) => (Field::Messages, format!("{who} says {}", plain([text]))),
                PartContent::Media(media) => (Field::Image, format!("{who} shows {}", source(&media.source))),
                PartContent::ToolCall(call) => {
                    calls.push(call.id.clone());
                    let args: serde_json::Value = serde_json::from_str(&call.args).unwrap_or_default();
                    // The name of a tool that is no longer on offer stays as the upstream takes it: by its beginning.
                    let name: String = call.name.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
                    (Field::ToolArguments, format!("call {name} {args}"))
                }
                PartContent::ToolResult(result) => {
                    let at = calls.iter().rposition(|id| *id == result.call);
                    let text = plain(result.parts.iter().filter_map(Part::as_text));
                    let json = result.json.as_ref().map(|json| json.to_value().to_string());
                    let says = json.filter(|_| text.is_empty()).unwrap_or(text);
                    (Field::ToolResult, format!("result of {at:?} failed {}: {says}", result.is_error))
                }
                // What is said before a call is a plan on some wires, and read again as thinking.
                PartContent::Reasoning(reasoning) => {
                    (Field::Messages, format!("{who} says {}", plain(reasoning.text.as_ref())))
                }
                other => (Field::Extra, format!("{other:?}")),
            };
            said.push((about, says));
        }
    }
    said
}

fn source(source: &MediaSource) -> String {
    match source {
        MediaSource::Base64(data) => data.to_string(),
        MediaSource::Url(url) => url.to_string(),
        MediaSource::Bytes(bytes) => format!("{bytes:?}"),
        other => format!("{other:?}"),
    }
}

/// Texts without the blanks at which dialects join and cut them.
fn plain<'a>(texts: impl IntoIterator<Item = &'a Str>) -> String {
    texts.into_iter().flat_map(|text| text.chars()).filter(|c| !c.is_whitespace()).collect()
}
