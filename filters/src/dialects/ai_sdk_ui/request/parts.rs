//! The parts of UI messages: a function per kind.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{super::metadata, decode::parse};
use crate::{
    json::{Object, Text, keep_raw, slice},
    model::{
        CallKind, ErrorInfo, Family, Media, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent, RawJson,
        Reasoning, ServerCall, ServerResult, Str, ToolCall, ToolResult,
    },
    openai::wire::lenient,
};

/// What the model is told of a call that the person did not allow.
const DENIED: &str = "Tool call execution denied.";

/// Where a part stands, for messages of errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The message's position.
    pub(super) message: usize,
    /// The part's position in it.
    pub(super) part: usize,
}

impl Place {
    fn name(self) -> String {
        format!("messages[{}].parts[{}]", self.message, self.part)
    }

    fn error(self, member: &str, message: impl Into<Str>) -> ErrorInfo {
        ErrorInfo::invalid(format!("{}{member}", self.name()), message)
    }
}

/// A part of any kind. Members that a kind does not have are absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    media_type: Option<Text<'a>>,
    #[serde(borrow)]
    url: Option<Text<'a>>,
    #[serde(borrow)]
    filename: Option<Text<'a>>,
    #[serde(borrow)]
    provider_reference: Option<&'a RawValue>,
    #[serde(borrow)]
    provider_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_name: Option<Text<'a>>,
    #[serde(borrow)]
    tool_call_id: Option<Text<'a>>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    raw_input: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    error_text: Option<Text<'a>>,
    #[serde(borrow)]
    approval: Option<Approval<'a>>,
    preliminary: Option<bool>,
    provider_executed: Option<bool>,
    #[serde(borrow)]
    call_provider_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    result_provider_metadata: Option<&'a RawValue>,
}

/// What the person said of a call that needed leave.
#[derive(Deserialize)]
struct Approval<'a> {
    approved: Option<bool>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

/// What the model did between two `step-start` parts.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What it said and called.
    pub(super) said: Vec<Part>,
    /// The results of its calls.
    pub(super) results: Vec<Part>,
}

fn read(place: Place, raw: &RawValue) -> Result<Wire<'_>, ErrorInfo> {
    parse(&place.name(), raw, "a part of a UI message")
}

/// Parts that are for the person to see, and that no model gets.
fn is_for_show(kind: &str) -> bool {
    matches!(kind, "source-url" | "source-document" | "step-start") || kind.starts_with("data-")
}

fn unknown(place: Place, kind: &str) -> ErrorInfo {
    place.error(".type", format!("parts of type `{kind}` cannot be translated here, leave the part out"))
}

/// Decodes a part of a system message.
pub(super) fn text_only(body: &Str, place: Place, raw: &RawValue) -> Result<Option<Part>, ErrorInfo> {
    let wire = read(place, raw)?;
    match wire.kind.as_str() {
        "text" => text(body, place, &wire),
        kind if is_for_show(kind) => Ok(None),
        kind => Err(unknown(place, kind)),
    }
}

/// Decodes a part of a person's message.
pub(super) fn of_user(body: &Str, place: Place, raw: &RawValue) -> Result<Option<Part>, ErrorInfo> {
    let wire = read(place, raw)?;
    match wire.kind.as_str() {
        "text" => text(body, place, &wire),
        "file" => file(body, place, &wire).map(Some),
        kind if is_for_show(kind) => Ok(None),
        kind => Err(unknown(place, kind)),
    }
}

/// Decodes a part of the model's message into `step`. Gives true if the step ends before it.
pub(super) fn of_assistant(step: &mut Step, body: &Str, place: Place, raw: &RawValue) -> Result<bool, ErrorInfo> {
    let wire = read(place, raw)?;
    match wire.kind.as_str() {
        "text" => step.said.extend(text(body, place, &wire)?),
        "reasoning" => step.said.extend(reasoning(body, &wire)),
        // Pictures in the thinking are thinking: without state they do not go back.
        "reasoning-file" => step.said.push(Part::new(PartContent::Reasoning(Reasoning::default()))),
        "file" => step.said.push(file(body, place, &wire)?),
        "step-start" => return Ok(true),
        "dynamic-tool" => {
            let name =
                wire.tool_name.as_ref().ok_or_else(|| place.error(".toolName", "a tool part needs `toolName`"))?;
            tool(step, body, place, &wire, name.keep(body))?;
        }
        kind => match kind.strip_prefix("tool-") {
            Some(name) => tool(step, body, place, &wire, slice(body, name))?,
            None if is_for_show(kind) => {}
            None => return Err(unknown(place, kind)),
        },
    }
    Ok(false)
}

fn text(body: &Str, place: Place, wire: &Wire<'_>) -> Result<Option<Part>, ErrorInfo> {
    let text =
        wire.text.as_ref().ok_or_else(|| place.error(".text", "a part of type `text` needs `text`, a string"))?;
    let metadata = metadata::read(wire.provider_metadata, body);
    let mut part = Part::text(text.keep(body));
    part.opaque = metadata.opaque;
    part.citations = metadata.citations;
    Ok((!text.is_empty() || !part.opaque.is_empty()).then_some(part))
}

fn reasoning(body: &Str, wire: &Wire<'_>) -> Option<Part> {
    let text = wire.text.as_ref().map(|text| text.keep(body)).filter(|text| !text.is_empty());
    let opaque = metadata::read(wire.provider_metadata, body).opaque;
    if text.is_none() && opaque.is_empty() {
        return None;
    }
    let redacted = text.is_none() && opaque.iter().all(|state: &Opaque| state.kind == OpaqueKind::Redacted);
    Some(Part::new(PartContent::Reasoning(Reasoning { text, redacted, opaque })))
}

/// Decodes a file: a data URL, a URL, or a handle on a vendor's store.
fn file(body: &Str, place: Place, wire: &Wire<'_>) -> Result<Part, ErrorInfo> {
    let stated = wire.media_type.as_ref().map(|mime| mime.keep(body)).unwrap_or_default();
    let (mime, source) = match (reference(body, wire), &wire.url) {
        (Some(source), _) => (None, source),
        (None, Some(url)) => locate(place, &url.keep(body))?,
        (None, None) => return Err(place.error(".url", "a part of type `file` needs `url`, a URL or a data URL")),
    };
    let mime = mime.unwrap_or(stated);
    let class = match mime.split('/').next() {
        Some("image") => MediaClass::Image,
        Some("audio") => MediaClass::Audio,
        Some("video") => MediaClass::Video,
        _ => MediaClass::Document,
    };
    // A class alone (`image`, `image/*`) is no media type.
    let is_whole = mime.split_once('/').is_some_and(|(_, sub)| !sub.is_empty() && sub != "*");
    let mut media = Media::new(class, is_whole.then_some(mime), source);
    media.name = wire.filename.as_ref().map(|name| name.keep(body)).filter(|name| !name.is_empty());
    Ok(Part::new(PartContent::Media(media)))
}

fn reference(body: &Str, wire: &Wire<'_>) -> Option<MediaSource> {
    let Object(vendors) = lenient(wire.provider_reference)?;
    vendors.iter().find_map(|(vendor, raw)| {
        let id: Text<'_> = lenient(Some(raw))?;
        Some(MediaSource::File { family: metadata::family_of(vendor)?, id: id.keep(body) })
    })
}

fn locate(place: Place, url: &Str) -> Result<(Option<Str>, MediaSource), ErrorInfo> {
    if let Some(rest) = url.strip_prefix("data:") {
        let parts = rest.split_once(',').and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data)));
        let (head, data) = parts
            .ok_or_else(|| place.error(".url", "the data URL must be base64: write data:<media type>;base64,<data>"))?;
        let mime = head.split(';').next().unwrap_or_default();
        return Ok(((!mime.is_empty()).then(|| url.slice_ref(mime)), MediaSource::Base64(url.slice_ref(data))));
    }
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok((None, MediaSource::Url(url.clone())));
    }
    Err(place.error(".url", "`url` must be an http or https URL, or a data URL"))
}

/// Decodes a call with its result, which are one part.
fn tool(step: &mut Step, body: &Str, place: Place, wire: &Wire<'_>, name: Str) -> Result<(), ErrorInfo> {
    let state = wire.state.as_ref().map_or("input-available", |state| &*state.0);
    // The stream of the call broke off: nobody knows what it was to be.
    if state == "input-streaming" {
        return Ok(());
    }
    let id = wire.tool_call_id.as_ref().filter(|id| !id.is_empty()).map(|id| id.keep(body));
    let id = id.ok_or_else(|| place.error(".toolCallId", "a tool part needs `toolCallId`"))?;
    if wire.provider_executed == Some(true) {
        server_tool(step, body, wire, state, &id, &name);
        return Ok(());
    }
    let args = arguments(body, wire);
    let call = ToolCall { id: id.clone(), name: name.clone(), kind: CallKind::Function, args };
    let mut part = Part::new(PartContent::ToolCall(call));
    part.opaque = metadata::read(wire.call_provider_metadata, body).opaque;
    step.said.push(part);
    if let Some((parts, json, is_error)) = result(body, wire, state) {
        let result = ToolResult { call: id, name: Some(name), parts, json, is_error };
        step.results.push(Part::new(PartContent::ToolResult(result)));
    }
    Ok(())
}

/// The input as it was written. One that could not be parsed is kept as the text that it was.
fn arguments(body: &Str, wire: &Wire<'_>) -> Str {
    let present = |raw: &&RawValue| raw.get() != "null";
    if let Some(input) = wire.input.filter(present) {
        return slice(body, input.get());
    }
    match wire.raw_input.filter(present) {
        Some(raw) => lenient::<Text<'_>>(Some(raw)).map_or_else(|| slice(body, raw.get()), |text| text.keep(body)),
        None => Str::from_static("{}"),
    }
}

type Outcome = (Vec<Part>, Option<RawJson>, bool);

/// What a call came to; `None` if that is still open.
fn result(body: &Str, wire: &Wire<'_>, state: &str) -> Option<Outcome> {
    let told = |text: Str| (vec![Part::text(text)], None, true);
    let reason =
        || wire.approval.as_ref().and_then(|approval| approval.reason.as_ref()).map(|reason| reason.keep(body));
    let denied = || told(reason().filter(|reason| !reason.is_empty()).unwrap_or_else(|| Str::from_static(DENIED)));
    match state {
        "output-available" if wire.preliminary != Some(true) => Some(output(body, wire.output)),
        "output-error" => Some(told(wire.error_text.as_ref().map(|text| text.keep(body)).unwrap_or_default())),
        "output-denied" => Some(denied()),
        "approval-responded" if wire.approval.as_ref().and_then(|approval| approval.approved) == Some(false) => {
            Some(denied())
        }
        _ => None,
    }
}

/// A string is text; anything else is JSON, and an object may go out as one.
fn output(body: &Str, raw: Option<&RawValue>) -> Outcome {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return (Vec::new(), None, false) };
    if let Some(text) = lenient::<Text<'_>>(Some(raw)) {
        return (vec![Part::text(text.keep(body))], None, false);
    }
    let json = keep_raw(body, raw);
    let object = raw.get().starts_with('{').then(|| json.clone());
    (vec![Part::text(json.text().clone())], object, false)
}

/// A tool that a provider ran. What another server than this gateway wrote down of it is in no vendor's own form, and
/// goes back to none: it is given to a family that runs no tools.
fn server_tool(step: &mut Step, body: &Str, wire: &Wire<'_>, state: &str, id: &Str, name: &Str) {
    let family = |raw| metadata::read(raw, body).family.unwrap_or(Family::Ollama);
    let input = wire.input.map_or_else(|| RawJson::from_checked(Str::from_static("{}")), |input| keep_raw(body, input));
    step.said.push(Part::new(PartContent::ServerCall(ServerCall {
        id: id.clone(),
        tool: name.clone(),
        input,
        family: family(wire.call_provider_metadata),
    })));
    if let (Some(output), "output-available") = (wire.output, state) {
        step.said.push(Part::new(PartContent::ServerResult(ServerResult {
            id: id.clone(),
            tool: name.clone(),
            output: keep_raw(body, output),
            family: family(wire.result_provider_metadata.or(wire.call_provider_metadata)),
        })));
    }
}
