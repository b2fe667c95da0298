//! A provider that follows a script: it records every request, and notices when its peer hangs up.

use std::{
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{
    script::{Script, Step, chunk},
    until,
    wire::{Framing, Head, Wire},
};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
}

/// A listening upstream. It stops with the value.
#[derive(Debug)]
pub(crate) struct Upstream {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    answer: Box<dyn Fn(&Seen) -> Script + Send + Sync>,
    /// Answers when the head is there, and leaves the body unread.
    rude: bool,
    seen: Mutex<Vec<Seen>>,
    hangups: Mutex<Vec<Instant>>,
    received: AtomicU64,
    sent: AtomicU64,
    connections: AtomicUsize,
}

/// How the answer to a request ended.
enum Ended {
    /// The connection can serve the next request.
    Open,
    /// It is over.
    Closed,
}

// === impl Upstream ===

impl Upstream {
    /// Listens, and does what `answer` says with each request.
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(answer), false).await
    }

    /// The same, but answers before it has read the body, which it never reads.
    pub(crate) async fn rude(answer: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(answer), true).await
    }

    /// Answers the first request by the first script, and so on; more requests than scripts are a 500.
    pub(crate) async fn playing(scripts: Vec<Script>) -> Self {
        let scripts = Mutex::new(scripts.into_iter());
        Self::start(move |_| {
            let next = scripts.lock().expect("no test may panic while it holds the lock").next();
            next.unwrap_or_else(|| Script::json(500, r#"{"error":{"message":"unscripted request"}}"#))
        })
        .await
    }

    async fn listen(answer: Box<dyn Fn(&Seen) -> Script + Send + Sync>, rude: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must have a free port");
        let port = listener.local_addr().expect("a listener must have an address").port();
        let shared = Arc::new(Shared {
            answer,
            rude,
            seen: Mutex::default(),
            hangups: Mutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared, task }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far, in order of arrival.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("no test may panic while it holds the lock").clone()
    }

    /// The one request that came.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "the upstream must see exactly one request");
        seen.remove(0)
    }

    /// Bytes of request bodies read so far.
    pub(crate) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Bytes of answers sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Waits until that many requests have come.
    pub(crate) async fn saw(&self, count: usize) {
        until("the upstream's request", || self.seen().len() >= count).await;
    }

    /// Waits until the peer of an unfinished answer has hung up, and says when it did.
    pub(crate) async fn hung_up(&self) -> Instant {
        let first = || self.shared.hangups.lock().expect("no test may panic while it holds the lock").first().copied();
        until("the hang-up at the upstream", || first().is_some()).await;
        first().expect("a hang-up was just seen")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Shared ===

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("seen", &self.seen).finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a TCP socket must accept its options");
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A peer that breaks off is what many tests are about: it is noted in `hangups`.
            drop(serve(Wire::new(stream), &shared).await);
        });
    }
}

async fn serve(mut wire: Wire<TcpStream>, shared: &Shared) -> io::Result<()> {
    let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
    while let Some(head) = wire.head().await? {
        let body = if shared.rude { Bytes::new() } else { read_body(&mut wire, &head, shared).await? };
        let seen = Seen { head, body, connection };
        let Script(steps) = (shared.answer)(&seen);
        shared.seen.lock().expect("no test may panic while it holds the lock").push(seen);
        match perform(&mut wire, steps, shared).await {
            Ok(Ended::Open) if !shared.rude => {}
            Ok(Ended::Open) => pending().await,
            Ok(Ended::Closed) => return Ok(()),
            Err(error) => {
                shared.hangups.lock().expect("no test may panic while it holds the lock").push(Instant::now());
                return Err(error);
            }
        }
    }
    Ok(())
}

async fn read_body(wire: &mut Wire<TcpStream>, head: &Head, shared: &Shared) -> io::Result<Bytes> {
    if head.get("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        wire.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let mut framing = head.framing(Framing::Done);
    let mut body = BytesMut::new();
    while let Some(piece) = wire.piece(&mut framing).await? {
        shared.received.fetch_add(piece.len() as u64, Ordering::Relaxed);
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// Does what the script says, watching the peer all the while. An error is a peer that has gone.
async fn perform(wire: &mut Wire<TcpStream>, steps: Vec<Step>, shared: &Shared) -> io::Result<Ended> {
    for step in steps {
        match step {
            Step::Write(bytes) => write(wire, &bytes, shared).await?,
            Step::Pause(time) => watch(wire, tokio::time::sleep(time)).await?,
            Step::Flood(bytes, times) => {
                for _ in 0..times {
                    write(wire, &bytes, shared).await?;
                }
            }
            Step::Feed(mut pieces) => {
                while let Some(piece) = watch(wire, pieces.recv()).await? {
                    write(wire, &chunk(&piece), shared).await?;
                }
            }
            Step::Silence => watch(wire, pending()).await?,
            Step::Close => {
                wire.stream.shutdown().await?;
                return Ok(Ended::Closed);
            }
            Step::Reset => {
                wire.stream.set_zero_linger()?;
                return Ok(Ended::Closed);
            }
        }
    }
    Ok(Ended::Open)
}

async fn write(wire: &mut Wire<TcpStream>, mut bytes: &[u8], shared: &Shared) -> io::Result<()> {
    while !bytes.is_empty() {
        let (mut reader, mut writer) = wire.stream.split();
        let sent = tokio::select! {
            sent = writer.write(bytes) => sent?,
            gone = gone(&mut reader, &mut wire.ahead) => return Err(gone),
        };
        shared.sent.fetch_add(sent as u64, Ordering::Relaxed);
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

async fn watch<T>(wire: &mut Wire<TcpStream>, future: impl Future<Output = T>) -> io::Result<T> {
    let (mut reader, _) = wire.stream.split();
    tokio::select! {
        value = future => Ok(value),
        gone = gone(&mut reader, &mut wire.ahead) => Err(gone),
    }
}

/// Waits until the peer has gone; keeps what it still says.
async fn gone(reader: &mut tokio::net::tcp::ReadHalf<'_>, ahead: &mut BytesMut) -> io::Error {
    loop {
        match reader.read_buf(ahead).await {
            Ok(0) => return io::ErrorKind::ConnectionAborted.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
