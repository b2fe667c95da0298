//! Token counts: one decoder for whole responses and streams, and the encoder.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Count, Writer};
use crate::model::Usage;

#[derive(Deserialize)]
struct Wire {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Default, Deserialize)]
struct InputDetails {
    #[serde(rename = "cached_tokens")]
    cached: Option<Count>,
    #[serde(rename = "cache_write_tokens")]
    written: Option<Count>,
    #[serde(rename = "audio_tokens")]
    audio: Option<Count>,
}

#[derive(Default, Deserialize)]
struct OutputDetails {
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<Count>,
    #[serde(rename = "audio_tokens")]
    audio: Option<Count>,
}

/// Reads a `usage` object; `None` if it is no such object, or says nothing. Its totals include caches and thinking.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(raw.get()).ok()?;
    if wire.input_tokens.is_none() && wire.output_tokens.is_none() {
        return None;
    }
    let count = |count: Option<Count>| count.unwrap_or_default().0;
    let (of_input, of_output) =
        (wire.input_tokens_details.unwrap_or_default(), wire.output_tokens_details.unwrap_or_default());
    let (input, output) = (count(wire.input_tokens), count(wire.output_tokens));
    let cached = count(of_input.cached).min(input);
    let written = count(of_input.written).min(input - cached);
    let reasoning = count(of_output.reasoning).min(output);
    Some(Usage {
        input_uncached: input - cached - written,
        input_cache_read: cached,
        input_cache_write_other: written,
        output_visible: output - reasoning,
        output_reasoning: reasoning,
        input_audio: count(of_input.audio),
        output_audio: count(of_output.audio),
        ..Usage::default()
    })
}

/// Appends a `usage` object.
pub(super) fn encode(usage: &Usage, out: &mut BytesMut) {
    let mut object = Writer::object(out);
    object.u64("input_tokens", usage.input());
    let mut details = object.nested("input_tokens_details");
    details.u64("cached_tokens", usage.input_cache_read);
    details.u64("cache_write_tokens", usage.cache_write());
    details.end();
    object.u64("output_tokens", usage.output());
    let mut details = object.nested("output_tokens_details");
    details.u64("reasoning_tokens", usage.output_reasoning);
    details.end();
    object.u64("total_tokens", usage.total());
    object.end();
}
