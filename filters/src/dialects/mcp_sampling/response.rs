//! Whole answers: `CreateMessageResult`.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::content::OPAQUE;
use crate::{
    dialects::Reply,
    json::{Writer, push_str},
    model::{
        CallKind, Finish, FinishReason, Media, MediaClass, MediaSource, Part, PartContent, Response, ToolCall, Usage,
    },
    seal::Sealer,
};

/// Encodes an answer. `listed` makes its content a list even if it is one block.
pub(super) fn encode(response: &Response, reply: &Reply, listed: bool) -> Bytes {
    let mut out = BytesMut::with_capacity(512);
    let mut result = Writer::object(&mut out);
    result.str("role", "assistant");
    // This dialect has one answer; requests for more cannot be made in it.
    let candidate = response.candidates.first();
    let parts = candidate.map(|candidate| candidate.parts.as_slice()).unwrap_or_default();
    let blocks = blocks(parts);
    match &blocks[..] {
        [] if !listed => Block::Text(String::new()).write(result.member("content"), &reply.sealer),
        [block] if !listed => block.write(result.member("content"), &reply.sealer),
        blocks => {
            let mut list = result.list("content");
            for block in blocks {
                block.write(list.element(), &reply.sealer);
            }
            list.end();
        }
    }
    result.str("model", if response.model.is_empty() { &reply.model } else { &response.model });
    let calls = blocks.iter().any(|block| matches!(block, Block::Call(..)));
    let refused = parts.iter().any(|part| matches!(part.content, PartContent::Refusal(_)));
    let unfinished = Finish::new(FinishReason::Other);
    result.str("stopReason", stop_reason(candidate.map_or(&unfinished, |candidate| &candidate.finish), calls, refused));
    if let Some(usage) = &response.usage {
        push_usage(&mut result, usage);
    }
    result.end();
    out.freeze()
}

/// Puts a result in its envelope; `id` is the request's, as JSON text.
pub(super) fn in_envelope(result: &[u8], id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(result.len() + id.len() + 40);
    let mut envelope = Writer::object(&mut out);
    envelope.str("jsonrpc", "2.0");
    envelope.raw("id", id);
    envelope.member("result").extend_from_slice(result);
    envelope.end();
    out.freeze()
}

/// A block of an answer.
#[derive(Debug)]
enum Block<'a> {
    Text(String),
    Media(&'a Media),
    Call(&'a Part, &'a ToolCall),
}

/// What of an answer this dialect can hold. Texts that follow each other are one; thinking has no place, and is not
/// shown as text.
fn blocks(parts: &[Part]) -> Vec<Block<'_>> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) => match blocks.last_mut() {
                Some(Block::Text(last)) => last.push_str(text),
                _ if text.is_empty() => {}
                _ => blocks.push(Block::Text(text.to_string())),
            },
            PartContent::Media(media) if is_sendable(media) => blocks.push(Block::Media(media)),
            PartContent::ToolCall(call) => blocks.push(Block::Call(part, call)),
            _ => {}
        }
    }
    blocks
}

fn is_sendable(media: &Media) -> bool {
    matches!(media.class, MediaClass::Image | MediaClass::Audio)
        && matches!(media.source, MediaSource::Base64(_) | MediaSource::Bytes(_))
}

impl Block<'_> {
    fn write(&self, out: &mut BytesMut, sealer: &Sealer) {
        match self {
            Self::Text(text) => {
                let mut block = Writer::of_type(out, "text");
                block.str("text", text);
                block.end();
            }
            Self::Media(media) => push_media(out, media),
            Self::Call(part, call) => push_call(out, part, call, sealer),
        }
    }
}

fn push_media(out: &mut BytesMut, media: &Media) {
    let (kind, mime) = match media.class {
        MediaClass::Audio => ("audio", "audio/mpeg"),
        _ => ("image", "image/png"),
    };
    let mut block = Writer::of_type(out, kind);
    match &media.source {
        MediaSource::Base64(data) => block.str("data", data),
        MediaSource::Bytes(bytes) => block.str("data", &STANDARD.encode(bytes)),
        _ => block.str("data", ""),
    }
    block.str("mimeType", media.mime.as_deref().unwrap_or(mime));
    block.end();
}

fn push_call(out: &mut BytesMut, part: &Part, call: &ToolCall, sealer: &Sealer) {
    let mut block = Writer::of_type(out, "tool_use");
    block.str("id", &call.id);
    block.str("name", &call.name);
    let args = call.args.trim();
    let is_object = args.starts_with('{') && serde_json::from_str::<&RawValue>(args).is_ok();
    match call.kind {
        CallKind::Function if args.is_empty() => block.raw("input", "{}"),
        CallKind::Function if is_object => block.raw("input", args),
        // The wire has objects alone.
        kind => {
            let mut input = block.nested("input");
            input.str(if kind == CallKind::Custom { "input" } else { "_raw" }, &call.args);
            input.end();
        }
    }
    if !part.opaque.is_empty() {
        let mut meta = block.nested("_meta");
        let mut list = meta.list(OPAQUE);
        for opaque in &part.opaque {
            push_str(list.element(), &sealer.seal(opaque));
        }
        list.end();
        meta.end();
    }
    block.end();
}

fn push_usage(result: &mut Writer<'_>, usage: &Usage) {
    let mut meta = result.nested("_meta");
    let mut counts = meta.nested("lockgate/usage");
    counts.u64("inputTokens", usage.input());
    counts.u64("outputTokens", usage.output());
    counts.u64("totalTokens", usage.total());
    counts.u64("reasoningTokens", usage.output_reasoning);
    counts.u64("cachedInputTokens", usage.input_cache_read);
    counts.end();
    meta.end();
}

/// The word for a reason. The set is open: a provider's own word is better than none.
fn stop_reason(finish: &Finish, calls: bool, refused: bool) -> &str {
    match finish.clone().with_calls(calls).reason {
        FinishReason::Stop if refused => "refusal",
        FinishReason::ToolCalls if calls => "toolUse",
        // A peer would wait for a call that never came.
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::BadToolCall => "endTurn",
        FinishReason::StopSequence => "stopSequence",
        FinishReason::Length | FinishReason::ContextFull => "maxTokens",
        FinishReason::ContentFilter => "contentFilter",
        FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pauseTurn",
        FinishReason::Other => finish.raw.as_deref().unwrap_or("endTurn"),
    }
}
