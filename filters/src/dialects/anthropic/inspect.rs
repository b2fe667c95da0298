//! Reading requests and answers at a glance, for traffic that passes untouched.

use std::{borrow::Cow, ops::Range};

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    error,
    usage::WireUsage,
    wire::{Text, slice},
};
use crate::{
    dialects::{CallHead, Glance, Inspection, StreamForm, Target},
    json::{self, Members, Splice},
    model::{ErrorInfo, Str},
};

/// Reads what routing needs. The model may stand in the path (Vertex, Bedrock) instead of in the body.
pub(super) fn inspect(call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let body = Str::try_from(body.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let mut model_at = None;
    let mut stream_at = None;
    for member in Members::new(body.as_bytes()) {
        let member = member.map_err(|error| ErrorInfo::invalid("body", error.to_string()))?;
        let slot = match &*name_of(&body, &member.name) {
            "model" => &mut model_at,
            "stream" => &mut stream_at,
            _ => continue,
        };
        if slot.replace(member.value).is_some() {
            let name = body.get(member.name).unwrap_or_default();
            return Err(ErrorInfo::invalid(
                format!("/{name}"),
                format!("the member `{name}` stands twice in the body, send it once"),
            ));
        }
    }
    let model = match (&model_at, call.model) {
        (Some(at), _) => model_in(&body, at)?,
        (None, Some(model)) => Str::from(model),
        (None, None) => return Err(no_model()),
    };
    if model.is_empty() {
        return Err(no_model());
    }
    let streamed = match stream_at.as_ref().map(|at| body.get(at.clone()).unwrap_or_default()) {
        Some("true") => true,
        Some("false" | "null") => false,
        Some(_) => return Err(ErrorInfo::invalid("/stream", "`stream` must be true or false")),
        None => call.verb == Some("streamRawPredict"),
    };
    let stream = streamed.then_some(StreamForm::Sse);
    Ok(Inspection { model, model_at, stream, include_usage: true, stream_options_at: None })
}

/// The edits for an upstream that speaks the same: the model's name, where the body has one.
pub(super) fn splices(inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
    let Some(at) = inspection.model_at.clone().filter(|_| inspection.model != *target.model) else {
        return Vec::new();
    };
    let mut with = BytesMut::with_capacity(target.model.len() + 2);
    json::push_str(&mut with, target.model);
    vec![Splice { at, with: with.freeze() }]
}

/// Reads counts, the model and an in-band error from a whole answer.
pub(super) fn inspect_response(body: &Bytes) -> Glance {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        model: Option<Text<'a>>,
        usage: Option<WireUsage>,
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    let Ok(text) = Str::try_from(body.clone()) else { return Glance::default() };
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(&text) else { return Glance::default() };
    let failed = answer.error.is_some() || answer.kind.is_some_and(|kind| kind.0 == "error");
    Glance {
        usage: answer.usage.map(WireUsage::to_usage),
        model: answer.model.map(|model| model.keep(&text)),
        error: failed.then(|| Box::new(error::decode_in_band(body))),
    }
}

fn no_model() -> ErrorInfo {
    ErrorInfo::invalid("/model", "`model` is required: name the model that is to answer")
}

fn model_in(body: &Str, at: &Range<usize>) -> Result<Str, ErrorInfo> {
    let raw = body.get(at.clone()).unwrap_or_default();
    let model = serde_json::from_str::<Text<'_>>(raw);
    let model = model.map_err(|_| ErrorInfo::invalid("/model", "`model` must be a string"))?;
    Ok(match &model.0 {
        Cow::Borrowed(text) => slice(body, text),
        Cow::Owned(text) => Str::from(text.as_str()),
    })
}

/// A member's name with its escapes undone: the upstream's parser reads `"mod\u0065l"` as `model`.
fn name_of<'a>(body: &'a Str, at: &Range<usize>) -> Cow<'a, str> {
    let name = body.get(at.clone()).unwrap_or_default();
    if !name.contains('\\') {
        return Cow::Borrowed(name);
    }
    serde_json::from_str(&format!("\"{name}\"")).map_or(Cow::Borrowed(name), Cow::Owned)
}
