//! One request, one answer, and the judgement on it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::options::Options;
use super::request;
use super::tally::Tally;
use crate::clock::now_ns;
use crate::dialect::Dialect;
use crate::stamp::Scanner;
use crate::wire::{self, ResponseHead, WireError};

/// Nothing in the bench takes this long unless it hangs.
const HANG: Duration = Duration::from_mins(1);

/// What every exchange of a case has in common.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) addr: SocketAddr,
    pub(super) request: Vec<u8>,
    pub(super) dialect: Dialect,
    pub(super) streamed: bool,
    pub(super) deltas: u64,
}

/// A right answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) first_at: u64,
    pub(super) end_at: u64,
    pub(super) longest_gap: u64,
    pub(super) body_bytes: u64,
}

/// What was wrong with an answer; its text is the kind under which it is counted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("connect: {0}")]
    Connect(ErrorKind),
    #[error("write: {0}")]
    Write(ErrorKind),
    #[error("read: {0}")]
    Read(ErrorKind),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("closed before the head")]
    NoHead,
    #[error("closed inside the body")]
    CutShort,
    #[error("status {0}")]
    Status(u16),
    #[error("{seen} of {expected} deltas")]
    Deltas { seen: u64, expected: u64 },
    #[error("deltas out of order")]
    Order,
    #[error("no closing event")]
    NotClosed,
    #[error("bytes behind the answer")]
    Surplus,
    #[error("hung")]
    Hung,
}

/// A connection that is opened when needed and dropped when an answer ends it.
#[derive(Debug, Default)]
pub(super) struct Connection {
    stream: Option<TcpStream>,
    buf: Vec<u8>,
}

// === impl Plan ===

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            addr: options.url.addr,
            request: request::chat(options),
            dialect: options.dialect,
            streamed: options.stream,
            deltas: if options.stream { options.expect } else { 1 },
        }
    }

    fn judge(&self, status: u16, scanner: &Scanner) -> Result<(), Failure> {
        if status != 200 {
            return Err(Failure::Status(status));
        }
        if scanner.seen() != self.deltas {
            return Err(Failure::Deltas { seen: scanner.seen(), expected: self.deltas });
        }
        if scanner.out_of_order() > 0 {
            return Err(Failure::Order);
        }
        if self.streamed && memchr::memmem::find(scanner.tail(), self.dialect.closing_mark()).is_none() {
            return Err(Failure::NotClosed);
        }
        Ok(())
    }
}

// === impl Connection ===

impl Connection {
    /// Sends the request and reads and judges the answer; after a failure the next exchange connects anew.
    pub(super) async fn exchange(&mut self, plan: &Plan, tally: &Tally) -> Result<Answer, Failure> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(plan.addr).await?,
        };
        let (answer, closes) = tokio::time::timeout(HANG, exchange(&stream, &mut self.buf, plan, tally))
            .await
            .unwrap_or(Err(Failure::Hung))?;
        if !closes {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Opens a connection as clients do.
pub(super) async fn connect(addr: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(addr).await.map_err(|error| Failure::Connect(error.kind()))?;
    stream.set_nodelay(true).map_err(|error| Failure::Connect(error.kind()))?;
    Ok(stream)
}

/// Writes `bytes`.
pub(super) async fn write(stream: &TcpStream, bytes: &[u8]) -> Result<(), Failure> {
    wire::send(stream, bytes).await.map_err(|error| Failure::Write(error.kind()))
}

/// Reads on; zero means closed.
pub(super) async fn read(stream: &TcpStream, buf: &mut Vec<u8>) -> Result<usize, Failure> {
    wire::receive(stream, buf).await.map_err(|error| Failure::Read(error.kind()))
}

/// Reads up to the end of the head and leaves what follows in `buf`.
pub(super) async fn read_head(stream: &TcpStream, buf: &mut Vec<u8>) -> Result<ResponseHead, Failure> {
    buf.clear();
    loop {
        if read(stream, buf).await? == 0 {
            return Err(Failure::NoHead);
        }
        if let Some(head) = wire::parse_response(buf)? {
            wire::consume(buf, head.len);
            return Ok(head);
        }
    }
}

/// Runs one exchange; the flag tells whether the connection ends with it.
async fn exchange(
    stream: &TcpStream,
    buf: &mut Vec<u8>,
    plan: &Plan,
    tally: &Tally,
) -> Result<(Answer, bool), Failure> {
    write(stream, &plan.request).await?;
    let ResponseHead { status, mut framing, closes, .. } = read_head(stream, buf).await?;
    let mut scanner = Scanner::default();
    let mut body_bytes = 0;
    let mut now = now_ns();
    loop {
        let used = tally.with_transit(now, |mut transit| {
            framing.feed(buf, &mut |run| {
                body_bytes += run.len() as u64;
                scanner.feed(run, now, transit.as_deref_mut());
            })
        })?;
        wire::consume(buf, used);
        if framing.is_done() {
            break;
        }
        if read(stream, buf).await? == 0 {
            if framing == wire::Framing::UntilClose {
                break;
            }
            return Err(Failure::CutShort);
        }
        now = now_ns();
    }
    plan.judge(status, &scanner)?;
    if !buf.is_empty() {
        return Err(Failure::Surplus);
    }
    let end_at = now_ns();
    let first_at = scanner.first_at().unwrap_or(end_at);
    Ok((Answer { first_at, end_at, longest_gap: scanner.longest_gap(), body_bytes }, closes))
}
