//! Answers in pieces: bytes as they go on the wire, with the place of the stamp in each.

use serde_json::Value;

use crate::{clock, stamp};

/// One chunk of the chunked coding, ready to be written.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    /// Where the digits of the stamp lie, if the frame has one.
    stamp_at: Option<usize>,
}

/// Everything one provider ever says.
#[derive(Debug)]
pub(super) struct Answer {
    /// A whole answer that is not streamed, head included.
    pub(super) whole: Vec<u8>,
    /// The head of a stream.
    pub(super) head: Vec<u8>,
    /// Events before the first text.
    pub(super) opening: Vec<Frame>,
    /// Text deltas, used in turn; never empty.
    pub(super) deltas: Vec<Frame>,
    /// Events behind the last text.
    pub(super) closing: Vec<Frame>,
}

/// Appends frames and stamps them, each later than the one before.
#[derive(Debug, Default)]
pub(super) struct Stamper {
    last: u64,
}

/// The text of whole answers; with the stamp they are about 0.9 KB of JSON.
pub(super) const PROSE: &str = "A reverse proxy stands between clients and servers and passes every request on in \
    the client's name. It ends TLS, keeps connections open, spreads the load and adds what each side should know. \
    Since all bytes cross it twice, its price is the sum of system calls, copies and parsing.";

/// Renders a head with the provider's own headers behind the common ones; no `length` means chunked coding.
pub(super) fn head(content_type: &str, length: Option<usize>, provider: &[(&str, &str)]) -> Vec<u8> {
    let framing = match length {
        Some(bytes) => format!("content-length: {bytes}"),
        None => "transfer-encoding: chunked".to_owned(),
    };
    let provider: String = provider.iter().flat_map(|&(name, value)| [name, ": ", value, "\r\n"]).collect();
    format!(
        "HTTP/1.1 200 OK\r\ndate: Sat, 22 Nov 2025 12:00:00 GMT\r\ncontent-type: {content_type}\r\n{framing}\r\n\
         {provider}\r\n"
    )
    .into_bytes()
}

/// Renders a whole answer.
pub(super) fn whole(body: &Value, provider: &[(&str, &str)]) -> Vec<u8> {
    let body = body.to_string();
    let mut bytes = head("application/json", Some(body.len()), provider);
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

// === impl Frame ===

impl Frame {
    pub(super) fn new(payload: &str) -> Self {
        let bytes = format!("{:x}\r\n{payload}\r\n", payload.len()).into_bytes();
        Self { stamp_at: stamp::locate(&bytes), bytes }
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.bytes).expect("frames are made of text")
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn delta(&self, index: u64) -> &Frame {
        let variants = self.deltas.len() as u64;
        &self.deltas[usize::try_from(index % variants).expect("there are few variants")]
    }
}

// === impl Stamper ===

impl Stamper {
    pub(super) fn push(&mut self, out: &mut Vec<u8>, frame: &Frame) {
        let start = out.len();
        out.extend_from_slice(&frame.bytes);
        if let Some(at) = frame.stamp_at {
            self.last = clock::now_ns().max(self.last + 1);
            stamp::write(out, start + at, self.last);
        }
    }
}
