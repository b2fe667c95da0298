//! Token counts, both ways, for whole answers and streams alike.

use bytes::BytesMut;

use super::{
    emit,
    wire::{Int, ModalityTokens, UsageMetadata, Word},
};
use crate::model::Usage;

/// The number of `AUDIO` where enums are numbers.
const AUDIO: Word<'static> = Word::Number(4);

/// Reads counts; `None` if the message holds none (early events have only a traffic type).
///
/// `promptTokenCount` includes what a cache served; `candidatesTokenCount` excludes thoughts, except where servers
/// add them and the total gives it away.
pub(super) fn decode(usage: &UsageMetadata<'_>) -> Option<Usage> {
    let count = |int: Option<Int>| int.and_then(Int::unsigned);
    let prompt = count(usage.prompt_token_count);
    let candidates = count(usage.candidates_token_count);
    let total = count(usage.total_token_count);
    prompt.or(candidates).or(total)?;
    let prompt = prompt.unwrap_or_default();
    let candidates = candidates.unwrap_or_default();
    let thoughts = count(usage.thoughts_token_count).unwrap_or_default();
    let tool_prompt = count(usage.tool_use_prompt_token_count).unwrap_or_default();
    let cached = count(usage.cached_content_token_count).unwrap_or_default();
    let without_thoughts = prompt.saturating_add(candidates).saturating_add(tool_prompt);
    let inclusive = thoughts > 0 && candidates >= thoughts && total == Some(without_thoughts);
    Some(Usage {
        input_uncached: prompt.saturating_sub(cached),
        input_cache_read: cached,
        input_tool_prompt: tool_prompt,
        output_visible: if inclusive { candidates - thoughts } else { candidates },
        output_reasoning: thoughts,
        input_audio: audio(usage.prompt_tokens_details.as_deref()),
        output_audio: audio(usage.candidates_tokens_details.as_deref()),
        ..Usage::default()
    })
}

fn audio(details: Option<&[ModalityTokens<'_>]>) -> u64 {
    let is_audio = |word: &Word<'_>| *word == AUDIO || matches!(word, Word::Name(name) if name == "AUDIO");
    let of = details.unwrap_or_default().iter().filter(|tokens| tokens.modality.as_ref().is_some_and(is_audio));
    of.filter_map(|tokens| tokens.token_count?.unsigned()).fold(0, u64::saturating_add)
}

/// Appends `usageMetadata`.
pub(super) fn encode(out: &mut BytesMut, usage: &Usage) {
    emit::object(out, "usageMetadata", |out| {
        let prompt = usage.input() - usage.input_tool_prompt.min(usage.input());
        emit::number(out, "promptTokenCount", prompt);
        emit::number(out, "candidatesTokenCount", usage.output_visible);
        emit::number(out, "totalTokenCount", usage.total());
        let optional = [
            ("cachedContentTokenCount", usage.input_cache_read),
            ("thoughtsTokenCount", usage.output_reasoning),
            ("toolUsePromptTokenCount", usage.input_tool_prompt),
        ];
        for (name, count) in optional.into_iter().filter(|(_, count)| *count > 0) {
            emit::number(out, name, count);
        }
        modalities(out, "promptTokensDetails", prompt, usage.input_audio);
        modalities(out, "candidatesTokensDetails", usage.output_visible, usage.output_audio);
    });
}

/// Appends the split of a count by modality, where there is more than text.
fn modalities(out: &mut BytesMut, name: &str, all: u64, audio: u64) {
    if audio == 0 {
        return;
    }
    emit::key(out, name);
    out.extend_from_slice(b"[");
    for (modality, count) in [("TEXT", all.saturating_sub(audio)), ("AUDIO", audio)] {
        if count > 0 {
            emit::item(out);
            out.extend_from_slice(b"{");
            emit::text(out, "modality", modality);
            emit::number(out, "tokenCount", count);
            out.extend_from_slice(b"}");
        }
    }
    out.extend_from_slice(b"]");
}
