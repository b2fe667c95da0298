//! Writes a client's stream.
//!
//! The wire has one part open at a time, content and calls numbered each by themselves; what interleaves goes through
//! the sequencer. Parts open with their first words; `message-end` waits for the end, because counts may come after
//! the finish. A stream that fails ends with `message-end` too, with `error` in it: the wire has no other place.

use bytes::{BufMut, BytesMut};

use super::{
    super::{
        citations::{self, Positions},
        finish, logprobs,
        response::push_arguments,
        thinking, usage,
        wire::Writer,
    },
    DONE,
};
use crate::{
    dialects::{Reply, StreamEncoder},
    json::{push_raw_str, push_u64},
    model::{
        CallKind, Citation, Delta, ErrorInfo, Event, Finish, FinishReason, PartKey, PartKind, PartStart, Start, Str,
        ToolCall, Usage,
    },
    stream::Sequencer,
};

/// Where the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been written.
    Before,
    /// From `message-start` on.
    Open,
    /// From `message-end` on.
    Done,
}

/// The part that the sequencer has open.
#[derive(Debug)]
enum Block {
    None,
    /// Text; its events begin with its first words.
    Text {
        started: bool,
    },
    /// Thinking, or a plan if its state says so; likewise.
    Thinking {
        started: bool,
        plan: bool,
    },
    /// A call whose arguments stream; whether some have come.
    Call {
        any: bool,
    },
    /// A call of free text, which becomes an object when it is whole.
    FreeCall {
        call: Box<ToolCall>,
        text: String,
    },
    /// Nothing is written of it.
    Silent,
}

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    id: Str,
    show_reasoning: bool,
    phase: Phase,
    sequencer: Sequencer,
    /// Events that the sequencer let through; kept for its memory.
    ready: Vec<Event>,
    block: Block,
    /// The part whose deltas need nothing but framing, and whether they are arguments.
    live: Option<(PartKey, bool)>,
    /// All that stands before the text in a delta event of the open part, and behind it.
    head: BytesMut,
    tail: &'static [u8],
    /// The numbers of the next content part, call and citation.
    contents: u64,
    calls: u64,
    citations: u64,
    /// The text of the open part, for its citations.
    positions: Positions,
    /// Citations of the open part that wait for its end.
    held: Vec<Citation>,
    usage: Option<Usage>,
    finish: Option<Box<Finish>>,
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if let (Event::Delta { part, delta }, Some((live, is_args))) = (event, self.live)
            && *part == live
        {
            // The sequencer would let a delta of the open part through; not asking it saves a copy.
            match delta {
                Delta::Text(text) if !is_args => return self.words(text, out),
                Delta::Args(text) if is_args => return self.framed(text, out),
                _ => {}
            }
        }
        self.encode_slow(event, out);
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub(in super::super) fn new(reply: &Reply) -> Self {
        Self {
            id: reply.id.clone(),
            show_reasoning: reply.show_reasoning,
            phase: Phase::Before,
            sequencer: Sequencer::default(),
            ready: Vec::new(),
            block: Block::None,
            live: None,
            head: BytesMut::new(),
            tail: b"",
            contents: 0,
            calls: 0,
            citations: 0,
            positions: Positions::default(),
            held: Vec::new(),
            usage: None,
            finish: None,
        }
    }

    fn encode_slow(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            _ if self.phase == Phase::Done => return,
            // Open parts stay open: a half-written call must not look whole.
            Event::Error(error) => return self.fail(error, out),
            // The wire has one answer.
            Event::PartStart(start) if start.candidate != 0 => return,
            Event::Finish { candidate, .. } if *candidate != 0 => return,
            _ => {}
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.sequencer.push(event.clone(), &mut ready);
        for event in ready.drain(..) {
            self.write(event, out);
        }
        self.ready = ready;
    }

    fn write(&mut self, event: Event, out: &mut BytesMut) {
        match event {
            Event::Start(start) => self.message_start(&start, out),
            Event::PartStart(start) => self.begin(*start, out),
            Event::Delta { part, delta } => self.delta(part, delta, out),
            Event::PartEnd(_) => self.close(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { finish, .. } => self.finish = Some(finish),
            Event::End => self.end(out),
            Event::Ping | Event::Error(_) => {}
        }
    }

    /// Before → Open.
    fn message_start(&mut self, start: &Start, out: &mut BytesMut) {
        if self.phase != Phase::Before {
            return;
        }
        self.phase = Phase::Open;
        // All that some upstreams count; what comes later replaces it.
        self.usage = start.usage.or(self.usage);
        if !start.id.is_empty() {
            self.id = start.id.clone();
        }
        event(out, "message-start", |object| {
            object.str("id", &self.id);
            object.raw(
                "delta",
                r#"{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}"#,
            );
        });
    }

    fn begin(&mut self, start: PartStart, out: &mut BytesMut) {
        self.message_start(&Start::default(), out);
        self.block = match start.kind {
            PartKind::Text | PartKind::Refusal => Block::Text { started: false },
            PartKind::Reasoning if self.show_reasoning => Block::Thinking { started: false, plan: false },
            PartKind::ToolCall(call) if call.kind == CallKind::Custom => {
                Block::FreeCall { call: Box::new(call), text: String::new() }
            }
            PartKind::ToolCall(call) => {
                self.call_start(&call, out);
                self.live = Some((start.part, true));
                Block::Call { any: false }
            }
            // Withheld thinking, hidden thinking and what comes whole have no place on the wire.
            _ => Block::Silent,
        };
    }

    fn delta(&mut self, part: PartKey, delta: Delta, out: &mut BytesMut) {
        match (&mut self.block, delta) {
            (Block::Text { started }, Delta::Text(text)) if !text.is_empty() => {
                if !std::mem::replace(started, true) {
                    self.content_start("text", out);
                    self.live = Some((part, false));
                }
                self.words(&text, out);
            }
            (Block::Thinking { started: false, plan }, Delta::Opaque(opaque)) => *plan = thinking::is_plan(&opaque),
            (Block::Thinking { started, plan }, Delta::Text(text)) if !text.is_empty() => {
                let plan = *plan;
                if !std::mem::replace(started, true) {
                    if plan {
                        self.set_frame("tool-plan-delta", None, r#""tool_plan":""#, b"\"}}}\n\n");
                    } else {
                        self.content_start("thinking", out);
                    }
                    self.live = Some((part, false));
                }
                self.words(&text, out);
            }
            (Block::Text { started: true }, Delta::Citation(citation)) if citation.span.is_some() => {
                self.citation(&citation, out);
            }
            // What covers all of its part, or comes before it, waits for its end.
            (Block::Text { .. }, Delta::Citation(citation)) => self.held.push(*citation),
            (Block::Text { started: true }, Delta::Logprobs(tokens)) => {
                let content = self.contents - 1;
                for (text, logprob) in logprobs::tokens(tokens.as_str()) {
                    event(out, "content-delta", |object| {
                        object.u64("index", content);
                        object.raw("delta", r#"{"message":{"content":{"text":""}}}"#);
                        logprobs::push(object.member("logprobs"), &text, logprob);
                    });
                }
            }
            (Block::FreeCall { text, .. }, Delta::Args(more)) => text.push_str(&more),
            // Of a call that had to wait.
            (Block::Call { .. }, Delta::Args(text)) => self.framed(&text, out),
            // Other vendors' opaque state has no place on the wire; what is left says nothing.
            _ => {}
        }
    }

    fn close(&mut self, out: &mut BytesMut) {
        self.live = None;
        match std::mem::replace(&mut self.block, Block::None) {
            Block::Text { started: true } | Block::Thinking { started: true, plan: false } => {
                for citation in std::mem::take(&mut self.held) {
                    self.citation(&citation, out);
                }
                let index = self.contents - 1;
                event(out, "content-end", |object| object.u64("index", index));
                self.positions = Positions::default();
            }
            // Nothing was said that could have a source.
            Block::Text { started: false } => self.held.clear(),
            Block::Call { any } => {
                if !any {
                    self.framed("{}", out);
                }
                self.call_end(out);
            }
            Block::FreeCall { call, text } => {
                self.call_start(&call, out);
                let mut args = BytesMut::new();
                push_arguments(&mut args, &ToolCall { args: Str::from(text), ..*call });
                out.extend_from_slice(&self.head);
                // The arguments are a JSON string already, with its quotes.
                out.extend_from_slice(args.get(1..args.len().saturating_sub(1)).unwrap_or_default());
                out.extend_from_slice(self.tail);
                self.call_end(out);
            }
            _ => {}
        }
    }

    /// A source of the open part's text.
    fn citation(&mut self, citation: &Citation, out: &mut BytesMut) {
        let (index, content) = (self.citations, self.contents - 1);
        self.citations += 1;
        let span = self.positions.span(citation.span);
        event(out, "citation-start", |object| {
            object.u64("index", index);
            let mut delta = object.nested("delta");
            let mut message = delta.nested("message");
            citations::push(message.member("citations"), citation, span, None, content);
            message.end();
            delta.end();
        });
        event(out, "citation-end", |object| object.u64("index", index));
    }

    /// A delta of the open part's text.
    fn words(&mut self, text: &str, out: &mut BytesMut) {
        if matches!(self.block, Block::Text { .. }) {
            self.positions.push(text);
        }
        self.framed(text, out);
    }

    /// A delta of the kind that was prepared.
    fn framed(&mut self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if let Block::Call { any } = &mut self.block {
            // Blanks alone are no JSON, and before it they say nothing.
            if !*any && text.trim_ascii().is_empty() {
                return;
            }
            *any = true;
        }
        out.reserve(self.head.len() + text.len() + self.tail.len());
        out.extend_from_slice(&self.head);
        push_raw_str(out, text);
        out.extend_from_slice(self.tail);
    }

    /// Prepares the deltas of the open part.
    fn set_frame(&mut self, name: &str, index: Option<u64>, member: &str, tail: &'static [u8]) {
        self.head.clear();
        self.head.put_slice(b"event: ");
        self.head.put_slice(name.as_bytes());
        self.head.put_slice(b"\ndata: {\"type\":\"");
        self.head.put_slice(name.as_bytes());
        self.head.put_slice(b"\",");
        if let Some(index) = index {
            self.head.put_slice(b"\"index\":");
            push_u64(&mut self.head, index);
            self.head.put_u8(b',');
        }
        self.head.put_slice(b"\"delta\":{\"message\":{");
        self.head.put_slice(member.as_bytes());
        self.tail = tail;
    }

    fn content_start(&mut self, kind: &str, out: &mut BytesMut) {
        let index = self.contents;
        self.contents += 1;
        event(out, "content-start", |object| {
            object.u64("index", index);
            let mut delta = object.nested("delta");
            let mut message = delta.nested("message");
            let mut content = Writer::of_type(message.member("content"), kind);
            content.str(kind, "");
            content.end();
            message.end();
            delta.end();
        });
        let member = if kind == "text" { r#""content":{"text":""# } else { r#""content":{"thinking":""# };
        self.set_frame("content-delta", Some(index), member, b"\"}}}}\n\n");
    }

    fn call_start(&mut self, call: &ToolCall, out: &mut BytesMut) {
        let index = self.calls;
        event(out, "tool-call-start", |object| {
            object.u64("index", index);
            let mut delta = object.nested("delta");
            let mut message = delta.nested("message");
            let mut wire = message.nested("tool_calls");
            wire.str("id", &call.id);
            wire.str("type", "function");
            let mut function = wire.nested("function");
            function.str("name", &call.name);
            function.str("arguments", "");
            function.end();
            wire.end();
            message.end();
            delta.end();
        });
        let member = r#""tool_calls":{"function":{"arguments":""#;
        self.set_frame("tool-call-delta", Some(index), member, b"\"}}}}}\n\n");
    }

    fn call_end(&mut self, out: &mut BytesMut) {
        let index = self.calls;
        self.calls += 1;
        event(out, "tool-call-end", |object| object.u64("index", index));
    }

    /// Open → Done.
    fn end(&mut self, out: &mut BytesMut) {
        self.message_start(&Start::default(), out);
        let reason = self.finish.as_ref().map_or(FinishReason::Other, |finish| finish.reason);
        self.message_end(finish::word(reason, self.calls > 0), None, out);
    }

    /// Any → Done.
    fn fail(&mut self, error: &ErrorInfo, out: &mut BytesMut) {
        self.message_end("ERROR", Some(&error.message), out);
    }

    fn message_end(&mut self, reason: &str, error: Option<&str>, out: &mut BytesMut) {
        self.phase = Phase::Done;
        event(out, "message-end", |object| {
            let mut delta = object.nested("delta");
            delta.maybe_str("error", error);
            delta.str("finish_reason", reason);
            if let Some(usage) = &self.usage {
                usage::push(delta.member("usage"), usage);
            }
            delta.end();
        });
        out.put_slice(b"data: ");
        out.put_slice(DONE.as_bytes());
        out.put_slice(b"\n\n");
    }
}

/// Writes one event, with its type and what `members` adds.
fn event(out: &mut BytesMut, name: &str, members: impl FnOnce(&mut Writer<'_>)) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\ndata: ");
    let mut object = Writer::of_type(out, name);
    members(&mut object);
    object.end();
    out.put_slice(b"\n\n");
}
