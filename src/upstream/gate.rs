//! A waker that keeps quiet while its owner is polling anyway.
//!
//! hyper's two halves of a connection wake each other through channels. Both are polled by one task here, so each such
//! wake would schedule that task once more, for nothing. Inside a poll, a wake only leaves a mark, and the poll goes
//! round again; from outside, it wakes the task. The task is also polled for other reasons, such as a write that is
//! done: as long as nobody has woken the gate, there is nothing new behind it ([`Gate::poll_if_woken`]).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use atomic_waker::AtomicWaker;

/// A gate's state is two bits. Nobody polls, and there is nothing new:
const RESTING: u8 = 0;
/// it was woken, or has had an outcome since it was last polled;
const WOKEN: u8 = 1;
/// it is being polled; with [`WOKEN`], it was woken meanwhile.
const POLLING: u8 = 2;

struct Inner {
    task: AtomicWaker,
    state: AtomicU8,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) & POLLING == 0 {
            self.task.wake();
        }
    }
}

/// Stands between one connection's halves and the task that polls them.
#[derive(Clone)]
pub(super) struct Gate {
    inner: Arc<Inner>,
    waker: Waker,
}

impl Default for Gate {
    fn default() -> Self {
        let inner = Arc::new(Inner { task: AtomicWaker::new(), state: AtomicU8::new(WOKEN) });
        Self { waker: Waker::from(inner.clone()), inner }
    }
}

impl Gate {
    /// Polls `step` until it is ready or nothing moves any more.
    pub(super) fn poll<T>(&self, cx: &mut Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.inner.task.register(cx.waker());
        loop {
            self.inner.state.store(POLLING, Ordering::Release);
            let outcome = step(&mut Context::from_waker(&self.waker));
            if outcome.is_ready() {
                self.inner.state.store(WOKEN, Ordering::Release);
                return outcome;
            }
            let rested = self.inner.state.compare_exchange(POLLING, RESTING, Ordering::AcqRel, Ordering::Acquire);
            if rested.is_ok() {
                return outcome;
            }
        }
    }

    /// As [`Self::poll`], but does not poll a step that was pending and that nobody has woken since. The steps of all
    /// calls since the last [`Self::poll`] must be the same.
    pub(super) fn poll_if_woken<T>(
        &self,
        cx: &mut Context<'_>,
        step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // In this order: a wake that comes after the look finds the new task.
        self.inner.task.register(cx.waker());
        if self.inner.state.load(Ordering::Acquire) == RESTING { Poll::Pending } else { self.poll(cx, step) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_from_inside_go_round_and_wakes_from_outside_go_through() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let gate = Gate::default();
        let mut rounds = 0;
        let mut outside = None;
        let outcome: Poll<()> = gate.poll(&mut cx, |cx| {
            rounds += 1;
            if rounds < 3 {
                cx.waker().wake_by_ref();
            }
            outside = Some(cx.waker().clone());
            Poll::Pending
        });
        assert!(outcome.is_pending());
        assert_eq!((rounds, count.0.load(Ordering::Relaxed)), (3, 0), "inside, only another round");
        let outside = outside.expect("it was polled");
        outside.wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "outside, the task is woken");
    }

    #[test]
    fn what_nobody_woke_is_not_polled_again() {
        let gate = Gate::default();
        let inner = std::cell::RefCell::new(None);
        let rounds = std::cell::Cell::new(0);
        let poll = |waker: &Waker, ready: bool| {
            gate.poll_if_woken(&mut Context::from_waker(waker), |cx| {
                *inner.borrow_mut() = Some(cx.waker().clone());
                rounds.set(rounds.get() + 1);
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
        };
        let (first, second) = (Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0))));
        let waker = Waker::from(first.clone());
        assert!(poll(&waker, true).is_ready() && poll(&waker, false).is_pending());
        assert_eq!(rounds.get(), 2, "after an outcome, it is polled");
        let waker = Waker::from(second.clone());
        assert!(poll(&waker, true).is_pending());
        assert_eq!(rounds.get(), 2, "nobody has woken it");
        inner.borrow().as_ref().expect("it was polled").wake_by_ref();
        let woken = (first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed));
        assert_eq!(woken, (0, 1), "the task that polled last is woken");
        assert!(poll(&waker, true).is_ready());
    }
}
