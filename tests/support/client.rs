//! A raw client: it sends what a test hands it and reads what comes, piece by piece.

use std::{io, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    Ask, soon,
    wire::{Framing, Head, Wire},
};

/// A connection to the gateway.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    pub(crate) wire: Wire<S>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

/// What came back to bytes that may not have been a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The answers, in order, interim ones included.
    pub(crate) answers: Vec<Answer>,
    /// Whether the gateway closed the connection in time.
    pub(crate) closed: bool,
}

// === impl Client ===

impl Client {
    /// Connects to the gateway on loopback.
    pub(crate) async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the gateway must accept a connection");
        stream.set_nodelay(true).expect("a TCP socket must accept its options");
        Self { wire: Wire::new(stream) }
    }

    /// Sends `bytes` on a connection of their own and reads until the gateway closes or `limit` has passed.
    pub(crate) async fn provoke(port: u16, bytes: &[u8], limit: Duration) -> Outcome {
        let (mut reader, mut writer) = Self::open(port).await.wire.stream.into_split();
        let mut received = Vec::new();
        let send = async {
            // The gateway may close before it has read everything, which is its right.
            drop(writer.write_all(bytes).await);
            std::future::pending::<()>().await;
        };
        let read = async {
            let mut buf = vec![0; 16 * 1024];
            while let Ok(count @ 1..) = tokio::io::AsyncReadExt::read(&mut reader, &mut buf).await {
                received.extend_from_slice(buf.get(..count).unwrap_or_default());
            }
        };
        let closed = tokio::time::timeout(limit, async {
            tokio::select! { () = read => (), () = send => () }
        });
        let closed = closed.await.is_ok();
        Outcome { answers: split_answers(&received).await, closed }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        soon("sending to the gateway", self.wire.stream.write_all(bytes)).await.expect("the gateway must read");
        self.wire.stream.flush().await.expect("the gateway must read");
    }

    /// Sends bytes that the gateway may refuse to read.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.stream.write_all(bytes).await?;
        self.wire.stream.flush().await
    }

    /// Reads a head.
    pub(crate) async fn head(&mut self) -> Head {
        let head = soon("the head of an answer", self.wire.head()).await;
        head.expect("the connection must stay whole").expect("the gateway must answer before it closes")
    }

    /// Reads the next piece of a body; `None` at its end.
    pub(crate) async fn piece(&mut self, framing: &mut Framing) -> Option<Bytes> {
        soon("the next piece of an answer", self.wire.piece(framing)).await.expect("the answer must not be cut")
    }

    /// Reads the rest of a body.
    pub(crate) async fn body(&mut self, framing: Framing) -> Bytes {
        soon("the body of an answer", self.wire.body(framing)).await.expect("the answer must not be cut")
    }

    /// Reads a whole answer, interim ones left out.
    pub(crate) async fn answer(&mut self) -> Answer {
        loop {
            let head = self.head().await;
            if head.status() < 200 {
                continue;
            }
            let framing = if head.status() == 204 { Framing::Done } else { head.framing(Framing::Close) };
            let body = self.body(framing).await;
            return Answer { head, body };
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Answer {
        self.send(&ask.bytes()).await;
        if ask.method == "HEAD" {
            return Answer { head: self.head().await, body: Bytes::new() };
        }
        self.answer().await
    }

    /// Sends a request and reads the head of its answer.
    pub(crate) async fn begin(&mut self, ask: &Ask) -> (Head, Framing) {
        self.send(&ask.bytes()).await;
        let head = self.head().await;
        let framing = head.framing(Framing::Close);
        (head, framing)
    }

    /// Reads a body until what has come contains `text`; returns what has come since.
    pub(crate) async fn read_until(&mut self, framing: &mut Framing, text: &str) -> String {
        let mut come = Vec::new();
        while !contains(&come, text) {
            let piece = self.piece(framing).await;
            let piece = piece.unwrap_or_else(|| panic!("`{text}` must come before the end of the answer"));
            come.extend_from_slice(&piece);
        }
        String::from_utf8(come).expect("an answer must be text")
    }

    /// Waits until the gateway closes; fails on anything else that comes.
    pub(crate) async fn closed(&mut self) {
        let rest = soon("the end of the connection", self.wire.rest()).await;
        assert!(rest.is_empty(), "the gateway must close without sending more: {rest:?}");
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("an answer must be text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: must be JSON: {:?}", self.body))
    }

    /// The answer itself, if it has that status.
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status(), status, "unexpected status; the body is {:?}", self.body);
        self
    }
}

// === impl Outcome ===

impl Outcome {
    /// The statuses of the answers.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.answers.iter().map(Answer::status).collect()
    }
}

async fn split_answers(received: &[u8]) -> Vec<Answer> {
    let mut wire = Wire::new(received);
    let mut answers = Vec::new();
    while let Ok(Some(head)) = wire.head().await {
        let interim = head.status() < 200 || head.status() == 204;
        let framing = if interim { Framing::Done } else { head.framing(Framing::Close) };
        let Ok(body) = wire.body(framing).await else { break };
        answers.push(Answer { head, body });
    }
    answers
}

/// Whether text stands in bytes.
pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    super::wire::find(bytes, text.as_bytes()).is_some()
}
