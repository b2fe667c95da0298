//! A call that is being written.

use bytes::BytesMut;

use super::{
    super::output,
    frame::{Frames, PLAIN_TAIL, Place},
};
use crate::model::{CallKind, Opaque, Str, ToolCall};

/// A call, from its announcement to its end.
#[derive(Debug)]
pub(super) struct Call {
    of: ToolCall,
    /// Its first piece, while it is not open.
    pub(super) held: Option<Str>,
    /// What it is made with, so far.
    pub(super) args: String,
    /// Its position and the id of its item, once it is open.
    pub(super) place: Option<(usize, Str)>,
    /// State that came when it was too late to go before the call.
    pub(super) carried: Vec<Opaque>,
}

impl Call {
    pub(super) fn new(call: ToolCall) -> Self {
        Self { of: call, held: None, args: String::new(), place: None, carried: Vec::new() }
    }

    /// Keeps the first of the arguments back.
    pub(super) fn hold(&mut self, first: &Str) {
        // Blanks alone are no JSON, and before it they say nothing.
        if self.of.kind == CallKind::Custom || !first.trim_ascii().is_empty() {
            self.held = Some(first.clone());
        }
    }

    /// Announces the call.
    pub(super) fn open(&mut self, answer: &str, frames: &mut Frames, out: &mut BytesMut) {
        let index = frames.next_item();
        let id = output::item_id(output::call_words(self.of.kind).prefix, answer, index);
        frames.added(index, out, |out| output::push_call(out, &id, "in_progress", &self.of, ""));
        self.place = Some((index, id));
    }

    /// Prepares its deltas.
    pub(super) fn heat(&self, frames: &mut Frames) {
        let Some((index, id)) = &self.place else { return };
        let place = Place { item_id: id, index: *index, part: None };
        frames.heat(output::call_words(self.of.kind).delta, &place, PLAIN_TAIL);
    }

    /// Writes what was held back.
    pub(super) fn release(&mut self, frames: &mut Frames, out: &mut BytesMut) {
        if let Some(held) = self.held.take().filter(|held| !held.is_empty()) {
            self.args.push_str(&held);
            frames.delta(&held, out);
        }
    }

    /// Writes what is left of the call, and its end.
    pub(super) fn close(&mut self, frames: &mut Frames, out: &mut BytesMut) {
        self.heat(frames);
        self.release(frames, out);
        let args = output::args_of(&self.of, &self.args);
        if args.len() != self.args.len() {
            // Arguments of nothing at all would poison the history: no server takes them back.
            frames.delta(args, out);
        }
        let Some((index, id)) = &self.place else { return };
        let place = Place { item_id: id, index: *index, part: None };
        let words = output::call_words(self.of.kind);
        frames.event(words.done, out, |event| {
            place.push(event);
            if words.args == "arguments" {
                event.str("name", &self.of.name);
            }
            event.str(words.args, args);
        });
        frames.done(*index, out, |out| output::push_call(out, id, "completed", &self.of, args));
    }
}
