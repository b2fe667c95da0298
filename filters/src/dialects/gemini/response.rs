//! Whole answers, both ways.

use bytes::{Bytes, BytesMut};

use super::{
    emit, error, finish, grounding, logprobs, parts, usage,
    wire::{self, lend_opt, list},
    write,
};
use crate::{
    dialects::{Reply, ResponseError, StreamDecoder},
    model::{
        Candidate, ErrorClass, ErrorInfo, Family, FilterError, Finish, FinishReason, Media, MediaSource, Opaque, Part,
        PartContent, RawJson, Response, Str, ToolCall,
    },
    stream::Folder,
};

/// Decodes a whole answer; an array is a stream that came at once.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return decode_stream(body);
    }
    let whole = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let wire: wire::Response<'_> = serde_json::from_str(&whole).map_err(|problem| malformed(&problem))?;
    if let Some(raw) = wire.error {
        return Err(error::decode_value(None, raw.get()).into());
    }
    let mut mint = parts::Mint::new(lend_opt(&whole, wire.response_id.as_ref()).unwrap_or_else(|| whole.clone()));
    let mut candidates = Vec::new();
    for (at, candidate) in wire.candidates.iter().flatten().enumerate() {
        candidates.push(decode_candidate(&whole, at, candidate, &mut mint)?);
    }
    if candidates.is_empty() {
        let block = wire.prompt_feedback.as_ref().and_then(|feedback| feedback.block_reason.as_ref());
        let finish = finish::blocked(block.ok_or_else(empty)?);
        candidates.push(Candidate { index: 0, parts: Vec::new(), finish, logprobs: None });
    }
    if candidates.iter().all(|of| of.parts.is_empty() && of.finish.reason == FinishReason::BadToolCall) {
        return Err(bad_call().into());
    }
    let tier = wire.usage_metadata.as_ref().and_then(|usage| match &usage.service_tier {
        Some(wire::Word::Name(tier)) => Some(Str::from(tier.as_ref())),
        _ => None,
    });
    Ok(Response {
        id: lend_opt(&whole, wire.response_id.as_ref()).unwrap_or_default(),
        model: lend_opt(&whole, wire.model_version.as_ref()).unwrap_or_default(),
        candidates,
        usage: wire.usage_metadata.as_ref().and_then(usage::decode),
        tier,
        ..Response::default()
    })
}

fn decode_stream(body: &Bytes) -> Result<Response, ResponseError> {
    let mut decoder = super::stream::Decoder::default();
    let mut events = Vec::new();
    decoder.feed(body.clone(), &mut events)?;
    decoder.finish(&mut events)?;
    let mut folder = Folder::default();
    for event in &events {
        folder.push(event);
    }
    folder.finish().map_err(|error| ResponseError::Upstream(*error))
}

/// A complaint of the parser.
pub(super) fn malformed(problem: &serde_json::Error) -> FilterError {
    FilterError::malformed("Gemini response", problem)
}

/// An answer without candidates, block or error.
fn empty() -> ErrorInfo {
    ErrorInfo::new(ErrorClass::Upstream, "the upstream answered without candidates").with_code("empty_response")
}

/// The model wrote a call that cannot be read, and nothing else; another attempt may do better.
pub(super) fn bad_call() -> ErrorInfo {
    ErrorInfo::new(ErrorClass::Upstream, "the model wrote a malformed function call")
        .with_code("malformed_function_call")
}

fn decode_candidate(
    whole: &Str,
    at: usize,
    candidate: &wire::Candidate<'_>,
    mint: &mut parts::Mint,
) -> Result<Candidate, FilterError> {
    let index = candidate.index.and_then(|index| u32::try_from(index.0).ok());
    let raw = candidate.content.as_ref().and_then(|content| content.parts);
    let mut decoded: Vec<Part> = Vec::new();
    // Where each part of the wire went, for citations.
    let mut places = Vec::new();
    for raw in list(raw).map_err(|problem| malformed(&problem))? {
        let part: wire::Part<'_> = serde_json::from_str(raw.get()).map_err(|problem| malformed(&problem))?;
        places.push(decoded.len());
        decoded.extend(parts::decode(whole, raw, &part, mint).filter(|part| !is_empty(part)));
    }
    for (place, citation) in grounding::decode(whole, candidate) {
        let at = places.get(place).copied().unwrap_or_default();
        let is_text = |part: &&mut Part| part.as_text().is_some_and(|text| !text.is_empty());
        if let Some(part) = decoded.iter_mut().skip(at).find(is_text) {
            part.citations.push(citation);
        }
    }
    let tokens = candidate.logprobs_result.as_ref().and_then(logprobs::decode);
    let saw_call = decoded.iter().any(|part| matches!(part.content, PartContent::ToolCall(_)));
    let finish = candidate.finish_reason.as_ref().and_then(finish::decode);
    Ok(Candidate {
        index: index.unwrap_or_else(|| u32::try_from(at).unwrap_or(u32::MAX)),
        parts: decoded,
        finish: finish.unwrap_or_else(|| Finish::new(FinishReason::Other)).with_calls(saw_call),
        logprobs: tokens.map(|tokens| {
            RawJson::from_checked(Str::from(format!("{{\"content\":{},\"refusal\":null}}", tokens.as_str())))
        }),
    })
}

fn is_empty(part: &Part) -> bool {
    match &part.content {
        PartContent::Text(text) => text.is_empty() && part.opaque.is_empty(),
        PartContent::Reasoning(reasoning) => {
            reasoning.text.as_deref().unwrap_or_default().is_empty() && reasoning.opaque.is_empty()
        }
        _ => false,
    }
}

/// Encodes a whole answer.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    out.extend_from_slice(b"{\"candidates\":[");
    for candidate in &response.candidates {
        encode_candidate(&mut out, candidate, reply);
    }
    out.extend_from_slice(b"]");
    usage::encode(&mut out, &response.usage.unwrap_or_default());
    emit::text(&mut out, "modelVersion", &reply.model);
    emit::text(&mut out, "responseId", if response.id.is_empty() { &reply.id } else { &response.id });
    out.extend_from_slice(b"}");
    out.freeze()
}

fn encode_candidate(out: &mut BytesMut, candidate: &Candidate, reply: &Reply) {
    emit::item(out);
    out.extend_from_slice(b"{\"content\":{\"parts\":[");
    let mut supports = Vec::new();
    let mut count = 0;
    for part in &candidate.parts {
        if let Some(text) = part.as_text() {
            supports.extend(part.citations.iter().map(|citation| grounding::Support::new(count, citation, text)));
        }
        count += encode_part(out, part, reply);
    }
    out.extend_from_slice(b"],\"role\":\"model\"}");
    emit::text(out, "finishReason", finish::encode(&candidate.finish));
    emit::number(out, "index", candidate.index);
    grounding::encode(out, &supports);
    if let Some(tokens) = &candidate.logprobs {
        logprobs::encode(out, tokens);
    }
    out.extend_from_slice(b"}");
}

/// Appends what a part is on the wire; gives the number of parts written.
pub(super) fn encode_part(out: &mut BytesMut, part: &Part, reply: &Reply) -> usize {
    let mut written = 1;
    let mut states = part.opaque.iter().map(|opaque| sealed(opaque, reply));
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => {
            write::text(out, text, false, states.next().as_deref());
        }
        PartContent::Reasoning(reasoning) => {
            let mut states = reasoning.opaque.iter().map(|opaque| sealed(opaque, reply));
            let shown = reasoning.text.as_deref().filter(|_| reply.show_reasoning).unwrap_or_default();
            let first = states.next();
            if shown.is_empty() && first.is_none() {
                return 0;
            }
            write::text(out, shown, true, first.as_deref());
            for state in states {
                write::text(out, "", true, Some(&state));
                written += 1;
            }
        }
        PartContent::ToolCall(call) => encode_call(out, call, states.next().as_deref()),
        PartContent::Media(media) => match inline(media) {
            Some((mime, data)) => {
                write::part(out, states.next().as_deref(), |out| write::inline_data(out, mime, data));
            }
            None => return 0,
        },
        PartContent::ServerCall(call) if call.family == Family::Gemini => {
            write::part(out, states.next().as_deref(), |out| write::server(out, &call.tool, false, &call.input));
        }
        PartContent::ServerResult(result) if result.family == Family::Gemini => {
            write::part(out, states.next().as_deref(), |out| write::server(out, &result.tool, true, &result.output));
        }
        PartContent::Unknown { family: Family::Gemini, raw } => {
            emit::item(out);
            out.extend_from_slice(raw.as_str().as_bytes());
        }
        // Tools that another vendor ran: the client cannot use what is left of them.
        _ => return 0,
    }
    for state in states {
        write::text(out, "", false, Some(&state));
        written += 1;
    }
    written
}

/// Appends a call for a client, which gets arguments as an object whatever the model wrote.
pub(super) fn encode_call(out: &mut BytesMut, call: &ToolCall, signature: Option<&str>) {
    let (args, _) = write::arguments(call);
    write::call(out, Some(&call.id), &call.name, &args, signature);
}

/// The media type and the base64 of media that are here.
fn inline(media: &Media) -> Option<(&str, &Str)> {
    let MediaSource::Base64(data) = &media.source else { return None };
    let mime = media.mime.as_deref().or_else(|| write::sniff(data)).unwrap_or("application/octet-stream");
    Some((mime, data))
}

/// Opaque state as it goes into a `thoughtSignature`: Gemini's own as it is, that of others in an envelope.
pub(super) fn sealed(opaque: &Opaque, reply: &Reply) -> Str {
    if opaque.family == Family::Gemini { opaque.data.clone() } else { reply.sealer.seal(opaque) }
}
