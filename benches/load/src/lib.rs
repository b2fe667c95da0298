//! Measures an assembled gateway on one machine, loopback only.
//!
//! `upstream` stands where the providers are, `load` where the clients are, and `runner` puts gateways between
//! them and compares. Nothing here is part of the product, and nothing here knows how the gateway works inside:
//! it is a process with a port, a process id and an answer that is either right or an error.
//!
//! What is trusted most is CPU time per request or per chunk (`procfs`), because a noisy neighbour hardly moves it.

#![expect(
    clippy::cast_precision_loss,
    reason = "measurements end as floating-point figures for people; 52 bits are more than any of them has"
)]

pub mod clock;
pub mod dialect;
pub mod load;
pub mod procfs;
pub mod runner;
pub mod stamp;
pub mod upstream;
pub mod wire;
