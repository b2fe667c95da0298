//! Vendors' state that a client's dialect has no place for, kept until the client comes back.
//!
//! A model that thinks before it calls a tool wants its thinking back with the result. Clients of some dialects cannot
//! carry it: they send the call alone. What stood before the call is kept under its id, per tenant, for a while and
//! up to a size; a client that comes later, or to another node, gets what it would get without: the provider is told
//! that there is none.

use std::{sync::Arc, time::Duration};

use lockgate_filters::model::{
    Delta, Event, Opaque, Part, PartContent, PartKey, PartKind, Reasoning, Request, Role, Str, Turn,
};
use moka::sync::Cache;

/// Thinking before one call that is longer than this is not kept.
const MAX_THINKING: usize = 256 << 10;

/// Keeps state by call.
#[derive(Clone, Debug)]
pub struct StateMemory {
    calls: Cache<Key, Arc<Kept>>,
}

/// Whose call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    tenant: Str,
    call: Str,
}

/// What goes with a call.
#[derive(Clone, Debug, Default)]
struct Kept {
    /// The thinking before it, as parts.
    thinking: Vec<Part>,
    /// The state on the call itself.
    state: Vec<Opaque>,
}

impl StateMemory {
    /// Keeps at most `bytes`, each piece for at most `ttl`.
    pub fn new(bytes: u64, ttl: Duration) -> Self {
        let weigh = |key: &Key, kept: &Arc<Kept>| {
            u32::try_from(key.tenant.len() + key.call.len() + kept.weight()).unwrap_or(u32::MAX)
        };
        Self { calls: Cache::builder().max_capacity(bytes).time_to_live(ttl).weigher(weigh).build() }
    }

    /// The request with the state that belongs to its calls; `None` if there is none to add.
    pub(super) fn recall(&self, tenant: &str, request: &Request) -> Option<Request> {
        let mut changed: Option<Request> = None;
        for (at, turn) in request.turns.iter().enumerate() {
            if turn.role != Role::Assistant {
                continue;
            }
            let Some(parts) = self.completed(tenant, turn) else { continue };
            let request = changed.get_or_insert_with(|| request.clone());
            if let Some(turn) = request.turns.get_mut(at) {
                turn.parts = parts;
            }
        }
        changed
    }

    /// The parts of a turn with what belongs to its calls.
    fn completed(&self, tenant: &str, turn: &Turn) -> Option<Vec<Part>> {
        let calls = turn.parts.iter().filter_map(|part| match &part.content {
            PartContent::ToolCall(call) => Some((&call.id, self.get(tenant, &call.id)?)),
            _ => None,
        });
        let kept: Vec<(&Str, Arc<Kept>)> = calls.collect();
        if kept.is_empty() {
            return None;
        }
        // It comes first in its turn, as the vendor said it; what the client shows of it is in there.
        let thinking = kept.iter().flat_map(|(_, kept)| kept.thinking.iter().cloned());
        let mut parts: Vec<Part> = thinking.collect();
        let shown = parts.is_empty();
        for part in &turn.parts {
            let mut part = part.clone();
            match &part.content {
                PartContent::Reasoning(_) if !shown => continue,
                PartContent::ToolCall(call) => {
                    if let Some((_, kept)) = kept.iter().find(|(id, kept)| **id == call.id && !kept.state.is_empty()) {
                        part.opaque.clone_from(&kept.state);
                    }
                }
                _ => {}
            }
            parts.push(part);
        }
        Some(parts)
    }

    fn get(&self, tenant: &str, call: &Str) -> Option<Arc<Kept>> {
        self.calls.get(&Key { tenant: Str::from(tenant), call: call.clone() })
    }

    /// Listens to an answer for `tenant`.
    pub(super) fn listen(&self, tenant: &str) -> Listener {
        Listener { memory: self.clone(), tenant: Str::from(tenant), thoughts: Vec::new(), calls: Vec::new(), length: 0 }
    }
}

impl Kept {
    fn weight(&self) -> usize {
        let states = |states: &[Opaque]| states.iter().map(|state| state.data.len() + 64).sum::<usize>();
        let thinking = self.thinking.iter().map(|part| match &part.content {
            PartContent::Reasoning(reasoning) => {
                reasoning.text.as_ref().map_or(0, |text| text.len()) + states(&reasoning.opaque) + 128
            }
            _ => 128,
        });
        thinking.sum::<usize>() + states(&self.state)
    }
}

/// Takes the state out of one answer as it passes, and keeps it at the end.
#[derive(Debug)]
pub(super) struct Listener {
    memory: StateMemory,
    tenant: Str,
    thoughts: Vec<Thought>,
    calls: Vec<(PartKey, Str, Vec<Opaque>)>,
    length: usize,
}

#[derive(Debug)]
struct Thought {
    key: PartKey,
    text: String,
    redacted: bool,
    opaque: Vec<Opaque>,
}

impl Listener {
    /// Hears an event. Text that the client reads costs a comparison.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::PartStart(start) if start.candidate == 0 => self.start(start.part, &start.kind),
            Event::Delta { part, delta } => self.delta(*part, delta),
            Event::End => self.keep(),
            _ => {}
        }
    }

    /// Hears a whole answer.
    pub(super) fn parts(mut self, parts: &[Part]) {
        for (key, part) in (0..).map(PartKey).zip(parts) {
            match &part.content {
                PartContent::Reasoning(reasoning) => {
                    let text = reasoning.text.as_deref().unwrap_or_default().to_owned();
                    self.length += text.len();
                    let opaque = reasoning.opaque.clone();
                    self.thoughts.push(Thought { key, text, redacted: reasoning.redacted, opaque });
                }
                PartContent::ToolCall(call) => self.calls.push((key, call.id.clone(), part.opaque.clone())),
                _ => {}
            }
        }
        self.keep();
    }

    fn start(&mut self, key: PartKey, kind: &PartKind) {
        let thought = |redacted, opaque| Thought { key, text: String::new(), redacted, opaque };
        match kind {
            PartKind::Reasoning => self.thoughts.push(thought(false, Vec::new())),
            PartKind::Redacted(opaque) => self.thoughts.push(thought(true, vec![opaque.clone()])),
            PartKind::ToolCall(call) => self.calls.push((key, call.id.clone(), Vec::new())),
            _ => {}
        }
    }

    fn delta(&mut self, part: PartKey, delta: &Delta) {
        match delta {
            Delta::Text(text) => {
                // The open thought is the last one; text of any other part is the client's.
                if let Some(thought) = self.thoughts.last_mut().filter(|thought| thought.key == part) {
                    self.length += text.len();
                    if self.length <= MAX_THINKING {
                        thought.text.push_str(text);
                    }
                }
            }
            Delta::Opaque(opaque) => {
                if let Some(thought) = self.thoughts.iter_mut().rev().find(|thought| thought.key == part) {
                    thought.opaque.push((**opaque).clone());
                } else if let Some((_, _, state)) = self.calls.iter_mut().rev().find(|(key, ..)| *key == part) {
                    state.push((**opaque).clone());
                }
            }
            _ => {}
        }
    }

    /// The answer is complete. All thinking goes with the first call: its turn begins with it.
    fn keep(&mut self) {
        if self.length > MAX_THINKING {
            return;
        }
        let thoughts = std::mem::take(&mut self.thoughts).into_iter();
        let mut thinking: Vec<Part> = thoughts
            .filter(|thought| !thought.opaque.is_empty())
            .map(|Thought { text, redacted, opaque, .. }| {
                let text = (!text.is_empty()).then(|| Str::from(text));
                Part::new(PartContent::Reasoning(Reasoning { text, redacted, opaque }))
            })
            .collect();
        for (_, call, state) in std::mem::take(&mut self.calls) {
            let kept = Kept { thinking: std::mem::take(&mut thinking), state };
            let remembers = !kept.thinking.is_empty() || !kept.state.is_empty();
            if remembers && !call.is_empty() {
                self.memory.calls.insert(Key { tenant: self.tenant.clone(), call }, Arc::new(kept));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lockgate_filters::model::{Family, OpaqueKind, PartStart, ToolCall, ToolResult};

    use super::*;

    fn state(data: &'static str) -> Opaque {
        let (family, kind) = (Family::Anthropic, OpaqueKind::Signature);
        Opaque { family, kind, model: None, id: None, data: Str::from_static(data) }
    }

    fn call(id: &'static str) -> ToolCall {
        ToolCall {
            id: Str::from_static(id),
            name: Str::from_static("look"),
            kind: lockgate_filters::model::CallKind::Function,
            args: Str::from_static("{}"),
        }
    }

    fn history() -> Request {
        let result = ToolResult {
            call: Str::from_static("call_1"),
            name: None,
            parts: vec![Part::text("seen")],
            json: None,
            is_error: false,
        };
        let turn = |role, content| Turn { role, parts: vec![Part::new(content)], name: None };
        Request {
            turns: vec![
                turn(Role::Assistant, PartContent::ToolCall(call("call_1"))),
                turn(Role::User, PartContent::ToolResult(result)),
            ],
            ..Request::default()
        }
    }

    fn answer() -> Vec<Event> {
        let start = |part, kind| Event::PartStart(Box::new(PartStart { candidate: 0, part: PartKey(part), kind }));
        let delta = |part, delta| Event::Delta { part: PartKey(part), delta };
        vec![
            start(0, PartKind::Reasoning),
            delta(0, Delta::Text(Str::from_static("Let me"))),
            delta(0, Delta::Text(Str::from_static(" look."))),
            delta(0, Delta::Opaque(Box::new(state("signed")))),
            start(1, PartKind::ToolCall(call("call_1"))),
            delta(1, Delta::Opaque(Box::new(state("on the call")))),
            Event::End,
        ]
    }

    #[test]
    fn pitfall_49_what_stood_before_a_call_comes_back_with_it() {
        let memory = StateMemory::new(1 << 20, Duration::from_mins(1));
        let mut listener = memory.listen("ann");
        for event in &answer() {
            listener.event(event);
        }
        let request = memory.recall("ann", &history()).expect("there is state to add");
        let [thought, called] = request.turns[0].parts.as_slice() else { panic!("{:?}", request.turns[0]) };
        let PartContent::Reasoning(reasoning) = &thought.content else { panic!("{thought:?}") };
        assert_eq!((reasoning.text.as_deref(), &*reasoning.opaque[0].data), (Some("Let me look."), "signed"));
        assert_eq!(&*called.opaque[0].data, "on the call");
        assert!(memory.recall("bob", &history()).is_none(), "another tenant has no such call");
        let again = memory.recall("ann", &request).expect("there is state to add");
        assert_eq!(again.turns, request.turns, "it is added once");
    }

    #[test]
    fn a_whole_answer_is_kept_as_a_streamed_one() {
        let memory = StateMemory::new(1 << 20, Duration::from_mins(1));
        let thought = Reasoning { text: Some(Str::from_static("Hm")), redacted: false, opaque: vec![state("signed")] };
        let parts = [Part::new(PartContent::Reasoning(thought)), Part::new(PartContent::ToolCall(call("call_1")))];
        memory.listen("ann").parts(&parts);
        assert_eq!(memory.recall("ann", &history()).expect("it is there").turns[0].parts.len(), 2);
    }

    #[test]
    fn a_broken_answer_and_one_without_calls_leave_nothing() {
        let memory = StateMemory::new(1 << 20, Duration::from_mins(1));
        let mut listener = memory.listen("ann");
        answer().iter().filter(|event| **event != Event::End).for_each(|event| listener.event(event));
        drop(listener);
        let thought = Reasoning { text: None, redacted: true, opaque: vec![state("signed")] };
        memory.listen("ann").parts(&[Part::new(PartContent::Reasoning(thought))]);
        assert!(memory.recall("ann", &history()).is_none());
    }

    #[test]
    fn memory_has_a_bound() {
        let memory = StateMemory::new(64 << 10, Duration::from_mins(1));
        for at in 0..200 {
            let reasoning = Reasoning {
                text: Some(Str::from("x".repeat(4 << 10))),
                redacted: false,
                opaque: vec![state("signed")],
            };
            let call = ToolCall { id: Str::from(format!("call_{at}")), ..call("") };
            memory
                .listen("ann")
                .parts(&[Part::new(PartContent::Reasoning(reasoning)), Part::new(PartContent::ToolCall(call))]);
        }
        memory.calls.run_pending_tasks();
        assert!(memory.calls.weighted_size() <= 64 << 10, "{}", memory.calls.weighted_size());
        assert!(memory.calls.entry_count() > 5);
    }
}
