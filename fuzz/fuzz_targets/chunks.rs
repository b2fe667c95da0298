//! Chunked request bodies: the verdict is the same at every cut, and what passes means one thing to every parser.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Knows bytes only. Through the gateway's crate it would bring all of Pingora with it.
#[path = "../../src/edge/chunks.rs"]
mod chunks;

use chunks::{ChunkError, Chunks};

/// Whether the body has ended, when it comes in these pieces.
fn verdict(pieces: &[bytes::Bytes]) -> Result<bool, usize> {
    let mut chunks = Chunks::after(0);
    let mut passed = 0;
    for piece in pieces {
        chunks.pass(piece).map_err(|ChunkError { at }| passed + at)?;
        passed += piece.len();
    }
    Ok(chunks.is_done())
}

/// Where the body ends for a parser that takes a bare line feed for a line's end, or for one that wants a CRLF.
fn end(body: &[u8], lenient: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &body[at..];
        let line = if lenient {
            rest.iter().position(|byte| *byte == b'\n')? + 1
        } else {
            rest.windows(2).position(|pair| pair == b"\r\n")? + 2
        };
        let size = rest[..line].split(|byte| matches!(byte, b';' | b'\r' | b'\n')).next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        at += line;
        if size == 0 {
            let ends: &[&[u8]] = if lenient { &[b"\n\r\n", b"\n\n"] } else { &[b"\r\n\r\n"] };
            // The line end of the last size may be the first of the two.
            let from = at - if lenient { 1 } else { 2 };
            let places = ends.iter().filter_map(|end| {
                let found = body[from..].windows(end.len()).position(|window| window == *end)?;
                Some(from + found + end.len())
            });
            return places.min();
        }
        at += size;
        let after = body.get(at..)?;
        at += if after.starts_with(b"\r\n") { 2 } else { usize::from(lenient && after.starts_with(b"\n")) };
    }
}

fuzz_target!(|input: &[u8]| {
    let (pieces, whole) = lockgate_fuzz::chunks(input);
    let at_once = verdict(&[bytes::Bytes::copy_from_slice(whole)]);
    assert_eq!(verdict(&pieces), at_once, "the same at every cut");
    if at_once != Ok(true) {
        return;
    }
    let strict = end(whole, false);
    assert!(strict.is_some(), "what passes has an end");
    assert_eq!(strict, end(whole, true), "and it is in one place");
    let ended = strict.unwrap_or_default();
    assert_eq!(verdict(&[bytes::Bytes::copy_from_slice(&whole[..ended])]), Ok(true), "there it is complete");
    assert_eq!(verdict(&[bytes::Bytes::copy_from_slice(&whole[..ended - 1])]), Ok(false), "and not before");
    let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(whole) else {
        panic!("what passes, another parser takes");
    };
    assert!(size < 1 << 60);
});
