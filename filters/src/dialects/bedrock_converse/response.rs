//! Whole answers, both ways, and the blocks that requests and streams write alike.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    blocks::{self, SERVER_TOOL},
    finish,
    formats::format_of,
    inspect::Trace,
    usage::{WireUsage, push_usage},
    wire::{Text, Writer},
};
use crate::{
    aws,
    dialects::{Reply, ResponseError},
    model::{
        CallKind, Candidate, Citation, Family, FilterError, Finish, FinishReason, Media, MediaClass, MediaSource,
        Opaque, OpaqueKind, Part, PartContent, Reasoning, Response, ServerCall, Str, ToolCall, Usage,
    },
    seal::Sealer,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    additional_model_response_fields: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<WireUsage<'a>>,
    #[serde(borrow)]
    service_tier: Option<Tier<'a>>,
    #[serde(borrow)]
    trace: Option<Trace<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
}

/// Decodes a whole answer. It names no id, and a model only where a router chose it.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let malformed = |error: serde_json::Error| FilterError::malformed("bedrock response", &error);
    let answer: Answer<'_> = serde_json::from_str(&text).map_err(malformed)?;
    if answer.output.is_none() && answer.message.is_some() {
        return Err(aws::decode_in_band(None, body).into());
    }
    let Some(message) = answer.output.and_then(|output| output.message) else {
        return Err(FilterError::malformed("bedrock response", &"`output.message` is missing").into());
    };
    let parts: Vec<Part> = message.content.into_iter().map(|raw| decode_part(&text, raw)).collect();
    let saw_call = parts.iter().any(|part| matches!(part.content, PartContent::ToolCall(_)));
    let reason = answer.stop_reason.map(|reason| reason.keep(&text));
    let finish = finish::decode(reason, answer.additional_model_response_fields).with_calls(saw_call);
    Ok(Response {
        model: answer.trace.and_then(|trace| trace.served_by(&text)).unwrap_or_default(),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: None }],
        usage: answer.usage.map(|usage| usage.to_usage()),
        tier: answer.service_tier.and_then(|tier| tier.kind).map(|tier| tier.keep(&text)),
        ..Response::default()
    })
}

/// A block of an answer. One that cannot be read is kept as it is: an answer is never lost for a new kind of block.
pub(super) fn decode_part(body: &Str, raw: &RawValue) -> Part {
    blocks::decode(body, raw).unwrap_or_else(|_| Part::new(blocks::unknown(body, raw)))
}

/// Encodes a whole answer for a client.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    let mut answer = Writer::object(&mut out);
    let unfinished = Finish::new(FinishReason::Other);
    // This dialect has one answer per response; requests for more are refused before they get here.
    let candidate = response.candidates.first();
    let mut saw_call = false;
    let mut output = answer.nested("output");
    let mut message = output.nested("message");
    message.str("role", "assistant");
    let mut content = message.list("content");
    for part in candidate.map(|candidate| candidate.parts.as_slice()).unwrap_or_default() {
        saw_call |= matches!(part.content, PartContent::ToolCall(_));
        push_part(&mut content, part, reply);
    }
    content.end();
    message.end();
    output.end();
    let finish = candidate.map_or(&unfinished, |candidate| &candidate.finish);
    answer.str("stopReason", finish::encode(finish, saw_call));
    push_response_fields(&mut answer, finish);
    let usage = response.usage.unwrap_or_else(|| Usage { input_uncached: reply.input_estimate, ..Usage::default() });
    push_usage(answer.member("usage"), &usage);
    push_metrics(&mut answer);
    if let Some(tier) = response.tier.as_deref().filter(|tier| is_tier(tier)) {
        let mut object = answer.nested("serviceTier");
        object.str("type", tier);
        object.end();
    }
    answer.end();
    out.freeze()
}

/// Writes what the model says of its stop besides the reason.
pub(super) fn push_response_fields(object: &mut Writer<'_>, finish: &Finish) {
    if let Some(sequence) = &finish.stop_sequence {
        let mut fields = object.nested("additionalModelResponseFields");
        fields.str("stop_sequence", sequence);
        fields.end();
    }
}

/// Writes `metrics`, which clients expect to be there. Codecs have no clock, so the time is not told.
pub(super) fn push_metrics(object: &mut Writer<'_>) {
    object.raw("metrics", r#"{"latencyMs":0}"#);
}

/// Whether a tier is one of this dialect's; other vendors' names mean nothing to its clients.
fn is_tier(tier: &str) -> bool {
    matches!(tier, "default" | "priority" | "flex" | "reserved")
}

fn push_part(content: &mut Writer<'_>, part: &Part, reply: &Reply) {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => {
            if !text.is_empty() {
                push_text(content.element(), text, &part.citations);
            }
            push_carriers(content, &part.opaque, &reply.sealer);
        }
        PartContent::Reasoning(reasoning) => push_reasoning(content, reasoning, reply),
        PartContent::ToolCall(call) => {
            // State of a call travels in a thinking block before it, because calls have no field for it.
            push_carriers(content, &part.opaque, &reply.sealer);
            push_call(content.element(), call);
        }
        PartContent::Media(media) => {
            if let Some(image) = inline_image(media) {
                push_image(content.element(), image);
            }
        }
        PartContent::ServerCall(call) if call.family == Family::Bedrock => push_server_call(content.element(), call),
        PartContent::ServerResult(result) if result.family == Family::Bedrock => {
            content.element().extend_from_slice(result.output.as_str().as_bytes());
        }
        PartContent::Unknown { family: Family::Bedrock, raw } => {
            content.element().extend_from_slice(raw.as_str().as_bytes());
        }
        // Other vendors' own tools mean nothing to this dialect's clients.
        _ => {}
    }
}

fn push_text(out: &mut BytesMut, text: &str, citations: &[Citation]) {
    if citations.iter().any(is_citable) {
        return push_cited(out, text, |list| {
            citations.iter().filter(|citation| is_citable(citation)).for_each(|it| push_citation(list.element(), it));
        });
    }
    let mut block = Writer::object(out);
    block.str("text", text);
    block.end();
}

/// Writes text with sources.
pub(super) fn push_cited(out: &mut BytesMut, text: &str, citations: impl FnOnce(&mut Writer<'_>)) {
    let mut block = Writer::object(out);
    let mut cited = block.nested("citationsContent");
    let mut content = cited.list("content");
    let mut object = Writer::object(content.element());
    object.str("text", text);
    object.end();
    content.end();
    let mut list = cited.list("citations");
    citations(&mut list);
    list.end();
    cited.end();
    block.end();
}

fn push_reasoning(content: &mut Writer<'_>, reasoning: &Reasoning, reply: &Reply) {
    let text = reasoning.text.as_deref().filter(|_| reply.show_reasoning).unwrap_or_default();
    let mut text = Some(text);
    for opaque in &reasoning.opaque {
        let state = signature(opaque, &reply.sealer);
        if opaque.kind == OpaqueKind::Redacted {
            push_redacted(content.element(), &state);
        } else {
            push_thinking(content.element(), text.take().unwrap_or_default(), Some(&state));
        }
    }
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        push_thinking(content.element(), text, None);
    }
}

/// Opaque state that hangs on no thinking, each piece in an empty thinking block.
fn push_carriers(content: &mut Writer<'_>, opaque: &[Opaque], sealer: &Sealer) {
    for opaque in opaque {
        push_thinking(content.element(), "", Some(&signature(opaque, sealer)));
    }
}

fn push_call(out: &mut BytesMut, call: &ToolCall) {
    let mut block = Writer::object(out);
    let mut object = block.nested("toolUse");
    object.str("toolUseId", &call.id);
    object.str("name", &call.name);
    push_input(object.member("input"), call);
    object.end();
    block.end();
}

/// Writes a call's arguments as the object that the wire requires; gives false if they were no object.
pub(super) fn push_input(out: &mut BytesMut, call: &ToolCall) -> bool {
    let args = call.args.trim();
    if call.kind == CallKind::Custom {
        let mut object = Writer::object(out);
        object.str("input", &call.args);
        object.end();
        return true;
    }
    if args.is_empty() {
        out.extend_from_slice(b"{}");
        return true;
    }
    if args.starts_with('{') && serde_json::from_str::<&RawValue>(args).is_ok() {
        out.extend_from_slice(args.as_bytes());
        return true;
    }
    let mut object = Writer::object(out);
    object.str("rawInvalidInput", &call.args);
    object.end();
    false
}

/// Writes a thinking block.
pub(super) fn push_thinking(out: &mut BytesMut, text: &str, signature: Option<&str>) {
    let mut block = Writer::object(out);
    let mut reasoning = block.nested("reasoningContent");
    let mut object = reasoning.nested("reasoningText");
    object.str("text", text);
    object.maybe_str("signature", signature);
    object.end();
    reasoning.end();
    block.end();
}

/// Writes a block of withheld thinking.
pub(super) fn push_redacted(out: &mut BytesMut, data: &str) {
    let mut block = Writer::object(out);
    let mut reasoning = block.nested("reasoningContent");
    reasoning.str("redactedContent", data);
    reasoning.end();
    block.end();
}

/// Writes a call of a tool that the service runs itself.
pub(super) fn push_server_call(out: &mut BytesMut, call: &ServerCall) {
    let mut block = Writer::object(out);
    let mut object = block.nested("toolUse");
    object.str("toolUseId", &call.id);
    object.str("name", &call.tool);
    object.raw("input", call.input.as_str());
    object.str("type", SERVER_TOOL);
    object.end();
    block.end();
}

/// An image that an answer holds: its format and its bytes in base64.
pub(super) fn inline_image(media: &Media) -> Option<(&'static str, &Str)> {
    match (&media.source, media.class) {
        (MediaSource::Base64(data), MediaClass::Image) => Some((format_of(media.class, media.mime.as_deref())?, data)),
        _ => None,
    }
}

fn push_image(out: &mut BytesMut, (format, data): (&str, &Str)) {
    let mut block = Writer::object(out);
    let mut image = block.nested("image");
    image.str("format", format);
    push_image_source(&mut image, data);
    image.end();
    block.end();
}

/// Writes `source` of an image.
pub(super) fn push_image_source(image: &mut Writer<'_>, data: &str) {
    let mut source = image.nested("source");
    source.str("bytes", data);
    source.end();
}

/// Whether a citation can be written: in its own form, or as a source on the web.
pub(super) fn is_citable(citation: &Citation) -> bool {
    own_citation(citation).is_some() || citation.url.is_some()
}

/// Writes a citation. A source that another vendor found becomes a web page.
pub(super) fn push_citation(out: &mut BytesMut, citation: &Citation) {
    if let Some(raw) = own_citation(citation) {
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    let mut object = Writer::object(out);
    object.maybe_str("title", citation.title.as_deref());
    if let Some(quoted) = &citation.quoted {
        let mut list = object.list("sourceContent");
        let mut content = Writer::object(list.element());
        content.str("text", quoted);
        content.end();
        list.end();
    }
    let mut location = object.nested("location");
    let mut web = location.nested("web");
    web.maybe_str("url", citation.url.as_deref());
    web.end();
    location.end();
    object.end();
}

/// The citation as this family wrote it.
pub(super) fn own_citation(citation: &Citation) -> Option<&str> {
    citation.raw.as_ref().filter(|(family, _)| *family == Family::Bedrock).map(|(_, raw)| raw.as_str())
}

/// What stands in the slot for opaque state: this family's own as it is, others' sealed. An envelope is base64, which
/// the slot for withheld thinking demands.
pub(super) fn signature(opaque: &Opaque, sealer: &Sealer) -> Str {
    if opaque.family == Family::Bedrock { opaque.data.clone() } else { sealer.seal(opaque) }
}
