//! Content blocks as parts.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    json::{Text, keep_raw, slice},
    model::{
        CallKind, ErrorInfo, Media, MediaClass, MediaSource, Part, PartContent, RawJson, Str, ToolCall, ToolResult,
    },
    openai::wire::lenient,
    seal,
};

/// The member of `_meta` that carries state back to its vendor.
pub(super) const OPAQUE: &str = "lockgate/opaque";

/// A block of any kind. Members that a kind does not have are absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_id: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    structured_content: Option<&'a RawValue>,
    is_error: Option<bool>,
    #[serde(borrow)]
    uri: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

/// A resource that stands in a block.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(borrow)]
    uri: Option<Text<'a>>,
    #[serde(borrow)]
    mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    blob: Option<Text<'a>>,
}

/// Decodes a message's or a result's content: a string, one block, or a list of blocks. Empty texts are left out.
pub(super) fn decode(body: &Str, at: &str, raw: &RawValue) -> Result<Vec<Part>, ErrorInfo> {
    if let Some(text) = lenient::<Text<'_>>(Some(raw)) {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Part::text(text.keep(body))] });
    }
    if raw.get().starts_with('{') {
        return Ok(decode_block(body, at, raw)?.into_iter().collect());
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|cause| ErrorInfo::invalid(at, format!("`{at}` must be a block or a list of blocks: {cause}")))?;
    let mut parts = Vec::with_capacity(blocks.len());
    for (index, raw) in blocks.into_iter().enumerate() {
        parts.extend(decode_block(body, &format!("{at}[{index}]"), raw)?);
    }
    Ok(parts)
}

fn decode_block(body: &Str, at: &str, raw: &RawValue) -> Result<Option<Part>, ErrorInfo> {
    let block: Block<'_> = serde_json::from_str(raw.get())
        .map_err(|cause| ErrorInfo::invalid(at, format!("`{at}` cannot be read as a content block: {cause}")))?;
    let part = match block.kind.as_str() {
        "text" => Part::text(required(body, at, "text", block.text.as_ref())?),
        "image" => media(body, at, &block, MediaClass::Image)?,
        "audio" => media(body, at, &block, MediaClass::Audio)?,
        "tool_use" => tool_use(body, at, &block)?,
        "tool_result" => tool_result(body, at, &block)?,
        "resource" => resource(body, at, &block)?,
        "resource_link" => link(at, &block)?,
        kind => {
            let message = format!("blocks of type `{kind}` cannot be translated, leave the block out");
            return Err(ErrorInfo::invalid(format!("{at}.type"), message));
        }
    };
    Ok(part.as_text().is_none_or(|text| !text.is_empty()).then_some(part))
}

fn required(body: &Str, at: &str, member: &str, text: Option<&Text<'_>>) -> Result<Str, ErrorInfo> {
    text.map(|text| text.keep(body)).ok_or_else(|| {
        ErrorInfo::invalid(format!("{at}.{member}"), format!("`{member}` is required in this block, a string"))
    })
}

fn media(body: &Str, at: &str, block: &Block<'_>, class: MediaClass) -> Result<Part, ErrorInfo> {
    let data = required(body, at, "data", block.data.as_ref())?;
    let mime = required(body, at, "mimeType", block.mime_type.as_ref())?;
    Ok(Part::new(PartContent::Media(Media::new(class, Some(mime), MediaSource::Base64(data)))))
}

fn tool_use(body: &Str, at: &str, block: &Block<'_>) -> Result<Part, ErrorInfo> {
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "lockgate/opaque")]
        sealed: Option<Vec<Text<'a>>>,
    }
    let call = ToolCall {
        id: required(body, at, "id", block.id.as_ref())?,
        name: required(body, at, "name", block.name.as_ref())?,
        kind: CallKind::Function,
        args: block.input.map_or_else(|| Str::from_static("{}"), |input| slice(body, input.get())),
    };
    let mut part = Part::new(PartContent::ToolCall(call));
    let sealed = lenient::<Meta<'_>>(block.meta).and_then(|meta| meta.sealed).unwrap_or_default();
    part.opaque = sealed.iter().map(|envelope| seal::unopened(envelope.keep(body))).collect();
    Ok(part)
}

fn tool_result(body: &Str, at: &str, block: &Block<'_>) -> Result<Part, ErrorInfo> {
    let content = block.content.map(|content| decode(body, &format!("{at}.content"), content)).transpose()?;
    let mut parts = content.unwrap_or_default();
    let structured = block.structured_content.filter(|json| json.get() != "null");
    let json = structured.and_then(|json| structured_result(&mut parts, keep_raw(body, json)));
    Ok(Part::new(PartContent::ToolResult(ToolResult {
        call: required(body, at, "toolUseId", block.tool_use_id.as_ref())?,
        name: None,
        parts,
        json,
        is_error: block.is_error.unwrap_or_default(),
    })))
}

/// A structured result beside the content. The content should say the same; where it does not, the structure is said
/// too, because a dialect that has a place for it would tell the model that alone.
fn structured_result(parts: &mut Vec<Part>, json: RawJson) -> Option<RawJson> {
    let value = json.to_value();
    let same = |part: &Part| {
        part.as_text().is_some_and(|text| serde_json::from_str(text).is_ok_and(|said: Value| said == value))
    };
    match &parts[..] {
        [] => parts.push(Part::text(json.text().clone())),
        [only] if same(only) => {}
        _ => {
            if !parts.iter().any(same) {
                parts.push(Part::text(json.text().clone()));
            }
            return None;
        }
    }
    value.is_object().then_some(json)
}

/// A resource that came along: its text, or a medium of the class that its type says.
fn resource(body: &Str, at: &str, block: &Block<'_>) -> Result<Part, ErrorInfo> {
    let at = format!("{at}.resource");
    let missing = || ErrorInfo::invalid(&*at, "`resource` needs `text` or `blob`");
    let resource = block.resource.as_ref().ok_or_else(missing)?;
    if let Some(text) = &resource.text {
        return Ok(Part::text(text.keep(body)));
    }
    let data = resource.blob.as_ref().ok_or_else(missing)?.keep(body);
    let mime = resource.mime_type.as_ref().map(|mime| mime.keep(body));
    let class = match mime.as_deref().and_then(|mime| mime.split('/').next()) {
        Some("image") => MediaClass::Image,
        Some("audio") => MediaClass::Audio,
        Some("video") => MediaClass::Video,
        _ => MediaClass::Document,
    };
    let mut media = Media::new(class, mime, MediaSource::Base64(data));
    media.name = resource.uri.as_ref().map(|uri| uri.keep(body));
    Ok(Part::new(PartContent::Media(media)))
}

/// A resource that is elsewhere, in words: nobody here can fetch it.
fn link(at: &str, block: &Block<'_>) -> Result<Part, ErrorInfo> {
    let missing = || ErrorInfo::invalid(format!("{at}.uri"), "`uri` is required in this block, a string");
    let uri = block.uri.as_ref().ok_or_else(missing)?;
    let name = block.name.as_ref().map_or("resource", Text::as_str);
    let about = block.description.as_ref().map(|text| format!(": {}", text.as_str())).unwrap_or_default();
    Ok(Part::text(format!("[{name} <{}>{about}]", uri.as_str())))
}
