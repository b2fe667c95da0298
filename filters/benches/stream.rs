//! What one event of a stream costs, in time and in allocations: a text delta read, written, watched and translated
//! between every two dialects. In the steady state nothing may allocate; the bench fails if something does.
//!
//! `cargo bench -p lockgate-filters --bench stream`; with `LOCKGATE_BENCH_QUICK=1` it takes seconds.

use bytes::{Bytes, BytesMut};
use criterion::Criterion;
use lockgate_filters::{
    dialects::{Dialect, Reply, StreamDecoder, StreamEncoder, StreamForm, TapSpec, Upstream, find},
    eventstream::{FrameReader, push_frame},
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
    /// Its clients' streams end with the whole answer, so that an encoder keeps the text: its memory grows by doubling.
    keeps_text: bool,
}

impl Voice {
    fn delta(&self, text: &str) -> Bytes {
        let payload = format!("{}{text}{}", self.delta.0, self.delta.1);
        if !self.is_framed() {
            return Bytes::from(payload);
        }
        let headers =
            [(":event-type", "contentBlockDelta"), (":content-type", "application/json"), (":message-type", "event")];
        let mut out = BytesMut::new();
        push_frame(&mut out, &headers, |out| out.extend_from_slice(payload.as_bytes()));
        out.freeze()
    }

    /// Whether its events are binary frames.
    fn is_framed(&self) -> bool {
        self.dialect.stream_form() == StreamForm::EventStream
    }
}

fn voices() -> Vec<Voice> {
    let dialect_of = |name: &str, route_type: &str| {
        find(name, route_type).and_then(Dialect::upstream).expect("the table has the dialect")
    };
    let dialect = |name: &str| dialect_of(name, "llm/v1/chat");
    vec![
        Voice {
            dialect: dialect("openai"),
            opening: "",
            delta: (
                "data: {\"id\":\"chatcmpl-E4Rjs6IxaJVge9Ntk5keJsaeDy6vS\",\"object\":\"chat.completion.chunk\",\
                 \"created\":1784728648,\"model\":\"gpt-5-2025-08-07\",\"service_tier\":\"default\",\
                 \"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
                "\"},\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"EeXxvZr\"}\n\n",
            ),
            keeps_text: false,
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
            keeps_text: false,
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
            keeps_text: false,
        },
        Voice {
            dialect: dialect_of("openai", "llm/v1/responses"),
            opening: "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\"\
                      :\"resp_1\",\"object\":\"response\",\"created_at\":1784728648,\"status\":\"in_progress\",\"model\":\
                      \"gpt-5-2025-08-07\",\"output\":[]}}\n\nevent: response.output_item.added\ndata: {\"type\":\
                      \"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"msg_1\",\
                      \"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}}\n\n",
            delta: (
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\
                 \"item_id\":\"msg_06fe400e17c64daf006a5fa35428b0819c9409e8d48bd8d1a2\",\"output_index\":0,\
                 \"content_index\":0,\"delta\":\"",
                "\",\"logprobs\":[],\"obfuscation\":\"gO2JPJ0sLMkGvLH\"}\n\n",
            ),
            keeps_text: true,
        },
        Voice {
            dialect: dialect("bedrock"),
            opening: "",
            delta: ("{\"contentBlockIndex\":0,\"delta\":{\"text\":\"", "\"},\"p\":\"abcdefghijklmnopqrst\"}"),
            keeps_text: false,
        },
        Voice {
            dialect: dialect_of("openai", "llm/v1/completions"),
            opening: "",
            delta: (
                "data: {\"id\":\"cmpl-E4Rjs6IxaJVge9Ntk5keJsaeDy6vS\",\"object\":\"text_completion\",\
                 \"created\":1784728648,\"choices\":[{\"text\":\"",
                "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"model\":\"gpt-3.5-turbo-instruct\",\
                 \"system_fingerprint\":null}\n\n",
            ),
            keeps_text: false,
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
            keeps_text: false,
        },
        Voice {
            dialect: dialect("ollama"),
            opening: "",
            delta: (
                "{\"model\":\"qwen3:4b\",\"created_at\":\"2026-08-04T19:59:21.358882Z\",\"message\":{\"role\":\"assistant\",\
                 \"content\":\"",
                "\"},\"done\":false}\n",
            ),
            keeps_text: false,
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
    // The reader of lines is its dialect's own.
    for voice in voices().iter().filter(|voice| voice.dialect.stream_form() != StreamForm::JsonLines) {
        let chunk = voice.delta(" gateway");
        if voice.is_framed() {
            let mut reader = FrameReader::default();
            bench_without_allocations(criterion, &format!("frames/{}", voice.dialect.name()), || {
                reader.feed(chunk.clone()).expect("the chunk is short");
                while let Some(frame) = reader.next_frame().expect("the frame is good") {
                    std::hint::black_box(&frame);
                }
            });
            continue;
        }
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

/// An encoder of a dialect's that has written the beginning of a stream, again and again where it keeps the text.
struct Writer {
    dialect: &'static dyn Upstream,
    opening: Vec<Event>,
    encoder: Box<dyn StreamEncoder>,
    out: BytesMut,
    /// Deltas until it begins anew; none if it need not.
    left: Option<u32>,
}

impl Writer {
    /// A stream of as many deltas is a long one.
    const DELTAS: u32 = 4096;

    fn new(voice: &Voice, opening: Vec<Event>) -> Self {
        let encoder = voice.dialect.stream_encoder(&reply());
        let left = voice.keeps_text.then_some(0);
        let mut writer = Self { dialect: voice.dialect, opening, encoder, out: BytesMut::with_capacity(1 << 16), left };
        writer.begin();
        writer
    }

    fn begin(&mut self) {
        self.encoder = self.dialect.stream_encoder(&reply());
        for event in &self.opening {
            self.encoder.encode(event, &mut self.out);
        }
        self.left = self.left.map(|_| Self::DELTAS);
    }

    fn write(&mut self, event: &Event) {
        match &mut self.left {
            Some(0) => self.begin(),
            Some(left) => *left -= 1,
            None => {}
        }
        self.out.clear();
        self.encoder.encode(event, &mut self.out);
    }

    /// Benches what must not allocate once its buffers are warm, but to keep the text.
    fn bench(keeps_text: bool, criterion: &mut Criterion, name: &str, run: impl FnMut()) {
        if keeps_text {
            assert!(bench(criterion, name, run) < 0.02, "`{name}` allocates for every event");
        } else {
            bench_without_allocations(criterion, name, run);
        }
    }
}

fn encode(criterion: &mut Criterion) {
    for voice in voices() {
        let (_, events) = begin(&voice);
        let delta = events.last().expect("the stream has begun").clone();
        let mut writer = Writer::new(&voice, events);
        let name = format!("encode/{}", voice.dialect.name());
        Writer::bench(voice.keeps_text, criterion, &name, || writer.write(&delta));
    }
}

/// What only clients speak is written from any upstream's events.
fn encode_for_clients(criterion: &mut Criterion) {
    let voices = voices();
    let voice = voices.first().expect("there is a voice");
    let (_, events) = begin(voice);
    let dialect = find("ai-sdk-ui", "llm/v1/chat").expect("the table has the dialect");
    let mut encoder = dialect.stream_encoder(&reply());
    let mut out = BytesMut::with_capacity(1 << 16);
    for event in &events {
        encoder.encode(event, &mut out);
    }
    let delta = events.last().expect("the stream has begun");
    bench_without_allocations(criterion, &format!("encode/{}", dialect.name()), || {
        out.clear();
        encoder.encode(delta, &mut out);
    });
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
            let mut writer = Writer::new(to, std::mem::take(&mut ordered));
            ordered.reserve(64);
            let name = format!("translate/{} to {}", from.dialect.name(), to.dialect.name());
            Writer::bench(to.keeps_text, criterion, &name, || {
                decoder.feed(chunk.clone(), &mut events).expect("the delta is good");
                events.drain(..).for_each(|event| sequencer.push(event, &mut ordered));
                ordered.drain(..).for_each(|event| writer.write(&event));
                assert!(!writer.out.is_empty(), "a delta is written");
            });
        }
    }
}

fn main() {
    let mut criterion = criterion();
    for bench in [framing, decode, encode, encode_for_clients, tap, translate] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
