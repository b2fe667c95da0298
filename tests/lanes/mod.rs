//! The three ways through the gateway: same dialect, other dialect, and not understood at all.

mod bytes;
mod hangup;
mod headers;
mod lines;
mod memory;
mod passthrough;
mod translated;
mod turns;
mod upstreams;
