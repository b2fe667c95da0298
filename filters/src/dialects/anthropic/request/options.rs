//! Decodes the members that say how to answer: limits, sampling, thinking, the form of the output.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::wire::{Object, Text, keep_raw},
    decode::parse,
};
use crate::model::{Display, Effort, ErrorInfo, OutputFormat, RawJson, ReasoningMode, Request, Str};

/// Takes one top-level member; gives false for one that no field holds.
pub(super) fn member(draft: &mut Draft, body: &Str, name: &str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    let request = &mut draft.request;
    match name {
        "max_tokens" => request.limits.max_output = Some(parse(name, raw)?),
        "stop_sequences" => {
            let stops: Vec<Text<'_>> = parse(name, raw)?;
            request.limits.stop = stops.iter().map(|stop| stop.keep(body)).filter(|stop| !stop.is_empty()).collect();
        }
        "temperature" => request.sampling.temperature = Some(parse(name, raw)?),
        "top_p" => request.sampling.top_p = Some(parse(name, raw)?),
        "top_k" => request.sampling.top_k = Some(parse(name, raw)?),
        "service_tier" => request.tier = Some(parse::<Text<'_>>(name, raw)?.keep(body)),
        "metadata" => metadata(request, body, raw)?,
        "thinking" => thinking(request, raw)?,
        "output_config" => output_config(draft, body, raw)?,
        "output_format" => output_format(request, body, raw)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// A request in the making: what two members say together waits for the other.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What was read so far.
    pub(super) request: Request,
    /// `output_config.effort`.
    pub(super) effort: Option<Effort>,
}

impl Draft {
    /// The request. An effort is the finer word for adaptive thinking, and the only one where `thinking` is absent;
    /// it does not overrule a budget or an off.
    pub(super) fn finish(mut self) -> Request {
        let mode = &mut self.request.reasoning.mode;
        if let (ReasoningMode::Unset | ReasoningMode::Adaptive, Some(effort)) = (*mode, self.effort) {
            *mode = ReasoningMode::Effort(effort);
        }
        self.request
    }
}

fn metadata(request: &mut Request, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow)]
        user_id: Option<Text<'a>>,
    }
    let metadata: Metadata<'_> = parse("metadata", raw)?;
    request.identity.user = metadata.user_id.map(|user| user.keep(body));
    Ok(())
}

fn thinking(request: &mut Request, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Thinking<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        budget_tokens: Option<u64>,
        #[serde(borrow)]
        display: Option<Text<'a>>,
    }
    let thinking: Thinking<'_> = parse("thinking", raw)?;
    request.reasoning.mode = match (&*thinking.kind.0, thinking.budget_tokens) {
        ("enabled", Some(budget)) => ReasoningMode::Budget(budget),
        ("enabled", None) => {
            let message = "`budget_tokens` is required with `enabled`: say how many tokens may be thought";
            return Err(ErrorInfo::invalid("/thinking/budget_tokens", message));
        }
        ("adaptive", _) => ReasoningMode::Adaptive,
        ("disabled", _) => ReasoningMode::Off,
        // The least thinking of models that cannot switch it off.
        ("between_tools", _) => ReasoningMode::Off,
        (kind, _) => {
            let message = format!("unknown thinking type `{kind}`, expected `enabled`, `adaptive` or `disabled`");
            return Err(ErrorInfo::invalid("/thinking/type", message));
        }
    };
    request.reasoning.display = match thinking.display.as_ref().map(|display| &*display.0) {
        Some("omitted") => Some(Display::Omitted),
        Some("summarized") => Some(Display::Summary),
        _ => None,
    };
    Ok(())
}

fn output_config(draft: &mut Draft, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let Object(members) = parse("output_config", raw)?;
    let mut rest = serde_json::Map::new();
    for (name, raw) in members {
        match &*name {
            _ if raw.get() == "null" => {}
            "effort" => {
                let effort: Text<'_> = parse("output_config/effort", raw)?;
                draft.effort = Some(Effort::parse(&effort.0).ok_or_else(|| {
                    let message = format!("unknown effort `{}`, expected `low`, `medium`, `high` or `max`", effort.0);
                    ErrorInfo::invalid("/output_config/effort", message)
                })?);
            }
            "format" => output_format(&mut draft.request, body, raw)?,
            _ => {
                rest.insert(name.into_owned(), keep_raw(body, raw).to_value());
            }
        }
    }
    if !rest.is_empty() {
        let rest = RawJson::from_value(&serde_json::Value::Object(rest));
        draft.request.extra.push((Str::from_static("output_config"), rest));
    }
    Ok(())
}

fn output_format(request: &mut Request, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        #[serde(borrow)]
        schema: Option<&'a RawValue>,
    }
    let format: Format<'_> = parse("output_config/format", raw)?;
    let schema = match (&*format.kind.0, format.schema) {
        ("json_schema", Some(schema)) => keep_raw(body, schema),
        ("json_schema", None) => {
            let message = "`schema` is required with `json_schema`: send the JSON Schema of the answer";
            return Err(ErrorInfo::invalid("/output_config/format/schema", message));
        }
        (kind, _) => {
            let message = format!("unknown output format `{kind}`, expected `json_schema`");
            return Err(ErrorInfo::invalid("/output_config/format/type", message));
        }
    };
    request.output.format = OutputFormat::JsonSchema { name: None, description: None, schema, strict: None };
    Ok(())
}
