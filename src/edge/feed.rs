//! A request body on its way from the session into the stack.
//!
//! The session cannot leave the task that serves it, the stack wants a body that it owns. Both run in the same task, so
//! this is a slot rather than a queue: at most one chunk is in it, none is read before it is wanted, and nobody needs to
//! be woken ([`Feed::drive`]). Reading only what is wanted is also what makes `Expect: 100-continue` right: a request that is refused early never asks for its body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use lockgate_layers::BoxError;

#[derive(Default)]
struct Slot {
    wanted: bool,
    chunk: Option<Result<Bytes, BoxError>>,
    ended: bool,
    /// Bytes that are here but not yet given.
    arrived: u64,
    /// Something was given that the reader has not seen.
    fresh: bool,
}

/// The end that the session fills.
pub(super) struct Feed(Arc<Mutex<Slot>>);

/// The end that the stack reads.
pub(super) struct Incoming(Arc<Mutex<Slot>>);

/// An empty slot.
pub(super) fn channel() -> (Feed, Incoming) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    (Feed(slot.clone()), Incoming(slot))
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// Resolves when the stack wants a chunk. Never, if it wants none.
    pub(super) async fn wanted(&self) {
        std::future::poll_fn(|_| {
            let slot = lock(&self.0);
            if slot.wanted && slot.chunk.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Gives a chunk, or the failure that took its place.
    pub(super) fn give(&self, chunk: Result<Bytes, BoxError>) {
        let mut slot = lock(&self.0);
        slot.ended |= chunk.is_err();
        slot.chunk = Some(chunk);
        slot.arrived = 0;
        slot.wanted = false;
        slot.fresh = true;
    }

    /// Tells how much of the next chunk is here, while the rest is waited for.
    pub(super) fn arrived(&self, count: usize) {
        lock(&self.0).arrived = count as u64;
    }

    /// There is no more.
    pub(super) fn end(&self) {
        let mut slot = lock(&self.0);
        slot.ended = true;
        slot.fresh = true;
    }

    /// Polls the reader, then the writer, until neither moves: `reader` is whatever reads [`Incoming`], `writer`
    /// whatever fills this. Neither wakes the other, so nothing else may poll them.
    pub(super) async fn drive<R: Future, W: Future>(
        &self,
        mut reader: Pin<&mut R>,
        mut writer: Pin<&mut W>,
    ) -> Driven<R::Output, W::Output> {
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(read) = reader.as_mut().poll(cx) {
                    return Poll::Ready(Driven::Read(read));
                }
                if let Poll::Ready(written) = writer.as_mut().poll(cx) {
                    return Poll::Ready(Driven::Written(written));
                }
                if !std::mem::take(&mut lock(&self.0).fresh) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// Which of the two was ready first.
pub(super) enum Driven<R, W> {
    /// The reader.
    Read(R),
    /// The writer.
    Written(W),
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut slot = lock(&self.0);
        if let Some(chunk) = slot.chunk.take() {
            return Poll::Ready(Some(chunk.map(Frame::data)));
        }
        if slot.ended {
            return Poll::Ready(None);
        }
        slot.wanted = true;
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let slot = lock(&self.0);
        slot.ended && slot.chunk.is_none()
    }

    /// At least what has arrived will be given.
    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(lock(&self.0).arrived);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn nothing_is_read_before_it_is_wanted() {
        let (feed, mut incoming) = channel();
        let wanted = feed.wanted();
        tokio::pin!(wanted);
        assert!(futures_poll(wanted.as_mut()).is_pending(), "nobody has asked");
        {
            let frame = incoming.frame();
            tokio::pin!(frame);
            assert!(futures_poll(frame.as_mut()).is_pending(), "there is no chunk yet");
            assert!(futures_poll(wanted.as_mut()).is_ready(), "now one is wanted");
            feed.give(Ok(Bytes::from_static(b"x")));
            assert!(matches!(futures_poll(frame.as_mut()), Poll::Ready(Some(Ok(_)))), "the chunk is there");
        }
        feed.end();
        assert!(incoming.is_end_stream());
        assert!(incoming.frame().await.is_none(), "the end is there");
    }

    fn futures_poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }
}
