//! Reads an upstream's stream.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    super::{
        citations, error, finish, logprobs,
        response::{arguments, decode_call},
        thinking, usage,
        wire::Text,
    },
    DONE,
    event::{WireContent, WireDelta, WireEvent, call_of, one},
};
use crate::{
    dialects::StreamDecoder,
    model::{Delta, ErrorClass, ErrorInfo, Event, FilterError, PartKey, PartKind, PartStart, Start, Str, ToolCall},
    sse::SseReader,
    stream::{Template, Varying},
};

/// Where the stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing of the answer has come.
    #[default]
    Waiting,
    /// From `message-start`, or the first words, on.
    Running,
    /// From `message-end` or an error on; what follows is ignored.
    Done,
}

/// What the open part is.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Plan,
    Text,
    Thinking,
    /// A call: the beginning of its arguments, while that may be the word `null`; `None` once some were sent on.
    Call {
        held: Option<String>,
    },
}

impl Kind {
    /// Whether it is a block of the message's content.
    fn is_content(&self) -> bool {
        matches!(self, Self::Text | Self::Thinking)
    }
}

/// The part that is open: the wire has one after the other.
#[derive(Clone, Debug)]
struct Open {
    /// Its number among the content's parts, or among the calls.
    index: u32,
    key: PartKey,
    kind: Kind,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    reader: SseReader,
    phase: Phase,
    /// Stays until another part begins: sources of a text may come behind its end.
    open: Option<Open>,
    next_key: u32,
    saw_call: bool,
    template: Template,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        self.reader.feed(chunk)?;
        while self.phase != Phase::Done {
            let Some(event) = self.reader.next_event()? else { return Ok(()) };
            self.event(&event.data, events)?;
        }
        Ok(())
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        // A connection that dies in the middle of an event leaves half of it: that is a cut stream, not a bad one.
        let last = self.reader.finish()?;
        if let Some(event) = last.filter(|event| serde_json::from_str::<&RawValue>(&event.data).is_ok()) {
            self.event(&event.data, events)?;
        }
        if self.phase != Phase::Done {
            let error = if self.phase == Phase::Waiting {
                ErrorInfo::new(ErrorClass::Upstream, "the upstream closed the stream without an answer")
                    .with_code("empty_stream")
            } else {
                ErrorInfo::new(ErrorClass::Upstream, "the upstream closed the stream before the answer was complete")
                    .with_code("stream_truncated")
            };
            self.fail(error, events);
        }
        Ok(())
    }
}

impl Decoder {
    fn event(&mut self, data: &Str, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if let Some((part, delta)) = self.template.delta(data) {
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        if data.is_empty() || &**data == DONE {
            return Ok(());
        }
        let before = events.len();
        let malformed = |cause: serde_json::Error| FilterError::malformed("cohere stream event", &cause);
        let event: WireEvent<'_> = serde_json::from_str(data).map_err(malformed)?;
        let Some(kind) = event.kind else {
            if let Some(error) = error::in_band(data.as_bytes()) {
                self.fail(error, events);
            }
            return Ok(());
        };
        let delta = event.delta.unwrap_or_default();
        let index = event.index.unwrap_or_default();
        match kind.as_str() {
            "message-start" => self.begin(event.id.map(|id| id.keep(data)).unwrap_or_default(), events),
            "tool-plan-delta" => {
                let plan = delta.message.and_then(|message| message.tool_plan);
                self.say(Kind::Plan, 0, plan, data, events);
            }
            "content-start" => self.content_start(index, &delta, data, events),
            "content-delta" => self.content(index, &delta, event.logprobs, data, events),
            "tool-call-start" => self.call_start(index, &delta, data, events),
            "tool-call-delta" => self.call(index, &delta, data, events),
            // Sources come amid the words, and change nothing for them: what was learnt stays.
            "citation-start" => {
                self.citation(&delta, data, events);
                return Ok(());
            }
            "citation-end" => return Ok(()),
            "message-end" => self.end(&delta, data, events),
            // Ends say nothing that the next beginning does not; the vendor's own client passes over what it does not
            // know.
            _ => {}
        }
        self.template.learn(data, events.get(before..).unwrap_or_default(), &Varying::default());
        Ok(())
    }

    /// Waiting → Running.
    fn begin(&mut self, id: Str, events: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            events.push(Event::Start(Box::new(Start { id, ..Start::default() })));
        }
    }

    /// A block of content begins, so the one before it is over. A plan and a call are no blocks, and the plan is one
    /// string of the message: they go on behind a block that says nothing.
    fn content_start(&mut self, index: u32, delta: &WireDelta<'_>, data: &Str, events: &mut Vec<Event>) {
        let content: WireContent<'_> =
            one(delta.message.as_ref().and_then(|message| message.content)).unwrap_or_default();
        if self.open.as_ref().is_some_and(|open| open.kind.is_content()) {
            self.close(events);
        }
        match content.kind.as_ref().map(Text::as_str) {
            Some("thinking") => self.say(Kind::Thinking, index, content.thinking, data, events),
            _ => self.say(Kind::Text, index, content.text, data, events),
        }
    }

    fn content(
        &mut self,
        index: u32,
        delta: &WireDelta<'_>,
        tokens: Option<&RawValue>,
        data: &Str,
        events: &mut Vec<Event>,
    ) {
        let content: WireContent<'_> =
            one(delta.message.as_ref().and_then(|message| message.content)).unwrap_or_default();
        if content.thinking.is_some() {
            self.say(Kind::Thinking, index, content.thinking, data, events);
        }
        if content.text.is_some() {
            self.say(Kind::Text, index, content.text, data, events);
        }
        // The model has them for the text just said, not for thoughts.
        let open = self.open.as_ref().filter(|open| open.kind == Kind::Text && open.index == index);
        if let (Some(open), Some(tokens)) = (open, tokens.and_then(logprobs::decode)) {
            events.push(Event::Delta { part: open.key, delta: Delta::Logprobs(Box::new(tokens)) });
        }
    }

    /// More of a part, which begins if it is not open.
    fn say(&mut self, kind: Kind, index: u32, text: Option<Text<'_>>, data: &Str, events: &mut Vec<Event>) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let open = self.open.as_ref().filter(|open| open.kind == kind && open.index == index).map(|open| open.key);
        let part = open.unwrap_or_else(|| self.start_words(kind, index, events));
        events.push(Event::Delta { part, delta: Delta::Text(text.keep(data)) });
    }

    fn start_words(&mut self, kind: Kind, index: u32, events: &mut Vec<Event>) -> PartKey {
        let (of_part, state) = match kind {
            Kind::Plan => (PartKind::Reasoning, Some(thinking::state(true))),
            Kind::Thinking => (PartKind::Reasoning, Some(thinking::state(false))),
            _ => (PartKind::Text, None),
        };
        let part = self.start(of_part, Open { index, key: PartKey(0), kind }, events);
        events.extend(state.map(|state| Event::Delta { part, delta: Delta::Opaque(Box::new(state)) }));
        part
    }

    fn start(&mut self, kind: PartKind, open: Open, events: &mut Vec<Event>) -> PartKey {
        self.begin(Str::new(), events);
        self.close(events);
        let part = PartKey(self.next_key);
        self.next_key += 1;
        self.open = Some(Open { key: part, ..open });
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
        part
    }

    fn call_start(&mut self, index: u32, delta: &WireDelta<'_>, data: &Str, events: &mut Vec<Event>) {
        let Some(wire) = call_of(delta.message.as_ref()) else { return };
        let Some(call) = decode_call(&wire, data) else { return };
        self.saw_call = true;
        let kind = Kind::Call { held: Some(String::new()) };
        let announced = ToolCall { args: Str::new(), ..call };
        self.start(PartKind::ToolCall(announced), Open { index, key: PartKey(0), kind }, events);
        // Some servers send arguments with the announcement.
        self.call(index, delta, data, events);
    }

    fn call(&mut self, index: u32, delta: &WireDelta<'_>, data: &Str, events: &mut Vec<Event>) {
        let args = call_of(delta.message.as_ref()).and_then(|call| call.function?.arguments);
        let Some(args) = args.filter(|args| !args.is_empty()) else { return };
        let Some(Open { index: open, key, kind: Kind::Call { held } }) = &mut self.open else { return };
        if *open != index {
            return;
        }
        let args = args.keep(data);
        let part = *key;
        if let Some(so_far) = held {
            so_far.push_str(&args);
            if "null".starts_with(so_far.trim()) {
                return;
            }
        }
        let args = held.take().map_or(args, Str::from);
        events.push(Event::Delta { part, delta: Delta::Args(args) });
    }

    fn citation(&mut self, delta: &WireDelta<'_>, data: &Str, events: &mut Vec<Event>) {
        let Some(raw) = one::<&RawValue>(delta.message.as_ref().and_then(|message| message.citations)) else { return };
        let (Some((citation, index)), Some(open)) = (citations::decode(raw, data), &self.open) else { return };
        // A citation of a part that is over has come too late to be told where it belongs.
        if open.kind == Kind::Text && index.is_none_or(|index| index == open.index) {
            events.push(Event::Delta { part: open.key, delta: Delta::Citation(Box::new(citation)) });
        }
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        let Some(open) = self.open.take() else { return };
        if let Kind::Call { held: Some(held) } = open.kind {
            let args = arguments(Str::from(held));
            events.push(Event::Delta { part: open.key, delta: Delta::Args(args) });
        }
        events.push(Event::PartEnd(open.key));
    }

    /// Running → Done.
    fn end(&mut self, delta: &WireDelta<'_>, data: &Str, events: &mut Vec<Event>) {
        let keep = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.keep(data));
        let finish = match finish::decode(keep(&delta.finish_reason), keep(&delta.error).as_ref(), self.saw_call) {
            Ok(finish) => finish,
            Err(error) => return self.fail(error, events),
        };
        self.begin(Str::new(), events);
        self.close(events);
        events.extend(delta.usage.and_then(usage::decode).map(|usage| Event::Usage(Box::new(usage))));
        events.push(Event::Finish { candidate: 0, finish: Box::new(finish) });
        events.push(Event::End);
        self.phase = Phase::Done;
    }

    /// Any → Done.
    fn fail(&mut self, error: ErrorInfo, events: &mut Vec<Event>) {
        events.push(Event::Error(Box::new(error)));
        events.push(Event::End);
        self.phase = Phase::Done;
    }
}
