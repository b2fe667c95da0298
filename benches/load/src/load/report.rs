//! The line of JSON that a run prints.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::options::Options;
use super::tally::Counts;
use crate::clock::SECOND;
use crate::procfs::{self, Usage};

/// Reports on steady load: what clients saw, and what the processes used between `before` and `after`.
pub(super) fn steady(options: &Options, counts: &Counts, before: &Usage, after: &Usage) -> Value {
    let seconds = (after.at_ns - before.at_ns) as f64 / SECOND as f64;
    let mut report = Map::new();
    let mut put = |name: &str, value: Value| {
        report.insert(name.to_owned(), value);
    };
    put("case", json!(options.name));
    put("ok", json!(counts.right));
    put("ok_ever", json!(counts.right_ever));
    put("err", json!(counts.failures.values().sum::<u64>()));
    put("errs", json!(counts.failures));
    put("seconds", round(seconds));
    put("requests_per_second", round(counts.right as f64 / seconds));
    put("megabytes_per_second", round(counts.body_bytes as f64 / seconds / 1e6));
    quantiles(&mut put, "latency", &counts.latency, &[("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)]);
    put("latency_max_us", micros(counts.latency.max()));
    if options.stream {
        put("chunks_per_second", round(counts.transit.len() as f64 / seconds));
        quantiles(&mut put, "ttft", &counts.first, &[("p50", 0.5), ("p99", 0.99), ("p999", 0.999)]);
        quantiles(&mut put, "transit", &counts.transit, &[("p50", 0.5), ("p99", 0.99), ("p999", 0.999)]);
        quantiles(&mut put, "longest_gap", &counts.longest_gap, &[("p50", 0.5), ("p99", 0.99)]);
    }
    if options.rate.is_some() {
        put("issued_late_max_us", micros(counts.late));
    }
    if let Some(pid) = options.gateway_pid {
        let gateway_us = after.gateway_ns.saturating_sub(before.gateway_ns) as f64 / 1e3;
        put("cpu_us_per_request", per(gateway_us, counts.right));
        if options.stream {
            // Few long streams end inside the window, so CPU is charged to the deltas that arrived in it.
            put("cpu_us_per_chunk", per(gateway_us, counts.transit.len()));
        }
        put("gateway_cores", round(gateway_us / 1e6 / seconds));
        put("resident_mib", round(procfs::resident_mib(pid)));
        put("peak_mib", round(procfs::peak_mib(pid)));
    }
    machine(&mut put, before, after, seconds);
    Value::Object(report)
}

/// How busy everybody else was; above about 0.3 foreign cores a run should be repeated.
fn machine(put: &mut impl FnMut(&str, Value), before: &Usage, after: &Usage, seconds: f64) {
    let cores = |from: u64, to: u64| to.saturating_sub(from) as f64 / SECOND as f64 / seconds;
    let upstream = cores(before.upstream_ns, after.upstream_ns);
    let load = cores(before.load_ns, after.load_ns);
    let own = upstream + load + cores(before.gateway_ns, after.gateway_ns);
    put("upstream_cores", round(upstream));
    put("load_cores", round(load));
    put("foreign_cores", round(((after.busy_seconds - before.busy_seconds) / seconds - own).max(0.0)));
    put("steal_cores", round((after.steal_seconds - before.steal_seconds) / seconds));
}

/// Three decimals are finer than anything here repeats.
pub(super) fn round(value: f64) -> Value {
    json!((value * 1000.0).round() / 1000.0)
}

fn quantiles(put: &mut impl FnMut(&str, Value), name: &str, values: &Histogram<u64>, points: &[(&str, f64)]) {
    if values.is_empty() {
        return;
    }
    for &(label, quantile) in points {
        put(&format!("{name}_{label}_us"), micros(values.value_at_quantile(quantile)));
    }
}

fn micros(nanos: u64) -> Value {
    round(nanos as f64 / 1e3)
}

/// Nothing at all is no basis for a cost: the figure is left out as null.
fn per(total: f64, count: u64) -> Value {
    if count == 0 { Value::Null } else { round(total / count as f64) }
}
