//! Tools that another provider ran, as the likes of them that this dialect's clients know.

use bytes::BytesMut;
use serde_json::Value;

use super::{
    super::{
        likeness::{self, Likeness},
        output,
    },
    frame::{Frames, Place},
};
use crate::model::{ServerCall, Str};

/// Writes such tools; code waits for what it printed.
#[derive(Debug, Default)]
pub(super) struct Tools {
    waiting: Option<Code>,
}

#[derive(Debug)]
struct Code {
    /// The id by which the result names it.
    call: Str,
    code: String,
}

impl Tools {
    /// Takes a call; a search is complete with it.
    pub(super) fn call(&mut self, call: &ServerCall, frames: &mut Frames, answer: &str, out: &mut BytesMut) {
        let input = call.input.to_value();
        match likeness::of(&call.tool) {
            Some(Likeness::WebSearch) => search(&input, frames, answer, out),
            Some(Likeness::CodeInterpreter) => {
                self.waiting = Some(Code { call: call.id.clone(), code: likeness::code_of(&input).to_owned() });
            }
            None => {}
        }
    }

    /// Writes code that waits, with the result if it is its own.
    pub(super) fn flush(
        &mut self,
        result: Option<(&str, &str)>,
        frames: &mut Frames,
        answer: &str,
        out: &mut BytesMut,
    ) {
        let Some(Code { call, code }) = self.waiting.take() else { return };
        let logs = result.filter(|(of, _)| call == *of).map(|(_, logs)| logs);
        let index = frames.next_item();
        let id = output::item_id("ci", answer, index);
        frames.added(index, out, |out| likeness::push_code(out, &id, "in_progress", "", None));
        let place = Place { item_id: &id, index, part: None };
        frames.event("response.code_interpreter_call.in_progress", out, |event| place.push(event));
        for (kind, member) in [
            ("response.code_interpreter_call_code.delta", "delta"),
            ("response.code_interpreter_call_code.done", "code"),
        ] {
            frames.event(kind, out, |event| {
                place.push(event);
                event.str(member, &code);
            });
        }
        for kind in ["response.code_interpreter_call.interpreting", "response.code_interpreter_call.completed"] {
            frames.event(kind, out, |event| place.push(event));
        }
        frames.done(index, out, |out| likeness::push_code(out, &id, "completed", &code, logs));
    }
}

fn search(input: &Value, frames: &mut Frames, answer: &str, out: &mut BytesMut) {
    let index = frames.next_item();
    let id = output::item_id("ws", answer, index);
    frames.added(index, out, |out| likeness::push_web_search(out, &id, "in_progress", input));
    let place = Place { item_id: &id, index, part: None };
    for kind in [
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
    ] {
        frames.event(kind, out, |event| place.push(event));
    }
    frames.done(index, out, |out| likeness::push_web_search(out, &id, "completed", input));
}
