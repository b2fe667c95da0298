//! The runner: starts everything, measures case by case, compares, and writes the summary.
//!
//! Upstream and load share one core, the gateway under test has another. In each round every case runs on all
//! gateways back to back, so that a change in the machine's mood touches all of them alike; figures are medians over
//! the rounds. The footprint cases get a gateway of their own, because memory has a history.

mod args;
mod cases;
mod footprint;
mod gateway;
mod pinning;
mod process;
mod rounds;
mod samples;
mod summary;
mod table;

use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

pub use args::Args;

/// Why a run could not be carried out; wrong answers are not among these, they are in the [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The machine refused something.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was refused.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program of this package has not been built.
    #[error("`{}` is missing; build the whole package: `cargo build --release -p lockgate-bench`", .0.display())]
    Missing(PathBuf),
    /// A gateway was started and gave no right answer in time.
    #[error("{name} gave no right answer: {last}; the end of its log:\n{log}")]
    NotReady {
        /// Which gateway.
        name: &'static str,
        /// What was wrong with the last answer.
        last: String,
        /// What it wrote at the end.
        log: String,
    },
    /// The load generator itself failed.
    #[error("the load for `{case}` failed: {reason}")]
    Load {
        /// During which case.
        case: &'static str,
        /// Why.
        reason: String,
    },
    /// The upstream's control endpoint did not answer.
    #[error("the upstream does not answer: {0}")]
    Control(#[source] io::Error),
    /// `--cases` selects nothing.
    #[error("no case matches `{0}`")]
    NoCase(String),
    /// Somebody asked the run to stop.
    #[error("interrupted")]
    Interrupted,
}

/// What a run found.
#[derive(Debug)]
pub struct Outcome {
    /// The table for people.
    pub table: String,
    /// What to know about the run.
    pub notes: Vec<String>,
    /// Wrong answers, one line each; empty if all were right.
    pub wrong: Vec<String>,
}

/// Runs all rounds and writes the summary; children end with it, also when it is interrupted.
pub fn run(args: &Args) -> Result<Outcome, RunnerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RunnerError::io("start", "the runtime"))?;
    runtime.block_on(async {
        tokio::select! {
            outcome = rounds::run(args) => outcome,
            () = interrupted() => Err(RunnerError::Interrupted),
        }
    })
}

async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

// === impl RunnerError ===

impl RunnerError {
    fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
