//! Bedrock's frames come off the same at every cut, and give back the event that was put into them.
#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use lockgate_filters::{
    eventstream::push_frame,
    hosts::{BedrockInvoke, HostWire},
    sse::SseReader,
};

fn unframe(chunks: &[Bytes]) -> (Bytes, bool) {
    let mut reader = BedrockInvoke.unframe();
    let mut out = BytesMut::new();
    let good = chunks.iter().all(|chunk| reader.feed(chunk.clone(), &mut out).is_ok());
    (out.freeze(), good)
}

/// The input as the one event of a stream.
fn carried(event: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    push_frame(&mut out, &[(":event-type", "chunk"), (":message-type", "event")], |out| {
        out.extend_from_slice(format!("{{\"bytes\":\"{}\"}}", STANDARD.encode(event)).as_bytes());
    });
    out.freeze()
}

fuzz_target!(|input: &[u8]| {
    let (chunks, whole) = lockgate_fuzz::chunks(input);
    assert_eq!(unframe(&chunks), unframe(&[Bytes::copy_from_slice(whole)]), "a cut shows");
    let (text, good) = unframe(&[carried(whole)]);
    assert!(good, "what is carried comes off");
    let Ok(event) = std::str::from_utf8(whole) else { return };
    let mut reader = SseReader::default();
    reader.feed(text).expect("the input is short");
    let read = reader.next_event().expect("it is text");
    if event.is_empty() {
        return assert_eq!(read, None, "nothing is no event");
    }
    let read = read.expect("it is one event");
    assert_eq!(*read.data, event.replace(['\n', '\r'], " "), "the event's data are what was carried");
    assert!(read.name.bytes().all(|byte| byte.is_ascii_graphic()), "a name stays on its line");
    assert_eq!(reader.next_event().expect("it is text"), None, "and there is no other");
});
