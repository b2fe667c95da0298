//! What an upstream does once it has read a request: bytes, pauses, and ways to fail.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

/// One act of an upstream.
#[derive(Debug)]
pub(crate) enum Step {
    /// Sends bytes as they are.
    Write(Bytes),
    /// Waits.
    Pause(Duration),
    /// Sends what the test hands over, each piece as a chunk, until the test drops its end.
    Feed(mpsc::UnboundedReceiver<Bytes>),
    /// Sends the same bytes again and again.
    Flood(Bytes, u64),
    /// Sends nothing more, and keeps the connection.
    Silence,
    /// Closes properly.
    Close,
    /// Closes with a reset.
    Reset,
}

/// What an upstream does with one request. Unless it closes, the connection then serves the next.
#[derive(Debug, Default)]
pub(crate) struct Script(pub(crate) Vec<Step>);

/// The test's end of a stream: what it sends, the upstream sends on at once.
#[derive(Debug)]
pub(crate) struct Live(mpsc::UnboundedSender<Bytes>);

// === impl Script ===

impl Script {
    /// A whole JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::whole(status, "application/json", body.as_bytes())
    }

    /// A whole answer.
    pub(crate) fn whole(status: u16, content_type: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut answer = head.into_bytes();
        answer.extend_from_slice(body);
        Self::default().raw(answer)
    }

    /// The head of a chunked answer.
    pub(crate) fn chunked(status: u16, content_type: &str) -> Self {
        Self::default().raw(format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        ))
    }

    /// The head of an event stream.
    pub(crate) fn sse() -> Self {
        Self::chunked(200, "text/event-stream")
    }

    /// A whole event stream, a chunk for each frame.
    pub(crate) fn events<T: AsRef<str>>(frames: &[T]) -> Self {
        frames.iter().fold(Self::sse(), |script, frame| script.chunk(frame.as_ref())).end()
    }

    /// An event stream whose frames the test sends while it runs.
    pub(crate) fn live() -> (Live, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Live(sender), Self::sse().then(Step::Feed(receiver)).end())
    }

    /// Bytes as they are.
    pub(crate) fn raw(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Write(bytes.into()))
    }

    /// A chunk.
    pub(crate) fn chunk(self, data: impl AsRef<[u8]>) -> Self {
        self.raw(chunk(data.as_ref()))
    }

    /// The last chunk.
    pub(crate) fn end(self) -> Self {
        self.raw(Bytes::from_static(b"0\r\n\r\n"))
    }

    /// A pause.
    pub(crate) fn pause(self, time: Duration) -> Self {
        self.then(Step::Pause(time))
    }

    /// A chunk, many times.
    pub(crate) fn flood(self, data: &[u8], times: u64) -> Self {
        self.then(Step::Flood(chunk(data), times))
    }

    /// Nothing more, on a connection that stays open.
    pub(crate) fn silence(self) -> Self {
        self.then(Step::Silence)
    }

    /// The connection closed.
    pub(crate) fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// The connection reset.
    pub(crate) fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }
}

// === impl Live ===

impl Live {
    /// Sends a frame. Dropping `self` ends the stream.
    pub(crate) fn send(&self, frame: &str) {
        self.0.send(Bytes::copy_from_slice(frame.as_bytes())).expect("the upstream must still be answering");
    }
}

/// Data framed as one chunk.
pub(crate) fn chunk(data: &[u8]) -> Bytes {
    let mut framed = format!("{:x}\r\n", data.len()).into_bytes();
    framed.extend_from_slice(data);
    framed.extend_from_slice(b"\r\n");
    framed.into()
}
