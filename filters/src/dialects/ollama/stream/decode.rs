//! Reads an upstream's stream.

use bytes::Bytes;

use super::{
    super::{
        error, finish,
        response::{decode_call, words},
        time,
        wire::{Call, Line, Text, keep_raw},
    },
    lines::LineReader,
};
use crate::{
    dialects::StreamDecoder,
    model::{Delta, ErrorClass, ErrorInfo, Event, FilterError, PartKey, PartKind, PartStart, Start, Str, ToolCall},
    stream::{Template, Varying},
};

/// Every line has its own time.
const VARYING: Varying = Varying { strings: &[r#""created_at":""#], numbers: &[] };

/// Where the stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing has come.
    #[default]
    Waiting,
    /// From the first line on.
    Running,
    /// From the line that says `done`, or an error, on; what follows is ignored.
    Done,
}

/// What is being said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saying {
    Text,
    Thinking,
}

/// Reads one stream, of either endpoint.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    lines: LineReader,
    phase: Phase,
    open: Option<(Saying, PartKey)>,
    next_key: u32,
    /// How many calls have come: their positions, for ids where the wire has none.
    calls: u64,
    /// The first line's time, which tells calls of different answers apart.
    place: Str,
    template: Template,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        self.lines.feed(chunk)?;
        while self.phase != Phase::Done {
            let Some(line) = self.lines.next_line()? else { return Ok(()) };
            self.line(&line, events)?;
        }
        Ok(())
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        // A connection that dies in the middle of a line leaves half of it: that is a cut stream, not a bad one.
        let last = self.lines.finish()?;
        let is_json = |line: &Str| serde_json::from_str::<&serde_json::value::RawValue>(line).is_ok();
        if let Some(line) = last.filter(is_json) {
            self.line(&line, events)?;
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
    fn line(&mut self, text: &Str, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if let Some((part, delta)) = self.template.delta(text) {
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        let before = events.len();
        let line: Line<'_> =
            serde_json::from_str(text).map_err(|cause| FilterError::malformed("ollama line", &cause))?;
        if let Some(error) = line.error {
            self.fail(error::decode_in_band(error), events);
            return Ok(());
        }
        self.begin(&line, text, events);
        let (content, thinking, calls) = words(&line);
        // A line may hold both; what was thought comes first.
        self.say(Saying::Thinking, thinking, text, events);
        self.say(Saying::Text, content, text, events);
        self.logprobs(&line, text, events);
        for call in calls {
            self.call(call, text, events);
        }
        if line.done == Some(true) {
            self.end(&line, text, events);
        }
        self.template.learn(text, events.get(before..).unwrap_or_default(), &VARYING);
        Ok(())
    }

    /// Waiting → Running.
    fn begin(&mut self, line: &Line<'_>, text: &Str, events: &mut Vec<Event>) {
        if self.phase != Phase::Waiting {
            return;
        }
        self.phase = Phase::Running;
        let keep = |text_of: &Option<Text<'_>>| text_of.as_ref().map(|of| of.keep(text)).unwrap_or_default();
        self.place = keep(&line.created_at);
        let created = time::parse(&self.place).unwrap_or_default();
        events.push(Event::Start(Box::new(Start { id: Str::new(), model: keep(&line.model), created, usage: None })));
    }

    fn say(&mut self, saying: Saying, said: Option<&Text<'_>>, text: &Str, events: &mut Vec<Event>) {
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        let part = match self.open {
            Some((open, part)) if open == saying => part,
            _ => {
                self.close(events);
                let kind = if saying == Saying::Text { PartKind::Text } else { PartKind::Reasoning };
                let part = self.start(kind, events);
                self.open = Some((saying, part));
                part
            }
        };
        events.push(Event::Delta { part, delta: Delta::Text(said.keep(text)) });
    }

    fn logprobs(&self, line: &Line<'_>, text: &Str, events: &mut Vec<Event>) {
        let (Some((_, part)), Some(raw)) = (self.open, line.logprobs) else { return };
        let tokens = keep_raw(text, raw);
        if tokens.as_str() != "[]" {
            events.push(Event::Delta { part, delta: Delta::Logprobs(Box::new(tokens)) });
        }
    }

    /// A call, which comes whole.
    fn call(&mut self, call: &Call<'_>, text: &Str, events: &mut Vec<Event>) {
        let Some(call) = decode_call(call, &self.place, self.calls, text) else { return };
        self.calls += 1;
        self.close(events);
        let args = call.args.clone();
        let part = self.start(PartKind::ToolCall(ToolCall { args: Str::new(), ..call }), events);
        events.push(Event::Delta { part, delta: Delta::Args(args) });
        events.push(Event::PartEnd(part));
    }

    fn start(&mut self, kind: PartKind, events: &mut Vec<Event>) -> PartKey {
        let part = PartKey(self.next_key);
        self.next_key += 1;
        events.push(Event::PartStart(Box::new(PartStart { candidate: 0, part, kind })));
        part
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        if let Some((_, part)) = self.open.take() {
            events.push(Event::PartEnd(part));
        }
    }

    /// Running → Done.
    fn end(&mut self, line: &Line<'_>, text: &Str, events: &mut Vec<Event>) {
        self.close(events);
        if let Some(usage) = line.usage() {
            events.push(Event::Usage(Box::new(usage)));
        }
        let reason = line.done_reason.as_ref().map(|reason| reason.keep(text));
        let finish = Box::new(finish::decode(reason, self.calls > 0));
        events.push(Event::Finish { candidate: 0, finish });
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
