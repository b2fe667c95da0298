//! Streams: reading an upstream's, writing a client's, watching one that passes.

mod call;
mod decode;
mod encode;
mod event;
mod flow;
mod frame;
mod message;
mod open;
mod tap;
mod thought;
mod tool;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use tap::StreamTap;
