//! Log probabilities: columns here (`tokens`, `token_logprobs`, `top_logprobs`, `text_offset`), rows in the model.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    json::{Object, Text, Writer, push_raw_str, push_str, push_u64},
    model::{RawJson, Str},
    openai::wire::lenient,
};

#[derive(Deserialize)]
struct Columns<'a> {
    #[serde(borrow)]
    tokens: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    token_logprobs: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    top_logprobs: Option<Vec<Option<Object<'a>>>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    logprob: &'a RawValue,
    #[serde(borrow)]
    top_logprobs: Option<Vec<Top<'a>>>,
}

#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    logprob: &'a RawValue,
}

/// The probability of a token of which none is known (the first one of a prompt).
const UNKNOWN: &str = "-9999.0";

/// Columns as the rows of the model; `None` if they say nothing.
pub(super) fn decode(raw: Option<&RawValue>) -> Option<RawJson> {
    let columns: Columns<'_> = lenient(raw)?;
    let tokens = columns.tokens.filter(|tokens| !tokens.is_empty())?;
    let logprobs = columns.token_logprobs.unwrap_or_default();
    let tops = columns.top_logprobs.unwrap_or_default();
    let mut out = BytesMut::with_capacity(64 * tokens.len());
    let mut rows = Writer::array(&mut out);
    for (at, token) in tokens.iter().enumerate() {
        let mut row = Writer::object(rows.element());
        write_token(&mut row, token.as_str(), logprobs.get(at).map_or(UNKNOWN, |raw| number(raw)));
        let mut list = row.list("top_logprobs");
        for (name, raw) in tops.get(at).and_then(Option::as_ref).map(|top| top.0.as_slice()).unwrap_or_default() {
            let mut top = Writer::object(list.element());
            write_token(&mut top, name, number(raw));
            top.end();
        }
        list.end();
        row.end();
    }
    rows.end();
    Some(RawJson::from_checked(Str::try_from(out.freeze()).ok()?))
}

fn number(raw: &RawValue) -> &str {
    if raw.get() == "null" { UNKNOWN } else { raw.get() }
}

/// Writes a token with its bytes, which the columns do not have. A token that is part of a character is written
/// `bytes:\xe2\x82`, and has its bytes from there.
fn write_token(row: &mut Writer<'_>, token: &str, logprob: &str) {
    row.str("token", token);
    row.raw("logprob", logprob);
    let mut bytes = row.list("bytes");
    match token.strip_prefix("bytes:").and_then(escaped) {
        Some(parts) => parts.iter().for_each(|byte| push_u64(bytes.element(), (*byte).into())),
        None => token.bytes().for_each(|byte| push_u64(bytes.element(), byte.into())),
    }
    bytes.end();
}

fn escaped(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.split("\\x");
    digits.map(|digits| u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)).collect()
}

/// Writes rows as columns. `offset` counts the characters of the tokens before them, and goes on with theirs.
pub(super) fn encode(rows: &str, offset: &mut u64, out: &mut BytesMut) {
    let rows: Vec<Row<'_>> = serde_json::from_str(rows).unwrap_or_default();
    let mut columns = Writer::object(out);
    let mut list = columns.list("tokens");
    for row in &rows {
        push_str(list.element(), row.token.as_str());
    }
    list.end();
    let mut list = columns.list("token_logprobs");
    for row in &rows {
        list.element().extend_from_slice(row.logprob.get().as_bytes());
    }
    list.end();
    let mut list = columns.list("top_logprobs");
    for row in &rows {
        write_top(row, list.element());
    }
    list.end();
    let mut list = columns.list("text_offset");
    for row in &rows {
        push_u64(list.element(), *offset);
        *offset += row.token.as_str().chars().count() as u64;
    }
    list.end();
    columns.end();
}

fn write_top(row: &Row<'_>, out: &mut BytesMut) {
    let mut object = Writer::object(out);
    let mut seen: Vec<&str> = Vec::new();
    for top in row.top_logprobs.iter().flatten() {
        // Two tokens may be written alike; an object has each name once.
        if seen.contains(&top.token.as_str()) {
            continue;
        }
        seen.push(top.token.as_str());
        let mut name = BytesMut::new();
        push_raw_str(&mut name, top.token.as_str());
        object.raw(std::str::from_utf8(&name).unwrap_or_default(), top.logprob.get());
    }
    object.end();
}
