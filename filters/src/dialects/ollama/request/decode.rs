//! A client's request: the top-level members, one by one as they come.

use bytes::Bytes;
use serde::Deserialize;

use super::{
    super::{
        Endpoint,
        inspect::{name_of, no_model, not_json, not_utf8, twice},
        media,
        wire::{Text, slice},
    },
    messages, options, tools,
};
use crate::{
    json::Members,
    model::{
        Effort, ErrorInfo, OutputFormat, Part, PartContent, RawJson, ReasoningMode, Request, Role, Str, StreamSpec,
        Turn,
    },
};

/// The members that are decoded, of both endpoints; the rest is kept as it is.
const KNOWN: [&str; 14] = [
    "model",
    "messages",
    "tools",
    "prompt",
    "system",
    "images",
    "suffix",
    "context",
    "format",
    "options",
    "think",
    "stream",
    "logprobs",
    "top_logprobs",
];

/// Decodes a request.
pub(in super::super) fn decode(body: &Bytes, endpoint: Endpoint) -> Result<Request, ErrorInfo> {
    let source = Str::try_from(body.clone()).map_err(|_| not_utf8())?;
    let mut decoder = Decoder {
        source: &source,
        endpoint,
        request: Request { stream: Some(StreamSpec::default()), ..Request::default() },
        prompt: Prompt::default(),
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
    endpoint: Endpoint,
    request: Request,
    prompt: Prompt,
    /// A bit for each of [`KNOWN`] that has come.
    seen: u32,
}

/// What a request for generation says.
#[derive(Default)]
struct Prompt {
    text: Str,
    images: Vec<Part>,
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
        match (name, self.endpoint) {
            ("model", _) => request.model = text(name, value, source)?,
            ("messages", Endpoint::Chat) => {
                let list: Vec<_> = read(name, value, "a list of messages")?;
                (request.system, request.turns) = messages::decode(&list, source)?;
            }
            ("tools", Endpoint::Chat) => {
                request.tools = tools::decode(read(name, value, "a list of tools")?, source)?;
            }
            ("prompt", Endpoint::Generate) => self.prompt.text = text(name, value, source)?,
            ("system", Endpoint::Generate) => {
                let system = text(name, value, source)?;
                request.system.extend((!system.is_empty()).then(|| Part::text(system)));
            }
            ("images", Endpoint::Generate) => {
                let images: Vec<Text<'_>> = read(name, value, "a list of base64 strings")?;
                let images = images.iter().map(|image| media::picture(&image.keep(source)));
                self.prompt.images = images.map(|image| Part::new(PartContent::Media(image))).collect();
            }
            ("suffix", Endpoint::Generate) => {
                if !text(name, value, source)?.is_empty() {
                    return Err(elsewhere(name, "text can be filled in by an Ollama server only"));
                }
            }
            ("context", Endpoint::Generate) => {
                let tokens: Vec<serde_json::Number> = read(name, value, "a list of numbers")?;
                if !tokens.is_empty() {
                    return Err(elsewhere(
                        name,
                        "it continues an answer by its tokens, send the conversation to `/api/chat`",
                    ));
                }
            }
            ("format", _) => request.output.format = format(value, source)?,
            ("options", _) => options::decode(request, value, source)?,
            ("think", _) => request.reasoning.mode = think(value)?,
            ("stream", _) => request.stream = read::<bool>(name, value, "true or false")?.then(StreamSpec::default),
            ("logprobs", _) => request.sampling.logprobs = read(name, value, "true or false")?,
            ("top_logprobs", _) => request.sampling.top_logprobs = Some(read(name, value, "a number of 0 or more")?),
            _ => {
                let raw = RawJson::parse(slice(source, value)).map_err(|cause| {
                    ErrorInfo::invalid(format!("/{name}"), format!("`{name}` is not JSON: {cause}"))
                })?;
                request.extra.push((Str::from(name), raw));
            }
        }
        Ok(())
    }

    fn done(self) -> Result<Request, ErrorInfo> {
        let Self { mut request, prompt, endpoint, .. } = self;
        if request.model.is_empty() {
            return Err(no_model());
        }
        if endpoint == Endpoint::Generate {
            // Pictures come before the words about them.
            let mut parts = prompt.images;
            parts.extend((!prompt.text.is_empty()).then(|| Part::text(prompt.text)));
            if parts.is_empty() {
                let message = "`prompt` is empty: a model cannot be loaded or unloaded here, send what it is to answer";
                return Err(ErrorInfo::invalid("/prompt", message));
            }
            request.turns.push(Turn { role: Role::User, parts, name: None });
        } else if request.system.is_empty() && request.turns.is_empty() {
            let message = "`messages` is empty: a model cannot be loaded or unloaded here, send at least one message";
            return Err(ErrorInfo::invalid("/messages", message));
        }
        request.origin = Some(if endpoint == Endpoint::Chat { "ollama" } else { "ollama_generate" });
        Ok(request)
    }
}

/// What only a server of this dialect can do, at a model of another.
fn elsewhere(name: &str, why: &str) -> ErrorInfo {
    ErrorInfo::invalid(format!("/{name}"), format!("`{name}` cannot be carried to this model's provider: {why}"))
}

/// Reads `format`: nothing, a word, or a schema.
fn format(value: &str, source: &Str) -> Result<OutputFormat, ErrorInfo> {
    if value.starts_with('{') {
        let schema = RawJson::parse(slice(source, value))
            .map_err(|cause| ErrorInfo::invalid("/format", format!("`format` is not JSON: {cause}")))?;
        return Ok(OutputFormat::JsonSchema { name: None, description: None, schema, strict: None });
    }
    match serde_json::from_str::<Text<'_>>(value).as_ref().map(Text::as_str) {
        Ok("") => Ok(OutputFormat::Text),
        Ok("json") => Ok(OutputFormat::JsonObject),
        _ => Err(ErrorInfo::invalid("/format", "`format` must be `\"json\"` or a JSON schema")),
    }
}

/// Reads `think`.
fn think(value: &str) -> Result<ReasoningMode, ErrorInfo> {
    match value {
        "true" => return Ok(ReasoningMode::Adaptive),
        "false" => return Ok(ReasoningMode::Off),
        _ => {}
    }
    let level = serde_json::from_str::<Text<'_>>(value).ok();
    match level.as_ref().map(Text::as_str) {
        Some("low") => Ok(ReasoningMode::Effort(Effort::Low)),
        Some("medium") => Ok(ReasoningMode::Effort(Effort::Medium)),
        Some("high") => Ok(ReasoningMode::Effort(Effort::High)),
        Some("max") => Ok(ReasoningMode::Effort(Effort::Max)),
        _ => Err(ErrorInfo::invalid("/think", "`think` must be true, false, \"low\", \"medium\", \"high\" or \"max\"")),
    }
}

fn text(name: &str, value: &str, source: &Str) -> Result<Str, ErrorInfo> {
    read::<Text<'_>>(name, value, "a string").map(|text| text.keep(source))
}

/// Reads a member's value. `name` is its path from the top, with slashes.
pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, what: &str) -> Result<T, ErrorInfo> {
    serde_json::from_str(value)
        .map_err(|cause| ErrorInfo::invalid(format!("/{name}"), format!("`{name}` must be {what}: {cause}")))
}
