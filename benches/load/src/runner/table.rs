//! The table for people: one line per case, goals beside what was found.

use std::fmt::Write as _;

use super::cases::{CASES, Case, FOOTPRINTS, Footprint};
use super::gateway::Kind;
use super::samples::{FOREIGN_CORES, Samples};
use super::summary::{Verdict, footprint, ratio};

const ABSENT: &str = "–";

/// Renders all cases that were measured.
pub(super) fn render(samples: &Samples) -> String {
    let mut rows = vec![header()];
    rows.extend(CASES.iter().filter_map(|case| load_row(samples, case)));
    let mut text = align(&rows);
    text +=
        "rate and p99: lockgate; p50: latency of whole answers, first delta of streams, transit of paced deltas\n\n";
    let mut rows = vec![["footprint", "figure", "bare", "lockgate", "goal", ""].map(str::to_owned).to_vec()];
    rows.extend(FOOTPRINTS.iter().flat_map(|case| footprint_rows(samples, case)));
    text += &align(&rows);
    for (kind, name) in noisy(samples) {
        writeln!(text, "repeat: other processes used more than {FOREIGN_CORES} cores during {} {name}", kind.name())
            .expect("a string takes everything");
    }
    text
}

fn header() -> Vec<String> {
    let names =
        ["case", "rate/s", "p50 direct", "p50 bare", "p50 µs", "p99 µs", "CPU bare", "CPU µs", "ratio", "goal", ""];
    names.map(str::to_owned).to_vec()
}

fn load_row(samples: &Samples, case: &Case) -> Option<Vec<String>> {
    let [rate, middle, tail] = case.shape.shown();
    let figure = |kind, name, metric| number(samples.median(kind, name, metric));
    let measured = [Kind::Direct, Kind::Bare, Kind::Lockgate].map(|kind| samples.median(kind, case.name, rate));
    let cpu = case.shape.cpu();
    let verdict = ratio(samples, case);
    measured.iter().any(Option::is_some).then(|| {
        vec![
            case.name.to_owned(),
            figure(Kind::Lockgate, case.name, rate),
            figure(Kind::Direct, case.reference, middle),
            figure(Kind::Bare, case.reference, middle),
            figure(Kind::Lockgate, case.name, middle),
            figure(Kind::Lockgate, case.name, tail),
            figure(Kind::Bare, case.reference, cpu),
            figure(Kind::Lockgate, case.name, cpu),
            number(verdict.value),
            goal(&verdict),
            mark(&verdict),
        ]
    })
}

fn footprint_rows(samples: &Samples, case: &Footprint) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for metric in samples.metrics(Kind::Lockgate, case.name) {
        if !metric.ends_with("_mib") && !metric.ends_with("_ms") {
            continue;
        }
        let figure = |kind| number(samples.median(kind, case.name, metric));
        let mut row = vec![case.name.to_owned(), metric.to_owned(), figure(Kind::Bare), figure(Kind::Lockgate)];
        if metric == case.compared {
            let verdict = footprint(samples, case);
            row.extend([goal(&verdict), mark(&verdict)]);
        }
        rows.push(row);
    }
    rows
}

fn noisy(samples: &Samples) -> Vec<(Kind, &'static str)> {
    let kinds = [Kind::Direct, Kind::Bare, Kind::Lockgate];
    let all = CASES.iter().flat_map(|case| kinds.map(|kind| (kind, case.name)));
    all.filter(|&(kind, name)| samples.median(kind, name, "foreign_cores").is_some_and(|cores| cores > FOREIGN_CORES))
        .collect()
}

fn goal(verdict: &Verdict) -> String {
    verdict.goal.map_or_else(String::new, |goal| format!("≤ {goal:.2}"))
}

fn mark(verdict: &Verdict) -> String {
    if verdict.wrong {
        return "wrong".to_owned();
    }
    match verdict.is_met() {
        Some(true) => "ok".to_owned(),
        Some(false) => "over".to_owned(),
        None => String::new(),
    }
}

/// Three significant digits, which is what repeats.
fn number(value: Option<f64>) -> String {
    match value {
        None => ABSENT.to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// Pads every column to its widest cell, the first to the left and the others to the right.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let padded = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            line.push_str(&padded);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missed_goal_is_marked() {
        let mut samples = Samples::default();
        let report = |cpu: f64| json!({"requests_per_second": 9.0, "cpu_us_per_request": cpu, "errs": {}});
        samples.add(Kind::Bare, "plain_c64", report(50.0));
        samples.add(Kind::Lockgate, "plain_c64", report(45.0));
        let table = render(&samples);
        let row = table.lines().find(|line| line.starts_with("plain_c64")).expect("the case has a row");
        assert!(row.ends_with("0.90  ≤ 0.80  over"), "{row}");
    }
}
