//! What was fetched for a call, kept for its further attempts, and how much more may be.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use lockgate_filters::model::Str;

use super::{FetchError, kind::Content};

/// Bytes that may still be fetched for one request, counted down by all its fetches together.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Arc<AtomicU64>,
    limit: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(limit)), limit }
    }

    /// Takes `bytes` that have come.
    ///
    /// # Errors
    /// If there are not as many left.
    pub fn take(&self, bytes: u64) -> Result<(), FetchError> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| FetchError::TooLarge { limit: self.limit })
    }

    /// Refuses a length that a server announces, if it is more than is left.
    ///
    /// # Errors
    /// If there are not as many left.
    pub fn expect(&self, bytes: u64) -> Result<(), FetchError> {
        let enough = bytes <= self.left.load(Ordering::Relaxed);
        if enough { Ok(()) } else { Err(FetchError::TooLarge { limit: self.limit }) }
    }
}

/// What came of fetching a URL.
pub(super) type Outcome = Result<Arc<Content>, FetchError>;

/// What was fetched for a call. The lock is never held across an await, and nobody waits for it: attempts of one call
/// follow each other.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    outcomes: Mutex<Vec<(Str, Outcome)>>,
    budget: OnceLock<Budget>,
}

impl Kept {
    /// What came of a URL, if it was asked for already.
    pub(super) fn get(&self, url: &Str) -> Option<Outcome> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.iter().find(|(own, _)| own == url).map(|(_, outcome)| outcome.clone())
    }

    /// Keeps what came of a URL.
    pub(super) fn put(&self, url: Str, outcome: Outcome) {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((url, outcome));
    }

    /// Forgets what came: no attempt will follow.
    pub(super) fn clear(&self) {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
    }

    /// The call's budget, begun with `limit`.
    pub(super) fn budget(&self, limit: u64) -> Budget {
        self.budget.get_or_init(|| Budget::new(limit)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_shared_and_never_overdrawn() {
        let budget = Budget::new(10);
        let other = budget.clone();
        assert_eq!(budget.take(6), Ok(()));
        assert_eq!(other.take(5), Err(FetchError::TooLarge { limit: 10 }), "four are left");
        assert_eq!(other.expect(5), Err(FetchError::TooLarge { limit: 10 }));
        assert_eq!(other.expect(u64::MAX), Err(FetchError::TooLarge { limit: 10 }));
        assert_eq!((other.expect(4), other.take(4), budget.take(0)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(budget.take(1), Err(FetchError::TooLarge { limit: 10 }));
    }
}
