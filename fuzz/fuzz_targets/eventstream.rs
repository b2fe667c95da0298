//! Frames are the same however a stream is cut, and what is read can be written.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use lockgate_filters::eventstream::{Frame, FrameReader, HeaderValue, push_frame};

fn read(chunks: &[Bytes]) -> (Vec<Frame>, bool) {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        reader.feed(chunk.clone()).expect("the input is short");
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, false),
            }
        }
    }
    (frames, true)
}

fuzz_target!(|input: &[u8]| {
    let (chunks, whole) = lockgate_fuzz::chunks(input);
    let (frames, good) = read(&chunks);
    assert_eq!((&frames, good), (&read(&[Bytes::copy_from_slice(whole)]).0, good));
    for frame in frames {
        let headers = frame.headers().map(|header| header.expect("a frame's headers are checked"));
        let texts: Option<Vec<(&str, &str)>> = headers
            .map(|(name, value)| match value {
                HeaderValue::Text(text) => Some((name, text)),
                _ => None,
            })
            .collect();
        let Some(texts) = texts else { continue };
        let mut out = BytesMut::new();
        push_frame(&mut out, &texts, |out| out.extend_from_slice(&frame.clone().into_payload()));
        assert_eq!(read(&[out.freeze()]).0, [frame.clone()], "a frame written again is the same");
    }
});
