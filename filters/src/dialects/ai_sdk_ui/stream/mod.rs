//! Streams: writing a client's.

mod encode;
mod frame;

pub(super) use encode::Encoder;
