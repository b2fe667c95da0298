//! Nothing that stands in a file can take the process down.

use proptest::prelude::*;

use crate::{Config, MapEnv, load_str};

/// Pieces of configurations, right and wrong, to be put together at random.
const PIECES: &[&str] = &[
    "providers:",
    "models:",
    "routes:",
    "keys:",
    "listen:",
    "timeouts:",
    "layers:",
    " openai:",
    " a:",
    " b:",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "\"",
    "'",
    "&x ",
    "*x",
    "${A}",
    "${",
    "}",
    "!!str ",
    "|\n",
    ">\n",
    "#",
    "\t",
    "path: /x/{y}",
    "route_type: llm/v1/chat",
    "10s",
    "5",
    "-1",
    "1e99",
    "null",
    "true",
    "sim/a",
    "targets: [sim/a]",
    "failover:",
    "base_url: http://h",
    "dialect: openai",
    "é",
    "\u{feff}",
    "\u{0}",
    "---",
    "...",
    "? ",
    "<<: ",
];

fn env() -> MapEnv {
    MapEnv::new().with_var("A", "x: [1]")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_loaded_or_refused(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_mixture_is_loaded_or_refused(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check(&pieces.concat())?;
    }

    #[test]
    fn any_change_of_the_example_is_loaded_or_refused(at in 0..3000usize, len in 0..20usize, new in ".{0,6}") {
        let example = include_str!("../../data/example.yaml");
        let kept = example.chars().take(at).chain(new.chars()).chain(example.chars().skip(at + len));
        check(&kept.collect::<String>())?;
    }
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match load_str("any.yaml", text, &env()) {
        Ok(Config { listeners, .. }) => prop_assert!(!listeners.is_empty()),
        Err(report) => {
            prop_assert!(!report.problems.is_empty());
            prop_assert!(!report.to_string().contains("unreadable value"), "schema and types differ: {report}");
            for problem in &report.problems {
                // The end of the file is at the line after the last one.
                let lines = text.split(['\n', '\r']).count() + 1;
                prop_assert!(problem.line <= lines, "line {} of {lines}", problem.line);
            }
        }
    }
    Ok(())
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let report = load_str("big.yaml", &"#".repeat(crate::MAX_FILE_BYTES + 1), &env()).expect_err("it is too large");
    assert_eq!(report.to_string(), "big.yaml: the file is larger than 4 MiB");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let report = crate::load(Some("/no/where.yaml".as_ref()), &env()).expect_err("it is not there");
    assert_eq!(report.to_string(), "/no/where.yaml: cannot read the file: entity not found");
}

#[test]
fn a_long_chain_of_names_ends_in_a_report() {
    use std::fmt::Write;
    let mut text = "models:\n  m0: sim/a\n".to_owned();
    for index in 1..2000 {
        writeln!(text, "  m{index}: m{}", index - 1).expect("a string takes everything");
    }
    assert!(load_str("chain.yaml", &text, &env()).is_err());
}
