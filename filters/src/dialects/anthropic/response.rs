//! Whole answers, both ways, and the blocks that streams send whole.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    blocks, error,
    finish::{self, Seen},
    usage::{WireTier, WireUsage, push_usage},
    wire::{Text, Writer},
};
use crate::{
    dialects::{Reply, ResponseError},
    model::{
        CallKind, Candidate, Citation, Family, FilterError, Finish, FinishReason, Opaque, OpaqueKind, Part,
        PartContent, Reasoning, Response, ServerCall, Str, ToolCall, Usage,
    },
    seal::Sealer,
};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Decodes a whole answer.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let malformed = |error: serde_json::Error| FilterError::malformed("anthropic response", &error);
    let message: Message<'_> = serde_json::from_str(&text).map_err(malformed)?;
    if message.error.is_some() || message.kind.is_some_and(|kind| kind.0 == "error") {
        return Err(error::decode_in_band(body).into());
    }
    let keep = |member: Option<Text<'_>>| member.map(|member| member.keep(&text));
    let Some(content) = message.content else {
        return Err(FilterError::malformed("anthropic response", &"`content` is missing").into());
    };
    let parts: Vec<Part> = content.into_iter().map(|raw| decode_part(&text, raw)).collect();
    let saw_call = parts.iter().any(|part| matches!(part.content, PartContent::ToolCall(_)));
    let finish = finish::decode(keep(message.stop_reason), keep(message.stop_sequence)).with_calls(saw_call);
    let usage = message.usage.and_then(|raw| serde_json::from_str::<WireUsage>(raw.get()).ok());
    let tier = message.usage.and_then(|raw| serde_json::from_str::<WireTier<'_>>(raw.get()).ok());
    Ok(Response {
        id: keep(message.id).unwrap_or_default(),
        model: keep(message.model).unwrap_or_default(),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: None }],
        usage: usage.map(WireUsage::to_usage),
        tier: keep(tier.and_then(|tier| tier.service_tier)),
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
    let id = if response.id.is_empty() { &reply.id } else { &response.id };
    let mut message = Writer::object(&mut out);
    message.str("id", id);
    message.str("type", "message");
    message.str("role", "assistant");
    message.str("model", &reply.model);
    let mut seen = Seen::default();
    let unfinished = Finish::new(FinishReason::Other);
    // This dialect has one answer per response; requests for more are refused before they get here.
    let candidate = response.candidates.first();
    let mut content = Writer::array(message.member("content"));
    for part in candidate.map(|candidate| candidate.parts.as_slice()).unwrap_or_default() {
        push_part(&mut content, part, reply, &mut seen);
    }
    content.end();
    let (reason, sequence) = finish::encode(candidate.map_or(&unfinished, |candidate| &candidate.finish), seen);
    message.str("stop_reason", reason);
    match sequence {
        Some(sequence) => message.str("stop_sequence", sequence),
        None => message.raw("stop_sequence", "null"),
    }
    let usage = response.usage.unwrap_or_else(|| Usage { input_uncached: reply.input_estimate, ..Usage::default() });
    push_usage(message.member("usage"), &usage, response.tier.as_deref());
    message.end();
    out.freeze()
}

fn push_part(content: &mut Writer<'_>, part: &Part, reply: &Reply, seen: &mut Seen) {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => {
            seen.refusal |= matches!(part.content, PartContent::Refusal(_));
            if !text.is_empty() {
                push_text(content.element(), text, &part.citations, &reply.sealer);
            }
            push_carriers(content, &part.opaque, &reply.sealer);
        }
        PartContent::Reasoning(reasoning) => push_reasoning(content, reasoning, reply),
        PartContent::ToolCall(call) => {
            seen.call = true;
            // State of a call travels in a thinking block before it, because calls have no field for it.
            push_carriers(content, &part.opaque, &reply.sealer);
            push_call(content.element(), call);
        }
        PartContent::ServerCall(call) if call.family == Family::Anthropic => push_server_call(content.element(), call),
        PartContent::ServerResult(result) if result.family == Family::Anthropic => {
            content.element().extend_from_slice(result.output.as_str().as_bytes());
        }
        PartContent::Unknown { family: Family::Anthropic, raw } => {
            content.element().extend_from_slice(raw.as_str().as_bytes());
        }
        // Answers hold no media in this dialect, and other vendors' own tools mean nothing to its clients.
        _ => {}
    }
}

fn push_text(out: &mut BytesMut, text: &str, citations: &[Citation], sealer: &Sealer) {
    let mut block = Writer::of_type(out, "text");
    block.str("text", text);
    if citations.iter().any(is_citable) {
        let mut list = Writer::array(block.member("citations"));
        for citation in citations.iter().filter(|citation| is_citable(citation)) {
            push_citation(list.element(), citation, sealer);
        }
        list.end();
    }
    block.end();
}

fn push_reasoning(content: &mut Writer<'_>, reasoning: &Reasoning, reply: &Reply) {
    let text = reasoning.text.as_deref().filter(|_| reply.show_reasoning).unwrap_or_default();
    let mut text = Some(text);
    for opaque in &reasoning.opaque {
        if is_redacted(opaque) {
            push_redacted(content.element(), &signature(opaque, &reply.sealer));
        } else {
            push_thinking(content.element(), text.take().unwrap_or_default(), &signature(opaque, &reply.sealer));
        }
    }
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        push_thinking(content.element(), text, &no_state(&reply.sealer));
    }
}

/// Opaque state that hangs on no thinking, each piece in an empty thinking block.
fn push_carriers(content: &mut Writer<'_>, opaque: &[Opaque], sealer: &Sealer) {
    for opaque in opaque {
        push_thinking(content.element(), "", &signature(opaque, sealer));
    }
}

fn push_call(out: &mut BytesMut, call: &ToolCall) {
    let mut block = Writer::of_type(out, "tool_use");
    block.str("id", &call.id);
    block.str("name", &call.name);
    push_input(block.member("input"), call);
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
    object.str("_raw", &call.args);
    object.end();
    false
}

/// Writes a thinking block.
pub(super) fn push_thinking(out: &mut BytesMut, text: &str, signature: &str) {
    let mut block = Writer::of_type(out, "thinking");
    block.str("thinking", text);
    block.str("signature", signature);
    block.end();
}

/// Writes a block of withheld thinking.
pub(super) fn push_redacted(out: &mut BytesMut, data: &str) {
    let mut block = Writer::of_type(out, "redacted_thinking");
    block.str("data", data);
    block.end();
}

/// Writes a call of a provider's tool.
pub(super) fn push_server_call(out: &mut BytesMut, call: &ServerCall) {
    let mut block = Writer::of_type(out, "server_tool_use");
    block.str("id", &call.id);
    block.str("name", &call.tool);
    block.raw("input", call.input.as_str());
    block.end();
}

/// Whether a citation can be written: in its own form, or as a source on the web.
pub(super) fn is_citable(citation: &Citation) -> bool {
    own_citation(citation).is_some() || citation.url.is_some()
}

/// Writes a citation. A source that another vendor found becomes a web search result, with an index that the gateway
/// recognises when the client sends the citation back.
pub(super) fn push_citation(out: &mut BytesMut, citation: &Citation, sealer: &Sealer) {
    if let Some(raw) = own_citation(citation) {
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    let mut object = Writer::of_type(out, "web_search_result_location");
    object.str("cited_text", citation.quoted.as_deref().unwrap_or_default());
    object.str("url", citation.url.as_deref().unwrap_or_default());
    match citation.title.as_deref() {
        Some(title) => object.str("title", title),
        None => object.raw("title", "null"),
    }
    object.str("encrypted_index", &no_state(sealer));
    object.end();
}

/// The citation as this family wrote it.
pub(super) fn own_citation(citation: &Citation) -> Option<&str> {
    citation.raw.as_ref().filter(|(family, _)| *family == Family::Anthropic).map(|(_, raw)| raw.as_str())
}

/// Whether opaque state is withheld thinking, which has a block of its own.
pub(super) fn is_redacted(opaque: &Opaque) -> bool {
    opaque.kind == OpaqueKind::Redacted
}

/// What stands in the slot for opaque state: this family's own as it is, others' sealed.
pub(super) fn signature(opaque: &Opaque, sealer: &Sealer) -> Str {
    if opaque.family == Family::Anthropic { opaque.data.clone() } else { sealer.seal(opaque) }
}

/// The signature of thinking that came with no state: an envelope around nothing, which the gateway recognises and
/// never sends on. An empty or invented signature would be refused by the vendor.
pub(super) fn no_state(sealer: &Sealer) -> Str {
    sealer.seal(&Opaque {
        family: Family::OpenAi,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::new(),
    })
}
