//! The summary for machines: `{case: {metric: value, "ratio_to_bare": value}}`.
//!
//! Plain names are lockgate's figures, `bare_` and `direct_` go before those of the others. A case with a goal also
//! says which figure it is about, how low it is meant to be, and whether it is.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::RunnerError;
use super::cases::{CASES, Case, FOOTPRINTS, Footprint};
use super::gateway::Kind;
use super::samples::Samples;

/// A figure beside its goal.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) value: Option<f64>,
    pub(super) goal: Option<f64>,
    /// Whether answers were wrong, so that the figure means nothing.
    pub(super) wrong: bool,
}

/// Writes the summary to `path`.
pub(super) fn write(samples: &Samples, path: &Path) -> Result<(), RunnerError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(RunnerError::io("create", folder))?;
    let mut text = format!("{:#}", Value::Object(cases(samples)));
    text.push('\n');
    fs::write(path, text).map_err(RunnerError::io("write", path))
}

/// Compares lockgate's figure of a case with that of bare Pingora in the reference case.
pub(super) fn ratio(samples: &Samples, case: &Case) -> Verdict {
    let own = samples.median(Kind::Lockgate, case.name, case.compared);
    let bare = samples.median(Kind::Bare, case.reference, case.compared);
    let value = own.zip(bare).filter(|&(_, bare)| bare > 0.0).map(|(own, bare)| own / bare);
    Verdict { value, goal: case.goal, wrong: samples.is_wrong(Kind::Lockgate, case.name) }
}

/// Reads lockgate's figure of a footprint case.
pub(super) fn footprint(samples: &Samples, case: &Footprint) -> Verdict {
    Verdict {
        value: samples.median(Kind::Lockgate, case.name, case.compared),
        goal: Some(case.goal),
        wrong: samples.is_wrong(Kind::Lockgate, case.name),
    }
}

fn cases(samples: &Samples) -> Map<String, Value> {
    let mut all = Map::new();
    for case in CASES {
        let verdict = ratio(samples, case);
        let ratio = verdict.value;
        add(&mut all, samples, case.name, ("ratio_to_bare", &verdict), ratio);
    }
    for case in FOOTPRINTS {
        add(&mut all, samples, case.name, (case.compared, &footprint(samples, case)), None);
    }
    all
}

fn add(
    all: &mut Map<String, Value>,
    samples: &Samples,
    name: &str,
    (goal_on, verdict): (&str, &Verdict),
    ratio: Option<f64>,
) {
    let mut case = Map::new();
    for (kind, prefix) in [(Kind::Lockgate, ""), (Kind::Bare, "bare_"), (Kind::Direct, "direct_")] {
        for metric in samples.metrics(kind, name) {
            let value = samples.median(kind, name, metric).map(thousandths);
            case.insert(format!("{prefix}{metric}"), json!(value));
        }
    }
    if case.is_empty() {
        return;
    }
    case.insert("ratio_to_bare".to_owned(), json!(ratio.map(thousandths)));
    case.insert("wrong".to_owned(), json!(verdict.wrong));
    if let Some(goal) = verdict.goal {
        case.insert("goal".to_owned(), json!(goal));
        case.insert("goal_on".to_owned(), json!(goal_on));
        case.insert("goal_met".to_owned(), json!(verdict.is_met()));
    }
    all.insert(name.to_owned(), Value::Object(case));
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

// === impl Verdict ===

impl Verdict {
    /// Tells whether the goal is met; `None` where there is no goal or no figure.
    pub(super) fn is_met(&self) -> Option<bool> {
        self.value.zip(self.goal).map(|(value, goal)| value <= goal && !self.wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_is_compared_with_the_same_shape_of_one_dialect() {
        let mut samples = Samples::default();
        samples.add(Kind::Bare, "stream_flood", json!({"cpu_us_per_chunk": 2.0, "errs": {}}));
        samples.add(Kind::Lockgate, "cross_oa_an_flood", json!({"cpu_us_per_chunk": 2.5, "errs": {}}));
        let cases = cases(&samples);
        assert_eq!(cases["cross_oa_an_flood"]["ratio_to_bare"], 1.25);
        assert_eq!(cases["cross_oa_an_flood"]["goal_met"], true);
        assert_eq!(cases["stream_flood"]["bare_cpu_us_per_chunk"], 2.0);
        assert_eq!(cases["stream_flood"]["ratio_to_bare"], Value::Null);
    }

    #[test]
    fn a_wrong_answer_meets_no_goal() {
        let mut samples = Samples::default();
        samples.add(Kind::Lockgate, "upload_20m", json!({"growth_mib": 0.1, "errs": {"status 502": 1}}));
        assert_eq!(cases(&samples)["upload_20m"]["goal_met"], false);
    }
}
