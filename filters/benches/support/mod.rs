//! What both benches need: the settings of a run, and counted allocations.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::Criterion;

/// Set to run every bench once, briefly: CI wants to know that they run and that nothing allocates, not how fast.
const QUICK: &str = "LOCKGATE_BENCH_QUICK";

/// Criterion as the environment asks for it. A full run takes about two minutes per bench.
pub(crate) fn criterion() -> Criterion {
    let criterion = Criterion::default().without_plots();
    if is_quick() {
        criterion.sample_size(10).warm_up_time(Duration::from_millis(30)).measurement_time(Duration::from_millis(120))
    } else {
        criterion.sample_size(50).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
    }
    .configure_from_args()
}

fn is_quick() -> bool {
    std::env::var_os(QUICK).is_some_and(|value| value != "0")
}

/// Allocations of one run of `run`, over many runs after a few that warm its buffers up.
pub(crate) fn allocations(mut run: impl FnMut()) -> f64 {
    const RUNS: u32 = 1000;
    for _ in 0..8 {
        run();
    }
    let counted = allocation_counter::measure(|| (0..RUNS).for_each(|_| run()));
    #[expect(clippy::cast_precision_loss, reason = "the counts are small")]
    let count = counted.count_total as f64;
    count / f64::from(RUNS)
}

/// Nanoseconds per run in the best of many short rounds: what it costs when nobody else uses the machine.
fn best(mut run: impl FnMut()) -> f64 {
    const ROUNDS: u32 = 300;
    const ROUND: Duration = Duration::from_micros(30);
    let mut timed = |runs: u32| {
        let began = Instant::now();
        (0..runs).for_each(|_| run());
        began.elapsed()
    };
    let mut runs = 1;
    while runs < 1 << 20 && timed(runs) < ROUND {
        runs *= 2;
    }
    let best = (0..ROUNDS).map(|_| timed(runs)).min().unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(runs)
}

/// Benches `run` under `name`, says what it allocates and what it costs at best; gives the allocations.
pub(crate) fn bench(criterion: &mut Criterion, name: &str, mut run: impl FnMut()) -> f64 {
    let count = allocations(&mut run);
    say(name, count, best(&mut run));
    if is_quick() {
        // That it runs, and what it allocates, is known by now; hundreds of pairs would take long.
        return count;
    }
    criterion.bench_function(name, |bencher| bencher.iter(|| black_box(&mut run)()));
    count
}

#[expect(clippy::print_stdout, reason = "a bench's output is its purpose")]
fn say(name: &str, allocations: f64, best: f64) {
    println!("{name}: {allocations} allocations, {best:.0} ns at best");
}
