//! Lockgate: an AI edge gateway. Any client dialect to any provider, on Pingora and Tower.
//!
//! Reading order:
//!
//! - [`serve`]: the process: listeners, signals, reload, drain.
//! - [`edge`]: the Pingora side. The only module that knows Pingora.
//! - [`gateway`]: one configuration as a snapshot that can serve; [`routes`] is its route table.
//! - [`stack`]: the way of a request through the layers.
//! - [`upstream`]: connections to providers.
//! - [`api`]: what the gateway answers by itself; [`sim`]: the provider that it brings along.
//! - [`errors`]: the one place that turns causes into answers.
//! - [`observe`]: access log and metrics.
//! - [`cli`]: the commands.

pub mod api;
pub mod cli;
pub mod edge;
pub mod errors;
pub mod gateway;
pub mod observe;
pub mod routes;
pub mod serve;
pub mod sim;
pub mod stack;
pub mod upstream;
