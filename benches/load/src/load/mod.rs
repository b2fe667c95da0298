//! The load generator: what clients do, and whether what they got was right.
//!
//! One thread, raw HTTP/1.1 with keep-alive, no client library. An answer counts only if its status is 200, its body
//! ends as announced, it carries as many text deltas as expected in the order they were written, and a stream ends
//! with its dialect's closing event. Everything else is an error, counted by kind, never throughput.
//!
//! `steady` runs the closed and the open loop, `hold` and `upload` the two cases about memory, and `ready` waits for
//! the first right answer.

pub mod options;

mod exchange;
mod hold;
mod pacer;
mod ready;
mod report;
mod request;
mod steady;
mod tally;
mod upload;

use serde_json::Value;
use tokio::task::LocalSet;

pub use options::{Mode, Options};
pub use ready::wait_until_ready;

/// Why the load could not be run at all; a wrong answer is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The machine refused something that the bench needs for itself.
    #[error("cannot {doing}")]
    Io {
        /// What was refused.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Runs what `options` describe and returns the report that is printed as one line of JSON.
///
/// The member `err` counts wrong and missing answers, `errs` counts them by kind.
pub fn run(options: &Options) -> Result<Value, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| LoadError::Io { doing: "start the runtime", source })?;
    LocalSet::new().block_on(&runtime, async {
        match options.mode() {
            Mode::Ready(limit) => ready::run(options, limit).await,
            Mode::Hold(streams) => Ok(hold::run(options, streams).await),
            Mode::Upload(bytes) => Ok(upload::run(options, bytes).await),
            Mode::Steady => steady::run(options).await,
        }
    })
}
