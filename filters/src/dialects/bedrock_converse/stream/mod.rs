//! Streams: reading an upstream's, writing a client's, watching one that passes.

mod decode;
mod encode;
mod event;
mod frame;
mod open;
mod tap;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use tap::StreamTap;
