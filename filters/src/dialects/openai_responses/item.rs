//! Items as parts: what requests, whole answers and streams have in common.

use serde_json::value::RawValue;

use super::{
    citation,
    wire::{ContentPart, Item, OneOrMany, Source, Text, filled, lenient, word},
};
use crate::{
    model::{
        CallKind, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent, RawJson, Reasoning,
        ServerCall, Str, ToolCall,
    },
    openai::ids::mint_id,
};

/// Tools that the provider runs by itself, call and result in one item. The item is kept as it was written.
const SERVER_TOOLS: &[&str] = &[
    "code_interpreter_call",
    "file_search_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
    "web_search_call",
];

/// What joins the parts of a summary, and a call's namespace and name.
pub(super) const PARAGRAPH: &str = "\n\n";
const NAMESPACE: &str = "__";

/// Decodes an item of an answer other than a message. One that nobody else knows is kept as it is: an answer is never
/// lost for a new kind of item. `None` if it says nothing.
pub(super) fn decode(item: &Item<'_>, raw: &RawValue, source: &Source) -> Option<Part> {
    let kind = item.kind.as_ref().map_or("", Text::as_str);
    let content = match kind {
        "reasoning" => PartContent::Reasoning(reasoning(item, source)?),
        "function_call" | "custom_tool_call" => PartContent::ToolCall(call(item, source)?),
        "image_generation_call" if item.result.is_some() => picture(item, source).unwrap_or_else(|| own(raw, source)),
        _ if SERVER_TOOLS.contains(&kind) => PartContent::ServerCall(ServerCall {
            id: filled(item.id.as_ref(), source).unwrap_or_default(),
            tool: source.slice(kind.strip_suffix("_call").unwrap_or(kind)),
            input: source.raw(raw),
            family: Family::OpenAi,
        }),
        _ => own(raw, source),
    };
    Some(Part::new(content))
}

/// An item that only this family understands.
pub(super) fn own(raw: &RawValue, source: &Source) -> PartContent {
    PartContent::Unknown { family: Family::OpenAi, raw: source.raw(raw) }
}

/// The call in an item, if it has a name.
pub(super) fn call(item: &Item<'_>, source: &Source) -> Option<ToolCall> {
    let kind = call_kind(item)?;
    let name = filled(item.name.as_ref(), source)?;
    // A name is unique within its namespace only. Some models put a function of its own into one of the same name.
    let name = match filled(item.namespace.as_ref(), source).filter(|space| *space != name) {
        Some(space) => Str::from(format!("{space}{NAMESPACE}{name}")),
        None => name,
    };
    let args = match kind {
        CallKind::Function => arguments(item.arguments, source),
        CallKind::Custom => lenient::<Text<'_>>(item.input).map(|text| source.text(&text)).unwrap_or_default(),
    };
    let id = filled(item.call_id.as_ref(), source).or_else(|| filled(item.id.as_ref(), source));
    Some(ToolCall { id: id.unwrap_or_else(|| mint_id(&name, 0)), name, kind, args })
}

/// How an item's call is written; `None` if it is none for the client to run.
pub(super) fn call_kind(item: &Item<'_>) -> Option<CallKind> {
    match item.kind.as_ref()?.as_str() {
        "function_call" => Some(CallKind::Function),
        "custom_tool_call" => Some(CallKind::Custom),
        _ => None,
    }
}

/// Arguments as JSON text: nothing at all means an empty object, an object stands for its text.
fn arguments(raw: Option<&RawValue>, source: &Source) -> Str {
    let text = match lenient::<Text<'_>>(raw) {
        Some(text) => source.text(&text),
        None => raw.map(|raw| source.slice(raw.get())).unwrap_or_default(),
    };
    if text.trim().is_empty() { Str::from_static("{}") } else { text }
}

/// The reasoning in an item, if there is any to read or to give back.
pub(super) fn reasoning(item: &Item<'_>, source: &Source) -> Option<Reasoning> {
    let summary = texts(item.summary, PARAGRAPH, source);
    let text = if summary.is_empty() { texts(item.content, "", source) } else { summary };
    let opaque = state(item, source);
    if text.is_empty() && opaque.is_none() {
        return None;
    }
    let text = (!text.is_empty()).then_some(text);
    Some(Reasoning { text, redacted: false, opaque: opaque.into_iter().collect() })
}

/// The encrypted state of a reasoning item, which is bound to its id.
pub(super) fn state(item: &Item<'_>, source: &Source) -> Option<Opaque> {
    Some(Opaque {
        family: Family::OpenAi,
        kind: OpaqueKind::Encrypted,
        model: None,
        id: filled(item.id.as_ref(), source),
        data: filled(item.encrypted_content.as_ref(), source)?,
    })
}

/// The texts of a list of parts, joined.
fn texts(raw: Option<&RawValue>, between: &str, source: &Source) -> Str {
    let parts: Vec<ContentPart<'_>> = lenient(raw).unwrap_or_default();
    let mut texts = parts.iter().filter_map(|part| filled(part.text.as_ref(), source));
    let Some(first) = texts.next() else { return Str::new() };
    texts.fold(first, |all, text| Str::from(format!("{all}{between}{text}")))
}

fn picture(item: &Item<'_>, source: &Source) -> Option<PartContent> {
    let data = word(item.result, source)?;
    let format = lenient::<Text<'_>>(item.output_format);
    let mime = match format.as_ref().map_or("png", Text::as_str) {
        "jpeg" | "jpg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        _ => "image/png",
    };
    let source = MediaSource::Base64(data);
    Some(PartContent::Media(Media::new(MediaClass::Image, Some(Str::from_static(mime)), source)))
}

/// The content of a message: a string, or parts.
pub(super) fn content(raw: Option<&RawValue>) -> Vec<ContentPart<'_>> {
    match lenient::<OneOrMany<'_, ContentPart<'_>>>(raw) {
        Some(OneOrMany::One(text)) => {
            vec![ContentPart { kind: Some(Text("output_text".into())), text: Some(text), ..ContentPart::default() }]
        }
        Some(OneOrMany::Many(parts)) => parts,
        None => Vec::new(),
    }
}

/// What the model said in a part of a message. `None` if that is nothing.
pub(super) fn said(wire: &ContentPart<'_>, source: &Source) -> Option<Part> {
    match (wire.kind(), &wire.text, &wire.refusal) {
        ("refusal", _, Some(refusal)) if !refusal.is_empty() => {
            Some(Part::new(PartContent::Refusal(source.text(refusal))))
        }
        ("refusal", ..) => None,
        (_, Some(text), _) if !text.is_empty() => {
            let citations = citation::decode_all(wire.annotations, source);
            Some(Part { citations, ..Part::text(source.text(text)) })
        }
        _ => None,
    }
}

/// The item that a part stands for, if it was kept as this family wrote it.
pub(super) fn raw_item(part: &Part) -> Option<&RawJson> {
    match &part.content {
        PartContent::ServerCall(call) if call.family == Family::OpenAi => Some(&call.input),
        PartContent::Unknown { family: Family::OpenAi, raw } => Some(raw),
        _ => None,
    }
}
