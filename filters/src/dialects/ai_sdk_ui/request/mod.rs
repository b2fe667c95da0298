//! Requests: decoding a client's.

mod decode;
mod messages;
mod options;
mod parts;
mod tools;

pub(super) use decode::decode;
