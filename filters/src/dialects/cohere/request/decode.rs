//! A client's request: the top-level members, one by one as they come.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{
        documents,
        inspect::{name_of, no_model, not_json, not_utf8, twice},
        wire::{Text, slice},
    },
    messages, tools,
};
use crate::{
    json::Members,
    model::{
        ErrorInfo, Family, OutputFormat, Part, PartContent, RawJson, ReasoningMode, Request, Role, Str, StreamSpec,
        Tool, ToolChoice, Turn,
    },
};

/// The members that are decoded; the rest is kept as it is.
const KNOWN: [&str; 20] = [
    "model",
    "messages",
    "tools",
    "strict_tools",
    "tool_choice",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "thinking",
    "stream",
];

/// Decodes a request.
pub(in super::super) fn decode(body: &Bytes) -> Result<Request, ErrorInfo> {
    let source = Str::try_from(body.clone()).map_err(|_| not_utf8())?;
    let mut decoder = Decoder {
        source: &source,
        request: Request::default(),
        documents: Vec::new(),
        strict: false,
        citations: true,
        seen: 0,
    };
    for member in Members::new(body) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(&source, &member);
        let value = source.get(member.value).unwrap_or_default();
        decoder.once(&name)?;
        if value != "null" {
            decoder.member(&name, value)?;
        }
    }
    decoder.done()
}

struct Decoder<'a> {
    source: &'a Str,
    request: Request,
    documents: Vec<Part>,
    /// `strict_tools`, which holds for all of them.
    strict: bool,
    /// Whether the answer is to cite: it does unless the client says no.
    citations: bool,
    /// A bit for each of [`KNOWN`] that has come.
    seen: u32,
}

#[derive(Deserialize)]
struct Setting<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    mode: Option<Text<'a>>,
    #[serde(borrow)]
    json_schema: Option<&'a RawValue>,
    /// What `json_schema` was called before.
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    token_budget: Option<u64>,
}

impl<'a> Decoder<'a> {
    fn once(&mut self, name: &str) -> Result<(), ErrorInfo> {
        let Some(at) = KNOWN.iter().position(|known| *known == name) else { return Ok(()) };
        let bit = 1 << at;
        if self.seen & bit != 0 {
            return Err(twice(name));
        }
        self.seen |= bit;
        Ok(())
    }

    fn member(&mut self, name: &str, value: &'a str) -> Result<(), ErrorInfo> {
        let source = self.source;
        let request = &mut self.request;
        let sampling = &mut request.sampling;
        match name {
            "model" => request.model = read::<Text<'_>>(name, value, "a string")?.keep(source),
            "messages" => {
                let list: Vec<_> = read(name, value, "a list of messages")?;
                (request.system, request.turns) = messages::decode(&list, source)?;
            }
            "tools" => request.tools = tools::decode(read(name, value, "a list of tools")?, source)?,
            "strict_tools" => self.strict = read(name, value, "true or false")?,
            "tool_choice" => request.tool_choice = choice(value)?,
            "documents" => self.documents(value)?,
            "citation_options" => {
                let mode = read::<Setting<'_>>(name, value, "an object with `mode`")?.mode;
                self.citations = mode.is_none_or(|mode| !matches!(mode.as_str(), "OFF" | "DISABLED"));
                self.keep(name, value)?;
            }
            "response_format" => request.output.format = format(value, source)?,
            "safety_mode" => {
                read::<Text<'_>>(name, value, "CONTEXTUAL, STRICT or OFF")?;
                request.safety = Some((Family::Cohere, RawJson::from_checked(slice(source, value))));
            }
            "max_tokens" => request.limits.max_output = Some(read(name, value, "a number of tokens")?),
            "stop_sequences" => {
                let stops: Vec<Text<'_>> = read(name, value, "a list of strings")?;
                let stops = stops.iter().filter(|stop| !stop.is_empty());
                request.limits.stop = stops.map(|stop| stop.keep(source)).collect();
            }
            "temperature" => sampling.temperature = Some(read(name, value, "a number")?),
            "seed" => sampling.seed = Some(read(name, value, "a whole number")?),
            "frequency_penalty" => sampling.frequency_penalty = Some(read(name, value, "a number")?),
            "presence_penalty" => sampling.presence_penalty = Some(read(name, value, "a number")?),
            "k" => sampling.top_k = Some(read(name, value, "a whole number of 0 or more")?),
            "p" => sampling.top_p = Some(read(name, value, "a number")?),
            "logprobs" => sampling.logprobs = read(name, value, "true or false")?,
            "thinking" => request.reasoning.mode = thinking(value)?,
            "stream" => request.stream = read::<bool>(name, value, "true or false")?.then(StreamSpec::default),
            _ => self.keep(name, value)?,
        }
        Ok(())
    }

    /// Keeps a member for its own family.
    fn keep(&mut self, name: &str, value: &str) -> Result<(), ErrorInfo> {
        let raw = RawJson::parse(slice(self.source, value))
            .map_err(|cause| ErrorInfo::invalid(format!("/{name}"), format!("`{name}` is not JSON: {cause}")))?;
        self.request.extra.push((Str::from(name), raw));
        Ok(())
    }

    fn documents(&mut self, value: &str) -> Result<(), ErrorInfo> {
        let list: Vec<&RawValue> = read("documents", value, "a list of documents")?;
        for (at, raw) in list.into_iter().enumerate() {
            let Some(media) = documents::decode(raw, self.source) else {
                let message = "a document must be a string, or an object with `data`";
                return Err(ErrorInfo::invalid(format!("/documents/{at}"), message));
            };
            self.documents.push(Part::new(PartContent::Media(media)));
        }
        Ok(())
    }

    fn done(self) -> Result<Request, ErrorInfo> {
        let Self { mut request, mut documents, strict: strict_tools, citations, .. } = self;
        if request.model.is_empty() {
            return Err(no_model());
        }
        if request.system.is_empty() && request.turns.is_empty() {
            return Err(ErrorInfo::invalid("/messages", "`messages` must be a list of at least one message"));
        }
        if strict_tools {
            for tool in &mut request.tools {
                if let Tool::Function { strict, .. } = tool {
                    *strict = Some(true);
                }
            }
        }
        for part in &mut documents {
            if let PartContent::Media(media) = &mut part.content {
                media.citations = Some(citations);
            }
        }
        place(documents, &mut request.turns);
        request.origin = Some("cohere");
        Ok(request)
    }
}

/// Documents belong to what the user said last; they stand in front of it.
fn place(documents: Vec<Part>, turns: &mut Vec<Turn>) {
    if documents.is_empty() {
        return;
    }
    let is_said = |turn: &&mut Turn| {
        let results = |part: &Part| matches!(part.content, PartContent::ToolResult(_));
        turn.role == Role::User && !turn.parts.iter().any(results)
    };
    match turns.iter_mut().rev().find(is_said) {
        Some(turn) => drop(turn.parts.splice(0..0, documents)),
        None => turns.push(Turn { role: Role::User, parts: documents, name: None }),
    }
}

fn choice(value: &str) -> Result<ToolChoice, ErrorInfo> {
    match value {
        "\"REQUIRED\"" => Ok(ToolChoice::Required),
        "\"NONE\"" => Ok(ToolChoice::None),
        _ => Err(ErrorInfo::invalid(
            "/tool_choice",
            "`tool_choice` must be `REQUIRED` or `NONE`; leave it out and the model decides",
        )),
    }
}

fn format(value: &str, source: &Str) -> Result<OutputFormat, ErrorInfo> {
    let format: Setting<'_> = read("response_format", value, "an object with `type`")?;
    let schema = format.json_schema.or(format.schema).filter(|schema| schema.get() != "null");
    match (format.kind.as_ref().map(Text::as_str), schema) {
        (Some("text"), _) => Ok(OutputFormat::Text),
        (Some("json_object"), None) => Ok(OutputFormat::JsonObject),
        (Some("json_object"), Some(schema)) => {
            let schema = RawJson::from_checked(slice(source, schema.get()));
            Ok(OutputFormat::JsonSchema { name: None, description: None, schema, strict: None })
        }
        _ => Err(ErrorInfo::invalid("/response_format/type", "`response_format` must be of type text or json_object")),
    }
}

fn thinking(value: &str) -> Result<ReasoningMode, ErrorInfo> {
    let thinking: Setting<'_> = read("thinking", value, "an object with `type`")?;
    match (thinking.kind.as_ref().map(Text::as_str), thinking.token_budget) {
        (Some("disabled"), _) => Ok(ReasoningMode::Off),
        (Some("enabled") | None, Some(budget)) => Ok(ReasoningMode::Budget(budget)),
        (Some("enabled"), None) => Ok(ReasoningMode::Adaptive),
        _ => Err(ErrorInfo::invalid("/thinking/type", "`thinking` must be of type enabled or disabled")),
    }
}

/// Reads a member's value. `name` is its path from the top, with slashes.
pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, what: &str) -> Result<T, ErrorInfo> {
    serde_json::from_str(value)
        .map_err(|cause| ErrorInfo::invalid(format!("/{name}"), format!("`{name}` must be {what}: {cause}")))
}
