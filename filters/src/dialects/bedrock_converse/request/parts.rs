//! Writes messages: a function per kind of block.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    super::{
        formats::format_of,
        response::{own_citation, push_cited, push_input, push_redacted, push_server_call, push_thinking},
        wire::Writer,
    },
    conversation::{Message, Piece},
    encode::Cx,
};
use crate::model::{
    CachePoint, CallKind, ErrorInfo, Family, Field, Media, MediaClass, MediaSource, OpaqueKind, Part, PartContent,
    Reasoning, Role, Str, ToolCall, ToolResult,
};

/// Stands beside documents in a message that says nothing else: the service wants text there.
const SEE_DOCUMENT: &str = "See the document.";

/// Stands before the words of a result that is an error, for models that cannot be told so.
const ERROR_PREFIX: &str = "[error] ";

/// Writes `messages`.
pub(super) fn push_messages(body: &mut Writer<'_>, messages: &[Message<'_>], cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let mut list = body.list("messages");
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
        let mut content = object.list("content");
        for piece in &message.pieces {
            push_piece(&mut content, piece, cx)?;
        }
        if needs_text(message) {
            cx.losses.approx(Field::Document);
            push_text(&mut content, SEE_DOCUMENT);
        }
        content.end();
        object.end();
    }
    list.end();
    Ok(())
}

/// Whether a message has a document and no text.
fn needs_text(message: &Message<'_>) -> bool {
    let mut parts = message.pieces.iter().filter_map(Piece::part);
    let is_document = |part: &Part| matches!(&part.content, PartContent::Media(it) if it.class == MediaClass::Document);
    parts.clone().any(is_document) && !parts.any(|part| part.as_text().is_some())
}

/// Whether a part, written, can be followed by a cache breakpoint.
pub(super) fn can_cache(part: &Part) -> bool {
    part.cache.is_some()
        && match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) => !text.trim().is_empty(),
            PartContent::Media(_) | PartContent::ToolCall(_) | PartContent::ToolResult(_) => true,
            _ => false,
        }
}

/// Writes the breakpoint behind a part, if it has one.
pub(super) fn push_cache(content: &mut Writer<'_>, part: &Part, cx: &mut Cx<'_>) {
    let Some(point) = &part.cache else { return };
    if !cx.model.caches() || !can_cache(part) {
        cx.losses.drop(Field::CacheControl);
    } else if cx.breakpoint() {
        push_cache_point(content, point, cx);
    }
}

/// Writes a breakpoint. Models that know one lifetime only are not asked for another.
pub(super) fn push_cache_point(content: &mut Writer<'_>, point: &CachePoint, cx: &mut Cx<'_>) {
    let ttl = point.ttl.as_deref().filter(|ttl| matches!(*ttl, "5m" | "1h"));
    let ttl = ttl.filter(|_| cx.model.caches_tools());
    if ttl.is_none() && point.ttl.as_deref().is_some_and(|ttl| ttl != "5m") {
        cx.losses.approx(Field::CacheControl);
    }
    let mut block = Writer::object(content.element());
    let mut cache = Writer::of_type(block.member("cachePoint"), "default");
    cache.maybe_str("ttl", ttl);
    cache.end();
    block.end();
}

fn push_piece(content: &mut Writer<'_>, piece: &Piece<'_>, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    match piece {
        Piece::Unanswered { call, name } => push_unanswered(content, call, name, cx),
        piece => {
            if let Some(part) = piece.part() {
                push_part(content, part, cx)?;
                push_cache(content, part, cx);
            }
        }
    }
    Ok(())
}

fn push_part(content: &mut Writer<'_>, part: &Part, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => push_said(content, text, part),
        PartContent::Media(media) => push_media(content, media, cx)?,
        PartContent::Reasoning(reasoning) => push_reasoning(content, reasoning),
        PartContent::ToolCall(call) => push_call(content, call, cx),
        PartContent::ToolResult(result) => push_result(content, result, cx)?,
        PartContent::ServerCall(call) => push_server_call(content.element(), call),
        PartContent::ServerResult(result) => {
            content.element().extend_from_slice(result.output.as_str().as_bytes());
        }
        PartContent::Unknown { family: Family::Bedrock, raw } => {
            content.element().extend_from_slice(raw.as_str().as_bytes());
        }
        PartContent::Unknown { .. } => {
            let message = "a content part of this request does not exist at this model's provider, leave it out";
            return Err(ErrorInfo::invalid("messages", message));
        }
    }
    Ok(())
}

/// Writes a text block.
pub(super) fn push_text(content: &mut Writer<'_>, text: &str) {
    let mut block = Writer::object(content.element());
    block.str("text", text);
    block.end();
}

/// Writes text, with its sources if this service gave them: it accepts no others.
fn push_said(content: &mut Writer<'_>, text: &str, part: &Part) {
    let own = part.citations.iter().filter_map(own_citation);
    let own: Vec<&str> = own.collect();
    if own.is_empty() {
        return push_text(content, text);
    }
    push_cited(content.element(), text, |list| {
        for citation in own {
            list.element().extend_from_slice(citation.as_bytes());
        }
    });
}

fn push_reasoning(content: &mut Writer<'_>, reasoning: &Reasoning) {
    for opaque in &reasoning.opaque {
        if opaque.kind == OpaqueKind::Redacted {
            push_redacted(content.element(), &opaque.data);
        } else {
            let text = reasoning.text.as_deref().unwrap_or_default();
            push_thinking(content.element(), text, Some(&opaque.data));
        }
    }
}

fn push_call(content: &mut Writer<'_>, call: &ToolCall, cx: &mut Cx<'_>) {
    let name = cx.tool_name(&call.name);
    let id = cx.call_id(&call.id);
    let mut block = Writer::object(content.element());
    let mut object = block.nested("toolUse");
    object.str("toolUseId", &id);
    object.str("name", &name);
    if !push_input(object.member("input"), call) {
        cx.losses.approx(Field::ToolArguments);
    }
    object.end();
    block.end();
    if call.kind == CallKind::Custom {
        cx.losses.approx(Field::CustomTool);
    }
}

/// The stand-in for a result that never came.
fn push_unanswered(content: &mut Writer<'_>, call: &Str, name: &Str, cx: &mut Cx<'_>) {
    let mut block = Writer::object(content.element());
    let mut object = block.nested("toolResult");
    object.str("toolUseId", &cx.call_id(call));
    let mut list = object.list("content");
    push_text(&mut list, &format!("[no result of `{name}` recorded]"));
    list.end();
    if cx.model.takes_status() {
        object.str("status", "error");
    }
    object.end();
    block.end();
}

fn push_result(content: &mut Writer<'_>, result: &ToolResult, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    let mut block = Writer::object(content.element());
    let mut object = block.nested("toolResult");
    object.str("toolUseId", &cx.call_id(&result.call));
    let says_error = result.is_error && !cx.model.takes_status();
    let is_said = |part: &&Part| part.as_text().is_none_or(|text| !text.trim().is_empty());
    let mut list = object.list("content");
    if says_error {
        cx.losses.approx(Field::ToolError);
        push_text(&mut list, ERROR_PREFIX.trim_end());
    }
    if result.parts.iter().any(|part| is_said(&part)) {
        for part in result.parts.iter().filter(is_said) {
            push_part(&mut list, part, cx)?;
        }
    } else if let Some(json) = &result.json {
        if json.as_str().trim_start().starts_with('{') {
            let mut entry = Writer::object(list.element());
            entry.raw("json", json.as_str());
            entry.end();
        } else {
            push_text(&mut list, json.as_str());
        }
    }
    list.end();
    if result.is_error && !says_error {
        object.str("status", "error");
    }
    object.end();
    block.end();
    Ok(())
}

fn push_media(content: &mut Writer<'_>, media: &Media, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    if media.detail.is_some() {
        cx.losses.drop(Field::ImageDetail);
    }
    match media.class {
        MediaClass::Image => push_plain_media(content, "image", media),
        MediaClass::Video => push_plain_media(content, "video", media),
        MediaClass::Audio => push_plain_media(content, "audio", media),
        MediaClass::Document => push_document(content, media, cx),
    }
}

fn refused(what: &str, advice: &str) -> ErrorInfo {
    ErrorInfo::invalid("messages", format!("this model's provider takes no {what}, {advice}"))
}

fn push_plain_media(content: &mut Writer<'_>, kind: &str, media: &Media) -> Result<(), ErrorInfo> {
    let format = format_of(media.class, media.mime.as_deref());
    let mime = media.mime.as_deref().unwrap_or_default();
    let format = format.ok_or_else(|| refused(&format!("{kind} of type `{mime}`"), "convert it to a common format"))?;
    let mut block = Writer::object(content.element());
    let mut object = block.nested(kind);
    object.str("format", format);
    let mut source = object.nested("source");
    match &media.source {
        MediaSource::Base64(data) => source.str("bytes", data),
        MediaSource::Bytes(bytes) => source.str("bytes", &STANDARD.encode(bytes)),
        MediaSource::File { family: Family::Bedrock, id } => push_s3(&mut source, id),
        MediaSource::Url(url) if url.starts_with("s3://") => push_s3(&mut source, url),
        other => return Err(unreachable_source(other)),
    }
    source.end();
    object.end();
    block.end();
    Ok(())
}

fn unreachable_source(source: &MediaSource) -> ErrorInfo {
    match source {
        MediaSource::File { .. } => refused("file ids of another provider", "send the content inline"),
        MediaSource::Url(_) => refused("web addresses of media", "send the content inline as base64"),
        _ => refused("media made of text", "send the content inline as base64"),
    }
}

fn push_s3(source: &mut Writer<'_>, uri: &str) {
    let mut location = source.nested("s3Location");
    location.str("uri", uri);
    location.end();
}

/// A document made of parts that says where it is from is a search result.
fn push_document(content: &mut Writer<'_>, media: &Media, cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    if let (MediaSource::Parts(parts), None, Some(title), Some(source)) =
        (&media.source, &media.name, &media.title, &media.context)
    {
        return push_search_result(content, parts, (title, source), media, cx);
    }
    let format = match (&media.source, media.mime.as_deref()) {
        (MediaSource::Text(_) | MediaSource::Parts(_), None) => Some("txt"),
        (_, mime) => format_of(MediaClass::Document, mime),
    };
    let mime = media.mime.as_deref().unwrap_or_default();
    let format = format.ok_or_else(|| refused(&format!("documents of type `{mime}`"), "send pdf, office or text"))?;
    let (name, kept) = cx.documents.next(media);
    if !kept || (media.name.is_some() && media.title.is_some()) {
        cx.losses.approx(Field::Document);
    }
    let mut rest: &[Part] = &[];
    let mut block = Writer::object(content.element());
    let mut object = block.nested("document");
    object.str("format", format);
    object.str("name", &name);
    let mut source = object.nested("source");
    match &media.source {
        MediaSource::Base64(data) => source.str("bytes", data),
        MediaSource::Bytes(bytes) => source.str("bytes", &STANDARD.encode(bytes)),
        MediaSource::Text(text) => source.str("text", text),
        MediaSource::Parts(parts) => {
            rest = parts;
            let mut list = source.list("content");
            parts.iter().filter_map(Part::as_text).for_each(|text| push_text(&mut list, text));
            list.end();
        }
        MediaSource::File { family: Family::Bedrock, id } => push_s3(&mut source, id),
        MediaSource::Url(url) if url.starts_with("s3://") => push_s3(&mut source, url),
        other => return Err(unreachable_source(other)),
    }
    source.end();
    object.maybe_str("context", media.context.as_deref());
    push_citations_switch(&mut object, media);
    object.end();
    block.end();
    push_beside(content, rest, cx)
}

fn push_citations_switch(object: &mut Writer<'_>, media: &Media) {
    if let Some(enabled) = media.citations {
        let mut switch = object.nested("citations");
        switch.bool("enabled", enabled);
        switch.end();
    }
}

fn push_search_result(
    content: &mut Writer<'_>,
    parts: &[Part],
    (title, from): (&str, &str),
    media: &Media,
    cx: &mut Cx<'_>,
) -> Result<(), ErrorInfo> {
    let mut block = Writer::object(content.element());
    let mut object = block.nested("searchResult");
    object.str("source", from);
    object.str("title", title);
    let mut list = object.list("content");
    parts.iter().filter_map(Part::as_text).for_each(|text| push_text(&mut list, text));
    list.end();
    push_citations_switch(&mut object, media);
    object.end();
    block.end();
    push_beside(content, parts, cx)
}

/// What of a document's parts is not text stands beside it: the wire has no place for it inside.
fn push_beside(content: &mut Writer<'_>, parts: &[Part], cx: &mut Cx<'_>) -> Result<(), ErrorInfo> {
    for part in parts.iter().filter(|part| part.as_text().is_none()) {
        cx.losses.approx(Field::Document);
        push_part(content, part, cx)?;
    }
    Ok(())
}
