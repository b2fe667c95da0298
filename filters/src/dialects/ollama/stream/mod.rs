//! Streams: one JSON object per line.

mod decode;
mod encode;
mod lines;
mod tap;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use tap::StreamTap;
