//! Steady load: the closed and the open loop, with the costs of a window in their middle.
//!
//! In the closed loop what ends inside the window counts. In the open loop what falls due inside it counts, and every
//! latency starts at the due time, so that a stall is charged to all requests it delayed (no coordinated omission).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use super::exchange::{Connection, Plan};
use super::options::Options;
use super::tally::Tally;
use super::{LoadError, pacer, report};
use crate::clock::{SECOND, now_ns, seconds_ns};
use crate::procfs;

/// After a failure a closed loop waits this long, so that a dead gateway does not make it spin.
const AFTER_FAILURE: Duration = Duration::from_millis(5);
/// Connections do not start all at once: each one this much after the one before, and none later than the last figure.
const STREAM_SPREAD_US: u64 = 1700;
const PLAIN_SPREAD_US: u64 = 50;
const LONGEST_SPREAD_US: u64 = 500_000;
/// How often the end of the drain is looked for.
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

struct Load {
    plan: Plan,
    tally: Tally,
    stop: Cell<bool>,
}

/// Requests that have fallen due and wait for a connection.
#[derive(Default)]
struct Due {
    times: RefCell<VecDeque<u64>>,
    bell: Notify,
}

/// Runs the load and reports on its window.
pub(super) async fn run(options: &Options) -> Result<Value, LoadError> {
    let begin = now_ns();
    let open_at = begin + seconds_ns(options.warm_up);
    let close_at = open_at + seconds_ns(options.seconds);
    let tally = Tally::new(open_at..close_at);
    let load = Rc::new(Load { plan: Plan::new(options), tally, stop: Cell::new(false) });
    let due = Rc::new(Due::default());
    let tasks = match options.rate {
        Some(rate) => open_loop(options, &load, &due, begin..close_at, rate)?,
        None => closed_loop(options, &load),
    };

    sleep_until(open_at).await;
    let before = procfs::usage(options.gateway_pid, options.upstream_pid);
    sleep_until(close_at).await;
    let after = procfs::usage(options.gateway_pid, options.upstream_pid);
    load.stop.set(true);
    drain(options, &tasks, &due).await;

    let unfinished = tasks.iter().filter(|task| !task.is_finished()).count() + due.times.borrow().len();
    tasks.iter().for_each(JoinHandle::abort);
    load.tally.fail("unfinished", unfinished as u64);
    if load.tally.counts().right_ever == 0 {
        load.tally.fail("no right answer", 1);
    }
    Ok(report::steady(options, &load.tally.counts(), &before, &after))
}

fn closed_loop(options: &Options, load: &Rc<Load>) -> Vec<JoinHandle<()>> {
    let spread_us = if options.stream { STREAM_SPREAD_US } else { PLAIN_SPREAD_US };
    let client = |index: usize| {
        let load = Rc::clone(load);
        let start_after = Duration::from_micros((index as u64 * spread_us).min(LONGEST_SPREAD_US));
        spawn_local(async move {
            tokio::time::sleep(start_after).await;
            let mut connection = Connection::default();
            while !load.stop.get() {
                let begin = now_ns();
                let outcome = connection.exchange(&load.plan, &load.tally).await;
                load.tally.record(outcome.as_ref(), begin, now_ns(), load.plan.streamed);
                if outcome.is_err() {
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        })
    };
    (0..options.connections).map(client).collect()
}

fn open_loop(
    options: &Options,
    load: &Rc<Load>,
    due: &Rc<Due>,
    span: Range<u64>,
    rate: f64,
) -> Result<Vec<JoinHandle<()>>, LoadError> {
    let mut pacer =
        pacer::start(span, rate).map_err(|source| LoadError::Io { doing: "start the thread that paces", source })?;
    let client = |_| {
        let (load, due) = (Rc::clone(load), Rc::clone(due));
        spawn_local(async move {
            let mut connection = Connection::default();
            loop {
                let next = due.times.borrow_mut().pop_front();
                match next {
                    Some(at) => {
                        let outcome = connection.exchange(&load.plan, &load.tally).await;
                        load.tally.record(outcome.as_ref(), at, at, load.plan.streamed);
                    }
                    None if load.stop.get() => return,
                    None => due.bell.notified().await,
                }
            }
        })
    };
    let mut tasks: Vec<_> = (0..options.max_connections).map(client).collect();
    let (load, due) = (Rc::clone(load), Rc::clone(due));
    tasks.push(spawn_local(async move {
        while let Some(at) = pacer.recv().await {
            load.tally.note_late(now_ns().saturating_sub(at));
            due.times.borrow_mut().push_back(at);
            due.bell.notify_one();
        }
    }));
    Ok(tasks)
}

/// Waits for the requests under way, so that every answer begun is also judged.
async fn drain(options: &Options, tasks: &[JoinHandle<()>], due: &Due) {
    let deadline = now_ns() + seconds_ns(options.drain);
    while now_ns() < deadline && !tasks.iter().all(JoinHandle::is_finished) {
        due.bell.notify_waiters();
        tokio::time::sleep(DRAIN_INTERVAL).await;
    }
}

async fn sleep_until(at_ns: u64) {
    tokio::time::sleep(Duration::from_nanos(at_ns.saturating_sub(now_ns()).min(3600 * SECOND))).await;
}
