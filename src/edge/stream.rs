//! A client's connection: what is written is sent when it is flushed, and what was read ahead is read again.
//!
//! A body of announced length can be taken out of Pingora's hands: [`ClientStream::take_head`].
//!
//! Pingora's HTTP/1 session writes a head, a chunk's size, its data and its end one after the other. Each write of
//! its own is a system call and, with `TCP_NODELAY`, a packet of its own; here they leave together, at the flush that
//! Pingora does at the end of each. Nothing is held back beyond that flush.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, http::ServerSession, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{head::Follows, source::Source};

/// What is written beyond this is sent without waiting for a flush.
const MAX_HELD: usize = 64 << 10;

/// A buffer of more than this is let go when it has been sent: the next piece of a stream may be long in coming.
const MAX_KEPT: usize = 1 << 10;

/// A write of at least this goes out by itself, instead of being copied.
const LARGE_WRITE: usize = 16 << 10;

/// A client's connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    /// Locked only for the time of a poll, and only by the one task that serves the connection: Pingora's session owns
    /// the stream, and lends it out shared.
    source: Mutex<Source>,
    held: BytesMut,
    /// Flushing is put off: more is coming at once.
    corked: AtomicBool,
    /// Writes wait for a flush at all.
    gathers: bool,
    /// More had come than the request and its body when the request began.
    more: bool,
}

impl ClientStream {
    pub(super) fn new(inner: Stream) -> Self {
        Self {
            source: Mutex::new(Source::new(inner)),
            held: BytesMut::new(),
            corked: AtomicBool::new(false),
            gathers: true,
            more: false,
        }
    }

    /// The connection of an HTTP/1 session that came through the door.
    pub(super) fn of(session: &ServerSession) -> Option<&Self> {
        session.as_http1()?.stream().as_any().downcast_ref()
    }

    fn source(&mut self) -> &mut Source {
        self.source.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read already, and is to be read again.
    pub(super) fn ahead(&mut self) -> &mut BytesMut {
        &mut self.source().ahead
    }

    /// Pingora reads a request: what was read ahead begins with a head of `head` bytes, and this follows it.
    pub(super) fn expect(&mut self, head: usize, follows: Follows) {
        let source = self.source();
        source.expect(head, follows);
        let rest = source.ahead.len().saturating_sub(head) as u64;
        self.more = matches!(follows, Follows::Length(length) if rest > length);
    }

    /// Whether the client had sent more than the request that Pingora reads, as far as that could be seen.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// Takes a head of `head` bytes off what was read ahead, for Pingora to parse. If a body of announced length follows,
    /// it is not for Pingora: [`Self::poll_body`] reads it.
    pub(super) fn take_head(&mut self, head: usize, follows: Follows) -> BytesMut {
        self.source().take_head(head, follows)
    }

    /// Bytes of that body which were not read yet.
    pub(super) fn unread(&self) -> usize {
        self.shared().unread()
    }

    /// That body, if all of it came along with the head.
    pub(super) fn body_at_hand(&self) -> Option<Bytes> {
        self.shared().body_at_hand()
    }

    /// Reads that body into `to`, all of it; what has come until then is there already.
    pub(super) fn poll_body(&self, cx: &mut Context<'_>, to: &mut BytesMut) -> Poll<io::Result<()>> {
        self.shared().poll_body(cx, to)
    }

    /// Reads what is left of that body, and drops it.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared().poll_discard(cx)
    }

    /// Whether writes wait for a flush.
    pub(super) fn gather(&mut self, gathers: bool) {
        self.gathers = gathers;
    }

    /// Puts flushing off, or no longer. Whoever corks writes again, uncorked, before it waits for anything.
    pub(super) fn cork(&self, corked: bool) {
        self.corked.store(corked, Ordering::Relaxed);
    }

    /// Reads more into `ahead`; gives the number of bytes, 0 at the end.
    pub(super) async fn read_ahead(&mut self) -> io::Result<usize> {
        self.source().read_ahead().await
    }

    fn inner(&mut self) -> Pin<&mut Stream> {
        Pin::new(&mut self.source().inner)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { source, held, .. } = self;
        let inner = &mut source.get_mut().unwrap_or_else(PoisonError::into_inner).inner;
        while !held.is_empty() {
            let sent = ready!(Pin::new(&mut *inner).poll_write(cx, held))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            held.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.source().poll_read(cx, buf)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len() + buf.len() > MAX_HELD {
            ready!(self.poll_send(cx))?;
        }
        if self.held.is_empty() && (!self.gathers || buf.len() >= LARGE_WRITE) {
            return self.inner().poll_write(cx, buf);
        }
        self.held.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if *self.corked.get_mut() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_send(cx))?;
        if self.held.capacity() > MAX_KEPT {
            self.held = BytesMut::new();
        }
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.inner().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        if let Err(error) = std::future::poll_fn(|cx| self.poll_send(cx)).await {
            tracing::trace!(%error, "the client did not take the last bytes");
        }
        self.source().inner.shutdown().await;
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> pingora_core::protocols::UniqueIDType {
        self.shared().inner.id()
    }
}

impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.shared().inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.shared().inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.shared().inner.get_timing_digest()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.shared().inner.get_proxy_digest()
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.shared().inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for ClientStream {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        // Only what was read ahead can be peeked at; the door has read enough before anybody asks.
        let Some(ahead) = self.ahead().get(..buf.len()) else { return Ok(false) };
        buf.copy_from_slice(ahead);
        Ok(true)
    }
}
