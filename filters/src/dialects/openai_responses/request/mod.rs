//! Requests, both ways.

mod choice;
mod decode;
mod encode;
mod history;
mod input;
mod media;
mod offer;
mod settings;
mod tools;

pub(super) use decode::decode;
pub(super) use encode::encode;
