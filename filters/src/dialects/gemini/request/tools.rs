//! Tools, and which of them to call, both ways.

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{
    decode::{keep_rest, parse, text},
    encode::Job,
};
use crate::dialects::gemini::{
    emit,
    parts::raw_json,
    wire::{Pairs, Word, list},
};
use crate::{
    json::push_str,
    model::{ErrorInfo, Family, Field, RawJson, Request, Str, Tool, ToolChoice},
    schema::{SchemaTarget, fit, from_openapi},
};

/// Reads `tools`.
pub(super) fn decode(whole: &Str, raw: &RawValue) -> Result<Vec<Tool>, ErrorInfo> {
    let mut tools = Vec::new();
    let problem = |problem| ErrorInfo::invalid("/tools", format!("`/tools` cannot be read: {problem}"));
    for (at, raw) in list(Some(raw)).map_err(problem)?.into_iter().enumerate() {
        let pointer = format!("/tools/{at}");
        let tool: Pairs<'_> = parse(&pointer, raw.get())?;
        for (kind, raw) in tool.0.iter().filter(|(_, raw)| raw.get() != "null") {
            if kind == "functionDeclarations" {
                let pointer = format!("{pointer}/functionDeclarations");
                for (at, raw) in list(Some(raw)).map_err(problem)?.into_iter().enumerate() {
                    tools.push(function(&format!("{pointer}/{at}"), whole, raw)?);
                }
            } else {
                let kind = Str::from(kind.as_ref());
                tools.push(Tool::Server { family: Family::Gemini, kind, raw: raw_json(whole, raw) });
            }
        }
    }
    Ok(tools)
}

fn function(pointer: &str, whole: &Str, raw: &RawValue) -> Result<Tool, ErrorInfo> {
    let members: Pairs<'_> = parse(pointer, raw.get())?;
    let Some(name) = members.get("name") else {
        return Err(ErrorInfo::invalid(format!("{pointer}/name"), "a function needs a name"));
    };
    let description = members.get("description").map(|raw| text(&format!("{pointer}/description"), whole, raw));
    let schema = match (members.get("parametersJsonSchema"), members.get("parameters")) {
        (Some(raw), _) => Some(raw_json(whole, raw)),
        (None, Some(raw)) => Some(from_openapi(&raw_json(whole, raw))),
        (None, None) => None,
    };
    let name = text(&format!("{pointer}/name"), whole, name)?;
    Ok(Tool::Function { name, description: description.transpose()?, schema, strict: None, cache: None })
}

/// Reads `toolConfig`.
pub(super) fn decode_config(request: &mut Request, whole: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let config: Pairs<'_> = parse("/toolConfig", raw.get())?;
    let mut rest = Vec::new();
    for (name, raw) in config.0.iter().filter(|(_, raw)| raw.get() != "null") {
        if name == "functionCallingConfig" {
            calling(request, whole, raw)?;
        } else {
            rest.push((name.as_ref(), *raw));
        }
    }
    keep_rest(request, "toolConfig", rest);
    Ok(())
}

fn calling(request: &mut Request, whole: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let pointer = "/toolConfig/functionCallingConfig";
    let config: Pairs<'_> = parse(pointer, raw.get())?;
    let mode = config.get("mode").map(|raw| parse::<Word<'_>>(&format!("{pointer}/mode"), raw.get())).transpose()?;
    let mut names = Vec::new();
    let pointer = format!("{pointer}/allowedFunctionNames");
    let listed = list(config.get("allowedFunctionNames"));
    for raw in listed.map_err(|_| ErrorInfo::invalid(pointer.clone(), "a list of names is expected"))? {
        names.push(text(&pointer, whole, raw)?);
    }
    let mode = match &mode {
        None => "MODE_UNSPECIFIED",
        Some(Word::Number(number)) => {
            let modes = ["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"];
            usize::try_from(*number).ok().and_then(|at| modes.get(at)).copied().unwrap_or("MODE_UNSPECIFIED")
        }
        Some(Word::Name(name)) => name.as_ref(),
    };
    request.tool_choice = match mode.to_ascii_uppercase().as_str() {
        "NONE" => ToolChoice::None,
        "ANY" if names.len() == 1 => ToolChoice::Named(names.swap_remove(0)),
        "ANY" if names.is_empty() => ToolChoice::Required,
        "ANY" => ToolChoice::Allowed { names, required: true },
        "AUTO" | "VALIDATED" if !names.is_empty() => ToolChoice::Allowed { names, required: false },
        "AUTO" => ToolChoice::Auto,
        "VALIDATED" => ToolChoice::Auto,
        "MODE_UNSPECIFIED" | "" => ToolChoice::Unset,
        other => {
            let message = format!("unknown mode `{other}`, use AUTO, ANY, NONE or VALIDATED");
            return Err(ErrorInfo::invalid("/toolConfig/functionCallingConfig/mode", message));
        }
    };
    if mode.eq_ignore_ascii_case("VALIDATED") {
        for tool in &mut request.tools {
            if let Tool::Function { strict, .. } = tool {
                *strict = Some(true);
            }
        }
    }
    Ok(())
}

/// Appends `tools` and `toolConfig`.
pub(super) fn encode(out: &mut BytesMut, job: &mut Job<'_>) -> Result<(), ErrorInfo> {
    let offered = offered(job.request);
    let has_functions = offered.iter().any(|tool| !is_server(tool));
    let mixed = has_functions && offered.iter().any(|tool| is_server(tool));
    if mixed && !job.profile.modern && job.request.origin != Some("gemini") {
        let message = "this model cannot use functions and tools of the provider in one request, send one of the two";
        return Err(ErrorInfo::invalid("tools", message));
    }
    if offered.is_empty() {
        if let Some(kept) = job.kept("toolConfig") {
            emit::object(out, "toolConfig", |out| splat(out, &kept));
        }
        return Ok(());
    }
    emit::key(out, "tools");
    out.extend_from_slice(b"[");
    // All functions stand in one element, where the first of them stood.
    let mut declared = false;
    for tool in &offered {
        if let Tool::Server { family, kind, raw } = tool {
            let (kind, raw) = server_tool(job, *family, kind, raw)?;
            emit::item(out);
            out.extend_from_slice(b"{");
            push_str(out, &kind);
            out.extend_from_slice(b":");
            out.extend_from_slice(raw.as_str().as_bytes());
            out.extend_from_slice(b"}");
        } else if !std::mem::replace(&mut declared, true) {
            emit::item(out);
            out.extend_from_slice(b"{\"functionDeclarations\":[");
            for tool in &offered {
                declare(out, job, tool);
            }
            out.extend_from_slice(b"]}");
        }
    }
    out.extend_from_slice(b"]");
    encode_config(out, job, &offered, mixed);
    Ok(())
}

fn is_server(tool: &Tool) -> bool {
    matches!(tool, Tool::Server { .. })
}

/// The tools that the model may see: an optional choice among some is a shorter list.
fn offered(request: &Request) -> Vec<&Tool> {
    let allowed = |tool: &&Tool| match (&request.tool_choice, tool) {
        (ToolChoice::Allowed { names, required: false }, Tool::Function { name, .. } | Tool::Custom { name, .. }) => {
            names.contains(name)
        }
        _ => true,
    };
    request.tools.iter().filter(allowed).collect()
}

/// A tool that Google runs: its own as it is, the likes of it by kind.
fn server_tool(job: &mut Job<'_>, family: Family, kind: &Str, raw: &RawJson) -> Result<(Str, RawJson), ErrorInfo> {
    if family == Family::Gemini {
        return Ok((kind.clone(), raw.clone()));
    }
    let own = [
        ("web_search", "googleSearch"),
        ("code_execution", "codeExecution"),
        ("code_interpreter", "codeExecution"),
        ("web_fetch", "urlContext"),
    ];
    let Some((_, own)) = own.iter().find(|(of, _)| kind.starts_with(of)) else {
        let message = format!("the upstream has no tool like `{kind}`, leave it out or use a model of its provider");
        return Err(ErrorInfo::invalid("tools", message));
    };
    job.losses.approx(Field::ServerTool);
    Ok((Str::from_static(own), RawJson::from_checked(Str::from_static("{}"))))
}

fn declare(out: &mut BytesMut, job: &mut Job<'_>, tool: &Tool) {
    match tool {
        Tool::Function { name, description, schema, .. } => {
            emit::item(out);
            out.extend_from_slice(b"{");
            emit::text(out, "name", &job.tool_name(name));
            emit::text_opt(out, "description", description.as_deref());
            if let Some(schema) = schema.as_ref().filter(|schema| takes_arguments(schema)) {
                let (key, target) = if job.profile.json_schema {
                    ("parametersJsonSchema", SchemaTarget::GeminiJson)
                } else {
                    ("parameters", SchemaTarget::GeminiOpenApi)
                };
                let fitted = fit(schema, target);
                if fitted.weakened {
                    job.losses.approx(Field::ToolSchema);
                }
                emit::raw(out, key, fitted.schema.as_str());
            }
            out.extend_from_slice(b"}");
        }
        Tool::Custom { name, description, format } => {
            job.losses.approx(Field::CustomTool);
            emit::item(out);
            out.extend_from_slice(b"{");
            emit::text(out, "name", &job.tool_name(name));
            emit::text_opt(out, "description", description.as_deref());
            emit::object(out, "parameters", |out| {
                emit::text(out, "type", "object");
                emit::object(out, "properties", |out| {
                    emit::object(out, "input", |out| {
                        emit::text(out, "type", "string");
                        emit::text_opt(out, "description", format.as_ref().map(RawJson::as_str));
                    });
                });
                emit::texts(out, "required", ["input"]);
            });
            out.extend_from_slice(b"}");
        }
        Tool::Server { .. } => {}
    }
}

/// A schema without properties is left out: some models refuse an empty one.
fn takes_arguments(schema: &RawJson) -> bool {
    let Ok(members) = serde_json::from_str::<Pairs<'_>>(schema.as_str()) else { return false };
    let composed = ["$ref", "anyOf", "oneOf", "allOf", "additionalProperties", "patternProperties"];
    let properties = members.get("properties").is_some_and(|raw| raw.get().trim_start_matches(['{', ' ']) != "}");
    properties || members.0.iter().any(|(name, raw)| composed.contains(&name.as_ref()) && raw.get() != "false")
}

fn encode_config(out: &mut BytesMut, job: &mut Job<'_>, offered: &[&Tool], mixed: bool) {
    let strict = offered.iter().any(|tool| matches!(tool, Tool::Function { strict: Some(true), .. }));
    let auto = if strict { "VALIDATED" } else { "AUTO" };
    let mut names: Vec<Str> = Vec::new();
    let mode = match &job.request.tool_choice {
        ToolChoice::Unset if !strict => None,
        ToolChoice::Unset | ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => Some(auto),
        ToolChoice::None => Some("NONE"),
        ToolChoice::Required => Some("ANY"),
        ToolChoice::Named(name) => {
            names.push(job.tool_name(name));
            Some("ANY")
        }
        ToolChoice::Allowed { names: allowed, .. } => {
            names.extend(allowed.iter().map(|name| job.tool_name(name)));
            Some("ANY")
        }
    };
    if job.request.parallel_tools == Some(false) {
        job.losses.approx(Field::ParallelTools);
    }
    let rest = job.kept("toolConfig");
    let server_side = mixed && rest.is_none() && job.request.origin != Some("gemini") && !job.is_vertex();
    emit::object(out, "toolConfig", |out| {
        if let Some(mode) = mode {
            emit::object(out, "functionCallingConfig", |out| {
                emit::text(out, "mode", mode);
                emit::texts(out, "allowedFunctionNames", names.iter().map(|name| &**name));
            });
        }
        if server_side {
            emit::raw(out, "includeServerSideToolInvocations", "true");
        }
        if let Some(rest) = rest {
            splat(out, &rest);
        }
    });
}

/// Appends the members of an object.
pub(super) fn splat(out: &mut BytesMut, object: &RawJson) {
    let members: Pairs<'_> = serde_json::from_str(object.as_str()).unwrap_or_default();
    for (name, raw) in members.0 {
        emit::item(out);
        push_str(out, &name);
        out.extend_from_slice(b":");
        out.extend_from_slice(raw.get().as_bytes());
    }
}
