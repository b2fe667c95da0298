//! Writing answers: when each of their parts leaves.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::control::Control;
use super::frames::{Answer, Stamper};
use super::{Received, Route, Upstream, pause};
use crate::dialect::Dialect;
use crate::wire;

/// How many deltas of a stream without delay leave before other connections get their turn.
const TURN: u64 = 32;

/// Counts a stream as open for as long as it lives.
struct OpenStream<'a>(&'a Control);

// === impl Upstream ===

impl Upstream {
    pub(super) async fn respond(
        &self,
        stream: &TcpStream,
        target: &str,
        route: Route,
        received: &Received,
    ) -> io::Result<()> {
        match route {
            Route::Chat(dialect, _) => {
                self.control.count_request(dialect);
                let answer = self.answer(dialect);
                if received.streamed {
                    return self.stream(stream, answer).await;
                }
                pause(self.control.first_us.get()).await;
                wire::send(stream, &answer.whole).await
            }
            Route::Control => {
                self.control.apply(target);
                json(stream, &self.control.to_json().to_string()).await
            }
            Route::Models => json(stream, "{\"object\":\"list\",\"data\":[]}").await,
            Route::Files => {
                let Received { body_bytes, hash, .. } = received;
                let file =
                    format!("{{\"id\":\"file-mock\",\"object\":\"file\",\"bytes\":{body_bytes},\"hash\":{hash}}}");
                json(stream, &file).await
            }
            Route::Unknown => wire::send(stream, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await,
        }
    }

    fn answer(&self, dialect: Dialect) -> &Answer {
        match dialect {
            Dialect::Openai => &self.openai,
            Dialect::Anthropic => &self.anthropic,
            Dialect::Gemini => &self.gemini,
        }
    }

    /// Writes one stream: head and opening events in one write, then the deltas, then the closing events in one.
    ///
    /// Settings are read once, so that a control request only touches streams begun after it.
    async fn stream(&self, stream: &TcpStream, answer: &Answer) -> io::Result<()> {
        let _open = OpenStream::new(&self.control);
        let control = &self.control;
        let (count, delay_us, hold_us) = (control.chunks.get(), control.delay_us.get(), control.hold_us.get());
        let per_write = control.coalesce.get().max(1);
        pause(control.first_us.get()).await;

        let mut stamper = Stamper::default();
        let mut out = answer.head.clone();
        answer.opening.iter().for_each(|frame| stamper.push(&mut out, frame));
        wire::send(stream, &out).await?;

        let begin = Instant::now();
        let mut sent = 0;
        while sent < count {
            if delay_us > 0 {
                tokio::time::sleep_until(begin + Duration::from_micros(delay_us * (sent + 1))).await;
            }
            out.clear();
            for index in sent..count.min(sent + per_write) {
                stamper.push(&mut out, answer.delta(index));
            }
            sent = count.min(sent + per_write);
            wire::send(stream, &out).await?;
            if delay_us == 0 && sent.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        if hold_us > 0 {
            return hold(stream, Duration::from_micros(hold_us)).await;
        }

        out.clear();
        answer.closing.iter().for_each(|frame| stamper.push(&mut out, frame));
        out.extend_from_slice(b"0\r\n\r\n");
        wire::send(stream, &out).await
    }
}

// === impl OpenStream ===

impl<'a> OpenStream<'a> {
    fn new(control: &'a Control) -> Self {
        control.open_streams.set(control.open_streams.get() + 1);
        Self(control)
    }
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        self.0.open_streams.set(self.0.open_streams.get() - 1);
    }
}

/// Leaves a stream unfinished until the other side closes or the time is up, and then ends the connection.
async fn hold(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let mut buf = Vec::new();
    match tokio::time::timeout(limit, wire::receive(stream, &mut buf)).await {
        Ok(Ok(0)) | Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        Ok(Ok(_)) => Err(io::Error::other("bytes from the client inside a held stream")),
        Ok(Err(error)) => Err(error),
    }
}

async fn json(stream: &TcpStream, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    wire::send(stream, answer.as_bytes()).await
}
