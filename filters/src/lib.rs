//! Dialect codecs: how the wire formats of AI providers become one model, and the model one of them again.
//!
//! - [`model`]: the canonical request, response, stream event, usage and error. Everything meets here.
//! - [`dialects`]: one folder per wire format, and the table [`dialects::DIALECTS`] that lists them.
//! - [`sse`]: server-sent event framing, shared by the dialects that stream with it.
//! - [`json`]: writing JSON straight into a buffer, and finding or replacing members without parsing the rest.
//! - [`stream`]: what stands between a decoder and an encoder: putting interleaved parts in sequence, folding
//!   events into a whole response and unfolding a whole response into events.
//! - [`eventstream`]: the binary event framing of AWS.
//! - `conversation`: putting a conversation into the order that an upstream accepts.
//! - [`hosts`]: what hosts of vendors' models put around a dialect's own wire.
//! - `aws`: what AWS's services have in common.
//! - `claude`: what Claude's models take, for the wire formats that reach them.
//! - `openai`: what the dialects of `OpenAI`'s family have in common.
//! - [`schema`]: fitting a JSON Schema to the subset that an upstream accepts.
//! - [`estimate`]: how many tokens a prompt amounts to.
//! - [`alias`]: call ids and tool names that the target's character set allows.
//! - [`seal`]: the signed envelope that carries one vendor's opaque state through another vendor's field.
//!
//! The crate is sans-IO: bytes in, bytes out. It knows no runtime, no sockets, no configuration and no HTTP client;
//! the same code runs in a proxy, in a fuzz target and in a benchmark.

pub mod alias;
mod aws;
mod claude;
mod conversation;
pub mod dialects;
pub mod estimate;
pub mod eventstream;
pub mod hosts;
pub mod json;
pub mod model;
mod openai;
pub mod schema;
pub mod seal;
pub mod sse;
pub mod stream;
