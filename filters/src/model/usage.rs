//! What an exchange cost, in buckets that do not overlap.

/// Token counts. The buckets are disjoint: the sum of the `input_*` fields is the whole input, of the `output_*`
/// fields the whole output. Vendors' totals, which include or exclude caches and thinking each in its own way, are
/// computed from these when a dialect is written, and never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that no cache served or stored, text and all other modalities.
    pub input_uncached: u64,
    /// Input tokens read from a prompt cache.
    pub input_cache_read: u64,
    /// Input tokens written to a prompt cache for five minutes.
    pub input_cache_write_5m: u64,
    /// Input tokens written to a prompt cache for one hour.
    pub input_cache_write_1h: u64,
    /// Input tokens written to a prompt cache of unstated lifetime.
    pub input_cache_write_other: u64,
    /// Input tokens of tool prompts that the provider added (Gemini).
    pub input_tool_prompt: u64,
    /// Output tokens that the client sees.
    pub output_visible: u64,
    /// Output tokens spent on thinking.
    pub output_reasoning: u64,
    /// Of the input, audio tokens (a subset, informational).
    pub input_audio: u64,
    /// Of the output, audio tokens (a subset, informational).
    pub output_audio: u64,
    /// Predicted tokens that were accepted (`OpenAI` predicted outputs; a subset).
    pub prediction_accepted: u64,
    /// Predicted tokens that were rejected.
    pub prediction_rejected: u64,
}

impl Usage {
    /// All input tokens.
    pub fn input(&self) -> u64 {
        self.input_uncached
            .saturating_add(self.input_cache_read)
            .saturating_add(self.cache_write())
            .saturating_add(self.input_tool_prompt)
    }

    /// All output tokens.
    pub fn output(&self) -> u64 {
        self.output_visible.saturating_add(self.output_reasoning)
    }

    /// All tokens.
    pub fn total(&self) -> u64 {
        self.input().saturating_add(self.output())
    }

    /// Input tokens written to caches of any lifetime.
    pub fn cache_write(&self) -> u64 {
        self.input_cache_write_5m.saturating_add(self.input_cache_write_1h).saturating_add(self.input_cache_write_other)
    }
}
