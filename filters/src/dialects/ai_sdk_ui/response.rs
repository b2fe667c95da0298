//! Whole responses. This dialect has none: an answer that is there at once is a stream that comes in one piece.

use bytes::{Bytes, BytesMut};

use super::stream::Encoder;
use crate::{
    dialects::{Reply, StreamEncoder},
    model::Response,
    stream::unfold,
};

/// Encodes a whole response for a client.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut events = Vec::new();
    unfold(response.clone(), &mut events);
    let mut out = BytesMut::with_capacity(1024);
    let mut encoder = Encoder::new(reply);
    for event in &events {
        encoder.encode(event, &mut out);
    }
    out.freeze()
}
