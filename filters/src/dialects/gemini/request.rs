//! Requests: read as a server reads them, written as a client writes them.

mod contents;
mod decode;
mod encode;
mod history;
mod settings;
mod tools;

pub(super) use decode::decode;
pub(super) use encode::encode;
