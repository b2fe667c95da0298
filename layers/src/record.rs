//! One record per exchange: who asked, where it went, what came of it.
//!
//! Outermost in the stack. The record travels with the request and is closed exactly once, when the response body
//! ends or is dropped, whichever way that happens: a client that hangs up is still accounted. What is done with a
//! closed record (access log, metrics, usage) is the [`Sink`]'s business.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use lockgate_filters::{
    dialects::Dialect,
    model::{Losses, Str, Usage},
};
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::{BoxError, BoxFuture, auth::Identity, body::Body, target::Target};

/// Receives closed records. Called once per exchange, on the path of the request: it must not block.
pub trait Sink: Send + Sync + 'static {
    /// Takes a record that nobody will add to.
    fn close(&self, record: &Record);
}

/// What is known of one exchange.
pub struct Record {
    /// The request's id.
    pub id: Str,
    /// When the request's head had come.
    pub started: Instant,
    /// The route that took it.
    pub route: Arc<str>,
    /// The request's method, as written.
    pub method: http::Method,
    /// The request's path.
    pub path: Str,
    /// The client's address.
    pub client: Option<std::net::SocketAddr>,
    /// The client's dialect; the first of several where they share the path. See [`Record::dialect_of`].
    pub dialect: &'static str,
    /// Bytes of body sent to the client.
    pub bytes_out: AtomicU64,
    facts: Mutex<Facts>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What layers add on the way.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The gateway key that was used.
    pub key: Option<Arc<Identity>>,
    /// The client's dialect, where only the body told it.
    pub dialect: Option<&'static dyn Dialect>,
    /// The model as the client named it.
    pub model: Option<Str>,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// The target of the last attempt.
    pub target: Option<Arc<Target>>,
    /// The provider of an exchange without a target (passthrough).
    pub provider: Option<Str>,
    /// The dialect spoken to the upstream.
    pub upstream_dialect: Option<&'static str>,
    /// Attempts made.
    pub attempts: u32,
    /// Attempts that failed, and whose fault each was.
    pub failures: Vec<(Arc<Target>, &'static str)>,
    /// Status sent to the client; 0 while there is none.
    pub status: u16,
    /// Class of the error sent to the client, or with which the stream ended.
    pub error: Option<&'static str>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// What translation could not carry.
    pub losses: Losses,
    /// Media that the gateway fetched.
    pub media: MediaFacts,
    /// When the last attempt was sent.
    pub sent: Option<Instant>,
    /// When the upstream's head had come.
    pub upstream_head: Option<Instant>,
    /// When the first meaningful event had come.
    pub first_event: Option<Instant>,
    /// When the last byte had come from the upstream.
    pub upstream_done: Option<Instant>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Who ended the exchange.
    pub ended_by: Option<EndedBy>,
}

/// What came of media given by URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaFacts {
    /// How many were fetched.
    pub fetched: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Why one could not be had.
    pub failed: Option<&'static str>,
}

/// Who ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The answer was complete.
    Complete,
    /// The gateway refused or failed.
    Gateway,
    /// The upstream failed, cut off or fell silent.
    Upstream,
    /// The client went away.
    Client,
}

impl EndedBy {
    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
            Self::Client => "client",
        }
    }
}

impl Record {
    /// A record of a request whose head has just come.
    pub fn new(id: Str, route: Arc<str>, method: http::Method, path: Str, dialect: &'static str) -> Self {
        Self {
            id,
            started: Instant::now(),
            route,
            method,
            path,
            client: None,
            dialect,
            bytes_out: AtomicU64::new(0),
            facts: Mutex::new(Facts::default()),
        }
    }

    /// The name of the client's dialect, as far as `facts` know it.
    pub fn dialect_of(&self, facts: &Facts) -> &'static str {
        facts.dialect.map_or(self.dialect, Dialect::name)
    }

    /// Adds to the facts, or reads them. The lock is never held across an await.
    pub fn note<T>(&self, change: impl FnOnce(&mut Facts) -> T) -> T {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts body bytes sent to the client.
    pub fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Time since the request's head had come.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Closes the record when dropped. Hangs on the response body, or on the future while there is no response.
pub struct Closer {
    record: Arc<Record>,
    sink: Arc<dyn Sink>,
}

impl Closer {
    /// Gives `record` to `sink` when dropped.
    pub fn new(record: Arc<Record>, sink: Arc<dyn Sink>) -> Self {
        Self { record, sink }
    }
}

impl std::fmt::Debug for Closer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Closer").field(&self.record).finish()
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.record.note(|facts| {
            // Whoever knows how it ended has said so; a body that is dropped before its end was abandoned.
            facts.ended_by.get_or_insert(EndedBy::Client);
        });
        self.sink.close(&self.record);
    }
}

/// Opens records around a service.
#[derive(Clone)]
pub struct RecordLayer {
    sink: Arc<dyn Sink>,
}

impl std::fmt::Debug for RecordLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordLayer")
    }
}

impl RecordLayer {
    /// Gives closed records to `sink`.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink }
    }
}

impl<S> Layer<S> for RecordLayer {
    type Service = RecordService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RecordService { inner, sink: self.sink.clone() }
    }
}

/// Closes each exchange's record exactly once. The record itself is made where the request comes in, and travels in
/// the request's extensions as an `Arc<Record>`, which this layer reads first.
#[derive(Clone)]
pub struct RecordService<S> {
    inner: S,
    sink: Arc<dyn Sink>,
}

impl<S> std::fmt::Debug for RecordService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordService")
    }
}

impl<S> Service<Request<Body>> for RecordService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Response<Body>, BoxError>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Request<Body>) -> Self::Future {
        let closer = req.extensions().get::<Arc<Record>>().map(|record| Closer::new(record.clone(), self.sink.clone()));
        let answer = self.inner.call(req);
        Box::pin(async move {
            // An error leaves the closer to the edge: what is sent instead belongs to the same exchange.
            match answer.await {
                Ok(rsp) => Ok(match closer {
                    Some(closer) => rsp.map(|body| body.with_guard(closer)),
                    None => rsp,
                }),
                Err(error) => Err(match closer {
                    Some(closer) => Box::new(Refused { error, closer: Box::new(closer) }),
                    None => error,
                }),
            }
        })
    }
}

/// A failure on its way to the edge, with the record that is still open.
pub struct Refused {
    error: BoxError,
    closer: Box<dyn Send + Sync>,
}

impl Refused {
    /// Separates the failure from the guard, which belongs on the body of the error response.
    pub fn into_parts(self) -> (BoxError, Box<dyn Send + Sync>) {
        (self.error, self.closer)
    }
}

impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
