//! Decoders give the same events at every cut; encoders, the fold and the tap survive them.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use lockgate_filters::{
    dialects::{DIALECTS, Dialect, StreamForm, TapSpec, Upstream},
    eventstream::FrameReader,
    model::Event,
    stream::{Folder, Sequencer},
};
use lockgate_fuzz::{assert_answer, chunks, pick, reply};

fn decode(dialect: &dyn Upstream, chunks: &[Bytes]) -> (Vec<Event>, bool) {
    let mut decoder = dialect.stream_decoder();
    let mut events = Vec::new();
    let good = chunks.iter().all(|chunk| decoder.feed(chunk.clone(), &mut events).is_ok())
        && decoder.finish(&mut events).is_ok();
    (events, good)
}

/// Panics if what was written is not what readers of the dialect take: text, or whole frames.
fn assert_readable(dialect: &dyn Dialect, written: Bytes) {
    if !dialect.upstream().is_some_and(|upstream| upstream.stream_form() == StreamForm::EventStream) {
        std::str::from_utf8(&written).expect("what is written is UTF-8");
        return;
    }
    let mut reader = FrameReader::default();
    reader.feed(written).expect("it is one chunk");
    while let Some(frame) = reader.next_frame().expect("what is written is frames") {
        lockgate_fuzz::assert_json(&frame.into_payload(), "a payload");
    }
    assert!(reader.is_between_frames(), "what is written is whole frames");
}

fuzz_target!(|input: &[u8]| {
    let Some((dialect, input)) = pick(input) else { return };
    let (chunks, whole) = chunks(input);
    let (events, good) = decode(dialect, &chunks);
    assert_eq!((&events, good), (&decode(dialect, &[Bytes::copy_from_slice(whole)]).0, good), "a cut shows");
    let mut folder = Folder::default();
    let mut sequencer = Sequencer::default();
    let mut ordered = Vec::new();
    for event in &events {
        folder.push(event);
        sequencer.push(event.clone(), &mut ordered);
    }
    let response = folder.finish();
    for target in DIALECTS {
        for form in [StreamForm::Sse, StreamForm::JsonArray, StreamForm::JsonLines] {
            let mut encoder = target.stream_encoder(&reply(form));
            let mut out = BytesMut::new();
            for event in &ordered {
                encoder.encode(event, &mut out);
            }
            assert_readable(*target, out.freeze());
        }
        if let Ok(response) = &response {
            assert_answer(*target, &target.encode_response(response, &reply(StreamForm::Sse)));
        }
    }
    for strip_usage in [false, true] {
        let mut tap = dialect.tap(TapSpec { strip_usage, json_array: false });
        let mut out = Vec::new();
        for chunk in &chunks {
            tap.feed(chunk.clone(), &mut out);
        }
        tap.finish(&mut out);
        let passed = out.concat();
        // Half a frame at the end does not pass: nothing could be said behind it.
        let may_hold = dialect.stream_form() == StreamForm::EventStream && whole.starts_with(&passed);
        assert!(strip_usage || may_hold || passed == whole, "a tap changes nothing");
    }
});
