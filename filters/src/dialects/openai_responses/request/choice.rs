//! Which tool must, may or must not be called, and the form of the answer, as a client asks for them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::wire::{Source, Text},
    decode::read,
};
use crate::model::{ErrorInfo, OutputFormat, RawJson, Str, ToolChoice};

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    name: Option<Text<'a>>,
    mode: Option<Text<'a>>,
    tools: Option<Vec<Choice<'a>>>,
}

impl Choice<'_> {
    /// The tool's name; tools of the provider's go by their kind.
    fn name(&self, source: &Source) -> Option<Str> {
        let name = match self.kind.as_ref().map_or("", Text::as_str) {
            "function" | "custom" | "" => self.name.as_ref(),
            _ => self.kind.as_ref(),
        };
        name.filter(|name| !name.is_empty()).map(|name| source.text(name))
    }
}

/// Decodes `tool_choice`.
pub(super) fn decode(value: &str, source: &Source) -> Result<ToolChoice, ErrorInfo> {
    const NAME: &str = "tool_choice";
    const WHAT: &str = "`auto`, `none`, `required`, or an object that names a tool";
    let wrong = || ErrorInfo::invalid(NAME, format!("`{NAME}` must be {WHAT}"));
    if value.starts_with('"') {
        return match read::<Text<'_>>(NAME, value, WHAT)?.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(wrong()),
        };
    }
    let choice: Choice<'_> = read(NAME, value, WHAT)?;
    match choice.kind.as_ref().map_or("", Text::as_str) {
        "function" | "custom" => choice.name(source).map(ToolChoice::Named).ok_or_else(wrong),
        "allowed_tools" => {
            let required = choice.mode.as_ref().is_some_and(|mode| mode.as_str() == "required");
            let names = choice.tools.iter().flatten().filter_map(|tool| tool.name(source)).collect();
            Ok(ToolChoice::Allowed { names, required })
        }
        "" => Err(wrong()),
        // A tool of the provider's: one of a list that is no longer than that, so that no function of the same name
        // is meant.
        kind => Ok(ToolChoice::Allowed { names: vec![Str::from(kind)], required: true }),
    }
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    name: Option<Text<'a>>,
    description: Option<Text<'a>>,
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    strict: Option<bool>,
}

/// Decodes `text.format`.
pub(super) fn format(value: &str, source: &Source) -> Result<OutputFormat, ErrorInfo> {
    const NAME: &str = "text.format";
    let format: Format<'_> = read(NAME, value, "an object with `type`")?;
    match format.kind.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => {
            let schema = format.schema.map(|schema| source.raw(schema)).ok_or_else(|| {
                ErrorInfo::invalid(NAME, "`text.format` of type `json_schema` needs a `schema`, beside its `name`")
            })?;
            Ok(OutputFormat::JsonSchema {
                name: format.name.map(|name| source.text(&name)),
                description: format.description.map(|text| source.text(&text)),
                schema,
                strict: format.strict,
            })
        }
        other => {
            let message = format!("`text.format` is of type `{other}`; use text, json_object or json_schema");
            Err(ErrorInfo::invalid(NAME, message))
        }
    }
}

/// A schema that says nothing, for tools without parameters.
pub(super) fn no_parameters() -> RawJson {
    RawJson::from_checked(Str::from_static(r#"{"type":"object","properties":{}}"#))
}
