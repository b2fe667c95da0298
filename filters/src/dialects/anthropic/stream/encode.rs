//! Writes a client's stream.
//!
//! The wire has one block open at a time, numbered without gaps; what interleaves goes through the sequencer. Nothing
//! is written that cannot be taken back: blocks open with their first content, a signature comes once, at the end,
//! and `message_delta` waits for the end of the stream, because counts may come after the finish.

use bytes::BytesMut;

use super::{
    super::{
        error,
        finish::{self, Seen},
        response::{
            is_citable, is_redacted, no_state, push_citation, push_redacted, push_server_call, push_thinking, signature,
        },
        wire::Writer,
    },
    frame::{Blocks, PING, push_event, push_message_end, push_message_start},
};
use crate::{
    dialects::{Reply, StreamEncoder},
    model::{
        CallKind, Delta, Event, Family, Finish, FinishReason, Opaque, Part, PartContent, PartKey, PartKind, PartStart,
        RawJson, ServerCall, Start, Str, ToolCall, Usage,
    },
    stream::Sequencer,
};

/// Where the stream stands.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been written.
    Before,
    /// From `message_start` on.
    Open,
    /// From `message_stop` or an error on.
    Done,
}

/// The part that the sequencer has open.
#[derive(Debug)]
enum Block {
    None,
    /// Text; its block opens with the first words.
    Text {
        started: bool,
        carried: Vec<Opaque>,
    },
    /// Thinking; its block opens with the first words, or at the end with its state.
    Thinking {
        started: bool,
        state: Vec<Opaque>,
    },
    /// A call that has not been written yet, because state that comes with it must go before it.
    HeldCall {
        call: Box<ToolCall>,
        args: Option<Str>,
    },
    /// A call whose arguments stream.
    Call {
        carried: Vec<Opaque>,
    },
    /// A call of free text, which becomes an object when it is whole.
    FreeCall {
        call: Box<ToolCall>,
        text: String,
    },
    /// Nothing more is written of it.
    Silent,
}

/// What the open block's frequent deltas are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Live {
    Text,
    Args,
}

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    reply: Reply,
    phase: Phase,
    sequencer: Sequencer,
    /// Events that the sequencer let through; kept for its memory.
    ready: Vec<Event>,
    block: Block,
    /// The part whose deltas are prepared, while they need nothing but framing.
    live: Option<(PartKey, Live)>,
    blocks: Blocks,
    seen: Seen,
    usage: Option<Usage>,
    finish: Option<Box<Finish>>,
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if let (Event::Delta { part, delta }, Some((live, kind))) = (event, self.live) {
            // The sequencer would let a delta of the open part through; not asking it saves a copy.
            if *part == live && self.push_live(kind, delta, out) {
                return;
            }
        }
        self.encode_slow(event, out);
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub(in super::super) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
            phase: Phase::Before,
            sequencer: Sequencer::default(),
            ready: Vec::new(),
            block: Block::None,
            live: None,
            blocks: Blocks::default(),
            seen: Seen::default(),
            usage: None,
            finish: None,
        }
    }

    fn push_live(&self, kind: Live, delta: &Delta, out: &mut BytesMut) -> bool {
        let ((Live::Text, Delta::Text(text)) | (Live::Args, Delta::Args(text))) = (kind, delta) else { return false };
        self.blocks.delta(text, out);
        true
    }

    fn encode_slow(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            _ if self.phase == Phase::Done => return,
            Event::Error(error) => {
                // Open blocks stay open: a half-written call must not look whole.
                push_event(out, "error", |out| error::push(out, error, None));
                self.phase = Phase::Done;
                return;
            }
            // This dialect has one answer per response.
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
            Event::Ping if self.phase == Phase::Open => out.extend_from_slice(PING),
            // Errors do not come here; a ping before `message_start` is none of the wire's.
            Event::Ping | Event::Error(_) => {}
            Event::End => self.end(out),
        }
    }

    /// Before → Open. The event states the input's size, which clients show: the upstream's number if it is known
    /// already, else the estimate.
    fn message_start(&mut self, start: &Start, out: &mut BytesMut) {
        if self.phase != Phase::Before {
            return;
        }
        self.phase = Phase::Open;
        let known = start.usage.filter(|usage| usage.input() > 0);
        self.usage = self.usage.or(known);
        let estimate = || Usage { input_uncached: self.reply.input_estimate, ..Usage::default() };
        let mut usage = known.unwrap_or_else(estimate);
        if usage.output() == 0 {
            usage.output_visible = 1;
        }
        let id = if start.id.is_empty() { &self.reply.id } else { &start.id };
        push_message_start(out, id, &self.reply.model, &usage);
    }

    fn begin(&mut self, start: PartStart, out: &mut BytesMut) {
        self.message_start(&Start::default(), out);
        self.block = match start.kind {
            PartKind::Text => Block::Text { started: false, carried: Vec::new() },
            PartKind::Refusal => {
                self.seen.refusal = true;
                Block::Text { started: false, carried: Vec::new() }
            }
            PartKind::Reasoning => Block::Thinking { started: false, state: Vec::new() },
            PartKind::Redacted(opaque) => {
                self.redacted(&opaque, out);
                Block::Silent
            }
            PartKind::ToolCall(call) => {
                self.seen.call = true;
                match call.kind {
                    CallKind::Function => Block::HeldCall { call: Box::new(call), args: None },
                    CallKind::Custom => Block::FreeCall { call: Box::new(call), text: String::new() },
                }
            }
            PartKind::Whole(part) => {
                self.whole(part, out);
                Block::Silent
            }
        };
    }

    fn delta(&mut self, part: PartKey, delta: Delta, out: &mut BytesMut) {
        let mut block = std::mem::replace(&mut self.block, Block::None);
        match (&mut block, delta) {
            (Block::Text { started, .. }, Delta::Text(text)) if !text.is_empty() => {
                self.start_text(part, started, out);
                self.blocks.delta(&text, out);
            }
            (Block::Text { started, .. }, Delta::Citation(citation)) if is_citable(&citation) => {
                self.start_text(part, started, out);
                self.blocks.citation(out, |out| push_citation(out, &citation, &self.reply.sealer));
            }
            (Block::Thinking { started, .. }, Delta::Text(text)) if !text.is_empty() && self.reply.show_reasoning => {
                self.start_thinking(started, out);
                self.live = Some((part, Live::Text));
                self.blocks.delta(&text, out);
            }
            (Block::Thinking { state, .. }, Delta::Opaque(opaque)) => state.push(*opaque),
            (Block::Text { carried, .. } | Block::Call { carried }, Delta::Opaque(opaque)) => carried.push(*opaque),
            (Block::HeldCall { .. }, Delta::Opaque(opaque)) => self.thinking_block(&opaque, out),
            // Blanks alone are no JSON, and before it they say nothing.
            (Block::HeldCall { args: None, .. }, Delta::Args(first)) if first.trim_ascii().is_empty() => {}
            (Block::HeldCall { args: args @ None, .. }, Delta::Args(first)) => *args = Some(first),
            (Block::HeldCall { call, args }, Delta::Args(more)) => {
                self.start_call(call, out);
                self.live = Some((part, Live::Args));
                self.blocks.delta(&args.take().unwrap_or_default(), out);
                self.blocks.delta(&more, out);
                block = Block::Call { carried: Vec::new() };
            }
            (Block::Call { .. }, Delta::Args(more)) => {
                self.blocks.delta(&more, out);
            }
            (Block::FreeCall { text, .. }, Delta::Args(more)) => text.push_str(&more),
            // Log probabilities have no place on this wire; what is left says nothing.
            _ => {}
        }
        self.block = block;
    }

    fn close(&mut self, out: &mut BytesMut) {
        self.live = None;
        match std::mem::replace(&mut self.block, Block::None) {
            Block::None | Block::Silent => {}
            Block::Text { started, carried } => {
                if started {
                    self.blocks.stop(out);
                }
                self.thinking_blocks(&carried, out);
            }
            Block::Thinking { started, state } => self.close_thinking(started, &state, out),
            Block::HeldCall { call, args } => {
                self.start_call(&call, out);
                let args = args.filter(|args| !args.trim().is_empty()).unwrap_or_default();
                self.blocks.delta(&args, out);
                self.blocks.stop(out);
            }
            Block::Call { carried } => {
                self.blocks.stop(out);
                self.thinking_blocks(&carried, out);
            }
            Block::FreeCall { call, text } => {
                self.start_call(&call, out);
                let mut args = BytesMut::new();
                let mut object = Writer::object(&mut args);
                object.str("input", &text);
                object.end();
                if let Ok(args) = Str::try_from(args.freeze()) {
                    self.blocks.delta(&args, out);
                }
                self.blocks.stop(out);
            }
        }
    }

    /// Ends thinking with its signature. State beyond the first piece gets blocks of its own.
    fn close_thinking(&mut self, mut started: bool, state: &[Opaque], out: &mut BytesMut) {
        let mut state = state.iter();
        let first = state.as_slice().first().filter(|opaque| !is_redacted(opaque));
        if first.is_some() {
            state.next();
        }
        if started || first.is_some() {
            self.start_thinking(&mut started, out);
            let signature = first.map_or_else(|| no_state(&self.reply.sealer), |it| signature(it, &self.reply.sealer));
            self.blocks.other_delta("signature_delta", "signature", &signature, out);
            self.blocks.stop(out);
        }
        self.thinking_blocks(state.as_slice(), out);
    }

    fn thinking_blocks(&mut self, state: &[Opaque], out: &mut BytesMut) {
        for opaque in state {
            self.thinking_block(opaque, out);
        }
    }

    /// A block that carries nothing but state.
    fn thinking_block(&mut self, opaque: &Opaque, out: &mut BytesMut) {
        if is_redacted(opaque) {
            return self.redacted(opaque, out);
        }
        self.close_thinking(false, std::slice::from_ref(opaque), out);
    }

    fn redacted(&mut self, opaque: &Opaque, out: &mut BytesMut) {
        let data = signature(opaque, &self.reply.sealer);
        self.blocks.start(out, |out| push_redacted(out, &data));
        self.blocks.stop(out);
    }

    fn start_text(&mut self, part: PartKey, started: &mut bool, out: &mut BytesMut) {
        if std::mem::replace(started, true) {
            return;
        }
        self.blocks.start(out, |out| out.extend_from_slice(br#"{"type":"text","text":""}"#));
        self.blocks.set_prefix("text_delta", "text");
        self.live = Some((part, Live::Text));
    }

    fn start_thinking(&mut self, started: &mut bool, out: &mut BytesMut) {
        if std::mem::replace(started, true) {
            return;
        }
        self.blocks.start(out, |out| push_thinking(out, "", ""));
        self.blocks.set_prefix("thinking_delta", "thinking");
    }

    fn start_call(&mut self, call: &ToolCall, out: &mut BytesMut) {
        self.blocks.start(out, |out| {
            let mut block = Writer::of_type(out, "tool_use");
            block.str("id", &call.id);
            block.str("name", &call.name);
            block.raw("input", "{}");
            block.end();
        });
        self.blocks.set_prefix("input_json_delta", "partial_json");
    }

    /// A part that comes in one piece.
    fn whole(&mut self, part: Part, out: &mut BytesMut) {
        match part.content {
            PartContent::ServerCall(call) if call.family == Family::Anthropic => self.server_call(call, out),
            PartContent::ServerResult(result) if result.family == Family::Anthropic => {
                self.blocks.start(out, |out| out.extend_from_slice(result.output.as_str().as_bytes()));
                self.blocks.stop(out);
            }
            PartContent::Unknown { family: Family::Anthropic, raw } => {
                self.blocks.start(out, |out| out.extend_from_slice(raw.as_str().as_bytes()));
                self.blocks.stop(out);
            }
            // Answers hold no media in this dialect, and other vendors' own tools mean nothing to its clients.
            _ => {}
        }
    }

    fn server_call(&mut self, mut call: ServerCall, out: &mut BytesMut) {
        let input = std::mem::replace(&mut call.input, RawJson::from_checked(Str::from_static("{}")));
        self.blocks.start(out, |out| push_server_call(out, &call));
        self.blocks.other_delta("input_json_delta", "partial_json", input.as_str(), out);
        self.blocks.stop(out);
    }

    /// Open → Done.
    fn end(&mut self, out: &mut BytesMut) {
        self.message_start(&Start::default(), out);
        self.phase = Phase::Done;
        let finish = self.finish.take().unwrap_or_else(|| Box::new(Finish::new(FinishReason::Other)));
        let (reason, sequence) = finish::encode(&finish, self.seen);
        push_message_end(out, reason, sequence, self.usage.as_ref());
    }
}
