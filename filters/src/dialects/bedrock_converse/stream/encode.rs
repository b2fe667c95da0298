//! Writes a client's stream.
//!
//! Clients expect one block at a time, numbered without gaps; what interleaves goes through the sequencer. Blocks open
//! with their first content, a signature comes once, at the end, and the stop waits for the end of the stream, because
//! the counts come right behind it.

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{
    super::{
        blocks::SERVER_TOOL,
        finish,
        response::{inline_image, is_citable, signature},
        wire::{Object, Text, Writer, union},
    },
    frame::{Blocks, Piece, push_exception, push_message_end, push_message_start},
};
use crate::{
    dialects::{Reply, StreamEncoder},
    model::{
        CallKind, Delta, Event, Family, Finish, FinishReason, Opaque, OpaqueKind, Part, PartContent, PartKey, PartKind,
        PartStart, RawJson, ServerCall, Str, ToolCall, Usage,
    },
    stream::Sequencer,
};

/// Where the stream stands.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been written.
    Before,
    /// From `messageStart` on.
    Open,
    /// From `metadata` or an exception on.
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

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    reply: Reply,
    phase: Phase,
    sequencer: Sequencer,
    /// Events that the sequencer let through; kept for its memory.
    ready: Vec<Event>,
    block: Block,
    /// The part whose pieces need nothing but framing, and whether they are arguments.
    live: Option<(PartKey, bool)>,
    blocks: Blocks,
    saw_call: bool,
    usage: Option<Usage>,
    finish: Option<Box<Finish>>,
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if let (Event::Delta { part, delta }, Some((live, is_args))) = (event, self.live)
            && *part == live
        {
            // The sequencer would let a piece of the open part through; not asking it saves a copy.
            match (delta, is_args) {
                (Delta::Text(text), false) | (Delta::Args(text), true) => return self.blocks.piece(text, out),
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
            reply: reply.clone(),
            phase: Phase::Before,
            sequencer: Sequencer::default(),
            ready: Vec::new(),
            block: Block::None,
            live: None,
            blocks: Blocks::default(),
            saw_call: false,
            usage: None,
            finish: None,
        }
    }

    fn encode_slow(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            _ if self.phase == Phase::Done => return,
            Event::Error(error) => {
                // Open blocks stay open: a half-written call must not look whole.
                push_exception(out, error);
                self.phase = Phase::Done;
                self.live = None;
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
            Event::Start(start) => {
                self.usage = self.usage.or(start.usage);
                self.message_start(out);
            }
            Event::PartStart(start) => self.begin(*start, out),
            Event::Delta { part, delta } => self.delta(part, delta, out),
            Event::PartEnd(_) => self.close(out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { finish, .. } => self.finish = Some(finish),
            // Errors do not come here; the wire has no ping.
            Event::Ping | Event::Error(_) => {}
            Event::End => self.end(out),
        }
    }

    /// Before → Open.
    fn message_start(&mut self, out: &mut BytesMut) {
        if self.phase == Phase::Before {
            self.phase = Phase::Open;
            push_message_start(out);
        }
    }

    fn begin(&mut self, start: PartStart, out: &mut BytesMut) {
        self.message_start(out);
        self.block = match start.kind {
            PartKind::Text | PartKind::Refusal => Block::Text { started: false, carried: Vec::new() },
            PartKind::Reasoning => Block::Thinking { started: false, state: Vec::new() },
            PartKind::Redacted(opaque) => {
                self.state_block(&opaque, out);
                Block::Silent
            }
            PartKind::ToolCall(call) => {
                self.saw_call = true;
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
                self.start_text(part, started);
                self.blocks.piece(&text, out);
            }
            (Block::Text { started, .. }, Delta::Citation(citation)) if is_citable(&citation) => {
                self.start_text(part, started);
                self.blocks.citation(&citation, out);
            }
            (Block::Thinking { started, .. }, Delta::Text(text)) if !text.is_empty() && self.reply.show_reasoning => {
                if !std::mem::replace(started, true) {
                    self.blocks.open(Piece::Thinking);
                }
                self.live = Some((part, false));
                self.blocks.piece(&text, out);
            }
            (Block::Thinking { state, .. }, Delta::Opaque(opaque)) => state.push(*opaque),
            (Block::Text { carried, .. } | Block::Call { carried }, Delta::Opaque(opaque)) => carried.push(*opaque),
            (Block::HeldCall { .. }, Delta::Opaque(opaque)) => self.state_block(&opaque, out),
            // Blanks alone are no JSON, and before it they say nothing.
            (Block::HeldCall { args: None, .. }, Delta::Args(first)) if first.trim_ascii().is_empty() => {}
            (Block::HeldCall { args: args @ None, .. }, Delta::Args(first)) => *args = Some(first),
            (Block::HeldCall { call, args }, Delta::Args(more)) => {
                self.start_call(call, out);
                self.live = Some((part, true));
                self.blocks.piece(&args.take().unwrap_or_default(), out);
                self.blocks.piece(&more, out);
                block = Block::Call { carried: Vec::new() };
            }
            (Block::Call { .. }, Delta::Args(more)) => self.blocks.piece(&more, out),
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
                self.state_blocks(&carried, out);
            }
            Block::Thinking { started, state } => self.close_thinking(started, &state, out),
            Block::HeldCall { call, args } => {
                self.start_call(&call, out);
                let args = args.filter(|args| !args.trim().is_empty()).unwrap_or_default();
                self.blocks.piece(&args, out);
                self.blocks.stop(out);
            }
            Block::Call { carried } => {
                self.blocks.stop(out);
                self.state_blocks(&carried, out);
            }
            Block::FreeCall { call, text } => self.free_call(&call, &text, out),
        }
    }

    /// Ends thinking with its signature. State beyond the first piece gets blocks of its own.
    fn close_thinking(&mut self, started: bool, state: &[Opaque], out: &mut BytesMut) {
        let first = state.first().filter(|opaque| started && opaque.kind != OpaqueKind::Redacted);
        if let Some(first) = first {
            let state = signature(first, &self.reply.sealer);
            self.blocks.state("signature", &state, out);
        }
        if started {
            self.blocks.stop(out);
        }
        self.state_blocks(state.get(usize::from(first.is_some())..).unwrap_or_default(), out);
    }

    fn state_blocks(&mut self, state: &[Opaque], out: &mut BytesMut) {
        for opaque in state {
            self.state_block(opaque, out);
        }
    }

    /// A block that carries nothing but state. Clients put pieces together by their names, so thinking without words
    /// says so.
    fn state_block(&mut self, opaque: &Opaque, out: &mut BytesMut) {
        let state = signature(opaque, &self.reply.sealer);
        self.blocks.open(Piece::Thinking);
        if opaque.kind == OpaqueKind::Redacted {
            self.blocks.state("redactedContent", &state, out);
        } else {
            self.blocks.bare_piece("", out);
            self.blocks.state("signature", &state, out);
        }
        self.blocks.stop(out);
    }

    fn start_text(&mut self, part: PartKey, started: &mut bool) {
        if !std::mem::replace(started, true) {
            self.blocks.open(Piece::Text);
            self.live = Some((part, false));
        }
    }

    fn start_call(&mut self, call: &ToolCall, out: &mut BytesMut) {
        self.blocks.open(Piece::Args);
        self.blocks.start(out, |start| push_tool_use(start, &call.id, &call.name, None));
    }

    fn free_call(&mut self, call: &ToolCall, text: &str, out: &mut BytesMut) {
        let mut args = BytesMut::new();
        let mut object = Writer::object(&mut args);
        object.str("input", text);
        object.end();
        self.start_call(call, out);
        if let Ok(args) = Str::try_from(args.freeze()) {
            self.blocks.piece(&args, out);
        }
        self.blocks.stop(out);
    }

    /// A part that comes in one piece.
    fn whole(&mut self, part: Part, out: &mut BytesMut) {
        match part.content {
            PartContent::ServerCall(call) if call.family == Family::Bedrock => self.server_call(&call, out),
            PartContent::ServerResult(result) if result.family == Family::Bedrock => {
                self.server_result(&result.output, out);
            }
            PartContent::Media(media) => {
                if let Some((format, data)) = inline_image(&media) {
                    self.blocks.image(format, data, out);
                }
            }
            // Other vendors' own tools mean nothing to this dialect's clients, and a stream has no form for blocks that
            // nobody knows.
            _ => {}
        }
    }

    fn server_call(&mut self, call: &ServerCall, out: &mut BytesMut) {
        self.blocks.open(Piece::Args);
        self.blocks.start(out, |start| push_tool_use(start, &call.id, &call.tool, Some(SERVER_TOOL)));
        self.blocks.piece(call.input.as_str(), out);
        self.blocks.stop(out);
    }

    /// A result of the service's own tool: its content is a piece, all else is its start.
    fn server_result(&mut self, output: &RawJson, out: &mut BytesMut) {
        let Ok(raw) = serde_json::from_str::<&RawValue>(output.as_str()) else { return };
        let Ok((_, raw)) = union(raw) else { return };
        let Ok(Object(members)) = serde_json::from_str::<Object<'_>>(raw.get()) else { return };
        self.blocks.open(Piece::Text);
        self.blocks.start(out, |start| {
            let mut result = start.nested("toolResult");
            for (name, raw) in members.iter().filter(|(name, _)| matches!(&**name, "toolUseId" | "type" | "status")) {
                if let Ok(Text(text)) = serde_json::from_str(raw.get()) {
                    result.str(name, &text);
                }
            }
            result.end();
        });
        if let Some((_, content)) = members.iter().find(|(name, _)| name == "content") {
            self.blocks.delta(out, |delta| delta.raw("toolResult", content.get()));
        }
        self.blocks.stop(out);
    }

    /// Open → Done.
    fn end(&mut self, out: &mut BytesMut) {
        self.message_start(out);
        self.phase = Phase::Done;
        let finish = self.finish.take().unwrap_or_else(|| Box::new(Finish::new(FinishReason::Other)));
        let reason = finish::encode(&finish, self.saw_call);
        let estimate = || Usage { input_uncached: self.reply.input_estimate, ..Usage::default() };
        push_message_end(out, reason, &finish, &self.usage.unwrap_or_else(estimate));
    }
}

/// Writes the beginning of a call.
fn push_tool_use(start: &mut Writer<'_>, id: &str, name: &str, kind: Option<&str>) {
    let mut object = start.nested("toolUse");
    object.str("toolUseId", id);
    object.str("name", name);
    object.maybe_str("type", kind);
    object.end();
}
