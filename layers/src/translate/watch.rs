//! Notices silence. Armed once, moved only when it fires: a chunk that passes costs a look at the clock.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// A timer that measures the time since the last sign of life.
#[derive(Debug)]
pub(super) struct Watch {
    sleep: Pin<Box<Sleep>>,
    limit: Duration,
    last: Instant,
}

impl Watch {
    /// Starts to measure now.
    pub(super) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self { sleep: Box::pin(tokio::time::sleep_until(now + limit)), limit, last: now }
    }

    /// There was a sign of life.
    pub(super) fn alive(&mut self) {
        self.last = Instant::now();
    }

    /// When there last was one.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// Ready when it has been silent for the limit.
    pub(super) fn poll_silent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let due = self.last + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
    }
}
