//! Log probabilities: the wire has them per piece of text, which may be several tokens; the model has them as Chat
//! Completions writes them, per token. A piece becomes one token, whose probability is that of all its tokens.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Text, Writer};
use crate::model::{RawJson, Str};

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    logprobs: Option<Vec<f64>>,
}

/// Reads pieces, one or a list of them, as a list of tokens; `None` if there are none.
pub(super) fn decode(raw: &RawValue) -> Option<RawJson> {
    let items: Vec<Item<'_>> = if raw.get().starts_with('[') {
        serde_json::from_str(raw.get()).ok()?
    } else {
        vec![serde_json::from_str(raw.get()).ok()?]
    };
    let mut out = BytesMut::new();
    let mut list = Writer::array(&mut out);
    let mut any = false;
    for item in items {
        let (Some(text), Some(logprobs)) = (item.text, item.logprobs) else { continue };
        any = true;
        let mut token = Writer::object(list.element());
        token.str("token", text.as_str());
        token.f64("logprob", logprobs.iter().sum());
        let mut bytes = token.list("bytes");
        for byte in text.as_str().bytes() {
            crate::json::push_u64(bytes.element(), byte.into());
        }
        bytes.end();
        token.raw("top_logprobs", "[]");
        token.end();
    }
    list.end();
    let text = Str::try_from(out.freeze()).ok().filter(|_| any)?;
    Some(RawJson::from_checked(text))
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    logprob: f64,
}

/// Reads the tokens of a list as the model has it.
pub(super) fn tokens(list: &str) -> Vec<(Str, f64)> {
    let tokens: Vec<Token<'_>> = serde_json::from_str(list).unwrap_or_default();
    tokens.into_iter().map(|token| (Str::from(token.token.as_str()), token.logprob)).collect()
}

/// Reads the tokens of a candidate's log probabilities.
pub(super) fn of_candidate(logprobs: &RawJson) -> Vec<(Str, f64)> {
    #[derive(Deserialize)]
    struct Logprobs<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    let wire: Option<Logprobs<'_>> = serde_json::from_str(logprobs.as_str()).ok();
    wire.and_then(|wire| wire.content).map(|list| tokens(list.get())).unwrap_or_default()
}

/// Writes a token as a piece. Nobody but the vendor knows the ids of its tokens, but clients require the list.
pub(super) fn push(out: &mut BytesMut, text: &str, logprob: f64) {
    let mut item = Writer::object(out);
    item.str("text", text);
    item.raw("token_ids", "[]");
    item.raw("logprobs", &format!("[{}]", if logprob.is_finite() { logprob } else { 0.0 }));
    item.end();
}
