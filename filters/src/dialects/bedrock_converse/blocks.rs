//! Content blocks as parts: what requests and answers have in common.

use serde_json::value::RawValue;

use super::{
    formats::mime_of,
    wire::{
        CitationsContent, Fault, GuardContent, MediaBlock, PlainText, ReasoningContent, SearchResult, Source, Text,
        ToolUse, WireCachePoint, WireCitation, WireResult, keep_raw, parse, slice, union,
    },
};
use crate::model::{
    CachePoint, CallKind, Citation, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent,
    RawJson, Reasoning, ServerCall, ServerResult, Str, ToolCall, ToolResult,
};

/// The `type` of a call that the service runs itself.
pub(super) const SERVER_TOOL: &str = "server_tool_use";

/// Blocks that only this family understands; they are kept as they are.
const OWN: &[&str] = &["toolAddition", "toolRemoval"];

/// Decodes a content block of `body`.
pub(super) fn decode(body: &Str, raw: &RawValue) -> Result<Part, Fault> {
    let (name, value) = union(raw)?;
    decode_named(body, &name, value, raw)
}

/// Decodes a content block whose one member is `name`.
fn decode_named(body: &Str, name: &str, value: &RawValue, raw: &RawValue) -> Result<Part, Fault> {
    let content = match name {
        "text" => PartContent::Text(parse::<Text<'_>>(value)?.keep(body)),
        "image" => media(body, value, MediaClass::Image, raw)?,
        "document" => media(body, value, MediaClass::Document, raw)?,
        "video" => media(body, value, MediaClass::Video, raw)?,
        "audio" => media(body, value, MediaClass::Audio, raw)?,
        "toolUse" => tool_use(body, value)?,
        "toolResult" => tool_result(body, value, raw)?,
        "reasoningContent" => reasoning(body, parse(value)?),
        "citationsContent" => return cited(body, parse(value)?),
        "searchResult" => PartContent::Media(search_result(body, &parse(value)?)),
        "guardContent" => guarded(body, &parse(value)?)?,
        name if OWN.contains(&name) => unknown(body, raw),
        name => {
            let message = format!("content blocks of kind `{name}` cannot be translated, leave the block out");
            return Err(Fault::new(message).inside(name));
        }
    };
    Ok(Part::new(content))
}

/// Decodes a list of content blocks. A cache breakpoint hangs on the part before it; one that stands first is given
/// back, for whatever came before the list.
pub(super) fn decode_list(body: &Str, raw: &RawValue) -> Result<(Vec<Part>, Option<CachePoint>), Fault> {
    let blocks: Vec<&RawValue> = parse(raw)?;
    let mut parts: Vec<Part> = Vec::with_capacity(blocks.len());
    let mut leading = None;
    for (at, raw) in blocks.into_iter().enumerate() {
        let here = |fault: Fault| fault.inside(&at.to_string());
        let (name, value) = union(raw).map_err(here)?;
        if name != "cachePoint" {
            parts.push(decode_named(body, &name, value, raw).map_err(here)?);
            continue;
        }
        let point: WireCachePoint<'_> = parse(value).map_err(here)?;
        let point = CachePoint { ttl: point.ttl.map(|ttl| ttl.keep(body)) };
        match parts.last_mut() {
            Some(part) => part.cache = Some(point),
            None => leading = Some(point),
        }
    }
    Ok((parts, leading))
}

/// Keeps a block as its family wrote it.
pub(super) fn unknown(body: &Str, raw: &RawValue) -> PartContent {
    PartContent::Unknown { family: Family::Bedrock, raw: keep_raw(body, raw) }
}

/// A piece of this family's opaque state.
pub(super) fn own_opaque(kind: OpaqueKind, data: Str) -> Opaque {
    Opaque { family: Family::Bedrock, kind, model: None, id: None, data }
}

/// Decodes one citation.
pub(super) fn decode_citation(body: &Str, raw: &RawValue) -> Option<Citation> {
    let citation: WireCitation<'_> = serde_json::from_str(raw.get()).ok()?;
    let keep = |text: Option<Text<'_>>| text.map(|text| text.keep(body)).filter(|text| !text.is_empty());
    let web = citation.location.and_then(|location| location.web).and_then(|web| web.url);
    // A search result's source is an address if it looks like one.
    let source = citation.source.filter(|source| source.0.starts_with("http"));
    Some(Citation {
        span: None,
        url: keep(web.or(source)),
        title: keep(citation.title),
        quoted: joined(body, &citation.quoted),
        raw: Some((Family::Bedrock, keep_raw(body, raw))),
    })
}

/// The text of a list of texts; `None` if there is none.
fn joined(body: &Str, texts: &[PlainText<'_>]) -> Option<Str> {
    match texts {
        [] => None,
        [one] => Some(one.text.keep(body)),
        many => Some(Str::from(many.iter().map(|text| text.text.as_str()).collect::<String>())),
    }
}

fn required(body: &Str, text: Option<&Text<'_>>, member: &str) -> Result<Str, Fault> {
    text.map(|text| text.keep(body)).ok_or_else(|| Fault::missing(member))
}

fn cited(body: &Str, wire: CitationsContent<'_>) -> Result<Part, Fault> {
    let mut part = Part::new(PartContent::Text(joined(body, &wire.content).unwrap_or_default()));
    part.citations = wire.citations.into_iter().filter_map(|raw| decode_citation(body, raw)).collect();
    Ok(part)
}

/// What guardrails are to look at is content like any other.
fn guarded(body: &Str, wire: &GuardContent<'_>) -> Result<PartContent, Fault> {
    match (&wire.text, wire.image) {
        (Some(text), _) => Ok(PartContent::Text(text.text.keep(body))),
        (None, Some(image)) => media(body, image, MediaClass::Image, image),
        (None, None) => Err(Fault::missing("text").inside("guardContent")),
    }
}

fn reasoning(body: &Str, wire: ReasoningContent<'_>) -> PartContent {
    if let Some(data) = wire.redacted {
        let opaque = vec![own_opaque(OpaqueKind::Redacted, data.keep(body))];
        return PartContent::Reasoning(Reasoning { text: None, redacted: true, opaque });
    }
    let whole = wire.whole;
    let (text, signature) = whole.map_or((None, None), |whole| (whole.text, whole.signature));
    let signature = signature.map(|signature| signature.keep(body)).filter(|signature| !signature.is_empty());
    PartContent::Reasoning(Reasoning {
        text: text.map(|text| text.keep(body)),
        redacted: false,
        opaque: signature.map(|data| own_opaque(OpaqueKind::Signature, data)).into_iter().collect(),
    })
}

fn tool_use(body: &Str, value: &RawValue) -> Result<PartContent, Fault> {
    let call: ToolUse<'_> = parse(value)?;
    let missing = |fault: Fault| fault.inside("toolUse");
    let id = required(body, call.id.as_ref(), "toolUseId").map_err(missing)?;
    let name = required(body, call.name.as_ref(), "name").map_err(missing)?;
    if call.kind.is_some_and(|kind| kind.0 == SERVER_TOOL) {
        let empty = || RawJson::from_checked(Str::from_static("{}"));
        let input = call.input.map_or_else(empty, |input| keep_raw(body, input));
        return Ok(PartContent::ServerCall(ServerCall { id, tool: name, input, family: Family::Bedrock }));
    }
    // Some histories have an empty text for no arguments.
    let input = call.input.filter(|input| input.get() != "\"\"");
    let args = input.map_or_else(|| Str::from_static("{}"), |input| slice(body, input.get()));
    Ok(PartContent::ToolCall(ToolCall { id, name, kind: CallKind::Function, args }))
}

/// A result of the client's; one that has a type is the service's own, whose output is the whole block.
fn tool_result(body: &Str, value: &RawValue, raw: &RawValue) -> Result<PartContent, Fault> {
    let wire: WireResult<'_> = parse(value)?;
    let inside = |fault: Fault| fault.inside("toolResult");
    let call = required(body, wire.id.as_ref(), "toolUseId").map_err(inside)?;
    if let Some(kind) = &wire.kind {
        let tool = kind.0.strip_suffix("_result").unwrap_or(&kind.0);
        let output = keep_raw(body, raw);
        let result = ServerResult { id: call, tool: Str::from(tool), output, family: Family::Bedrock };
        return Ok(PartContent::ServerResult(result));
    }
    let is_error = wire.status.is_some_and(|status| status.0 == "error");
    let mut result = ToolResult { call, name: None, parts: Vec::new(), json: None, is_error };
    if let [only] = wire.content[..] {
        let (name, value) = union(only).map_err(|fault| fault.inside("content/0").inside("toolResult"))?;
        if name == "json" {
            result.json = Some(keep_raw(body, value));
            return Ok(PartContent::ToolResult(result));
        }
    }
    for (at, raw) in wire.content.into_iter().enumerate() {
        let part = result_part(body, raw).map_err(|fault| fault.inside(&format!("toolResult/content/{at}")))?;
        result.parts.push(part);
    }
    Ok(PartContent::ToolResult(result))
}

/// A block of a result. JSON beside other blocks is text to whoever reads it.
fn result_part(body: &Str, raw: &RawValue) -> Result<Part, Fault> {
    let (name, value) = union(raw)?;
    if name == "json" {
        return Ok(Part::new(PartContent::Text(slice(body, value.get()))));
    }
    match decode_named(body, &name, value, raw)? {
        part if matches!(part.content, PartContent::Text(_) | PartContent::Media(_)) => Ok(part),
        _ => Err(Fault::new(format!("a tool result takes no `{name}`, send text, JSON or media")).inside(&name)),
    }
}

/// Decodes media. A file of a bucket that the block says the owner of is kept as it is: nobody else can read it.
fn media(body: &Str, value: &RawValue, class: MediaClass, raw: &RawValue) -> Result<PartContent, Fault> {
    let block: MediaBlock<'_> = parse(value)?;
    let name = match class {
        MediaClass::Image => "image",
        MediaClass::Document => "document",
        MediaClass::Video => "video",
        MediaClass::Audio => "audio",
    };
    let source = block.source.ok_or_else(|| Fault::missing("source").inside(name))?;
    if source.s3.as_ref().is_some_and(|s3| s3.owner.is_some()) {
        return Ok(unknown(body, raw));
    }
    let mime = block.format.as_ref().map(|format| match mime_of(class, &format.0) {
        Some(mime) => Str::from_static(mime),
        None => Str::from(format!("{name}/{}", format.0)),
    });
    let from = source_of(body, source).map_err(|fault| fault.inside("source").inside(name))?;
    let mut media = Media::new(class, mime, from);
    media.name = block.name.map(|name| name.keep(body));
    media.context = block.context.map(|context| context.keep(body));
    media.citations = block.citations.map(|citations| citations.enabled);
    Ok(PartContent::Media(media))
}

fn source_of(body: &Str, source: Source<'_>) -> Result<MediaSource, Fault> {
    if let Some(bytes) = source.bytes {
        return Ok(MediaSource::Base64(bytes.keep(body)));
    }
    if let Some(text) = source.text {
        return Ok(MediaSource::Text(text.keep(body)));
    }
    if let Some(content) = source.content {
        return Ok(MediaSource::Parts(texts(body, &content)));
    }
    let s3 = source.s3.ok_or_else(|| Fault::missing("bytes"))?;
    Ok(MediaSource::File { family: Family::Bedrock, id: s3.uri.keep(body) })
}

fn texts(body: &Str, texts: &[PlainText<'_>]) -> Vec<Part> {
    texts.iter().map(|text| Part::text(text.text.keep(body))).collect()
}

/// A search result is a document made of parts; its source goes with it for the model to read.
fn search_result(body: &Str, wire: &SearchResult<'_>) -> Media {
    let mut media = Media::new(MediaClass::Document, None, MediaSource::Parts(texts(body, &wire.content)));
    media.title = wire.title.as_ref().map(|title| title.keep(body));
    media.context = wire.source.as_ref().map(|source| source.keep(body));
    media.citations = wire.citations.as_ref().map(|citations| citations.enabled);
    media
}
