//! Bedrock's `InvokeModelWithResponseStream`: binary frames, each with one event of the vendor's in base64.
//!
//! Reference: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html>;
//! names are those of the service model in botocore. The vendor's events come without their names, which server-sent
//! events have in a line of their own; those that name them say the name in `type` too.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::{HostWire, Unframe};
use crate::{
    aws::{self, EVENT_TYPE, MESSAGE_TYPE},
    dialects::{ResponseError, StreamForm},
    eventstream::{Frame, FrameReader, HeaderValue},
    json::Text,
    model::{ErrorInfo, FilterError},
};

/// The event that carries a piece of the answer.
const CHUNK: &str = "chunk";

/// Base64 as the service writes it; others leave its padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bedrock as it carries vendors' own dialects.
#[derive(Clone, Copy, Debug)]
pub struct BedrockInvoke;

impl HostWire for BedrockInvoke {
    fn stream_type(&self) -> &'static str {
        StreamForm::EventStream.content_type()
    }

    fn unframe(&self) -> Box<dyn Unframe> {
        Box::new(Chunks::default())
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo {
        aws::decode(status, body)
    }
}

/// Reads one stream.
#[derive(Debug, Default)]
struct Chunks {
    reader: FrameReader,
    /// The event that is being written; kept for its memory.
    event: Vec<u8>,
}

/// The payload of a `chunk`. It has padding against traffic analysis too.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    bytes: Option<Text<'a>>,
}

impl Unframe for Chunks {
    fn feed(&mut self, chunk: Bytes, out: &mut BytesMut) -> Result<(), ResponseError> {
        self.reader.feed(chunk)?;
        while let Some(frame) = self.reader.next_frame()? {
            match Kind::of(&frame) {
                Kind::Chunk => self.chunk(&frame.into_payload(), out)?,
                Kind::Exception => return Err(aws::exception(frame).into()),
                Kind::Other => {}
            }
        }
        Ok(())
    }
}

impl Chunks {
    fn chunk(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<(), FilterError> {
        let malformed = |error: &dyn std::fmt::Display| FilterError::malformed("chunk of an event stream", &error);
        let payload: Payload<'_> = serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
        let Some(bytes) = payload.bytes.filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        self.event.clear();
        BASE64.decode_vec(bytes.as_str(), &mut self.event).map_err(|error| malformed(&error))?;
        push_event(&mut self.event, out);
        Ok(())
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A piece of the answer.
    Chunk,
    /// A failure.
    Exception,
    /// What nobody here knows; the format may grow.
    Other,
}

impl Kind {
    fn of(frame: &Frame) -> Self {
        let mut kind = Self::Other;
        for (name, value) in frame.headers().flatten() {
            match (name, value) {
                (EVENT_TYPE, HeaderValue::Text(CHUNK)) => kind = Self::Chunk,
                (MESSAGE_TYPE, HeaderValue::Text("event")) => {}
                (MESSAGE_TYPE, _) => return Self::Exception,
                _ => {}
            }
        }
        kind
    }
}

/// Writes a server-sent event, named by its `type` if it has one.
fn push_event(data: &mut [u8], out: &mut BytesMut) {
    // A line's end in JSON is a blank between two of its parts, and would end the event's line here.
    data.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    out.reserve(data.len() + 64);
    with_type(data, |name| {
        // A name of other characters is none that a vendor gives, and might end the line.
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\n");
        }
    });
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

/// Hands over the `type` of an event, if it has one.
fn with_type(event: &[u8], found: impl FnOnce(&str)) {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
    }
    // It usually stands first. What follows it is not read then.
    let first = event.strip_prefix(b"{\"type\":\"").and_then(|rest| {
        let end = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
        let (name, rest) = rest.split_at(end);
        rest.starts_with(b"\"").then(|| std::str::from_utf8(name).ok()).flatten()
    });
    if let Some(name) = first {
        found(name);
    } else if let Ok(Named { kind: Some(name) }) = serde_json::from_slice(event) {
        found(name.as_str());
    }
}

#[cfg(test)]
mod tests;
