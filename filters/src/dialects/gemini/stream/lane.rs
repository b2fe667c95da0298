//! Follows one candidate of a stream: which part is open, and what each part of an event does to it.

use serde_json::value::RawValue;

use super::partial::PartialArgs;
use crate::dialects::gemini::{
    parts,
    wire::{self, slice},
};
use crate::model::{Citation, Delta, Event, Finish, PartKey, PartKind, PartStart, Str, ToolCall};

/// One candidate.
#[derive(Debug, Default)]
pub(super) struct Track {
    pub(super) index: u32,
    pub(super) open: Option<Open>,
    pub(super) call: Option<OpenCall>,
    pub(super) finish: Option<Finish>,
    pub(super) saw_call: bool,
    /// Whether it has had any part.
    pub(super) said: bool,
    pub(super) texts: u32,
}

/// The text or thinking part that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) key: PartKey,
    pub(super) thought: bool,
    /// It has its signature: more text belongs to a new part.
    pub(super) signed: bool,
}

/// A call whose arguments are still coming.
#[derive(Debug)]
pub(super) struct OpenCall {
    pub(super) key: PartKey,
    pub(super) args: PartialArgs,
}

/// One candidate while one event is read.
pub(super) struct Lane<'a> {
    pub(super) whole: &'a Str,
    pub(super) track: &'a mut Track,
    pub(super) mint: &'a mut parts::Mint,
    pub(super) next_key: &'a mut u32,
    pub(super) events: &'a mut Vec<Event>,
}

impl Lane<'_> {
    /// Takes a part.
    pub(super) fn part(&mut self, raw: &RawValue, part: &wire::Part<'_>) {
        if let Some(call) = &part.function_call {
            self.call(part, call);
            return;
        }
        self.close_call();
        let is_text = part.inline_data.is_none()
            && part.file_data.is_none()
            && part.executable_code.is_none()
            && part.code_execution_result.is_none()
            && part.tool_call.is_none()
            && part.tool_response.is_none();
        if is_text {
            let text = part.text.as_ref().map(|text| slice(self.whole, &text.0)).unwrap_or_default();
            self.text(text, part.thought == Some(true), part);
        } else if let Some(whole) = parts::decode(self.whole, raw, part, self.mint) {
            self.close_open();
            let key = self.start(PartKind::Whole(whole));
            self.events.push(Event::PartEnd(key));
        }
    }

    /// Text goes on in the open part of its kind. One that has its signature is not continued, and text that comes
    /// with a signature stands alone; a signature without text belongs to what is open.
    fn text(&mut self, text: Str, thought: bool, part: &wire::Part<'_>) {
        let signature = parts::signature(self.whole, part);
        if text.is_empty() && signature.is_none() {
            return;
        }
        let open = self
            .track
            .open
            .filter(|open| open.thought == thought && !open.signed && (signature.is_none() || text.is_empty()));
        let key = if let Some(open) = open {
            open.key
        } else {
            self.close_open();
            let key = self.start(if thought { PartKind::Reasoning } else { PartKind::Text });
            self.track.open = Some(Open { key, thought, signed: false });
            self.track.texts += u32::from(!thought);
            key
        };
        if !text.is_empty() {
            self.events.push(Event::Delta { part: key, delta: Delta::Text(text) });
        }
        if let Some(signature) = signature {
            self.events.push(Event::Delta { part: key, delta: Delta::Opaque(Box::new(signature)) });
            if let Some(open) = &mut self.track.open {
                open.signed = true;
            }
        }
    }

    fn call(&mut self, part: &wire::Part<'_>, call: &wire::FunctionCall<'_>) {
        let streams = call.will_continue == Some(true);
        let name = call.name.as_ref().is_some_and(|name| !name.0.is_empty());
        if name {
            self.close_call();
            self.close_open();
            self.track.saw_call = true;
            let announced = parts::tool_call(self.whole, call, self.mint);
            let args = announced.args.clone();
            let key = self.start(PartKind::ToolCall(ToolCall { args: Str::new(), ..announced }));
            if let Some(signature) = parts::signature(self.whole, part) {
                self.events.push(Event::Delta { part: key, delta: Delta::Opaque(Box::new(signature)) });
            }
            if !streams && call.partial_args.is_none() {
                self.events.push(Event::Delta { part: key, delta: Delta::Args(args) });
                self.events.push(Event::PartEnd(key));
                return;
            }
            self.track.call = Some(OpenCall { key, args: PartialArgs::default() });
        }
        let Some(open) = &mut self.track.call else { return };
        if let Some(args) = call.args {
            open.args.whole(args.get());
        }
        for piece in call.partial_args.iter().flatten() {
            open.args.apply(piece);
        }
        if !streams {
            self.close_call();
        }
    }

    fn close_call(&mut self) {
        if let Some(open) = self.track.call.take() {
            let args = Str::from(open.args.into_json());
            self.events.push(Event::Delta { part: open.key, delta: Delta::Args(args) });
            self.events.push(Event::PartEnd(open.key));
        }
    }

    fn close_open(&mut self) {
        if let Some(open) = self.track.open.take() {
            self.events.push(Event::PartEnd(open.key));
        }
    }

    /// The candidate is complete, or cut.
    pub(super) fn close_all(&mut self) {
        self.close_call();
        self.close_open();
    }

    fn start(&mut self, kind: PartKind) -> PartKey {
        self.track.said = true;
        let part = PartKey(*self.next_key);
        *self.next_key += 1;
        self.events.push(Event::PartStart(Box::new(PartStart { candidate: self.track.index, part, kind })));
        part
    }

    /// Sources come with the last event. Positions count from the start of the answer's only text.
    pub(super) fn citation(&mut self, mut citation: Citation) {
        if self.track.texts != 1 {
            citation.span = None;
        }
        self.extend_open(Delta::Citation(Box::new(citation)));
    }

    /// Adds to the visible text that is open.
    pub(super) fn extend_open(&mut self, delta: Delta) {
        if let Some(open) = self.track.open.filter(|open| !open.thought) {
            self.events.push(Event::Delta { part: open.key, delta });
        }
    }
}
