//! Token counts: one decoder for whole answers and streams, and their encoder.
//!
//! `inputTokens` excludes what caches served or stored. Services differ in whether `totalTokens` includes it, so it is
//! not read.

use bytes::BytesMut;
use serde::Deserialize;

use super::wire::{Text, Writer};
use crate::model::Usage;

/// `usage` as it stands on the wire.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUsage<'a> {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    #[serde(borrow, default)]
    cache_details: Option<Vec<CacheDetail<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail<'a> {
    #[serde(borrow)]
    ttl: Option<Text<'a>>,
    input_tokens: Option<u64>,
}

impl WireUsage<'_> {
    /// The counts in disjoint buckets.
    pub(super) fn to_usage(&self) -> Usage {
        let of_lifetime = |ttl: &str| -> u64 {
            let details = self.cache_details.iter().flatten();
            let of_ttl = details.filter(|detail| detail.ttl.as_ref().is_some_and(|of| of.0 == ttl));
            of_ttl.filter_map(|detail| detail.input_tokens).fold(0, u64::saturating_add)
        };
        let (five_minutes, one_hour) = (of_lifetime("5m"), of_lifetime("1h"));
        let by_lifetime = five_minutes.saturating_add(one_hour);
        let written = self.cache_write_input_tokens.unwrap_or(by_lifetime);
        // A breakdown that is larger than the total cannot be of it.
        let (five_minutes, one_hour) = if by_lifetime > written { (0, 0) } else { (five_minutes, one_hour) };
        Usage {
            input_uncached: self.input_tokens.unwrap_or_default(),
            input_cache_read: self.cache_read_input_tokens.unwrap_or_default(),
            input_cache_write_5m: five_minutes,
            input_cache_write_1h: one_hour,
            input_cache_write_other: written - five_minutes - one_hour,
            output_visible: self.output_tokens.unwrap_or_default(),
            ..Usage::default()
        }
    }
}

/// Writes `usage`.
pub(super) fn push_usage(out: &mut BytesMut, usage: &Usage) {
    let mut object = Writer::object(out);
    object.u64("inputTokens", usage.input_uncached.saturating_add(usage.input_tool_prompt));
    object.u64("outputTokens", usage.output());
    object.u64("totalTokens", usage.total());
    if usage.input_cache_read > 0 || usage.cache_write() > 0 {
        object.u64("cacheReadInputTokens", usage.input_cache_read);
        object.u64("cacheWriteInputTokens", usage.cache_write());
    }
    let lifetimes = [("5m", usage.input_cache_write_5m), ("1h", usage.input_cache_write_1h)];
    if lifetimes.iter().any(|(_, tokens)| *tokens > 0) {
        let mut list = object.list("cacheDetails");
        for (ttl, tokens) in lifetimes.into_iter().filter(|(_, tokens)| *tokens > 0) {
            let mut detail = Writer::object(list.element());
            detail.str("ttl", ttl);
            detail.u64("inputTokens", tokens);
            detail.end();
        }
        list.end();
    }
    object.end();
}
