//! What is known of Gemini's models, by the beginnings of their names.

use crate::model::Effort;

/// What a model takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    /// How its thinking is dosed.
    pub(super) thinking: Thinking,
    /// Generation 3 or later: call ids, signatures on every step, media in results, functions beside Google's tools,
    /// JSON output beside functions.
    pub(super) modern: bool,
    /// Whether schemas may be JSON Schema rather than the `OpenAPI` subset.
    pub(super) json_schema: bool,
    /// Whether there is a `systemInstruction`.
    pub(super) system: bool,
}

/// How thinking is dosed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thinking {
    /// It does not think.
    None,
    /// By `thinkingBudget`.
    Budget {
        /// The smallest budget above zero.
        min: u64,
        /// The largest.
        max: u64,
        /// Whether zero turns it off.
        off: bool,
    },
    /// By `thinkingLevel`; it cannot be turned off.
    Level(&'static [Effort]),
}

const PLAIN: Profile = Profile { thinking: Thinking::None, modern: false, json_schema: false, system: true };
const BUDGET: Profile = Profile { json_schema: true, ..PLAIN };
const MODERN: Profile = Profile {
    thinking: Thinking::Level(&[Effort::Low, Effort::Medium, Effort::High]),
    modern: true,
    json_schema: true,
    system: true,
};
const ALL_LEVELS: Thinking = Thinking::Level(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]);

/// The first row whose beginning fits; names that no row knows are newer than this table.
const PROFILES: &[(&str, Profile)] = &[
    ("gemma", Profile { system: false, ..PLAIN }),
    ("gemini-1", PLAIN),
    ("gemini-2.0", PLAIN),
    ("gemini-2.5-pro", Profile { thinking: Thinking::Budget { min: 128, max: 32768, off: false }, ..BUDGET }),
    ("gemini-2.5-flash-lite", Profile { thinking: Thinking::Budget { min: 512, max: 24576, off: true }, ..BUDGET }),
    ("gemini-2.5-flash-image", BUDGET),
    ("gemini-2.5-flash-preview-tts", BUDGET),
    ("gemini-2.5", Profile { thinking: Thinking::Budget { min: 1, max: 24576, off: true }, ..BUDGET }),
    ("gemini-3-pro", Profile { thinking: Thinking::Level(&[Effort::Low, Effort::High]), ..MODERN }),
    ("gemini-3-flash", Profile { thinking: ALL_LEVELS, ..MODERN }),
];

/// What the model of a name takes.
pub(super) fn profile(model: &str) -> Profile {
    let name = model.rsplit('/').next().unwrap_or(model);
    PROFILES.iter().find(|(start, _)| name.starts_with(start)).map_or(MODERN, |(_, profile)| *profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_models_are_the_newest() {
        assert!(profile("gemini-9-ultra").modern);
        assert!(profile("models/gemini-flash-latest").modern);
        assert!(!profile("publishers/google/models/gemini-2.5-pro").modern);
        assert!(!profile("gemma-3-27b-it").system);
    }
}
