//! What stands between a decoder and an encoder.

mod fold;
mod restore;
mod sequence;
mod unfold;

pub use fold::Folder;
pub use restore::Restorer;
pub use sequence::Sequencer;
pub use unfold::unfold;
