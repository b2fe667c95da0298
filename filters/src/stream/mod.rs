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

/// Events that mean the same, with blanks behind the first brace, more each time: none begins like another, so each
/// takes the slow path.
#[cfg(test)]
pub(crate) fn hidden(events: &[&str]) -> Vec<String> {
    let blanks = |at: usize| format!("{{{}", " ".repeat(at));
    events.iter().enumerate().map(|(at, event)| event.replacen('{', &blanks(at), 1)).collect()
}
