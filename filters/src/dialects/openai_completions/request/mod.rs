//! Requests, both ways.

mod decode;
mod encode;
mod prompt;

pub(super) use decode::decode;
pub(super) use encode::encode;
