//! A waker that keeps quiet while its owner is polling anyway.
//!
//! hyper's two halves of a connection wake each other through channels. Both are polled by one task here, so each such
//! wake would schedule that task once more, for nothing. Inside a poll, a wake only leaves a mark, and the poll goes
//! round again; from outside, it wakes the task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use atomic_waker::AtomicWaker;

#[derive(Default)]
struct Inner {
    task: AtomicWaker,
    inside: AtomicBool,
    marked: AtomicBool,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.inside.load(Ordering::Acquire) {
            self.marked.store(true, Ordering::Release);
        } else {
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
        let inner = Arc::new(Inner::default());
        Self { waker: Waker::from(inner.clone()), inner }
    }
}

impl Gate {
    /// Polls `step` until it is ready or nothing moves any more.
    pub(super) fn poll<T>(&self, cx: &mut Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.inner.task.register(cx.waker());
        self.inner.inside.store(true, Ordering::Release);
        let outcome = loop {
            self.inner.marked.store(false, Ordering::Release);
            let outcome = step(&mut Context::from_waker(&self.waker));
            if outcome.is_ready() || !self.inner.marked.load(Ordering::Acquire) {
                break outcome;
            }
        };
        self.inner.inside.store(false, Ordering::Release);
        // A wake from another thread that came between the last look and the line above has only left a mark.
        if outcome.is_pending() && self.inner.marked.swap(false, Ordering::AcqRel) {
            cx.waker().wake_by_ref();
        }
        outcome
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
        outside.expect("it was polled").wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "outside, the task is woken");
    }
}
