//! Watches a stream that passes untouched, and takes out the usage event that only the gateway asked for.
//!
//! Where nothing is to be taken out, every chunk goes on as it is, at once. Where usage is, an event goes on as soon as
//! it is complete: what it holds may stand at its very end.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memmem};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{DONE, usage, wire::lenient};
use crate::{
    dialects::{Tap, TapSpec},
    json::Text,
    model::{Str, Usage},
    sse::MAX_EVENT_BYTES,
};

/// Watches one stream.
#[derive(Debug)]
pub(crate) struct StreamTap {
    strip: bool,
    finders: Finders,
    line: Line,
    /// The event that is not complete yet, as far as it came in earlier chunks.
    event: BytesMut,
    /// That event has grown beyond all bounds: it passes unread.
    oversized: bool,
    /// The last event was taken out; so is the rest of its line end.
    stripped: bool,
    usage: Option<Usage>,
    model: Option<Str>,
    complete: bool,
    /// The terminator has come.
    over: bool,
}

/// Where in a line the last byte stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// In front of its first byte.
    Empty,
    /// Behind bytes of it.
    Filled,
    /// Behind a carriage return that ended it: a newline would belong to that.
    Return,
    /// The same, and it was the blank line that ends an event.
    LastReturn,
}

#[derive(Debug)]
struct Finders {
    usage: memmem::Finder<'static>,
    finish: memmem::Finder<'static>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WithModel<'a> {
    #[serde(borrow)]
    model: Option<Text<'a>>,
}

impl StreamTap {
    pub(crate) fn new(tap: TapSpec) -> Self {
        Self {
            strip: tap.strip_usage,
            finders: Finders {
                usage: memmem::Finder::new(b"\"usage\""),
                finish: memmem::Finder::new(b"\"finish_reason\""),
            },
            line: Line::Empty,
            event: BytesMut::new(),
            oversized: false,
            stripped: false,
            usage: None,
            model: None,
            complete: false,
            over: false,
        }
    }
}

impl Tap for StreamTap {
    fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        let mut passing = Passing { chunk: &chunk, from: 0 };
        let mut start = 0;
        if self.line == Line::LastReturn && !chunk.is_empty() {
            // The other half of a line end that was cut in two shares the fate of its event.
            self.line = Line::Empty;
            start = usize::from(chunk.first() == Some(&b'\n'));
            if self.stripped {
                passing.skip_to(start);
            }
        }
        let mut at = start;
        while let Some(end) = self.event_end(&chunk, at) {
            self.stripped = self.take_event(&mut passing, start..end, out);
            start = end;
            at = end;
        }
        self.keep(&mut passing, start, out);
        passing.flush(chunk.len(), out);
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) {
        let event = self.event.split().freeze();
        let is_usage = self.read(&event);
        if self.strip && !is_usage && !event.is_empty() {
            out.push(event);
        }
    }

    fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    fn model(&self) -> Option<&Str> {
        self.model.as_ref()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

/// What of a chunk goes on, in as few slices as can be.
struct Passing<'a> {
    chunk: &'a Bytes,
    /// The first byte that neither went on nor was left out.
    from: usize,
}

impl Passing<'_> {
    fn flush(&mut self, to: usize, out: &mut Vec<Bytes>) {
        if self.from < to {
            out.push(self.chunk.slice(self.from..to));
            self.from = to;
        }
    }

    fn skip_to(&mut self, to: usize) {
        self.from = self.from.max(to);
    }
}

impl StreamTap {
    /// The position behind the event that `chunk` goes on with at `at`, if it ends there.
    fn event_end(&mut self, chunk: &[u8], mut at: usize) -> Option<usize> {
        loop {
            if self.line == Line::Return {
                at += usize::from(*chunk.get(at)? == b'\n');
                self.line = Line::Empty;
            }
            let rest = chunk.get(at..).unwrap_or_default();
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                if !rest.is_empty() {
                    self.line = Line::Filled;
                }
                return None;
            };
            let is_return = rest.get(length) == Some(&b'\r');
            let is_blank = length == 0 && self.line == Line::Empty;
            at += length + 1;
            self.line = if is_return { Line::Return } else { Line::Empty };
            if !is_blank {
                continue;
            }
            if is_return {
                match chunk.get(at) {
                    None => self.line = Line::LastReturn,
                    Some(next) => {
                        at += usize::from(*next == b'\n');
                        self.line = Line::Empty;
                    }
                }
            }
            return Some(at);
        }
    }

    /// An event is complete, its last bytes at `end` of the chunk. Says whether it was taken out.
    fn take_event(&mut self, passing: &mut Passing<'_>, end: std::ops::Range<usize>, out: &mut Vec<Bytes>) -> bool {
        if std::mem::take(&mut self.oversized) {
            return false;
        }
        let chunk = passing.chunk;
        if self.event.is_empty() {
            let strip = self.read(chunk.get(end.clone()).unwrap_or_default()) && self.strip;
            if strip {
                passing.flush(end.start, out);
                passing.skip_to(end.end);
            }
            return strip;
        }
        let mut event = std::mem::take(&mut self.event);
        event.extend_from_slice(chunk.get(end.clone()).unwrap_or_default());
        let strip = self.read(&event) && self.strip;
        if self.strip {
            passing.skip_to(end.end);
            if !strip {
                out.push(event.freeze());
            }
        } else {
            // Its bytes went on long ago; the buffer can serve again.
            event.clear();
            self.event = event;
        }
        strip
    }

    /// Keeps the event that begins or goes on at `start` of the chunk, and is not complete.
    fn keep(&mut self, passing: &mut Passing<'_>, start: usize, out: &mut Vec<Bytes>) {
        let rest = passing.chunk.get(start..).unwrap_or_default();
        if rest.is_empty() || self.oversized {
            return;
        }
        if self.event.len() + rest.len() > MAX_EVENT_BYTES {
            self.oversized = true;
            let event = std::mem::take(&mut self.event).freeze();
            if self.strip && !event.is_empty() {
                passing.flush(start, out);
                out.push(event);
            }
            return;
        }
        self.event.extend_from_slice(rest);
        if self.strip {
            passing.flush(start, out);
            passing.skip_to(passing.chunk.len());
        }
    }

    /// Reads an event; says whether it is usage and nothing else.
    fn read(&mut self, event: &[u8]) -> bool {
        let data = data_of(event);
        if data.is_empty() {
            return false;
        }
        if *data == *DONE.as_bytes() {
            self.complete = true;
            self.over = true;
            return false;
        }
        if self.model.is_none() {
            let wire = serde_json::from_slice::<WithModel<'_>>(&data).ok();
            let model = wire.and_then(|wire| wire.model).filter(|model| !model.is_empty());
            self.model = model.map(|model| Str::from(model.as_str()));
        }
        // A vendor that leaves the terminator out has at least said why it ends.
        self.complete = self.complete
            || has_value(&self.finders.finish, &data, |value| matches!(value, [b'"', first, ..] if *first != b'"'));
        has_value(&self.finders.usage, &data, |value| !value.starts_with(b"null")) && self.read_usage(&data)
    }

    fn read_usage(&mut self, data: &[u8]) -> bool {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else { return false };
        self.usage = usage::in_chunk(chunk.usage, chunk.x_groq).or(self.usage);
        let no_choice = lenient::<Vec<&RawValue>>(chunk.choices).is_none_or(|choices| choices.is_empty());
        chunk.usage.is_some_and(|usage| usage.get().starts_with('{')) && no_choice && chunk.error.is_none()
    }
}

/// Whether a member of the name sought has a value that fits, at any depth.
fn has_value(name: &memmem::Finder<'_>, data: &[u8], fits: impl Fn(&[u8]) -> bool) -> bool {
    name.find_iter(data).any(|at| {
        let behind = data.get(at + name.needle().len()..).unwrap_or_default().trim_ascii_start();
        behind.strip_prefix(b":").is_some_and(|value| fits(value.trim_ascii_start()))
    })
}

/// The data of an event; a copy only where it has several lines.
fn data_of(event: &[u8]) -> Cow<'_, [u8]> {
    let event = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    // One line of data and nothing else, as nearly every event is.
    if let Some(line) = event.strip_prefix(b"data:") {
        let (data, rest) = line.split_at(memchr2(b'\n', b'\r', line).unwrap_or(line.len()));
        if rest.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
            return Cow::Borrowed(data.strip_prefix(b" ").unwrap_or(data));
        }
    }
    let mut lines = event
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(|line| line.strip_prefix(b"data"))
        .filter_map(|rest| if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b":") })
        .map(|value| value.strip_prefix(b" ").unwrap_or(value));
    let Some(first) = lines.next() else { return Cow::Borrowed(b"") };
    match lines.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let mut all = [first, second].join(&b'\n');
            for line in lines {
                all.push(b'\n');
                all.extend_from_slice(line);
            }
            Cow::Owned(all)
        }
    }
}
