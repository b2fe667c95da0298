//! Decodes a client's request.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{
        blocks::decode_list,
        inspect::{self, STREAM_VERB},
        wire::{self, Fault, Object, Text, WireCachePoint, keep_raw, union},
    },
    options::{self, Draft},
};
use crate::{
    dialects::CallHead,
    model::{CachePoint, ErrorInfo, Family, Part, Request, Role, Str, StreamSpec, Tool, ToolChoice, Turn},
};

/// Decodes a request. Model and form of the answer stand in the path.
pub(in super::super) fn decode(call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
    let body = Str::try_from(body.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let Object(members) = serde_json::from_str(&body)
        .map_err(|error| ErrorInfo::invalid("body", format!("the body is not a JSON object: {error}")))?;
    let mut draft = Draft::default();
    draft.request.origin = Some("bedrock_converse");
    let mut seen: Vec<&str> = Vec::new();
    for (name, raw) in &members {
        if raw.get() == "null" {
            continue;
        }
        if !member(&mut draft, &body, name, raw)? {
            draft.request.extra.push((Str::from(&**name), keep_raw(&body, raw)));
        } else if seen.contains(&&**name) {
            let message = format!("the member `{name}` stands twice in the body, send it once");
            return Err(ErrorInfo::invalid(format!("/{name}"), message));
        } else {
            seen.push(name);
        }
    }
    let mut request = draft.finish();
    request.model = call.model.filter(|model| !model.is_empty()).map(Str::from).ok_or_else(inspect::no_model)?;
    if call.verb == Some(STREAM_VERB) {
        request.stream = Some(StreamSpec { include_usage: true });
    }
    if request.turns.is_empty() {
        return Err(ErrorInfo::invalid("/messages", "`messages` is required: send at least one user message"));
    }
    Ok(request)
}

/// Takes one top-level member; gives false for one that no field holds.
fn member(draft: &mut Draft, body: &Str, name: &str, raw: &RawValue) -> Result<bool, ErrorInfo> {
    let request = &mut draft.request;
    match name {
        "system" => request.system = system(body, raw)?,
        "messages" => request.turns = messages(body, raw)?,
        "toolConfig" => tool_config(request, body, raw)?,
        _ => return options::member(draft, body, name, raw),
    }
    Ok(true)
}

/// Parses a member, with an error that names it.
pub(super) fn parse<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue) -> Result<T, ErrorInfo> {
    serde_json::from_str(raw.get())
        .map_err(|error| ErrorInfo::invalid(format!("/{name}"), format!("`{name}` cannot be read: {error}")))
}

fn faulty(at: &str, fault: Fault) -> ErrorInfo {
    ErrorInfo::invalid(format!("{at}{}", fault.at), fault.message)
}

/// The system text. A cache breakpoint at its beginning has nothing to cover.
fn system(body: &Str, raw: &RawValue) -> Result<Vec<Part>, ErrorInfo> {
    let (mut parts, _) = decode_list(body, raw).map_err(|fault| faulty("/system", fault))?;
    if let Some(at) = parts.iter().position(|part| part.as_text().is_none()) {
        return Err(ErrorInfo::invalid(format!("/system/{at}"), "`system` takes text only"));
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
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        let role = match &*message.role.0 {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            role => {
                let message = format!("unknown role `{role}`, expected `user`, `assistant` or `system`");
                return Err(ErrorInfo::invalid(format!("/messages/{at}/role"), message));
            }
        };
        let decoded = decode_list(body, message.content);
        let (parts, leading) = decoded.map_err(|fault| faulty(&format!("/messages/{at}/content"), fault))?;
        let last = turns.last_mut().and_then(|turn| turn.parts.last_mut());
        if let (Some(last), Some(point)) = (last, leading) {
            last.cache = Some(point);
        }
        turns.push(Turn { role, parts, name: None });
    }
    Ok(turns)
}

fn tool_config(request: &mut Request, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    #[derive(Deserialize)]
    struct ToolConfig<'a> {
        #[serde(borrow, default)]
        tools: Vec<&'a RawValue>,
        #[serde(borrow, rename = "toolChoice")]
        choice: Option<&'a RawValue>,
    }
    let config: ToolConfig<'_> = parse("toolConfig", raw)?;
    for (at, raw) in config.tools.into_iter().enumerate() {
        tool(&mut request.tools, body, raw).map_err(|fault| faulty(&format!("/toolConfig/tools/{at}"), fault))?;
    }
    if let Some(raw) = config.choice {
        request.tool_choice = choice(body, raw).map_err(|fault| faulty("/toolConfig/toolChoice", fault))?;
    }
    Ok(())
}

/// Takes an entry of `tools`: a tool, or a cache breakpoint behind the one before.
fn tool(tools: &mut Vec<Tool>, body: &Str, raw: &RawValue) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct ToolSpec<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
        #[serde(borrow)]
        description: Option<Text<'a>>,
        #[serde(borrow, rename = "inputSchema")]
        schema: Option<InputSchema<'a>>,
        strict: Option<bool>,
    }
    #[derive(Deserialize)]
    struct InputSchema<'a> {
        #[serde(borrow)]
        json: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct SystemTool<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }
    let (kind, value) = union(raw)?;
    let missing = || Fault::missing("name").inside(&kind);
    match &*kind {
        "toolSpec" => {
            let spec: ToolSpec<'_> = wire::parse(value)?;
            tools.push(Tool::Function {
                name: spec.name.ok_or_else(missing)?.keep(body),
                description: spec.description.map(|text| text.keep(body)),
                schema: spec.schema.and_then(|schema| schema.json).map(|schema| keep_raw(body, schema)),
                strict: spec.strict,
                cache: None,
            });
        }
        "systemTool" => {
            let tool: SystemTool<'_> = wire::parse(value)?;
            let kind = tool.name.ok_or_else(missing)?.keep(body);
            tools.push(Tool::Server { family: Family::Bedrock, kind, raw: keep_raw(body, raw) });
        }
        "cachePoint" => {
            let point: WireCachePoint<'_> = wire::parse(value)?;
            let ttl = point.ttl.map(|ttl| ttl.keep(body));
            if let Some(Tool::Function { cache, .. }) = tools.last_mut() {
                *cache = Some(CachePoint { ttl });
            }
        }
        kind => return Err(Fault::new(format!("unknown kind of tool `{kind}`, expected `toolSpec`"))),
    }
    Ok(())
}

fn choice(body: &Str, raw: &RawValue) -> Result<ToolChoice, Fault> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }
    let (kind, value) = union(raw)?;
    Ok(match &*kind {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "tool" => {
            let named: Named<'_> = wire::parse(value)?;
            let name = named.name.ok_or_else(|| Fault::missing("name").inside("tool"))?;
            ToolChoice::Named(name.keep(body))
        }
        kind => return Err(Fault::new(format!("unknown tool choice `{kind}`, expected `auto`, `any` or `tool`"))),
    })
}
