//! Events are the same however a stream is cut, and data lies in what was fed.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate_filters::sse::{SseEvent, SseReader};

fn read(chunks: &[Bytes]) -> (Vec<SseEvent>, bool) {
    let mut reader = SseReader::default();
    let mut events = Vec::new();
    for chunk in chunks {
        reader.feed(chunk.clone()).expect("the input is short");
        loop {
            match reader.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return (events, false),
            }
        }
    }
    match reader.finish() {
        Ok(event) => events.extend(event),
        Err(_) => return (events, false),
    }
    assert!(reader.is_between_events(), "nothing is left behind the end");
    (events, true)
}

fuzz_target!(|input: &[u8]| {
    let (chunks, whole) = lockgate_fuzz::chunks(input);
    assert_eq!(read(&chunks), read(&[Bytes::copy_from_slice(whole)]));
});
