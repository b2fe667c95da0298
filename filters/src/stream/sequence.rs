//! Puts interleaved parts in sequence, for dialects that have one part open at a time.
//!
//! The part that is open streams live. What comes for another part meanwhile is kept until the open one ends, except
//! that open text and thinking give way at once: they can be continued in a new part, a half-written call cannot.

use std::collections::VecDeque;

use crate::model::{Delta, Event, PartKey, PartKind, PartStart};

/// Keys of parts that this adapter opens itself lie above all that decoders hand out.
const FIRST_OWN_KEY: u32 = 1 << 30;

/// Reorders events so that at most one part is open.
#[derive(Debug, Default)]
pub struct Sequencer {
    open: Option<Open>,
    waiting: VecDeque<Waiting>,
    /// Text and thinking parts that gave way: later text for them opens a new part.
    yielded: Vec<PartStart>,
    own_keys: u32,
}

#[derive(Debug)]
struct Open {
    /// The key that the decoder uses.
    source: PartKey,
    /// The part as it was announced downstream.
    start: PartStart,
}

#[derive(Debug)]
struct Waiting {
    start: Box<PartStart>,
    deltas: Vec<Delta>,
    ended: bool,
}

impl Sequencer {
    /// Takes an event; appends those that may go on now.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Delta { part, delta } => self.delta(part, delta, out),
            Event::PartStart(start) => self.start(start, out),
            Event::PartEnd(part) => self.end(part, out),
            Event::Finish { .. } | Event::Error(_) | Event::End => {
                self.close_all(out);
                out.push(event);
            }
            Event::Start(_) | Event::Usage(_) | Event::Ping => out.push(event),
        }
    }

    fn delta(&mut self, part: PartKey, delta: Delta, out: &mut Vec<Event>) {
        if let Some(open) = &self.open
            && open.source == part
        {
            out.push(Event::Delta { part: open.start.part, delta });
            return;
        }
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.start.part == part) {
            waiting.deltas.push(delta);
            return;
        }
        // A part that gave way goes on in a new one, behind whatever is open now.
        let Some(start) = self.yielded.iter().find(|start| start.part == part).cloned() else { return };
        self.start(Box::new(start), out);
        self.delta(part, delta, out);
    }

    fn start(&mut self, start: Box<PartStart>, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take_if(|open| gives_way(&open.start.kind)) {
            out.push(Event::PartEnd(open.start.part));
            self.yielded.push(PartStart { part: open.source, ..open.start });
        }
        if self.open.is_some() {
            self.waiting.push_back(Waiting { start, deltas: Vec::new(), ended: false });
        } else {
            self.announce(*start, out);
        }
    }

    fn announce(&mut self, mut start: PartStart, out: &mut Vec<Event>) {
        let source = start.part;
        if let Some(at) = self.yielded.iter().position(|yielded| yielded.part == source) {
            self.yielded.swap_remove(at);
            start.part = PartKey(FIRST_OWN_KEY + self.own_keys);
            self.own_keys += 1;
        }
        out.push(Event::PartStart(Box::new(start.clone())));
        self.open = Some(Open { source, start });
    }

    fn end(&mut self, part: PartKey, out: &mut Vec<Event>) {
        if let Some(open) = self.open.take_if(|open| open.source == part) {
            out.push(Event::PartEnd(open.start.part));
            self.flush(out);
        } else if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.start.part == part) {
            waiting.ended = true;
        } else {
            self.yielded.retain(|start| start.part != part);
        }
    }

    /// Nothing is open: sends waiting parts, in the order in which they began, up to one that has not ended.
    fn flush(&mut self, out: &mut Vec<Event>) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.announce(*waiting.start, out);
            let Some(open) = &self.open else { return };
            let part = open.start.part;
            out.extend(waiting.deltas.into_iter().map(|delta| Event::Delta { part, delta }));
            if !waiting.ended {
                return;
            }
            out.push(Event::PartEnd(part));
            self.open = None;
        }
    }

    fn close_all(&mut self, out: &mut Vec<Event>) {
        while let Some(open) = self.open.take() {
            out.push(Event::PartEnd(open.start.part));
            self.flush(out);
        }
    }
}

fn gives_way(kind: &PartKind) -> bool {
    matches!(kind, PartKind::Text | PartKind::Reasoning | PartKind::Refusal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{CallKind, Finish, FinishReason, Str, ToolCall};

    fn start(part: u32, tool: bool) -> Event {
        let kind = if tool {
            PartKind::ToolCall(ToolCall {
                id: Str::from(format!("call_{part}")),
                name: Str::from_static("f"),
                kind: CallKind::Function,
                args: Str::new(),
            })
        } else {
            PartKind::Text
        };
        Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }))
    }

    fn delta(part: u32, tool: bool, text: &str) -> Event {
        let text = Str::from(text);
        Event::Delta { part: PartKey(part), delta: if tool { Delta::Args(text) } else { Delta::Text(text) } }
    }

    fn run(events: Vec<Event>) -> Vec<Event> {
        let mut sequencer = Sequencer::default();
        let mut out = Vec::new();
        for event in events {
            sequencer.push(event, &mut out);
        }
        let finish = Box::new(Finish::new(FinishReason::Stop));
        sequencer.push(Event::Finish { candidate: 0, finish }, &mut out);
        out
    }

    /// Replays and checks the one-open rule; gives what each part said, in order of its start.
    fn check(events: &[Event]) -> Vec<String> {
        let mut open = None;
        let mut said: Vec<(PartKey, String)> = Vec::new();
        for event in events {
            match event {
                Event::PartStart(start) => {
                    assert_eq!(open, None, "a part started inside another");
                    open = Some(start.part);
                    assert!(said.iter().all(|(key, _)| *key != start.part), "a key was used twice");
                    said.push((start.part, String::new()));
                }
                Event::Delta { part, delta } => {
                    assert_eq!(open, Some(*part), "a delta for a part that is not open");
                    let (Delta::Text(text) | Delta::Args(text)) = delta else { panic!("only text here") };
                    said.last_mut().expect("a part is open").1.push_str(text);
                }
                Event::PartEnd(part) => {
                    assert_eq!(open.take(), Some(*part), "the wrong part ended");
                }
                _ => assert_eq!(open, None, "the answer ended inside a part"),
            }
        }
        said.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn interleaved_calls_come_one_after_the_other() {
        let out = run(vec![
            start(0, true),
            delta(0, true, "a"),
            start(1, true),
            delta(1, true, "x"),
            delta(0, true, "b"),
            delta(1, true, "y"),
        ]);
        assert_eq!(check(&out), ["ab", "xy"]);
    }

    #[test]
    fn text_gives_way_to_a_call_and_goes_on_after_it() {
        let out =
            run(vec![start(0, false), delta(0, false, "a"), start(1, true), delta(0, false, "b"), delta(1, true, "x")]);
        assert_eq!(check(&out), ["a", "x", "b"]);
    }

    proptest! {
        #[test]
        fn pitfall_17_nothing_is_lost_and_one_part_is_open(steps in prop::collection::vec((0u32..4, 0u8..3), 0..40)) {
            let mut events = Vec::new();
            let mut begun = [false; 4];
            let mut ended = [false; 4];
            let mut expected = [const { String::new() }; 4];
            for (count, (part, action)) in steps.into_iter().enumerate() {
                let at = part as usize;
                let tool = part % 2 == 1;
                if !begun[at] {
                    begun[at] = true;
                    events.push(start(part, tool));
                } else if !ended[at] && action == 0 {
                    ended[at] = true;
                    events.push(Event::PartEnd(PartKey(part)));
                } else if !ended[at] {
                    let text = format!("<{part}.{count}>");
                    expected[at].push_str(&text);
                    events.push(delta(part, tool, &text));
                }
            }
            let said = check(&run(events)).concat();
            for (at, text) in expected.iter().enumerate() {
                let of_part: String = said
                    .split_inclusive('>')
                    .filter(|piece| piece.starts_with(&format!("<{at}.")))
                    .collect();
                prop_assert_eq!(&of_part, text);
            }
        }
    }
}
