//! Tools, the choice among them, and the form of the answer.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::wire::{CacheControl, Source, Text},
    content,
    decode::read,
};
use crate::model::{ErrorInfo, Family, OutputFormat, RawJson, Str, Tool, ToolChoice};

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    function: Option<Function<'a>>,
    custom: Option<Custom<'a>>,
    cache_control: Option<CacheControl<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    description: Option<Text<'a>>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct Custom<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    description: Option<Text<'a>>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
}

/// Decodes `tools`.
pub(super) fn decode(tools: Vec<&RawValue>, source: &Source) -> Result<Vec<Tool>, ErrorInfo> {
    let mut decoded = Vec::with_capacity(tools.len());
    for (at, raw) in tools.into_iter().enumerate() {
        let param = format!("tools[{at}]");
        let Some(tool) = read::<Wire<'_>>(&param, raw.get(), "a tool")? else { continue };
        let kind = tool.kind.as_ref().map_or("function", Text::as_str);
        decoded.push(match (kind, tool.function, tool.custom) {
            ("function", Some(wire), _) => {
                let Tool::Function { name, description, schema, strict, .. } = function(wire, source) else { continue };
                let cache = content::cache_point(tool.cache_control.as_ref(), source);
                Tool::Function { name, description, schema, strict, cache }
            }
            ("function", None, _) => {
                return Err(ErrorInfo::invalid(param, "a tool of type `function` needs `function`, with a `name`"));
            }
            ("custom", _, Some(custom)) => Tool::Custom {
                name: source.text(&custom.name),
                description: custom.description.map(|text| source.text(&text)),
                format: custom.format.map(|format| source.raw(format)),
            },
            (kind, ..) => Tool::Server { family: Family::OpenAi, kind: Str::from(kind), raw: source.raw(raw) },
        });
    }
    Ok(decoded)
}

/// Decodes `functions`, the form that preceded `tools`.
pub(super) fn legacy(functions: Vec<Function<'_>>, source: &Source) -> Vec<Tool> {
    functions.into_iter().map(|wire| function(wire, source)).collect()
}

fn function(wire: Function<'_>, source: &Source) -> Tool {
    Tool::Function {
        name: source.text(&wire.name),
        description: wire.description.map(|text| source.text(&text)),
        schema: wire.parameters.map(|schema| source.raw(schema)),
        strict: wire.strict,
        cache: None,
    }
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    function: Option<Named<'a>>,
    custom: Option<Named<'a>>,
    allowed_tools: Option<Allowed<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize)]
struct Allowed<'a> {
    #[serde(borrow)]
    mode: Option<Text<'a>>,
    tools: Vec<Choice<'a>>,
}

impl<'a> Choice<'a> {
    fn name(self) -> Option<Text<'a>> {
        self.function.or(self.custom).map(|named| named.name).or(self.name)
    }
}

/// Decodes `tool_choice`, or `function_call`, which preceded it.
pub(super) fn choice(param: &str, value: &str, source: &Source) -> Result<Option<ToolChoice>, ErrorInfo> {
    const WHAT: &str = "`auto`, `none`, `required`, or an object that names a tool";
    if value.starts_with('"') {
        let word: Option<Text<'_>> = read(param, value, WHAT)?;
        return match word.as_ref().map(Text::as_str) {
            Some("auto") => Ok(Some(ToolChoice::Auto)),
            Some("none") => Ok(Some(ToolChoice::None)),
            // `any` is Mistral's word.
            Some("required" | "any") => Ok(Some(ToolChoice::Required)),
            Some(other) => Err(ErrorInfo::invalid(param, format!("`{param}` is `{other}`; it must be {WHAT}"))),
            None => Ok(None),
        };
    }
    let Some(mut choice) = read::<Choice<'_>>(param, value, WHAT)? else { return Ok(None) };
    if let Some(allowed) = choice.allowed_tools.take() {
        let required = allowed.mode.is_some_and(|mode| mode.as_str() == "required");
        let names = allowed.tools.into_iter().filter_map(Choice::name).map(|name| source.text(&name)).collect();
        return Ok(Some(ToolChoice::Allowed { names, required }));
    }
    match choice.name() {
        Some(name) => Ok(Some(ToolChoice::Named(source.text(&name)))),
        None => Err(ErrorInfo::invalid(param, format!("`{param}` must be {WHAT}"))),
    }
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    json_schema: Option<Schema<'a>>,
}

#[derive(Deserialize)]
struct Schema<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    description: Option<Text<'a>>,
    #[serde(borrow, rename = "schema")]
    root: Option<&'a RawValue>,
    strict: Option<bool>,
}

/// Decodes `response_format`.
pub(super) fn format(value: &str, source: &Source) -> Result<Option<OutputFormat>, ErrorInfo> {
    const NAME: &str = "response_format";
    let Some(format) = read::<Format<'_>>(NAME, value, "an object with `type`")? else { return Ok(None) };
    match (format.kind.as_str(), format.json_schema) {
        ("text", _) => Ok(Some(OutputFormat::Text)),
        ("json_object", _) => Ok(Some(OutputFormat::JsonObject)),
        ("json_schema", Some(wire)) => Ok(Some(OutputFormat::JsonSchema {
            name: wire.name.map(|name| source.text(&name)),
            description: wire.description.map(|text| source.text(&text)),
            schema: wire
                .root
                .map_or_else(|| RawJson::from_checked(Str::from_static("{}")), |schema| source.raw(schema)),
            strict: wire.strict,
        })),
        ("json_schema", None) => Err(ErrorInfo::invalid(
            NAME,
            "`response_format` of type `json_schema` needs `json_schema`, with a `schema`",
        )),
        (other, _) => Err(ErrorInfo::invalid(
            NAME,
            format!("`response_format` is of type `{other}`; use text, json_object or json_schema"),
        )),
    }
}
