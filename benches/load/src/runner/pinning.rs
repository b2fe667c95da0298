//! Which core a child runs on.
//!
//! A child inherits the affinity of the thread that starts it, so the runner moves itself, starts the child and moves
//! back. That needs no `taskset` and leaves the child's process id what it is.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Who a process works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Upstream, load generator and the runner itself.
    Load,
    /// The gateway under test.
    Gateway,
}

/// The core of each side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pinning {
    cores: Option<(usize, usize)>,
}

// === impl Pinning ===

impl Pinning {
    /// Takes the first two cores that this process may use; with fewer, nothing is pinned.
    pub(super) fn new() -> Self {
        let allowed = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let cores = cores.next().zip(cores.next());
        let pinning = Self { cores };
        if pinning.enter(Side::Load) { pinning } else { Self { cores: None } }
    }

    /// Says what was done.
    pub(super) fn describe(&self) -> String {
        match self.cores {
            Some((load, gateway)) => format!("upstream and load on core {load}, gateways on core {gateway}"),
            None => "nothing is pinned, because fewer than two cores may be used".to_owned(),
        }
    }

    /// Runs `start` on the core of `side`.
    pub(super) fn on<R>(&self, side: Side, start: impl FnOnce() -> R) -> R {
        self.enter(side);
        let result = start();
        self.enter(Side::Load);
        result
    }

    fn enter(&self, side: Side) -> bool {
        let Some((load, gateway)) = self.cores else { return false };
        let mut set = CpuSet::new();
        set.set(if side == Side::Load { load } else { gateway });
        sched_setaffinity(None, &set).is_ok()
    }
}
