//! Reads a stream of `text_completion` events.

use bytes::Bytes;

use super::super::{
    finish, logprobs,
    wire::{Answer, Choice},
};
use crate::{
    dialects::StreamDecoder,
    model::{
        Delta, ErrorClass, ErrorInfo, Event, FilterError, MAX_CANDIDATES, PartKey, PartKind, PartStart, Start, Str,
    },
    openai::{DONE, usage, wire::Source},
    sse::SseReader,
    stream::{Template, Varying},
};

/// Members of random padding against traffic analysis.
const VARYING: Varying = Varying { strings: &[r#""obfuscation":""#], numbers: &[] };

/// Reads one stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    reader: SseReader,
    state: State,
    template: Template,
    started: bool,
    parts: u32,
    candidates: Vec<Candidate>,
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

/// One of the answers.
#[derive(Debug, Default)]
struct Candidate {
    index: u32,
    part: Option<PartKey>,
    /// Why it ends, once it has said so. It may say more than once.
    finish: Option<Str>,
    finished: bool,
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
            let is_whole =
                &*event.data == DONE || serde_json::from_str::<&serde_json::value::RawValue>(&event.data).is_ok();
            if is_whole {
                self.event(&event.data, events)?;
            }
        }
        match self.state {
            State::Done => return Ok(()),
            State::Failed => {}
            // Without its terminator a stream is whole only if every answer said that it was done.
            State::Reading if self.is_finished() => self.close(events),
            State::Reading => events.push(Event::Error(Box::new(self.cut_off()))),
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
        if let Some((part, delta)) = self.template.delta(data) {
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        let before = events.len();
        let source = Source::new(data.clone());
        let answer: Answer<'_> = serde_json::from_str(source.as_str())
            .map_err(|cause| FilterError::malformed("completion chunk", &cause))?;
        if let Some(error) = answer.error_in(source.as_str()) {
            // Reading → Failed.
            self.state = State::Failed;
            events.push(Event::Error(Box::new(error)));
            return Ok(());
        }
        self.answer(answer, &source, events)?;
        self.template.learn(data, events.get(before..).unwrap_or_default(), &VARYING);
        Ok(())
    }

    fn answer(&mut self, answer: Answer<'_>, source: &Source, events: &mut Vec<Event>) -> Result<(), FilterError> {
        let choices = answer.choices.unwrap_or_default();
        let keep = |text: Option<crate::json::Text<'_>>| text.map(|text| source.text(&text)).unwrap_or_default();
        let id = keep(answer.id);
        if !self.started && (!id.is_empty() || !choices.is_empty()) {
            self.started = true;
            let created = answer.created.unwrap_or_default().0;
            events.push(Event::Start(Box::new(Start { id, model: keep(answer.model), created, usage: None })));
        }
        if choices.is_empty() {
            // Only usage comes behind the answers.
            for candidate in self.candidates.iter_mut().filter(|candidate| candidate.finish.is_some()) {
                candidate.close(events);
            }
        }
        for (position, choice) in (0..).zip(choices) {
            self.choice(position, choice, source, events)?;
        }
        if let Some(usage) = usage::in_chunk(answer.usage, None) {
            events.push(Event::Usage(Box::new(usage)));
        }
        Ok(())
    }

    fn choice(
        &mut self,
        position: u64,
        choice: Choice<'_>,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let index = choice.index.map_or(position, |index| index.0);
        let Some(index) = u32::try_from(index).ok().filter(|index| *index < MAX_CANDIDATES) else {
            return Err(FilterError::malformed("completion chunk", &"a choice's index is too large"));
        };
        let at = self.candidates.iter().position(|candidate| candidate.index == index).unwrap_or_else(|| {
            self.candidates.push(Candidate { index, ..Candidate::default() });
            self.candidates.len() - 1
        });
        let Some(candidate) = self.candidates.get_mut(at).filter(|candidate| !candidate.finished) else {
            return Ok(());
        };
        let text = choice.text.filter(|text| !text.is_empty());
        let rows = logprobs::decode(choice.logprobs);
        if text.is_some() || rows.is_some() {
            let part = candidate.open(&mut self.parts, events);
            let deltas = text.map(|text| Delta::Text(source.text(&text)));
            let deltas = deltas.into_iter().chain(rows.map(|rows| Delta::Logprobs(Box::new(rows))));
            events.extend(deltas.map(|delta| Event::Delta { part, delta }));
        }
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            candidate.finish = Some(source.text(&word));
        }
        Ok(())
    }

    /// Whether every answer has said why it ends.
    fn is_finished(&self) -> bool {
        !self.candidates.is_empty()
            && self.candidates.iter().all(|candidate| candidate.finish.is_some() || candidate.finished)
    }

    /// Ends all answers.
    fn close(&mut self, events: &mut Vec<Event>) {
        self.candidates.iter_mut().for_each(|candidate| candidate.close(events));
    }

    /// The terminator came.
    fn done(&mut self, events: &mut Vec<Event>) {
        if self.state == State::Reading {
            if self.candidates.is_empty() {
                events.push(Event::Error(Box::new(self.cut_off())));
            } else {
                self.close(events);
            }
        }
        self.end(events);
    }

    /// Reading or Failed → Done.
    fn end(&mut self, events: &mut Vec<Event>) {
        self.state = State::Done;
        events.push(Event::End);
    }

    /// The error of a stream that ends here.
    fn cut_off(&self) -> ErrorInfo {
        let (message, code) = if self.candidates.is_empty() {
            ("the upstream ended its answer without saying anything; try again", "empty_stream")
        } else {
            ("the upstream broke off in the middle of its answer; try again", "stream_truncated")
        };
        ErrorInfo::new(ErrorClass::Upstream, message).with_code(code)
    }
}

impl Candidate {
    /// The part of its text.
    fn open(&mut self, parts: &mut u32, events: &mut Vec<Event>) -> PartKey {
        if let Some(part) = self.part {
            return part;
        }
        let part = PartKey(*parts);
        *parts += 1;
        self.part = Some(part);
        events.push(Event::PartStart(Box::new(PartStart { candidate: self.index, part, kind: PartKind::Text })));
        part
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        events.extend(self.part.map(Event::PartEnd));
        let finish = Box::new(finish::decode(self.finish.take()));
        events.push(Event::Finish { candidate: self.index, finish });
    }
}
