//! The door: takes connections, tells HTTP/2 from HTTP/1, and lets only sound HTTP/1 heads in, in time.
//!
//! Pingora gives every read of a head a time of its own, so a client that sends a byte now and then is waited for
//! without end. The door reads the head itself, within one limit for the whole, checks it ([`super::head`]), and only
//! then lets Pingora parse it. A connection between requests is waited for with another, longer limit.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::{
    apps::{HttpServerApp, HttpServerOptions, ServerApp},
    protocols::{
        ALPN, Stream,
        http::{ServerSession, v1::server::HttpSession, v2::server::default_h2_options},
    },
    server::{ShutdownWatch, configuration::ServerConf},
};
use pingora_proxy::HttpProxy;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, Sleep},
};

use super::{
    front::Front,
    head::{self, HeadError, Progress},
    stack_lane::{self, Left},
    stream::ClientStream,
};
use crate::gateway::Shared;

/// The first bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection that is being closed after an error is still read from, so that the answer is not lost.
const LINGER: Duration = Duration::from_secs(1);

/// How much is read from it meanwhile.
const MAX_LINGER_BYTES: usize = 256 << 10;

/// Takes connections and hands requests to a [`Front`].
pub struct Door {
    proxy: Arc<HttpProxy<Front>>,
    shared: Arc<Shared>,
    http2: bool,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

/// Why a connection ends before a request was read.
enum NoHead {
    /// The client closed, was idle for too long, or the gateway shuts down: there is nobody to answer.
    Silent,
    /// The head took too long.
    Late,
    /// The head is too large.
    Large,
    /// The head is malformed.
    Malformed(HeadError),
    /// There are as many connections as there may be.
    Full,
}

enum Opening {
    /// A head of so many bytes.
    Http1(usize),
    Http2,
}

impl Door {
    /// A door to the gateway, which takes HTTP/2 if `http2` says so.
    pub fn new(shared: Arc<Shared>, conf: Arc<ServerConf>, http2: bool) -> Self {
        let mut proxy = HttpProxy::new(Front::behind_door(shared.clone()), conf);
        proxy.handle_init_modules();
        let mut options = HttpServerOptions::default();
        options.h2c = http2;
        proxy.server_options = Some(options);
        let mut h2 = default_h2_options();
        h2.max_header_list_size(u32::try_from(shared.load().limits.head).unwrap_or(u32::MAX));
        proxy.h2_options = Some(h2);
        Self { proxy: Arc::new(proxy), shared, http2 }
    }

    /// Serves the requests of one HTTP/1 connection, one after the other.
    async fn serve(&self, mut stream: Box<ClientStream>, shutdown: &ShutdownWatch) {
        let mut idle = Idle::new(self.limits().idle);
        loop {
            let head = match self.next_head(&mut stream, &mut idle, shutdown).await {
                Ok(Opening::Http1(head)) => head,
                Ok(Opening::Http2) => {
                    if ServerApp::process_new(&self.proxy, stream, shutdown).await.is_some() {
                        tracing::debug!("an HTTP/2 connection was handed back");
                    }
                    return;
                }
                Err(refusal) => return refuse(stream, refusal).await,
            };
            let Some(again) = self.exchange(stream, head, shutdown).await else { return };
            stream = again;
        }
    }

    /// Serves one request, the head of which are the first `head` bytes that were read ahead, and gives the connection
    /// back if it can carry another.
    async fn exchange(
        &self,
        mut stream: Box<ClientStream>,
        head: usize,
        shutdown: &ShutdownWatch,
    ) -> Option<Box<ClientStream>> {
        let opaque = head::target(stream.ahead()).is_none_or(|target| self.shared.load().may_be_opaque(target));
        // Pingora leaves what it proxies unflushed when a provider breaks off: nothing may be held back there.
        stream.gather(!opaque);
        // Elsewhere Pingora gets the head alone, so that no body comes along.
        let head = if opaque { BytesMut::new() } else { stream.take_head(head) };
        let session = self.session(stream, head, shutdown);
        if !opaque {
            return self.serve_here(session).await;
        }
        // Pingora's proxy keeps a future of more than 100 KiB per request: only what it must proxy goes that way.
        let stream = self.proxy.process_new_http(*session, shutdown).await?.consume().0;
        stream.into_any().downcast::<ClientStream>().ok()
    }

    /// A session for one request, boxed, as it is large: a future holds what it is given more than once.
    fn session(&self, stream: Box<ClientStream>, head: BytesMut, shutdown: &ShutdownWatch) -> Box<ServerSession> {
        let mut session = HttpSession::new(stream);
        session.set_pipelined_prefix(head);
        let mut session = Box::new(ServerSession::H1(session));
        let keepalive = if *shutdown.borrow() { None } else { Some(self.limits().idle.as_secs().max(1)) };
        session.set_keepalive(keepalive);
        session.set_total_drain_timeout(Some(LINGER * 2));
        session
    }

    async fn serve_here(&self, mut session: Box<ServerSession>) -> Option<Box<ClientStream>> {
        session.set_pipelining_enabled(true);
        match session.read_request().await {
            Ok(true) if stack_lane::take(&self.shared, &mut session).await == Left::Broken => return None,
            // As Pingora does with bodies that it reads itself: what nobody asked for stands before the next request.
            Ok(true) => stack_lane::discard(&session, LINGER * 2).await.ok()?,
            Ok(false) => return None,
            Err(error) => {
                tracing::debug!(%error, "Pingora refused a head");
                session.respond_error(400).await.ok()?;
                session.shutdown().await;
                return None;
            }
        }
        let (stream, next) = Box::pin(session.finish()).await.ok()??.into_parts();
        let mut stream = stream.into_any().downcast::<ClientStream>().ok()?;
        if let Some(mut next) = next {
            // The client has sent its next request already; Pingora has read some of it.
            next.extend_from_slice(stream.ahead());
            *stream.ahead() = next;
        }
        Some(stream)
    }

    /// Reads until a whole head is there.
    async fn next_head(
        &self,
        stream: &mut ClientStream,
        idle: &mut Idle,
        shutdown: &ShutdownWatch,
    ) -> Result<Opening, NoHead> {
        let limits = self.limits();
        if stream.ahead().is_empty() {
            first_bytes(stream, idle, shutdown).await?;
        }
        let deadline = Instant::now() + limits.head;
        let mut from = 0;
        loop {
            let ahead = &stream.ahead()[..];
            if self.http2 && ahead.starts_with(HTTP2_PREFACE) {
                return Ok(Opening::Http2);
            }
            let may_be_http2 = self.http2 && HTTP2_PREFACE.starts_with(ahead);
            if !may_be_http2 {
                match head::find_end(ahead, from).map_err(NoHead::Malformed)? {
                    Progress::End(end) if end > limits.head_bytes => return Err(NoHead::Large),
                    Progress::End(end) => {
                        let whole = ahead.get(..end).unwrap_or_default();
                        head::check(whole, limits.headers).map_err(NoHead::Malformed)?;
                        return Ok(Opening::Http1(end));
                    }
                    Progress::More(next) => from = next,
                }
                if ahead.len() > limits.head_bytes {
                    return Err(NoHead::Large);
                }
            }
            let read = tokio::time::timeout_at(deadline, stream.read_ahead()).await;
            match read {
                Err(_) => return Err(NoHead::Late),
                Ok(Ok(count)) if count > 0 => {}
                Ok(_) => return Err(NoHead::Silent),
            }
        }
    }

    fn limits(&self) -> DoorLimits {
        Front::door_limits(&self.shared)
    }
}

/// What the door holds clients to.
#[derive(Clone, Copy, Debug)]
pub(super) struct DoorLimits {
    /// For a whole head, from its first byte.
    pub(super) head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
    /// Bytes of a head.
    pub(super) head_bytes: usize,
    /// Headers of a head.
    pub(super) headers: usize,
}

/// How long a connection has been idle. One timer for all its requests, moved only when it fires: setting one for each
/// costs a system call when it is the next to be due.
struct Idle {
    sleep: Pin<Box<Sleep>>,
    limit: Duration,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(limit)), limit }
    }

    /// Resolves when the limit has passed since this was called.
    async fn over(&mut self) {
        let due = Instant::now() + self.limit;
        loop {
            self.sleep.as_mut().await;
            if due <= Instant::now() {
                return;
            }
            self.sleep.as_mut().reset(due);
        }
    }
}

async fn first_bytes(stream: &mut ClientStream, idle: &mut Idle, shutdown: &ShutdownWatch) -> Result<(), NoHead> {
    let mut shutdown = shutdown.clone();
    if *shutdown.borrow_and_update() {
        return Err(NoHead::Silent);
    }
    tokio::select! {
        biased;
        read = stream.read_ahead() => match read {
            Ok(count) if count > 0 => Ok(()),
            _ => Err(NoHead::Silent),
        },
        () = idle.over() => Err(NoHead::Silent),
        _ = shutdown.changed() => Err(NoHead::Silent),
    }
}

/// Answers a connection on which no request can be read, and closes it.
async fn refuse(mut stream: Box<ClientStream>, refusal: NoHead) {
    let (status, code, message) = match &refusal {
        NoHead::Silent => return,
        NoHead::Late => {
            ("408 Request Timeout", "request_timeout", "the request head did not arrive in time".to_owned())
        }
        NoHead::Large => {
            ("431 Request Header Fields Too Large", "head_too_large", "the request head is too large".to_owned())
        }
        NoHead::Full => return full(stream).await,
        NoHead::Malformed(HeadError::TooManyHeaders) => {
            ("431 Request Header Fields Too Large", "head_too_large", HeadError::TooManyHeaders.to_string())
        }
        NoHead::Malformed(error) => ("400 Bad Request", "malformed_request", error.to_string()),
    };
    // No path is known that would tell the client's dialect, so this is the common form.
    let body = format!(
        r#"{{"error":{{"message":"{message}: send a request that follows RFC 9112","type":"invalid_request_error","param":null,"code":"{code}"}}}}"#
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    tracing::debug!(status, message, "refused a connection");
    if stream.write_all(answer.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    linger(stream).await;
}

async fn full(mut stream: Box<ClientStream>) {
    const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
        content-length: 143\r\nconnection: close\r\n\r\n\
        {\"error\":{\"message\":\"too many connections: try again, or raise `limits.connections`\",\
        \"type\":\"provider_error\",\"param\":null,\"code\":\"overloaded\"}}";
    if stream.write_all(ANSWER.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
        linger(stream).await;
    }
}

/// Reads on for a moment: closing a socket with unread bytes resets it, and a reset can overtake the answer.
async fn linger(mut stream: Box<ClientStream>) {
    let until = Instant::now() + LINGER;
    let mut read = 0;
    while read < MAX_LINGER_BYTES {
        stream.ahead().clear();
        match tokio::time::timeout_at(until, stream.read_ahead()).await {
            Ok(Ok(count)) if count > 0 => read += count,
            _ => return,
        }
    }
}

#[async_trait]
impl ServerApp for Door {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let limit = self.shared.load().limits.connections;
        let Some(_open) = self.shared.connections().open(limit) else {
            refuse(Box::new(ClientStream::new(stream)), NoHead::Full).await;
            return None;
        };
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            return ServerApp::process_new(&self.proxy, stream, shutdown).await;
        }
        self.serve(Box::new(ClientStream::new(stream)), shutdown).await;
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
