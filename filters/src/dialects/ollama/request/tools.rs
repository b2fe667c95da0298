//! Tools on offer, both ways. The wire has no choice among them, so a choice is a shorter list.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::wire::{Text, Writer, keep_raw},
    decode::read,
    encode::Encoder,
};
use crate::{
    model::{ErrorInfo, Field, RawJson, Str, Tool, ToolChoice},
    schema::{SchemaTarget, fit},
};

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
    /// Writes `tools`.
    pub(super) fn tools(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        if request.tools.is_empty() {
            return Ok(());
        }
        if request.parallel_tools == Some(false) {
            self.losses.drop(Field::ParallelTools);
        }
        let offered: Vec<&Tool> = match &request.tool_choice {
            // What is not offered is not called.
            ToolChoice::None => return Ok(()),
            ToolChoice::Unset | ToolChoice::Auto => request.tools.iter().collect(),
            ToolChoice::Required => {
                self.losses.approx(Field::ToolChoice);
                request.tools.iter().collect()
            }
            ToolChoice::Named(name) => {
                self.losses.approx(Field::ToolChoice);
                among(&request.tools, std::slice::from_ref(name))
            }
            ToolChoice::Allowed { names, required } => {
                if *required {
                    self.losses.approx(Field::ToolChoice);
                }
                among(&request.tools, names)
            }
        };
        let mut list = body.list("tools");
        for tool in offered {
            self.tool(tool, &mut list)?;
        }
        list.end();
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
        function.str("name", name);
        function.maybe_str("description", description.as_deref());
        match tool {
            Tool::Function { schema: Some(schema), .. } => {
                let fitted = fit(schema, SchemaTarget::Ollama);
                if fitted.weakened {
                    self.losses.approx(Field::ToolSchema);
                }
                function.raw("parameters", fitted.schema.as_str());
            }
            Tool::Custom { format, .. } => {
                self.losses.approx(Field::CustomTool);
                push_free_schema(&mut function, format.as_ref());
            }
            _ => function.raw("parameters", r#"{"type":"object","properties":{}}"#),
        }
        if let Tool::Function { strict: Some(true), .. } = tool {
            self.losses.drop(Field::ToolStrict);
        }
        function.end();
        object.end();
        Ok(())
    }
}

/// The tools of these names; those that a provider runs itself are not chosen among.
fn among<'t>(tools: &'t [Tool], names: &[Str]) -> Vec<&'t Tool> {
    let chosen = |tool: &&Tool| match tool {
        Tool::Function { name, .. } | Tool::Custom { name, .. } => names.contains(name),
        Tool::Server { .. } => true,
    };
    tools.iter().filter(chosen).collect()
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
