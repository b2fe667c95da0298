//! Writes a client's stream.
//!
//! Every item is announced, numbered in the order in which it opens, and written whole when it ends; the last event
//! holds all of them. One message or one piece of reasoning is open at a time: another one makes it give way. Calls
//! stream beside them. A message stays open until something else comes, because adjacent texts are one to those who
//! read the first part of the first message, and because only the end says whether it was cut.

use bytes::BytesMut;

use super::{
    super::{
        citation, error,
        finish::{self, End, Seen},
        item, likeness,
        output::{self, Head},
    },
    call::Call,
    flow::{Flow, Open},
    frame::Frames,
    tool::Tools,
};
use crate::{
    dialects::{Reply, StreamEncoder},
    model::{
        Delta, ErrorInfo, Event, Finish, FinishReason, Part, PartContent, PartKey, PartKind, PartStart, Start, Str,
        Usage,
    },
};

/// Where the stream stands.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been written.
    Before,
    /// From `response.created` on.
    Open,
    /// From the last response object on.
    Done,
}

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    pub(super) reply: Reply,
    phase: Phase,
    pub(super) id: Str,
    created: u64,
    pub(super) frames: Frames,
    pub(super) parts: Vec<(PartKey, Open)>,
    pub(super) flow: Option<Flow>,
    /// The part whose deltas are prepared.
    pub(super) live: Option<PartKey>,
    tools: Tools,
    seen: Seen,
    usage: Option<Usage>,
    end: Option<End>,
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if let Event::Delta { part, delta } = event
            && self.live == Some(*part)
            && self.push_live(*part, delta, out)
        {
            return;
        }
        if self.phase != Phase::Done {
            self.encode_slow(event, out);
        }
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub(in super::super) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
            phase: Phase::Before,
            id: reply.id.clone(),
            created: reply.created,
            frames: Frames::default(),
            parts: Vec::new(),
            flow: None,
            live: None,
            tools: Tools::default(),
            seen: Seen::default(),
            usage: None,
            end: None,
        }
    }

    /// A delta of the part that the deltas were prepared for, kept and framed.
    fn push_live(&mut self, part: PartKey, delta: &Delta, out: &mut BytesMut) -> bool {
        let (kept, text) = match (delta, &mut self.flow) {
            (Delta::Text(text), Some(Flow::Message(message, of))) if *of == part => {
                let Some(content) = message.contents.last_mut() else { return false };
                (&mut content.text, text)
            }
            (Delta::Text(text), Some(Flow::Thinking(thinking, of))) if *of == part => (&mut thinking.text, text),
            (Delta::Args(text), _) => {
                let found = self.parts.iter_mut().rev().find(|(key, _)| *key == part);
                let Some((_, Open::Call(call))) = found else { return false };
                (&mut call.args, text)
            }
            _ => return false,
        };
        if !text.is_empty() {
            kept.push_str(text);
            self.frames.delta(text, out);
        }
        true
    }

    fn encode_slow(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start(start) => self.begin(start, out),
            // This dialect has one answer per response.
            Event::PartStart(start) if start.candidate == 0 => self.part_start(start, out),
            Event::Finish { candidate: 0, finish } => self.finish(finish, out),
            Event::PartStart(_) | Event::Finish { .. } | Event::Ping => {}
            Event::Delta { part, delta } => self.delta(*part, delta, out),
            Event::PartEnd(part) => self.part_end(*part, out),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Error(error) => self.fail(error, out),
            Event::End => self.complete(out),
        }
    }

    /// Before → Open.
    fn begin(&mut self, start: &Start, out: &mut BytesMut) {
        if self.phase != Phase::Before {
            return;
        }
        self.phase = Phase::Open;
        if !start.id.is_empty() {
            self.id = start.id.clone();
        }
        if start.created != 0 {
            self.created = start.created;
        }
        self.usage = start.usage.or(self.usage);
        for kind in ["response.created", "response.in_progress"] {
            self.response(kind, None, out);
        }
    }

    /// Writes an event that holds the response object.
    fn response(&mut self, kind: &str, end: Option<&End>, out: &mut BytesMut) {
        let head = Head {
            id: &self.id,
            created: self.created,
            model: &self.reply.model,
            end,
            usage: self.usage.as_ref().filter(|_| end.is_some()),
            tier: None,
        };
        let mut object = BytesMut::with_capacity(1024);
        output::push_response(&mut object, &head, |output| {
            for item in self.frames.items() {
                output.element().extend_from_slice(item);
            }
        });
        self.frames.event(kind, out, |event| event.member("response").extend_from_slice(&object));
    }

    fn part_start(&mut self, start: &PartStart, out: &mut BytesMut) {
        self.begin(&Start::default(), out);
        let is_result = matches!(&start.kind, PartKind::Whole(Part { content: PartContent::ServerResult(_), .. }));
        if !is_result {
            self.tools.flush(None, &mut self.frames, &self.id, out);
        }
        let open = match &start.kind {
            PartKind::Text => Open::Text { is_refusal: false, start: 0, carried: Vec::new() },
            PartKind::Refusal => {
                self.seen.refusal = true;
                Open::Text { is_refusal: true, start: 0, carried: Vec::new() }
            }
            PartKind::Reasoning => Open::Thinking(Vec::new()),
            PartKind::Redacted(opaque) => return self.carriers(std::slice::from_ref(opaque), out),
            PartKind::ToolCall(call) => {
                self.seen.call = true;
                Open::Call(Box::new(Call::new(call.clone())))
            }
            PartKind::Whole(part) => return self.whole(part, out),
        };
        self.parts.push((start.part, open));
    }

    fn delta(&mut self, key: PartKey, delta: &Delta, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|(part, _)| *part == key) else { return };
        let Some((_, open)) = self.parts.get_mut(at) else { return };
        match (open, delta) {
            (Open::Text { is_refusal, .. }, Delta::Text(text)) if !text.is_empty() => {
                let is_refusal = *is_refusal;
                self.open_text(key, is_refusal, out);
                self.push_live(key, delta, out);
            }
            (Open::Thinking(_), Delta::Text(text)) if !text.is_empty() && self.reply.show_reasoning => {
                self.open_thinking(key, out);
                self.push_live(key, delta, out);
            }
            (Open::Text { carried, .. } | Open::Thinking(carried), Delta::Opaque(opaque)) => {
                carried.push((**opaque).clone());
            }
            (Open::Text { is_refusal: false, .. }, Delta::Citation(citation)) if citation::is_citable(citation) => {
                self.open_text(key, false, out);
                self.citation(key, citation, out);
            }
            (Open::Text { is_refusal: false, .. }, Delta::Logprobs(tokens)) => {
                self.open_text(key, false, out);
                self.logprobs(tokens, out);
            }
            (Open::Call(_), _) => self.call_delta(key, at, delta, out),
            _ => {}
        }
    }

    /// A call opens with its second piece, so that state which comes with it can go before it.
    fn call_delta(&mut self, key: PartKey, at: usize, delta: &Delta, out: &mut BytesMut) {
        let Some((_, Open::Call(call))) = self.parts.get_mut(at) else { return };
        match delta {
            Delta::Args(first) if call.place.is_none() && call.held.is_none() => call.hold(first),
            Delta::Args(_) => {
                if call.place.is_none() {
                    self.close_flow("completed", out);
                    let Some((_, Open::Call(call))) = self.parts.get_mut(at) else { return };
                    call.open(&self.id, &mut self.frames, out);
                }
                let Some((_, Open::Call(call))) = self.parts.get_mut(at) else { return };
                call.heat(&mut self.frames);
                self.live = Some(key);
                call.release(&mut self.frames, out);
                self.push_live(key, delta, out);
            }
            Delta::Opaque(opaque) if call.place.is_none() => self.carriers(std::slice::from_ref(&**opaque), out),
            Delta::Opaque(opaque) => call.carried.push((**opaque).clone()),
            _ => {}
        }
    }

    fn part_end(&mut self, key: PartKey, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|(part, _)| *part == key) else { return };
        if self.live == Some(key) {
            self.live = None;
        }
        match self.parts.swap_remove(at).1 {
            Open::Text { carried, .. } => self.carriers(&carried, out),
            Open::Thinking(state) => self.thinking_end(key, &state, out),
            Open::Call(mut call) => {
                if call.place.is_none() {
                    self.close_flow("completed", out);
                    call.open(&self.id, &mut self.frames, out);
                }
                call.close(&mut self.frames, out);
                self.live = None;
                self.carriers(&call.carried, out);
            }
        }
    }

    /// A part that comes in one piece.
    fn whole(&mut self, part: &Part, out: &mut BytesMut) {
        if let Some(raw) = item::raw_item(part) {
            return self.item(out, |out, _| {
                out.extend_from_slice(raw.as_str().as_bytes());
                true
            });
        }
        match &part.content {
            PartContent::Media(media) => self.item(out, |out, id| output::push_picture(out, id, media)),
            PartContent::ServerCall(call) => {
                if likeness::of(&call.tool).is_some() {
                    self.close_flow("completed", out);
                }
                self.tools.call(call, &mut self.frames, &self.id, out);
            }
            PartContent::ServerResult(result) => {
                let logs = likeness::logs_of(&result.output.to_value());
                self.tools.flush(Some((&result.id, &logs)), &mut self.frames, &self.id, out);
            }
            _ => {}
        }
    }

    /// Writes an item that is complete when it comes, if it is one.
    fn item(&mut self, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut, &str) -> bool) {
        let id = output::item_id("ig", &self.id, self.frames.peek_item());
        let mut whole = BytesMut::new();
        if !write(&mut whole, &id) {
            return;
        }
        self.close_flow("completed", out);
        let index = self.frames.next_item();
        self.frames.added(index, out, |out| out.extend_from_slice(&whole));
        self.frames.done(index, out, |out| out.extend_from_slice(&whole));
    }

    /// The answer is complete: so is all that is open.
    fn finish(&mut self, finish: &Finish, out: &mut BytesMut) {
        if self.end.is_some() {
            return;
        }
        self.begin(&Start::default(), out);
        self.tools.flush(None, &mut self.frames, &self.id, out);
        let open: Vec<PartKey> = self.parts.iter().map(|(key, _)| *key).collect();
        let end = finish::encode(finish, self.seen);
        for key in open {
            self.part_end(key, out);
        }
        self.close_flow(end.of_last_item(), out);
        self.end = Some(end);
    }

    /// Open → Done. Token counts may come after the finish, so the last event waits for the end.
    fn complete(&mut self, out: &mut BytesMut) {
        if self.end.is_none() {
            self.finish(&Finish::new(FinishReason::Other), out);
        }
        let end = self.end.take().unwrap_or(End::Completed);
        let kind = match end {
            End::Completed => "response.completed",
            End::Incomplete(_) => "response.incomplete",
            End::Failed(_) => "response.failed",
        };
        self.response(kind, Some(&end), out);
        self.phase = Phase::Done;
    }

    /// Any → Done. What is open stays open: a half-written call must not look whole.
    ///
    /// The vendor says it twice: official clients raise the first event, others wait for the second.
    fn fail(&mut self, info: &ErrorInfo, out: &mut BytesMut) {
        self.frames.event("error", out, |event| error::push_members(event, info));
        self.live = None;
        self.response("response.failed", Some(&End::Failed(Box::new(info.clone()))), out);
        self.phase = Phase::Done;
    }
}
