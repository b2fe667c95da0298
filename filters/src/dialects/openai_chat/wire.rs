//! The wire structs, private to this dialect. They borrow from the body or the event that they are read from.
//!
//! One set serves requests, whole responses and stream events: a message of history is what an answer said, and a
//! `delta` is a `message` in pieces. They accept what the vendors that speak this dialect really send: numbers as
//! floats or strings, content as a string or a list, arguments as a string or an object. Members that are not listed
//! are passed over.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

pub(super) use crate::json::{Text, Writer};
use crate::{
    json::{keep_raw, slice},
    model::{RawJson, Str},
};

/// The text that wire structs borrow from, to turn what they borrowed into shared slices of it.
#[derive(Clone, Debug)]
pub(super) struct Source(Str);

impl Source {
    pub(super) fn new(text: Str) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as a slice of the source; a copy only where JSON had an escape.
    pub(super) fn text(&self, text: &Text<'_>) -> Str {
        text.keep(&self.0)
    }

    /// The JSON of a value, as a slice of the source.
    pub(super) fn raw(&self, raw: &RawValue) -> RawJson {
        keep_raw(&self.0, raw)
    }

    /// `text` as a shared slice. What does not stand in the source is copied.
    pub(super) fn slice(&self, text: &str) -> Str {
        slice(&self.0, text)
    }
}

/// A string, or a list.
#[derive(Clone, Debug)]
pub(super) enum OneOrMany<'a, T> {
    One(Text<'a>),
    Many(Vec<T>),
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany::Many(items))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A count that vendors write as an integer, a float or a string. What is none of these counts as 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get().trim_matches('"');
        if let Ok(count) = raw.parse() {
            return Ok(Self(count));
        }
        let float = raw.parse::<f64>().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, as it should")]
        Ok(Self(float as u64))
    }
}

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

/// Reads a member whose shape vendors differ in; what is not the shape asked for is as if it were absent.
pub(super) fn lenient<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}
