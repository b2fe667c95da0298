//! A client's connection: what is written is sent when it is flushed, and what was read ahead is read again.
//!
//! Bodies of announced length are read here too, past Pingora, straight into the buffer in which they stay:
//! [`ClientStream::poll_body`]. Pingora would read pieces of 64 KiB, and each would be copied twice before it is whole.
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
use bytes::{Buf, BufMut, Bytes, BytesMut};
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is written beyond this is sent without waiting for a flush.
const MAX_HELD: usize = 64 << 10;

/// Room for a head and a small body in one read.
const READ_AHEAD: usize = 4 << 10;

/// A buffer of more than this is let go when it has been sent: the next piece of a stream may be long in coming.
const MAX_KEPT: usize = 1 << 10;

/// A write of at least this goes out by itself, instead of being copied.
const LARGE_WRITE: usize = 16 << 10;

/// The first room for a body. Whatever length a client announces, it has to send this much before it gets more.
const FIRST_ROOM: usize = 64 << 10;

/// The least that the room for a body grows by after that, as far as the announced length goes.
const NEXT_ROOM: usize = 4 << 20;

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
}

/// Where a connection's bytes come from.
#[derive(Debug)]
struct Source {
    inner: Stream,
    /// Read already, and to be read again.
    ahead: BytesMut,
    /// What is still to come of a body that is read here.
    body: usize,
}

impl Source {
    /// Moves what was read ahead of the body, or reads more of it, to the end of `to`; gives the number of bytes.
    fn poll_body(&mut self, cx: &mut Context<'_>, to: &mut BytesMut) -> Poll<io::Result<usize>> {
        let count = self.body.min(self.ahead.len());
        let count = if count > 0 {
            to.extend_from_slice(&self.ahead[..count]);
            self.skip(count);
            count
        } else {
            let mut to = to.limit(self.body);
            let read = std::pin::pin!(tokio::io::AsyncReadExt::read_buf(&mut self.inner, &mut to));
            ready!(read.poll(cx))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.body -= count;
        Poll::Ready(Ok(count))
    }

    /// Drops the first `count` bytes of what was read ahead.
    fn skip(&mut self, count: usize) {
        self.ahead.advance(count);
        if self.ahead.is_empty() {
            // Lets the buffer go: a connection may be idle for long.
            self.ahead = BytesMut::new();
        }
    }
}

/// How much more room a body gets of which so much is here and so much is announced to follow.
fn room(here: usize, left: usize) -> usize {
    let step = if here < FIRST_ROOM { FIRST_ROOM } else { NEXT_ROOM.max(here) };
    left.min(step)
}

impl ClientStream {
    pub(super) fn new(inner: Stream) -> Self {
        let source = Source { inner, ahead: BytesMut::new(), body: 0 };
        Self { source: Mutex::new(source), held: BytesMut::new(), corked: AtomicBool::new(false), gathers: true }
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

    /// Takes a head of `length` bytes off what was read ahead. A copy of its size: the head is kept for as long as the
    /// exchange lasts, and what was read ahead may be a buffer much larger.
    pub(super) fn take_head(&mut self, length: usize) -> BytesMut {
        let source = self.source();
        let head = BytesMut::from(source.ahead.get(..length).unwrap_or_default());
        source.skip(head.len());
        head
    }

    /// Says that a body of `length` bytes follows, and that it is read by [`Self::poll_body`].
    pub(super) fn begin_body(&self, length: usize) {
        self.shared().body = length;
    }

    /// Bytes of that body which were not read yet.
    pub(super) fn unread(&self) -> usize {
        self.shared().body
    }

    /// The body, if all of it came along with the head.
    pub(super) fn body_at_hand(&self) -> Option<Bytes> {
        let mut source = self.shared();
        let length = source.body;
        // A copy: what was read ahead may be a buffer much larger than the body, and the body is kept.
        let body = Bytes::copy_from_slice(source.ahead.get(..length)?);
        source.skip(length);
        source.body = 0;
        Some(body)
    }

    /// Reads the body into `to`, all of it; what has come until then is there already.
    pub(super) fn poll_body(&self, cx: &mut Context<'_>, to: &mut BytesMut) -> Poll<io::Result<()>> {
        let mut source = self.shared();
        while source.body > 0 {
            if to.len() == to.capacity() {
                to.reserve(room(to.len(), source.body));
            }
            ready!(source.poll_body(cx, to))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is left of the body, and drops it.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut source = self.shared();
        let mut scratch = BytesMut::new();
        while source.body > 0 {
            scratch.clear();
            scratch.reserve(source.body.min(FIRST_ROOM));
            ready!(source.poll_body(cx, &mut scratch))?;
        }
        Poll::Ready(Ok(()))
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
        let Source { inner, ahead, .. } = self.source();
        ahead.reserve(READ_AHEAD);
        tokio::io::AsyncReadExt::read_buf(inner, ahead).await
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
        let source = self.source();
        if source.ahead.is_empty() {
            return Pin::new(&mut source.inner).poll_read(cx, buf);
        }
        let count = source.ahead.len().min(buf.remaining());
        buf.put_slice(&source.ahead[..count]);
        source.skip(count);
        Poll::Ready(Ok(()))
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
