//! What the tests stand on: the gateway as a process, upstreams that follow a script, and raw clients.

pub(crate) mod ask;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod face;
pub(crate) mod gateway;
pub(crate) mod http2;
pub(crate) mod script;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod wire;

use std::time::Duration;

pub(crate) use self::{
    ask::Ask,
    client::{Answer, Client},
    config::Config,
    face::Face,
    gateway::Gateway,
    script::Script,
    upstream::Upstream,
};

/// How long a test waits for what must come at once. Generous: test machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Waits for `future`, and fails the test by name of what was awaited if it takes longer than [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("{what} must happen within {PATIENCE:?}"))
}

/// Waits until `ready` says yes, asking again every few milliseconds.
pub(crate) async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    soon(what, async {
        while !ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
