//! The control endpoint: how streams are paced, and how many requests came in.
//!
//! `GET /control?chunks=200&delay_us=10000` changes the named settings for answers begun after it and returns all
//! settings and counters as JSON; without a query it only returns them.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::dialect::Dialect;
use crate::wire;

/// Settings and counters; one thread, so plain cells.
#[derive(Debug)]
pub struct Control {
    /// Text deltas in a stream.
    pub chunks: Cell<u64>,
    /// Time between two writes of deltas; zero means full speed.
    pub delay_us: Cell<u64>,
    /// Time before the head of an answer.
    pub first_us: Cell<u64>,
    /// Deltas in one write; one is a segment per token.
    pub coalesce: Cell<u64>,
    /// If not zero, a stream stays open that long behind its last delta and never gets its closing events.
    pub hold_us: Cell<u64>,
    /// Pause before each read of an uploaded file.
    pub read_us: Cell<u64>,
    /// Streams being written or held now.
    pub open_streams: Cell<u64>,
    requests: [Cell<u64>; Dialect::ALL.len()],
}

// === impl Control ===

impl Default for Control {
    fn default() -> Self {
        Self {
            chunks: Cell::new(200),
            delay_us: Cell::new(0),
            first_us: Cell::new(0),
            coalesce: Cell::new(1),
            hold_us: Cell::new(0),
            read_us: Cell::new(0),
            open_streams: Cell::new(0),
            requests: Default::default(),
        }
    }
}

impl Control {
    /// Applies the query of `target`; unknown names and values that are no numbers are passed over.
    pub fn apply(&self, target: &str) {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let Ok(value) = value.parse() else { continue };
            match name {
                "chunks" => self.chunks.set(value),
                "delay_us" => self.delay_us.set(value),
                "first_us" => self.first_us.set(value),
                "coalesce" => self.coalesce.set(value),
                "hold_us" => self.hold_us.set(value),
                "read_us" => self.read_us.set(value),
                _ => {}
            }
        }
    }

    /// Counts a chat request that reached the provider `dialect`.
    pub fn count_request(&self, dialect: Dialect) {
        let counter = &self.requests[dialect as usize];
        counter.set(counter.get() + 1);
    }

    /// Renders settings and counters.
    pub fn to_json(&self) -> Value {
        json!({
            "chunks": self.chunks.get(),
            "delay_us": self.delay_us.get(),
            "first_us": self.first_us.get(),
            "coalesce": self.coalesce.get(),
            "hold_us": self.hold_us.get(),
            "read_us": self.read_us.get(),
            "open_streams": self.open_streams.get(),
            "requests": Dialect::ALL.map(|dialect| (dialect.name(), self.requests[dialect as usize].get()))
                .into_iter().map(|(name, count)| (name.to_owned(), Value::from(count)))
                .collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// Calls the control endpoint at `upstream` with `query` and returns its answer.
pub async fn call(upstream: SocketAddr, query: &str) -> io::Result<Value> {
    let stream = TcpStream::connect(upstream).await?;
    let request = format!("GET /control?{query} HTTP/1.1\r\nhost: {upstream}\r\n\r\n");
    wire::send(&stream, request.as_bytes()).await?;
    let mut buf = Vec::new();
    let mut head = loop {
        if wire::receive(&stream, &mut buf).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = wire::parse_response(&buf).map_err(io::Error::other)? {
            break head;
        }
    };
    wire::consume(&mut buf, head.len);
    let mut body = Vec::new();
    loop {
        let used = head.framing.feed(&buf, &mut |run| body.extend_from_slice(run)).map_err(io::Error::other)?;
        wire::consume(&mut buf, used);
        if head.framing.is_done() {
            return Ok(serde_json::from_slice(&body)?);
        }
        if wire::receive(&stream, &mut buf).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_settings_change() {
        let control = Control::default();
        control.apply("/control?delay_us=10000&chunks=x&colour=red");
        assert_eq!((control.delay_us.get(), control.chunks.get()), (10_000, 200));
        control.count_request(Dialect::Anthropic);
        assert_eq!(control.to_json()["requests"]["anthropic"], 1);
    }
}
