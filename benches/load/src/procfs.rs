//! What processes cost, read from `/proc`.
//!
//! Everything is summed over the process and all its descendants, so that a gateway that forks is charged in full.
//! CPU is the scheduler's own account in nanoseconds (`schedstat`), not the sampled ticks of `stat`. It
//! dies with its thread, so a process that ends threads while it is measured would look cheaper than it is.

use std::collections::HashMap;
use std::fs;

/// Seconds per tick of `/proc/stat`; fixed in the kernel's interface.
const TICK_SECONDS: f64 = 0.01;

/// What a process tree and the whole machine have used by one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// When this was read, on the monotonic clock.
    pub at_ns: u64,
    /// CPU time of the gateway.
    pub gateway_ns: u64,
    /// CPU time of the mock upstream.
    pub upstream_ns: u64,
    /// CPU time of the load generator.
    pub load_ns: u64,
    /// CPU seconds of all processes.
    pub busy_seconds: f64,
    /// CPU seconds that the hypervisor gave to others.
    pub steal_seconds: f64,
}

/// Reads the usage of the gateway, the upstream and this process.
pub fn usage(gateway: Option<u32>, upstream: Option<u32>) -> Usage {
    let (busy_seconds, steal_seconds) = machine_seconds();
    Usage {
        at_ns: crate::clock::now_ns(),
        gateway_ns: gateway.map_or(0, cpu_ns),
        upstream_ns: upstream.map_or(0, cpu_ns),
        load_ns: cpu_ns(std::process::id()),
        busy_seconds,
        steal_seconds,
    }
}

/// Sums the run time of every thread of the process tree.
pub fn cpu_ns(root: u32) -> u64 {
    let mut total = 0;
    for pid in tree(root) {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            total += text.split_whitespace().next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    total
}

/// Returns the resident memory of the process tree in MiB.
pub fn resident_mib(root: u32) -> f64 {
    memory_mib(root, "VmRSS:")
}

/// Returns the peak resident memory of the process tree in MiB.
pub fn peak_mib(root: u32) -> f64 {
    memory_mib(root, "VmHWM:")
}

/// Lowers the recorded peak of the process tree to what is resident now, so that an earlier peak hides nothing.
pub fn reset_peak(root: u32) {
    for pid in tree(root) {
        // Where the kernel refuses, the old peak stays, which is what a reader of `VmHWM` would see anyway.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").ok();
    }
}

fn memory_mib(root: u32, field: &str) -> f64 {
    let mut kib = 0;
    for pid in tree(root) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        kib += line.split_whitespace().next().and_then(|value| value.parse::<u64>().ok()).unwrap_or(0);
    }
    kib as f64 / 1024.0
}

/// Lists `root` and all its descendants.
fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut pids = vec![root];
    let mut next = 0;
    while next < pids.len() {
        pids.extend(children.remove(&pids[next]).unwrap_or_default());
        next += 1;
    }
    pids
}

/// The parent is the second field behind the command, which may itself hold blanks and brackets.
fn parent(stat: &str) -> Option<u32> {
    let (_, behind_command) = stat.rsplit_once(')')?;
    behind_command.split_whitespace().nth(1)?.parse().ok()
}

/// Busy and stolen seconds over all CPUs.
fn machine_seconds() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else { return (0.0, 0.0) };
    ((user + nice + system + irq + softirq) * TICK_SECONDS, steal * TICK_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_an_odd_command() {
        assert_eq!(parent("7 (a) b (c) S 42 7 7 0"), Some(42));
    }

    #[test]
    fn this_process_has_run_and_has_memory() {
        let me = std::process::id();
        assert!(cpu_ns(me) > 0, "schedstat is readable");
        assert!(peak_mib(me) >= resident_mib(me) * 0.9, "the peak is not below the present");
    }
}
