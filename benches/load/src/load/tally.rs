//! What is counted, in the measured window and over the whole run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use hdrhistogram::Histogram;

use super::exchange::{Answer, Failure};
use crate::clock::SECOND;

/// Latencies above this are recorded as this.
const LONGEST_NS: u64 = 120 * SECOND;
/// Three digits: no figure is worse than a thousandth off.
const PRECISION: u8 = 3;

/// The counters of one run, shared by its tasks on one thread.
#[derive(Debug)]
pub(super) struct Tally {
    /// The measured window, in monotonic nanoseconds.
    pub(super) window: Range<u64>,
    inner: RefCell<Counts>,
}

/// The counters themselves.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// From send, or from the due time in an open loop, to the last byte.
    pub(super) latency: Histogram<u64>,
    /// The same to the first text delta.
    pub(super) first: Histogram<u64>,
    /// From the upstream's write of a delta to its arrival.
    pub(super) transit: Histogram<u64>,
    /// The longest wait between two deltas, one value per stream.
    pub(super) longest_gap: Histogram<u64>,
    /// Right answers in the window.
    pub(super) right: u64,
    /// Body bytes of those.
    pub(super) body_bytes: u64,
    /// Right answers over the whole run, warm-up and drain included.
    pub(super) right_ever: u64,
    /// Wrong answers over the whole run, by kind: a wrong answer does not get better by coming early.
    pub(super) failures: BTreeMap<String, u64>,
    /// How late the open loop was at worst in issuing a request.
    pub(super) late: u64,
}

// === impl Tally ===

impl Tally {
    pub(super) fn new(window: Range<u64>) -> Self {
        Self { window, inner: RefCell::new(Counts::new()) }
    }

    /// Lets `read` record into the transit histogram, if `now` lies in the window.
    pub(super) fn with_transit<R>(&self, now: u64, read: impl FnOnce(Option<&mut Histogram<u64>>) -> R) -> R {
        if self.window.contains(&now) { read(Some(&mut self.inner.borrow_mut().transit)) } else { read(None) }
    }

    /// Counts an exchange that began, or fell due, at `begin`; `counts_at` decides whether it lies in the window.
    pub(super) fn record(&self, outcome: Result<&Answer, &Failure>, begin: u64, counts_at: u64, streamed: bool) {
        let mut counts = self.inner.borrow_mut();
        let answer = match outcome {
            Ok(answer) => answer,
            Err(failure) => return counts.fail(failure.to_string(), 1),
        };
        counts.right_ever += 1;
        if !self.window.contains(&counts_at) {
            return;
        }
        counts.right += 1;
        counts.body_bytes += answer.body_bytes;
        counts.latency.saturating_record(answer.end_at.saturating_sub(begin).max(1));
        counts.first.saturating_record(answer.first_at.saturating_sub(begin).max(1));
        if streamed {
            counts.longest_gap.saturating_record(answer.longest_gap.max(1));
        }
    }

    /// Counts `count` failures of one kind.
    pub(super) fn fail(&self, kind: &str, count: u64) {
        self.inner.borrow_mut().fail(kind.to_owned(), count);
    }

    /// Notes that the open loop issued a request so late.
    pub(super) fn note_late(&self, late: u64) {
        let mut counts = self.inner.borrow_mut();
        counts.late = counts.late.max(late);
    }

    /// Copies what has been counted so far.
    pub(super) fn counts(&self) -> Counts {
        self.inner.borrow().clone()
    }
}

// === impl Counts ===

impl Counts {
    fn new() -> Self {
        let empty =
            Histogram::new_with_bounds(1, LONGEST_NS, PRECISION).expect("the bounds and the precision are valid");
        Self {
            latency: empty.clone(),
            first: empty.clone(),
            transit: empty.clone(),
            longest_gap: empty,
            right: 0,
            body_bytes: 0,
            right_ever: 0,
            failures: BTreeMap::new(),
            late: 0,
        }
    }

    fn fail(&mut self, kind: String, count: u64) {
        if count > 0 {
            *self.failures.entry(kind).or_default() += count;
        }
    }
}
