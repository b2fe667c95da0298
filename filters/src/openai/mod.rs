//! What `OpenAI`'s dialects have in common: error bodies, token counts, the way in which a stream is asked for them, and
//! the watch over a stream that passes.
//!
//! Several dialects of its own, and gateways' dialects that answer with its errors, meet here instead of knowing each
//! other.

pub(crate) mod error;
pub(crate) mod inspect;
pub(crate) mod tap;
pub(crate) mod usage;
pub(crate) mod wire;

/// What ends a stream.
pub(crate) const DONE: &str = "[DONE]";
