//! What translating an answer costs between every two dialects: a text, a thinking and two tool deltas of a stream (one
//! that needs escapes on the wire, as most do), and a whole answer. Each upstream is played by its own dialect's
//! encoder, so a new dialect is here by being in the table.
//!
//! The naive line is what a gateway without a model of its own would do: parse the event into a tree and print it.
//!
//! `cargo bench -p lockgate-filters --bench pairs`; with `LOCKGATE_BENCH_QUICK=1` it takes seconds.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::Criterion;
use lockgate_filters::{
    dialects::{DIALECTS, Reply, StreamEncoder, StreamForm, Upstream, upstreams},
    model::{
        CallKind, Candidate, Delta, Event, Finish, FinishReason, Part, PartContent, PartKey, PartKind, PartStart,
        Reasoning, Response, Start, Str, ToolCall, Usage,
    },
    seal::Sealer,
};
use support::{bench, criterion};

mod support;

fn reply(form: StreamForm) -> Reply {
    Reply {
        model: Str::from_static("fast"),
        id: Str::from_static("answer-1"),
        created: 1_784_728_648,
        form,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 20,
        sealer: Sealer::new(b"a key for benches"),
    }
}

/// A part that streams, and a piece of it.
struct Kind {
    name: &'static str,
    start: PartKind,
    delta: Delta,
}

fn kinds() -> [Kind; 4] {
    let call = ToolCall {
        id: Str::from_static("call_1"),
        name: Str::from_static("get_weather"),
        kind: CallKind::Function,
        args: Str::new(),
    };
    [
        Kind { name: "text", start: PartKind::Text, delta: Delta::Text(Str::from_static(" gateway")) },
        Kind { name: "thinking", start: PartKind::Reasoning, delta: Delta::Text(Str::from_static(" gateway")) },
        Kind { name: "tool", start: PartKind::ToolCall(call.clone()), delta: Delta::Args(Str::from_static("123456")) },
        Kind {
            name: "tool with quotes",
            start: PartKind::ToolCall(call),
            delta: Delta::Args(Str::from_static(",\"b\":\"c\"")),
        },
    ]
}

/// What an upstream sends: all that comes before the deltas, and one delta.
fn stream(from: &dyn Upstream, kind: &Kind) -> (Bytes, Bytes) {
    let mut encoder = from.stream_encoder(&reply(from.stream_form()));
    let part = PartKey(0);
    let start = PartStart { candidate: 0, part, kind: kind.start.clone() };
    let mut opening = BytesMut::new();
    encoder.encode(&Event::Start(Box::new(Start { id: Str::from_static("a-1"), ..Start::default() })), &mut opening);
    encoder.encode(&Event::PartStart(Box::new(start)), &mut opening);
    // Arguments begin as JSON does.
    let first = if matches!(kind.delta, Delta::Args(_)) {
        Delta::Args(Str::from_static("{\"at\":1"))
    } else {
        kind.delta.clone()
    };
    encoder.encode(&Event::Delta { part, delta: first }, &mut opening);
    // Some announce a call with its second piece.
    encoder.encode(&Event::Delta { part, delta: kind.delta.clone() }, &mut opening);
    (opening.freeze(), piece(&mut *encoder, kind))
}

fn piece(encoder: &mut dyn StreamEncoder, kind: &Kind) -> Bytes {
    let mut out = BytesMut::new();
    encoder.encode(&Event::Delta { part: PartKey(0), delta: kind.delta.clone() }, &mut out);
    out.freeze()
}

fn deltas(criterion: &mut Criterion) {
    for kind in kinds() {
        for from in upstreams() {
            let (opening, chunk) = stream(from, &kind);
            if chunk.is_empty() {
                // Its servers send such a part whole.
                continue;
            }
            for to in DIALECTS {
                let mut decoder = from.stream_decoder();
                let mut encoder = to.stream_encoder(&reply(StreamForm::Sse));
                let (mut events, mut out) = (Vec::with_capacity(64), BytesMut::with_capacity(1 << 16));
                for piece in [&opening, &chunk, &chunk] {
                    decoder.feed(piece.clone(), &mut events).expect("the stream is good");
                }
                events.drain(..).for_each(|event| encoder.encode(&event, &mut out));
                let name = format!("{}/{} to {}", kind.name, from.name(), to.name());
                let count = bench(criterion, &name, || {
                    out.clear();
                    decoder.feed(chunk.clone(), &mut events).expect("the delta is good");
                    events.drain(..).for_each(|event| encoder.encode(&event, &mut out));
                });
                // What is held until it is whole grows a buffer now and then, and so do texts that had escapes.
                assert!(count < 0.1, "`{name}` allocates {count} times per event");
            }
        }
    }
}

fn answer() -> Response {
    let call = ToolCall {
        id: Str::from_static("call_1"),
        name: Str::from_static("get_weather"),
        kind: CallKind::Function,
        args: Str::from_static(r#"{"city":"Paris"}"#),
    };
    let reasoning = Reasoning { text: Some(Str::from_static("Let me think.")), redacted: false, opaque: Vec::new() };
    let parts = vec![
        Part::new(PartContent::Reasoning(reasoning)),
        Part::text(Str::from("All the world's a stage, and all the men and women merely players. ".repeat(20))),
        Part::new(PartContent::ToolCall(call)),
    ];
    Response {
        id: Str::from_static("answer-1"),
        model: Str::from_static("m"),
        candidates: vec![Candidate { index: 0, parts, finish: Finish::new(FinishReason::ToolCalls), logprobs: None }],
        usage: Some(Usage { input_uncached: 20, output_visible: 300, ..Usage::default() }),
        ..Response::default()
    }
}

fn whole(criterion: &mut Criterion) {
    let answer = answer();
    for from in upstreams() {
        let body = from.encode_response(&answer, &reply(StreamForm::Sse));
        for to in DIALECTS {
            bench(criterion, &format!("whole/{} to {}", from.name(), to.name()), || {
                let response = from.decode_response(&body).expect("the answer is good");
                black_box(to.encode_response(&response, &reply(StreamForm::Sse)));
            });
        }
        bench(criterion, &format!("whole/{} naive", from.name()), || {
            let tree: serde_json::Value = serde_json::from_slice(&body).expect("the answer is JSON");
            black_box(tree.to_string());
        });
    }
}

/// A delta of a chat completion through a tree: what there is to beat, without any translation.
fn naive(criterion: &mut Criterion) {
    let event = "{\"id\":\"chatcmpl-E4Rjs6IxaJVge9Ntk5keJsaeDy6vS\",\"object\":\"chat.completion.chunk\",\"created\":\
                 1784728648,\"model\":\"gpt-5-2025-08-07\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" gateway\"},\
                 \"finish_reason\":null}]}";
    bench(criterion, "text/naive", || {
        let tree: serde_json::Value = serde_json::from_str(event).expect("the event is JSON");
        black_box(tree.to_string());
    });
}

fn main() {
    let mut criterion = criterion();
    for bench in [naive, deltas, whole] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
