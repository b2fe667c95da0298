//! The gateway as its users meet it: the real binary, real sockets, upstreams that follow a script.
//!
//! Each module is a subject, each test a fact about it. `support` starts the processes and speaks raw HTTP, so that a
//! test can send what no client library would. `LOCKGATE_BIN` names another binary to test.
#![cfg(test)]

mod support;

mod architecture;
mod bedrock;
mod catalog;
mod cli;
mod clients;
mod conversations;
mod corpus;
mod counts;
mod envelopes;
mod errors;
mod failover;
mod hardening;
mod hosts;
mod lanes;
mod lifecycle;
mod listeners;
mod media;
mod observe;
mod pitfalls;
mod routes;
mod sim;
mod timeouts;
