//! Streams: server-sent events, told apart by the `type` in their data.

mod decode;
mod encode;
mod event;
mod tap;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use tap::StreamTap;

/// What ends a stream behind `message-end`.
const DONE: &str = "[DONE]";
