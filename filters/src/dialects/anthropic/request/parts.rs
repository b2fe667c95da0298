//! Writes messages: a function per kind of block.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    super::{
        response::{is_redacted, own_citation, push_input, push_redacted, push_server_call, push_thinking},
        wire::Writer,
    },
    conversation::{Message, Piece},
    encode::{Cx, call_id},
    tools::push_cache,
};
use crate::model::{
    CallKind, Citation, ErrorInfo, Family, Field, Media, MediaClass, MediaSource, Part, PartContent, Reasoning, Role,
    Str, ToolCall, ToolResult,
};

/// Image types that the vendor reads.
const IMAGES: &[&str] = &["image/jpeg", "image/png", "image/gif", "image/webp"];

/// The stand-in for a result that never came.
const NO_RESULT: &str = "[no result recorded]";

/// Writes `messages`.
pub(super) fn push_messages(body: &mut Writer<'_>, messages: &[Message<'_>], cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let mut list = Writer::array(body.member("messages"));
    for message in messages {
        let mut object = Writer::object(list.element());
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => {
                cx.beta("mid-conversation-system-2026-04-07");
                "system"
            }
        };
        object.str("role", role);
        let mut content = Writer::array(object.member("content"));
        for piece in &message.pieces {
            match piece {
                Piece::Unanswered { call, .. } => push_unanswered(&mut content, call),
                piece => {
                    if let Some(part) = piece.part() {
                        push_part(&mut content, part, cx)?;
                    }
                }
            }
        }
        content.end();
        object.end();
    }
    list.end();
    Ok(())
}

/// Whether a part, written, can carry a cache breakpoint.
pub(super) fn can_cache(part: &Part) -> bool {
    part.cache.is_some()
        && match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) => !text.trim().is_empty(),
            PartContent::Media(_) | PartContent::ToolCall(_) | PartContent::ToolResult(_) => true,
            _ => false,
        }
}

fn push_part(content: &mut Writer<'_>, part: &Part, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => push_text(content, text, part, cx),
        PartContent::Media(media) => push_media(content, media, part, cx)?,
        PartContent::Reasoning(reasoning) => push_reasoning(content, reasoning),
        PartContent::ToolCall(call) => push_call(content, call, part, cx),
        PartContent::ToolResult(result) => push_result(content, result, part, cx)?,
        PartContent::ServerCall(call) => push_server_call(content.element(), call),
        PartContent::ServerResult(result) => {
            content.element().extend_from_slice(result.output.as_str().as_bytes());
        }
        PartContent::Unknown { family: Family::Anthropic, raw } => {
            if raw.as_str().contains("\"container_upload\"") {
                cx.beta(FILES);
            }
            content.element().extend_from_slice(raw.as_str().as_bytes());
        }
        PartContent::Unknown { .. } => {
            let message = "a content part of this request does not exist at this model's provider, leave it out";
            return Err(ErrorInfo::invalid("messages", message));
        }
    }
    Ok(())
}

/// Writes a text block of `system`.
pub(super) fn push_text(content: &mut Writer<'_>, text: &str, part: &Part, cx: &mut Cx<'_>) {
    let mut block = Writer::of_type(content.element(), "text");
    block.str("text", text);
    // Only the vendor's own citations go back: others' have no index that it accepts.
    let own = part.citations.iter().filter_map(|citation| sendable(citation, cx));
    let own: Vec<&str> = own.collect();
    if !own.is_empty() {
        let mut list = Writer::array(block.member("citations"));
        for citation in own {
            list.element().extend_from_slice(citation.as_bytes());
        }
        list.end();
    }
    cache(&mut block, part, cx);
    block.end();
}

fn sendable<'c>(citation: &'c Citation, cx: &Cx<'_>) -> Option<&'c str> {
    let raw = own_citation(citation)?;
    let index = serde_json::from_str::<serde_json::Value>(raw).ok()?;
    let index = index.get("encrypted_index").and_then(|index| index.as_str());
    index.is_none_or(|index| cx.target.sealer.open(index).is_none()).then_some(raw)
}

fn cache(block: &mut Writer<'_>, part: &Part, cx: &mut Cx<'_>) {
    let Some(point) = part.cache.as_ref().filter(|_| can_cache(part)) else { return };
    if cx.breakpoints.block() {
        push_cache(block, point);
    } else {
        cx.losses.drop(Field::CacheControl);
    }
}

fn push_reasoning(content: &mut Writer<'_>, reasoning: &Reasoning) {
    for opaque in &reasoning.opaque {
        if is_redacted(opaque) {
            push_redacted(content.element(), &opaque.data);
        } else {
            push_thinking(content.element(), reasoning.text.as_deref().unwrap_or_default(), &opaque.data);
        }
    }
}

fn push_call(content: &mut Writer<'_>, call: &ToolCall, part: &Part, cx: &mut Cx<'_>) {
    let name = cx.tool_name(&call.name);
    let mut block = Writer::of_type(content.element(), "tool_use");
    block.str("id", &call_id(&call.id));
    block.str("name", &name);
    if !push_input(block.member("input"), call) {
        cx.losses.approx(Field::ToolArguments);
    }
    if call.kind == CallKind::Custom {
        cx.losses.approx(Field::CustomTool);
    }
    cache(&mut block, part, cx);
    block.end();
}

fn push_unanswered(content: &mut Writer<'_>, call: &Str) {
    let mut block = Writer::of_type(content.element(), "tool_result");
    block.str("tool_use_id", &call_id(call));
    block.str("content", NO_RESULT);
    block.bool("is_error", true);
    block.end();
}

fn push_result(content: &mut Writer<'_>, result: &ToolResult, part: &Part, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let mut block = Writer::of_type(content.element(), "tool_result");
    block.str("tool_use_id", &call_id(&result.call));
    let is_said = |part: &&Part| part.as_text().is_none_or(|text| !text.trim().is_empty());
    if result.parts.iter().any(|part| is_said(&part)) {
        let mut list = Writer::array(block.member("content"));
        for part in result.parts.iter().filter(is_said) {
            let plain = Part { cache: None, ..part.clone() };
            push_part(&mut list, &plain, cx)?;
        }
        list.end();
    } else if let Some(json) = &result.json {
        block.str("content", json.as_str());
    }
    if result.is_error {
        block.bool("is_error", true);
    }
    cache(&mut block, part, cx);
    block.end();
    Ok(())
}

/// The beta of the file store.
const FILES: &str = "files-api-2025-04-14";

fn push_media(content: &mut Writer<'_>, media: &Media, part: &Part, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let kind = match media.class {
        MediaClass::Image => "image",
        MediaClass::Document => "document",
        MediaClass::Audio => return Err(refused("audio", "send a transcript instead")),
        MediaClass::Video => return Err(refused("video", "send single images instead")),
    };
    if media.detail.is_some() {
        cx.losses.drop(Field::ImageDetail);
    }
    let mut block = Writer::of_type(content.element(), kind);
    push_source(&mut block, media, cx)?;
    if media.class == MediaClass::Document {
        block.maybe_str("title", media.title.as_deref().or(media.name.as_deref()));
        block.maybe_str("context", media.context.as_deref());
        if let Some(cited) = media.citations {
            let mut switch = block.nested("citations");
            switch.bool("enabled", cited);
            switch.end();
        }
    }
    cache(&mut block, part, cx);
    block.end();
    Ok(())
}

fn refused(what: &str, advice: &str) -> ErrorInfo {
    ErrorInfo::invalid("messages", format!("this model's provider takes no {what}, {advice}"))
}

fn push_source(block: &mut Writer<'_>, media: &Media, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    match &media.source {
        MediaSource::Base64(data) => push_inline(block, media, data)?,
        MediaSource::Bytes(bytes) => push_inline(block, media, &STANDARD.encode(bytes))?,
        MediaSource::Url(url) => {
            let mut source = Writer::of_type(block.member("source"), "url");
            source.str("url", url);
            source.end();
        }
        MediaSource::File { family: Family::Anthropic, id } => {
            cx.beta(FILES);
            let mut source = Writer::of_type(block.member("source"), "file");
            source.str("file_id", id);
            source.end();
        }
        MediaSource::File { .. } => return Err(refused("file ids of another provider", "send the content inline")),
        MediaSource::Text(text) if media.class == MediaClass::Document => push_plain(block, text),
        MediaSource::Parts(parts) if media.class == MediaClass::Document => {
            let mut source = Writer::of_type(block.member("source"), "content");
            let mut list = Writer::array(source.member("content"));
            for part in parts {
                push_part(&mut list, &Part { cache: None, ..part.clone() }, cx)?;
            }
            list.end();
            source.end();
        }
        MediaSource::Text(_) | MediaSource::Parts(_) => {
            return Err(refused("images made of text", "send the image as base64"));
        }
    }
    Ok(())
}

fn push_plain(block: &mut Writer<'_>, text: &str) {
    let mut source = Writer::of_type(block.member("source"), "text");
    source.str("media_type", "text/plain");
    source.str("data", text);
    source.end();
}

/// Content that stands in the request. Plain text documents are not sent as base64 on this wire.
fn push_inline(block: &mut Writer<'_>, media: &Media, data: &str) -> Result<(), ErrorInfo> {
    let mime = media.mime.as_deref().unwrap_or(match media.class {
        MediaClass::Document => "application/pdf",
        _ => "image/png",
    });
    // Some clients write the type that no standard knows.
    let mime = if mime == "image/jpg" { "image/jpeg" } else { mime };
    if media.class == MediaClass::Image && !IMAGES.contains(&mime) {
        return Err(refused(&format!("images of type `{mime}`"), "send jpeg, png, gif or webp"));
    }
    if media.class == MediaClass::Document && mime != "application/pdf" {
        let is_text = mime.starts_with("text/") || mime == "application/json";
        let text = STANDARD.decode(data).ok().filter(|_| is_text).and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| refused(&format!("documents of type `{mime}`"), "send pdf or text"))?;
        push_plain(block, &text);
        return Ok(());
    }
    let mut source = Writer::of_type(block.member("source"), "base64");
    source.str("media_type", mime);
    source.str("data", data);
    source.end();
    Ok(())
}
