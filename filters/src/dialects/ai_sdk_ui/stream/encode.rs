//! Writes a client's stream.
//!
//! Chunks name the part that they belong to, so parts may interleave as they come. A part is announced with its first
//! words and closed before its step is; the input of a call comes in pieces and then once more, parsed. The end waits
//! for the end of the upstream's stream, because counts may come after the finish.

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{
    super::{
        finish::{self, Seen},
        metadata::Outgoing,
    },
    frame::{self, Summary, chunk},
};
use crate::{
    dialects::{Reply, StreamEncoder},
    json::{push_raw_str, push_u64},
    model::{
        CallKind, Citation, Delta, Event, Finish, FinishReason, Opaque, Part as WholePart, PartContent, PartKey,
        PartKind, PartStart, RawJson, ServerCall, Start, Str, ToolCall, Usage,
    },
};

/// What ends a chunk whose last member is text.
const TEXT_END: &[u8] = b"\"}\n\n";

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    reply: Reply,
    phase: Phase,
    /// The part whose text came last, with all that stands before the text in its chunks.
    hot: Option<Hot>,
    parts: Vec<Part>,
    /// Sources that were named, each once.
    sources: Vec<Str>,
    /// Calls of the provider's tools that were announced.
    server_calls: Vec<Str>,
    seen: Seen,
    /// The model that serves, as the provider names it.
    model: Str,
    usage: Option<Usage>,
    finish: Option<Box<Finish>>,
}

/// Where the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been written.
    Before,
    /// From `start` on.
    Open,
    /// From the terminator on.
    Done,
}

#[derive(Debug)]
struct Hot {
    part: PartKey,
    prefix: BytesMut,
    /// What comes is a call's input, which is kept too.
    is_input: bool,
}

/// A part that has begun and not ended.
#[derive(Debug)]
struct Part {
    key: PartKey,
    kind: Kind,
    opaque: Vec<Opaque>,
}

#[derive(Debug)]
enum Kind {
    Text { started: bool, citations: Vec<Citation> },
    Reasoning { started: bool },
    Call { call: Box<ToolCall>, input: String },
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if self.phase == Phase::Done {
            return;
        }
        match event {
            Event::Delta { part, delta } => self.delta(*part, delta, out),
            Event::Start(start) => {
                self.start(out);
                self.note(start);
            }
            Event::PartStart(start) if start.candidate == 0 => self.part_start(start, out),
            Event::PartEnd(key) => self.part_end(*key, out),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Finish { candidate: 0, finish } => self.finish = Some(finish.clone()),
            Event::Error(error) => {
                // Open parts stay open: the client keeps them as what they are, unfinished.
                chunk(out, "error", |chunk| chunk.str("errorText", &error.message));
                frame::done(out);
                self.phase = Phase::Done;
            }
            Event::End => self.end(out),
            // The message has one answer; a ping says nothing.
            Event::PartStart(_) | Event::Finish { .. } | Event::Ping => {}
        }
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub(in super::super) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
            phase: Phase::Before,
            hot: None,
            parts: Vec::new(),
            sources: Vec::new(),
            server_calls: Vec::new(),
            seen: Seen::default(),
            model: Str::new(),
            usage: None,
            finish: None,
        }
    }

    /// Before → Open. No id: the client has one for its message, and may be continuing an earlier one.
    fn start(&mut self, out: &mut BytesMut) {
        if self.phase == Phase::Before {
            self.phase = Phase::Open;
            chunk(out, "start", |_| {});
            chunk(out, "start-step", |_| {});
        }
    }

    fn note(&mut self, start: &Start) {
        self.model = start.model.clone();
        self.usage = start.usage.or(self.usage);
    }

    fn part_start(&mut self, start: &PartStart, out: &mut BytesMut) {
        self.start(out);
        let kind = match &start.kind {
            PartKind::Text => Kind::Text { started: false, citations: Vec::new() },
            PartKind::Refusal => {
                self.seen.refusal = true;
                Kind::Text { started: false, citations: Vec::new() }
            }
            PartKind::Reasoning => Kind::Reasoning { started: false },
            PartKind::Redacted(opaque) => return self.redacted(start.part, opaque, out),
            PartKind::ToolCall(call) => {
                self.seen.call = true;
                chunk(out, "tool-input-start", |chunk| {
                    chunk.str("toolCallId", &call.id);
                    chunk.str("toolName", &call.name);
                    if call.kind == CallKind::Custom {
                        chunk.str("inputEncoding", "text");
                    }
                });
                Kind::Call { call: Box::new(call.clone()), input: call.args.to_string() }
            }
            PartKind::Whole(part) => return self.whole(start.part, part, out),
        };
        self.parts.push(Part { key: start.part, kind, opaque: Vec::new() });
    }

    fn delta(&mut self, key: PartKey, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) | Delta::Args(text) => self.text(key, text, out),
            Delta::Opaque(opaque) => {
                if let Some(part) = self.part(key) {
                    part.opaque.push((**opaque).clone());
                }
            }
            Delta::Citation(citation) => {
                if let Some(Part { kind: Kind::Text { citations, .. }, .. }) = self.part(key) {
                    citations.push((**citation).clone());
                    self.source(citation, out);
                }
            }
            // Log probabilities have no place on this wire.
            Delta::Logprobs(_) => {}
        }
    }

    fn part(&mut self, key: PartKey) -> Option<&mut Part> {
        self.parts.iter_mut().rev().find(|part| part.key == key)
    }

    /// Text of any part. The chunks of one part differ in nothing but the text, so the rest is rendered once.
    fn text(&mut self, key: PartKey, text: &Str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        let is_hot = self.hot.as_ref().is_some_and(|hot| hot.part == key);
        if !is_hot && !self.heat(key, out) {
            return;
        }
        let Some(hot) = &self.hot else { return };
        out.reserve(hot.prefix.len() + text.len() + TEXT_END.len());
        out.extend_from_slice(&hot.prefix);
        push_raw_str(out, text);
        out.extend_from_slice(TEXT_END);
        if hot.is_input
            && let Some(Part { kind: Kind::Call { input, .. }, .. }) = self.part(key)
        {
            input.push_str(text);
        }
    }

    /// Announces a part if it has not been, and renders what stands before its text. Gives false if its text is not to
    /// be seen.
    fn heat(&mut self, key: PartKey, out: &mut BytesMut) -> bool {
        let show_reasoning = self.reply.show_reasoning;
        let mut prefix = self.hot.take().map_or_else(BytesMut::new, |hot| hot.prefix);
        prefix.clear();
        let Some(part) = self.part(key) else { return false };
        let is_input = match &mut part.kind {
            Kind::Reasoning { .. } if !show_reasoning => return false,
            Kind::Text { started, .. } => {
                announce("text-start", key, started, out);
                prefix.extend_from_slice(b"data: {\"type\":\"text-delta\",\"id\":\"");
                push_u64(&mut prefix, key.0.into());
                prefix.extend_from_slice(b"\",\"delta\":\"");
                false
            }
            Kind::Reasoning { started } => {
                announce("reasoning-start", key, started, out);
                prefix.extend_from_slice(b"data: {\"type\":\"reasoning-delta\",\"id\":\"");
                push_u64(&mut prefix, key.0.into());
                prefix.extend_from_slice(b"\",\"delta\":\"");
                false
            }
            Kind::Call { call, .. } => {
                prefix.extend_from_slice(b"data: {\"type\":\"tool-input-delta\",\"toolCallId\":\"");
                push_raw_str(&mut prefix, &call.id);
                prefix.extend_from_slice(b"\",\"inputTextDelta\":\"");
                true
            }
        };
        self.hot = Some(Hot { part: key, prefix, is_input });
        true
    }

    fn part_end(&mut self, key: PartKey, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|part| part.key == key) else { return };
        let part = self.parts.remove(at);
        self.hot = self.hot.take().filter(|hot| hot.part != key);
        let sealer = &self.reply.sealer;
        match part.kind {
            Kind::Text { mut started, citations } => {
                if started || !part.opaque.is_empty() {
                    announce("text-start", key, &mut started, out);
                    let outgoing = Outgoing { opaque: &part.opaque, citations: &citations, family: None };
                    chunk(out, "text-end", |chunk| {
                        identify(key, chunk);
                        outgoing.write(chunk, sealer);
                    });
                }
            }
            Kind::Reasoning { mut started } => {
                if started || !part.opaque.is_empty() {
                    announce("reasoning-start", key, &mut started, out);
                    let outgoing = Outgoing { opaque: &part.opaque, ..Outgoing::default() };
                    chunk(out, "reasoning-end", |chunk| {
                        identify(key, chunk);
                        outgoing.write(chunk, sealer);
                    });
                }
            }
            Kind::Call { call, input } => self.call_end(&call, &input, &part.opaque, out),
        }
    }

    /// A call's input once more, as the client reads it.
    fn call_end(&self, call: &ToolCall, input: &str, opaque: &[Opaque], out: &mut BytesMut) {
        let input = match call.kind {
            CallKind::Function if input.trim().is_empty() => "{}",
            _ => input,
        };
        let is_json = call.kind == CallKind::Function && serde_json::from_str::<&RawValue>(input).is_ok();
        let is_bad = call.kind == CallKind::Function && !is_json;
        let kind = if is_bad { "tool-input-error" } else { "tool-input-available" };
        let outgoing = Outgoing { opaque, ..Outgoing::default() };
        chunk(out, kind, |chunk| {
            chunk.str("toolCallId", &call.id);
            chunk.str("toolName", &call.name);
            if is_json {
                chunk.raw("input", input.trim());
            } else {
                chunk.str("input", input);
            }
            if is_bad {
                chunk.str("errorText", "the model wrote input for this tool that is not JSON");
            }
            outgoing.write(chunk, &self.reply.sealer);
        });
    }

    fn redacted(&self, key: PartKey, opaque: &Opaque, out: &mut BytesMut) {
        let outgoing = Outgoing { opaque: std::slice::from_ref(opaque), ..Outgoing::default() };
        announce("reasoning-start", key, &mut false, out);
        chunk(out, "reasoning-end", |chunk| {
            identify(key, chunk);
            outgoing.write(chunk, &self.reply.sealer);
        });
    }

    /// A part that comes in one piece.
    fn whole(&mut self, key: PartKey, part: &WholePart, out: &mut BytesMut) {
        let sealer = &self.reply.sealer;
        match &part.content {
            PartContent::Media(media) => {
                let outgoing = Outgoing { opaque: &part.opaque, ..Outgoing::default() };
                frame::file(out, media, outgoing, sealer);
            }
            PartContent::ServerCall(call) => {
                frame::server_call(out, call, sealer);
                self.server_calls.push(call.id.clone());
            }
            PartContent::ServerResult(result) => {
                // A result without its call stops the client.
                if !self.server_calls.contains(&result.id) {
                    let (id, tool) = (result.id.clone(), result.tool.clone());
                    let input = RawJson::from_checked(Str::from_static("{}"));
                    self.server_calls.push(id.clone());
                    frame::server_call(out, &ServerCall { id, tool, input, family: result.family }, sealer);
                }
                frame::server_result(out, result, sealer);
            }
            PartContent::Text(text) if !text.is_empty() => {
                let start = PartStart { candidate: 0, part: key, kind: PartKind::Text };
                self.part_start(&start, out);
                self.text(key, text, out);
                self.part_end(key, out);
            }
            // What only its own vendor understands means nothing to the SDK.
            _ => {}
        }
    }

    /// Names a source, the first time that it comes.
    fn source(&mut self, citation: &Citation, out: &mut BytesMut) {
        let Some(source) = citation.url.as_ref().or(citation.title.as_ref()).filter(|source| !source.is_empty()) else {
            return;
        };
        if self.sources.contains(source) {
            return;
        }
        self.sources.push(source.clone());
        let id = format!("source-{}", self.sources.len());
        if citation.url.is_some() {
            chunk(out, "source-url", |chunk| {
                chunk.str("sourceId", &id);
                chunk.str("url", source);
                chunk.maybe_str("title", citation.title.as_deref());
            });
        } else {
            chunk(out, "source-document", |chunk| {
                chunk.str("sourceId", &id);
                // Nobody says what the document is; the member is required.
                chunk.str("mediaType", "application/octet-stream");
                chunk.str("title", source);
            });
        }
    }

    /// Open → Done.
    fn end(&mut self, out: &mut BytesMut) {
        self.start(out);
        let open: Vec<PartKey> = self.parts.iter().map(|part| part.key).collect();
        for key in open {
            self.part_end(key, out);
        }
        let finish = self.finish.take().unwrap_or_else(|| Box::new(Finish::new(FinishReason::Other)));
        chunk(out, "finish-step", |_| {});
        let model = if self.reply.model.is_empty() { &self.model } else { &self.reply.model };
        frame::finish(
            out,
            &Summary {
                word: finish::word(&finish, self.seen),
                model,
                created: self.reply.created,
                usage: self.usage.as_ref(),
                finish: &finish,
            },
        );
        frame::done(out);
        self.phase = Phase::Done;
    }
}

/// Announces a part, once.
fn announce(kind: &str, key: PartKey, started: &mut bool, out: &mut BytesMut) {
    if !std::mem::replace(started, true) {
        chunk(out, kind, |chunk| identify(key, chunk));
    }
}

/// Writes the id of a part of text or thinking.
fn identify(key: PartKey, chunk: &mut crate::json::Writer<'_>) {
    let out = chunk.member("id");
    out.extend_from_slice(b"\"");
    push_u64(out, key.0.into());
    out.extend_from_slice(b"\"");
}
