//! Unfolds a whole response into the events that a stream of it would have been.

use crate::model::{
    CallKind, Delta, Event, Part, PartContent, PartKey, PartKind, PartStart, Response, Start, Str, ToolCall,
};

/// Appends the events of `response`, legal for every encoder: start, one delta per part, end.
pub fn unfold(response: Response, events: &mut Vec<Event>) {
    events.push(Event::Start(Box::new(Start {
        id: response.id,
        model: response.model,
        created: response.created,
        usage: response.usage,
    })));
    let mut key = 0;
    for candidate in response.candidates {
        for part in candidate.parts {
            unfold_part(candidate.index, PartKey(key), part, events);
            key += 1;
        }
        events.push(Event::Finish { candidate: candidate.index, finish: Box::new(candidate.finish) });
    }
    if let Some(usage) = response.usage {
        events.push(Event::Usage(Box::new(usage)));
    }
    events.push(Event::End);
}

/// Appends the events of one part.
pub(crate) fn unfold_part(candidate: u32, part: PartKey, mut whole: Part, events: &mut Vec<Event>) {
    let opaque = std::mem::take(&mut whole.opaque);
    let citations = std::mem::take(&mut whole.citations);
    let (kind, delta, state) = match whole.content {
        PartContent::Text(text) => (PartKind::Text, Some(Delta::Text(text)), opaque),
        PartContent::Refusal(text) => (PartKind::Refusal, Some(Delta::Text(text)), opaque),
        PartContent::Reasoning(mut reasoning) if reasoning.redacted && !reasoning.opaque.is_empty() => {
            (PartKind::Redacted(reasoning.opaque.swap_remove(0)), None, opaque)
        }
        PartContent::Reasoning(reasoning) => {
            let mut state = opaque;
            state.extend(reasoning.opaque);
            (PartKind::Reasoning, reasoning.text.map(Delta::Text), state)
        }
        PartContent::ToolCall(call) => {
            let args = if call.args.is_empty() && call.kind == CallKind::Function {
                Str::from_static("{}")
            } else {
                call.args.clone()
            };
            (PartKind::ToolCall(ToolCall { args: Str::new(), ..call }), Some(Delta::Args(args)), opaque)
        }
        content => (PartKind::Whole(Part { content, cache: None, opaque, citations: citations.clone() }), None, vec![]),
    };
    events.push(Event::PartStart(Box::new(PartStart { candidate, part, kind })));
    events.extend(delta.map(|delta| Event::Delta { part, delta }));
    events.extend(
        citations.into_iter().map(|citation| Event::Delta { part, delta: Delta::Citation(Box::new(citation)) }),
    );
    events.extend(state.into_iter().map(|state| Event::Delta { part, delta: Delta::Opaque(Box::new(state)) }));
    events.push(Event::PartEnd(part));
}
