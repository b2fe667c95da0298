//! What is known of models by their id.

use crate::model::Effort;

/// What the encoder needs to know of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// A reasoning model of `OpenAI`: takes `max_completion_tokens` only, and refuses sampling parameters.
    pub(crate) reasoning: bool,
    /// Takes instructions in a `developer` message.
    pub(crate) developer: bool,
    /// Takes sampling parameters when `reasoning_effort` is `none`.
    pub(crate) samples_without_effort: bool,
    /// Takes `stop`.
    pub(crate) stop: bool,
    /// Takes `parallel_tool_calls`.
    pub(crate) parallel: bool,
    /// The efforts that it knows, least and most; `None` if it knows none, or if nothing is known of it.
    pub(crate) efforts: Option<(Effort, Effort)>,
    /// Known not to think: refuses `reasoning_effort`.
    pub(crate) never_thinks: bool,
}

/// A model of which nothing is known: another vendor's, or one that does not think.
const PLAIN: Profile = Profile {
    reasoning: false,
    developer: false,
    samples_without_effort: false,
    stop: true,
    parallel: true,
    efforts: None,
    never_thinks: false,
};
const CHAT: Profile = Profile { never_thinks: true, ..PLAIN };
const O_SERIES: Profile = Profile {
    reasoning: true,
    developer: true,
    stop: false,
    parallel: false,
    efforts: Some((Effort::Low, Effort::High)),
    ..PLAIN
};
const GPT_5: Profile = Profile { parallel: true, efforts: Some((Effort::Minimal, Effort::High)), ..O_SERIES };
/// From GPT-5.1 on, effort `none` makes it a model that samples.
const GPT_5_1: Profile = Profile { samples_without_effort: true, efforts: Some((Effort::None, Effort::High)), ..GPT_5 };
const NEWEST: Profile = Profile { efforts: Some((Effort::None, Effort::XHigh)), ..GPT_5_1 };

/// By prefix; the first that fits counts, so longer ones stand first.
const PROFILES: &[(&str, Profile)] = &[
    ("o1-mini", Profile { developer: false, efforts: None, never_thinks: true, ..O_SERIES }),
    ("o1-preview", Profile { developer: false, efforts: None, never_thinks: true, ..O_SERIES }),
    ("o1", Profile { stop: true, ..O_SERIES }),
    ("o3", O_SERIES),
    ("o4", O_SERIES),
    ("codex-mini", O_SERIES),
    ("gpt-5-chat", CHAT),
    ("gpt-5.1", GPT_5_1),
    ("gpt-5.", NEWEST),
    ("gpt-5", GPT_5),
    // A generation that is not known yet is like the newest that is.
    ("gpt-6", NEWEST),
    ("gpt-7", NEWEST),
    ("gpt-3.5", CHAT),
    ("gpt-4", CHAT),
    ("gpt-4.", CHAT),
    ("gpt-4o", CHAT),
    ("chatgpt", CHAT),
];

/// The profile of a model id. A vendor before it (`openai/o3`) does not count.
pub(crate) fn of(model: &str) -> Profile {
    let id = model.rsplit('/').next().unwrap_or(model);
    // What follows a prefix ends a word (`o1` is not the beginning of `o1x`), unless the prefix ends with a dot.
    let fits = |prefix: &str| {
        id.strip_prefix(prefix)
            .is_some_and(|rest| prefix.ends_with('.') || !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    PROFILES.iter().find(|(prefix, _)| fits(prefix)).map_or(PLAIN, |(_, profile)| *profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_models_are_known_by_prefix() {
        for id in ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini", "gpt-5.2", "openai/gpt-5", "gpt-6-pro"]
        {
            assert!(of(id).reasoning, "{id} is a reasoning model");
        }
        for id in ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest", "o1x", "gpt-50", "llama-3", "o200k", ""] {
            assert!(!of(id).reasoning, "{id} is not a reasoning model");
        }
    }

    #[test]
    fn only_newer_models_sample_with_effort_none() {
        assert!(of("gpt-5.1").samples_without_effort);
        assert!(!of("gpt-5").samples_without_effort);
    }
}
