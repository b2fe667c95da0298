//! Requests, both ways.

mod content;
mod decode;
mod encode;
mod history;
mod media;
mod messages;
mod offer;
mod tools;
mod write;

pub(super) use content::url_media;
pub(super) use decode::decode;
pub(super) use encode::encode;
pub(super) use messages::{decode_call, legacy_call};
