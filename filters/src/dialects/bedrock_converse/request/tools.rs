//! Writes tools, the choice among them, and the tool that stands in for structured output.
//!
//! Where the conversation holds calls or results, the service wants tools on offer, even if the client has none or lets
//! none be called.

use bytes::BytesMut;

use super::{
    super::{
        profile::{Forcing, Model},
        wire::Writer,
    },
    conversation::{Message, Piece},
    encode::Cx,
};
use crate::{
    model::{CachePoint, ErrorInfo, Family, Field, OutputFormat, RawJson, Str, Tool, ToolChoice},
    schema::{SchemaTarget, fit, rooted},
};

/// The tool that the model is made to call where it has no structured output.
const JSON_TOOL: &str = "json_answer";

/// The schema of a tool that takes nothing.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// Tools of Nova's that do what another vendor's tool does, by that tool's name.
const EQUALS: &[(&[&str], &str)] = &[
    (
        &["web_search", "web_search_preview", "web_search_options", "googleSearch", "google_search"],
        r#"{"systemTool":{"name":"nova_grounding"}}"#,
    ),
    (&["code_interpreter", "codeExecution", "code_execution"], r#"{"systemTool":{"name":"nova_code_interpreter"}}"#),
];

/// The name of the stand-in tool, if the request needs one. It differs from all names of the client's.
pub(super) fn json_tool(cx: &Cx<'_>) -> Option<Str> {
    if cx.model.structured() || !matches!(cx.request.output.format, OutputFormat::JsonSchema { .. }) {
        return None;
    }
    let taken = |name: &str| cx.request.tools.iter().any(|tool| name_of(tool).is_some_and(|of| *of == *name));
    let mut name = JSON_TOOL.to_owned();
    while taken(&name) {
        name.push('_');
    }
    Some(Str::from(name))
}

/// Whether the choice forces a call.
pub(super) fn is_forced(cx: &Cx<'_>) -> bool {
    cx.json_tool.is_some()
        || matches!(
            cx.request.tool_choice,
            ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }
        )
}

fn name_of(tool: &Tool) -> Option<&Str> {
    match tool {
        Tool::Function { name, .. } | Tool::Custom { name, .. } => Some(name),
        Tool::Server { .. } => None,
    }
}

/// The choice as the model takes it: what is written, and the tools that the others give way to.
struct Choice {
    wire: Option<Wire>,
    only: Option<Vec<Str>>,
}

/// What `toolChoice` can say.
enum Wire {
    Auto,
    Any,
    Tool(Str),
}

/// Writes `toolConfig`.
pub(super) fn push(body: &mut Writer<'_>, messages: &[Message<'_>], cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let request = cx.request;
    let called = called(messages);
    let choice = choice(cx);
    let refused = request.tool_choice == ToolChoice::None;
    let is_offered = |tool: &&Tool| match (name_of(tool), &choice.only) {
        // No tool can be refused by a word, so those that are not needed stay away.
        (name, _) if refused => name.is_some_and(|name| called.contains(name)),
        (Some(name), Some(only)) => only.contains(name),
        _ => true,
    };
    let offered: Vec<&Tool> = request.tools.iter().filter(is_offered).collect();
    if refused && !request.tools.is_empty() {
        cx.losses.approx(Field::ToolChoice);
    }
    if offered.is_empty() && cx.json_tool.is_none() && called.is_empty() {
        return Ok(());
    }
    if request.parallel_tools == Some(false) {
        cx.losses.approx(Field::ParallelTools);
    }
    let mut config = body.nested("toolConfig");
    let mut list = config.list("tools");
    let stubs = if offered.is_empty() && cx.json_tool.is_none() { called.as_slice() } else { &[] };
    for tool in offered {
        push_tool(&mut list, tool, cx)?;
    }
    push_json_tool(&mut list, cx);
    for name in stubs {
        push_stub(&mut list, name, cx);
    }
    let only_stubs = !stubs.is_empty();
    list.end();
    if let Some(wire) = choice.wire.filter(|_| !refused && !only_stubs || cx.json_tool.is_some()) {
        push_choice(&mut config, wire, cx);
    }
    config.end();
    Ok(())
}

/// The names of the tools in the conversation, each once.
fn called(messages: &[Message<'_>]) -> Vec<Str> {
    let mut names: Vec<Str> = Vec::new();
    for (_, name) in messages.iter().flat_map(|message| &message.pieces).filter_map(Piece::call) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Decides what is written, and notes where the model cannot be made to.
fn choice(cx: &mut Cx<'_>) -> Choice {
    let mut only = None;
    let mut wire = match &cx.request.tool_choice {
        ToolChoice::Unset | ToolChoice::None => None,
        ToolChoice::Auto => Some(Wire::Auto),
        ToolChoice::Required => Some(Wire::Any),
        ToolChoice::Named(name) => Some(Wire::Tool(name.clone())),
        ToolChoice::Allowed { names, required } => {
            cx.losses.approx(Field::ToolChoice);
            only = Some(names.clone());
            Some(if *required { Wire::Any } else { Wire::Auto })
        }
    };
    if let Some(json_tool) = &cx.json_tool {
        // With tools of the client's on offer, the model calls one of them or gives its answer.
        let free = !cx.request.tools.is_empty() && cx.request.tool_choice != ToolChoice::None;
        if !matches!(wire, Some(Wire::Tool(_))) {
            wire = Some(if free { Wire::Any } else { Wire::Tool(json_tool.clone()) });
        }
    }
    let forcing = cx.model.forcing();
    if let Some(Wire::Tool(name)) = &wire
        && forcing < Forcing::Named
    {
        cx.losses.approx(Field::ToolChoice);
        only = Some(vec![name.clone()]);
        wire = Some(Wire::Any);
    }
    if matches!(wire, Some(Wire::Any)) && forcing < Forcing::Any {
        cx.losses.approx(Field::ToolChoice);
        wire = Some(Wire::Auto);
    }
    Choice { wire, only }
}

fn push_choice(config: &mut Writer<'_>, wire: Wire, cx: &mut Cx<'_>) {
    let mut object = config.nested("toolChoice");
    match wire {
        Wire::Auto => object.raw("auto", "{}"),
        Wire::Any => object.raw("any", "{}"),
        Wire::Tool(name) => {
            let name = cx.tool_name(&name);
            let mut tool = object.nested("tool");
            tool.str("name", &name);
            tool.end();
        }
    }
    object.end();
}

fn push_tool(list: &mut Writer<'_>, tool: &Tool, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    match tool {
        Tool::Function { name, description, schema, strict, cache } => {
            let strict = strict.unwrap_or_default();
            let takes_strict = cx.model.structured();
            let schema = schema.as_ref().map(|schema| {
                let fitted =
                    if strict && takes_strict { fit(schema, SchemaTarget::Anthropic).schema } else { schema.clone() };
                let weakened = fitted != *schema;
                let rooted = rooted(&fitted);
                if weakened || rooted.weakened {
                    cx.losses.approx(Field::ToolSchema);
                }
                rooted.schema
            });
            if strict && !takes_strict {
                cx.losses.drop(Field::ToolStrict);
            }
            let schema = schema.as_ref().map_or(NO_ARGUMENTS, RawJson::as_str);
            let name = cx.tool_name(name);
            push_spec(list, &name, description.as_deref(), schema, strict && takes_strict);
            push_cache(list, cache.as_ref(), cx);
        }
        Tool::Custom { name, description, format } => {
            cx.losses.approx(Field::CustomTool);
            let name = cx.tool_name(name);
            let schema = free_schema(format.as_ref());
            let schema = std::str::from_utf8(&schema).unwrap_or(NO_ARGUMENTS);
            push_spec(list, &name, description.as_deref(), schema, false);
        }
        Tool::Server { family: Family::Bedrock, raw, .. } => {
            list.element().extend_from_slice(raw.as_str().as_bytes());
        }
        Tool::Server { kind, .. } => {
            let equal = EQUALS.iter().find(|(kinds, _)| kinds.contains(&&**kind));
            let equal = equal.filter(|_| matches!(cx.model, Model::Nova { .. }));
            let Some((_, tool)) = equal else {
                let message = format!("the tool `{kind}` does not exist at this model's provider, leave it out");
                return Err(ErrorInfo::invalid("tools", message));
            };
            cx.losses.approx(Field::ServerTool);
            list.element().extend_from_slice(tool.as_bytes());
        }
    }
    Ok(())
}

fn push_spec(list: &mut Writer<'_>, name: &str, description: Option<&str>, schema: &str, strict: bool) {
    let mut entry = Writer::object(list.element());
    let mut spec = entry.nested("toolSpec");
    spec.str("name", name);
    spec.maybe_str("description", description.filter(|text| !text.is_empty()));
    let mut input = spec.nested("inputSchema");
    input.raw("json", schema);
    input.end();
    if strict {
        spec.bool("strict", true);
    }
    spec.end();
    entry.end();
}

fn push_cache(list: &mut Writer<'_>, cache: Option<&CachePoint>, cx: &mut Cx<'_>) {
    let Some(cache) = cache else { return };
    if !cx.model.caches_tools() {
        cx.losses.drop(Field::CacheControl);
    } else if cx.breakpoint() {
        super::parts::push_cache_point(list, cache, cx);
    }
}

fn push_json_tool(list: &mut Writer<'_>, cx: &mut Cx<'_>) {
    let OutputFormat::JsonSchema { description, schema, .. } = &cx.request.output.format else { return };
    let Some(name) = cx.json_tool.clone() else { return };
    let rooted = rooted(schema);
    if rooted.weakened {
        cx.losses.approx(Field::ResponseSchema);
    }
    let description = description.as_deref().unwrap_or("Give the final answer by calling this tool.");
    push_spec(list, &name, Some(description), rooted.schema.as_str(), false);
}

/// A tool that was called once and is not on offer any more.
fn push_stub(list: &mut Writer<'_>, name: &Str, cx: &mut Cx<'_>) {
    let name = cx.tool_name(name);
    push_spec(list, &name, Some("(unavailable)"), r#"{"type":"object"}"#, false);
}

/// The schema of a tool that takes free text: one string, whose description holds the grammar.
fn free_schema(format: Option<&RawJson>) -> BytesMut {
    let mut out = BytesMut::new();
    let mut schema = Writer::of_type(&mut out, "object");
    let mut properties = schema.nested("properties");
    let mut input = Writer::of_type(properties.member("input"), "string");
    input.maybe_str("description", format.map(RawJson::as_str));
    input.end();
    properties.end();
    schema.raw("required", r#"["input"]"#);
    schema.end();
    out
}
