//! Reads an upstream's stream.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    frames::Frames,
    lane::{Lane, Track},
};
use crate::dialects::gemini::{
    error, finish, grounding, logprobs, parts, response, usage,
    wire::{self, lend_opt, list},
};
use crate::{
    dialects::StreamDecoder,
    model::{
        Delta, ErrorClass, ErrorInfo, Event, FilterError, Finish, FinishReason, MAX_CANDIDATES, Start, Str, Usage,
    },
    stream::{Template, Varying},
};

/// How the names of running token counts end.
const VARYING: Varying = Varying { strings: &[], numbers: &["okenCount\":"] };

/// The state of one stream.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    frames: Frames,
    phase: Phase,
    mint: parts::Mint,
    next_key: u32,
    candidates: Vec<Track>,
    /// The prompt was refused.
    block: Option<Finish>,
    /// The last event with token counts; read at the end.
    counted: Option<Str>,
    usage: Option<Usage>,
    template: Template,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing has come.
    #[default]
    Fresh,
    /// An event has come.
    Open,
    /// An error has come, or the upstream has closed.
    Ended,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, chunk: Bytes, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        self.frames.feed(chunk)?;
        while let Some(message) = self.frames.next_message()? {
            self.message(&message, events)?;
            // Ended: what follows an error is not read.
            if self.phase == Phase::Ended {
                break;
            }
        }
        Ok(())
    }

    fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        // A connection that dies in the middle of an event leaves half of it: that is a cut stream, not a bad one.
        let last = self.frames.finish()?;
        if let Some(message) = last.filter(|message| serde_json::from_str::<&RawValue>(message).is_ok()) {
            self.message(&message, events)?;
        }
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            self.close(events);
        }
        Ok(())
    }
}

impl Decoder {
    fn message(&mut self, message: &Str, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if let Some((part, delta)) = self.template.delta(message) {
            self.counted = Some(message.clone());
            events.push(Event::Delta { part, delta });
            return Ok(());
        }
        if message.is_empty() || **message == *"[DONE]" {
            return Ok(());
        }
        let wire: wire::Response<'_> =
            serde_json::from_str(message).map_err(|problem| response::malformed(&problem))?;
        self.response(message, &wire, events)
    }

    fn response(&mut self, whole: &Str, wire: &wire::Response<'_>, events: &mut Vec<Event>) -> Result<(), FilterError> {
        if let Some(raw) = wire.error {
            self.fail(error::decode_value(None, raw.get()), events);
            return Ok(());
        }
        let usage = wire.usage_metadata.as_ref().and_then(usage::decode);
        if self.phase == Phase::Fresh {
            // Fresh → Open.
            self.phase = Phase::Open;
            let id = lend_opt(whole, wire.response_id.as_ref()).unwrap_or_default();
            self.mint = parts::Mint::new(if id.is_empty() { whole.clone() } else { id.clone() });
            let model = lend_opt(whole, wire.model_version.as_ref()).unwrap_or_default();
            events.push(Event::Start(Box::new(Start { id, model, created: 0, usage })));
        } else if usage.is_some() && usage != self.usage {
            events.extend(usage.map(|usage| Event::Usage(Box::new(usage))));
        }
        if usage.is_some() {
            self.usage = usage;
            self.counted = None;
        }
        if let Some(block) = wire.prompt_feedback.as_ref().and_then(|feedback| feedback.block_reason.as_ref()) {
            self.block = Some(finish::blocked(block));
        }
        let before = events.len();
        let candidates = wire.candidates.as_deref().unwrap_or_default();
        for (at, candidate) in candidates.iter().enumerate() {
            self.candidate(whole, at, candidate, events)?;
        }
        // Counts are read of an event that the template fits, too: at the end.
        self.template.learn(whole, events.get(before..).unwrap_or_default(), &VARYING);
        Ok(())
    }

    fn candidate(
        &mut self,
        whole: &Str,
        at: usize,
        candidate: &wire::Candidate<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), FilterError> {
        let index = candidate.index.map_or_else(|| u32::try_from(at).ok(), |index| u32::try_from(index.0).ok());
        let index = index.filter(|index| *index < MAX_CANDIDATES);
        let index =
            index.ok_or_else(|| FilterError::malformed("Gemini stream", &"a candidate's index is out of range"))?;
        if !self.candidates.iter().any(|track| track.index == index) {
            self.candidates.push(Track { index, ..Track::default() });
        }
        let Some(track) = self.candidates.iter_mut().find(|track| track.index == index) else { return Ok(()) };
        let mut lane = Lane { whole, track, mint: &mut self.mint, next_key: &mut self.next_key, events };
        let raw = candidate.content.as_ref().and_then(|content| content.parts);
        for raw in list(raw).map_err(|problem| response::malformed(&problem))? {
            let part: wire::Part<'_> =
                serde_json::from_str(raw.get()).map_err(|problem| response::malformed(&problem))?;
            lane.part(raw, &part);
        }
        for (_, citation) in grounding::decode(whole, candidate) {
            lane.citation(citation);
        }
        if let Some(tokens) = candidate.logprobs_result.as_ref().and_then(logprobs::decode) {
            lane.extend_open(Delta::Logprobs(Box::new(tokens)));
        }
        // Servers that repeat the reason on every event mean the last.
        if let Some(finish) = candidate.finish_reason.as_ref().and_then(finish::decode) {
            lane.track.finish = Some(finish);
        }
        Ok(())
    }

    fn fail(&mut self, error: ErrorInfo, events: &mut Vec<Event>) {
        self.phase = Phase::Ended;
        self.say_usage(events);
        events.push(Event::Error(Box::new(error)));
        events.push(Event::End);
    }

    /// Says the token counts of events that were not parsed.
    fn say_usage(&mut self, events: &mut Vec<Event>) {
        let Some(message) = self.counted.take() else { return };
        let wire: wire::Response<'_> = serde_json::from_str(&message).unwrap_or_default();
        if let Some(usage) = wire.usage_metadata.as_ref().and_then(usage::decode) {
            self.usage = Some(usage);
            events.push(Event::Usage(Box::new(usage)));
        }
    }

    /// The upstream closed: says how every candidate ended, or that the stream was cut.
    fn close(&mut self, events: &mut Vec<Event>) {
        let whole = Str::new();
        for track in &mut self.candidates {
            let mut lane = Lane { whole: &whole, track, mint: &mut self.mint, next_key: &mut self.next_key, events };
            lane.close_all();
        }
        if self.candidates.is_empty() {
            let Some(finish) = self.block.take() else {
                let message = "the upstream's stream ended before anything came";
                self.fail(ErrorInfo::new(ErrorClass::Upstream, message).with_code("empty_stream"), events);
                return;
            };
            events.push(Event::Finish { candidate: 0, finish: Box::new(finish) });
        }
        if self.candidates.iter().any(|track| track.finish.is_none()) {
            let message = "the upstream's stream broke off before it was complete";
            self.fail(ErrorInfo::new(ErrorClass::Upstream, message).with_code("stream_truncated"), events);
            return;
        }
        let bad = |track: &Track| {
            !track.said && track.finish.as_ref().is_some_and(|of| of.reason == FinishReason::BadToolCall)
        };
        if !self.candidates.is_empty() && self.candidates.iter().all(bad) {
            self.fail(response::bad_call(), events);
            return;
        }
        self.say_usage(events);
        for track in &mut self.candidates {
            if let Some(finish) = track.finish.take() {
                let finish = Box::new(finish.with_calls(track.saw_call));
                events.push(Event::Finish { candidate: track.index, finish });
            }
        }
        events.push(Event::End);
    }
}
