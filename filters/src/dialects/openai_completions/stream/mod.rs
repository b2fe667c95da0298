//! Streams: read from an upstream, written for a client.

mod decode;
mod encode;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
