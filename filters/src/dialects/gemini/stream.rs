//! Streams: read, written, and watched as they pass.
//!
//! An event is a whole `GenerateContentResponse` whose parts are what came since the last. There is no end marker:
//! a stream is complete when it has closed and every candidate has said why it ended.

mod decode;
mod encode;
mod frames;
mod lane;
mod partial;
mod tap;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use tap::Watcher;
