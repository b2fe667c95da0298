//! Raw HTTP/1.1 over tokio, as little of it as both ends of the bench need.
//!
//! No client or server library stands between the socket and the clock, so what is measured is the gateway. Heads are
//! parsed by `httparse`; bodies are walked where they lie, never collected here.

mod framing;
mod head;

use std::io;

use tokio::net::TcpStream;

pub use framing::{Chunk, Framing};
pub use head::{RequestHead, ResponseHead, parse_request, parse_response};

/// Below this much room a receive buffer grows before it is read into.
const MIN_ROOM: usize = 16 << 10;
/// By how much a receive buffer grows; pages that are never filled cost nothing.
const GROWTH: usize = 64 << 10;

/// The other side does not speak HTTP/1.1 as it should.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The head of a message cannot be parsed.
    #[error("bad head: {0}")]
    Head(#[from] httparse::Error),
    /// A chunk has no valid size line.
    #[error("bad chunk size")]
    ChunkSize,
    /// A chunk is not followed by a line end.
    #[error("chunk without line end")]
    ChunkEnd,
}

/// Writes all of `bytes`, without a timer or a task of its own.
pub async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads what has arrived to the end of `buf`; zero means that the other side has closed.
pub async fn receive(stream: &TcpStream, buf: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        if buf.capacity() - buf.len() < MIN_ROOM {
            buf.reserve(GROWTH);
        }
        match stream.try_read_buf(buf) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Err(error) => return Err(error),
        }
    }
}

/// Drops the first `count` bytes of `buf`.
pub fn consume(buf: &mut Vec<u8>, count: usize) {
    if count == buf.len() {
        buf.clear();
    } else {
        buf.drain(..count);
    }
}
