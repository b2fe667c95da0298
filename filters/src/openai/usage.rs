//! Token counts: one decoder for whole responses and streams, and the encoder.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Count, lenient};
use crate::{json::Writer, model::Usage};

#[derive(Deserialize)]
struct Wire {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// `DeepSeek`'s name for cached tokens.
    prompt_cache_hit_tokens: Option<Count>,
    /// Moonshot's name for cached tokens.
    cached_tokens: Option<Count>,
    /// Gateways before Anthropic.
    cache_creation_input_tokens: Option<Count>,
    /// Perplexity's and Copilot's place for them.
    reasoning_tokens: Option<Count>,
}

#[derive(Default, Deserialize)]
struct PromptDetails {
    #[serde(rename = "cached_tokens")]
    cached: Option<Count>,
    #[serde(rename = "cache_write_tokens")]
    written: Option<Count>,
    #[serde(rename = "audio_tokens")]
    audio: Option<Count>,
}

#[derive(Default, Deserialize)]
struct CompletionDetails {
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<Count>,
    #[serde(rename = "audio_tokens")]
    audio: Option<Count>,
    #[serde(rename = "accepted_prediction_tokens")]
    accepted: Option<Count>,
    #[serde(rename = "rejected_prediction_tokens")]
    rejected: Option<Count>,
}

/// Reads the token counts of a stream's event: in their own member, or where Groq first had them.
pub(crate) fn in_chunk(usage: Option<&RawValue>, x_groq: Option<&RawValue>) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Groq<'a> {
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }
    usage.and_then(decode).or_else(|| lenient::<Groq<'_>>(x_groq)?.usage.and_then(decode))
}

/// Reads a `usage` object; `None` if it is no such object, or says nothing.
pub(crate) fn decode(raw: &RawValue) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(raw.get()).ok()?;
    if wire.prompt_tokens.is_none() && wire.completion_tokens.is_none() && wire.total_tokens.is_none() {
        return None;
    }
    let count = |count: Option<Count>| count.unwrap_or_default().0;
    let prompt = wire.prompt_tokens_details.unwrap_or_default();
    let completion = wire.completion_tokens_details.unwrap_or_default();
    let input = count(wire.prompt_tokens);
    let cached = count(prompt.cached.or(wire.prompt_cache_hit_tokens).or(wire.cached_tokens)).min(input);
    let written = count(prompt.written.or(wire.cache_creation_input_tokens)).min(input - cached);
    let reasoning = completion.reasoning.or(wire.reasoning_tokens).map(|count| count.0);
    let (visible, reasoning) =
        split_output(input, count(wire.completion_tokens), wire.total_tokens.map(|total| total.0), reasoning);
    Some(Usage {
        input_uncached: input - cached - written,
        input_cache_read: cached,
        input_cache_write_other: written,
        output_visible: visible,
        output_reasoning: reasoning,
        input_audio: count(prompt.audio),
        output_audio: count(completion.audio),
        prediction_accepted: count(completion.accepted),
        prediction_rejected: count(completion.rejected),
        ..Usage::default()
    })
}

/// Visible tokens and thinking tokens. `OpenAI` counts thinking into the completion; xAI and Google's compatible
/// endpoint do not (Google does not even name it), which only the total betrays.
fn split_output(input: u64, completion: u64, total: Option<u64>, reasoning: Option<u64>) -> (u64, u64) {
    let beyond = total.unwrap_or(0).saturating_sub(input.saturating_add(completion));
    match reasoning {
        Some(reasoning) if reasoning > 0 && beyond == reasoning => (completion, reasoning),
        Some(reasoning) if reasoning > 0 => {
            let reasoning = reasoning.min(completion);
            (completion - reasoning, reasoning)
        }
        _ => (completion, beyond),
    }
}

/// Appends a `usage` object.
pub(crate) fn encode(usage: &Usage, out: &mut BytesMut) {
    let mut object = Writer::object(out);
    object.u64("prompt_tokens", usage.input());
    object.u64("completion_tokens", usage.output());
    object.u64("total_tokens", usage.total());
    let mut prompt = object.nested("prompt_tokens_details");
    prompt.u64("cached_tokens", usage.input_cache_read);
    if usage.cache_write() > 0 {
        prompt.u64("cache_write_tokens", usage.cache_write());
    }
    prompt.u64("audio_tokens", usage.input_audio);
    prompt.end();
    let mut completion = object.nested("completion_tokens_details");
    completion.u64("reasoning_tokens", usage.output_reasoning);
    completion.u64("audio_tokens", usage.output_audio);
    completion.u64("accepted_prediction_tokens", usage.prediction_accepted);
    completion.u64("rejected_prediction_tokens", usage.prediction_rejected);
    completion.end();
    object.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Usage {
        let raw: &RawValue = serde_json::from_str(text).expect("the test writes JSON");
        decode(raw).expect("the test writes usage")
    }

    #[test]
    fn cached_and_thinking_tokens_are_taken_out_of_the_totals() {
        let usage = read(
            r#"{"prompt_tokens":100,"completion_tokens":"20","total_tokens":120.0,
                "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},
                "completion_tokens_details":{"reasoning_tokens":5}}"#,
        );
        assert_eq!((usage.input_uncached, usage.input_cache_read, usage.input_cache_write_other), (30, 60, 10));
        assert_eq!((usage.output_visible, usage.output_reasoning), (15, 5));
        assert_eq!(usage.total(), 120);
    }

    #[test]
    fn thinking_outside_the_completion_is_found_by_the_total() {
        let google = read(r#"{"prompt_tokens":66,"completion_tokens":6,"total_tokens":100}"#);
        assert_eq!((google.output_visible, google.output_reasoning), (6, 28));
        let xai = read(
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,
                "completion_tokens_details":{"reasoning_tokens":20}}"#,
        );
        assert_eq!((xai.output_visible, xai.output_reasoning), (5, 20));
    }

    #[test]
    fn more_thinking_than_completion_does_not_underflow() {
        let usage = read(
            r#"{"prompt_tokens":43,"completion_tokens":10,"total_tokens":53,
                "completion_tokens_details":{"reasoning_tokens":11}}"#,
        );
        assert_eq!((usage.output_visible, usage.output_reasoning), (0, 10));
    }

    #[test]
    fn what_is_encoded_reads_back() {
        let usage = Usage {
            input_uncached: 1,
            input_cache_read: 2,
            input_cache_write_other: 3,
            output_visible: 4,
            output_reasoning: 5,
            ..Usage::default()
        };
        let mut out = BytesMut::new();
        encode(&usage, &mut out);
        assert_eq!(read(std::str::from_utf8(&out).expect("JSON is UTF-8")), usage);
    }
}
