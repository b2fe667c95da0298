//! A request's parameters.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::content;
use crate::{
    json::{Object, Text, keep_raw},
    model::{ErrorInfo, Part, PartContent, Request, Role, Str, Tool, ToolChoice, Turn},
    openai::inspect::twice,
};

/// Decodes parameters.
pub(super) fn decode(parameters: &Bytes) -> Result<Request, ErrorInfo> {
    let body = Str::try_from(parameters.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let Object(members) = serde_json::from_str(&body)
        .map_err(|cause| ErrorInfo::invalid("body", format!("the parameters are not a JSON object: {cause}")))?;
    let mut request = Request { origin: Some("mcp_sampling"), ..Request::default() };
    let mut seen: Vec<&str> = Vec::new();
    for (name, raw) in &members {
        if seen.contains(&&**name) {
            return Err(twice(name));
        }
        seen.push(name);
        if raw.get() != "null" {
            member(&mut request, &body, name, raw)?;
        }
    }
    if request.turns.is_empty() {
        return Err(missing("messages", "a list of at least one message"));
    }
    match request.limits.max_output {
        None => Err(missing("maxTokens", "a whole number of 1 or more")),
        Some(0) => Err(ErrorInfo::invalid("maxTokens", "`maxTokens` must be at least 1")),
        Some(_) => Ok(request),
    }
}

fn member(request: &mut Request, body: &Str, name: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    match name {
        "messages" => request.turns = messages(body, raw)?,
        "systemPrompt" => {
            let text: Text<'_> = parse(name, raw, "a string")?;
            request.system.extend((!text.is_empty()).then(|| Part::text(text.keep(body))));
        }
        "maxTokens" => request.limits.max_output = Some(parse(name, raw, "a whole number of 1 or more")?),
        "temperature" => request.sampling.temperature = Some(parse(name, raw, "a number")?),
        "stopSequences" => {
            let stops: Vec<Text<'_>> = parse(name, raw, "a list of strings")?;
            request.limits.stop = stops.iter().filter(|stop| !stop.is_empty()).map(|stop| stop.keep(body)).collect();
        }
        "tools" => request.tools = tools(body, raw)?,
        "toolChoice" => request.tool_choice = tool_choice(raw)?,
        // Routing has read them; `_meta` is between the peers.
        "modelPreferences" | "_meta" => {}
        "includeContext" if raw.get() == "\"none\"" => {}
        _ => request.extra.push((Str::from(name), keep_raw(body, raw))),
    }
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue, what: &str) -> Result<T, ErrorInfo> {
    serde_json::from_str(raw.get())
        .map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` must be {what}: {cause}")))
}

fn missing(name: &'static str, what: &str) -> ErrorInfo {
    ErrorInfo::invalid(name, format!("`{name}` is required: {what}")).with_code("missing_parameter")
}

fn messages(body: &Str, raw: &RawValue) -> Result<Vec<Turn>, ErrorInfo> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        role: Text<'a>,
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let messages: Vec<Message<'_>> = parse("messages", raw, "a list of messages with `role` and `content`")?;
    let mut turns = Vec::with_capacity(messages.len());
    let mut open: HashSet<Str> = HashSet::new();
    for (at, message) in messages.iter().enumerate() {
        let role = match message.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => {
                let message = format!("unknown role `{other}`, expected `user` or `assistant`");
                return Err(ErrorInfo::invalid(format!("messages[{at}].role"), message));
            }
        };
        let place = format!("messages[{at}].content");
        let parts = content::decode(body, &place, message.content)?;
        check(&place, role, &parts, &mut open)?;
        if !parts.is_empty() {
            turns.push(Turn { role, parts, name: None });
        }
    }
    if open.is_empty() { Ok(turns) } else { Err(unanswered("messages")) }
}

/// The protocol's rules for calls: the very next message answers all of them, and holds nothing else.
fn check(place: &str, role: Role, parts: &[Part], open: &mut HashSet<Str>) -> Result<(), ErrorInfo> {
    let results = parts.iter().filter_map(|part| match &part.content {
        PartContent::ToolResult(result) => Some(&result.call),
        _ => None,
    });
    let results: Vec<&Str> = results.collect();
    let calls = parts.iter().filter_map(|part| match &part.content {
        PartContent::ToolCall(call) => Some(call.id.clone()),
        _ => None,
    });
    let calls: Vec<Str> = calls.collect();
    if role == Role::Assistant && !results.is_empty() || role == Role::User && !calls.is_empty() {
        let message = "a `tool_use` is the assistant's, and its `tool_result` the user's";
        return Err(ErrorInfo::invalid(place, message));
    }
    if !results.is_empty() && results.len() != parts.len() {
        let message = "Tool results mixed with other content: send them in a message of their own";
        return Err(ErrorInfo::invalid(place, message));
    }
    for result in results {
        if !open.remove(result) {
            let message = format!("the result `{result}` answers no call of the message before it");
            return Err(ErrorInfo::invalid(place, message));
        }
    }
    if !open.is_empty() {
        return Err(unanswered(place));
    }
    open.extend(calls);
    Ok(())
}

fn unanswered(place: &str) -> ErrorInfo {
    ErrorInfo::invalid(place, "Tool result missing in request: answer every `tool_use` in the message that follows it")
}

fn tools(body: &Str, raw: &RawValue) -> Result<Vec<Tool>, ErrorInfo> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WireTool<'a> {
        #[serde(borrow)]
        name: Text<'a>,
        #[serde(borrow)]
        description: Option<Text<'a>>,
        #[serde(borrow)]
        input_schema: Option<&'a RawValue>,
    }
    let tools: Vec<WireTool<'_>> = parse("tools", raw, "a list of tools with `name` and `inputSchema`")?;
    let decode = |tool: WireTool<'_>| Tool::Function {
        name: tool.name.keep(body),
        description: tool.description.map(|text| text.keep(body)),
        schema: tool.input_schema.map(|schema| keep_raw(body, schema)),
        strict: None,
        cache: None,
    };
    Ok(tools.into_iter().map(decode).collect())
}

fn tool_choice(raw: &RawValue) -> Result<ToolChoice, ErrorInfo> {
    #[derive(Deserialize)]
    struct Choice<'a> {
        #[serde(borrow)]
        mode: Option<Text<'a>>,
    }
    let choice: Choice<'_> = parse("toolChoice", raw, "an object with `mode`")?;
    match choice.mode.as_ref().map(Text::as_str) {
        None | Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required") => Ok(ToolChoice::Required),
        Some(mode) => {
            let message = format!("unknown mode `{mode}`, expected `auto`, `none` or `required`");
            Err(ErrorInfo::invalid("toolChoice.mode", message))
        }
    }
}
