//! The messages of Gemini's JSON, as far as the model has room for them.

use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) use super::scalar::{Int, Loose, Pairs, Real, Text, Word, lend_opt, list, slice};

/// `Content`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) role: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) parts: Option<&'a RawValue>,
}

/// `Part`: one of its members says what it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    pub(super) thought: Option<bool>,
    #[serde(borrow, alias = "thought_signature")]
    pub(super) thought_signature: Option<Text<'a>>,
    #[serde(borrow, alias = "inline_data")]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(borrow, alias = "file_data")]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(borrow, alias = "function_call")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(borrow, alias = "function_response")]
    pub(super) function_response: Option<FunctionResponse<'a>>,
    #[serde(borrow, alias = "executable_code")]
    pub(super) executable_code: Option<&'a RawValue>,
    #[serde(borrow, alias = "code_execution_result")]
    pub(super) code_execution_result: Option<&'a RawValue>,
    #[serde(borrow, alias = "tool_call")]
    pub(super) tool_call: Option<&'a RawValue>,
    #[serde(borrow, alias = "tool_response")]
    pub(super) tool_response: Option<&'a RawValue>,
    #[serde(borrow, alias = "video_metadata")]
    pub(super) video_metadata: Option<&'a RawValue>,
    #[serde(borrow, alias = "media_resolution")]
    pub(super) media_resolution: Option<MediaResolution<'a>>,
}

/// `Blob`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    #[serde(borrow, alias = "mime_type")]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Text<'a>,
    #[serde(borrow, alias = "display_name")]
    pub(super) display_name: Option<Text<'a>>,
}

/// `FileData`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(borrow, alias = "mime_type")]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow, alias = "file_uri")]
    pub(super) file_uri: Text<'a>,
    #[serde(borrow, alias = "display_name")]
    pub(super) display_name: Option<Text<'a>>,
}

/// `PartMediaResolution`.
#[derive(Debug, Deserialize)]
pub(super) struct MediaResolution<'a> {
    #[serde(borrow)]
    pub(super) level: Option<Text<'a>>,
}

/// `FunctionCall`, whole or a piece of one that streams.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionCall<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow, alias = "partial_args")]
    pub(super) partial_args: Option<Vec<PartialArg<'a>>>,
    #[serde(alias = "will_continue")]
    pub(super) will_continue: Option<bool>,
}

/// `PartialArg`: a piece of one argument.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialArg<'a> {
    #[serde(borrow, alias = "json_path")]
    pub(super) json_path: Text<'a>,
    #[serde(borrow, alias = "string_value")]
    pub(super) string_value: Option<Text<'a>>,
    #[serde(alias = "number_value")]
    pub(super) number_value: Option<serde_json::Number>,
    #[serde(alias = "bool_value")]
    pub(super) bool_value: Option<bool>,
}

/// `FunctionResponse`.
#[derive(Debug, Deserialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) parts: Option<&'a RawValue>,
}

/// `GenerateContentResponse`, also as an event of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, alias = "prompt_feedback")]
    pub(super) prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow, alias = "usage_metadata")]
    pub(super) usage_metadata: Option<UsageMetadata<'a>>,
    #[serde(borrow, alias = "model_version")]
    pub(super) model_version: Option<Text<'a>>,
    #[serde(borrow, alias = "response_id")]
    pub(super) response_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// `Candidate`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow, alias = "finish_reason")]
    pub(super) finish_reason: Option<Word<'a>>,
    pub(super) index: Option<Int>,
    #[serde(borrow, alias = "grounding_metadata")]
    pub(super) grounding_metadata: Option<Grounding<'a>>,
    #[serde(borrow, alias = "citation_metadata")]
    pub(super) citation_metadata: Option<CitationMetadata<'a>>,
    #[serde(borrow, alias = "logprobs_result")]
    pub(super) logprobs_result: Option<LogprobsResult<'a>>,
}

/// `PromptFeedback`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow, alias = "block_reason")]
    pub(super) block_reason: Option<Word<'a>>,
}

/// `UsageMetadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata<'a> {
    #[serde(alias = "prompt_token_count")]
    pub(super) prompt_token_count: Option<Int>,
    #[serde(alias = "cached_content_token_count")]
    pub(super) cached_content_token_count: Option<Int>,
    #[serde(alias = "candidates_token_count")]
    pub(super) candidates_token_count: Option<Int>,
    #[serde(alias = "thoughts_token_count")]
    pub(super) thoughts_token_count: Option<Int>,
    #[serde(alias = "tool_use_prompt_token_count")]
    pub(super) tool_use_prompt_token_count: Option<Int>,
    #[serde(alias = "total_token_count")]
    pub(super) total_token_count: Option<Int>,
    #[serde(borrow, alias = "prompt_tokens_details")]
    pub(super) prompt_tokens_details: Option<Vec<ModalityTokens<'a>>>,
    #[serde(borrow, alias = "candidates_tokens_details")]
    pub(super) candidates_tokens_details: Option<Vec<ModalityTokens<'a>>>,
    #[serde(borrow, alias = "service_tier")]
    pub(super) service_tier: Option<Word<'a>>,
}

/// `ModalityTokenCount`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModalityTokens<'a> {
    #[serde(borrow)]
    pub(super) modality: Option<Word<'a>>,
    #[serde(alias = "token_count")]
    pub(super) token_count: Option<Int>,
}

/// `GroundingMetadata`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grounding<'a> {
    #[serde(borrow, alias = "grounding_chunks")]
    pub(super) grounding_chunks: Option<Vec<GroundingChunk<'a>>>,
    #[serde(alias = "grounding_supports")]
    pub(super) grounding_supports: Option<Vec<GroundingSupport>>,
}

/// `GroundingChunk`: a source.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingChunk<'a> {
    #[serde(borrow)]
    pub(super) web: Option<Source<'a>>,
    #[serde(borrow, alias = "retrieved_context")]
    pub(super) retrieved_context: Option<Source<'a>>,
    #[serde(borrow)]
    pub(super) maps: Option<Source<'a>>,
}

/// What the kinds of source have in common.
#[derive(Debug, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
}

/// `GroundingSupport`: which sources a piece of the answer rests on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingSupport {
    pub(super) segment: Option<Segment>,
    #[serde(alias = "grounding_chunk_indices")]
    pub(super) grounding_chunk_indices: Option<Vec<Int>>,
}

/// `Segment`: positions in UTF-8 bytes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
pub(super) struct Segment {
    #[serde(alias = "part_index")]
    pub(super) part_index: Option<Int>,
    #[serde(alias = "start_index")]
    pub(super) start_index: Option<Int>,
    #[serde(alias = "end_index")]
    pub(super) end_index: Option<Int>,
}

/// `CitationMetadata`; the two hosts name its list differently.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CitationMetadata<'a> {
    #[serde(borrow, alias = "citation_sources", alias = "citations")]
    pub(super) citation_sources: Option<Vec<CitationSource<'a>>>,
}

/// `CitationSource`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CitationSource<'a> {
    #[serde(alias = "start_index")]
    pub(super) start_index: Option<Int>,
    #[serde(alias = "end_index")]
    pub(super) end_index: Option<Int>,
    #[serde(borrow)]
    pub(super) uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Text<'a>>,
}

/// `LogprobsResult`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogprobsResult<'a> {
    #[serde(borrow, alias = "chosen_candidates")]
    pub(super) chosen_candidates: Option<Vec<TokenLogprob<'a>>>,
    #[serde(borrow, alias = "top_candidates")]
    pub(super) top_candidates: Option<Vec<TopCandidates<'a>>>,
}

/// A token and its log probability.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenLogprob<'a> {
    #[serde(borrow)]
    pub(super) token: Option<Text<'a>>,
    #[serde(alias = "log_probability")]
    pub(super) log_probability: Option<Loose>,
}

/// The likeliest tokens of one step.
#[derive(Debug, Deserialize)]
pub(super) struct TopCandidates<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<TokenLogprob<'a>>>,
}
