//! What the rounds found: reports by gateway and case, and their medians.

use std::collections::BTreeMap;

use serde_json::Value;

use super::gateway::Kind;

/// Above this many cores used by strangers a figure is not to be trusted.
pub(super) const FOREIGN_CORES: f64 = 0.3;

/// All reports of a run.
#[derive(Debug, Default)]
pub(super) struct Samples {
    reports: BTreeMap<(Kind, &'static str), Vec<Value>>,
    wrong: Vec<Wrong>,
}

/// Something that was wrong, and where.
#[derive(Debug)]
struct Wrong {
    kind: Kind,
    case: String,
    what: String,
}

// === impl Samples ===

impl Samples {
    /// Keeps a report and notes what was wrong in it.
    pub(super) fn add(&mut self, kind: Kind, case: &'static str, report: Value) {
        for (error, count) in report["errs"].as_object().into_iter().flatten() {
            self.note_wrong(kind, case, &format!("{error} (×{count})"));
        }
        self.reports.entry((kind, case)).or_default().push(report);
    }

    /// Notes something wrong that is not in a report.
    pub(super) fn note_wrong(&mut self, kind: Kind, case: &str, what: &str) {
        self.wrong.push(Wrong { kind, case: case.to_owned(), what: what.to_owned() });
    }

    /// Renders everything that was wrong, one line each.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.iter().map(|Wrong { kind, case, what }| format!("{} {case}: {what}", kind.name())).collect()
    }

    /// Tells whether the gateway did something wrong in the case, which makes its figures worthless.
    pub(super) fn is_wrong(&self, kind: Kind, case: &str) -> bool {
        self.wrong.iter().any(|wrong| wrong.kind == kind && wrong.case == case)
    }

    /// Returns the median over the rounds that have the figure.
    pub(super) fn median(&self, kind: Kind, case: &str, metric: &str) -> Option<f64> {
        let reports = self.reports(kind, case);
        let mut values: Vec<f64> = reports.iter().filter_map(|report| report[metric].as_f64()).collect();
        values.sort_by(f64::total_cmp);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(f64::midpoint(lower, upper))
    }

    /// Lists the names of all figures in the reports, in the order of the first.
    pub(super) fn metrics(&self, kind: Kind, case: &str) -> Vec<&str> {
        let first = self.reports(kind, case).first().and_then(Value::as_object);
        first.into_iter().flatten().filter(|(_, value)| value.is_number()).map(|(name, _)| name.as_str()).collect()
    }

    fn reports(&self, kind: Kind, case: &str) -> &[Value] {
        let found = self.reports.iter().find(|((of, name), _)| *of == kind && *name == case);
        found.map_or(&[], |(_, reports)| reports.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn medians_skip_rounds_without_the_figure() {
        let mut samples = Samples::default();
        for value in [json!(5.0), json!(null), json!(1.0), json!(2.0), json!(40.0)] {
            samples.add(Kind::Bare, "plain_c1", json!({"x": value, "errs": {}}));
        }
        assert_eq!(samples.median(Kind::Bare, "plain_c1", "x"), Some(3.5));
        assert_eq!(samples.median(Kind::Lockgate, "plain_c1", "x"), None);
    }

    #[test]
    fn wrong_answers_are_named_with_their_gateway() {
        let mut samples = Samples::default();
        samples.add(Kind::Lockgate, "stream_flood", json!({"errs": {"no closing event": 2}}));
        assert_eq!(samples.wrong(), ["lockgate stream_flood: no closing event (×2)"]);
        assert!(samples.is_wrong(Kind::Lockgate, "stream_flood"));
        assert!(!samples.is_wrong(Kind::Bare, "stream_flood"));
    }
}
