//! What is known of models, by the beginning of their id, whatever the host and the wire format.
//!
//! Facts are from the vendor's model pages and from recorded refusals. A model that no row knows is taken for one of
//! the newest generation.

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Beginning of the ids, from `claude-` on.
    prefix: &'static str,
    /// Most output tokens.
    pub(crate) max_output: u64,
    /// How thinking is asked for.
    pub(crate) thinking: Thinking,
    /// How thinking is switched off.
    pub(crate) off: Off,
    /// Which sampling parameters are taken.
    pub(crate) sampling: SamplingRule,
    /// Whether structured output (`output_config.format`) and strict tools are taken.
    pub(crate) structured: bool,
    /// Whether the conversation may end with words put into the model's mouth.
    pub(crate) prefill: bool,
    /// Whether system messages may stand in the middle.
    pub(crate) mid_system: bool,
    /// Whether a tool may be forced.
    pub(crate) forced_tools: bool,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// The model does not think.
    None,
    /// With a token budget.
    Budget,
    /// With a token budget; thinking between tool calls needs a beta.
    BudgetInterleaved,
    /// Adaptively, up to effort `high` and `max`; a budget is still taken.
    AdaptiveOrBudget,
    /// Adaptively only.
    Adaptive,
}

/// How thinking is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Off {
    /// By saying nothing.
    Omit,
    /// With `{"type":"disabled"}`.
    Disabled,
    /// Not at all; `{"type":"between_tools"}` is the least.
    BetweenTools,
    /// Not at all; the lowest effort is the least.
    LowEffort,
}

/// Which sampling parameters are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SamplingRule {
    /// All.
    All,
    /// `temperature` or `top_p`, not both.
    OneOf,
    /// None.
    None,
}

const fn row(prefix: &'static str, max_output: u64, thinking: Thinking, off: Off) -> Profile {
    Profile {
        prefix,
        max_output,
        thinking,
        off,
        sampling: SamplingRule::None,
        structured: true,
        prefill: false,
        mid_system: true,
        forced_tools: true,
    }
}

/// A model before 4.6: it takes prefills, and all sampling parameters or all but one.
const fn old(prefix: &'static str, max_output: u64, thinking: Thinking, sampling: SamplingRule) -> Profile {
    let off = if matches!(thinking, Thinking::None) { Off::Omit } else { Off::Disabled };
    let structured = matches!(sampling, SamplingRule::OneOf);
    Profile { sampling, structured, prefill: true, mid_system: false, ..row(prefix, max_output, thinking, off) }
}

const fn v46(prefix: &'static str) -> Profile {
    let row = row(prefix, 128_000, Thinking::AdaptiveOrBudget, Off::Disabled);
    Profile { sampling: SamplingRule::OneOf, mid_system: false, ..row }
}

/// A model of the newest generation that does not let itself be forced.
const fn free(prefix: &'static str, off: Off) -> Profile {
    Profile { forced_tools: false, ..row(prefix, 128_000, Thinking::Adaptive, off) }
}

/// The first row whose prefix fits counts, so longer prefixes stand first; the last fits all.
const PROFILES: &[Profile] = &[
    old("claude-2", 4096, Thinking::None, SamplingRule::All),
    old("claude-instant", 4096, Thinking::None, SamplingRule::All),
    old("claude-3-5-", 8192, Thinking::None, SamplingRule::All),
    old("claude-3-7-", 64_000, Thinking::Budget, SamplingRule::All),
    old("claude-3-", 4096, Thinking::None, SamplingRule::All),
    old("claude-opus-4-1", 32_000, Thinking::BudgetInterleaved, SamplingRule::OneOf),
    old("claude-opus-4-5", 64_000, Thinking::BudgetInterleaved, SamplingRule::OneOf),
    old("claude-sonnet-4-5", 64_000, Thinking::BudgetInterleaved, SamplingRule::OneOf),
    old("claude-haiku-4-5", 64_000, Thinking::BudgetInterleaved, SamplingRule::OneOf),
    v46("claude-opus-4-6"),
    v46("claude-sonnet-4-6"),
    Profile { mid_system: false, ..row("claude-opus-4-7", 128_000, Thinking::Adaptive, Off::Omit) },
    row("claude-opus-4-8", 128_000, Thinking::Adaptive, Off::Omit),
    old("claude-opus-4", 32_000, Thinking::BudgetInterleaved, SamplingRule::All),
    old("claude-sonnet-4", 64_000, Thinking::BudgetInterleaved, SamplingRule::All),
    free("claude-opus-5-5", Off::LowEffort),
    free("claude-sonnet-5-5", Off::BetweenTools),
    free("claude-fable-5-1", Off::LowEffort),
    free("claude-mythos-5-1", Off::LowEffort),
    row("claude-fable", 128_000, Thinking::Adaptive, Off::LowEffort),
    row("claude-mythos", 128_000, Thinking::Adaptive, Off::LowEffort),
    row("claude-", 128_000, Thinking::Adaptive, Off::Disabled),
    row("", 128_000, Thinking::Adaptive, Off::Disabled),
];

/// The default output limit where the client sets none: long enough for any ordinary answer.
const DEFAULT_OUTPUT: u64 = 32_000;

impl Profile {
    /// The profile of a model by any of its ids: `claude-…`, `anthropic/claude-…`, `us.anthropic.claude-…-v1:0`.
    pub(crate) fn of(model: &str) -> Self {
        let id = model.to_ascii_lowercase().replace('.', "-");
        let id = id.find("claude-").and_then(|at| id.get(at..)).unwrap_or(&id);
        let found = PROFILES.iter().find(|profile| id.starts_with(profile.prefix));
        found.copied().unwrap_or(row("", 128_000, Thinking::Adaptive, Off::Disabled))
    }

    /// Whether a row knows the model, so that its limit can be relied on.
    pub(crate) fn is_known(&self) -> bool {
        self.prefix.len() > "claude-".len()
    }

    /// The output limit where the client sets none.
    pub(crate) fn default_output(&self) -> u64 {
        self.max_output.min(DEFAULT_OUTPUT)
    }

    /// Whether effort `xhigh` is taken.
    pub(crate) fn has_xhigh(&self) -> bool {
        self.thinking == Thinking::Adaptive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_every_host_find_their_row() {
        for (id, prefix) in [
            ("claude-3-5-haiku-20241022", "claude-3-5-"),
            ("claude-3-opus-20240229", "claude-3-"),
            ("anthropic/claude-haiku-4.5", "claude-haiku-4-5"),
            ("us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
            ("claude-sonnet-4-20250514", "claude-sonnet-4"),
            ("claude-sonnet-4@20250514", "claude-sonnet-4"),
            ("claude-opus-5-5", "claude-opus-5-5"),
            ("claude-opus-9", "claude-"),
            ("something", ""),
        ] {
            assert_eq!(Profile::of(id).prefix, prefix, "the row of {id}");
        }
    }

    #[test]
    fn no_row_hides_another() {
        for (at, row) in PROFILES.iter().enumerate() {
            let hidden = PROFILES.iter().skip(at + 1).find(|later| later.prefix.starts_with(row.prefix));
            assert_eq!(hidden, None, "`{}` hides a later row", row.prefix);
        }
    }
}
