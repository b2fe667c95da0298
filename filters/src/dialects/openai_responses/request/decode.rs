//! A client's request: the top-level members, one by one as they come.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{
        NAME,
        wire::{Source, Text, word},
    },
    choice, input, tools,
};
use crate::{
    json::Members,
    model::{Display, Effort, ErrorClass, ErrorInfo, Family, RawJson, ReasoningMode, Request, Str, StreamSpec},
    openai::inspect::{name_of, no_model, not_json, twice},
};

/// The members that are decoded; the rest is kept as it is.
const KNOWN: [&str; 26] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "temperature",
    "top_p",
    "top_logprobs",
    "max_output_tokens",
    "reasoning",
    "include",
    "user",
    "safety_identifier",
    "metadata",
    "store",
    "previous_response_id",
    "conversation",
    "background",
    "prompt_cache_key",
    "service_tier",
    "moderation",
    "truncation",
    "stream",
    "stream_options",
];

/// What may be included in an answer and is in it anyway: state comes in an envelope, whoever made it.
const ALWAYS_INCLUDED: &str = "reasoning.encrypted_content";
/// The same for what a setting of its own asks for elsewhere.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Decodes a request.
pub(in super::super) fn decode(body: &Bytes) -> Result<Request, ErrorInfo> {
    let text =
        Str::try_from(body.clone()).map_err(|_| ErrorInfo::new(ErrorClass::InvalidRequest, "the body is not UTF-8"))?;
    let source = Source::new(text);
    let mut decoder =
        Decoder { source: &source, request: Request::default(), seen: 0, input: None, instructions: None, user: None };
    for member in Members::new(source.as_str().as_bytes()) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(source.as_str().as_bytes(), &member);
        let value = source.as_str().get(member.value).unwrap_or_default();
        decoder.once(&name)?;
        if value != "null" {
            decoder.member(&name, value)?;
        }
    }
    decoder.done()
}

struct Decoder<'a> {
    source: &'a Source,
    request: Request,
    /// A bit for each of [`KNOWN`] that has come.
    seen: u64,
    input: Option<&'a str>,
    instructions: Option<&'a str>,
    /// `user`, which gives way to `safety_identifier`.
    user: Option<Str>,
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
        match name {
            "model" => request.model = text(name, value, source)?,
            "input" => self.input = Some(value),
            "instructions" => self.instructions = Some(value),
            "tools" => {
                let list: Vec<&RawValue> = read(name, value, "a list of tools")?;
                request.tools = tools::decode(list, source)?;
            }
            "tool_choice" => request.tool_choice = choice::decode(value, source)?,
            "text" => self.text_config(value)?,
            "reasoning" => self.reasoning(value)?,
            "include" => self.include(value)?,
            "conversation" => {
                let conversation = read::<Conversation<'_>>(name, value, "an id, or an object with `id`")?;
                request.state.conversation = Some(source.text(&conversation.id()));
            }
            "stream" => {
                let streamed: bool = read(name, value, "true or false")?;
                request.stream = streamed.then(StreamSpec::default);
            }
            _ => return self.plain_member(name, value),
        }
        Ok(())
    }

    /// Members that are one plain value.
    fn plain_member(&mut self, name: &str, value: &'a str) -> Result<(), ErrorInfo> {
        const NUMBER: &str = "a number";
        const COUNT: &str = "a whole number of 0 or more";
        const SWITCH: &str = "true or false";
        let source = self.source;
        let request = &mut self.request;
        match name {
            "temperature" => request.sampling.temperature = Some(read(name, value, NUMBER)?),
            "top_p" => request.sampling.top_p = Some(read(name, value, NUMBER)?),
            "top_logprobs" => request.sampling.top_logprobs = Some(read(name, value, COUNT)?),
            "max_output_tokens" => request.limits.max_output = Some(read(name, value, COUNT)?),
            "parallel_tool_calls" => request.parallel_tools = Some(read(name, value, SWITCH)?),
            "user" => self.user = Some(text(name, value, source)?),
            "safety_identifier" => request.identity.user = Some(text(name, value, source)?),
            "metadata" => request.identity.metadata = Some(object(name, value, source)?),
            "store" => request.state.store = Some(read(name, value, SWITCH)?),
            "previous_response_id" => request.state.previous = Some(text(name, value, source)?),
            "background" => request.state.background = read(name, value, SWITCH)?,
            "prompt_cache_key" => request.state.cache_key = Some(text(name, value, source)?),
            "service_tier" => request.tier = Some(text(name, value, source)?),
            "moderation" => request.safety = Some((Family::OpenAi, object(name, value, source)?)),
            // How a stream is padded is nothing to any model.
            "stream_options" => {}
            // That nothing is cut off is what happens everywhere.
            "truncation" if value == "\"disabled\"" => {}
            _ => return self.keep(name, value),
        }
        Ok(())
    }

    /// Unknown to this version, or nothing to other families: kept for its own.
    fn keep(&mut self, name: &str, value: &'a str) -> Result<(), ErrorInfo> {
        let raw = RawJson::parse(self.source.slice(value))
            .map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` is not JSON: {cause}")))?;
        self.request.extra.push((Str::from(name), raw));
        Ok(())
    }

    /// `text`: the form of the answer.
    fn text_config(&mut self, value: &'a str) -> Result<(), ErrorInfo> {
        #[derive(Deserialize)]
        struct Config<'a> {
            #[serde(borrow)]
            format: Option<&'a RawValue>,
            verbosity: Option<Text<'a>>,
        }
        let config: Config<'_> = read("text", value, "an object")?;
        if let Some(format) = config.format.filter(|format| format.get() != "null") {
            self.request.output.format = choice::format(format.get(), self.source)?;
        }
        self.request.output.verbosity = config.verbosity.map(|verbosity| self.source.text(&verbosity));
        Ok(())
    }

    fn reasoning(&mut self, value: &'a str) -> Result<(), ErrorInfo> {
        #[derive(Deserialize)]
        struct Spec<'a> {
            #[serde(borrow)]
            effort: Option<Text<'a>>,
            #[serde(borrow)]
            summary: Option<&'a RawValue>,
            /// Its name before it was `summary`.
            #[serde(borrow)]
            generate_summary: Option<&'a RawValue>,
        }
        let spec: Spec<'_> = read("reasoning", value, "an object")?;
        if let Some(effort) = spec.effort {
            self.request.reasoning.mode = match Effort::parse(effort.as_str()) {
                Some(Effort::None) => ReasoningMode::Off,
                Some(effort) => ReasoningMode::Effort(effort),
                None => {
                    let message = format!(
                        "`reasoning.effort` is `{}`; use none, minimal, low, medium, high, xhigh or max",
                        effort.as_str()
                    );
                    return Err(ErrorInfo::invalid("reasoning.effort", message));
                }
            };
        }
        let summary = word(spec.summary.or(spec.generate_summary), self.source);
        self.request.reasoning.display = match summary.as_deref() {
            Some("detailed") => Some(Display::Full),
            Some(_) => Some(Display::Summary),
            None => None,
        };
        Ok(())
    }

    fn include(&mut self, value: &'a str) -> Result<(), ErrorInfo> {
        let all: Vec<Text<'_>> = read("include", value, "a list of names")?;
        let is = |name: &'static str| move |text: &Text<'_>| text.as_str() == name;
        self.request.sampling.logprobs = all.iter().any(is(LOGPROBS));
        if all.iter().any(|text| !is(LOGPROBS)(text) && !is(ALWAYS_INCLUDED)(text)) {
            self.keep("include", value)?;
        }
        Ok(())
    }

    fn done(self) -> Result<Request, ErrorInfo> {
        let Self { mut request, source, input, instructions, user, .. } = self;
        if request.model.is_empty() {
            return Err(no_model());
        }
        // `top_logprobs` alone asks for them too.
        request.sampling.logprobs |= request.sampling.top_logprobs.is_some_and(|count| count > 0);
        let decoded = input::decode(instructions, input, source)?;
        if decoded.system.is_empty() && decoded.turns.is_empty() && !request.state.has_history() {
            let message = "`input` must be a text, or a list of at least one item";
            return Err(ErrorInfo::invalid("input", message).with_code("missing_parameter"));
        }
        request.system = decoded.system;
        request.turns = decoded.turns;
        request.state.item = decoded.reference;
        request.identity.user = request.identity.user.or(user);
        request.origin = Some(NAME);
        Ok(request)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Conversation<'a> {
    Id(#[serde(borrow)] Text<'a>),
    Object {
        #[serde(borrow)]
        id: Text<'a>,
    },
}

impl<'a> Conversation<'a> {
    fn id(self) -> Text<'a> {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

fn text(name: &str, value: &str, source: &Source) -> Result<Str, ErrorInfo> {
    read::<Text<'_>>(name, value, "a string").map(|text| source.text(&text))
}

fn object(name: &str, value: &str, source: &Source) -> Result<RawJson, ErrorInfo> {
    let raw = RawJson::parse(source.slice(value)).ok().filter(|_| value.starts_with('{'));
    raw.ok_or_else(|| ErrorInfo::invalid(name, format!("`{name}` must be an object")))
}

/// Reads a member's value.
pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, what: &str) -> Result<T, ErrorInfo> {
    serde_json::from_str(value).map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` must be {what}: {cause}")))
}
