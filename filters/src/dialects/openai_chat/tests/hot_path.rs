//! How long a text delta takes. Run by hand: `cargo test --release hot_path -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

#[test]
#[ignore = "measures time"]
fn a_text_delta_is_cheap() {
    const EVENTS: usize = 200_000;
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
        let began = Instant::now();
        for _ in 0..EVENTS {
            decoder.feed(chunk.clone(), &mut events).expect("the stream is good");
            for event in events.drain(..) {
                encoder.encode(&event, &mut out);
            }
            out.clear();
        }
        println!("{name}: {} ns per delta, decoded and encoded", began.elapsed().as_nanos() / EVENTS as u128);
    }
    let chunk = Bytes::from(event("Paris"));
    for strip_usage in [false, true] {
        let mut tap = OpenAiChat.tap(crate::dialects::TapSpec { strip_usage, json_array: false });
        let mut out = Vec::with_capacity(4);
        let began = Instant::now();
        for _ in 0..EVENTS {
            tap.feed(chunk.clone(), &mut out);
            out.clear();
        }
        println!("tap, strip {strip_usage}: {} ns per event", began.elapsed().as_nanos() / EVENTS as u128);
    }
    let body = Bytes::from(format!(
        r#"{{"messages":[{{"role":"user","content":"{}"}}],"model":"m"}}"#,
        "word ".repeat(200_000)
    ));
    let began = Instant::now();
    for _ in 0..100 {
        drop(OpenAiChat.inspect(&CallHead::default(), &body));
    }
    println!("inspect of 1 MB: {} us", began.elapsed().as_micros() / 100);
}
