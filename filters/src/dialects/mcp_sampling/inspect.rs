//! What routing reads of a request, and the envelope that it may come in.

use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    dialects::Inspection,
    json::{Members, Text},
    model::{ErrorClass, ErrorInfo, Str},
    openai::inspect::{name_of, not_json, twice},
};

/// The one method that is served.
const METHOD: &[u8] = br#""sampling/createMessage""#;

/// Hints beyond this many are not looked at.
const MAX_HINTS: usize = 16;

/// Reads what routing needs: nothing but that it is a request. Which model is meant is said by hints.
pub(super) fn inspect(parameters: &Bytes) -> Result<Inspection, ErrorInfo> {
    members(parameters, &["messages", "modelPreferences", "tools"])?;
    Ok(Inspection { model: Str::new(), model_at: None, stream: None, include_usage: false, stream_options_at: None })
}

/// The names that a request hints at, the most wanted first.
pub(super) fn hints(parameters: &Bytes) -> Vec<Str> {
    #[derive(Deserialize)]
    struct Preferences<'a> {
        #[serde(borrow)]
        hints: Option<Vec<Hint<'a>>>,
    }
    #[derive(Deserialize)]
    struct Hint<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }
    let Ok([Some(at)]) = members(parameters, &["modelPreferences"]) else { return Vec::new() };
    let preferences = serde_json::from_slice::<Preferences<'_>>(parameters.get(at).unwrap_or_default());
    let hints = preferences.ok().and_then(|preferences| preferences.hints).unwrap_or_default();
    let names = hints.into_iter().filter_map(|hint| hint.name).filter(|name| !name.is_empty());
    names.map(|name| Str::from(name.as_str())).take(MAX_HINTS).collect()
}

/// The id of a request in a JSON-RPC envelope, as JSON text; `None` if there is no envelope.
pub(super) fn json_rpc_id(body: &Bytes) -> Option<Str> {
    let mut id = None;
    let mut is_envelope = false;
    for member in Members::new(body) {
        let member = member.ok()?;
        match &*name_of(body, &member) {
            "jsonrpc" => is_envelope = true,
            "id" => id = body.get(member.value),
            _ => {}
        }
    }
    let id = id.filter(|id| matches!(id.first(), Some(b'"' | b'-' | b'0'..=b'9')));
    // What is repeated must be JSON, whatever the client wrote.
    let id = id.filter(|id| serde_json::from_slice::<&serde_json::value::RawValue>(id).is_ok());
    let id = id.and_then(|id| std::str::from_utf8(id).ok()).unwrap_or("null");
    is_envelope.then(|| Str::from(id))
}

/// The parameters in a JSON-RPC envelope.
pub(super) fn parameters(body: &Bytes) -> Result<Bytes, ErrorInfo> {
    let [method, parameters] = members(body, &["method", "params"])?;
    if method.and_then(|at| body.get(at)) != Some(METHOD) {
        let message = "the only method served here is `sampling/createMessage`";
        return Err(ErrorInfo::new(ErrorClass::NotFound, message).with_code("method_not_found"));
    }
    match parameters {
        Some(at) if body.get(at.start) == Some(&b'{') => Ok(body.slice(at)),
        _ => Err(ErrorInfo::invalid("params", "`params` must be an object with `messages` and `maxTokens`")),
    }
}

/// Where some members of an object stand. One that stands twice is refused.
fn members<const N: usize>(body: &Bytes, names: &[&str; N]) -> Result<[Option<Range<usize>>; N], ErrorInfo> {
    let mut found = [const { None }; N];
    for member in Members::new(body) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(body, &member);
        let Some(slot) = names.iter().position(|read| *read == name).and_then(|at| found.get_mut(at)) else { continue };
        if slot.replace(member.value).is_some() {
            return Err(twice(&name));
        }
    }
    Ok(found)
}
