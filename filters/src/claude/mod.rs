//! Claude, whoever hosts it: what its models take, and how much they are made to think.
//!
//! Two wire formats reach the same models, and the same facts decide what is sent in either. How it is written is the
//! wire format's business, but for the `thinking` object, which is the vendor's own wherever it stands.

mod profile;
mod thinking;

pub(crate) use profile::{Profile, Thinking};
pub(crate) use thinking::{Mode, Obstacles, Plan, loop_lacks_thinking};
