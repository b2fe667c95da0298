//! The item that texts go to: a message, or reasoning. One is open at a time.

use bytes::BytesMut;

use super::{
    super::{
        logprobs,
        output::{self, Content},
    },
    call::Call,
    encode::Encoder,
    frame::{Frames, Message, PLAIN_TAIL, Place, TEXT_TAIL, Thinking},
};
use crate::model::{Citation, Opaque, PartKey, RawJson};

/// A part that the decoder has open.
#[derive(Debug)]
pub(super) enum Open {
    /// Text, or a refusal; where in its message's part it began, if it is in one.
    Text {
        is_refusal: bool,
        start: usize,
        carried: Vec<Opaque>,
    },
    /// Reasoning, with the state that has come.
    Thinking(Vec<Opaque>),
    Call(Box<Call>),
}

/// The item that texts go to.
#[derive(Debug)]
pub(super) enum Flow {
    Message(Message, PartKey),
    Thinking(Thinking, PartKey),
}

impl Encoder {
    /// Makes a text the one that is written: in the message that is open, or in a new one.
    pub(super) fn open_text(&mut self, key: PartKey, is_refusal: bool, out: &mut BytesMut) {
        if !matches!(self.flow, Some(Flow::Message(..))) {
            self.close_flow("completed", out);
            let index = self.frames.next_item();
            let id = output::item_id("msg", &self.id, index);
            self.frames.added(index, out, |out| output::push_message(out, &id, "in_progress", &[]));
            self.flow = Some(Flow::Message(Message { index, id, contents: Vec::new() }, key));
        }
        let Some(Flow::Message(message, of)) = &mut self.flow else { return };
        if message.contents.last().is_none_or(|last| last.is_refusal || is_refusal)
            && (*of != key || message.contents.is_empty())
        {
            close_content(message, &mut self.frames, out);
            let content = Content::new(is_refusal);
            message.contents.push(content);
            let place = message.place();
            self.frames.event("response.content_part.added", out, |event| {
                place.push(event);
                Content::new(is_refusal).push(event.member("part"));
            });
        }
        let begins = message.contents.last().map_or(0, |content| content.text.len());
        if (*of != key || begins == 0)
            && let Some((_, Open::Text { start, .. })) = self.parts.iter_mut().rev().find(|(part, _)| *part == key)
        {
            *start = begins;
        }
        *of = key;
        if self.live != Some(key) {
            let (kind, tail) = if is_refusal {
                ("response.refusal.delta", PLAIN_TAIL)
            } else {
                ("response.output_text.delta", TEXT_TAIL)
            };
            self.frames.heat(kind, &message.place(), tail);
            self.live = Some(key);
        }
    }

    pub(super) fn open_thinking(&mut self, key: PartKey, out: &mut BytesMut) {
        if !matches!(&self.flow, Some(Flow::Thinking(_, of)) if *of == key) {
            self.close_flow("completed", out);
            let index = self.frames.next_item();
            let bound = match self.parts.iter().rev().find(|(part, _)| *part == key) {
                Some((_, Open::Thinking(state))) => state.first(),
                _ => None,
            };
            let id = output::reasoning_id(bound, &self.id, index);
            let thinking = Thinking { index, id, text: String::new() };
            self.frames.added(index, out, |out| output::push_reasoning(out, &thinking.id, "", None));
            self.frames.event("response.reasoning_summary_part.added", out, |event| {
                thinking.place().push(event);
                output::push_summary(event.member("part"), "");
            });
            self.flow = Some(Flow::Thinking(thinking, key));
        }
        if self.live != Some(key)
            && let Some(Flow::Thinking(thinking, _)) = &self.flow
        {
            self.frames.heat("response.reasoning_summary_text.delta", &thinking.place(), PLAIN_TAIL);
            self.live = Some(key);
        }
    }

    pub(super) fn citation(&mut self, key: PartKey, citation: &Citation, out: &mut BytesMut) {
        let begins = match self.parts.iter().rev().find(|(part, _)| *part == key) {
            Some((_, Open::Text { start, .. })) => *start,
            _ => 0,
        };
        let Some(Flow::Message(message, _)) = &mut self.flow else { return };
        let Some(content) = message.contents.last_mut() else { return };
        let number = content.annotation_count;
        let annotation = content.cite(citation, begins);
        let place = message.place();
        self.frames.event("response.output_text.annotation.added", out, |event| {
            place.push(event);
            event.u64("annotation_index", number);
            event.member("annotation").extend_from_slice(&annotation);
        });
    }

    /// Probabilities of the text just sent, in a delta that says nothing more.
    pub(super) fn logprobs(&mut self, tokens: &RawJson, out: &mut BytesMut) {
        let Some(Flow::Message(message, _)) = &mut self.flow else { return };
        let (Some(content), Some(inside)) = (message.contents.last_mut(), logprobs::inside(tokens.as_str())) else {
            return;
        };
        content.add_logprobs(inside);
        let place = message.place();
        self.frames.event("response.output_text.delta", out, |event| {
            place.push(event);
            event.str("delta", "");
            event.raw("logprobs", tokens.as_str());
        });
    }

    /// Reasoning ends with its state. State beyond the first piece gets items of its own.
    pub(super) fn thinking_end(&mut self, key: PartKey, state: &[Opaque], out: &mut BytesMut) {
        let mut rest = state;
        if matches!(&self.flow, Some(Flow::Thinking(_, of)) if *of == key)
            && let Some(Flow::Thinking(thinking, _)) = self.flow.take()
        {
            let (first, others) = state.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
            rest = others;
            self.close_thinking(&thinking, first, out);
        }
        self.carriers(rest, out);
    }

    pub(super) fn close_thinking(&mut self, thinking: &Thinking, state: Option<&Opaque>, out: &mut BytesMut) {
        self.live = None;
        let Thinking { index, text, .. } = thinking;
        for (kind, is_part) in
            [("response.reasoning_summary_text.done", false), ("response.reasoning_summary_part.done", true)]
        {
            self.frames.event(kind, out, |event| {
                thinking.place().push(event);
                if is_part {
                    output::push_summary(event.member("part"), text);
                } else {
                    event.str("text", text);
                }
            });
        }
        let sealed = state.map(|opaque| output::state(opaque, &self.reply));
        self.frames.done(*index, out, |out| output::push_reasoning(out, &thinking.id, text, sealed.as_deref()));
    }

    /// Items of reasoning that carry nothing but state.
    pub(super) fn carriers(&mut self, state: &[Opaque], out: &mut BytesMut) {
        for opaque in state {
            self.close_flow("completed", out);
            let index = self.frames.next_item();
            let id = output::reasoning_id(Some(opaque), &self.id, index);
            let sealed = output::state(opaque, &self.reply);
            self.frames.added(index, out, |out| output::push_reasoning(out, &id, "", None));
            self.frames.done(index, out, |out| output::push_reasoning(out, &id, "", Some(&sealed)));
        }
    }

    /// Ends the item that texts go to.
    pub(super) fn close_flow(&mut self, status: &str, out: &mut BytesMut) {
        match self.flow.take() {
            None => return,
            Some(Flow::Message(mut message, _)) => {
                close_content(&mut message, &mut self.frames, out);
                let Message { index, id, contents } = message;
                self.frames.done(index, out, |out| output::push_message(out, &id, status, &contents));
            }
            Some(Flow::Thinking(thinking, _)) => self.close_thinking(&thinking, None, out),
        }
        self.live = None;
    }
}

/// Ends the part of a message that is open, if there is one.
fn close_content(message: &mut Message, frames: &mut Frames, out: &mut BytesMut) {
    let Some(content) = message.contents.last() else { return };
    let place: Place<'_> = message.place();
    let (kind, member) =
        if content.is_refusal { ("response.refusal.done", "refusal") } else { ("response.output_text.done", "text") };
    frames.event(kind, out, |event| {
        place.push(event);
        event.str(member, &content.text);
        if !content.is_refusal {
            content.push_logprobs(event.member("logprobs"));
        }
    });
    frames.event("response.content_part.done", out, |event| {
        place.push(event);
        content.push(event.member("part"));
    });
}
