//! Tools on offer and the choice among them, both ways.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    super::wire::{Text, Writer, keep_raw},
    decode::read,
    encode::Encoder,
};
use crate::model::{ErrorInfo, Field, RawJson, Str, Tool, ToolChoice};

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
}

/// Decodes `tools`.
pub(super) fn decode(tools: Vec<&RawValue>, source: &Str) -> Result<Vec<Tool>, ErrorInfo> {
    let mut decoded = Vec::with_capacity(tools.len());
    for (at, raw) in tools.into_iter().enumerate() {
        let place = format!("tools/{at}");
        let tool: Wire<'_> = read(&place, raw.get(), "a tool")?;
        let named = tool.function.and_then(|function| {
            let name = function.name.as_ref().filter(|name| !name.is_empty())?.keep(source);
            Some((name, function))
        });
        let Some((name, function)) = named else {
            return Err(ErrorInfo::invalid(format!("/{place}"), "a tool needs `function` with a `name`"));
        };
        decoded.push(Tool::Function {
            name,
            description: function.description.filter(|text| !text.is_empty()).map(|text| text.keep(source)),
            schema: function.parameters.filter(|raw| raw.get() != "null").map(|schema| keep_raw(source, schema)),
            strict: None,
            cache: None,
        });
    }
    Ok(decoded)
}

impl Encoder<'_> {
    /// Writes `tools`, `strict_tools` and `tool_choice`.
    pub(super) fn tools(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        if request.tools.is_empty() {
            return Ok(());
        }
        if request.parallel_tools == Some(false) {
            self.losses.drop(Field::ParallelTools);
        }
        let chosen: Option<&[Str]> = match &request.tool_choice {
            ToolChoice::Named(name) => Some(std::slice::from_ref(name)),
            ToolChoice::Allowed { names, .. } => Some(names),
            _ => None,
        };
        if chosen.is_some() {
            self.losses.approx(Field::ToolChoice);
        }
        let offered: Vec<&Tool> = request.tools.iter().filter(|tool| is_among(tool, chosen)).collect();
        let mut list = body.list("tools");
        for tool in &offered {
            self.tool(tool, &mut list)?;
        }
        list.end();
        self.strictness(&offered, body);
        match &request.tool_choice {
            ToolChoice::None => body.str("tool_choice", "NONE"),
            ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. } => {
                body.str("tool_choice", "REQUIRED");
            }
            // To say nothing is to let the model decide.
            ToolChoice::Unset | ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => {}
        }
        Ok(())
    }

    fn tool(&mut self, tool: &Tool, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let (name, description) = match tool {
            Tool::Function { name, description, .. } | Tool::Custom { name, description, .. } => (name, description),
            Tool::Server { kind, .. } => {
                let message = format!("this upstream has no tool `{kind}`; leave it out or choose another model");
                return Err(ErrorInfo::invalid("tools", message));
            }
        };
        let mut object = Writer::of_type(list.element(), "function");
        let mut function = object.nested("function");
        function.str("name", &self.renamed(name));
        function.maybe_str("description", description.as_deref());
        match tool {
            Tool::Function { schema: Some(schema), .. } => function.raw("parameters", schema.as_str()),
            Tool::Custom { format, .. } => {
                self.losses.approx(Field::CustomTool);
                push_free_schema(&mut function, format.as_ref());
            }
            _ => function.raw("parameters", r#"{"type":"object","properties":{}}"#),
        }
        function.end();
        object.end();
        Ok(())
    }

    /// Strictness is all tools' or none's, and every strict tool must require something.
    fn strictness(&mut self, offered: &[&Tool], body: &mut Writer<'_>) {
        let is_strict = |tool: &&&Tool| matches!(tool, Tool::Function { strict: Some(true), .. });
        let strict = offered.iter().filter(is_strict).count();
        if strict == 0 {
            return;
        }
        if !self.own && !offered.iter().all(|tool| requires_something(tool)) {
            self.losses.drop(Field::ToolStrict);
            return;
        }
        if strict < offered.len() {
            self.losses.approx(Field::ToolStrict);
        }
        body.bool("strict_tools", true);
    }
}

fn is_among(tool: &Tool, names: Option<&[Str]>) -> bool {
    match tool {
        Tool::Function { name, .. } | Tool::Custom { name, .. } => names.is_none_or(|names| names.contains(name)),
        Tool::Server { .. } => true,
    }
}

fn requires_something(tool: &Tool) -> bool {
    let Tool::Function { schema: Some(schema), .. } = tool else { return matches!(tool, Tool::Custom { .. }) };
    let required = schema.to_value().get("required").and_then(Value::as_array).map_or(0, Vec::len);
    required > 0
}

/// The schema of a tool that takes free text: one string, whose description holds the grammar.
fn push_free_schema(function: &mut Writer<'_>, format: Option<&RawJson>) {
    let mut schema = Writer::of_type(function.member("parameters"), "object");
    let mut properties = schema.nested("properties");
    let mut input = Writer::of_type(properties.member("input"), "string");
    input.maybe_str("description", format.map(RawJson::as_str));
    input.end();
    properties.end();
    schema.raw("required", r#"["input"]"#);
    schema.end();
}
