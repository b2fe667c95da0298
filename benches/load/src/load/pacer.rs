//! Due times for the open loop, finer than tokio's wheel of milliseconds.
//!
//! A thread of its own sleeps on the kernel's clock. The asynchronous alternative, a `timerfd` in an `AsyncFd`, can
//! only be registered by unsafe code.

use std::io;
use std::ops::Range;
use std::thread;

use rustix::io::Errno;
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::Timespec;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::clock::{SECOND, now_ns, seconds_ns};

/// Sends `rate` due times per second of `span`, each when it has come; ends with the span or with the receiver.
pub(super) fn start(span: Range<u64>, rate: f64) -> io::Result<UnboundedReceiver<u64>> {
    // Unbounded because a gateway that falls behind must not slow the clock; the span and the rate bound it.
    let (sender, receiver) = unbounded_channel();
    thread::Builder::new().name("pacer".to_owned()).spawn(move || {
        for index in 0_u32.. {
            let at = span.start + seconds_ns(f64::from(index) / rate);
            if at >= span.end || sleep_until(at).is_err() || sender.send(at).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}

fn sleep_until(at_ns: u64) -> Result<(), Errno> {
    while now_ns() < at_ns {
        let at = Timespec { tv_sec: signed(at_ns / SECOND), tv_nsec: signed(at_ns % SECOND) };
        match clock_nanosleep_absolute(ClockId::Monotonic, &at) {
            Ok(()) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).expect("the monotonic clock counts from boot")
}
