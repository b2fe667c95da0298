//! What went wrong in other gateways and SDKs, and must not here: rules that hold for every dialect, or between two.
//!
//! A test is named by the numbers of `docs/pitfalls.md`. What concerns one dialect alone is tested in its folder, what
//! concerns answers and attempts in `layers/tests/pitfalls.rs`, and what only the whole gateway shows in `tests`.
#![cfg(test)]

mod ends;
mod framing;
mod reasoning;
mod requests;
mod support;
mod tools;
mod usage;
