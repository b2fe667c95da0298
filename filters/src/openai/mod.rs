//! What `OpenAI`'s dialects have in common: error bodies, token counts, the way in which a stream is asked for them, the
//! watch over a stream that passes, media, and what is known of models by their id.
//!
//! Several dialects of its own, and gateways' dialects that answer with its errors, meet here instead of knowing each
//! other.

pub(crate) mod error;
pub(crate) mod ids;
pub(crate) mod inspect;
pub(crate) mod media;
pub(crate) mod profile;
pub(crate) mod tap;
pub(crate) mod usage;
pub(crate) mod wire;

/// What ends a stream.
pub(crate) const DONE: &str = "[DONE]";
