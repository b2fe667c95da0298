//! Tools that a client offers.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::wire::{Source, Text, filled},
    decode::read,
};
use crate::{
    model::{ErrorInfo, Family, RawJson, Str, Tool},
    schema::{SchemaTarget, fit},
};

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    name: Option<Text<'a>>,
    description: Option<Text<'a>>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
}

/// Decodes `tools`.
pub(super) fn decode(tools: Vec<&RawValue>, source: &Source) -> Result<Vec<Tool>, ErrorInfo> {
    tools.into_iter().enumerate().map(|(at, raw)| tool(&format!("tools[{at}]"), raw, source)).collect()
}

fn tool(param: &str, raw: &RawValue, source: &Source) -> Result<Tool, ErrorInfo> {
    let wire: Wire<'_> = read(param, raw.get(), "a tool")?;
    let name = || {
        filled(wire.name.as_ref(), source).ok_or_else(|| {
            ErrorInfo::invalid(format!("{param}.name"), "a function or custom tool needs a `name`, beside its `type`")
        })
    };
    let description = wire.description.as_ref().map(|text| source.text(text));
    match wire.kind.as_ref().map_or("function", Text::as_str) {
        "function" => {
            let schema = wire.parameters.filter(|raw| raw.get() != "null").map(|raw| source.raw(raw));
            let strict = Some(wire.strict.unwrap_or_else(|| is_strict(schema.as_ref())));
            Ok(Tool::Function { name: name()?, description, schema, strict, cache: None })
        }
        "custom" => {
            let format = wire.format.filter(|raw| raw.get() != "null").map(|format| source.raw(format));
            Ok(Tool::Custom { name: name()?, description, format })
        }
        kind => Ok(Tool::Server { family: Family::OpenAi, kind: Str::from(kind), raw: source.raw(raw) }),
    }
}

/// Where a client does not say, this vendor is strict with schemas that allow it. Others are not, so it must be said.
fn is_strict(schema: Option<&RawJson>) -> bool {
    schema.is_some_and(|schema| {
        let fitted = fit(schema, SchemaTarget::OpenAiStrict);
        !fitted.weakened && fitted.schema == *schema
    })
}
