//! Reads an upstream's stream.
//!
//! Text and thinking begin with their first piece; only calls, results and images are announced. Counts come after the
//! stop, so the stream is not over with it.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    super::{
        blocks::{self, SERVER_TOOL},
        finish,
        wire::{ReasoningContent, Text, ToolUse, keep_raw},
    },
    event::{Kind, WireDelta, WireEvent, WireStart},
    open::{Open, OpenKind, close, image_data, image_type},
};
use crate::{
    aws::{self, EVENT_TYPE, MESSAGE_TYPE},
    dialects::StreamDecoder,
    eventstream::{Frame, FrameReader, HeaderValue},
    model::{
        CallKind, Delta, ErrorClass, ErrorInfo, Event, FilterError, OpaqueKind, PartKey, PartKind, PartStart, RawJson,
        Start, Str, ToolCall,
    },
    stream::{Template, Varying},
};

/// What the vendor puts into events against traffic analysis.
const VARYING: Varying = Varying { strings: &[r#""p":""#], numbers: &[] };

/// Most blocks of one answer that may be open: one is usual. It bounds what a broken index can cost.
const MAX_OPEN: usize = 64;

/// Where the stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing of the answer has come.
    #[default]
    Waiting,
    /// From `messageStart`, or the first block, on.
    Running,
    /// From `messageStop` on; counts may come.
    Stopped,
    /// From `metadata` or an error on; what follows is ignored.
    Done,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    reader: FrameReader,
    phase: Phase,
    open: Vec<Open>,
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
            let Some(frame) = self.reader.next_frame()? else { return Ok(()) };
            self.frame(frame, events)?;
        }
        Ok(())
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), FilterError> {
        match self.phase {
            Phase::Done => {}
            // The answer is whole, though its counts never came.
            Phase::Stopped => self.end(events),
            Phase::Waiting => {
                let message = "the upstream closed the stream without an answer";
                self.fail(ErrorInfo::new(ErrorClass::Upstream, message).with_code("empty_stream"), events);
            }
            Phase::Running => {
                let message = "the upstream closed the stream before the answer was complete";
                self.fail(ErrorInfo::new(ErrorClass::Upstream, message).with_code("stream_truncated"), events);
            }
        }
        Ok(())
    }
}

/// The kind of an event; `None` if the frame is an exception or an error.
fn kind_of(frame: &Frame) -> Option<Kind> {
    let mut kind = Kind::Unknown;
    for (name, value) in frame.headers().flatten() {
        match (name, value) {
            (EVENT_TYPE, HeaderValue::Text(name)) => kind = Kind::of(name),
            (MESSAGE_TYPE, HeaderValue::Text("event")) => {}
            (MESSAGE_TYPE, _) => return None,
            _ => {}
        }
    }
    Some(kind)
}

impl Decoder {
    fn frame(&mut self, frame: Frame, events: &mut Vec<Event>) -> Result<(), FilterError> {
        let Some(kind) = kind_of(&frame) else {
            self.fail(aws::exception(frame), events);
            return Ok(());
        };
        let data = Str::try_from(frame.into_payload()).map_err(|_| FilterError::NotUtf8)?;
        if kind == Kind::BlockDelta
            && let Some((part, delta)) = self.template.delta(&data)
        {
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        if kind == Kind::Unknown {
            return Ok(());
        }
        let before = events.len();
        let malformed = |error: serde_json::Error| FilterError::malformed("bedrock stream event", &error);
        let wire: WireEvent<'_> = serde_json::from_str(&data).map_err(malformed)?;
        match kind {
            Kind::BlockDelta => self.delta(&data, wire.index, wire.delta, events),
            Kind::BlockStart => self.block_start(&data, wire.index, wire.start, events),
            Kind::BlockStop => self.block_stop(wire.index, events),
            Kind::MessageStart => self.begin(events),
            Kind::MessageStop => self.message_stop(&data, &wire, events),
            Kind::Metadata => self.metadata(&wire, events),
            Kind::Unknown => {}
        }
        self.template.learn(&data, events.get(before..).unwrap_or_default(), &VARYING);
        Ok(())
    }

    /// Waiting → Running. Some servers leave `messageStart` out.
    fn begin(&mut self, events: &mut Vec<Event>) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            events.push(Event::Start(Box::<Start>::default()));
        }
    }

    /// Opens a block, in place of one of the same number.
    fn open(&mut self, index: u32, kind: OpenKind, events: &mut Vec<Event>) -> PartKey {
        self.begin(events);
        self.block_stop(index, events);
        if self.open.len() >= MAX_OPEN {
            close(self.open.remove(0), events);
        }
        let key = PartKey(self.next_key);
        self.next_key += 1;
        self.open.push(Open { index, key, kind });
        key
    }

    fn block_start(&mut self, data: &Str, index: u32, start: Option<WireStart<'_>>, events: &mut Vec<Event>) {
        let Some(start) = start else { return };
        if let Some(call) = start.tool_use {
            self.call_start(data, index, call, events);
        } else if let Some(raw) = start.tool_result {
            let kind = OpenKind::ServerResult { start: keep_raw(data, raw), content: Vec::new() };
            self.open(index, kind, events);
        } else if let Some(image) = start.image {
            let mime = image.format.map(|format| image_type(&format.0));
            self.open(index, OpenKind::Image { mime, data: None }, events);
        }
    }

    fn call_start(&mut self, data: &Str, index: u32, call: ToolUse<'_>, events: &mut Vec<Event>) {
        let keep = |text: Option<Text<'_>>| text.map(|text| text.keep(data)).unwrap_or_default();
        let (id, name) = (keep(call.id), keep(call.name));
        if call.kind.is_some_and(|kind| kind.0 == SERVER_TOOL) {
            self.open(index, OpenKind::ServerCall { id, tool: name, input: String::new() }, events);
            return;
        }
        self.saw_call = true;
        let part = self.open(index, OpenKind::Call { saw_args: false }, events);
        let kind = PartKind::ToolCall(ToolCall { id, name, kind: CallKind::Function, args: Str::new() });
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
    }

    fn delta(&mut self, data: &Str, index: u32, delta: Option<WireDelta<'_>>, events: &mut Vec<Event>) {
        let Some(delta) = delta else { return };
        if let Some(text) = delta.text {
            let part = self.text_part(index, events);
            push_text(data, part, &text, events);
        } else if let Some(piece) = delta.tool_use {
            self.input(data, index, piece.input, events);
        } else if let Some(piece) = delta.reasoning_content {
            self.thinking(data, index, piece, events);
        } else if let Some(raw) = delta.citation {
            let part = self.text_part(index, events);
            let citation = blocks::decode_citation(data, raw).map(|citation| Delta::Citation(Box::new(citation)));
            events.extend(citation.map(|delta| Event::Delta { part, delta }));
        } else if let Some(raw) = delta.tool_result {
            self.server_result(data, index, raw);
        } else if let Some(raw) = delta.image {
            let open = self.open.iter_mut().find(|open| open.index == index);
            if let Some(Open { kind: OpenKind::Image { data: bytes, .. }, .. }) = open {
                *bytes = image_data(data, raw);
            }
        }
    }

    /// The text part of a block, which opens with its first piece.
    fn text_part(&mut self, index: u32, events: &mut Vec<Event>) -> PartKey {
        let found = self.open.iter().find(|open| open.index == index && matches!(open.kind, OpenKind::Text));
        if let Some(open) = found {
            return open.key;
        }
        let part = self.open(index, OpenKind::Text, events);
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind: PartKind::Text })));
        part
    }

    fn input(&mut self, data: &Str, index: u32, piece: Option<Text<'_>>, events: &mut Vec<Event>) {
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else { return };
        let Some(piece) = piece.filter(|piece| !piece.is_empty()) else { return };
        match &mut open.kind {
            // Blanks before the arguments are none of them.
            OpenKind::Call { saw_args: false } if piece.0.trim().is_empty() => {}
            OpenKind::Call { saw_args } => {
                *saw_args = true;
                events.push(Event::Delta { part: open.key, delta: Delta::Args(piece.keep(data)) });
            }
            OpenKind::ServerCall { input, .. } => input.push_str(&piece.0),
            // A kind of piece that its block does not take says nothing that could be told on.
            _ => {}
        }
    }

    fn thinking(&mut self, data: &Str, index: u32, piece: ReasoningContent<'_>, events: &mut Vec<Event>) {
        if let Some(redacted) = piece.redacted {
            let opaque = blocks::own_opaque(OpaqueKind::Redacted, redacted.keep(data));
            let part = self.open(index, OpenKind::Whole, events);
            let kind = PartKind::Redacted(opaque);
            events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
            return;
        }
        let part = self.thinking_part(index, events);
        if let Some(text) = piece.text {
            push_text(data, part, &text, events);
        }
        let open = self.open.iter_mut().find(|open| open.key == part);
        if let (Some(Open { kind: OpenKind::Thinking { signature }, .. }), Some(said)) = (open, piece.signature) {
            *signature = Some(said.keep(data));
        }
    }

    /// The thinking part of a block, which opens with its first piece.
    fn thinking_part(&mut self, index: u32, events: &mut Vec<Event>) -> PartKey {
        let is_thinking = |open: &&Open| open.index == index && matches!(open.kind, OpenKind::Thinking { .. });
        if let Some(open) = self.open.iter().find(is_thinking) {
            return open.key;
        }
        let part = self.open(index, OpenKind::Thinking { signature: None }, events);
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind: PartKind::Reasoning })));
        part
    }

    fn server_result(&mut self, data: &Str, index: u32, raw: &RawValue) {
        let open = self.open.iter_mut().find(|open| open.index == index);
        if let Some(Open { kind: OpenKind::ServerResult { content, .. }, .. }) = open {
            let pieces: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
            content.extend(pieces.into_iter().map(|piece| -> RawJson { keep_raw(data, piece) }));
        }
    }

    fn block_stop(&mut self, index: u32, events: &mut Vec<Event>) {
        if let Some(at) = self.open.iter().position(|open| open.index == index) {
            close(self.open.remove(at), events);
        }
    }

    /// Running → Stopped.
    fn message_stop(&mut self, data: &Str, wire: &WireEvent<'_>, events: &mut Vec<Event>) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.begin(events);
        for open in std::mem::take(&mut self.open) {
            close(open, events);
        }
        let reason = wire.stop_reason.as_ref().map(|reason| reason.keep(data));
        let finish = finish::decode(reason, wire.additional_model_response_fields).with_calls(self.saw_call);
        events.push(Event::Finish { candidate: 0, finish: Box::new(finish) });
        self.phase = Phase::Stopped;
    }

    /// Stopped → Done. Counts before the stop are counts so far.
    fn metadata(&mut self, wire: &WireEvent<'_>, events: &mut Vec<Event>) {
        if let Some(usage) = &wire.usage {
            events.push(Event::Usage(Box::new(usage.to_usage())));
        }
        if self.phase == Phase::Stopped {
            self.end(events);
        }
    }

    /// Stopped → Done.
    fn end(&mut self, events: &mut Vec<Event>) {
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

/// Says text of a text or thinking part.
fn push_text(data: &Str, part: PartKey, text: &Text<'_>, events: &mut Vec<Event>) {
    if !text.is_empty() {
        events.push(Event::Delta { part, delta: Delta::Text(text.keep(data)) });
    }
}
