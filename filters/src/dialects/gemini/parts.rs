//! Reading parts, which requests, answers and streams have in common.

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::wire::{self, Pairs, Text, lend_opt, slice};
use crate::model::{
    CallKind, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent, RawJson, Reasoning,
    ServerCall, ServerResult, Str, ToolCall,
};

/// The name in the model of the code that Gemini runs itself.
pub(super) const CODE_EXECUTION: &str = "code_execution";

/// Hands out ids for calls that have none. The same message gives the same ids, so that a replay pairs again.
#[derive(Debug, Default)]
pub(super) struct Mint {
    seed: Str,
    count: u64,
    /// The id of the last code run, which its result has to name.
    code: Str,
}

impl Mint {
    /// A mint whose ids depend on `seed` and their number.
    pub(super) fn new(seed: Str) -> Self {
        Self { seed, ..Self::default() }
    }

    /// A new id.
    pub(super) fn id(&mut self) -> Str {
        self.count += 1;
        let hash = Sha256::new().chain_update(self.seed.as_bytes()).chain_update(self.count.to_le_bytes()).finalize();
        let (number, _) = hash.split_at(8);
        let number = number.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Str::from(format!("call_{number:016x}"))
    }

    fn or_new(&mut self, whole: &Str, id: Option<&Text<'_>>) -> Str {
        match id {
            Some(id) if !id.0.is_empty() => slice(whole, &id.0),
            _ => self.id(),
        }
    }
}

/// The signature of a part, if it has one.
pub(super) fn signature(whole: &Str, part: &wire::Part<'_>) -> Option<Opaque> {
    let data = lend_opt(whole, part.thought_signature.as_ref()).filter(|data| !data.is_empty())?;
    // SDKs write base64 in the URL alphabet; ours to open is in the standard one.
    let data = if data.starts_with("TEcx") { standard_base64(&data) } else { data };
    Some(Opaque { family: Family::Gemini, kind: OpaqueKind::ThoughtSignature, model: None, id: None, data })
}

/// Base64 in the standard alphabet, padded.
pub(super) fn standard_base64(data: &Str) -> Str {
    if memchr::memchr2(b'-', b'_', data.as_bytes()).is_none() && data.len().is_multiple_of(4) {
        return data.clone();
    }
    let mut text = data.replace('-', "+").replace('_', "/");
    text.truncate(text.trim_end_matches('=').len());
    text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
    Str::from(text)
}

/// Decodes a part that is no function response; `None` for kinds that nobody knows. Text may be empty.
pub(super) fn decode(whole: &Str, raw: &RawValue, part: &wire::Part<'_>, mint: &mut Mint) -> Option<Part> {
    let content = content(whole, raw, part, mint)?;
    let mut decoded = Part::new(content);
    if let Some(opaque) = signature(whole, part) {
        match &mut decoded.content {
            PartContent::Reasoning(reasoning) => reasoning.opaque.push(opaque),
            _ => decoded.opaque.push(opaque),
        }
    }
    Some(decoded)
}

fn content(whole: &Str, raw: &RawValue, part: &wire::Part<'_>, mint: &mut Mint) -> Option<PartContent> {
    if let Some(call) = &part.function_call {
        return Some(PartContent::ToolCall(tool_call(whole, call, mint)));
    }
    if part.video_metadata.is_some() {
        // A cut of a film: nobody else has that.
        return Some(PartContent::Unknown { family: Family::Gemini, raw: raw_json(whole, raw) });
    }
    if part.inline_data.is_some() || part.file_data.is_some() {
        return media(whole, part).map(PartContent::Media);
    }
    if let Some(run) = part.executable_code {
        mint.code = mint.id();
        let (id, tool) = (mint.code.clone(), Str::from_static(CODE_EXECUTION));
        return Some(PartContent::ServerCall(ServerCall {
            id,
            tool,
            input: raw_json(whole, run),
            family: Family::Gemini,
        }));
    }
    if let Some(result) = part.code_execution_result {
        let (id, tool) = (mint.code.clone(), Str::from_static(CODE_EXECUTION));
        let output = raw_json(whole, result);
        return Some(PartContent::ServerResult(ServerResult { id, tool, output, family: Family::Gemini }));
    }
    if let Some(call) = part.tool_call {
        let (id, tool) = server_tool(whole, call, mint);
        return Some(PartContent::ServerCall(ServerCall {
            id,
            tool,
            input: raw_json(whole, call),
            family: Family::Gemini,
        }));
    }
    if let Some(result) = part.tool_response {
        let (id, tool) = server_tool(whole, result, mint);
        let output = raw_json(whole, result);
        return Some(PartContent::ServerResult(ServerResult { id, tool, output, family: Family::Gemini }));
    }
    let text = match (&part.text, &part.thought_signature) {
        (Some(text), _) => slice(whole, &text.0),
        (None, Some(_)) => Str::new(),
        (None, None) => return None,
    };
    if part.thought == Some(true) {
        return Some(PartContent::Reasoning(Reasoning { text: Some(text), ..Reasoning::default() }));
    }
    Some(PartContent::Text(text))
}

/// A call as it is announced, arguments included.
pub(super) fn tool_call(whole: &Str, call: &wire::FunctionCall<'_>, mint: &mut Mint) -> ToolCall {
    ToolCall {
        id: mint.or_new(whole, call.id.as_ref()),
        name: lend_opt(whole, call.name.as_ref()).unwrap_or_default(),
        kind: CallKind::Function,
        args: call.args.map_or_else(|| Str::from_static("{}"), |args| slice(whole, args.get())),
    }
}

/// Id and kind of a tool that Google ran; the rest stays as it was written.
fn server_tool(whole: &Str, raw: &RawValue, mint: &mut Mint) -> (Str, Str) {
    let pairs: Pairs<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = |name: &str| pairs.get(name).and_then(|raw| serde_json::from_str::<Text<'_>>(raw.get()).ok());
    let id = mint.or_new(whole, text("id").as_ref());
    (id, text("toolType").map(|kind| Str::from(kind.0.to_ascii_lowercase())).unwrap_or_default())
}

/// Inline or stored media.
pub(super) fn media(whole: &Str, part: &wire::Part<'_>) -> Option<Media> {
    let (mime, source, name) = match (&part.inline_data, &part.file_data) {
        (Some(blob), _) => {
            let data = standard_base64(&slice(whole, &blob.data.0));
            (&blob.mime_type, MediaSource::Base64(data), &blob.display_name)
        }
        (None, Some(file)) => (&file.mime_type, source_of(slice(whole, &file.file_uri.0)), &file.display_name),
        (None, None) => return None,
    };
    let mime = lend_opt(whole, mime.as_ref());
    let class = class_of(mime.as_deref(), &source);
    let level = part.media_resolution.as_ref().and_then(|resolution| resolution.level.as_ref());
    let detail = level.and_then(|level| match level.0.as_ref() {
        "MEDIA_RESOLUTION_LOW" => Some(Str::from_static("low")),
        "MEDIA_RESOLUTION_MEDIUM" => Some(Str::from_static("auto")),
        "MEDIA_RESOLUTION_HIGH" | "MEDIA_RESOLUTION_ULTRA_HIGH" => Some(Str::from_static("high")),
        _ => None,
    });
    Some(Media { name: lend_opt(whole, name.as_ref()), detail, ..Media::new(class, mime, source) })
}

/// A plain web address can be fetched by anybody; files, buckets and films only by Google.
fn source_of(uri: Str) -> MediaSource {
    let web = uri.starts_with("https://") || uri.starts_with("http://");
    if web && !is_google_only(&uri) {
        MediaSource::Url(uri)
    } else {
        MediaSource::File { family: Family::Gemini, id: uri }
    }
}

/// Whether an address means something to Google alone.
pub(super) fn is_google_only(uri: &str) -> bool {
    let host = uri.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    uri.starts_with("gs://")
        || host == "generativelanguage.googleapis.com"
        || host == "youtu.be"
        || host == "youtube.com"
        || host.ends_with(".youtube.com")
}

fn class_of(mime: Option<&str>, source: &MediaSource) -> MediaClass {
    let film = matches!(source, MediaSource::File { id, .. } if id.contains("youtu"));
    match mime.unwrap_or_default().split('/').next() {
        Some("image") => MediaClass::Image,
        Some("audio") => MediaClass::Audio,
        Some("video") => MediaClass::Video,
        _ if film => MediaClass::Video,
        _ => MediaClass::Document,
    }
}

/// A value as it was written.
pub(super) fn raw_json(whole: &Str, raw: &RawValue) -> RawJson {
    RawJson::from_checked(slice(whole, raw.get()))
}
