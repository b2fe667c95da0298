//! JSON without a tree: writing straight into a buffer, and finding top-level members to replace in place.

mod object;
mod read;
mod splice;
mod write;

pub(crate) use object::Writer;
pub(crate) use read::{Object, Text, keep_raw, slice};
pub use splice::{Member, MemberError, Members, Splice, apply, apply_in_pieces};
pub(crate) use write::one_line;
pub use write::{push_raw_str, push_str, push_u64};
