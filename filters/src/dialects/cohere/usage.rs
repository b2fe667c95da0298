//! Token counts, both ways.
//!
//! `tokens` is what the model processed, `billed_units` what is paid for; the first counts here, the second where it
//! is all there is. Recorded traffic shows what the reference leaves out: `reasoning_tokens` are part of the output,
//! `image_tokens` come on top of the input, and `cached_tokens` are part of it.

use bytes::BytesMut;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::wire::Writer;
use crate::model::Usage;

#[derive(Default, Deserialize)]
struct Wire {
    tokens: Option<Tokens>,
    billed_units: Option<Tokens>,
    cached_tokens: Option<Count>,
}

#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(rename = "input_tokens")]
    input: Option<Count>,
    #[serde(rename = "output_tokens")]
    output: Option<Count>,
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<Count>,
    #[serde(rename = "image_tokens")]
    image: Option<Count>,
}

/// A count, which the wire has as a float.
#[derive(Clone, Copy, Default)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if let Ok(count) = raw.parse() {
            return Ok(Self(count));
        }
        let float = raw.parse::<f64>().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as it should")]
        Ok(Self(float as u64))
    }
}

/// Reads `usage`; `None` if it says nothing of tokens.
pub(super) fn decode(raw: &RawValue) -> Option<Usage> {
    let wire: Wire = serde_json::from_str(raw.get()).ok()?;
    let says = |tokens: &Tokens| tokens.input.is_some() || tokens.output.is_some();
    let tokens = wire.tokens.filter(says).or_else(|| wire.billed_units.filter(says))?;
    let count = |count: Option<Count>| count.unwrap_or_default().0;
    let input = count(tokens.input).saturating_add(count(tokens.image));
    let cached = count(wire.cached_tokens).min(input);
    let output = count(tokens.output);
    let reasoning = count(tokens.reasoning).min(output);
    Some(Usage {
        input_uncached: input - cached,
        input_cache_read: cached,
        output_visible: output - reasoning,
        output_reasoning: reasoning,
        ..Usage::default()
    })
}

/// Writes `usage`.
pub(super) fn push(out: &mut BytesMut, usage: &Usage) {
    let mut object = Writer::object(out);
    let mut billed = object.nested("billed_units");
    billed.u64("input_tokens", usage.input());
    billed.u64("output_tokens", usage.output());
    billed.end();
    let mut tokens = object.nested("tokens");
    tokens.u64("input_tokens", usage.input());
    tokens.u64("output_tokens", usage.output());
    if usage.output_reasoning > 0 {
        tokens.u64("reasoning_tokens", usage.output_reasoning);
    }
    tokens.end();
    object.u64("cached_tokens", usage.input_cache_read);
    object.end();
}
