//! Content blocks as parts: what requests and answers have in common.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Block, CacheControl, Source, Text, WireCitation, keep_raw, slice};
use crate::model::{
    CachePoint, CallKind, Citation, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent,
    Reasoning, ServerCall, ServerResult, Str, ToolCall, ToolResult,
};

/// Blocks that only this family understands; they are kept as they are.
const OWN: &[&str] = &[
    "compaction",
    "container_upload",
    "fallback",
    "mcp_tool_result",
    "mcp_tool_use",
    "mid_conv_system",
    "tool_addition",
    "tool_reference",
    "tool_removal",
];

/// What is wrong with a block, and where in it.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where, as a JSON pointer within the block.
    pub(super) at: String,
    /// What is wrong and what to do.
    pub(super) message: String,
}

impl Fault {
    fn missing(member: &str) -> Self {
        Self { at: format!("/{member}"), message: format!("`{member}` is required in this block, add it") }
    }

    fn syntax(error: &serde_json::Error) -> Self {
        Self { at: String::new(), message: format!("the content block cannot be read: {error}") }
    }

    fn inside(mut self, member: &str) -> Self {
        self.at.insert_str(0, member);
        self
    }
}

/// Decodes a content block of `body`.
pub(super) fn decode(body: &Str, raw: &RawValue) -> Result<Part, Fault> {
    let block: Block<'_> = serde_json::from_str(raw.get()).map_err(|error| Fault::syntax(&error))?;
    let content = match &*block.kind.0 {
        "text" => PartContent::Text(required(body, block.text.as_ref(), "text")?),
        "thinking" => thinking(body, &block),
        "redacted_thinking" => redacted(required(body, block.data.as_ref(), "data")?),
        "image" => PartContent::Media(media(body, &block, MediaClass::Image)?),
        "document" => PartContent::Media(media(body, &block, MediaClass::Document)?),
        "search_result" => PartContent::Media(search_result(body, &block)?),
        "tool_use" => tool_use(body, &block)?,
        "tool_result" => tool_result(body, &block)?,
        "server_tool_use" => server_call(body, &block)?,
        kind if OWN.contains(&kind) => unknown(body, raw),
        kind => match kind.strip_suffix("_tool_result") {
            Some(tool) => server_result(body, &block, Str::from(tool), raw)?,
            None => {
                return Err(Fault {
                    at: "/type".to_owned(),
                    message: format!("content blocks of type `{kind}` cannot be translated, leave the block out"),
                });
            }
        },
    };
    let mut part = Part::new(content);
    part.cache = block.cache_control.as_ref().map(|cache| cache_point(body, cache));
    match (block.citations, &mut part.content) {
        (Some(citations), PartContent::Text(_)) => part.citations = decode_citations(body, citations),
        (Some(switch), PartContent::Media(media)) => media.citations = is_on(switch),
        _ => {}
    }
    Ok(part)
}

/// Keeps a block as its family wrote it.
pub(super) fn unknown(body: &Str, raw: &RawValue) -> PartContent {
    PartContent::Unknown { family: Family::Anthropic, raw: keep_raw(body, raw) }
}

/// Decodes `content`, which is a string or a list of blocks.
pub(super) fn decode_content(body: &Str, raw: &RawValue) -> Result<Vec<Part>, Fault> {
    if raw.get().starts_with('"') {
        let text: Text<'_> = serde_json::from_str(raw.get()).map_err(|error| Fault::syntax(&error))?;
        return Ok(vec![Part::text(text.keep(body))]);
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|error| Fault {
        at: String::new(),
        message: format!("expected a string or a list of content blocks: {error}"),
    })?;
    let decode_at = |(at, raw)| decode(body, raw).map_err(|fault| fault.inside(&format!("/{at}")));
    blocks.into_iter().enumerate().map(decode_at).collect()
}

/// A cache breakpoint.
pub(super) fn cache_point(body: &Str, cache: &CacheControl<'_>) -> CachePoint {
    CachePoint { ttl: cache.ttl.as_ref().map(|ttl| ttl.keep(body)) }
}

/// A piece of this family's opaque state.
pub(super) fn own_opaque(kind: OpaqueKind, data: Str) -> Opaque {
    Opaque { family: Family::Anthropic, kind, model: None, id: None, data }
}

/// Thinking that the vendor withheld.
pub(super) fn redacted(data: Str) -> PartContent {
    let opaque = vec![own_opaque(OpaqueKind::Redacted, data)];
    PartContent::Reasoning(Reasoning { text: None, redacted: true, opaque })
}

/// Decodes one citation.
pub(super) fn decode_citation(body: &Str, raw: &RawValue) -> Option<Citation> {
    let citation: WireCitation<'_> = serde_json::from_str(raw.get()).ok()?;
    let keep = |text: Option<Text<'_>>| text.map(|text| text.keep(body));
    Some(Citation {
        span: None,
        url: keep(citation.url),
        title: keep(citation.title.or(citation.document_title)),
        quoted: keep(citation.cited_text),
        raw: Some((Family::Anthropic, keep_raw(body, raw))),
    })
}

/// The citations of a text block. On a document block the member is a switch, not a list.
fn decode_citations(body: &Str, raw: &RawValue) -> Vec<Citation> {
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    list.into_iter().filter_map(|raw| decode_citation(body, raw)).collect()
}

/// Whether a document is to be cited.
fn is_on(raw: &RawValue) -> Option<bool> {
    #[derive(Deserialize)]
    struct Switch {
        enabled: Option<bool>,
    }
    serde_json::from_str::<Switch>(raw.get()).ok()?.enabled
}

fn required(body: &Str, text: Option<&Text<'_>>, member: &str) -> Result<Str, Fault> {
    text.map(|text| text.keep(body)).ok_or_else(|| Fault::missing(member))
}

fn thinking(body: &Str, block: &Block<'_>) -> PartContent {
    let signature = block.signature.as_ref().map(|signature| signature.keep(body));
    let signature = signature.filter(|signature| !signature.is_empty());
    PartContent::Reasoning(Reasoning {
        text: block.thinking.as_ref().map(|text| text.keep(body)),
        redacted: false,
        opaque: signature.map(|data| own_opaque(OpaqueKind::Signature, data)).into_iter().collect(),
    })
}

fn tool_use(body: &Str, block: &Block<'_>) -> Result<PartContent, Fault> {
    // Some servers, and the histories that they leave, have an empty text for no arguments.
    let input = block.input.filter(|input| input.get() != "\"\"");
    Ok(PartContent::ToolCall(ToolCall {
        id: required(body, block.id.as_ref(), "id")?,
        name: required(body, block.name.as_ref(), "name")?,
        kind: CallKind::Function,
        args: input.map_or_else(|| Str::from_static("{}"), |input| slice(body, input.get())),
    }))
}

fn tool_result(body: &Str, block: &Block<'_>) -> Result<PartContent, Fault> {
    let content = block.content.map(|content| decode_content(body, content)).transpose();
    Ok(PartContent::ToolResult(ToolResult {
        call: required(body, block.tool_use_id.as_ref(), "tool_use_id")?,
        name: None,
        parts: content.map_err(|fault| fault.inside("/content"))?.unwrap_or_default(),
        json: None,
        is_error: block.is_error.unwrap_or_default(),
    }))
}

fn server_call(body: &Str, block: &Block<'_>) -> Result<PartContent, Fault> {
    let input = block.input.ok_or_else(|| Fault::missing("input"))?;
    Ok(PartContent::ServerCall(ServerCall {
        id: required(body, block.id.as_ref(), "id")?,
        tool: required(body, block.name.as_ref(), "name")?,
        input: keep_raw(body, input),
        family: Family::Anthropic,
    }))
}

/// A provider's result; its output is the whole block, because that is what goes back.
fn server_result(body: &Str, block: &Block<'_>, tool: Str, raw: &RawValue) -> Result<PartContent, Fault> {
    let id = required(body, block.tool_use_id.as_ref(), "tool_use_id")?;
    let output = keep_raw(body, raw);
    Ok(PartContent::ServerResult(ServerResult { id, tool, output, family: Family::Anthropic }))
}

fn media(body: &Str, block: &Block<'_>, class: MediaClass) -> Result<Media, Fault> {
    let raw = block.source.ok_or_else(|| Fault::missing("source"))?;
    let source: Source<'_> =
        serde_json::from_str(raw.get()).map_err(|error| Fault::syntax(&error).inside("/source"))?;
    let keep = |text: &Option<Text<'_>>, member: &str| {
        required(body, text.as_ref(), member).map_err(|fault| fault.inside("/source"))
    };
    let from = match &*source.kind.0 {
        "base64" => MediaSource::Base64(keep(&source.data, "data")?),
        "text" => MediaSource::Text(keep(&source.data, "data")?),
        "url" => MediaSource::Url(keep(&source.url, "url")?),
        "file" => MediaSource::File { family: Family::Anthropic, id: keep(&source.file_id, "file_id")? },
        "content" => {
            let content = source.content.ok_or_else(|| Fault::missing("content").inside("/source"))?;
            let parts = decode_content(body, content).map_err(|fault| fault.inside("/source/content"))?;
            MediaSource::Parts(parts)
        }
        kind => {
            let message = format!("sources of type `{kind}` cannot be translated, send the content as `base64`");
            return Err(Fault { at: "/source/type".to_owned(), message });
        }
    };
    let mut media = Media::new(class, source.media_type.map(|mime| mime.keep(body)), from);
    media.title = block.title.as_ref().map(|title| title.keep(body));
    media.context = block.context.as_ref().map(|context| context.keep(body));
    Ok(media)
}

/// A search result is a document made of parts; its source goes with it for the model to read.
fn search_result(body: &Str, block: &Block<'_>) -> Result<Media, Fault> {
    let content = block.content.ok_or_else(|| Fault::missing("content"))?;
    let parts = decode_content(body, content).map_err(|fault| fault.inside("/content"))?;
    let mut media = Media::new(MediaClass::Document, None, MediaSource::Parts(parts));
    media.title = block.title.as_ref().map(|title| title.keep(body));
    let source = block.source.and_then(|raw| serde_json::from_str::<Text<'_>>(raw.get()).ok());
    media.context = source.map(|source| source.keep(body));
    Ok(media)
}
