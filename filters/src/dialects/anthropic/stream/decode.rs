//! Reads an upstream's stream.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    super::{
        blocks, error, finish,
        response::decode_part,
        usage::WireUsage,
        wire::{Text, keep_raw},
    },
    event::{WireEvent, parse},
    open::{Open, OpenKind, close, comes_in_pieces, held},
};
use crate::{
    dialects::StreamDecoder,
    model::{
        Delta, ErrorClass, ErrorInfo, Event, FilterError, Part, PartContent, PartKey, PartKind, PartStart, Start, Str,
        ToolCall,
    },
    sse::{SseEvent, SseReader},
    stream::{Template, Varying},
};

/// Where the stream stands.
#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing of the answer has come.
    #[default]
    Waiting,
    /// From `message_start`, or the first block, on.
    Running,
    /// From `message_stop` or an error on; what follows is ignored.
    Done,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    reader: SseReader,
    phase: Phase,
    open: Vec<Open>,
    next_key: u32,
    usage: WireUsage,
    stop_reason: Option<Str>,
    stop_sequence: Option<Str>,
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
            self.event(&event, events)?;
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
            self.event(&event, events)?;
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
    fn event(&mut self, event: &SseEvent, events: &mut Vec<Event>) -> Result<(), FilterError> {
        let data = &event.data;
        if let Some((part, delta)) = self.template.delta(data) {
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        // Gateways append the terminator of another dialect.
        if data.is_empty() || **data == *"[DONE]" {
            return Ok(());
        }
        let before = events.len();
        let malformed = |error: serde_json::Error| FilterError::malformed("anthropic stream event", &error);
        let Some(wire) = parse(data).map_err(malformed)? else { return Ok(()) };
        let kind = wire.kind.as_ref().map_or(&*event.name, |kind| &*kind.0);
        match kind {
            "content_block_delta" => self.delta(data, wire, events),
            "content_block_start" => self.block_start(data, &wire, events),
            "content_block_stop" => self.block_stop(wire.index, events),
            "message_start" => self.message_start(data, &wire, events),
            "message_delta" => self.message_delta(data, wire, events),
            "message_stop" => self.message_stop(events),
            "ping" => {
                // It changes nothing, so that what was learnt stays.
                events.push(Event::Ping);
                return Ok(());
            }
            "error" => self.fail(error::decode_in_band(data.as_bytes()), events),
            _ if wire.error.is_some() => self.fail(error::decode_in_band(data.as_bytes()), events),
            // The vendor adds events; its guide says to ignore what one does not know.
            _ => {}
        }
        // The vendor pads with blanks only.
        self.template.learn(data, events.get(before..).unwrap_or_default(), &Varying::default());
        Ok(())
    }

    /// Waiting → Running. Some servers send the event twice.
    fn message_start(&mut self, data: &Str, wire: &WireEvent<'_>, events: &mut Vec<Event>) {
        let Some(message) = &wire.message else { return };
        self.usage.merge(message.usage.unwrap_or_default());
        if self.phase != Phase::Waiting {
            return;
        }
        self.phase = Phase::Running;
        let keep = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.keep(data)).unwrap_or_default();
        let usage = message.usage.map(WireUsage::to_usage);
        let start = Start { id: keep(&message.id), model: keep(&message.model), created: 0, usage };
        events.push(Event::Start(Box::new(start)));
    }

    /// Waiting → Running, for servers that leave `message_start` out.
    fn begin_unannounced(&mut self, events: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            events.push(Event::Start(Box::default()));
        }
    }

    fn block_start(&mut self, data: &Str, wire: &WireEvent<'_>, events: &mut Vec<Event>) {
        let Some(raw) = wire.content_block else { return };
        self.begin_unannounced(events);
        let key = PartKey(self.next_key);
        self.next_key += 1;
        let part = decode_part(data, raw);
        let mut begin = |kind| events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part: key, kind })));
        let kind = match part.content {
            PartContent::Text(text) => {
                begin(PartKind::Text);
                push_text(key, text, events);
                OpenKind::Text
            }
            PartContent::Reasoning(mut reasoning) if reasoning.redacted && !reasoning.opaque.is_empty() => {
                begin(PartKind::Redacted(reasoning.opaque.swap_remove(0)));
                OpenKind::Whole
            }
            PartContent::Reasoning(reasoning) => {
                begin(PartKind::Reasoning);
                push_text(key, reasoning.text.unwrap_or_default(), events);
                OpenKind::Thinking { signature: reasoning.opaque.into_iter().next().map(|opaque| opaque.data) }
            }
            PartContent::ToolCall(call) => {
                self.saw_call = true;
                begin(PartKind::ToolCall(ToolCall { args: Str::new(), ..call.clone() }));
                OpenKind::Call { saw_args: false, input: call.args }
            }
            PartContent::ServerCall(_) => held(data, raw),
            PartContent::Unknown { .. } if comes_in_pieces(raw) => held(data, raw),
            content => {
                begin(PartKind::Whole(Part { content, ..part }));
                OpenKind::Whole
            }
        };
        self.open.push(Open { index: wire.index, key, kind });
    }

    fn delta(&mut self, data: &Str, wire: WireEvent<'_>, events: &mut Vec<Event>) {
        let Some(delta) = wire.delta else { return };
        let Some(open) = self.open.iter_mut().rev().find(|open| open.index == wire.index) else { return };
        let part = open.key;
        match (&mut open.kind, delta.kind.as_ref().map(|kind| &*kind.0)) {
            (OpenKind::Text, Some("text_delta")) => {
                push_text(part, delta.text.map(|text| text.keep(data)).unwrap_or_default(), events);
            }
            (OpenKind::Thinking { .. }, Some("thinking_delta")) => {
                push_text(part, delta.thinking.map(|text| text.keep(data)).unwrap_or_default(), events);
            }
            (OpenKind::Thinking { signature }, Some("signature_delta")) => {
                *signature = delta.signature.map(|text| text.keep(data));
            }
            (OpenKind::Text, Some("citations_delta")) => {
                let citation = delta.citation.and_then(|raw| blocks::decode_citation(data, raw));
                let citation = citation.map(|citation| Delta::Citation(Box::new(citation)));
                events.extend(citation.map(|delta| Event::Delta { part, delta }));
            }
            (OpenKind::Call { saw_args, .. }, Some("input_json_delta")) => {
                let args = delta.partial_json.map(|text| text.keep(data)).filter(|text| !text.is_empty());
                *saw_args |= args.is_some();
                events.extend(args.map(|args| Event::Delta { part, delta: Delta::Args(args) }));
            }
            (OpenKind::Held { input, .. }, Some("input_json_delta")) => {
                input.push_str(delta.partial_json.as_ref().map_or("", |text| &text.0));
            }
            (OpenKind::Held { content, .. }, Some("compaction_delta")) => {
                *content = delta.content.map(|raw| keep_raw(data, raw));
            }
            // A kind of delta that its block does not take says nothing that could be told on.
            _ => {}
        }
    }

    fn block_stop(&mut self, index: u32, events: &mut Vec<Event>) {
        if let Some(at) = self.open.iter().rposition(|open| open.index == index) {
            let open = self.open.remove(at);
            close(open, events);
        }
    }

    fn message_delta(&mut self, data: &Str, wire: WireEvent<'_>, events: &mut Vec<Event>) {
        self.begin_unannounced(events);
        if let Some(delta) = wire.delta {
            let keep = |text: Option<Text<'_>>| text.map(|text| text.keep(data));
            self.stop_reason = keep(delta.stop_reason).or_else(|| self.stop_reason.take());
            self.stop_sequence = keep(delta.stop_sequence).or_else(|| self.stop_sequence.take());
        }
        if let Some(usage) = wire.usage {
            self.usage.merge(usage);
            events.push(Event::Usage(Box::new(self.usage.to_usage())));
        }
    }

    /// Running → Done.
    fn message_stop(&mut self, events: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            let error = ErrorInfo::new(ErrorClass::Upstream, "the upstream ended the stream without an answer");
            return self.fail(error.with_code("empty_stream"), events);
        }
        for open in std::mem::take(&mut self.open) {
            close(open, events);
        }
        let finish = finish::decode(self.stop_reason.take(), self.stop_sequence.take()).with_calls(self.saw_call);
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

fn push_text(part: PartKey, text: Str, events: &mut Vec<Event>) {
    if !text.is_empty() {
        events.push(Event::Delta { part, delta: Delta::Text(text) });
    }
}
