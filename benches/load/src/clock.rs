//! The one clock of the bench.
//!
//! `std::time::Instant` means nothing in another process, and the bench compares times of two: the upstream stamps
//! a delta when it writes it, the load generator reads the stamp when the delta arrives.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Reads `CLOCK_MONOTONIC` in nanoseconds, the same in every process of the machine.
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * SECOND + time.tv_nsec.unsigned_abs()
}

/// Converts seconds as a person writes them into nanoseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "options are small positive numbers")]
pub fn seconds_ns(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}
