//! Tools that the client runs, and the choice among them.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode::parse;
use crate::{
    json::{Object, Text, keep_raw},
    model::{ErrorInfo, Str, Tool, ToolChoice},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTool<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    input_schema: Option<&'a RawValue>,
    /// The name of the schema in earlier versions.
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    strict: Option<bool>,
}

/// Decodes `tools`: a list of tools, or an object of them by name. The first of two with one name counts.
pub(super) fn decode(body: &Str, raw: &RawValue) -> Result<Vec<Tool>, ErrorInfo> {
    let mut tools: Vec<Tool> = Vec::new();
    let mut push = |at: &str, name: Option<Str>, raw: &RawValue| {
        let tool = decode_tool(body, at, name, raw)?;
        let has_name =
            |name: &Str| tools.iter().any(|tool| matches!(tool, Tool::Function { name: own, .. } if own == name));
        if !matches!(&tool, Tool::Function { name, .. } if has_name(name)) {
            tools.push(tool);
        }
        Ok::<(), ErrorInfo>(())
    };
    if raw.get().starts_with('{') {
        let Object(named) = parse("tools", raw, "a list of tools")?;
        for (name, raw) in named {
            push(&format!("tools.{name}"), Some(Str::from(&*name)), raw)?;
        }
    } else {
        let list: Vec<&RawValue> = parse("tools", raw, "a list of tools")?;
        for (at, raw) in list.into_iter().enumerate() {
            push(&format!("tools[{at}]"), None, raw)?;
        }
    }
    Ok(tools)
}

fn decode_tool(body: &Str, at: &str, name: Option<Str>, raw: &RawValue) -> Result<Tool, ErrorInfo> {
    let tool: WireTool<'_> = parse(at, raw, "a tool with `name`, `description` and `inputSchema`")?;
    let name = name.or_else(|| tool.name.map(|name| name.keep(body))).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ErrorInfo::invalid(format!("{at}.name"), "`name` is required: name the tool"))?;
    let schema = tool.input_schema.or(tool.parameters).filter(|schema| schema.get().starts_with('{'));
    let schema = schema.ok_or_else(|| {
        let message = format!("tool `{name}` needs `inputSchema`, the JSON Schema of its input as an object");
        ErrorInfo::invalid(format!("{at}.inputSchema"), message)
    })?;
    Ok(Tool::Function {
        name,
        description: tool.description.map(|text| text.keep(body)),
        schema: Some(keep_raw(body, schema)),
        strict: tool.strict,
        cache: None,
    })
}

/// Decodes `toolChoice`: a word, a tool's name, or the SDK's object.
pub(super) fn choice(member: &str, body: &Str, raw: &RawValue) -> Result<ToolChoice, ErrorInfo> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Choice<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        #[serde(borrow)]
        tool_name: Option<Text<'a>>,
    }
    let (word, name) = if raw.get().starts_with('{') {
        let choice: Choice<'_> = parse(member, raw, "a word, or an object with `type` and `toolName`")?;
        (choice.kind, choice.tool_name)
    } else {
        (parse(member, raw, "`auto`, `none`, `required` or a tool's name")?, None)
    };
    match (word.as_str(), name) {
        ("auto", _) => Ok(ToolChoice::Auto),
        ("none", _) => Ok(ToolChoice::None),
        ("required", _) => Ok(ToolChoice::Required),
        ("tool", Some(name)) => Ok(ToolChoice::Named(name.keep(body))),
        ("", _) => {
            Err(ErrorInfo::invalid(member, format!("`{member}` must be `auto`, `none`, `required` or a tool's name")))
        }
        (_, _) => Ok(ToolChoice::Named(word.keep(body))),
    }
}
