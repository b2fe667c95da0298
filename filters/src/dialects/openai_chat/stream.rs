//! Streams: read from an upstream, written for a client, watched as they pass.

mod calls;
mod decode;
mod encode;
mod parser;
mod tap;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use tap::StreamTap;

/// What ends a stream.
const DONE: &str = "[DONE]";
