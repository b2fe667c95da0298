//! What went wrong in other gateways and SDKs, and must not here: rules that hold for every dialect, or between two.
//!
//! A test is named by the numbers of `docs/pitfalls.md`. What concerns one dialect alone is tested in its folder, what
//! concerns answers and attempts in `layers/tests/pitfalls.rs`, and what only the whole gateway shows in `tests`.
#![cfg(test)]

mod arguments;
mod calls;
mod ends;
mod framing;
mod pairs;
mod reasoning;
mod requests;
mod support;
mod thinking;
mod usage;
