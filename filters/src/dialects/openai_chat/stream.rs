//! Streams: read from an upstream, written for a client.

mod calls;
mod decode;
mod encode;
mod parser;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;

use crate::openai::DONE;
