//! Writes a stream of `text_completion` events.
//!
//! Text as it comes, one finish reason per answer; then usage if the client asked for it, and `[DONE]`.

use bytes::BytesMut;

use super::super::{finish, logprobs};
use crate::{
    dialects::{Reply, StreamEncoder},
    json::{push_raw_str, push_str, push_u64},
    model::{Delta, Event, FinishReason, PartKey, PartKind, PartStart, Start, Str, Usage},
    openai::{DONE, error, usage},
};

/// Writes one stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    reply: Reply,
    state: State,
    /// Every chunk up to its choices.
    head: BytesMut,
    /// The part whose text came last, with what stands before and behind the text in its chunks.
    hot: Option<Hot>,
    choices: Vec<Choice>,
    /// The parts that are text, and the position of their choice.
    parts: Vec<(PartKey, usize)>,
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is written.
    Fresh,
    /// The head is known.
    Begun,
    /// An error or the terminator is written; nothing may follow.
    Over,
}

#[derive(Debug)]
struct Hot {
    part: PartKey,
    prefix: BytesMut,
    suffix: BytesMut,
}

#[derive(Debug, Default)]
struct Choice {
    index: u32,
    finished: bool,
    refused: bool,
    /// Characters of the tokens whose probabilities were sent.
    offset: u64,
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        if self.state == State::Over {
            return;
        }
        match event {
            Event::Delta { part, delta: Delta::Text(text) } => self.text(*part, text, out),
            Event::Delta { part, delta: Delta::Logprobs(rows) } => self.logprobs(*part, rows.as_str(), out),
            Event::Start(start) => {
                self.begin(Some(start));
                self.usage = start.usage.or(self.usage);
            }
            Event::PartStart(start) => self.part_start(start),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Finish { candidate, finish } => self.finish(*candidate, finish.reason, out),
            Event::Error(error) => {
                out.extend_from_slice(b"data: ");
                error::write(error, out);
                out.extend_from_slice(b"\n\n");
                self.state = State::Over;
            }
            Event::End => self.end(out),
            // Neither calls nor sources nor state have a place here.
            Event::Delta { .. } | Event::PartEnd(_) | Event::Ping => {}
        }
    }
}

impl Encoder {
    /// An encoder for one answer.
    pub(in super::super) fn new(reply: &Reply) -> Self {
        Self {
            reply: reply.clone(),
            state: State::Fresh,
            head: BytesMut::new(),
            hot: None,
            choices: Vec::new(),
            parts: Vec::new(),
            usage: None,
        }
    }

    /// Fresh → Begun: id, time and model are the same in every chunk.
    fn begin(&mut self, start: Option<&Start>) {
        if self.state != State::Fresh {
            return;
        }
        self.state = State::Begun;
        let id = start.map(|start| &start.id).filter(|id| !id.is_empty()).unwrap_or(&self.reply.id);
        let created = start.map(|start| start.created).filter(|created| *created != 0).unwrap_or(self.reply.created);
        self.head.extend_from_slice(b"data: {\"id\":");
        push_str(&mut self.head, id);
        self.head.extend_from_slice(b",\"object\":\"text_completion\",\"created\":");
        push_u64(&mut self.head, created);
        self.head.extend_from_slice(b",\"model\":");
        push_str(&mut self.head, &self.reply.model);
        self.head.extend_from_slice(b",\"choices\":[");
    }

    /// The position of a choice.
    fn choice(&mut self, index: u32) -> usize {
        self.begin(None);
        self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice { index, ..Choice::default() });
            self.choices.len() - 1
        })
    }

    /// Only what is text is written; thinking is no part of it.
    fn part_start(&mut self, start: &PartStart) {
        if !matches!(start.kind, PartKind::Text | PartKind::Refusal) {
            return;
        }
        let at = self.choice(start.candidate);
        if let (PartKind::Refusal, Some(choice)) = (&start.kind, self.choices.get_mut(at)) {
            choice.refused = true;
        }
        self.parts.push((start.part, at));
    }

    fn choice_of(&self, part: PartKey) -> Option<usize> {
        self.parts.iter().rev().find(|(key, _)| *key == part).map(|(_, at)| *at)
    }

    /// The chunks of one part differ in nothing but the text, so the rest is rendered once.
    fn text(&mut self, part: PartKey, text: &Str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if self.hot.as_ref().is_none_or(|hot| hot.part != part) {
            let Some(choice) = self.choice_of(part) else { return };
            self.heat(part, choice);
        }
        let Some(hot) = &self.hot else { return };
        out.reserve(hot.prefix.len() + text.len() + hot.suffix.len());
        out.extend_from_slice(&hot.prefix);
        push_raw_str(out, text);
        out.extend_from_slice(&hot.suffix);
    }

    fn heat(&mut self, part: PartKey, choice: usize) {
        let (mut prefix, mut suffix) = self.hot.take().map(|hot| (hot.prefix, hot.suffix)).unwrap_or_default();
        prefix.clear();
        suffix.clear();
        prefix.extend_from_slice(&self.head);
        prefix.extend_from_slice(b"{\"text\":\"");
        suffix.extend_from_slice(b"\",\"index\":");
        push_u64(&mut suffix, self.index_of(choice));
        suffix.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":null}]");
        suffix.extend_from_slice(self.tail());
        self.hot = Some(Hot { part, prefix, suffix });
    }

    fn index_of(&self, choice: usize) -> u64 {
        self.choices.get(choice).map_or(0, |choice| choice.index.into())
    }

    /// What ends a chunk, with the member that tells clients to wait for usage.
    fn tail(&self) -> &'static [u8] {
        if self.reply.include_usage { b",\"usage\":null}\n\n" } else { b"}\n\n" }
    }

    /// Writes a chunk without text up to its log probabilities.
    fn open_chunk(&self, choice: usize, out: &mut BytesMut) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"text\":\"\",\"index\":");
        push_u64(out, self.index_of(choice));
        out.extend_from_slice(b",\"logprobs\":");
    }

    fn logprobs(&mut self, part: PartKey, rows: &str, out: &mut BytesMut) {
        let Some(at) = self.choice_of(part) else { return };
        self.open_chunk(at, out);
        let Some(choice) = self.choices.get_mut(at) else { return };
        logprobs::encode(rows, &mut choice.offset, out);
        out.extend_from_slice(b",\"finish_reason\":null}]");
        out.extend_from_slice(self.tail());
    }

    fn finish(&mut self, candidate: u32, reason: FinishReason, out: &mut BytesMut) {
        let at = self.choice(candidate);
        let Some(choice) = self.choices.get_mut(at).filter(|choice| !choice.finished) else { return };
        choice.finished = true;
        let word = finish::word(reason, choice.refused);
        self.open_chunk(at, out);
        out.extend_from_slice(b"null,\"finish_reason\":\"");
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\"}]");
        out.extend_from_slice(self.tail());
    }

    /// Begun → Over.
    fn end(&mut self, out: &mut BytesMut) {
        // A choice that never finishes makes clients throw.
        self.choice(0);
        let open: Vec<_> = self.choices.iter().filter(|choice| !choice.finished).map(|choice| choice.index).collect();
        for candidate in open {
            self.finish(candidate, FinishReason::Stop, out);
        }
        if let (true, Some(usage)) = (self.reply.include_usage, &self.usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"],\"usage\":");
            usage::encode(usage, out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(DONE.as_bytes());
        out.extend_from_slice(b"\n\n");
        self.state = State::Over;
    }
}
