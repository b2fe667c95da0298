//! Measures a lockgate binary; ends with status 1 if any answer was wrong, never because a figure is high.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use lockgate_bench::runner::{self, Args};

fn main() -> ExitCode {
    let outcome = match runner::run(&Args::parse()) {
        Ok(outcome) => outcome,
        Err(error) => {
            writeln!(io::stderr(), "bench: {error}").ok();
            return ExitCode::from(2);
        }
    };
    if write!(io::stdout(), "{}\n{}\n", outcome.table, outcome.notes.join("\n")).is_err() {
        return ExitCode::from(2);
    }
    for line in &outcome.wrong {
        writeln!(io::stderr(), "wrong: {line}").ok();
    }
    if outcome.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
