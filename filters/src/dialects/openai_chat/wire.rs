//! The wire structs, private to this dialect. They borrow from the body or the event that they are read from.
//!
//! One set serves requests, whole responses and stream events: a message of history is what an answer said, and a
//! `delta` is a `message` in pieces. They accept what the vendors that speak this dialect really send: numbers as
//! floats or strings, content as a string or a list, arguments as a string or an object. Members that are not listed
//! are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) use crate::{
    json::{Text, Writer},
    openai::wire::{Count, OneOrMany, Source, lenient},
};

/// One message: of a request's history, of a whole answer, or a `delta` of a stream.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) role: Option<Text<'a>>,
    pub(super) content: Option<OneOrMany<'a, ContentPart<'a>>>,
    pub(super) refusal: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) tool_call_id: Option<Text<'a>>,
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    pub(super) function_call: Option<Function<'a>>,
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reasoning_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) thinking_blocks: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) audio: Option<&'a RawValue>,
    /// `OpenRouter`'s place for pictures that the model made.
    #[serde(borrow)]
    pub(super) images: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
    pub(super) cache_control: Option<CacheControl<'a>>,
}

/// One element of a `content` list. Which members count is said by `type`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ContentPart<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) text: Option<Text<'a>>,
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input_audio: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) file: Option<&'a RawValue>,
    /// Mistral's thinking chunk: a list of text chunks, or a string.
    #[serde(borrow)]
    pub(super) thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) prompt_cache_breakpoint: Option<&'a RawValue>,
    pub(super) cache_control: Option<CacheControl<'a>>,
}

/// A cache breakpoint as Anthropic writes it; `OpenRouter` and others take it in this dialect too.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CacheControl<'a> {
    #[serde(borrow)]
    pub(super) ttl: Option<Text<'a>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ImageUrl<'a> {
    #[serde(borrow)]
    pub(super) url: Text<'a>,
    pub(super) detail: Option<Text<'a>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct InputAudio<'a> {
    #[serde(borrow)]
    pub(super) data: Text<'a>,
    pub(super) format: Text<'a>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct File<'a> {
    #[serde(borrow, rename = "file_data")]
    pub(super) data: Option<Text<'a>>,
    #[serde(rename = "file_id")]
    pub(super) id: Option<Text<'a>>,
    pub(super) filename: Option<Text<'a>>,
}

/// A tool call, whole or in pieces.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Call<'a> {
    pub(super) index: Option<Count>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) function: Option<Function<'a>>,
    pub(super) custom: Option<Custom<'a>>,
    #[serde(borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
    pub(super) cache_control: Option<CacheControl<'a>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    /// A string of JSON; some vendors write the object itself.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Custom<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    pub(super) input: Option<Text<'a>>,
}

/// A whole response, or one event of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) created: Option<Count>,
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) x_groq: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    /// `"error"` in Mistral's error bodies, which have no `error` member.
    #[serde(borrow)]
    pub(super) object: Option<&'a RawValue>,
    pub(super) service_tier: Option<Text<'a>>,
}

/// One candidate of a response or event.
#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<Count>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    pub(super) delta: Option<Message<'a>>,
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    /// `OpenRouter`'s place for an error of one candidate.
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}
