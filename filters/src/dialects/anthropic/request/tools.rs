//! Writes tools, the choice among them, and the tool that stands in for structured output.

use bytes::BytesMut;

use super::{super::wire::Writer, encode::Cx};
use crate::{
    model::{CachePoint, ErrorInfo, Family, Field, Losses, OutputFormat, RawJson, Str, Tool, ToolChoice},
    schema::{self, SchemaTarget, fit},
};

/// The tool that the model is made to call where it has no structured output.
const JSON_TOOL: &str = "json_answer";

/// Tools of this vendor that do what another's tool does, by that tool's name.
const EQUALS: &[(&[&str], &str)] = &[
    (
        &["web_search", "web_search_preview", "web_search_options", "googleSearch", "google_search"],
        r#"{"type":"web_search_20250305","name":"web_search"}"#,
    ),
    (
        &["code_interpreter", "codeExecution", "code_execution"],
        r#"{"type":"code_execution_20250825","name":"code_execution"}"#,
    ),
    (&["urlContext", "url_context"], r#"{"type":"web_fetch_20250910","name":"web_fetch"}"#),
];

/// Writes `tools` and `tool_choice`.
pub(super) fn push(body: &mut Writer<'_>, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let request = cx.request;
    if request.tools.is_empty() && cx.json_tool.is_none() {
        return Ok(());
    }
    let mut list = Writer::array(body.member("tools"));
    for tool in request.tools.iter().filter(|tool| is_offered(tool, &request.tool_choice)) {
        push_tool(&mut list, tool, cx)?;
    }
    if let (Some(name), OutputFormat::JsonSchema { description, schema, .. }) = (&cx.json_tool, &request.output.format)
    {
        let mut object = Writer::object(list.element());
        object.str("name", name);
        let description = description.as_deref().unwrap_or("Give the final answer by calling this tool.");
        object.str("description", description);
        object.raw("input_schema", rooted(schema, &mut cx.losses).as_str());
        object.end();
    }
    list.end();
    push_choice(body, cx);
    Ok(())
}

/// The name of the stand-in tool, if the request needs one. It differs from all names of the client's.
pub(super) fn json_tool(cx: &Cx<'_>) -> Option<Str> {
    if cx.profile.structured || !matches!(cx.request.output.format, OutputFormat::JsonSchema { .. }) {
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

/// The wire has no list of allowed tools, so the others are left out.
fn is_offered(tool: &Tool, choice: &ToolChoice) -> bool {
    match choice {
        ToolChoice::Allowed { names, .. } => name_of(tool).is_none_or(|name| names.contains(name)),
        _ => true,
    }
}

fn push_tool(list: &mut Writer<'_>, tool: &Tool, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    match tool {
        Tool::Function { name, description, schema, strict, cache } => {
            let name = cx.tool_name(name);
            let mut object = Writer::object(list.element());
            object.str("name", &name);
            object.maybe_str("description", description.as_deref());
            let strict = strict.unwrap_or_default();
            let schema = schema.as_ref().map(|schema| {
                let fitted = if strict { fit(schema, SchemaTarget::Anthropic) } else { unfitted(schema) };
                if fitted.weakened {
                    cx.losses.approx(Field::ToolSchema);
                }
                rooted(&fitted.schema, &mut cx.losses)
            });
            let empty = r#"{"type":"object","properties":{}}"#;
            object.raw("input_schema", schema.as_ref().map_or(empty, RawJson::as_str));
            if strict && cx.profile.structured {
                object.bool("strict", true);
            } else if strict {
                cx.losses.drop(Field::ToolStrict);
            }
            if let Some(cache) = cache {
                if cx.breakpoints.tool() {
                    push_cache(&mut object, cache);
                } else {
                    cx.losses.drop(Field::CacheControl);
                }
            }
            object.end();
        }
        Tool::Custom { name, description, format } => {
            cx.losses.approx(Field::CustomTool);
            let name = cx.tool_name(name);
            let mut object = Writer::object(list.element());
            object.str("name", &name);
            object.maybe_str("description", description.as_deref());
            push_free_schema(object.member("input_schema"), format.as_ref());
            object.end();
        }
        Tool::Server { family: Family::Anthropic, raw, .. } => {
            list.element().extend_from_slice(raw.as_str().as_bytes());
        }
        Tool::Server { kind, .. } => {
            let equal = EQUALS.iter().find(|(kinds, _)| kinds.contains(&&**kind));
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

fn unfitted(schema: &RawJson) -> schema::Fitted {
    schema::Fitted { schema: schema.clone(), weakened: false }
}

/// The schema of a tool that takes free text: one string, whose description holds the grammar.
fn push_free_schema(out: &mut BytesMut, format: Option<&RawJson>) {
    let mut schema = Writer::of_type(out, "object");
    let mut properties = Writer::object(schema.member("properties"));
    let mut input = Writer::of_type(properties.member("input"), "string");
    input.maybe_str("description", format.map(RawJson::as_str));
    input.end();
    properties.end();
    schema.raw("required", r#"["input"]"#);
    schema.end();
}

fn push_choice(body: &mut Writer<'_>, cx: &mut Cx<'_>) {
    let parallel = cx.request.parallel_tools;
    let (mut kind, mut name) = match &cx.request.tool_choice {
        ToolChoice::Unset if parallel == Some(false) => ("auto", None),
        ToolChoice::Unset => ("", None),
        ToolChoice::Auto => ("auto", None),
        ToolChoice::None => ("none", None),
        ToolChoice::Required => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(name.clone())),
        ToolChoice::Allowed { required, .. } => {
            cx.losses.approx(Field::ToolChoice);
            (if *required { "any" } else { "auto" }, None)
        }
    };
    let mut parallel = parallel;
    if let Some(json_tool) = &cx.json_tool {
        // With tools of the client's on offer, the model calls one of them or gives its answer.
        let free = !cx.request.tools.is_empty() && cx.request.tool_choice != ToolChoice::None;
        if kind != "tool" {
            (kind, name) = if free { ("any", None) } else { ("tool", Some(json_tool.clone())) };
        }
        parallel = Some(false);
    }
    if matches!(kind, "any" | "tool") && !cx.profile.forced_tools {
        cx.losses.approx(Field::ToolChoice);
        (kind, name) = ("auto", None);
    }
    if kind.is_empty() {
        return;
    }
    let name = name.map(|name| cx.tool_name(&name));
    let mut object = Writer::of_type(body.member("tool_choice"), kind);
    object.maybe_str("name", name.as_deref());
    if let Some(parallel) = parallel.filter(|_| kind != "none") {
        object.bool("disable_parallel_tool_use", !parallel);
    }
    object.end();
}

/// Writes a cache breakpoint.
pub(super) fn push_cache(object: &mut Writer<'_>, cache: &CachePoint) {
    let mut control = Writer::of_type(object.member("cache_control"), "ephemeral");
    control.maybe_str("ttl", cache.ttl.as_deref().filter(|ttl| matches!(*ttl, "5m" | "1h")));
    control.end();
}

/// The schema with an object at its root, as the wire requires.
fn rooted(schema: &RawJson, losses: &mut Losses) -> RawJson {
    let rooted = schema::rooted(schema);
    if rooted.weakened {
        losses.approx(Field::ToolSchema);
    }
    rooted.schema
}
