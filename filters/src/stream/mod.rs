//! What stands between a decoder and an encoder, and what decoders have in common.

mod fold;
mod free;
mod restore;
mod sequence;
mod template;
mod unfold;

pub use fold::Folder;
pub use restore::Restorer;
pub use sequence::Sequencer;
pub(crate) use template::{Template, Varying};
pub use unfold::unfold;
pub(crate) use unfold::unfold_part;
