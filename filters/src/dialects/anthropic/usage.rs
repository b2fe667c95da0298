//! Token counts: one decoder for whole answers and streams, and their encoder.
//!
//! `input_tokens` excludes what caches served or stored; `output_tokens` includes thinking.

use bytes::BytesMut;
use serde::{Deserialize, Deserializer, de};

use super::wire::{Text, Writer};
use crate::model::Usage;

/// `usage` as it stands on the wire. In a stream it comes in pieces: a member that is present replaces what came
/// before, one that is absent or `null` does not.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, deserialize_with = "count")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CacheCreation {
    #[serde(default, deserialize_with = "count")]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(default, deserialize_with = "count")]
    thinking_tokens: Option<u64>,
}

/// The service tier, which stands among the counts.
#[derive(Debug, Deserialize)]
pub(super) struct WireTier<'a> {
    #[serde(borrow)]
    pub(super) service_tier: Option<Text<'a>>,
}

impl WireUsage {
    /// Takes what `later` states.
    pub(super) fn merge(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens = later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    /// The counts in disjoint buckets.
    pub(super) fn to_usage(self) -> Usage {
        let lifetimes = self.cache_creation.unwrap_or_default();
        let five_minutes = lifetimes.ephemeral_5m_input_tokens.unwrap_or_default();
        let one_hour = lifetimes.ephemeral_1h_input_tokens.unwrap_or_default();
        let by_lifetime = five_minutes.saturating_add(one_hour);
        let written = self.cache_creation_input_tokens.unwrap_or(by_lifetime);
        // A later total that is smaller than an earlier breakdown outdates it.
        let (five_minutes, one_hour) = if by_lifetime > written { (0, 0) } else { (five_minutes, one_hour) };
        let output = self.output_tokens.unwrap_or_default();
        let thinking = self.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or_default();
        let thinking = thinking.min(output);
        Usage {
            input_uncached: self.input_tokens.unwrap_or_default(),
            input_cache_read: self.cache_read_input_tokens.unwrap_or_default(),
            input_cache_write_5m: five_minutes,
            input_cache_write_1h: one_hour,
            input_cache_write_other: written - five_minutes - one_hour,
            output_visible: output - thinking,
            output_reasoning: thinking,
            ..Usage::default()
        }
    }
}

/// Writes `usage`.
pub(super) fn push_usage(out: &mut BytesMut, usage: &Usage, tier: Option<&str>) {
    let mut object = Writer::object(out);
    object.u64("input_tokens", usage.input_uncached.saturating_add(usage.input_tool_prompt));
    object.u64("cache_creation_input_tokens", usage.cache_write());
    object.u64("cache_read_input_tokens", usage.input_cache_read);
    if usage.input_cache_write_5m > 0 || usage.input_cache_write_1h > 0 {
        let mut lifetimes = Writer::object(object.member("cache_creation"));
        lifetimes.u64("ephemeral_5m_input_tokens", usage.input_cache_write_5m);
        lifetimes.u64("ephemeral_1h_input_tokens", usage.input_cache_write_1h);
        lifetimes.end();
    }
    object.u64("output_tokens", usage.output());
    if usage.output_reasoning > 0 {
        let mut details = Writer::object(object.member("output_tokens_details"));
        details.u64("thinking_tokens", usage.output_reasoning);
        details.end();
    }
    // Other vendors' tier names are none of this member's values.
    object.maybe_str("service_tier", tier.filter(|tier| matches!(*tier, "standard" | "priority" | "batch")));
    object.end();
}

/// A count, in any way that a number can be written. Servers that imitate the format write floats.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else { return Ok(None) };
    let whole = number.as_u64().or_else(|| number.as_i64().map(|_| 0));
    if whole.is_some() {
        return Ok(whole);
    }
    let text = number.as_f64().map(|float| format!("{:.0}", float.max(0.0))).unwrap_or_default();
    text.parse().map(Some).map_err(|_| de::Error::custom("a token count is not a number"))
}
