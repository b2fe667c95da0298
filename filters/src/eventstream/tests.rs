//! Frames: the vectors that the vendor's own parser reads, any cut, any damage.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::model::FilterError;

/// An event, an exception, and a frame with nothing in it.
const VECTORS: [&str; 3] = [
    "0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e742d74797065\
     0700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22636f6e74656e74426c6f636b496e64\
     6578223a302c2264656c7461223a7b2274657874223a224869227d7d1f944657",
    "0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a636f6e74656e\
     742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070009657863657074696f6e7b226d65737361\
     6765223a22736c6f7720646f776e227d832ee072",
    "000000100000000005c248eb7d98c8ff",
];

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("two digits");
    digits.chunks(2).map(byte).collect()
}

fn vectors() -> Vec<u8> {
    VECTORS.iter().flat_map(|text| unhex(text)).collect()
}

/// The frames of a stream that comes in these chunks.
fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Frame>, bool), FilterError> {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for chunk in chunks {
        reader.feed(Bytes::copy_from_slice(chunk))?;
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
    }
    Ok((frames, reader.is_between_frames()))
}

fn complaint(bytes: &[u8]) -> String {
    frames([bytes]).expect_err("the stream is broken").to_string()
}

/// A frame whose headers are written as `headers`, with right checksums.
fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let total = u32::try_from(headers.len() + payload.len() + 16).expect("short");
    bytes.extend(total.to_be_bytes());
    bytes.extend(u32::try_from(headers.len()).expect("short").to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

#[test]
fn vectors_read_alike_byte_by_byte_and_two_in_a_chunk() {
    let all = vectors();
    let (whole, between) = frames([&all[..]]).expect("the vectors are good");
    assert!(between);
    assert_eq!(frames(all.chunks(1)).expect("the vectors are good"), (whole.clone(), true));
    let [event, exception, empty] = <[Frame; 3]>::try_from(whole).expect("three frames");
    assert_eq!(event.text(":event-type"), Some("contentBlockDelta"));
    assert_eq!(event.text(":message-type"), Some("event"));
    assert_eq!(event.text(":content-type"), Some("application/json"));
    assert_eq!(event.into_payload(), br#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#[..]);
    assert_eq!(exception.text(":exception-type"), Some("throttlingException"));
    assert_eq!(exception.into_payload(), br#"{"message":"slow down"}"#[..]);
    assert_eq!(empty.headers().count(), 0);
    assert!(empty.into_payload().is_empty());
}

#[test]
fn what_is_written_equals_the_vectors() {
    let mut out = BytesMut::new();
    let event =
        [(":event-type", "contentBlockDelta"), (":content-type", "application/json"), (":message-type", "event")];
    push_frame(&mut out, &event, |out| {
        out.extend_from_slice(br#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#);
    });
    push_frame(&mut out, &[], |_| {});
    assert_eq!(out, [unhex(VECTORS[0]), unhex(VECTORS[2])].concat());
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let good = unhex(VECTORS[0]);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let found = complaint(&bad);
        assert!(found.contains("checksum"), "byte {at}: {found}");
    }
}

#[test]
fn lengths_are_bounded_before_anything_is_waited_for() {
    let prelude = |total: u32, headers: u32| {
        let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    };
    assert!(complaint(&prelude(u32::MAX, 0)).contains("payload"));
    assert!(complaint(&prelude(1 << 20, 1 << 19)).contains("headers of a frame are longer"));
    assert!(complaint(&prelude(15, 0)).contains("shorter"));
    assert!(complaint(&prelude(40, 25)).contains("shorter"));
    let longest = u32::try_from(MAX_PAYLOAD_BYTES + 16).expect("it fits");
    let mut reader = FrameReader::default();
    reader.feed(Bytes::from(prelude(longest, 0))).expect("it is the first chunk");
    assert_eq!(reader.next_frame(), Ok(None));
    assert!(reader.pending.capacity() < 4096, "memory is kept for what has come, not for what is promised");
}

#[test]
fn every_type_of_header_is_read() {
    let mut headers = Vec::new();
    for (kind, value) in [
        (0, &[][..]),
        (1, &[]),
        (2, &[0xff]),
        (3, &[0, 7]),
        (4, &[0xff; 4]),
        (5, &[0, 0, 0, 0, 0, 0, 1, 0]),
        (6, &[0, 2, 9, 8]),
        (7, &[0, 2, b'h', b'i']),
        (8, &[0, 0, 0, 0, 0, 0, 0, 5]),
        (9, &[3; 16]),
    ] {
        headers.extend([1, b'a' + kind, kind]);
        headers.extend(value);
    }
    let bytes = framed(&headers, b"");
    let (frames, _) = frames([&bytes[..]]).expect("the frame is good");
    let values: Vec<_> = frames[0].headers().map(|header| header.expect("good").1).collect();
    let expected = [
        HeaderValue::Bool(true),
        HeaderValue::Bool(false),
        HeaderValue::Int(-1),
        HeaderValue::Int(7),
        HeaderValue::Int(-1),
        HeaderValue::Int(256),
        HeaderValue::Bytes(&[9, 8]),
        HeaderValue::Text("hi"),
        HeaderValue::Timestamp(5),
        HeaderValue::Uuid([3; 16]),
    ];
    assert_eq!(values, expected);
}

#[test]
fn bad_headers_are_refused() {
    let twice = [&b"\x01a\x00"[..], b"\x01a\x01"].concat();
    let many: Vec<u8> = (0..=u8::try_from(MAX_HEADERS).expect("few")).flat_map(|n| [1, b'!' + n, 0]).collect();
    for (headers, word) in [
        (&twice[..], "twice"),
        (&many[..], "too many"),
        (b"\x01a\x0a", "type"),
        (b"\x05a", "break off"),
        (b"\x01a\x07\x00\x09hi", "break off"),
        (b"\x01a\x07\x00\x01\xff", "UTF-8"),
        (b"\x00\x00", "name"),
    ] {
        let found = complaint(&framed(headers, b"{}"));
        assert!(found.contains(word), "{found}, expected `{word}`");
    }
}

#[test]
fn a_stream_cut_in_a_frame_is_not_between_frames() {
    let all = vectors();
    let (read, between) = frames([&all[..all.len() - 1]]).expect("what came is good");
    assert_eq!((read.len(), between), (2, false));
}

#[test]
fn a_payload_is_a_slice_of_its_chunk() {
    let chunk = Bytes::from(vectors());
    let mut reader = FrameReader::default();
    reader.feed(chunk.clone()).expect("it is the first chunk");
    let payload = reader.next_frame().expect("good").expect("whole").into_payload();
    assert!(chunk.as_ptr_range().contains(&payload.as_ptr()), "the payload was copied");
}

proptest! {
    #[test]
    fn what_is_written_reads_back_at_any_cut(
        written in prop::collection::vec((".{0,8}", prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut out = BytesMut::new();
        for (text, payload) in &written {
            push_frame(&mut out, &[(":event-type", text)], |out| out.extend_from_slice(payload));
        }
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(out.len() + 1)).collect();
        at.extend([0, out.len()]);
        at.sort_unstable();
        let (read, between) = frames(at.windows(2).map(|pair| &out[pair[0]..pair[1]])).expect("it was written here");
        prop_assert!(between);
        let read: Vec<_> = read.into_iter().map(|frame| {
            (frame.text(":event-type").unwrap_or_default().to_owned(), frame.into_payload().to_vec())
        }).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), headers in prop::collection::vec(any::<u8>(), 0..40)) {
        frames([&bytes[..]]).ok();
        frames([&framed(&headers, &bytes)[..]]).ok();
    }
}
