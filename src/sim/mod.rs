//! `sim`: a provider in the binary, for trying the gateway without a key and for testing it without a network.
//!
//! It is reached over a real loopback socket like any other provider and speaks every dialect. What it does is said by
//! the model's name: words joined by `+`, some with a value, for example `sim/think+echo+pace=20`. The words are
//! listed in `behaviour`, and in docs/sim.md. The same request always gets the same answer.

mod behaviour;
mod invent;
mod script;
mod server;

pub use server::Sim;
