//! Writes a stream of `chat.completion.chunk` events.
//!
//! One chunk per event, in this order for each choice: the role, deltas, one finish reason; then usage if the client
//! asked for it, and `[DONE]`.

use bytes::BytesMut;

use super::DONE;
use crate::{
    dialects::{
        Reply, StreamEncoder,
        openai_chat::{
            answer::{self, Mark, Offsets},
            error,
            reasoning::{self, Reader},
            usage,
            wire::Writer,
        },
    },
    json::{push_raw_str, push_str, push_u64},
    model::{
        CallKind, Citation, Delta, Event, FinishReason, Opaque, PartContent, PartKey, PartKind, PartStart, Start, Str,
        ToolCall, Usage,
    },
};

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    reply: Reply,
    state: State,
    /// Every chunk up to the number of its choice.
    head: BytesMut,
    /// What ends every chunk of a choice that goes on.
    tail: &'static [u8],
    /// The part whose text came last, with all that stands before the text in its chunks.
    hot: Option<Hot>,
    choices: Vec<Choice>,
    parts: Vec<Part>,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is written.
    Fresh,
    /// The head is known.
    Begun,
    /// An error or the terminator is written; nothing may follow.
    Over,
}

#[derive(Debug)]
struct Hot {
    part: PartKey,
    prefix: BytesMut,
    suffix: &'static [u8],
}

#[derive(Debug, Default)]
struct Choice {
    index: u32,
    finished: bool,
    /// Calls so far; the next one's number. Other parts have none.
    calls: u64,
    /// Blocks of thinking so far that have state.
    details: u64,
    has_thought: bool,
    offsets: Offsets,
}

#[derive(Debug)]
struct Part {
    key: PartKey,
    choice: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text { start: Mark },
    Refusal,
    Reasoning { text: String, opaque: Vec<Opaque>, is_hidden: bool },
    Call { number: u64, kind: CallKind, has_arguments: bool },
}

/// What ends a chunk, without and with the member that tells clients to wait for usage.
const TAIL: &[u8] = b",\"finish_reason\":null,\"logprobs\":null}]}\n\n";
const TAIL_USAGE: &[u8] = b",\"finish_reason\":null,\"logprobs\":null}],\"usage\":null}\n\n";

impl Encoder {
    pub(in super::super) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
            state: State::Fresh,
            head: BytesMut::new(),
            tail: if reply.include_usage { TAIL_USAGE } else { TAIL },
            hot: None,
            choices: Vec::new(),
            parts: Vec::new(),
            usage: None,
        }
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if self.state == State::Over {
            return;
        }
        match event {
            Event::Delta { part, delta } => self.delta(*part, delta, out),
            Event::Start(start) => {
                self.begin(Some(start));
                self.usage = start.usage.or(self.usage);
                self.choice(0, out);
            }
            Event::PartStart(start) => self.part_start(start, out),
            Event::PartEnd(key) => self.part_end(*key, out),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Finish { candidate, finish } => self.finish(*candidate, finish.reason, out),
            Event::Error(error) => {
                out.extend_from_slice(b"data: ");
                error::write(error, out);
                out.extend_from_slice(b"\n\n");
                self.state = State::Over;
            }
            Event::Ping => {}
            Event::End => self.end(out),
        }
    }
}

impl Encoder {
    /// Fresh → Begun: id, time and model are the same in every chunk.
    fn begin(&mut self, start: Option<&Start>) {
        if self.state != State::Fresh {
            return;
        }
        self.state = State::Begun;
        let id = start.map(|start| &start.id).filter(|id| !id.is_empty()).unwrap_or(&self.reply.id);
        let created = start.map(|start| start.created).filter(|created| *created != 0).unwrap_or(self.reply.created);
        self.head.extend_from_slice(b"data: {\"id\":");
        push_str(&mut self.head, id);
        self.head.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        push_u64(&mut self.head, created);
        self.head.extend_from_slice(b",\"model\":");
        push_str(&mut self.head, &self.reply.model);
        self.head.extend_from_slice(b",\"choices\":[");
    }

    /// The position of a choice; its role goes out before anything else of it.
    fn choice(&mut self, index: u32, out: &mut BytesMut) -> usize {
        self.begin(None);
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return at;
        }
        self.choices.push(Choice { index, ..Choice::default() });
        let at = self.choices.len() - 1;
        self.chunk(at, out, |delta| {
            delta.str("role", "assistant");
            delta.str("content", "");
        });
        at
    }

    /// Writes a chunk of a choice that goes on.
    fn chunk(&self, choice: usize, out: &mut BytesMut, write: impl FnOnce(&mut Writer<'_>)) {
        self.open_chunk(choice, out);
        let mut delta = Writer::object(out);
        write(&mut delta);
        delta.end();
        out.extend_from_slice(self.tail);
    }

    /// Writes a chunk up to its delta.
    fn open_chunk(&self, choice: usize, out: &mut BytesMut) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":");
        push_u64(out, self.choices.get(choice).map_or(0, |choice| choice.index.into()));
        out.extend_from_slice(b",\"delta\":");
    }

    fn part_start(&mut self, start: &PartStart, out: &mut BytesMut) {
        let choice = self.choice(start.candidate, out);
        let kind = match &start.kind {
            PartKind::Text => {
                Kind::Text { start: self.choices.get(choice).map(|choice| choice.offsets.mark()).unwrap_or_default() }
            }
            PartKind::Refusal => Kind::Refusal,
            PartKind::Reasoning => Kind::Reasoning { text: String::new(), opaque: Vec::new(), is_hidden: false },
            PartKind::Redacted(opaque) => {
                self.details(choice, "", std::slice::from_ref(opaque), out);
                return;
            }
            PartKind::ToolCall(call) => self.call(choice, call, out),
            PartKind::Whole(part) => {
                // The provider's own tools are no calls of the client's: it could not run them.
                if let PartContent::Media(media) = &part.content {
                    self.chunk(choice, out, |delta| answer::write_media(&[media], delta));
                }
                return;
            }
        };
        self.parts.push(Part { key: start.part, choice, kind });
    }

    /// The first delta of a call: the only one with its id and its name, which clients concatenate.
    fn call(&mut self, choice: usize, call: &ToolCall, out: &mut BytesMut) -> Kind {
        let Some(state) = self.choices.get_mut(choice) else { return Kind::Refusal };
        let number = state.calls;
        state.calls += 1;
        self.chunk(choice, out, |delta| {
            let mut calls = delta.list("tool_calls");
            let mut object = Writer::object(calls.element());
            object.u64("index", number);
            object.str("id", &call.id);
            let (kind, arguments) = words(call.kind);
            object.str("type", kind);
            let mut tool = object.nested(kind);
            tool.str("name", &call.name);
            tool.str(arguments, &call.args);
            tool.end();
            object.end();
            calls.end();
        });
        Kind::Call { number, kind: call.kind, has_arguments: !call.args.trim().is_empty() }
    }

    fn delta(&mut self, key: PartKey, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) | Delta::Args(text) => self.text(key, text, out),
            Delta::Opaque(opaque) => self.opaque(key, opaque, out),
            Delta::Citation(citation) => self.citation(key, citation, out),
            Delta::Logprobs(tokens) => {
                let Some(choice) = self.part(key).map(|part| part.choice) else { return };
                self.open_chunk(choice, out);
                out.extend_from_slice(b"{},\"finish_reason\":null,\"logprobs\":{\"content\":");
                out.extend_from_slice(tokens.as_str().as_bytes());
                out.extend_from_slice(b",\"refusal\":null}}]");
                out.extend_from_slice(if self.reply.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
            }
        }
    }

    fn part(&self, key: PartKey) -> Option<&Part> {
        self.parts.iter().rev().find(|part| part.key == key)
    }

    /// Text of any part. The chunks of one part differ in nothing but the text, so the rest is rendered once.
    fn text(&mut self, key: PartKey, text: &Str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        let Some(part) = self.parts.iter_mut().rev().find(|part| part.key == key) else { return };
        let Some(choice) = self.choices.get_mut(part.choice) else { return };
        let mut separator = "";
        match &mut part.kind {
            Kind::Text { .. } => choice.offsets.push(text),
            Kind::Refusal => {}
            Kind::Reasoning { is_hidden, .. } if !self.reply.show_reasoning => {
                *is_hidden = true;
                return;
            }
            Kind::Reasoning { text: all, .. } => {
                if all.is_empty() && choice.has_thought {
                    separator = "\n\n";
                }
                choice.has_thought = true;
                all.push_str(text);
            }
            Kind::Call { has_arguments, .. } => *has_arguments = *has_arguments || !text.trim().is_empty(),
        }
        if self.hot.as_ref().is_none_or(|hot| hot.part != key) {
            self.heat(key);
        }
        let Some(hot) = &self.hot else { return };
        out.reserve(hot.prefix.len() + text.len() + hot.suffix.len() + self.tail.len());
        out.extend_from_slice(&hot.prefix);
        push_raw_str(out, separator);
        push_raw_str(out, text);
        out.extend_from_slice(hot.suffix);
        out.extend_from_slice(self.tail);
    }

    /// Renders what stands before and after the text of a part.
    fn heat(&mut self, key: PartKey) {
        let mut prefix = self.hot.take().map_or_else(BytesMut::new, |hot| hot.prefix);
        prefix.clear();
        let Some(part) = self.part(key) else { return };
        self.open_chunk(part.choice, &mut prefix);
        let suffix: &'static [u8] = match &part.kind {
            Kind::Text { .. } => {
                prefix.extend_from_slice(b"{\"content\":\"");
                b"\"}"
            }
            Kind::Refusal => {
                prefix.extend_from_slice(b"{\"refusal\":\"");
                b"\"}"
            }
            Kind::Reasoning { .. } => {
                prefix.extend_from_slice(b"{\"reasoning_content\":\"");
                b"\"}"
            }
            Kind::Call { number, kind, .. } => {
                prefix.extend_from_slice(b"{\"tool_calls\":[{\"index\":");
                push_u64(&mut prefix, *number);
                let (kind, arguments) = words(*kind);
                for piece in [",\"", kind, "\":{\"", arguments, "\":\""] {
                    prefix.extend_from_slice(piece.as_bytes());
                }
                b"\"}}]}"
            }
        };
        self.hot = Some(Hot { part: key, prefix, suffix });
    }

    fn opaque(&mut self, key: PartKey, state: &Opaque, out: &mut BytesMut) {
        let Some(part) = self.parts.iter_mut().rev().find(|part| part.key == key) else { return };
        let choice = part.choice;
        match &mut part.kind {
            // Goes out with the end of the part, together with the words that it belongs to.
            Kind::Reasoning { opaque, .. } => opaque.push(state.clone()),
            Kind::Call { number, kind, .. } => {
                let (number, (kind, arguments)) = (*number, words(*kind));
                let reader = Reader::Client(&self.reply.sealer);
                self.chunk(choice, out, |delta| {
                    let mut calls = delta.list("tool_calls");
                    let mut object = Writer::object(calls.element());
                    object.u64("index", number);
                    // The AI SDK refuses a call without it.
                    let mut tool = object.nested(kind);
                    tool.str(arguments, "");
                    tool.end();
                    reasoning::write_extra(&mut object, std::slice::from_ref(state), reader);
                    object.end();
                    calls.end();
                });
            }
            Kind::Text { .. } | Kind::Refusal => {
                let reader = Reader::Client(&self.reply.sealer);
                self.chunk(choice, out, |delta| reasoning::write_extra(delta, std::slice::from_ref(state), reader));
            }
        }
    }

    fn citation(&self, key: PartKey, citation: &Citation, out: &mut BytesMut) {
        let Some(Part { choice, kind: Kind::Text { start }, .. }) = self.part(key) else { return };
        let Some(state) = self.choices.get(*choice).filter(|_| citation.url.is_some()) else { return };
        let span = state.offsets.span(citation.span, *start);
        self.chunk(*choice, out, |delta| {
            let mut list = delta.list("annotations");
            answer::write_citation(&mut list, citation, span);
            list.end();
        });
    }

    /// Writes the state of a block of thinking, with its words.
    fn details(&mut self, choice: usize, text: &str, opaque: &[Opaque], out: &mut BytesMut) {
        let Some(state) = self.choices.get_mut(choice) else { return };
        let index = state.details;
        state.details += 1;
        let reader = Reader::Client(&self.reply.sealer);
        self.chunk(choice, out, |delta| {
            let mut list = delta.list("reasoning_details");
            reasoning::write_detail(&mut list, index, text, opaque, reader);
            list.end();
        });
    }

    fn part_end(&mut self, key: PartKey, out: &mut BytesMut) {
        let Some(at) = self.parts.iter().rposition(|part| part.key == key) else { return };
        let part = self.parts.swap_remove(at);
        match part.kind {
            // Arguments of nothing at all would poison the history: no server takes them back.
            Kind::Call { number, kind: CallKind::Function, has_arguments: false } => {
                self.chunk(part.choice, out, |delta| {
                    let mut calls = delta.list("tool_calls");
                    let mut object = Writer::object(calls.element());
                    object.u64("index", number);
                    let mut function = object.nested("function");
                    function.str("arguments", "{}");
                    function.end();
                    object.end();
                    calls.end();
                });
            }
            // A signature without the words that it signs is worth nothing: both, or neither.
            Kind::Reasoning { text, opaque, is_hidden: false } if !opaque.is_empty() => {
                self.details(part.choice, &text, &opaque, out);
            }
            _ => {}
        }
    }

    /// Ends a choice, and what is open in it.
    fn finish(&mut self, candidate: u32, reason: FinishReason, out: &mut BytesMut) {
        let at = self.choice(candidate, out);
        let open: Vec<_> = self.parts.iter().filter(|part| part.choice == at).map(|part| part.key).collect();
        for key in open {
            self.part_end(key, out);
        }
        let Some(choice) = self.choices.get_mut(at).filter(|choice| !choice.finished) else { return };
        choice.finished = true;
        let word = answer::finish_word(reason, choice.calls > 0);
        self.open_chunk(at, out);
        out.extend_from_slice(b"{},\"finish_reason\":\"");
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\",\"logprobs\":null}]");
        out.extend_from_slice(if self.reply.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" });
    }

    /// Begun → Over.
    fn end(&mut self, out: &mut BytesMut) {
        // A choice that never finishes makes clients throw.
        self.choice(0, out);
        let open: Vec<_> = self.choices.iter().filter(|choice| !choice.finished).map(|choice| choice.index).collect();
        for candidate in open {
            self.finish(candidate, FinishReason::Stop, out);
        }
        if let (true, Some(usage)) = (self.reply.include_usage, &self.usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            usage::encode(usage, out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(DONE.as_bytes());
        out.extend_from_slice(b"\n\n");
        self.state = State::Over;
    }
}

/// The members that hold a call, and its arguments, by its kind.
fn words(kind: CallKind) -> (&'static str, &'static str) {
    match kind {
        CallKind::Function => ("function", "arguments"),
        CallKind::Custom => ("custom", "input"),
    }
}
