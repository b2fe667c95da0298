//! Log probabilities. Whole answers have them as the rest of the family does; streams leave the bytes of tokens out,
//! which other dialects' clients need.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Source, Text, Writer, lenient};
use crate::{
    json::push_u64,
    model::{RawJson, Str},
};

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow, rename = "token")]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    logprob: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    top_logprobs: Option<Vec<Token<'a>>>,
}

/// A list of tokens that says something, complete in its members.
pub(super) fn decode(raw: Option<&RawValue>, source: &Source) -> Option<RawJson> {
    let tokens: Vec<Token<'_>> = lenient(raw)?;
    if tokens.is_empty() {
        return None;
    }
    let is_complete = |token: &Token<'_>| token.bytes.is_some() && token.top_logprobs.is_some();
    if tokens.iter().all(is_complete) {
        return raw.map(|raw| source.raw(raw));
    }
    let mut out = BytesMut::new();
    push_list(&mut out, &tokens, true);
    Str::try_from(out.freeze()).ok().map(RawJson::from_checked)
}

fn push_list(out: &mut BytesMut, tokens: &[Token<'_>], with_top: bool) {
    let mut list = Writer::array(out);
    for token in tokens {
        let text = token.text.as_ref().map_or("", Text::as_str);
        let mut object = Writer::object(list.element());
        object.str("token", text);
        object.raw("logprob", token.logprob.map_or("0", RawValue::get));
        match token.bytes {
            Some(bytes) => object.raw("bytes", bytes.get()),
            None => push_bytes(object.member("bytes"), text),
        }
        if with_top {
            push_list(object.member("top_logprobs"), token.top_logprobs.as_deref().unwrap_or_default(), false);
        }
        object.end();
    }
    list.end();
}

fn push_bytes(out: &mut BytesMut, text: &str) {
    let mut list = Writer::array(out);
    for byte in text.bytes() {
        push_u64(list.element(), byte.into());
    }
    list.end();
}

/// The inside of a list of tokens, in the form that a candidate has (`{"content":[…]}`).
pub(super) fn of_candidate(raw: &RawJson) -> Option<&str> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    let whole: Whole<'_> = serde_json::from_str(raw.as_str()).ok()?;
    inside(whole.content?.get())
}

/// What stands between a list's brackets, if that is anything.
pub(super) fn inside(list: &str) -> Option<&str> {
    let inside = list.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    (!inside.is_empty()).then_some(inside)
}
