//! Reads a stream of `chat.completion.chunk` events.

use bytes::Bytes;

use super::{
    DONE,
    parser::{Parser, empty_stream},
};
use crate::{
    dialects::{
        StreamDecoder,
        openai_chat::{
            response::error_in,
            wire::{Answer, Source},
        },
    },
    model::{Event, FilterError, Str},
    sse::SseReader,
    stream::{Template, Varying},
};

/// Members of random padding, which `OpenAI`, Azure and Mistral add against traffic analysis.
const VARYING: Varying = Varying { strings: &[r#""obfuscation":""#, r#","p":""#], numbers: &[] };

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    reader: SseReader,
    state: State,
    template: Template,
    parser: Parser,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Reading,
    /// An error was sent; only the end may follow.
    Failed,
    /// The end was sent; nothing may follow.
    Done,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.state == State::Done {
            return Ok(());
        }
        self.reader.feed(chunk)?;
        while let Some(event) = self.reader.next_event()? {
            self.event(&event.data, events)?;
        }
        Ok(())
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.state == State::Done {
            return Ok(());
        }
        if let Some(event) = self.reader.finish()? {
            // What is left when a connection breaks may be half an event; that is not this vendor's malformed JSON.
            let whole =
                &*event.data == DONE || serde_json::from_str::<&serde_json::value::RawValue>(&event.data).is_ok();
            if whole {
                self.event(&event.data, events)?;
            }
        }
        match self.state {
            State::Done => return Ok(()),
            State::Failed => {}
            // Without its terminator a stream is whole only if every candidate said that it was done.
            State::Reading if self.parser.is_finished() => self.parser.close(events),
            State::Reading => events.push(Event::Error(Box::new(self.parser.cut_off()))),
        }
        self.end(events);
        Ok(())
    }
}

impl Decoder {
    fn event(&mut self, data: &Str, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.state == State::Done || data.is_empty() {
            return Ok(());
        }
        if &**data == DONE {
            self.done(events);
            return Ok(());
        }
        if self.state == State::Failed {
            return Ok(());
        }
        if let Some((part, delta)) = self.template.delta(data)
            && self.parser.goes_on(part, &delta)
        {
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        let before = events.len();
        let source = Source::new(data.clone());
        let answer: Answer<'_> = serde_json::from_str(source.as_str())
            .map_err(|cause| FilterError::malformed("chat completion chunk", &cause))?;
        if let Some(error) = error_in(&answer, source.as_str()) {
            // Reading → Failed.
            self.state = State::Failed;
            events.push(Event::Error(Box::new(error)));
            return Ok(());
        }
        self.parser.answer(answer, &source, events)?;
        self.template.learn(data, events.get(before..).unwrap_or_default(), &VARYING);
        Ok(())
    }

    /// The terminator came.
    fn done(&mut self, events: &mut Vec<Event>) {
        if self.state == State::Reading {
            if self.parser.is_empty() {
                events.push(Event::Error(Box::new(empty_stream())));
            } else {
                self.parser.close(events);
            }
        }
        self.end(events);
    }

    /// Reading or Failed → Done.
    fn end(&mut self, events: &mut Vec<Event>) {
        self.state = State::Done;
        events.push(Event::End);
    }
}
