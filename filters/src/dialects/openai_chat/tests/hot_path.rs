//! How long a text delta takes. Run by hand: `cargo test --release hot_path -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

/// Nanoseconds per run in the best of several rounds: others may be using the machine.
fn best(mut run: impl FnMut()) -> u128 {
    const RUNS: u128 = 2_000;
    let round = |run: &mut dyn FnMut()| {
        let began = Instant::now();
        (0..RUNS).for_each(|_| run());
        began.elapsed().as_nanos() / RUNS
    };
    (0..100).map(|_| round(&mut run)).min().unwrap_or_default()
}

#[test]
#[ignore = "measures time"]
fn a_text_delta_is_cheap() {
    let event = |text: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-E4Rjs6IxaJVge9Ntk5keJsaeDy6vS\",\"object\":\"chat.completion.chunk\",\"created\":1784728648,\
             \"model\":\"gpt-5-2025-08-07\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{{\"index\":0,\
             \"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}],\"usage\":null,\"obfuscation\":\"EeXxvZr{text}\"}}\n\n"
        )
    };
    for (name, text) in [("fast", "Paris"), ("slow (an escape)", "a\\nb")] {
        let chunk = Bytes::from(event(text));
        let mut decoder = OpenAiChat.stream_decoder();
        let mut encoder = OpenAiChat.stream_encoder(&reply());
        let (mut events, mut out) = (Vec::with_capacity(8), BytesMut::with_capacity(1 << 16));
        decoder.feed(chunk.clone(), &mut events).expect("the stream is good");
        for event in &events {
            encoder.encode(event, &mut out);
        }
        let decode = best(|| {
            events.clear();
            decoder.feed(chunk.clone(), &mut events).expect("the stream is good");
        });
        let encode = best(|| {
            out.clear();
            encoder.encode(&events[0], &mut out);
        });
        println!("{name}: decode {decode} ns, encode {encode} ns per delta");
    }
    let chunk = Bytes::from(event("Paris"));
    for strip_usage in [false, true] {
        let mut tap = OpenAiChat.tap(crate::dialects::TapSpec { strip_usage, json_array: false });
        let mut out = Vec::with_capacity(4);
        let watch = best(|| {
            tap.feed(chunk.clone(), &mut out);
            out.clear();
        });
        println!("tap, strip {strip_usage}: {watch} ns per event");
    }
    let body = Bytes::from(format!(
        r#"{{"messages":[{{"role":"user","content":"{}"}}],"model":"m"}}"#,
        "word ".repeat(200_000)
    ));
    let inspect = (0..100).map(|_| {
        let began = Instant::now();
        drop(OpenAiChat.inspect(&CallHead::default(), &body));
        began.elapsed().as_micros()
    });
    println!("inspect of 1 MB: {} us", inspect.min().unwrap_or_default());
}
