//! A client's connection: what is written is sent when it is flushed, and what was read ahead is read again.
//!
//! Pingora's HTTP/1 session writes a head, a chunk's size, its data and its end one after the other. Each write of
//! its own is a system call and, with `TCP_NODELAY`, a packet of its own; here they leave together, at the flush that
//! Pingora does at the end of each. Nothing is held back beyond that flush.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, http::ServerSession, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    chunks::{ChunkError, Chunks},
    head::Follows,
};

/// What is written beyond this is sent without waiting for a flush.
const MAX_HELD: usize = 64 << 10;

/// Room for a head and a small body in one read.
const READ_AHEAD: usize = 4 << 10;

/// A write of at least this goes out by itself, instead of being copied.
const LARGE_WRITE: usize = 16 << 10;

/// A client's connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    inner: Stream,
    /// Read already, and to be read again.
    pub(super) ahead: BytesMut,
    held: BytesMut,
    /// Flushing is put off: more is coming at once.
    corked: AtomicBool,
    /// Writes wait for a flush at all.
    gathers: bool,
    /// The body that is being read, if it comes in chunks.
    chunks: Option<Chunks>,
    /// More had come than the request and its body when the request began.
    more: bool,
}

impl ClientStream {
    pub(super) fn new(inner: Stream) -> Self {
        Self {
            inner,
            ahead: BytesMut::new(),
            held: BytesMut::new(),
            corked: AtomicBool::new(false),
            gathers: true,
            chunks: None,
            more: false,
        }
    }

    /// Whether writes wait for a flush.
    pub(super) fn gather(&mut self, gathers: bool) {
        self.gathers = gathers;
    }

    /// What was read ahead begins with a head of `head` bytes, and this follows it.
    pub(super) fn expect(&mut self, head: usize, follows: Follows) {
        self.chunks = matches!(follows, Follows::Chunks).then(|| Chunks::after(head));
        let rest = self.ahead.len().saturating_sub(head) as u64;
        self.more = matches!(follows, Follows::Length(length) if rest > length);
    }

    /// Whether the client had sent more than the request that is being served, as far as that could be seen.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// The connection of an HTTP/1 session that came through the door.
    pub(super) fn of(session: &ServerSession) -> Option<&Self> {
        session.as_http1()?.stream().as_any().downcast_ref()
    }

    /// Puts flushing off, or no longer. Whoever corks writes again, uncorked, before it waits for anything.
    pub(super) fn cork(&self, corked: bool) {
        self.corked.store(corked, Ordering::Relaxed);
    }

    /// Reads more into `ahead`; gives the number of bytes, 0 at the end.
    pub(super) async fn read_ahead(&mut self) -> io::Result<usize> {
        self.ahead.reserve(READ_AHEAD);
        tokio::io::AsyncReadExt::read_buf(&mut self.inner, &mut self.ahead).await
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.held))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.chunks.is_some() {
            return self.poll_chunks(cx, buf);
        }
        self.poll_bytes(cx, buf)
    }
}

impl ClientStream {
    /// Reads what is framed in chunks, as far as it is framed well.
    fn poll_chunks(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What came before a mistake has been read; this is where it stands.
        self.chunks.as_mut().map_or(Ok(()), |chunks| chunks.pass(&[])).map_err(malformed)?;
        let before = buf.filled().len();
        ready!(self.poll_bytes(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(Ok(())) };
        match chunks.pass(fresh) {
            Ok(()) if chunks.is_done() => self.chunks = None,
            Ok(()) => {}
            Err(error) if error.at == 0 => return Poll::Ready(Err(malformed(error))),
            // What came before it may be a head, which has to be answered. The next read fails.
            Err(error) => buf.set_filled(before + error.at),
        }
        Poll::Ready(Ok(()))
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        if self.ahead.is_empty() {
            // Lets the buffer go: a connection may be idle for long.
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len() + buf.len() > MAX_HELD {
            ready!(self.poll_send(cx))?;
        }
        if self.held.is_empty() && (!self.gathers || buf.len() >= LARGE_WRITE) {
            return Pin::new(&mut self.inner).poll_write(cx, buf);
        }
        self.held.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if *self.corked.get_mut() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_send(cx))?;
        if self.held.capacity() > LARGE_WRITE {
            self.held = BytesMut::new();
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

fn malformed(error: ChunkError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        if let Err(error) = std::future::poll_fn(|cx| self.poll_send(cx)).await {
            tracing::trace!(%error, "the client did not take the last bytes");
        }
        self.inner.shutdown().await;
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> pingora_core::protocols::UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for ClientStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for ClientStream {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        // Only what was read ahead can be peeked at; the door has read enough before anybody asks.
        let Some(ahead) = self.ahead.get(..buf.len()) else { return Ok(false) };
        buf.copy_from_slice(ahead);
        Ok(true)
    }
}
