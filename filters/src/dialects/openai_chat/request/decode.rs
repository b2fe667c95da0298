//! A client's request: the top-level members, one by one as they come.

use bytes::Bytes;
use serde::Deserialize;

use super::{
    super::{
        inspect::{name_of, no_model, not_json, twice},
        wire::{Count, OneOrMany, Source, Text},
    },
    messages, tools,
};
use crate::{
    json::Members,
    model::{
        Display, Effort, ErrorClass, ErrorInfo, Family, Limits, RawJson, ReasoningMode, ReasoningSpec, Request, Str,
        StreamSpec, Tool,
    },
};

/// Decodes a request.
pub(in super::super) fn decode(body: &Bytes) -> Result<Request, ErrorInfo> {
    let text =
        Str::try_from(body.clone()).map_err(|_| ErrorInfo::new(ErrorClass::InvalidRequest, "the body is not UTF-8"))?;
    let source = Source::new(text);
    let mut decoder = Decoder { source: &source, request: Request::default(), seen: 0, legacy_limit: None, user: None };
    for member in Members::new(source.as_str().as_bytes()) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(source.as_str().as_bytes(), &member);
        let value = source.as_str().get(member.value).unwrap_or_default();
        decoder.once(&name)?;
        decoder.member(&name, value)?;
    }
    decoder.done()
}

/// The members that are decoded; the rest is kept as it is.
const KNOWN: [&str; 34] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "modalities",
    "verbosity",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "n",
    "user",
    "safety_identifier",
    "metadata",
    "store",
    "service_tier",
    "prompt_cache_key",
    "reasoning_effort",
    "reasoning",
    "stream",
    "stream_options",
    "web_search_options",
];

struct Decoder<'a> {
    source: &'a Source,
    request: Request,
    /// A bit for each of [`KNOWN`] that has come.
    seen: u64,
    /// `max_tokens`, which gives way to `max_completion_tokens`.
    legacy_limit: Option<u64>,
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
            "model" => request.model = text(name, value, source)?.unwrap_or_default(),
            "messages" => {
                let messages = read(name, value, "a list of messages")?.unwrap_or_default();
                (request.system, request.turns) = messages::decode(messages, source)?;
            }
            "tools" => {
                let mut tools = tools::decode(read(name, value, "a list of tools")?.unwrap_or_default(), source)?;
                tools.append(&mut request.tools);
                request.tools = tools;
            }
            "functions" => {
                let functions = read(name, value, "a list of functions")?.unwrap_or_default();
                request.tools.extend(tools::legacy(functions, source));
            }
            "tool_choice" | "function_call" => {
                if let Some(choice) = tools::choice(name, value, source)? {
                    request.tool_choice = choice;
                }
            }
            "parallel_tool_calls" => request.parallel_tools = read(name, value, "true or false")?,
            "response_format" => {
                if let Some(format) = tools::format(value, source)? {
                    request.output.format = format;
                }
            }
            "web_search_options" if value != "null" => request.tools.push(Tool::Server {
                family: Family::OpenAi,
                kind: Str::from_static("web_search_options"),
                raw: RawJson::from_checked(source.slice(value)),
            }),
            "reasoning_effort" => self.effort(name, value)?,
            "reasoning" => self.reasoning(value)?,
            "stream" => {
                if read(name, value, "true or false")?.unwrap_or(false) {
                    request.stream.get_or_insert_default();
                }
            }
            "stream_options" => self.stream_options(value)?,
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
        let sampling = &mut request.sampling;
        match name {
            "temperature" => sampling.temperature = read(name, value, NUMBER)?,
            "top_p" => sampling.top_p = read(name, value, NUMBER)?,
            "top_k" => sampling.top_k = read(name, value, COUNT)?,
            "frequency_penalty" => sampling.frequency_penalty = read(name, value, NUMBER)?,
            "presence_penalty" => sampling.presence_penalty = read(name, value, NUMBER)?,
            "seed" => sampling.seed = read(name, value, "a whole number")?,
            "logprobs" => sampling.logprobs = read(name, value, SWITCH)?.unwrap_or(false),
            "top_logprobs" => sampling.top_logprobs = read(name, value, COUNT)?,
            "logit_bias" => sampling.logit_bias = object(name, value, source)?,
            "max_tokens" => self.legacy_limit = read(name, value, COUNT)?,
            "max_completion_tokens" => request.limits.max_output = read(name, value, COUNT)?,
            "stop" => request.limits.stop = stop(value, source)?,
            "n" => request.candidates = candidates(read(name, value, "a whole number of 1 or more")?)?,
            "user" => self.user = text(name, value, source)?,
            "safety_identifier" => request.identity.user = text(name, value, source)?,
            "metadata" => request.identity.metadata = object(name, value, source)?,
            "store" => request.state.store = read(name, value, SWITCH)?,
            "prompt_cache_key" => request.state.cache_key = text(name, value, source)?,
            "service_tier" => request.tier = text(name, value, source)?,
            "verbosity" => request.output.verbosity = text(name, value, source)?,
            "modalities" => {
                let modalities: Vec<Text<'_>> = read(name, value, "a list of names")?.unwrap_or_default();
                let beyond_text = modalities.iter().filter(|modality| modality.as_str() != "text");
                request.output.modalities = beyond_text.map(|modality| source.text(modality)).collect();
            }
            // Unknown to this version, or nothing to any model: kept for its own family.
            _ if value != "null" && !KNOWN.contains(&name) => {
                let raw = RawJson::parse(source.slice(value))
                    .map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` is not JSON: {cause}")))?;
                request.extra.push((Str::from(name), raw));
            }
            _ => {}
        }
        Ok(())
    }

    fn done(self) -> Result<Request, ErrorInfo> {
        let Self { mut request, legacy_limit, user, .. } = self;
        if request.model.is_empty() {
            return Err(no_model());
        }
        if request.system.is_empty() && request.turns.is_empty() {
            return Err(ErrorInfo::invalid("messages", "`messages` must be a list of at least one message")
                .with_code("missing_parameter"));
        }
        request.limits = Limits { max_output: request.limits.max_output.or(legacy_limit), ..request.limits };
        request.identity.user = request.identity.user.or(user);
        // Options of a stream that is none mean nothing.
        if self.seen & bit("stream") == 0 {
            request.stream = None;
        }
        request.origin = Some("openai_chat");
        Ok(request)
    }

    fn effort(&mut self, name: &str, value: &'a str) -> Result<(), ErrorInfo> {
        if let Some(effort) = read::<Text<'_>>(name, value, "a string")? {
            self.request.reasoning.mode = mode_of(name, effort.as_str())?;
        }
        Ok(())
    }

    /// `OpenRouter`'s `reasoning` object.
    fn reasoning(&mut self, value: &'a str) -> Result<(), ErrorInfo> {
        #[derive(Deserialize)]
        struct Spec<'a> {
            #[serde(borrow)]
            effort: Option<Text<'a>>,
            max_tokens: Option<Count>,
            enabled: Option<bool>,
            exclude: Option<bool>,
        }
        let Some(spec) = read::<Spec<'_>>("reasoning", value, "an object")? else { return Ok(()) };
        let mode = match (spec.effort, spec.max_tokens, spec.enabled) {
            (_, _, Some(false)) => ReasoningMode::Off,
            (Some(effort), _, _) => mode_of("reasoning.effort", effort.as_str())?,
            (_, Some(budget), _) => ReasoningMode::Budget(budget.0),
            (_, _, Some(true)) => ReasoningMode::Adaptive,
            _ => self.request.reasoning.mode,
        };
        let display = spec.exclude.filter(|exclude| *exclude).map(|_| Display::Omitted);
        self.request.reasoning = ReasoningSpec { mode, display };
        Ok(())
    }

    fn stream_options(&mut self, value: &'a str) -> Result<(), ErrorInfo> {
        #[derive(Deserialize)]
        struct Options {
            include_usage: Option<bool>,
        }
        if let Some(options) = read::<Options>("stream_options", value, "an object")? {
            self.request.stream = Some(StreamSpec { include_usage: options.include_usage.unwrap_or(false) });
        }
        Ok(())
    }
}

fn text(name: &str, value: &str, source: &Source) -> Result<Option<Str>, ErrorInfo> {
    let text: Option<Text<'_>> = read(name, value, "a string")?;
    Ok(text.map(|text| source.text(&text)))
}

fn object(name: &str, value: &str, source: &Source) -> Result<Option<RawJson>, ErrorInfo> {
    if value == "null" {
        return Ok(None);
    }
    let raw = RawJson::parse(source.slice(value)).ok().filter(|_| value.starts_with('{'));
    raw.map(Some).ok_or_else(|| ErrorInfo::invalid(name, format!("`{name}` must be an object")))
}

fn stop(value: &str, source: &Source) -> Result<Vec<Str>, ErrorInfo> {
    let stop: Option<OneOrMany<'_, Text<'_>>> = read("stop", value, "a string or a list of strings")?;
    let all = match stop {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    };
    Ok(all.iter().filter(|stop| !stop.is_empty()).map(|stop| source.text(stop)).collect())
}

fn bit(name: &str) -> u64 {
    KNOWN.iter().position(|known| *known == name).map_or(0, |at| 1 << at)
}

fn mode_of(name: &str, effort: &str) -> Result<ReasoningMode, ErrorInfo> {
    match Effort::parse(effort) {
        Some(Effort::None) => Ok(ReasoningMode::Off),
        Some(effort) => Ok(ReasoningMode::Effort(effort)),
        // Groq's word for leaving it to the model.
        None if effort == "default" => Ok(ReasoningMode::Adaptive),
        None => Err(ErrorInfo::invalid(
            name,
            format!("`{name}` is `{effort}`; use none, minimal, low, medium, high, xhigh or max"),
        )),
    }
}

fn candidates(count: Option<u32>) -> Result<Option<u32>, ErrorInfo> {
    match count {
        Some(0) => Err(ErrorInfo::invalid("n", "`n` must be a whole number of 1 or more")),
        count => Ok(count),
    }
}

/// Reads a member's value; `null` is as if it were absent.
pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, what: &str) -> Result<Option<T>, ErrorInfo> {
    serde_json::from_str(value).map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` must be {what}: {cause}")))
}
