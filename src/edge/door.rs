//! The door: takes connections, shakes hands, tells HTTP/2 from HTTP/1, and lets only sound HTTP/1 heads in, in time.
//!
//! Pingora gives every read of a head a time of its own, so a client that sends a byte now and then is waited for
//! without end. The door reads the head itself, within one limit for the whole, checks it ([`super::head`]), and only
//! then lets Pingora parse it. A connection between requests is waited for with another, longer limit.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::{
    apps::{HttpServerApp, HttpServerOptions, ServerApp},
    listeners::tls::Acceptor,
    protocols::{
        ALPN, Stream,
        http::{ServerSession, v1::server::HttpSession, v2::server::default_h2_options},
    },
    server::{ShutdownWatch, configuration::ServerConf},
};
use pingora_proxy::HttpProxy;
use tokio::time::{Instant, Sleep};

use super::{
    front::Front,
    head::{self, Follows, HeadError, Progress},
    refuse,
    stack_lane::{self, Left},
    stream::ClientStream,
    tls,
};
use crate::{errors::TooManyConnections, gateway::Shared};

/// The first bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a body that nobody asked for may take to come, so that the connection can carry another request.
const MAX_DRAIN: Duration = Duration::from_secs(2);

/// Takes connections and hands requests to a [`Front`].
pub struct Door {
    proxy: Arc<HttpProxy<Front>>,
    shared: Arc<Shared>,
    http2: bool,
    tls: Option<Acceptor>,
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
    /// The head is not one that is taken; when it began.
    Refused(HeadError, Instant),
}

enum Opening {
    /// A head of so many bytes, and what follows it.
    Http1(usize, Follows),
    Http2,
}

/// What a connection may open with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Http1,
    Http2,
    /// The first bytes tell.
    Either,
}

impl Door {
    /// A door to the gateway, which takes HTTP/2 if `http2` says so, and nothing but TLS if there is an acceptor for it.
    pub fn new(shared: Arc<Shared>, conf: Arc<ServerConf>, http2: bool, tls: Option<Acceptor>) -> Self {
        let mut proxy = HttpProxy::new(Front::behind_door(shared.clone()), conf);
        proxy.handle_init_modules();
        let mut options = HttpServerOptions::default();
        options.h2c = http2;
        // Without it, a client that opens no stream is kept for ever, and one that never ends its headers.
        options.h2_idle_timeout = Some(shared.load().timeouts.idle);
        // Refused by the front, which leaves a line; Pingora would leave none.
        options.allow_connect_method_proxying = true;
        proxy.server_options = Some(options);
        let mut h2 = default_h2_options();
        h2.max_header_list_size(u32::try_from(shared.load().limits.head).unwrap_or(u32::MAX));
        proxy.h2_options = Some(h2);
        Self { proxy: Arc::new(proxy), shared, http2, tls }
    }

    /// Serves the requests of one connection: those of HTTP/1 one after the other.
    async fn serve(&self, mut stream: Box<ClientStream>, mut speaks: Speaks, shutdown: &ShutdownWatch) {
        let mut idle = Idle::new(self.limits().idle);
        loop {
            let (head, follows) = match self.next_head(&mut stream, speaks, &mut idle, shutdown).await {
                Ok(Opening::Http1(head, follows)) => (head, follows),
                Ok(Opening::Http2) => {
                    if ServerApp::process_new(&self.proxy, stream, shutdown).await.is_some() {
                        tracing::debug!("an HTTP/2 connection was handed back");
                    }
                    return;
                }
                Err(NoHead::Silent) => return,
                // HTTP/2 was agreed on, and something else came: an answer in HTTP/1 would not be read.
                Err(NoHead::Refused(..)) if speaks == Speaks::Http2 => return,
                Err(NoHead::Refused(error, since)) => {
                    return refuse::answer(&self.shared, stream, error.into(), since).await;
                }
            };
            speaks = Speaks::Http1;
            let Some(again) = self.exchange(stream, head, follows, shutdown).await else { return };
            stream = again;
        }
    }

    /// Serves one request, the head of which are the first `head` bytes that were read ahead, and gives the connection
    /// back if it can carry another.
    async fn exchange(
        &self,
        mut stream: Box<ClientStream>,
        head: usize,
        follows: Follows,
        shutdown: &ShutdownWatch,
    ) -> Option<Box<ClientStream>> {
        let line = head::request_line(stream.ahead());
        let opaque = line.is_none_or(|(_, target)| self.shared.load().may_be_opaque(target));
        // Pingora leaves what it proxies unflushed when a provider breaks off: nothing may be held back there.
        stream.gather(!opaque);
        let taken = if opaque {
            stream.expect(head, follows);
            BytesMut::new()
        } else {
            // Pingora gets the head alone, so that no body comes along.
            stream.take_head(head, follows)
        };
        let session = session(stream, taken);
        if !opaque {
            return self.serve_here(session, shutdown).await;
        }
        // Pingora's proxy keeps a future of more than 100 KiB per request: only what it must proxy goes that way.
        let stream = self.proxy.process_new_http(*session, shutdown).await?.consume().0;
        stream.into_any().downcast::<ClientStream>().ok()
    }

    async fn serve_here(&self, mut session: Box<ServerSession>, shutdown: &ShutdownWatch) -> Option<Box<ClientStream>> {
        session.set_pipelining_enabled(true);
        match session.read_request().await {
            Ok(true) => {
                if *shutdown.borrow() {
                    // Said now: before the head is read, it would be forgotten.
                    session.set_keepalive(None);
                }
                if stack_lane::take(&self.shared, &mut session).await == Left::Broken {
                    return None;
                }
                // As Pingora does with bodies that it reads itself: what nobody asked for stands before the next request.
                stack_lane::discard(&session, MAX_DRAIN).await.ok()?;
            }
            Ok(false) => return None,
            Err(error) => {
                tracing::debug!(%error, "Pingora refused a head");
                refuse::answer_session(&self.shared, session).await;
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

    /// What the connection speaks, as far as it is agreed on.
    fn speaks(&self, stream: &Stream) -> Speaks {
        match stream.selected_alpn_proto() {
            Some(ALPN::H2) => Speaks::Http2,
            _ if self.http2 && self.tls.is_none() => Speaks::Either,
            _ => Speaks::Http1,
        }
    }

    /// Reads until a whole head is there.
    async fn next_head(
        &self,
        stream: &mut ClientStream,
        speaks: Speaks,
        idle: &mut Idle,
        shutdown: &ShutdownWatch,
    ) -> Result<Opening, NoHead> {
        let limits = self.limits();
        if stream.ahead().is_empty() {
            first_bytes(stream, idle, shutdown).await?;
        }
        let since = Instant::now();
        let deadline = since + limits.head;
        let refused = |error| NoHead::Refused(error, since);
        let mut from = 0;
        loop {
            let ahead = &stream.ahead()[..];
            if speaks != Speaks::Http1 && ahead.starts_with(HTTP2_PREFACE) {
                return Ok(Opening::Http2);
            }
            let may_be_http2 = speaks != Speaks::Http1 && HTTP2_PREFACE.starts_with(ahead);
            if !may_be_http2 {
                if speaks == Speaks::Http2 {
                    return Err(refused(HeadError::RequestLine));
                }
                match head::find_end(ahead, from).map_err(refused)? {
                    Progress::End(end) if end > limits.head_bytes => return Err(refused(HeadError::TooLarge)),
                    Progress::End(end) => {
                        let whole = ahead.get(..end).unwrap_or_default();
                        let follows = head::check(whole, limits.headers).map_err(refused)?;
                        return Ok(Opening::Http1(end, follows));
                    }
                    Progress::More(next) => from = next,
                }
                if ahead.len() > limits.head_bytes {
                    return Err(refused(HeadError::TooLarge));
                }
            }
            let read = tokio::time::timeout_at(deadline, stream.read_ahead()).await;
            match read {
                Err(_) => return Err(refused(HeadError::TooSlow)),
                Ok(Ok(count)) if count > 0 => {}
                Ok(_) => return Err(NoHead::Silent),
            }
        }
    }

    fn limits(&self) -> DoorLimits {
        Front::door_limits(&self.shared)
    }
}

/// A session for one request, boxed, as it is large: a future holds what it is given more than once. `head` is what
/// Pingora parses first.
fn session(stream: Box<ClientStream>, head: BytesMut) -> Box<ServerSession> {
    let mut session = HttpSession::new(stream);
    session.set_pipelined_prefix(head);
    session.set_total_drain_timeout(Some(MAX_DRAIN));
    Box::new(ServerSession::H1(session))
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

#[async_trait]
impl ServerApp for Door {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        let limit = self.shared.load().limits.connections;
        let open = self.shared.connections().open(limit);
        let stream = match &self.tls {
            None => stream,
            Some(_) if open.is_none() => {
                // Shaking hands to say so would cost more than what is refused.
                refuse::silently(&self.shared, &stream, TooManyConnections.into());
                return None;
            }
            Some(acceptor) => {
                // Boxed, so that the connection does not keep the room for it.
                let shaken = Box::pin(tls::handshake(acceptor, stream));
                tokio::time::timeout(self.limits().head, shaken).await.ok()??
            }
        };
        let speaks = self.speaks(&stream);
        let stream = Box::new(ClientStream::new(stream));
        if open.is_none() {
            refuse::answer(&self.shared, stream, TooManyConnections.into(), Instant::now()).await;
            return None;
        }
        self.serve(stream, speaks, shutdown).await;
        None
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}
