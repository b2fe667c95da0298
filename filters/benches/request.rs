//! What a whole request costs: looked at, edited for the same dialect, decoded, and written for every dialect; a small
//! one and one of a megabyte of text. Time per request, with the allocations it takes.
//!
//! `cargo bench -p lockgate-filters --bench request`; with `LOCKGATE_BENCH_QUICK=1` it takes seconds.

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use lockgate_filters::{
    dialects::{CallHead, Dialect, Target, upstreams},
    json,
    seal::Sealer,
};
use support::{bench, criterion};

mod support;

/// Most allocations for decoding, or for encoding, a request of a handful of messages. Text is never copied piece by
/// piece, so a megabyte of it takes no more.
const MOST_ALLOCATIONS: f64 = 150.0;

/// The head of a call to a dialect that names the model in its path; others do not look.
const HEAD: CallHead<'static> = CallHead { model: Some("m-1"), verb: Some("generateContent"), query: None };

/// A conversation of about `size` bytes with a tool, in a dialect's words.
fn body(dialect: &dyn Dialect, size: usize) -> Bytes {
    let text = "All the world's a stage, and all the men and women merely players. ".repeat(size / 67 / 3 + 1);
    let schema =
        r#"{"type":"object","properties":{"city":{"type":"string","description":"where"}},"required":["city"]}"#;
    let body = match dialect.name() {
        "anthropic" => format!(
            r#"{{"model":"m-1","max_tokens":1024,"system":"You are terse.","messages":[{{"role":"user","content":"{text}"}},{{"role":"assistant","content":[{{"type":"text","text":"{text}"}}]}},{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}],"tools":[{{"name":"weather","description":"the weather of a city","input_schema":{schema}}}],"temperature":0.5}}"#
        ),
        "gemini" => format!(
            r#"{{"systemInstruction":{{"parts":[{{"text":"You are terse."}}]}},"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}},{{"role":"model","parts":[{{"text":"{text}"}}]}},{{"role":"user","parts":[{{"text":"{text}"}}]}}],"tools":[{{"functionDeclarations":[{{"name":"weather","description":"the weather of a city","parametersJsonSchema":{schema}}}]}}],"generationConfig":{{"maxOutputTokens":1024,"temperature":0.5}}}}"#
        ),
        "bedrock_converse" => format!(
            r#"{{"system":[{{"text":"You are terse."}}],"messages":[{{"role":"user","content":[{{"text":"{text}"}}]}},{{"role":"assistant","content":[{{"text":"{text}"}}]}},{{"role":"user","content":[{{"text":"{text}"}}]}}],"toolConfig":{{"tools":[{{"toolSpec":{{"name":"weather","description":"the weather of a city","inputSchema":{{"json":{schema}}}}}}}]}},"inferenceConfig":{{"maxTokens":1024,"temperature":0.5}}}}"#
        ),
        "openai_responses" => format!(
            r#"{{"model":"m-1","max_output_tokens":1024,"instructions":"You are terse.","input":[{{"role":"user","content":"{text}"}},{{"type":"message","role":"assistant","content":[{{"type":"output_text","text":"{text}","annotations":[]}}]}},{{"role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}],"tools":[{{"type":"function","name":"weather","description":"the weather of a city","parameters":{schema},"strict":false}}],"temperature":0.5}}"#
        ),
        "cohere" => format!(
            r#"{{"model":"m-1","max_tokens":1024,"messages":[{{"role":"system","content":"You are terse."}},{{"role":"user","content":"{text}"}},{{"role":"assistant","content":"{text}"}},{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}],"tools":[{{"type":"function","function":{{"name":"weather","description":"the weather of a city","parameters":{schema}}}}}],"temperature":0.5}}"#
        ),
        "ollama" => format!(
            r#"{{"model":"m-1","options":{{"num_predict":1024,"temperature":0.5}},"messages":[{{"role":"system","content":"You are terse."}},{{"role":"user","content":"{text}"}},{{"role":"assistant","content":"{text}"}},{{"role":"user","content":"{text}"}}],"tools":[{{"type":"function","function":{{"name":"weather","description":"the weather of a city","parameters":{schema}}}}}]}}"#
        ),
        "ollama_generate" => {
            format!(r#"{{"model":"m-1","options":{{"num_predict":1024}},"system":"You are terse.","prompt":"{text}"}}"#)
        }
        _ => format!(
            r#"{{"model":"m-1","max_completion_tokens":1024,"messages":[{{"role":"system","content":"You are terse."}},{{"role":"user","content":"{text}"}},{{"role":"assistant","content":"{text}"}},{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}],"tools":[{{"type":"function","function":{{"name":"weather","description":"the weather of a city","parameters":{schema}}}}}],"temperature":0.5}}"#
        ),
    };
    Bytes::from(body)
}

fn requests(criterion: &mut Criterion, size_name: &str, size: usize) {
    let sealer = Sealer::new(b"a key for benches");
    let target = Target { model: "another-model", quirks: &[], usage_in_stream: true, sealer: &sealer };
    for from in upstreams() {
        let body = body(from, size);
        bench(criterion, &format!("{size_name}/inspect and splice/{}", from.name()), || {
            let inspection = from.inspect(&HEAD, &body).expect("the request is good");
            let mut splices = from.splices(&inspection, &target);
            black_box(json::apply(&body, &mut splices));
        });
        let count = bench(criterion, &format!("{size_name}/decode/{}", from.name()), || {
            black_box(from.decode_request(&HEAD, &body).expect("the request is good"));
        });
        assert!(count <= MOST_ALLOCATIONS, "decoding {} takes {count} allocations", from.name());
        let request = from.decode_request(&HEAD, &body).expect("the request is good");
        for to in upstreams() {
            if to.encode_request(&request, &target).is_err() {
                // One that takes a single prompt cannot carry a conversation with a tool.
                continue;
            }
            let name = format!("{size_name}/encode/{} to {}", from.name(), to.name());
            let count = bench(criterion, &name, || {
                black_box(to.encode_request(&request, &target).expect("the request can be carried"));
            });
            assert!(count <= MOST_ALLOCATIONS, "`{name}` takes {count} allocations");
        }
    }
}

fn main() {
    let mut criterion = criterion();
    requests(&mut criterion, "1.5 kB", 1500);
    requests(&mut criterion, "1 MiB", 1 << 20);
    criterion.final_summary();
}
