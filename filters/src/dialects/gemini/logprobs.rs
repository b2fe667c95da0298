//! Log probabilities: Gemini's two parallel lists, and the list of tokens that the model keeps (`OpenAI`'s form).

use bytes::BytesMut;
use serde::Deserialize;

use super::{
    emit,
    wire::{LogprobsResult, Text, TokenLogprob},
};
use crate::model::{RawJson, Str};

/// What `OpenAI` writes for a token whose probability underflows.
const NEVER: f64 = -9999.0;

/// Reads log probabilities as an array of tokens; `None` if there are none.
pub(super) fn decode(result: &LogprobsResult<'_>) -> Option<RawJson> {
    let chosen = result.chosen_candidates.as_deref().filter(|chosen| !chosen.is_empty())?;
    let top = result.top_candidates.as_deref().unwrap_or_default();
    let mut out = BytesMut::from(&b"["[..]);
    for (at, token) in chosen.iter().enumerate() {
        emit::item(&mut out);
        out.extend_from_slice(b"{");
        read_token(&mut out, token);
        emit::key(&mut out, "top_logprobs");
        out.extend_from_slice(b"[");
        for likely in top.get(at).and_then(|top| top.candidates.as_deref()).unwrap_or_default() {
            emit::item(&mut out);
            out.extend_from_slice(b"{");
            read_token(&mut out, likely);
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]");
    Str::try_from(out.freeze()).ok().map(RawJson::from_checked)
}

/// Appends the members of one token; its bytes are those of its text.
fn read_token(out: &mut BytesMut, token: &TokenLogprob<'_>) {
    let text = token.token.as_ref().map(|text| text.0.as_ref()).unwrap_or_default();
    emit::text(out, "token", text);
    emit::real(out, "logprob", Some(token.log_probability.map_or(NEVER, |of| of.0.max(NEVER))));
    emit::key(out, "bytes");
    out.extend_from_slice(b"[");
    for byte in text.bytes() {
        emit::item(out);
        out.extend_from_slice(itoa::Buffer::new().format(byte).as_bytes());
    }
    out.extend_from_slice(b"]");
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<Vec<Token<'a>>>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
struct Token<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    logprob: Option<f64>,
    #[serde(borrow)]
    top_logprobs: Option<Vec<Token<'a>>>,
}

/// Appends `logprobsResult` from `{"content":[…]}` or from a bare array of tokens; nothing if it is neither.
pub(super) fn encode(out: &mut BytesMut, logprobs: &RawJson) {
    let json = logprobs.as_str();
    let tokens: Option<Vec<Token<'_>>> = if json.trim_start().starts_with('[') {
        serde_json::from_str(json).ok()
    } else {
        serde_json::from_str::<Content<'_>>(json).ok().and_then(|of| of.content)
    };
    let Some(tokens) = tokens.filter(|tokens| !tokens.is_empty()) else { return };
    emit::object(out, "logprobsResult", |out| {
        emit::key(out, "chosenCandidates");
        write_tokens(out, &tokens);
        emit::key(out, "topCandidates");
        out.extend_from_slice(b"[");
        for token in &tokens {
            emit::item(out);
            out.extend_from_slice(b"{");
            emit::key(out, "candidates");
            write_tokens(out, token.top_logprobs.as_deref().unwrap_or_default());
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]");
    });
}

fn write_tokens(out: &mut BytesMut, tokens: &[Token<'_>]) {
    out.extend_from_slice(b"[");
    for token in tokens {
        emit::item(out);
        out.extend_from_slice(b"{");
        emit::text(out, "token", &token.token.0);
        emit::real(out, "logProbability", Some(token.logprob.unwrap_or(NEVER)));
        out.extend_from_slice(b"}");
    }
    out.extend_from_slice(b"]");
}
