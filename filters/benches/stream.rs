//! What one event of a stream costs, in time and in allocations: a text delta read, written, watched and translated
//! between every two dialects. In the steady state nothing may allocate; the bench fails if something does.
//!
//! `cargo bench -p lockgate-filters --bench stream`; with `LOCKGATE_BENCH_QUICK=1` it takes seconds.

use bytes::{Bytes, BytesMut};
use criterion::Criterion;
use lockgate_filters::{
    dialects::{Dialect, Reply, StreamDecoder, StreamForm, TapSpec, Upstream, find},
    model::{Event, Str},
    seal::Sealer,
    sse::SseReader,
    stream::Sequencer,
};
use support::{bench, criterion};

mod support;

/// How one dialect's upstream speaks.
struct Voice {
    dialect: &'static dyn Upstream,
    /// All that comes before the text.
    opening: &'static str,
    /// A text delta, its text left out.
    delta: (&'static str, &'static str),
}

impl Voice {
    fn delta(&self, text: &str) -> Bytes {
        Bytes::from(format!("{}{text}{}", self.delta.0, self.delta.1))
    }
}

fn voices() -> [Voice; 5] {
    let dialect =
        |name: &str| find(name, "llm/v1/chat").and_then(Dialect::upstream).expect("the table has the dialect");
    [
        Voice {
            dialect: dialect("openai"),
            opening: "",
            delta: (
                "data: {\"id\":\"chatcmpl-E4Rjs6IxaJVge9Ntk5keJsaeDy6vS\",\"object\":\"chat.completion.chunk\",\
                 \"created\":1784728648,\"model\":\"gpt-5-2025-08-07\",\"service_tier\":\"default\",\
                 \"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
                "\"},\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"EeXxvZr\"}\n\n",
            ),
        },
        Voice {
            dialect: dialect("anthropic"),
            opening: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"type\":\
                      \"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\"\
                      :null,\"usage\":{\"input_tokens\":20,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: \
                      {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\
                      \n\n",
            delta: (
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
                 \"text_delta\",\"text\":\"",
                "\"}     }\n\n",
            ),
        },
        Voice {
            dialect: dialect("gemini"),
            opening: "",
            delta: (
                "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"",
                "\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 8,\
                 \"candidatesTokenCount\": 24,\"totalTokenCount\": 32,\"promptTokensDetails\": [{\"modality\": \"TEXT\",\
                 \"tokenCount\": 8}]},\"modelVersion\": \"gemini-3-flash\",\"responseId\": \"abc\"}\r\n\r\n",
            ),
        },
        Voice {
            dialect: dialect("cohere"),
            opening: "event: message-start\ndata: {\"id\":\"dd27c8d3\",\"type\":\"message-start\",\"delta\":{\"message\":{\
                      \"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\nevent: \
                      content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\"\
                      :\"text\",\"text\":\"\"}}}}\n\n",
            delta: (
                "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\
                 \"text\":\"",
                "\"}}}}\n\n",
            ),
        },
        Voice {
            dialect: dialect("ollama"),
            opening: "",
            delta: (
                "{\"model\":\"qwen3:4b\",\"created_at\":\"2026-08-04T19:59:21.358882Z\",\"message\":{\"role\":\"assistant\",\
                 \"content\":\"",
                "\"},\"done\":false}\n",
            ),
        },
    ]
}

/// How answers are written.
fn reply() -> Reply {
    Reply {
        model: Str::from_static("fast"),
        id: Str::from_static("answer-1"),
        created: 1_784_728_648,
        form: StreamForm::Sse,
        include_usage: true,
        show_reasoning: true,
        input_estimate: 20,
        sealer: Sealer::new(b"a key for benches"),
    }
}

/// Texts of a delta: as nearly all are, and one with an escape.
const TEXTS: [(&str, &str); 2] = [("", " gateway"), (" with an escape", " gateway.\\n\\nIt")];

/// Benches what must not allocate once its buffers are warm.
fn bench_without_allocations(criterion: &mut Criterion, name: &str, run: impl FnMut()) {
    let count = bench(criterion, name, run);
    assert!(count == 0.0, "`{name}` allocates {count} times per event");
}

fn framing(criterion: &mut Criterion) {
    for voice in voices().into_iter().filter(|voice| voice.dialect.stream_form() == StreamForm::Sse) {
        let chunk = voice.delta(" gateway");
        let mut reader = SseReader::default();
        bench_without_allocations(criterion, &format!("sse/{}", voice.dialect.name()), || {
            reader.feed(chunk.clone()).expect("the chunk is short");
            while let Some(event) = reader.next_event().expect("the chunk is UTF-8") {
                std::hint::black_box(&event);
            }
        });
    }
}

/// The events of a stream's beginning, and a decoder that has read it.
fn begin(voice: &Voice) -> (Box<dyn StreamDecoder>, Vec<Event>) {
    let mut decoder = voice.dialect.stream_decoder();
    let mut events = Vec::with_capacity(64);
    decoder.feed(Bytes::from_static(voice.opening.as_bytes()), &mut events).expect("the opening is good");
    // The first text opens the part; from the second the decoder learns what deltas look like.
    decoder.feed(voice.delta("A"), &mut events).expect("the delta is good");
    decoder.feed(voice.delta("B"), &mut events).expect("the delta is good");
    (decoder, events)
}

fn decode(criterion: &mut Criterion) {
    for voice in voices() {
        for (kind, text) in TEXTS {
            let chunk = voice.delta(text);
            let (mut decoder, mut events) = begin(&voice);
            let name = format!("decode/{}{kind}", voice.dialect.name());
            let run = || {
                events.clear();
                decoder.feed(chunk.clone(), &mut events).expect("the delta is good");
                assert_eq!(events.len(), 1, "a delta is one event");
            };
            if kind.is_empty() {
                bench_without_allocations(criterion, &name, run);
            } else {
                // Such a text is a copy; one allocation serves many of them.
                assert!(bench(criterion, &name, run) < 0.1, "`{name}` allocates for every event");
            }
        }
    }
}

fn encode(criterion: &mut Criterion) {
    for voice in voices() {
        let (_, events) = begin(&voice);
        let mut encoder = voice.dialect.stream_encoder(&reply());
        let mut out = BytesMut::with_capacity(1 << 16);
        for event in &events {
            encoder.encode(event, &mut out);
        }
        let delta = events.last().expect("the stream has begun");
        bench_without_allocations(criterion, &format!("encode/{}", voice.dialect.name()), || {
            out.clear();
            encoder.encode(delta, &mut out);
        });
    }
}

fn tap(criterion: &mut Criterion) {
    for voice in voices() {
        for (kind, strip_usage) in [("", false), (" without usage", true)] {
            let mut tap = voice.dialect.tap(TapSpec { strip_usage, json_array: false });
            let mut out = Vec::with_capacity(8);
            tap.feed(Bytes::from_static(voice.opening.as_bytes()), &mut out);
            let chunk = voice.delta(" gateway");
            bench_without_allocations(criterion, &format!("tap/{}{kind}", voice.dialect.name()), || {
                out.clear();
                tap.feed(chunk.clone(), &mut out);
            });
        }
    }
}

fn translate(criterion: &mut Criterion) {
    let voices = voices();
    for from in &voices {
        for to in &voices {
            let chunk = from.delta(" gateway");
            let (mut decoder, mut events) = begin(from);
            let mut sequencer = Sequencer::default();
            let mut ordered = Vec::with_capacity(64);
            events.drain(..).for_each(|event| sequencer.push(event, &mut ordered));
            let mut encoder = to.dialect.stream_encoder(&reply());
            let mut out = BytesMut::with_capacity(1 << 16);
            ordered.drain(..).for_each(|event| encoder.encode(&event, &mut out));
            let name = format!("translate/{} to {}", from.dialect.name(), to.dialect.name());
            bench_without_allocations(criterion, &name, || {
                out.clear();
                decoder.feed(chunk.clone(), &mut events).expect("the delta is good");
                events.drain(..).for_each(|event| sequencer.push(event, &mut ordered));
                ordered.drain(..).for_each(|event| encoder.encode(&event, &mut out));
                assert!(!out.is_empty(), "a delta is written");
            });
        }
    }
}

fn main() {
    let mut criterion = criterion();
    for bench in [framing, decode, encode, tap, translate] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
