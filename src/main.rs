//! The `lockgate` command.

use std::process::ExitCode;

use clap::Parser;
use lockgate::cli::Cli;

// Small and steady: most of what a request needs is freed by the thread that allocated it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
