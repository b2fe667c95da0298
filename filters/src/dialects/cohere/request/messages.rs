//! A client's messages as turns.

use super::super::{
    documents,
    response::decode_message,
    wire::{Block, Message, OneOrMany, Text},
};
use crate::model::{ErrorInfo, Media, MediaClass, MediaSource, Part, PartContent, Role, Str, ToolResult, Turn};

/// Decodes messages: the leading instructions, and the turns.
pub(super) fn decode(messages: &[Message<'_>], source: &Str) -> Result<(Vec<Part>, Vec<Turn>), ErrorInfo> {
    let mut system = Vec::new();
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    // Whether the last turn is one of results, to which the next result belongs.
    let mut in_results = false;
    for (at, message) in messages.iter().enumerate() {
        let was_in_results = std::mem::replace(&mut in_results, false);
        match message.role.as_ref().map(Text::as_str) {
            Some("system" | "developer") => {
                let parts = instructions(message, at, source)?;
                if turns.is_empty() {
                    system.extend(parts);
                } else if !parts.is_empty() {
                    turns.push(Turn { role: Role::System, parts, name: None });
                }
            }
            Some("user") => {
                let parts = content(message, at, source)?;
                turns.push(Turn { role: Role::User, parts, name: None });
            }
            Some("assistant") => {
                let parts = assistant(message, at, source)?;
                turns.push(Turn { role: Role::Assistant, parts, name: None });
            }
            Some("tool") => {
                let result = Part::new(PartContent::ToolResult(tool(message, at, source)?));
                in_results = true;
                match turns.last_mut() {
                    Some(turn) if was_in_results => turn.parts.push(result),
                    _ => turns.push(Turn { role: Role::User, parts: vec![result], name: None }),
                }
            }
            other => {
                let given = other.map_or_else(|| "is missing".to_owned(), |role| format!("is `{role}`"));
                return Err(ErrorInfo::invalid(
                    format!("/messages/{at}/role"),
                    format!("the role of a message {given}, use system, user, assistant or tool"),
                ));
            }
        }
    }
    Ok((system, turns))
}

fn instructions(message: &Message<'_>, at: usize, source: &Str) -> Result<Vec<Part>, ErrorInfo> {
    let parts = content(message, at, source)?;
    if parts.iter().any(|part| part.as_text().is_none()) {
        let message = "system messages hold text only, move other parts to a user message";
        return Err(ErrorInfo::invalid(format!("/messages/{at}/content"), message));
    }
    Ok(parts)
}

/// Thinking and words, what they cite, and calls.
fn assistant(message: &Message<'_>, at: usize, source: &Str) -> Result<Vec<Part>, ErrorInfo> {
    for (position, call) in message.tool_calls.iter().flatten().enumerate() {
        let function = call.function.as_ref().and_then(|function| function.name.as_ref());
        if call.id.as_ref().is_none_or(Text::is_empty) || function.is_none_or(Text::is_empty) {
            let message = "a tool call needs `id`, and `function` with a `name`";
            return Err(ErrorInfo::invalid(format!("/messages/{at}/tool_calls/{position}"), message));
        }
    }
    if let Some(OneOrMany::Many(blocks)) = &message.content {
        for (position, block) in blocks.iter().enumerate() {
            if block.text.is_none() && block.thinking.is_none() {
                return Err(unknown(at, position, block, "text or thinking"));
            }
        }
    }
    Ok(decode_message(message, source))
}

/// The parts of a user's or a system message.
fn content(message: &Message<'_>, at: usize, source: &Str) -> Result<Vec<Part>, ErrorInfo> {
    let blocks = match &message.content {
        None => return Ok(Vec::new()),
        Some(OneOrMany::One(text)) if text.is_empty() => return Ok(Vec::new()),
        Some(OneOrMany::One(text)) => return Ok(vec![Part::text(text.keep(source))]),
        Some(OneOrMany::Many(blocks)) => blocks,
    };
    let mut parts = Vec::with_capacity(blocks.len());
    for (position, block) in blocks.iter().enumerate() {
        match (&block.text, &block.image_url) {
            (Some(text), _) if text.is_empty() => {}
            (Some(text), _) => parts.push(Part::text(text.keep(source))),
            (None, Some(image)) => {
                let mut media = media_at(&image.url.keep(source)).map_err(|message| {
                    ErrorInfo::invalid(format!("/messages/{at}/content/{position}/image_url/url"), message)
                })?;
                media.detail = image.detail.as_ref().map(|detail| detail.keep(source));
                parts.push(Part::new(PartContent::Media(media)));
            }
            _ => return Err(unknown(at, position, block, "text or image_url")),
        }
    }
    Ok(parts)
}

fn unknown(at: usize, position: usize, block: &Block<'_>, known: &str) -> ErrorInfo {
    let kind = block.kind.as_ref().map_or("", Text::as_str);
    ErrorInfo::invalid(
        format!("/messages/{at}/content/{position}"),
        format!("a part of type `{kind}` cannot stand here as it is, use {known}"),
    )
}

/// An image at a URL; a data URL becomes what it holds.
fn media_at(url: &Str) -> Result<Media, &'static str> {
    let Some(rest) = url.strip_prefix("data:") else {
        return Ok(Media::new(MediaClass::Image, None, MediaSource::Url(url.clone())));
    };
    let parts = rest.split_once(',').and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data)));
    let (mime, data) = parts.ok_or("the data URL must be base64, write data:<media type>;base64,<data>")?;
    let mime = (!mime.is_empty()).then(|| url.slice_ref(mime));
    Ok(Media::new(MediaClass::Image, mime, MediaSource::Base64(url.slice_ref(data))))
}

fn tool(message: &Message<'_>, at: usize, source: &Str) -> Result<ToolResult, ErrorInfo> {
    let Some(call) = message.tool_call_id.as_ref().filter(|id| !id.is_empty()) else {
        let message = "a message of role `tool` needs `tool_call_id`, the id of the call that it answers";
        return Err(ErrorInfo::invalid(format!("/messages/{at}/tool_call_id"), message));
    };
    let mut result = ToolResult { call: call.keep(source), name: None, parts: Vec::new(), json: None, is_error: false };
    let blocks = match &message.content {
        None => return Ok(result),
        Some(OneOrMany::One(text)) => {
            result.parts.extend((!text.is_empty()).then(|| Part::text(text.keep(source))));
            return Ok(result);
        }
        Some(OneOrMany::Many(blocks)) => blocks,
    };
    for (position, block) in blocks.iter().enumerate() {
        let document = block.document.and_then(|raw| documents::decode(raw, source));
        match (&block.text, document) {
            (Some(text), _) => result.parts.extend((!text.is_empty()).then(|| Part::text(text.keep(source)))),
            (None, Some(media)) => match documents::error_in(&media).filter(|_| blocks.len() == 1) {
                Some(error) => {
                    result.is_error = true;
                    result.parts.push(Part::text(error));
                }
                None => result.parts.push(Part::new(PartContent::Media(media))),
            },
            _ => return Err(unknown(at, position, block, "text or document")),
        }
    }
    Ok(result)
}
