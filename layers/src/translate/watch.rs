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
    /// When it is over, however lively.
    end: Instant,
    last: Instant,
}

/// Why a stream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It has been silent for too long.
    Silence,
    /// The exchange has taken as long as it may in all.
    End,
}

impl Watch {
    /// Starts to measure now.
    pub(super) fn new(limit: Duration, end: Instant) -> Self {
        let now = Instant::now();
        Self { sleep: Box::pin(tokio::time::sleep_until((now + limit).min(end))), limit, end, last: now }
    }

    /// There was a sign of life.
    pub(super) fn alive(&mut self) {
        self.last = Instant::now();
    }

    /// When there last was one.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// From now on silence is waited out for no longer than `limit`.
    pub(super) fn shorten(&mut self, limit: Duration) {
        if limit < self.limit {
            self.limit = limit;
            self.sleep.as_mut().reset((self.last + limit).min(self.end));
        }
    }

    /// Ready when it has been silent for the limit, or is over.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            let silent = self.last + self.limit;
            if self.end <= now {
                return Poll::Ready(Due::End);
            }
            if silent <= now {
                return Poll::Ready(Due::Silence);
            }
            self.sleep.as_mut().reset(silent.min(self.end));
        }
    }
}
