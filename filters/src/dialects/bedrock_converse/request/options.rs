//! Decodes the members that say how to answer: limits, sampling, the form of the output, and of the fields that only
//! some models take those that the model of all dialects knows.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::wire::{Object, Text, keep_raw},
    decode::parse,
};
use crate::{
    json,
    model::{Display, Effort, ErrorInfo, Family, OutputFormat, RawJson, ReasoningMode, Request, Str},
};

/// The member for what only some models take.
pub(super) const FIELDS: &str = "additionalModelRequestFields";

/// A request in the making: what two members say together waits for the other.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What was read so far.
    pub(super) request: Request,
    /// The effort asked for, in whatever member.
    effort: Option<Effort>,
}

impl Draft {
    /// The request. An effort is the finer word for adaptive thinking, and the only one where nothing else is said; it
    /// does not overrule a budget or an off.
    pub(super) fn finish(mut self) -> Request {
        let mode = &mut self.request.reasoning.mode;
        if let (ReasoningMode::Unset | ReasoningMode::Adaptive, Some(effort)) = (*mode, self.effort) {
            *mode = ReasoningMode::Effort(effort);
        }
        self.request
    }
}

/// Takes one top-level member; gives false for one that no field holds.
pub(super) fn member(draft: &mut Draft, body: &Str, name: &str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    #[derive(Deserialize)]
    struct Tier<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
    }
    let request = &mut draft.request;
    match name {
        "inferenceConfig" => inference(request, body, raw)?,
        "outputConfig" => output(draft, body, raw)?,
        "serviceTier" => request.tier = Some(parse::<Tier<'_>>(name, raw)?.kind.keep(body)),
        "guardrailConfig" => request.safety = Some((Family::Bedrock, keep_raw(body, raw))),
        "requestMetadata" => {
            parse::<Object<'_>>(name, raw)?;
            request.identity.metadata = Some(keep_raw(body, raw));
        }
        FIELDS => fields(draft, body, raw)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn inference(request: &mut Request, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inference<'a> {
        max_tokens: Option<u64>,
        temperature: Option<f64>,
        top_p: Option<f64>,
        #[serde(borrow)]
        stop_sequences: Option<Vec<Text<'a>>>,
    }
    let inference: Inference<'_> = parse("inferenceConfig", raw)?;
    if inference.max_tokens == Some(0) {
        return Err(ErrorInfo::invalid("/inferenceConfig/maxTokens", "`maxTokens` must be at least 1"));
    }
    request.limits.max_output = inference.max_tokens;
    request.sampling.temperature = inference.temperature;
    request.sampling.top_p = inference.top_p;
    let stops = inference.stop_sequences.unwrap_or_default();
    request.limits.stop = stops.iter().map(|stop| stop.keep(body)).filter(|stop| !stop.is_empty()).collect();
    Ok(())
}

fn output(draft: &mut Draft, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Output<'a> {
        #[serde(borrow, rename = "textFormat")]
        format: Option<TextFormat<'a>>,
        #[serde(borrow)]
        effort: Option<Text<'a>>,
    }
    #[derive(Deserialize)]
    struct TextFormat<'a> {
        #[serde(borrow)]
        structure: Structure<'a>,
    }
    #[derive(Deserialize)]
    struct Structure<'a> {
        #[serde(borrow, rename = "jsonSchema")]
        schema: SchemaDefinition<'a>,
    }
    #[derive(Deserialize)]
    struct SchemaDefinition<'a> {
        #[serde(borrow)]
        schema: Text<'a>,
        #[serde(borrow)]
        name: Option<Text<'a>>,
        #[serde(borrow)]
        description: Option<Text<'a>>,
    }
    let output: Output<'_> = parse("outputConfig", raw)?;
    if let Some(format) = output.format {
        let definition = format.structure.schema;
        let schema = RawJson::parse(definition.schema.keep(body)).map_err(|error| {
            let message =
                format!("`schema` is a string that holds a JSON Schema, and this one cannot be read: {error}");
            ErrorInfo::invalid("/outputConfig/textFormat/structure/jsonSchema/schema", message)
        })?;
        draft.request.output.format = OutputFormat::JsonSchema {
            name: definition.name.map(|name| name.keep(body)),
            description: definition.description.map(|description| description.keep(body)),
            schema,
            strict: None,
        };
    }
    if let Some(effort) = output.effort.filter(|effort| !effort.is_empty()) {
        draft.effort = Some(effort_of("/outputConfig/effort", &effort.0)?);
    }
    Ok(())
}

fn effort_of(at: &str, name: &str) -> Result<Effort, ErrorInfo> {
    Effort::parse(name).ok_or_else(|| {
        let message = format!("unknown effort `{name}`, expected `low`, `medium`, `high` or `max`");
        ErrorInfo::invalid(at, message)
    })
}

/// Reads what is known of the fields that only some models take; the others are kept as they are.
fn fields(draft: &mut Draft, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let Object(members) = parse(FIELDS, raw)?;
    let mut rest = bytes::BytesMut::new();
    let mut object = json::Writer::object(&mut rest);
    let mut count = 0;
    for (name, raw) in members {
        if raw.get() == "null" || field(draft, body, &name, raw)? {
            continue;
        }
        count += 1;
        json::push_str(object.element(), &name);
        object.out.extend_from_slice(b":");
        object.out.extend_from_slice(raw.get().as_bytes());
    }
    object.end();
    if count > 0
        && let Ok(text) = Str::try_from(rest.freeze())
    {
        draft.request.extra.push((Str::from_static(FIELDS), RawJson::from_checked(text)));
    }
    Ok(())
}

/// Takes one such field; gives false for one that says something only to its model.
fn field(draft: &mut Draft, body: &Str, name: &str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    let at = |name: &str| format!("{FIELDS}/{name}");
    match name {
        // Claude's; the second name is what the service calls it.
        "thinking" | "reasoning_config" => thinking(&mut draft.request, &at(name), raw)?,
        "output_config" => return claude_output(draft, body, raw),
        // Nova's.
        "reasoningConfig" => nova_thinking(draft, &at(name), raw)?,
        "inferenceConfig" => return Ok(nova_top_k(&mut draft.request, raw)),
        "reasoning_effort" => {
            let effort: Text<'_> = parse(&at(name), raw)?;
            draft.effort = Some(effort_of(&format!("/{}", at(name)), &effort.0)?);
        }
        "top_k" | "topK" => draft.request.sampling.top_k = Some(parse(&at(name), raw)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn thinking(request: &mut Request, at: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Thinking<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        budget_tokens: Option<u64>,
        #[serde(borrow)]
        display: Option<Text<'a>>,
    }
    let thinking: Thinking<'_> = parse(at, raw)?;
    request.reasoning.mode = match (&*thinking.kind.0, thinking.budget_tokens) {
        ("enabled", Some(budget)) => ReasoningMode::Budget(budget),
        ("enabled", None) => {
            let message = "`budget_tokens` is required with `enabled`: say how many tokens may be thought";
            return Err(ErrorInfo::invalid(format!("/{at}/budget_tokens"), message));
        }
        ("adaptive", _) => ReasoningMode::Adaptive,
        // The second is the least thinking of models that cannot switch it off.
        ("disabled" | "between_tools", _) => ReasoningMode::Off,
        (kind, _) => {
            let message = format!("unknown thinking type `{kind}`, expected `enabled`, `adaptive` or `disabled`");
            return Err(ErrorInfo::invalid(format!("/{at}/type"), message));
        }
    };
    request.reasoning.display = match thinking.display.as_ref().map(|display| &*display.0) {
        Some("omitted") => Some(Display::Omitted),
        Some("summarized") => Some(Display::Summary),
        _ => None,
    };
    Ok(())
}

/// Claude's `output_config`, if it holds nothing but what is known.
fn claude_output(draft: &mut Draft, body: &Str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config<'a> {
        #[serde(borrow)]
        effort: Option<Text<'a>>,
        #[serde(borrow)]
        format: Option<Format<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Format<'a> {
        #[serde(borrow, rename = "type")]
        _kind: Text<'a>,
        #[serde(borrow)]
        schema: &'a RawValue,
    }
    let Ok(config) = serde_json::from_str::<Config<'_>>(raw.get()) else { return Ok(false) };
    if let Some(effort) = config.effort {
        draft.effort = Some(effort_of(&format!("/{FIELDS}/output_config/effort"), &effort.0)?);
    }
    if let Some(format) = config.format {
        let schema = keep_raw(body, format.schema);
        draft.request.output.format = OutputFormat::JsonSchema { name: None, description: None, schema, strict: None };
    }
    Ok(true)
}

fn nova_thinking(draft: &mut Draft, at: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Config<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        #[serde(borrow, rename = "maxReasoningEffort")]
        effort: Option<Text<'a>>,
    }
    let config: Config<'_> = parse(at, raw)?;
    if config.kind.0 == "disabled" {
        draft.request.reasoning.mode = ReasoningMode::Off;
    } else if let Some(effort) = config.effort {
        draft.effort = Some(effort_of(&format!("/{at}/maxReasoningEffort"), &effort.0)?);
    } else {
        draft.request.reasoning.mode = ReasoningMode::Adaptive;
    }
    Ok(())
}

/// Nova's `topK`, if nothing else stands beside it.
fn nova_top_k(request: &mut Request, raw: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(rename = "topK")]
        top_k: u32,
    }
    let config: Option<Config> = serde_json::from_str(raw.get()).ok();
    request.sampling.top_k = config.as_ref().map(|config| config.top_k).or(request.sampling.top_k);
    config.is_some()
}
