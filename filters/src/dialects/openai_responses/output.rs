//! Items as they are written for a client, and the response object that holds them.

use bytes::BytesMut;

use super::{citation, finish::End, usage, wire::Writer};
use crate::{
    dialects::Reply,
    model::{CallKind, Citation, Family, Media, MediaClass, MediaSource, Opaque, Span, SpanUnit, Str, ToolCall, Usage},
    openai::ids::mint_id,
};

/// The id of an item of an answer: the same answer always gives the same.
pub(super) fn item_id(prefix: &str, answer: &str, index: usize) -> Str {
    let minted = mint_id(answer, u32::try_from(index).unwrap_or(u32::MAX));
    Str::from(format!("{prefix}_{}", minted.strip_prefix("call_").unwrap_or(&minted)))
}

/// A part of a message: text with what it rests on, or a refusal.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) is_refusal: bool,
    pub(super) text: String,
    /// Annotations so far, without brackets.
    annotations: BytesMut,
    pub(super) annotation_count: u64,
    /// Tokens' probabilities so far, without brackets.
    logprobs: BytesMut,
    /// Where in the text characters were counted last: in bytes, and in characters.
    counted: (usize, usize),
}

impl Content {
    /// An empty part, with room for a short answer.
    pub(super) fn new(is_refusal: bool) -> Self {
        const ROOM: usize = 1024;
        Self { is_refusal, text: String::with_capacity(ROOM), ..Self::default() }
    }

    /// Takes a source of the text from `start` on, a position in bytes; gives the annotation.
    pub(super) fn cite(&mut self, citation: &Citation, start: usize) -> BytesMut {
        let span = self.span(citation.span, start);
        let mut annotation = BytesMut::new();
        citation::push(&mut annotation, citation, span);
        extend(&mut self.annotations, &annotation);
        self.annotation_count += 1;
        annotation
    }

    /// Takes tokens' probabilities, without brackets.
    pub(super) fn add_logprobs(&mut self, tokens: &str) {
        extend(&mut self.logprobs, tokens.as_bytes());
    }

    /// Appends the list of probabilities.
    pub(super) fn push_logprobs(&self, out: &mut BytesMut) {
        list(out, &self.logprobs);
    }

    /// Appends the part.
    pub(super) fn push(&self, out: &mut BytesMut) {
        if self.is_refusal {
            let mut part = Writer::of_type(out, "refusal");
            part.str("refusal", &self.text);
            return part.end();
        }
        let mut part = Writer::of_type(out, "output_text");
        list(part.member("annotations"), &self.annotations);
        list(part.member("logprobs"), &self.logprobs);
        part.str("text", &self.text);
        part.end();
    }

    /// A span in characters of the whole part, of one that counts from `start`.
    fn span(&mut self, span: Option<Span>, start: usize) -> (usize, usize) {
        match span {
            None => (self.char_at(start), self.char_at(self.text.len())),
            Some(Span { start: from, end: to, unit: SpanUnit::Char }) => {
                let base = self.char_at(start);
                (base.saturating_add(from as usize), base.saturating_add(to as usize))
            }
            Some(Span { start: from, end: to, unit: SpanUnit::Byte }) => {
                let at = |position: u32| start.saturating_add(position as usize);
                (self.char_at(at(from)), self.char_at(at(to)))
            }
        }
    }

    /// The number of characters before a byte. Sources come mostly in order, so counting goes on where it ended.
    fn char_at(&mut self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let (from, before) = if byte >= self.counted.0 { self.counted } else { (0, 0) };
        let chars = before + self.text.get(from..byte).map_or(0, |text| text.chars().count());
        self.counted = (byte, chars);
        chars
    }
}

/// Appends to a list that has no brackets yet.
fn extend(list: &mut BytesMut, element: &[u8]) {
    if !list.is_empty() {
        list.extend_from_slice(b",");
    }
    list.extend_from_slice(element);
}

fn list(out: &mut BytesMut, inside: &[u8]) {
    out.extend_from_slice(b"[");
    out.extend_from_slice(inside);
    out.extend_from_slice(b"]");
}

/// Appends a message.
pub(super) fn push_message(out: &mut BytesMut, id: &str, status: &str, contents: &[Content]) {
    let mut item = Writer::object(out);
    item.str("id", id);
    item.str("type", "message");
    item.str("status", status);
    item.str("role", "assistant");
    let mut list = item.list("content");
    for content in contents {
        content.push(list.element());
    }
    list.end();
    item.end();
}

/// Appends a reasoning item: its words as a summary, and its state.
pub(super) fn push_reasoning(out: &mut BytesMut, id: &str, text: &str, state: Option<&str>) {
    let mut item = Writer::object(out);
    item.str("id", id);
    item.str("type", "reasoning");
    let mut summary = item.list("summary");
    if !text.is_empty() {
        push_summary(summary.element(), text);
    }
    summary.end();
    item.maybe_str("encrypted_content", state);
    item.end();
}

/// Appends a part of a summary.
pub(super) fn push_summary(out: &mut BytesMut, text: &str) {
    let mut part = Writer::of_type(out, "summary_text");
    part.str("text", text);
    part.end();
}

/// What stands in `encrypted_content`: this family's own as it is, others' sealed.
pub(super) fn state(opaque: &Opaque, reply: &Reply) -> Str {
    if opaque.family == Family::OpenAi { opaque.data.clone() } else { reply.sealer.seal(opaque) }
}

/// The id of a reasoning item: the one that its state is bound to, if it is this family's.
pub(super) fn reasoning_id(opaque: Option<&Opaque>, answer: &str, index: usize) -> Str {
    let bound = opaque.filter(|opaque| opaque.family == Family::OpenAi).and_then(|opaque| opaque.id.clone());
    bound.unwrap_or_else(|| item_id("rs", answer, index))
}

/// How the items of a kind of call are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallWords {
    pub(super) prefix: &'static str,
    pub(super) kind: &'static str,
    /// The member that holds what the call is made with.
    pub(super) args: &'static str,
    /// The events that say more of it, and all of it.
    pub(super) delta: &'static str,
    pub(super) done: &'static str,
}

/// How the items of a kind of call are written.
pub(super) fn call_words(kind: CallKind) -> CallWords {
    match kind {
        CallKind::Function => CallWords {
            prefix: "fc",
            kind: "function_call",
            args: "arguments",
            delta: "response.function_call_arguments.delta",
            done: "response.function_call_arguments.done",
        },
        CallKind::Custom => CallWords {
            prefix: "ctc",
            kind: "custom_tool_call",
            args: "input",
            delta: "response.custom_tool_call_input.delta",
            done: "response.custom_tool_call_input.done",
        },
    }
}

/// What a call is made with: a function without arguments has those of an empty object.
pub(super) fn args_of<'a>(call: &ToolCall, args: &'a str) -> &'a str {
    if call.kind == CallKind::Function && args.trim().is_empty() { "{}" } else { args }
}

/// Appends a call, made with `args`.
pub(super) fn push_call(out: &mut BytesMut, id: &str, status: &str, call: &ToolCall, args: &str) {
    let words = call_words(call.kind);
    let mut item = Writer::object(out);
    item.str("id", id);
    item.str("type", words.kind);
    item.str("status", status);
    item.str("call_id", &call.id);
    item.str("name", &call.name);
    item.str(words.args, args);
    item.end();
}

/// Appends a picture that the model made; false if it is none that can be written.
pub(super) fn push_picture(out: &mut BytesMut, id: &str, media: &Media) -> bool {
    let MediaSource::Base64(data) = &media.source else { return false };
    if media.class != MediaClass::Image {
        return false;
    }
    let format = media.mime.as_deref().and_then(|mime| mime.strip_prefix("image/")).unwrap_or("png");
    let mut item = Writer::object(out);
    item.str("id", id);
    item.str("type", "image_generation_call");
    item.str("status", "completed");
    item.str("output_format", format);
    item.str("result", data);
    item.end();
    true
}

/// What a response object says of its answer.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    /// `None` while the answer is being written.
    pub(super) end: Option<&'a End>,
    pub(super) usage: Option<&'a Usage>,
    pub(super) tier: Option<&'a str>,
}

/// Appends a response object; `items` writes what stands between the brackets of `output`. Members that strict
/// clients require are always there; those that repeat a request have the values of one that says nothing.
pub(super) fn push_response(out: &mut BytesMut, head: &Head<'_>, items: impl FnOnce(&mut Writer<'_>)) {
    let mut body = Writer::object(out);
    body.str("id", head.id);
    body.str("object", "response");
    body.u64("created_at", head.created);
    body.str("status", head.end.map_or("in_progress", End::status));
    body.raw("background", "false");
    match head.end {
        Some(End::Failed(error)) => {
            let mut object = body.nested("error");
            object.str("code", &super::error::code(error));
            object.str("message", &error.message);
            object.end();
        }
        _ => body.raw("error", "null"),
    }
    match head.end {
        Some(End::Incomplete(reason)) => {
            let mut details = body.nested("incomplete_details");
            details.str("reason", reason);
            details.end();
        }
        _ => body.raw("incomplete_details", "null"),
    }
    body.raw("instructions", "null");
    body.raw("max_output_tokens", "null");
    body.raw("max_tool_calls", "null");
    body.str("model", head.model);
    let mut output = body.list("output");
    items(&mut output);
    output.end();
    body.raw("parallel_tool_calls", "true");
    body.raw("previous_response_id", "null");
    body.raw("prompt_cache_key", "null");
    body.raw("reasoning", r#"{"effort":null,"summary":null}"#);
    body.raw("safety_identifier", "null");
    match head.tier {
        Some(tier) => body.str("service_tier", tier),
        None => body.raw("service_tier", "null"),
    }
    body.raw("store", "false");
    body.raw("temperature", "null");
    body.raw("text", r#"{"format":{"type":"text"},"verbosity":null}"#);
    body.raw("tool_choice", r#""auto""#);
    body.raw("tools", "[]");
    body.raw("top_logprobs", "0");
    body.raw("top_p", "null");
    body.raw("truncation", r#""disabled""#);
    match head.usage {
        Some(usage) => usage::encode(usage, body.member("usage")),
        None => body.raw("usage", "null"),
    }
    body.raw("user", "null");
    body.raw("metadata", "{}");
    body.end();
}
