//! Watches a stream that passes untouched.

use std::sync::OnceLock;

use bytes::Bytes;
use memchr::memmem;

use super::frames::{ArrayReader, Frames};
use crate::{
    dialects::{
        Tap, TapSpec,
        gemini::{usage, wire},
    },
    model::{Str, Usage},
};

/// What has been seen of a stream.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// Finds the names of token counts.
    counts: memmem::Finder<'static>,
    /// Finds the names of reasons, of which two end an answer.
    reasons: memmem::Finder<'static>,
    frames: Frames,
    /// The bytes are no stream of Gemini's: nothing more is looked at.
    blind: bool,
    /// The last message with token counts, parsed when somebody asks.
    counted: Option<Str>,
    usage: OnceLock<Option<Usage>>,
    model: Option<Str>,
    complete: bool,
}

impl Watcher {
    /// A watcher of the form that the client asked for; events are told from arrays by their first byte.
    pub(crate) fn new(spec: TapSpec) -> Self {
        let frames = if spec.json_array { Frames::Array(ArrayReader::default()) } else { Frames::Unknown };
        Self {
            counts: memmem::Finder::new("TokenCount\""),
            reasons: memmem::Finder::new("Reason\""),
            frames,
            blind: false,
            counted: None,
            usage: OnceLock::new(),
            model: None,
            complete: false,
        }
    }

    fn look(&mut self, message: &Str) {
        let bytes = message.as_bytes();
        // A quote inside text is escaped, so what ends with a bare one can only be a member's name.
        if self.counts.find(bytes).is_some() {
            self.counted = Some(message.clone());
            self.usage = OnceLock::new();
        }
        if !self.complete {
            let names = |at: usize| bytes.get(..at).unwrap_or_default();
            let ends = |at: usize| names(at).ends_with(b"\"finish") || names(at).ends_with(b"\"block");
            self.complete = self.reasons.find_iter(bytes).any(ends);
        }
        if self.model.is_none() {
            let wire: wire::Response<'_> = serde_json::from_str(message).unwrap_or_default();
            // A copy: a slice would keep the whole first chunk until the end.
            self.model = wire.model_version.map(|model| Str::from(model.0.as_ref()));
        }
    }

    fn drain(&mut self) {
        loop {
            match self.frames.next_message() {
                Ok(Some(message)) => self.look(&message),
                Ok(None) => return,
                Err(_) => {
                    self.blind = true;
                    return;
                }
            }
        }
    }
}

impl Tap for Watcher {
    fn feed(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        out.push(chunk.clone());
        if !self.blind {
            self.blind = self.frames.feed(chunk).is_err();
            self.drain();
        }
    }

    fn finish(&mut self, _out: &mut Vec<Bytes>) {
        if self.blind {
            return;
        }
        if let Ok(Some(message)) = self.frames.finish() {
            self.look(&message);
        }
    }

    fn usage(&self) -> Option<&Usage> {
        let message = self.counted.as_ref()?;
        let parse = || {
            let wire: wire::Response<'_> = serde_json::from_str(message).ok()?;
            usage::decode(&wire.usage_metadata?)
        };
        self.usage.get_or_init(parse).as_ref()
    }

    fn model(&self) -> Option<&Str> {
        self.model.as_ref()
    }

    fn is_complete(&self) -> bool {
        self.complete
    }
}
