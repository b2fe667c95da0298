//! Waiting for the first right answer of a gateway that has just been started.

use std::time::Duration;

use serde_json::{Value, json};

use super::LoadError;
use super::exchange::{Connection, Plan};
use super::options::Options;
use super::tally::Tally;
use crate::clock::now_ns;

/// Time between two attempts; the figure is no finer than this.
const INTERVAL: Duration = Duration::from_millis(2);

/// Asks until an answer is right and returns when that was, or the last failure once `limit` is over.
pub async fn wait_until_ready(options: &Options, limit: Duration) -> Result<u64, String> {
    let plan = Plan::new(options);
    let tally = Tally::new(0..0);
    let mut connection = Connection::default();
    let mut last = "no attempt".to_owned();
    let attempts = async {
        loop {
            match connection.exchange(&plan, &tally).await {
                Ok(answer) => return answer.end_at,
                Err(failure) => last = failure.to_string(),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let first = tokio::time::timeout(limit, attempts).await;
    first.map_err(|_| last)
}

/// Reports how long that took.
pub(super) async fn run(options: &Options, limit: Duration) -> Result<Value, LoadError> {
    let begin = now_ns();
    Ok(match wait_until_ready(options, limit).await {
        Ok(at) => json!({"case": options.name, "ready_ms": (at - begin) as f64 / 1e6, "err": 0, "errs": {}}),
        Err(kind) => json!({"case": options.name, "err": 1, "errs": {kind: 1}}),
    })
}
