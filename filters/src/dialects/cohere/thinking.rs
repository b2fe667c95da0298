//! The two ways in which the wire tells thoughts: `tool_plan` before calls, and `thinking` parts of the content.
//!
//! Neither is signed. In the model each carries a piece of state that says which it was, so that one which comes back
//! by way of another dialect finds its place again, and is told from thoughts of other vendors' models.

use crate::model::{Family, Opaque, OpaqueKind, Reasoning, Str};

/// State of a plan.
const PLAN: &str = "tool_plan";
/// State of thinking.
const THINKING: &str = "thinking";

fn tag(data: &'static str) -> Opaque {
    let data = Str::from_static(data);
    Opaque { family: Family::Cohere, kind: OpaqueKind::Signature, model: None, id: None, data }
}

/// The state of a plan, or of thinking.
pub(super) fn state(is_plan: bool) -> Opaque {
    tag(if is_plan { PLAN } else { THINKING })
}

/// A thought with its state.
pub(super) fn reasoning(text: Str, is_plan: bool) -> Reasoning {
    Reasoning { text: Some(text), redacted: false, opaque: vec![state(is_plan)] }
}

/// Whether state is this vendor's.
pub(super) fn is_own(opaque: &Opaque) -> bool {
    opaque.family == Family::Cohere
}

/// Whether state says that its thought is a plan.
pub(super) fn is_plan(opaque: &Opaque) -> bool {
    is_own(opaque) && &*opaque.data == PLAN
}
