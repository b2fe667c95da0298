//! Wires that hosts of vendors' models put around a dialect's own.
//!
//! Such a host takes and gives what the vendor's own server does, but may frame streams in a way of its own, and its own
//! front door writes its own errors. A [`HostWire`] takes the host's part off between the transport and the dialect:
//! decoders, taps and clients meet what the vendor would have sent. Which host an upstream is, its dialect knows
//! ([`Upstream::host_wire`](crate::dialects::Upstream::host_wire)); a host knows no dialect.

mod invoke;

use bytes::{Bytes, BytesMut};
pub use invoke::BedrockInvoke;

use crate::{dialects::ResponseError, model::ErrorInfo};

/// What a host puts around a dialect's own wire.
pub trait HostWire: std::fmt::Debug + Send + Sync {
    /// The media type of the host's streams, asked for and answered with.
    fn stream_type(&self) -> &'static str;

    /// Takes the host's frames off a stream of server-sent events.
    fn unframe(&self) -> Box<dyn Unframe>;

    /// Decodes an error body that is not the dialect's; `status` decides where the body says nothing.
    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorInfo;
}

/// Takes a host's frames off one stream.
pub trait Unframe: Send + Sync {
    /// Takes a chunk cut anywhere; appends what the vendor's own server would have sent of what it completes. A stream
    /// that ends inside a frame says no less than was appended, so that there is nothing to do at its end.
    ///
    /// # Errors
    /// If the host tells of a failure, or the stream is not the host's. Nothing more may be fed then; what was appended
    /// came before it.
    fn feed(&mut self, chunk: Bytes, out: &mut BytesMut) -> Result<(), ResponseError>;
}
