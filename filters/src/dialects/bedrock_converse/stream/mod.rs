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

/// The header that tells an event from an exception.
const MESSAGE_TYPE: &str = ":message-type";

/// The header that tells events apart.
const EVENT_TYPE: &str = ":event-type";

/// The header that tells exceptions apart.
const EXCEPTION_TYPE: &str = ":exception-type";
