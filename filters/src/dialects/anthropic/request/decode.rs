//! Decodes a client's request.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{
        blocks::{self, Fault},
        wire::{CacheControl, Object, Text, keep_raw},
    },
    options::{self, Draft},
};
use crate::{
    dialects::CallHead,
    model::{ErrorInfo, Family, Part, PartContent, Request, Role, Str, StreamSpec, Tool, ToolChoice, Turn},
};

/// Members that the body has on hosts that put other things into the path; they describe the host's wire, not the
/// request.
const HOST_MEMBERS: &[&str] = &["anthropic_version"];

/// Decodes a request. The model may stand in the path.
pub(in super::super) fn decode(call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
    let body = Str::try_from(body.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let Object(members) = serde_json::from_str(&body)
        .map_err(|error| ErrorInfo::invalid("body", format!("the body is not a JSON object: {error}")))?;
    let mut draft = Draft::default();
    draft.request.origin = Some("anthropic");
    let mut seen: Vec<&str> = Vec::new();
    for (name, raw) in &members {
        if raw.get() == "null" {
            continue;
        }
        if !member(&mut draft, &body, name, raw)? {
            if !HOST_MEMBERS.contains(&&**name) {
                draft.request.extra.push((Str::from(&**name), keep_raw(&body, raw)));
            }
        } else if seen.contains(&&**name) {
            let message = format!("the member `{name}` stands twice in the body, send it once");
            return Err(ErrorInfo::invalid(format!("/{name}"), message));
        } else {
            seen.push(name);
        }
    }
    let mut request = draft.finish();
    if request.model.is_empty() {
        let model = call.model.ok_or_else(|| missing("model", "name the model that is to answer"))?;
        request.model = Str::from(model);
    }
    if !seen.contains(&"messages") {
        return Err(missing("messages", "send at least one user message"));
    }
    match request.limits.max_output {
        None => return Err(missing("max_tokens", "say how long the answer may get")),
        Some(0) => {
            let message = "`max_tokens` 0 only warms a cache, which this route's upstream does not offer";
            return Err(ErrorInfo::invalid("/max_tokens", message));
        }
        Some(_) => {}
    }
    if request.stream.is_none() && call.verb == Some("streamRawPredict") {
        request.stream = Some(StreamSpec { include_usage: true });
    }
    Ok(request)
}

/// Takes one top-level member; gives false for one that no field holds.
fn member(draft: &mut Draft, body: &Str, name: &str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    let request = &mut draft.request;
    match name {
        "model" => request.model = parse::<Text<'_>>(name, raw)?.keep(body),
        "system" => request.system = system(body, raw)?,
        "messages" => request.turns = messages(body, raw)?,
        "tools" => request.tools = tools(body, raw)?,
        "tool_choice" => tool_choice(request, body, raw)?,
        "stream" => {
            request.stream = parse::<bool>(name, raw)?.then_some(StreamSpec { include_usage: true });
        }
        _ => return options::member(draft, body, name, raw),
    }
    Ok(true)
}

/// Parses a member, with an error that names it.
pub(super) fn parse<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue) -> Result<T, ErrorInfo> {
    serde_json::from_str(raw.get())
        .map_err(|error| ErrorInfo::invalid(format!("/{name}"), format!("`{name}` cannot be read: {error}")))
}

fn missing(name: &str, advice: &str) -> ErrorInfo {
    ErrorInfo::invalid(format!("/{name}"), format!("`{name}` is required: {advice}"))
}

fn faulty(at: &str, fault: Fault) -> ErrorInfo {
    ErrorInfo::invalid(format!("{at}{}", fault.at), fault.message)
}

fn system(body: &Str, raw: &RawValue) -> Result<Vec<Part>, ErrorInfo> {
    let mut parts = blocks::decode_content(body, raw).map_err(|fault| faulty("/system", fault))?;
    let is_text = |part: &Part| matches!(part.content, PartContent::Text(_));
    if let Some(at) = parts.iter().position(|part| !is_text(part)) {
        return Err(ErrorInfo::invalid(format!("/system/{at}"), "`system` takes text blocks only"));
    }
    parts.retain(|part| part.as_text().is_some_and(|text| !text.is_empty()));
    Ok(parts)
}

fn messages(body: &Str, raw: &RawValue) -> Result<Vec<Turn>, ErrorInfo> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        role: Text<'a>,
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let messages: Vec<Message<'_>> = parse("messages", raw)?;
    if messages.is_empty() {
        return Err(missing("messages", "send at least one user message"));
    }
    let decode_at = |(at, message): (usize, Message<'_>)| {
        let role = match &*message.role.0 {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            role => {
                let message = format!("unknown role `{role}`, expected `user`, `assistant` or `system`");
                return Err(ErrorInfo::invalid(format!("/messages/{at}/role"), message));
            }
        };
        let parts = blocks::decode_content(body, message.content);
        let parts = parts.map_err(|fault| faulty(&format!("/messages/{at}/content"), fault))?;
        Ok(Turn { role, parts, name: None })
    };
    messages.into_iter().enumerate().map(decode_at).collect()
}

fn tools(body: &Str, raw: &RawValue) -> Result<Vec<Tool>, ErrorInfo> {
    #[derive(Deserialize)]
    struct WireTool<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        name: Option<Text<'a>>,
        #[serde(borrow)]
        description: Option<Text<'a>>,
        #[serde(borrow)]
        input_schema: Option<&'a RawValue>,
        strict: Option<bool>,
        #[serde(borrow)]
        cache_control: Option<CacheControl<'a>>,
    }
    let tools: Vec<&RawValue> = parse("tools", raw)?;
    let decode_at = |(at, raw): (usize, &RawValue)| {
        let tool: WireTool<'_> = parse(&format!("tools/{at}"), raw)?;
        // Built-in tools that the client runs (`bash_…`) have schemas only their family knows, so they pass whole too.
        if let Some(kind) = tool.kind.as_ref().filter(|kind| kind.0 != "custom") {
            return Ok(Tool::Server { family: Family::Anthropic, kind: kind.keep(body), raw: keep_raw(body, raw) });
        }
        let name = tool
            .name
            .ok_or_else(|| ErrorInfo::invalid(format!("/tools/{at}/name"), "`name` is required: name the tool"))?;
        Ok(Tool::Function {
            name: name.keep(body),
            description: tool.description.map(|text| text.keep(body)),
            schema: tool.input_schema.map(|schema| keep_raw(body, schema)),
            strict: tool.strict,
            cache: tool.cache_control.map(|cache| blocks::cache_point(body, &cache)),
        })
    };
    tools.into_iter().enumerate().map(decode_at).collect()
}

fn tool_choice(request: &mut Request, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct Choice<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        #[serde(borrow)]
        name: Option<Text<'a>>,
        disable_parallel_tool_use: Option<bool>,
    }
    let choice: Choice<'_> = parse("tool_choice", raw)?;
    request.tool_choice = match &*choice.kind.0 {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => {
            let name = choice.name.ok_or_else(|| {
                ErrorInfo::invalid("/tool_choice/name", "`name` is required: name the tool to be called")
            })?;
            ToolChoice::Named(name.keep(body))
        }
        kind => {
            let message = format!("unknown tool choice `{kind}`, expected `auto`, `any`, `tool` or `none`");
            return Err(ErrorInfo::invalid("/tool_choice/type", message));
        }
    };
    request.parallel_tools = choice.disable_parallel_tool_use.map(|disabled| !disabled);
    Ok(())
}
