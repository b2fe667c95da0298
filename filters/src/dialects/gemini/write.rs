//! Writing parts, which requests, answers and streams have in common.

use std::borrow::Cow;

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{emit, parts::CODE_EXECUTION};
use crate::{
    json::push_str,
    model::{CallKind, RawJson, ToolCall},
};

/// Appends a text part.
pub(super) fn text(out: &mut BytesMut, text: &str, thought: bool, signature: Option<&str>) {
    part(out, signature, |out| {
        emit::text(out, "text", text);
        if thought {
            emit::raw(out, "thought", "true");
        }
    });
}

/// Appends a part that `write` fills, with its signature.
pub(super) fn part(out: &mut BytesMut, signature: Option<&str>, write: impl FnOnce(&mut BytesMut)) {
    emit::item(out);
    out.extend_from_slice(b"{");
    write(out);
    emit::text_opt(out, "thoughtSignature", signature);
    out.extend_from_slice(b"}");
}

/// Appends a call. `args` must be an object: see [`arguments`].
pub(super) fn call(out: &mut BytesMut, id: Option<&str>, name: &str, args: &str, signature: Option<&str>) {
    part(out, signature, |out| {
        emit::object(out, "functionCall", |out| {
            emit::text_opt(out, "id", id);
            emit::text(out, "name", name);
            emit::raw(out, "args", args);
        });
    });
}

/// Appends inline media.
pub(super) fn inline_data(out: &mut BytesMut, mime: &str, data: &str) {
    emit::object(out, "inlineData", |out| {
        emit::text(out, "mimeType", mime);
        emit::text(out, "data", data);
    });
}

/// Appends the content of a part that Google's own tools made.
pub(super) fn server(out: &mut BytesMut, tool: &str, is_result: bool, raw: &RawJson) {
    let name = match (tool == CODE_EXECUTION, is_result) {
        (true, false) => "executableCode",
        (true, true) => "codeExecutionResult",
        (false, false) => "toolCall",
        (false, true) => "toolResponse",
    };
    emit::raw(out, name, raw.as_str());
}

/// The arguments of a call as the JSON object that Gemini wants, and whether they had to be wrapped for it.
pub(super) fn arguments(call: &ToolCall) -> (Cow<'_, str>, bool) {
    let args = call.args.trim();
    match call.kind {
        CallKind::Custom => (Cow::Owned(wrap("input", args)), false),
        CallKind::Function if args.is_empty() => (Cow::Borrowed("{}"), false),
        CallKind::Function if is_object(args) => (Cow::Borrowed(args), false),
        CallKind::Function => (Cow::Owned(wrap("_raw", args)), true),
    }
}

/// Whether `text` is one JSON object.
pub(super) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// `{"name": "text"}`.
pub(super) fn wrap(name: &str, text: &str) -> String {
    let mut out = BytesMut::with_capacity(text.len() + name.len() + 8);
    push_str(&mut out, text);
    let quoted = String::from_utf8(out.to_vec()).unwrap_or_default();
    format!("{{\"{name}\":{quoted}}}")
}

/// The media type of base64 data, told by its first bytes.
pub(super) fn sniff(data: &str) -> Option<&'static str> {
    const MAGIC: &[(&str, &str)] = &[
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi", "application/pdf"),
    ];
    MAGIC.iter().find(|(start, _)| data.starts_with(start)).map(|(_, mime)| *mime)
}
