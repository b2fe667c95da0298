//! The fast path of decoding says what the parser says, in every dialect: whatever parts take turns, wherever their
//! texts are cut, however those are escaped.
//!
//! Each upstream is played by its own dialect's encoder, so a new dialect is here by being in the table. Blanks behind
//! an event's first brace, more each time, keep it from whatever was learnt before.

#![cfg(test)]

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use lockgate_filters::{
    dialects::{Reply, StreamEncoder, StreamForm, Upstream, upstreams},
    eventstream::{FrameReader, HeaderValue, push_frame},
    model::{
        CallKind, Delta, Event, Finish, FinishReason, PartContent, PartKey, PartKind, PartStart, Start, Str, ToolCall,
    },
    seal::Sealer,
    stream::Folder,
};
use proptest::prelude::*;

fn encoder(upstream: &dyn Upstream) -> Box<dyn StreamEncoder> {
    upstream.stream_encoder(&Reply {
        model: Str::from_static("m"),
        id: Str::from_static("answer-1"),
        created: 1_784_728_648,
        form: upstream.stream_form(),
        include_usage: true,
        show_reasoning: true,
        input_estimate: 20,
        sealer: Sealer::new(b"a key for tests"),
    })
}

/// What a part is, and the pieces in which it comes.
#[derive(Clone, Debug)]
struct Said {
    is_call: bool,
    pieces: Vec<String>,
}

impl Said {
    fn kind(&self, at: usize) -> PartKind {
        if !self.is_call {
            return PartKind::Text;
        }
        PartKind::ToolCall(ToolCall {
            id: Str::from(format!("call_{at}")),
            name: Str::from_static("look"),
            kind: CallKind::Function,
            args: Str::new(),
        })
    }

    fn delta(&self, text: &str) -> Delta {
        if self.is_call { Delta::Args(Str::from(text)) } else { Delta::Text(Str::from(text)) }
    }
}

/// A text, or the arguments of a call, cut anywhere.
fn said() -> impl Strategy<Value = Said> {
    let text = "([a-c \"\\\\\n{}:,]|[äé😀]|\\\\u00e4){0,24}";
    (any::<bool>(), text, prop::collection::vec(any::<prop::sample::Index>(), 0..12)).prop_map(
        |(is_call, text, cuts)| {
            let whole = if is_call { serde_json::json!({ "at": text, "n": [1, null] }).to_string() } else { text };
            let mut cuts: Vec<usize> =
                cuts.iter().map(|cut| whole.floor_char_boundary(cut.index(whole.len() + 1))).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).filter_map(|cut| Some(whole.get(cut[0]..cut[1])?.to_owned())).collect();
            Said { is_call, pieces }
        },
    )
}

/// What an upstream writes for each event: the beginning of all parts, what each part says, their ends.
struct Wire {
    opening: Vec<Bytes>,
    pieces: Vec<Vec<Bytes>>,
    ending: Vec<Bytes>,
}

impl Wire {
    fn new(upstream: &dyn Upstream, parts: &[Said]) -> Self {
        let mut encoder = encoder(upstream);
        let mut write = |event: Event| {
            let mut out = BytesMut::new();
            encoder.encode(&event, &mut out);
            out.freeze()
        };
        let mut wire = Self { opening: Vec::new(), pieces: Vec::new(), ending: Vec::new() };
        wire.opening.push(write(Event::Start(Box::new(Start { id: Str::from_static("a-1"), ..Start::default() }))));
        for (at, said) in parts.iter().enumerate() {
            let part = PartKey(u32::try_from(at).expect("there are few"));
            let start = PartStart { candidate: 0, part, kind: said.kind(at) };
            wire.opening.push(write(Event::PartStart(Box::new(start))));
            let mut pieces = Vec::new();
            for piece in &said.pieces {
                pieces.push(write(Event::Delta { part, delta: said.delta(piece) }));
            }
            wire.pieces.push(pieces);
            wire.ending.push(write(Event::PartEnd(part)));
        }
        let finish = Box::new(Finish::new(FinishReason::ToolCalls));
        wire.ending.push(write(Event::Finish { candidate: 0, finish }));
        wire.ending.push(write(Event::End));
        wire
    }

    /// The parts one after the other, as they were written.
    fn in_sequence(&self) -> Vec<Bytes> {
        let (start, openings) = self.opening.split_first().expect("a stream begins");
        let mut all = vec![start.clone()];
        for ((opening, pieces), ending) in openings.iter().zip(&self.pieces).zip(&self.ending) {
            all.push(opening.clone());
            all.extend(pieces.iter().cloned());
            all.push(ending.clone());
        }
        all.extend(self.ending.iter().skip(self.pieces.len()).cloned());
        all
    }

    /// All parts open, and taking turns: `turns` says whose it is.
    fn in_turns(&self, turns: &[usize]) -> Vec<Bytes> {
        let mut all = self.opening.clone();
        let mut left: Vec<_> = self.pieces.iter().map(|pieces| pieces.iter()).collect();
        for turn in turns {
            let at = turn % left.len();
            all.extend(left[at].next().cloned());
        }
        for pieces in left {
            all.extend(pieces.cloned());
        }
        all.extend(self.ending.iter().cloned());
        all
    }
}

/// How the events' JSON is written.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// Whether all but ASCII is escaped.
    ascii: bool,
    /// Whether no event begins like another.
    hidden: bool,
}

/// Rewrites what was written, which may be several events.
fn restyle(form: StreamForm, wire: &[Bytes], style: Style) -> Bytes {
    let mut count = 0;
    let mut json = |json: &str| {
        count += 1;
        let blanks = if style.hidden { count } else { 0 };
        let json = json.replacen('{', &format!("{{{}", " ".repeat(blanks)), 1);
        if style.ascii { escaped(&json) } else { json }
    };
    let mut out = BytesMut::new();
    for bytes in wire {
        if form == StreamForm::EventStream {
            let mut reader = FrameReader::default();
            reader.feed(bytes.clone()).expect("the chunk is short");
            while let Some(frame) = reader.next_frame().expect("the frame is good") {
                let headers: Vec<_> = frame.headers().map(|header| header.expect("the header is good")).collect();
                let headers: Vec<(&str, &str)> = headers
                    .iter()
                    .map(|(name, value)| match value {
                        HeaderValue::Text(text) => (*name, *text),
                        other => panic!("no such header is written: {other:?}"),
                    })
                    .collect();
                let payload = frame.clone().into_payload();
                let payload = json(std::str::from_utf8(&payload).expect("the payload is JSON"));
                push_frame(&mut out, &headers, |out| out.extend_from_slice(payload.as_bytes()));
            }
            continue;
        }
        for line in std::str::from_utf8(bytes).expect("the stream is text").split_inclusive('\n') {
            out.extend_from_slice(json(line).as_bytes());
        }
    }
    out.freeze()
}

/// JSON of ASCII only.
fn escaped(json: &str) -> String {
    let mut all = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            all.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(all, "\\u{unit:04x}").expect("a string takes all");
            }
        }
    }
    all
}

fn events(upstream: &dyn Upstream, stream: Bytes) -> Vec<Event> {
    let mut decoder = upstream.stream_decoder();
    let mut events = Vec::new();
    decoder.feed(stream, &mut events).expect("the stream is good");
    decoder.finish(&mut events).expect("the stream is good");
    events
}

/// The arguments of all calls.
fn arguments(events: &[Event]) -> Vec<serde_json::Value> {
    let mut folder = Folder::default();
    for event in events {
        folder.push(event);
    }
    let response = folder.finish().expect("the stream is good");
    let parts = response.candidates.into_iter().flat_map(|candidate| candidate.parts);
    parts
        .filter_map(|part| match part.content {
            PartContent::ToolCall(call) => Some(serde_json::from_str(&call.args).expect("arguments are JSON")),
            _ => None,
        })
        .collect()
}

proptest! {
    #[test]
    fn the_fast_path_says_what_the_parser_says(
        parts in prop::collection::vec(said(), 1..4),
        turns in prop::collection::vec(0usize..4, 0..24),
        ascii in any::<bool>(),
    ) {
        let sent: Vec<serde_json::Value> = parts
            .iter()
            .filter(|said| said.is_call)
            .map(|said| serde_json::from_str(&said.pieces.concat()).expect("arguments are JSON"))
            .collect();
        for upstream in upstreams() {
            let wire = Wire::new(upstream, &parts);
            // Legacy completions know no calls.
            let carried = if upstream.name() == "openai_completions" { &[][..] } else { &sent[..] };
            for (order, wire) in [("sequence", wire.in_sequence()), ("turns", wire.in_turns(&turns))] {
                let read = |hidden| events(upstream, restyle(upstream.stream_form(), &wire, Style { ascii, hidden }));
                let fast = read(false);
                prop_assert_eq!(&fast, &read(true), "{} in {}", upstream.name(), order);
                if order == "sequence" {
                    prop_assert_eq!(arguments(&fast), carried, "{}", upstream.name());
                }
            }
        }
    }
}
