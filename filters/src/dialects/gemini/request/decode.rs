//! Reads a client's request.

use std::collections::HashSet;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{contents, settings, tools};
use crate::dialects::gemini::{
    inspect,
    parts::raw_json,
    wire::{Pairs, Text, slice},
};
use crate::{
    dialects::CallHead,
    model::{ErrorClass, ErrorInfo, Family, RawJson, Request, Role, Str, StreamSpec, Turn},
};

/// Decodes a request.
pub(crate) fn decode(call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
    let model = inspect::model_of(call)?;
    let stream = inspect::stream_form(call)?.map(|_| StreamSpec { include_usage: true });
    let whole = Str::try_from(body.clone())
        .map_err(|_| ErrorInfo::new(ErrorClass::InvalidRequest, "the body is not UTF-8, send JSON in UTF-8"))?;
    let mut request = Request { model, stream, origin: Some("gemini"), ..Request::default() };
    let pairs: Pairs<'_> = parse("", &whole)?;
    let mut seen = HashSet::new();
    for (name, raw) in &pairs.0 {
        if !seen.insert(name.as_ref()) {
            return Err(ErrorInfo::invalid(format!("/{name}"), format!("`{name}` stands twice, send it once")));
        }
        if raw.get() != "null" {
            member(&mut request, &whole, name, raw)?;
        }
    }
    if request.turns.is_empty() {
        return Err(ErrorInfo::invalid("/contents", "`contents` is empty, send at least one content with a part"));
    }
    Ok(request)
}

fn member(request: &mut Request, whole: &Str, name: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    match name {
        "contents" => request.turns = contents::decode(whole, raw)?,
        "systemInstruction" => request.system = contents::decode_system(whole, raw)?,
        "tools" => request.tools.extend(tools::decode(whole, raw)?),
        "toolConfig" => tools::decode_config(request, whole, raw)?,
        "generationConfig" => settings::decode(request, whole, raw)?,
        "safetySettings" => request.safety = Some((Family::Gemini, raw_json(whole, raw))),
        "cachedContent" => request.state.cached_content = Some(text("/cachedContent", whole, raw)?),
        "labels" => request.identity.metadata = Some(raw_json(whole, raw)),
        "serviceTier" => request.tier = Some(text("/serviceTier", whole, raw)?),
        // The model in the path is the one that counts.
        "model" => {}
        _ => request.extra.push((Str::from(name), raw_json(whole, raw))),
    }
    Ok(())
}

/// Parses the JSON that stands at a pointer.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(pointer: &str, json: &'a str) -> Result<T, ErrorInfo> {
    serde_json::from_str(json).map_err(|problem| {
        if pointer.is_empty() {
            let message = format!("the body cannot be read: {problem}");
            return ErrorInfo::new(ErrorClass::InvalidRequest, message);
        }
        ErrorInfo::invalid(pointer.to_owned(), format!("`{pointer}` cannot be read: {problem}"))
    })
}

/// A string member.
pub(super) fn text(pointer: &str, whole: &Str, raw: &RawValue) -> Result<Str, ErrorInfo> {
    parse::<Text<'_>>(pointer, raw.get()).map(|text| slice(whole, &text.0))
}

/// Keeps members that no field holds under the name of the object that they stand in.
pub(super) fn keep_rest(request: &mut Request, name: &'static str, rest: Vec<(&str, &RawValue)>) {
    if rest.is_empty() {
        return;
    }
    let mut json = String::from("{");
    for (at, (key, raw)) in rest.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        json.push_str(comma);
        json.push_str(&serde_json::Value::from(key).to_string());
        json.push(':');
        json.push_str(raw.get());
    }
    json.push('}');
    request.extra.push((Str::from_static(name), RawJson::from_checked(Str::from(json))));
}

/// A turn of one speaker.
pub(super) fn turn(role: Role, parts: Vec<crate::model::Part>) -> Turn {
    Turn { role, parts, name: None }
}
