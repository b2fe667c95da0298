//! Reads an upstream's stream.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    super::{
        error,
        finish::{self, Seen},
        item, response, usage,
        wire::{Item, Source, Text, lenient},
    },
    event::{WireEvent, text},
    open::{Form, OpenItem, OpenKind, OpenReasoning},
};
use crate::{
    dialects::StreamDecoder,
    model::{
        Delta, ErrorClass, ErrorInfo, Event, FilterError, Part, PartContent, PartKey, PartKind, PartStart, Start, Str,
        ToolCall,
    },
    openai::DONE,
    sse::{SseEvent, SseReader},
    stream::{Template, Varying},
};

/// Padding against traffic analysis, and the number of the event.
const VARYING: Varying = Varying { strings: &[r#""obfuscation":""#], numbers: &[r#""sequence_number":"#] };

/// The most items that may be open at a time. It bounds what a broken stream can cost.
pub(super) const MAX_OPEN: usize = 1024;

/// Where the stream stands.
#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing of the answer has come.
    #[default]
    Waiting,
    /// From the first response object, or the first item, on.
    Running,
    /// From the last response object or an error on; what follows is ignored.
    Done,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    reader: SseReader,
    phase: Phase,
    pub(super) open: Vec<OpenItem>,
    /// How many bytes each part has said, by its key.
    said: Vec<usize>,
    pub(super) seen: Seen,
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
            self.event(event, events)?;
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
            self.event(event, events)?;
        }
        if self.phase != Phase::Done {
            let (message, code) = match self.phase {
                Phase::Waiting => ("the upstream closed the stream without an answer", "empty_stream"),
                _ => ("the upstream closed the stream before the answer was complete", "stream_truncated"),
            };
            self.fail(ErrorInfo::new(ErrorClass::Upstream, message).with_code(code), events);
        }
        Ok(())
    }
}

impl Decoder {
    fn event(&mut self, event: SseEvent, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if let Some((part, delta)) = self.template.delta(&event.data) {
            if let Delta::Text(said) | Delta::Args(said) = &delta {
                self.count(part, said.len());
            }
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        if event.data.is_empty() || *event.data == *DONE {
            return Ok(());
        }
        let before = events.len();
        let source = Source::new(event.data);
        let wire: WireEvent<'_> = serde_json::from_str(source.as_str())
            .map_err(|cause| FilterError::malformed("responses stream event", &cause))?;
        let kind = wire.kind.as_ref().map_or(&*event.name, |kind| kind.as_str());
        // The names of all but one begin alike.
        match kind.strip_prefix("response.").unwrap_or(kind) {
            "output_text.delta" => self.text(&wire, false, &source, events)?,
            "refusal.delta" => self.text(&wire, true, &source, events)?,
            "reasoning_summary_text.delta" | "reasoning_summary.delta" => {
                self.thought(&wire, Form::Summary, &source, events)?;
            }
            "reasoning_text.delta" | "reasoning.delta" => self.thought(&wire, Form::Full, &source, events)?,
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => self.args(&wire, &source, events),
            "output_text.annotation.added" => self.annotation(&wire, &source, events)?,
            _ => {
                // Ends that make up for what never came say it once: nothing is learnt of them.
                self.template.forget();
                return self.rare(kind, &wire, &source, events);
            }
        }
        self.template.learn(source.as_str(), events.get(before..).unwrap_or_default(), &VARYING);
        Ok(())
    }

    /// Events that do not come again and again.
    fn rare(
        &mut self,
        kind: &str,
        wire: &WireEvent<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        match kind.strip_prefix("response.").unwrap_or(kind) {
            "created" | "queued" | "in_progress" => self.begin(wire, source, events),
            "output_item.added" => self.item_added(wire, source, events)?,
            "content_part.added" => self.part_added(wire, source, events)?,
            "output_text.done" => self.repair_text(wire, &text(wire.text, source), false, events)?,
            "refusal.done" => self.repair_text(wire, &text(wire.refusal, source), true, events)?,
            "content_part.done" => self.part_done(wire, source, events)?,
            "reasoning_summary_text.done" | "reasoning_summary.done" => {
                self.repair_thought(wire, Form::Summary, &text(wire.text, source), events)?;
            }
            "reasoning_text.done" | "reasoning.done" => {
                self.repair_thought(wire, Form::Full, &text(wire.text, source), events)?;
            }
            "function_call_arguments.done" => self.repair_args(wire, &text(wire.arguments, source), events),
            "custom_tool_call_input.done" => self.repair_args(wire, &text(wire.input, source), events),
            "output_item.done" => self.item_done(wire, source, events)?,
            "completed" | "incomplete" | "failed" => self.end(wire, source, events)?,
            "error" => self.fail(stream_error(wire, source), events),
            "keepalive" | "ping" if self.phase == Phase::Running => events.push(Event::Ping),
            _ if wire.error.is_some() => self.fail(stream_error(wire, source), events),
            // The vendor adds events; the progress of its own tools says nothing to others.
            _ => {}
        }
        Ok(())
    }

    /// Waiting → Running.
    fn begin(&mut self, wire: &WireEvent<'_>, source: &Source, events: &mut Vec<Event>) {
        if self.phase != Phase::Waiting {
            return;
        }
        self.phase = Phase::Running;
        let answer = wire.answer();
        let keep = |text: Option<Text<'_>>| text.map(|text| source.text(&text)).unwrap_or_default();
        let created = answer.created_at.unwrap_or_default().0;
        let start = Start { id: keep(answer.id), model: keep(answer.model), created, usage: None };
        events.push(Event::Start(Box::new(start)));
    }

    /// Waiting → Running, for servers that leave the first events out.
    pub(super) fn begin_unannounced(&mut self, events: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            events.push(Event::Start(Box::default()));
        }
    }

    pub(super) fn begin_part(&mut self, kind: PartKind, events: &mut Vec<Event>) -> PartKey {
        let part = PartKey(u32::try_from(self.said.len()).unwrap_or(u32::MAX));
        self.said.push(0);
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
        part
    }

    pub(super) fn count(&mut self, part: PartKey, length: usize) {
        if let Some(said) = self.said.get_mut(part.0 as usize) {
            *said += length;
        }
    }

    pub(super) fn said(&self, part: PartKey) -> usize {
        self.said.get(part.0 as usize).copied().unwrap_or_default()
    }

    pub(super) fn push_text(&mut self, part: PartKey, text: Str, events: &mut Vec<Event>) {
        if !text.is_empty() {
            self.count(part, text.len());
            events.push(Event::Delta { part, delta: Delta::Text(text) });
        }
    }

    pub(super) fn push_args(&mut self, part: PartKey, args: Str, events: &mut Vec<Event>) {
        if !args.is_empty() {
            self.count(part, args.len());
            events.push(Event::Delta { part, delta: Delta::Args(args) });
        }
    }

    pub(super) fn position(&self, index: u64) -> Option<usize> {
        self.open.iter().rposition(|open| open.index == index)
    }

    /// Opens an item, unless it is open.
    pub(super) fn open(
        &mut self,
        index: u64,
        kind: impl FnOnce(&mut Self) -> OpenKind,
    ) -> Result<&mut OpenKind, FilterError> {
        let at = if let Some(at) = self.position(index) {
            at
        } else {
            if self.open.len() >= MAX_OPEN {
                return Err(FilterError::malformed("responses stream", &"too many items are open at a time"));
            }
            let kind = kind(self);
            self.open.push(OpenItem { index, kind });
            self.open.len() - 1
        };
        let open = self.open.get_mut(at).map(|open| &mut open.kind);
        open.ok_or_else(|| FilterError::malformed("responses stream", &"an item is not open"))
    }

    fn item_added(
        &mut self,
        wire: &WireEvent<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        self.begin_unannounced(events);
        let item: Item<'_> = lenient(wire.item).unwrap_or_default();
        let kind = item.kind.as_ref().map_or("", Text::as_str);
        let call = item::call(&item, source);
        self.open(wire.item_index(), |decoder| match (kind, call) {
            ("message", _) => OpenKind::Message(Vec::new()),
            ("reasoning", _) => OpenKind::Reasoning(OpenReasoning::default()),
            (_, Some(call)) => {
                decoder.seen.call = true;
                // What the call is made with comes in pieces, or with its end.
                let kind = PartKind::ToolCall(ToolCall { args: Str::new(), ..call });
                OpenKind::Call(decoder.begin_part(kind, events))
            }
            _ => OpenKind::Held,
        })?;
        Ok(())
    }

    fn item_done(&mut self, wire: &WireEvent<'_>, source: &Source, events: &mut Vec<Event>) -> Result<(), FilterError> {
        self.begin_unannounced(events);
        let Some(raw) = wire.item else { return Ok(()) };
        let item: Item<'_> = lenient(Some(raw)).unwrap_or_default();
        let open = self.position(wire.item_index()).map(|at| self.open.remove(at).kind);
        match open {
            Some(OpenKind::Message(parts)) => self.message_done(&parts, &item, source, events),
            Some(OpenKind::Reasoning(open)) => self.reasoning_done(&open, &item, source, events),
            Some(OpenKind::Call(key)) => {
                if let Some(call) = item::call(&item, source) {
                    // A call without arguments is one of an empty object, which encoders know how to write.
                    let args = if *call.args == *"{}" { Str::new() } else { call.args };
                    self.push_args(key, rest_of(&args, self.said(key)), events);
                }
                events.push(Event::PartEnd(key));
            }
            Some(OpenKind::Held) | None => self.whole_item(raw, &item, source, events),
        }
        Ok(())
    }

    /// An item that comes in one piece.
    fn whole_item(&mut self, raw: &RawValue, item: &Item<'_>, source: &Source, events: &mut Vec<Event>) {
        if item.kind.as_ref().is_some_and(|kind| kind.as_str() == "message") {
            return self.message_done(&[], item, source, events);
        }
        let part = item::decode(item, raw, source);
        events.extend(part.map(|part| self.whole_part(part)).into_iter().flatten());
    }

    /// The events of a part that comes in one piece.
    pub(super) fn whole_part(&mut self, part: Part) -> Vec<Event> {
        match part.content {
            PartContent::Text(_) => self.seen.text = true,
            PartContent::Refusal(_) => self.seen.refusal = true,
            PartContent::ToolCall(_) => self.seen.call = true,
            _ => {}
        }
        let mut events = Vec::new();
        let key = PartKey(u32::try_from(self.said.len()).unwrap_or(u32::MAX));
        self.said.push(0);
        crate::stream::unfold_part(0, key, part, &mut events);
        events
    }

    /// Running → Done. An answer of which nothing was streamed has its items here.
    fn end(&mut self, wire: &WireEvent<'_>, source: &Source, events: &mut Vec<Event>) -> Result<(), FilterError> {
        self.begin(wire, source, events);
        let answer = wire.answer();
        if let Some(info) = error::of_answer(&answer) {
            self.fail(info, events);
            return Ok(());
        }
        let Some(body) = wire.response else {
            return Err(FilterError::malformed("responses stream", &"its last event has no `response`"));
        };
        self.close_all(events);
        if self.said.is_empty() {
            let (parts, _) = response::decode_output(&answer, source).map_err(|cause| {
                FilterError::malformed("responses stream", &format!("{cause}, {} bytes", body.get().len()))
            })?;
            for part in parts {
                let whole = self.whole_part(part);
                events.extend(whole);
            }
        }
        let finish = finish::decode(&answer, self.seen, source);
        events.push(Event::Finish { candidate: 0, finish: Box::new(finish) });
        let usage = answer.usage.and_then(usage::decode);
        events.extend(usage.map(|usage| Event::Usage(Box::new(usage))));
        events.push(Event::End);
        self.phase = Phase::Done;
        Ok(())
    }

    fn close_all(&mut self, events: &mut Vec<Event>) {
        for open in std::mem::take(&mut self.open) {
            match open.kind {
                OpenKind::Message(parts) => {
                    events.extend(parts.iter().filter(|part| !part.ended).map(|part| Event::PartEnd(part.key)));
                }
                OpenKind::Reasoning(OpenReasoning { key: Some(key), .. }) | OpenKind::Call(key) => {
                    events.push(Event::PartEnd(key));
                }
                OpenKind::Reasoning(_) | OpenKind::Held => {}
            }
        }
    }

    /// Any → Done.
    fn fail(&mut self, error: ErrorInfo, events: &mut Vec<Event>) {
        events.push(Event::Error(Box::new(error)));
        events.push(Event::End);
        self.phase = Phase::Done;
    }
}

/// The error in an event: flat, or in a member of its own.
fn stream_error(wire: &WireEvent<'_>, source: &Source) -> ErrorInfo {
    match wire.error.or_else(|| serde_json::from_str(source.as_str()).ok()) {
        // The flat form has the type of the event where others have the type of the error.
        Some(raw) => error::decode(raw),
        None => ErrorInfo::new(ErrorClass::Upstream, "the upstream sent an error that could not be read"),
    }
}

/// What of `whole` comes behind the first `said` bytes.
pub(super) fn rest_of(whole: &Str, said: usize) -> Str {
    whole.get(said..).filter(|rest| !rest.is_empty()).map(|rest| whole.slice_ref(rest)).unwrap_or_default()
}
