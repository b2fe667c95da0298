//! Requests, both ways.

mod decode;
mod encode;
mod history;
mod messages;
mod settings;
mod tools;
mod write;

pub(super) use decode::decode;
pub(super) use encode::encode;
