//! Settings of a call, under the names that the SDK has for them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode::parse;
use crate::{
    json::{Object, Text, keep_raw},
    model::{Display, Effort, ErrorInfo, OutputFormat, RawJson, ReasoningMode, Request, Str},
    openai::wire::lenient,
};

const NUMBER: &str = "a number";
const COUNT: &str = "a whole number of 0 or more";

/// Takes one top-level member; gives false for one that no field holds.
pub(super) fn member(request: &mut Request, body: &Str, name: &str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    let sampling = &mut request.sampling;
    match name {
        "temperature" => sampling.temperature = Some(parse(name, raw, NUMBER)?),
        "topP" => sampling.top_p = Some(parse(name, raw, NUMBER)?),
        "topK" => sampling.top_k = Some(parse(name, raw, COUNT)?),
        "presencePenalty" => sampling.presence_penalty = Some(parse(name, raw, NUMBER)?),
        "frequencyPenalty" => sampling.frequency_penalty = Some(parse(name, raw, NUMBER)?),
        "seed" => sampling.seed = Some(parse(name, raw, "a whole number")?),
        "maxOutputTokens" => request.limits.max_output = Some(limit(name, raw)?),
        "stopSequences" => {
            let stops: Vec<Text<'_>> = parse(name, raw, "a list of strings")?;
            request.limits.stop = stops.iter().filter(|stop| !stop.is_empty()).map(|stop| stop.keep(body)).collect();
        }
        "verbosity" => request.output.verbosity = Some(parse::<Text<'_>>(name, raw, "a string")?.keep(body)),
        "response_format" | "responseFormat" => request.output.format = format(name, body, raw)?,
        "reasoningEffort" => effort(request, name, raw)?,
        "providerMetadata" | "providerOptions" => provider_options(request, body, name, raw)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn limit(name: &str, raw: &RawValue) -> Result<u64, ErrorInfo> {
    match parse(name, raw, COUNT)? {
        0 => Err(ErrorInfo::invalid(name, format!("`{name}` must be at least 1"))),
        limit => Ok(limit),
    }
}

fn effort(request: &mut Request, name: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let effort: Text<'_> = parse(name, raw, "a string")?;
    request.reasoning.mode = match Effort::parse(effort.as_str()) {
        Some(Effort::None) => ReasoningMode::Off,
        Some(effort) => ReasoningMode::Effort(effort),
        None => {
            let message = format!("`{name}` is `{}`; use none, minimal, low, medium, high, xhigh or max", effort.0);
            return Err(ErrorInfo::invalid(name, message));
        }
    };
    Ok(())
}

/// The form of the answer: nested as `OpenAI` writes it, or flat as the SDK does.
fn format(name: &str, body: &Str, raw: &RawValue) -> Result<OutputFormat, ErrorInfo> {
    #[derive(Default, Deserialize)]
    struct Format<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        json_schema: Option<&'a RawValue>,
        #[serde(borrow)]
        name: Option<Text<'a>>,
        #[serde(borrow)]
        description: Option<Text<'a>>,
        #[serde(borrow)]
        schema: Option<&'a RawValue>,
        strict: Option<bool>,
    }
    let outer: Format<'_> = parse(name, raw, "an object with `type`")?;
    let kind = outer.kind.as_ref().map_or("text", |kind| &*kind.0);
    let inner = match outer.json_schema {
        Some(raw) => parse(&format!("{name}.json_schema"), raw, "an object with `schema`")?,
        None => Format { kind: None, ..outer },
    };
    match (kind, inner.schema) {
        ("text", _) => Ok(OutputFormat::Text),
        ("json_schema" | "json", Some(schema)) => Ok(OutputFormat::JsonSchema {
            name: inner.name.map(|name| name.keep(body)),
            description: inner.description.map(|text| text.keep(body)),
            schema: keep_raw(body, schema),
            strict: inner.strict,
        }),
        ("json_object" | "json", _) => Ok(OutputFormat::JsonObject),
        ("json_schema", None) => {
            let message = "`schema` is required with `json_schema`: send the JSON Schema of the answer";
            Err(ErrorInfo::invalid(format!("{name}.json_schema.schema"), message))
        }
        (other, _) => {
            let message = format!("unknown type `{other}`, expected `text`, `json_object` or `json_schema`");
            Err(ErrorInfo::invalid(format!("{name}.type"), message))
        }
    }
}

/// Options of providers, by their names in the SDK. How much to think is said there; the rest is kept as it is.
fn provider_options(request: &mut Request, body: &Str, name: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let Object(providers) = parse(name, raw, "an object of providers' options")?;
    let mut is_read = true;
    for (provider, raw) in &providers {
        let Some(Object(members)) = lenient(Some(raw)) else {
            is_read = false;
            continue;
        };
        for (member, raw) in members {
            is_read &= match (&**provider, &*member) {
                (_, "reasoningEffort") => effort(request, "providerOptions.reasoningEffort", raw).map(|()| true)?,
                ("anthropic", "thinking") => thinking(request, raw),
                ("google" | "vertex", "thinkingConfig") => thinking_config(request, raw),
                _ => false,
            };
        }
    }
    if !is_read {
        request.extra.push((Str::from(name), RawJson::from_checked(keep_raw(body, raw).text().clone())));
    }
    Ok(())
}

fn thinking(request: &mut Request, raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Thinking<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        budget_tokens: Option<u64>,
    }
    let Some(thinking) = lenient::<Thinking<'_>>(Some(raw)) else { return false };
    request.reasoning.mode = match (thinking.kind.as_str(), thinking.budget_tokens) {
        ("enabled", Some(budget)) => ReasoningMode::Budget(budget),
        ("enabled" | "adaptive", _) => ReasoningMode::Adaptive,
        ("disabled", _) => ReasoningMode::Off,
        _ => return false,
    };
    true
}

fn thinking_config(request: &mut Request, raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config<'a> {
        thinking_budget: Option<i64>,
        #[serde(borrow)]
        thinking_level: Option<Text<'a>>,
        include_thoughts: Option<bool>,
    }
    let Some(config) = lenient::<Config<'_>>(Some(raw)) else { return false };
    let level = config.thinking_level.and_then(|level| Effort::parse(level.as_str()));
    let mode = match (config.thinking_budget, level) {
        (Some(0), _) => ReasoningMode::Off,
        (Some(budget), _) => u64::try_from(budget).map_or(ReasoningMode::Adaptive, ReasoningMode::Budget),
        (None, Some(level)) => ReasoningMode::Effort(level),
        (None, None) => request.reasoning.mode,
    };
    request.reasoning.mode = mode;
    if let Some(shown) = config.include_thoughts {
        request.reasoning.display = Some(if shown { Display::Full } else { Display::Omitted });
    }
    true
}
