//! Loads one gateway and prints one line of JSON; ends with status 1 if any answer was wrong.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use lockgate_bench::load::{self, Options};

fn main() -> ExitCode {
    let report = match load::run(&Options::parse()) {
        Ok(report) => report,
        Err(error) => {
            writeln!(io::stderr(), "bench-load: {error}").ok();
            return ExitCode::from(2);
        }
    };
    if writeln!(io::stdout(), "{report}").is_err() {
        return ExitCode::from(2);
    }
    if report["err"] == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
