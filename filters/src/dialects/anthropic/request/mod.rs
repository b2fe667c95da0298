//! Requests: decoding a client's, encoding for an upstream.

mod conversation;
mod decode;
mod encode;
mod options;
mod parts;
mod tools;

pub(super) use decode::decode;
pub(super) use encode::encode;

#[cfg(test)]
mod tests;
