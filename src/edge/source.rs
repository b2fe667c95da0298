//! Where a client's bytes come from: what was read ahead, then the socket.
//!
//! They leave in one of two ways. Pingora reads them, as far as they are framed well. Or a body of announced length is
//! read past Pingora, straight into the buffer in which it stays: Pingora would read pieces of 64 KiB, and each would be
//! copied twice before it is whole. Until such a body has been read, nothing is left for Pingora to read.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{
    chunks::{ChunkError, Chunks},
    head::Follows,
};

/// Room for a head and a small body in one read.
const READ_AHEAD: usize = 4 << 10;

/// The first room for a body. Whatever length a client announces, it has to send this much before it gets more.
const FIRST_ROOM: usize = 64 << 10;

/// The least that the room for a body grows by after that, as far as the announced length goes.
const NEXT_ROOM: usize = 4 << 20;

/// The reading side of a client's connection.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) inner: Stream,
    /// Read already, and to be read again.
    pub(super) ahead: BytesMut,
    /// What is still to come of a body that is read past Pingora.
    body: usize,
    /// The body that Pingora reads, if it comes in chunks.
    chunks: Option<Chunks>,
}

impl Source {
    pub(super) fn new(inner: Stream) -> Self {
        Self { inner, ahead: BytesMut::new(), body: 0, chunks: None }
    }

    /// Pingora reads a request: a head of `head` bytes, and what follows it.
    pub(super) fn expect(&mut self, head: usize, follows: Follows) {
        self.body = 0;
        self.chunks = matches!(follows, Follows::Chunks).then(|| Chunks::after(head));
    }

    /// Takes a head of `head` bytes off what was read ahead, and keeps a body of announced length from Pingora. The head
    /// is a copy of its size: it is kept for as long as the exchange lasts, and what was read ahead may be a buffer much
    /// larger.
    pub(super) fn take_head(&mut self, head: usize, follows: Follows) -> BytesMut {
        let head = BytesMut::from(self.ahead.get(..head).unwrap_or_default());
        self.skip(head.len());
        self.expect(0, follows);
        if let Follows::Length(length) = follows {
            self.body = usize::try_from(length).unwrap_or(usize::MAX);
        }
        head
    }

    /// Bytes of a body that is read past Pingora which are still to be read.
    pub(super) fn unread(&self) -> usize {
        self.body
    }

    /// That body, if all of it came along with the head.
    pub(super) fn body_at_hand(&mut self) -> Option<Bytes> {
        // A copy: what was read ahead may be a buffer much larger than the body, and the body is kept.
        let body = Bytes::copy_from_slice(self.ahead.get(..self.body)?);
        self.skip(body.len());
        self.body = 0;
        Some(body)
    }

    /// Reads that body into `to`, all of it; what has come until then is there already.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>, to: &mut BytesMut) -> Poll<io::Result<()>> {
        while self.body > 0 {
            if to.len() == to.capacity() {
                to.reserve(room(to.len(), self.body));
            }
            ready!(self.poll_piece(cx, to))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is left of that body, and drops it.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = BytesMut::new();
        while self.body > 0 {
            scratch.clear();
            scratch.reserve(self.body.min(FIRST_ROOM));
            ready!(self.poll_piece(cx, &mut scratch))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Moves what was read ahead of the body, or reads more of it, to the end of `to`.
    fn poll_piece(&mut self, cx: &mut Context<'_>, to: &mut BytesMut) -> Poll<io::Result<()>> {
        let count = self.body.min(self.ahead.len());
        let count = if count > 0 {
            to.extend_from_slice(&self.ahead[..count]);
            self.skip(count);
            count
        } else {
            let mut to = to.limit(self.body);
            let read = std::pin::pin!(self.inner.read_buf(&mut to));
            ready!(read.poll(cx))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.body -= count;
        Poll::Ready(Ok(()))
    }

    /// Reads for Pingora.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.body > 0 {
            return Poll::Ready(Err(io::Error::other("a body stands before what is asked for")));
        }
        if self.chunks.is_some() {
            return self.poll_chunks(cx, buf);
        }
        self.poll_bytes(cx, buf)
    }

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
        self.skip(count);
        Poll::Ready(Ok(()))
    }

    /// Reads more into `ahead`; gives the number of bytes, 0 at the end.
    pub(super) async fn read_ahead(&mut self) -> io::Result<usize> {
        self.ahead.reserve(READ_AHEAD);
        self.inner.read_buf(&mut self.ahead).await
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

fn malformed(error: ChunkError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::AsyncWriteExt;

    use super::*;

    const HEAD: &str = "POST / HTTP/1.1\r\n\r\n";

    /// A source that has read a head, and as much of what follows as there is.
    async fn after_head(rest: &str, follows: Follows) -> Source {
        let (mut client, server) = tokio::io::duplex(4096);
        client.write_all(format!("{HEAD}{rest}").as_bytes()).await.expect("the pipe takes it");
        let mut source = Source::new(Box::new(server));
        source.read_ahead().await.expect("the pipe is open");
        assert_eq!(source.take_head(HEAD.len(), follows), HEAD);
        source
    }

    fn read(source: &mut Source) -> io::Result<String> {
        let mut room = [0; 64];
        let mut buf = ReadBuf::new(&mut room);
        match source.poll_read(&mut Context::from_waker(Waker::noop()), &mut buf) {
            Poll::Ready(Ok(())) => Ok(String::from_utf8_lossy(buf.filled()).into_owned()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    #[tokio::test]
    async fn nobody_reads_what_follows_a_body_before_the_body() {
        let mut source = after_head("helloGET /", Follows::Length(5)).await;
        assert!(read(&mut source).is_err(), "the body is not Pingora's");
        assert_eq!(source.body_at_hand().as_deref(), Some(&b"hello"[..]));
        assert_eq!((source.unread(), read(&mut source).ok().as_deref()), (0, Some("GET /")));
        let mut source = after_head("helloGET /", Follows::Length(5)).await;
        let mut body = BytesMut::new();
        assert!(source.poll_body(&mut Context::from_waker(Waker::noop()), &mut body).is_ready());
        assert_eq!((&body[..], read(&mut source).ok().as_deref()), (&b"hello"[..], Some("GET /")));
    }

    #[tokio::test]
    async fn half_a_body_is_not_at_hand() {
        let mut source = after_head("he", Follows::Length(5)).await;
        assert_eq!((source.body_at_hand(), source.unread()), (None, 5));
        let read = source.poll_discard(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(read, Poll::Ready(Err(_))), "the client has closed before the rest");
        assert_eq!(source.unread(), 3);
    }

    #[tokio::test]
    async fn chunks_are_looked_at_behind_a_head_that_was_taken() {
        let mut source = after_head("2\r\nhe\r\n0\r\n\r\nGET /\n", Follows::Chunks).await;
        assert_eq!(source.unread(), 0, "Pingora reads them");
        assert_eq!(read(&mut source).expect("they are sound"), "2\r\nhe\r\n0\r\n\r\nGET /\n");
        let mut source = after_head("2;a\nb\r\nhe\r\n", Follows::Chunks).await;
        assert_eq!(read(&mut source).expect("it begins well"), "2;a");
        assert_eq!(read(&mut source).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData));
    }
}
