//! Requests: decoding a client's, encoding for an upstream.

mod conversation;
mod decode;
mod documents;
mod encode;
mod fields;
mod options;
mod parts;
mod settings;
mod tools;

pub(super) use decode::decode;
pub(super) use encode::encode;
