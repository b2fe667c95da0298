//! A request body on its way from the session into the stack.
//!
//! The session cannot leave the task that serves it, the stack wants a body that it owns. Both run in the same task, so
//! this is a slot rather than a queue: at most one chunk is in it, and none is read before it is wanted. That is also
//! what makes `Expect: 100-continue` right: a request that is refused early never asks for its body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use lockgate_layers::BoxError;

#[derive(Default)]
struct Slot {
    wanted: bool,
    chunk: Option<Result<Bytes, BoxError>>,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
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
        std::future::poll_fn(|cx| {
            let mut slot = lock(&self.0);
            if slot.wanted && slot.chunk.is_none() {
                return Poll::Ready(());
            }
            slot.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Gives a chunk, or the failure that took its place.
    pub(super) fn give(&self, chunk: Result<Bytes, BoxError>) {
        let mut slot = lock(&self.0);
        slot.ended |= chunk.is_err();
        slot.chunk = Some(chunk);
        slot.wanted = false;
        slot.wake_reader();
    }

    /// There is no more.
    pub(super) fn end(&self) {
        let mut slot = lock(&self.0);
        slot.ended = true;
        slot.wake_reader();
    }
}

impl Slot {
    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut slot = lock(&self.0);
        if let Some(chunk) = slot.chunk.take() {
            return Poll::Ready(Some(chunk.map(Frame::data)));
        }
        if slot.ended {
            return Poll::Ready(None);
        }
        slot.wanted = true;
        slot.reader = Some(cx.waker().clone());
        if let Some(writer) = slot.writer.take() {
            writer.wake();
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let slot = lock(&self.0);
        slot.ended && slot.chunk.is_none()
    }
}

#[cfg(test)]
mod tests {
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
