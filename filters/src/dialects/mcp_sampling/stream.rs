//! Streams. This dialect has none: what comes as one is collected, and written as a whole answer at its end.

use bytes::BytesMut;

use super::McpSampling;
use crate::{
    dialects::{Dialect, Reply, StreamEncoder},
    model::Event,
    stream::Folder,
};

/// Collects one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    dialect: McpSampling,
    reply: Reply,
    folder: Folder,
}

impl Encoder {
    pub(super) fn new(dialect: McpSampling, reply: &Reply) -> Self {
        Self { dialect, reply: reply.clone(), folder: Folder::default() }
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &Event, out: &mut BytesMut) {
        self.folder.push(event);
        if *event != Event::End {
            return;
        }
        let bytes = match std::mem::take(&mut self.folder).finish() {
            Ok(response) => self.dialect.encode_response(&response, &self.reply),
            Err(error) => self.dialect.encode_error(&error, &self.reply.id),
        };
        out.extend_from_slice(&bytes);
    }
}
