//! What chunks amount to: the events of one stream, without its framing.
//!
//! The chunks say little of their own structure: what part text belongs to, and when a part ends, follows from what
//! comes next. A finish reason is kept until the stream is really past it, because some vendors send it more than once,
//! or send content behind it.

use super::calls::{self, Calls};
use crate::{
    dialects::openai_chat::{
        answer::{self, Seen},
        reasoning::{self, Piece},
        usage,
        wire::{Answer, Call, Choice, Function, Message, OneOrMany, Source},
    },
    model::{
        Delta, ErrorClass, ErrorInfo, Event, FilterError, MAX_CANDIDATES, OpaqueKind, PartKey, PartKind, PartStart,
        RawJson, Start, Str, ToolCall,
    },
};

/// What the chunks so far amount to.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The answer's id, once it has begun.
    id: Option<Str>,
    parts: u32,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Default)]
struct Candidate {
    index: u32,
    open: Option<Open>,
    calls: Calls,
    seen: Seen,
    began: bool,
    /// The last finish reason that came.
    finish: Option<Str>,
    finished: bool,
}

/// What is said in [`Delta::Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Text,
    Reasoning,
    Refusal,
}

impl Speech {
    fn kind(self) -> PartKind {
        match self {
            Self::Text => PartKind::Text,
            Self::Reasoning => PartKind::Reasoning,
            Self::Refusal => PartKind::Refusal,
        }
    }
}

/// The part of text, thinking or refusal that is open.
#[derive(Debug)]
struct Open {
    speech: Speech,
    part: PartKey,
    /// The number of the block of thinking, where the vendor counts.
    index: Option<u64>,
    /// Its words come in a field without state; pieces that follow repeat them, to say what their state belongs to.
    plain: bool,
}

impl Parser {
    /// Takes the answer that one event holds.
    pub(super) fn answer(
        &mut self,
        answer: Answer<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let choices = answer.choices.unwrap_or_default();
        let id = answer.id.filter(|id| !id.is_empty());
        // Azure's first chunk holds filter results only, and neither id nor model.
        if self.id.is_none() && (id.is_some() || !choices.is_empty()) {
            let id = id.map(|id| source.text(&id)).unwrap_or_default();
            self.id = Some(id.clone());
            let model = answer.model.map(|model| source.text(&model)).unwrap_or_default();
            let created = answer.created.unwrap_or_default().0;
            events.push(Event::Start(Box::new(Start { id, model, created, usage: None })));
        }
        if choices.is_empty() {
            self.flush_finishes(events);
        }
        for (position, choice) in (0..).zip(choices) {
            self.choice(position, choice, source, events)?;
        }
        if let Some(usage) = usage::in_chunk(answer.usage, answer.x_groq) {
            events.push(Event::Usage(Box::new(usage)));
        }
        Ok(())
    }

    /// Takes a delta as the last event of the stream said one, in an event that differs in nothing else. Not so if the
    /// part is a call whose arguments are complete: whether another call begins, only the whole event says.
    pub(super) fn goes_on(&mut self, part: PartKey, delta: &Delta) -> bool {
        let Delta::Args(arguments) = delta else { return true };
        let call = self.candidates.iter_mut().find_map(|candidate| candidate.calls.of_part(part));
        let Some(call) = call.filter(|call| !call.is_complete()) else { return false };
        call.take(arguments);
        true
    }

    fn choice(
        &mut self,
        position: u64,
        choice: Choice<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let index = choice.index.map_or(position, |index| index.0);
        let Some(index) = u32::try_from(index).ok().filter(|index| *index < MAX_CANDIDATES) else {
            return Err(FilterError::malformed("chat completion chunk", &"a choice's index is too large"));
        };
        let at = self.candidates.iter().position(|candidate| candidate.index == index).unwrap_or_else(|| {
            self.candidates.push(Candidate { index, ..Candidate::default() });
            self.candidates.len() - 1
        });
        let Some(candidate) = self.candidates.get_mut(at) else { return Ok(()) };
        if candidate.finished {
            return Ok(());
        }
        let mut writer =
            Writer { candidate, parts: &mut self.parts, id: self.id.as_deref().unwrap_or_default(), events };
        if let Some(delta) = choice.delta.or(choice.message) {
            writer.delta(&delta, source);
        }
        if let Some(tokens) = answer::tokens(choice.logprobs).filter(|tokens| tokens.get() != "[]") {
            writer.logprobs(source.raw(tokens));
        }
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            candidate.finish = Some(source.text(&word));
        }
        Ok(())
    }

    /// Ends the candidates that have said why they end.
    fn flush_finishes(&mut self, events: &mut Vec<Event>) {
        for candidate in &mut self.candidates {
            if candidate.finish.is_some() {
                candidate.close(events);
            }
        }
    }

    /// Ends all candidates.
    pub(super) fn close(&mut self, events: &mut Vec<Event>) {
        for candidate in &mut self.candidates {
            candidate.close(events);
        }
    }

    /// Whether every candidate has said why it ends.
    pub(super) fn is_finished(&self) -> bool {
        !self.is_empty() && self.candidates.iter().all(|candidate| candidate.finish.is_some() || candidate.finished)
    }

    /// Whether nothing has come that could be an answer.
    pub(super) fn is_empty(&self) -> bool {
        !self.candidates.iter().any(|candidate| candidate.began || candidate.finish.is_some() || candidate.finished)
    }

    /// The error of a stream that ends here.
    pub(super) fn cut_off(&self) -> ErrorInfo {
        if self.is_empty() {
            return empty_stream();
        }
        ErrorInfo::new(ErrorClass::Upstream, "the upstream broke off in the middle of its answer; try again")
            .with_code("stream_truncated")
    }
}

impl Candidate {
    fn close(&mut self, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if let Some(open) = self.open.take() {
            events.push(Event::PartEnd(open.part));
        }
        for call in self.calls.open() {
            call.ended = true;
            events.extend(call.part.map(Event::PartEnd));
        }
        let finish = Box::new(answer::finish(self.finish.take(), self.seen));
        events.push(Event::Finish { candidate: self.index, finish });
    }
}

/// Writes the events of one choice.
struct Writer<'a> {
    candidate: &'a mut Candidate,
    parts: &'a mut u32,
    id: &'a str,
    events: &'a mut Vec<Event>,
}

impl Writer<'_> {
    /// Thinking, text, refusal, pictures, calls: the order in which one delta says them.
    fn delta(&mut self, delta: &Message<'_>, source: &Source) {
        self.thinking(delta, source);
        match &delta.content {
            Some(OneOrMany::One(text)) => self.text(Speech::Text, &source.text(text)),
            Some(OneOrMany::Many(chunks)) => {
                for chunk in chunks {
                    self.text(Speech::Reasoning, &reasoning::of_chunk(chunk.thinking, source));
                    if let Some(text) = &chunk.text {
                        self.text(Speech::Text, &source.text(text));
                    }
                }
            }
            None => {}
        }
        if let Some(refusal) = &delta.refusal {
            self.text(Speech::Refusal, &source.text(refusal));
        }
        for citation in answer::citations(delta.annotations, source) {
            let part = self.open(Speech::Text, None);
            self.push(part, Delta::Citation(Box::new(citation)));
        }
        if let Some(signature) = reasoning::thought_signature(delta.extra_content, source) {
            let part = self.open(Speech::Text, None);
            self.push(part, Delta::Opaque(Box::new(signature)));
        }
        for image in answer::images(delta.images, source) {
            self.whole(PartKind::Whole(image));
        }
        for call in delta.tool_calls.iter().flatten() {
            self.call(call, source);
        }
        if let Some(Function { name, arguments }) = &delta.function_call {
            let function = Some(Function { name: name.clone(), arguments: *arguments });
            let call = Call { index: None, id: None, function, custom: None, extra_content: None, cache_control: None };
            // The form that preceded `tool_calls` has one call only, and names it only once.
            self.call(&call, source);
        }
    }

    fn thinking(&mut self, delta: &Message<'_>, source: &Source) {
        if delta.reasoning_details.is_none() && delta.thinking_blocks.is_none() {
            if let Some(text) = reasoning::plain(delta, source) {
                self.text(Speech::Reasoning, &text);
                if let Some(open) = &mut self.candidate.open {
                    open.plain = open.speech == Speech::Reasoning;
                }
            }
            return;
        }
        for piece in reasoning::pieces(delta, source) {
            self.piece(piece);
        }
    }

    fn piece(&mut self, piece: Piece) {
        let continues = matches!(&self.candidate.open, Some(open)
            if open.speech == Speech::Reasoning
                && (open.plain || piece.continues(open.index)));
        match piece.opaque {
            Some(opaque) if piece.sealed && !continues => {
                self.close_open();
                self.whole(PartKind::Redacted(opaque));
            }
            opaque => {
                if !continues {
                    self.close_open();
                }
                let part = self.open(Speech::Reasoning, piece.index);
                let repeats = matches!(&self.candidate.open, Some(open) if open.plain);
                if !piece.text.is_empty() && !repeats {
                    self.push(part, Delta::Text(piece.text));
                }
                if let Some(opaque) = opaque {
                    // A signature ends the words that it signs.
                    let is_last = matches!(opaque.kind, OpaqueKind::Signature | OpaqueKind::ThoughtSignature);
                    self.push(part, Delta::Opaque(Box::new(opaque)));
                    if is_last {
                        self.close_open();
                    }
                }
            }
        }
    }

    fn text(&mut self, speech: Speech, text: &Str) {
        if text.is_empty() {
            return;
        }
        match speech {
            Speech::Text => self.candidate.seen.text = true,
            Speech::Refusal => self.candidate.seen.refusal = true,
            Speech::Reasoning => {}
        }
        let part = self.open(speech, None);
        self.push(part, Delta::Text(text.clone()));
    }

    fn call(&mut self, piece: &Call<'_>, source: &Source) {
        let arguments = calls::arguments(piece, source);
        let signature = reasoning::thought_signature(piece.extra_content, source);
        let at = self.candidate.calls.find(piece, source);
        let Some(call) = self.candidate.calls.get(at).filter(|call| !call.ended) else { return };
        let new = call.part.is_none() && !call.name.is_empty();
        if !new && call.part.is_none() {
            call.early.push_str(&arguments);
            return;
        }
        if new {
            let part = PartKey(*self.parts);
            *self.parts += 1;
            if call.id.is_empty() {
                call.id = answer::mint_id(self.id, part.0);
            }
            call.part = Some(part);
            let start = ToolCall { id: call.id.clone(), name: call.name.clone(), kind: call.kind, args: Str::new() };
            let early = Str::from(std::mem::take(&mut call.early));
            call.take(&early);
            self.begin_call(part, start, early);
        }
        let Some(call) = self.candidate.calls.get(at) else { return };
        let Some(part) = call.part else { return };
        if !arguments.is_empty() {
            call.take(&arguments);
            self.push(part, Delta::Args(arguments));
        }
        if let Some(signature) = signature {
            self.push(part, Delta::Opaque(Box::new(signature)));
        }
    }

    /// A call begins: what was open ends, and so do the calls before it whose arguments are complete.
    fn begin_call(&mut self, part: PartKey, call: ToolCall, early: Str) {
        self.close_open();
        for before in self.candidate.calls.complete().filter(|before| before.part != Some(part)) {
            before.ended = true;
            self.events.extend(before.part.map(Event::PartEnd));
        }
        self.candidate.seen.call = true;
        self.candidate.began = true;
        let start = PartStart { candidate: self.candidate.index, part, kind: PartKind::ToolCall(call) };
        self.events.push(Event::PartStart(Box::new(start)));
        if !early.is_empty() {
            self.push(part, Delta::Args(early));
        }
    }

    /// The open part of a kind; begins one if another is open, or none.
    fn open(&mut self, speech: Speech, index: Option<u64>) -> PartKey {
        if let Some(open) = self.candidate.open.as_mut().filter(|open| open.speech == speech) {
            open.index = open.index.or(index);
            return open.part;
        }
        self.close_open();
        let part = self.start(speech.kind());
        self.candidate.open = Some(Open { speech, part, index, plain: false });
        part
    }

    fn close_open(&mut self) {
        if let Some(open) = self.candidate.open.take() {
            self.events.push(Event::PartEnd(open.part));
        }
    }

    /// A part that is complete with its start.
    fn whole(&mut self, kind: PartKind) {
        self.close_open();
        let part = self.start(kind);
        self.events.push(Event::PartEnd(part));
    }

    fn start(&mut self, kind: PartKind) -> PartKey {
        let part = PartKey(*self.parts);
        *self.parts += 1;
        self.candidate.began = true;
        self.events.push(Event::PartStart(Box::new(PartStart { candidate: self.candidate.index, part, kind })));
        part
    }

    /// Probabilities of the text just sent.
    fn logprobs(&mut self, tokens: RawJson) {
        if let Some(open) = &self.candidate.open {
            let part = open.part;
            self.push(part, Delta::Logprobs(Box::new(tokens)));
        }
    }

    fn push(&mut self, part: PartKey, delta: Delta) {
        self.events.push(Event::Delta { part, delta });
    }
}

/// The upstream ended without an answer.
pub(super) fn empty_stream() -> ErrorInfo {
    ErrorInfo::new(ErrorClass::Upstream, "the upstream ended its answer without saying anything; try again")
        .with_code("empty_stream")
}
