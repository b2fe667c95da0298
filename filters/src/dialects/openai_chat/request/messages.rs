//! A client's messages as turns.

use super::{
    super::{
        reasoning,
        wire::{Call, Function, Message, Source, Text, lenient},
    },
    content,
};
use crate::model::{
    CallKind, ErrorInfo, Family, Media, MediaClass, MediaSource, Part, PartContent, Role, Str, ToolCall, ToolResult,
    Turn,
};

/// Decodes messages: the leading instructions, and the turns.
pub(super) fn decode(messages: Vec<Message<'_>>, source: &Source) -> Result<(Vec<Part>, Vec<Turn>), ErrorInfo> {
    let mut system = Vec::new();
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    // Whether the last turn is one of results, to which the next result belongs.
    let mut in_results = false;
    for (at, message) in messages.into_iter().enumerate() {
        let role = message.role.as_ref().map(|role| role.0.clone().into_owned());
        let was_in_results = std::mem::replace(&mut in_results, false);
        match role.as_deref() {
            Some("system" | "developer") => {
                let name = name_of(&message, source);
                let parts = instructions(message, at, source)?;
                if turns.is_empty() {
                    system.extend(parts);
                } else if !parts.is_empty() {
                    turns.push(Turn { role: Role::System, parts, name });
                }
            }
            Some("user") => {
                let name = name_of(&message, source);
                let parts = user(message, at, source)?;
                turns.push(Turn { role: Role::User, parts, name });
            }
            Some("assistant") => {
                let name = name_of(&message, source);
                let parts = assistant(message, at, source)?;
                turns.push(Turn { role: Role::Assistant, parts, name });
            }
            Some(role @ ("tool" | "function")) => {
                let result =
                    if role == "tool" { tool(message, at, source)? } else { function(message, at, source, &turns)? };
                in_results = true;
                match turns.last_mut() {
                    Some(turn) if was_in_results => turn.parts.push(result),
                    _ => turns.push(Turn { role: Role::User, parts: vec![result], name: None }),
                }
            }
            other => return Err(unknown_role(at, other)),
        }
    }
    Ok((system, turns))
}

fn unknown_role(at: usize, role: Option<&str>) -> ErrorInfo {
    let given = role.map_or_else(|| "is missing".to_owned(), |role| format!("is `{role}`"));
    ErrorInfo::invalid(
        format!("messages[{at}].role"),
        format!("the role of a message {given}; use system, developer, user, assistant or tool"),
    )
}

fn name_of(message: &Message<'_>, source: &Source) -> Option<Str> {
    message.name.as_ref().filter(|name| !name.is_empty()).map(|name| source.text(name))
}

fn instructions(message: Message<'_>, at: usize, source: &Source) -> Result<Vec<Part>, ErrorInfo> {
    let cache = content::cache_point(message.cache_control.as_ref(), source);
    let mut parts = content::decode(message.content, at, source)?;
    if parts.iter().any(|part| part.as_text().is_none()) {
        return Err(ErrorInfo::invalid(
            format!("messages[{at}].content"),
            "system and developer messages hold text only; move other parts to a user message",
        ));
    }
    set_cache(&mut parts, cache);
    Ok(parts)
}

fn user(message: Message<'_>, at: usize, source: &Source) -> Result<Vec<Part>, ErrorInfo> {
    let cache = content::cache_point(message.cache_control.as_ref(), source);
    let mut parts = content::decode(message.content, at, source)?;
    set_cache(&mut parts, cache);
    Ok(parts)
}

/// A breakpoint on the message itself stands behind its last part.
fn set_cache(parts: &mut [Part], cache: Option<crate::model::CachePoint>) {
    if let (Some(last), Some(cache)) = (parts.last_mut(), cache) {
        last.cache.get_or_insert(cache);
    }
}

/// Thinking, text, refusal, calls: the order in which they were said.
fn assistant(mut message: Message<'_>, at: usize, source: &Source) -> Result<Vec<Part>, ErrorInfo> {
    let cache = content::cache_point(message.cache_control.as_ref(), source);
    let mut parts = reasoning::parts(reasoning::pieces(&message, source));
    let content = message.content.take();
    parts.extend(content::decode(content, at, source)?);
    if let Some(refusal) = message.refusal.as_ref().filter(|refusal| !refusal.is_empty()) {
        parts.push(Part::new(PartContent::Refusal(source.text(refusal))));
    }
    if let Some(id) = lenient::<AudioId<'_>>(message.audio).filter(|audio| !audio.id.is_empty()) {
        let source = MediaSource::File { family: Family::OpenAi, id: source.text(&id.id) };
        parts.push(Part::new(PartContent::Media(Media::new(MediaClass::Audio, None, source))));
    }
    if let Some(text) = parts.iter_mut().rev().find(|part| part.as_text().is_some()) {
        text.opaque.extend(reasoning::thought_signature(message.extra_content, source));
    }
    for (position, call) in message.tool_calls.iter().flatten().enumerate() {
        let call = decode_call(call, source).ok_or_else(|| {
            ErrorInfo::invalid(
                format!("messages[{at}].tool_calls[{position}]"),
                "a tool call needs `function` with a `name`, or `custom` with a `name`",
            )
        })?;
        parts.push(call);
    }
    if let Some(call) = &message.function_call {
        parts.extend(legacy_call(call, Str::from(format!("call_{at}")), source));
    }
    set_cache(&mut parts, cache);
    Ok(parts)
}

#[derive(serde::Deserialize)]
struct AudioId<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// A call of `tool_calls`, of a request or a whole response. `None` if it has no name.
pub(in super::super) fn decode_call(call: &Call<'_>, source: &Source) -> Option<Part> {
    let id = call.id.as_ref().map(|id| source.text(id)).unwrap_or_default();
    let named = |name: &Option<Text<'_>>| name.as_ref().filter(|name| !name.is_empty()).map(|name| source.text(name));
    // Snowflake writes both members and leaves one of them empty.
    let function = call.function.as_ref().and_then(|function| Some((named(&function.name)?, function)));
    let tool_call = if let Some((name, function)) = function {
        ToolCall { id, name, kind: CallKind::Function, args: arguments(function, source) }
    } else {
        let custom = call.custom.as_ref()?;
        let args = custom.input.as_ref().map(|input| source.text(input)).unwrap_or_default();
        ToolCall { id, name: named(&custom.name)?, kind: CallKind::Custom, args }
    };
    let mut part = Part::new(PartContent::ToolCall(tool_call));
    part.cache = content::cache_point(call.cache_control.as_ref(), source);
    part.opaque.extend(reasoning::thought_signature(call.extra_content, source));
    Some(part)
}

/// The call of the form that preceded `tool_calls`, which had no ids.
pub(in super::super) fn legacy_call(call: &Function<'_>, id: Str, source: &Source) -> Option<Part> {
    let name = call.name.as_ref().filter(|name| !name.is_empty())?;
    Some(Part::new(PartContent::ToolCall(ToolCall {
        id,
        name: source.text(name),
        kind: CallKind::Function,
        args: arguments(call, source),
    })))
}

/// Arguments as JSON text: nothing at all means an empty object, an object stands for its text.
fn arguments(function: &Function<'_>, source: &Source) -> Str {
    let text = match lenient::<Text<'_>>(function.arguments) {
        Some(text) => source.text(&text),
        None => function.arguments.map(|raw| source.slice(raw.get())).unwrap_or_default(),
    };
    if text.trim().is_empty() { Str::from_static("{}") } else { text }
}

fn tool(message: Message<'_>, at: usize, source: &Source) -> Result<Part, ErrorInfo> {
    let Some(call) = message.tool_call_id.as_ref().map(|id| source.text(id)) else {
        return Err(ErrorInfo::invalid(
            format!("messages[{at}].tool_call_id"),
            "a message of role `tool` needs `tool_call_id`, the id of the call that it answers",
        )
        .with_code("missing_parameter"));
    };
    let name = name_of(&message, source);
    let cache = content::cache_point(message.cache_control.as_ref(), source);
    let parts = content::decode(message.content, at, source)?;
    let result = ToolResult { call, name, parts, json: None, is_error: false };
    Ok(Part { cache, ..Part::new(PartContent::ToolResult(result)) })
}

/// A result of the form that preceded `tool`: it names the function, and answers its nearest call.
fn function(message: Message<'_>, at: usize, source: &Source, turns: &[Turn]) -> Result<Part, ErrorInfo> {
    let name = name_of(&message, source);
    let calls = turns.iter().rev().flat_map(|turn| turn.parts.iter().rev()).filter_map(|part| match &part.content {
        PartContent::ToolCall(call) => Some(call),
        _ => None,
    });
    let Some(call) = calls.into_iter().find(|call| Some(&call.name) == name.as_ref()).map(|call| call.id.clone())
    else {
        return Err(ErrorInfo::invalid(
            format!("messages[{at}].name"),
            "a message of role `function` needs the `name` of a function that an earlier message called",
        ));
    };
    let parts = content::decode(message.content, at, source)?;
    Ok(Part::new(PartContent::ToolResult(ToolResult { call, name, parts, json: None, is_error: false })))
}
