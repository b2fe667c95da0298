//! The native lane: what routing reads of a request, the edit it needs, and what a passing answer says.

use std::{borrow::Cow, ops::Range};

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{error, usage, wire::Text};
use crate::{
    dialects::{Glance, Inspection, StreamForm, Target},
    json::{Member, Members, Splice, push_str},
    model::{ErrorInfo, Str},
};

/// Reads what routing needs.
pub(super) fn inspect(body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let text = Str::try_from(body.clone()).map_err(|_| not_utf8())?;
    let (mut model_at, mut stream_at): (Option<Range<usize>>, Option<Range<usize>>) = (None, None);
    for member in Members::new(body) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(&text, &member);
        let slot = match &*name {
            "model" => &mut model_at,
            "stream" => &mut stream_at,
            _ => continue,
        };
        if slot.replace(member.value).is_some() {
            return Err(twice(&name));
        }
    }
    let model_at = model_at.ok_or_else(no_model)?;
    let model = text.get(model_at.clone()).and_then(|raw| serde_json::from_str::<Text<'_>>(raw).ok());
    let model = model.map(|model| model.keep(&text)).filter(|model| !model.is_empty()).ok_or_else(no_model)?;
    let streamed = match stream_at.and_then(|at| text.get(at)) {
        Some("true") => true,
        None | Some("false" | "null") => false,
        Some(_) => return Err(ErrorInfo::invalid("/stream", "`stream` must be true or false")),
    };
    Ok(Inspection {
        model,
        model_at: Some(model_at),
        stream: streamed.then_some(StreamForm::Sse),
        include_usage: true,
        stream_options_at: None,
    })
}

/// The edit for an upstream of this dialect: its name for the model.
pub(super) fn splices(inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
    let Some(at) = inspection.model_at.clone().filter(|_| inspection.model != target.model) else { return Vec::new() };
    let mut with = BytesMut::with_capacity(target.model.len() + 2);
    push_str(&mut with, target.model);
    vec![Splice { at, with: with.freeze() }]
}

/// What a whole answer says at a glance. It does not name its model.
pub(super) fn glance(body: &Bytes) -> Glance {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
    }
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) else { return Glance::default() };
    Glance { usage: answer.usage.and_then(usage::decode), model: None, error: error::in_band(body).map(Box::new) }
}

/// A member's name, its escapes undone: `"mod\u0065l"` is the model to every JSON parser.
pub(super) fn name_of<'a>(body: &'a Str, member: &Member) -> Cow<'a, str> {
    let name = body.get(member.name.clone()).unwrap_or_default();
    if !name.contains('\\') {
        return Cow::Borrowed(name);
    }
    serde_json::from_str(&format!("\"{name}\"")).map_or(Cow::Borrowed(name), Cow::Owned)
}

pub(super) fn not_utf8() -> ErrorInfo {
    ErrorInfo::invalid("body", "the body is not UTF-8")
}

pub(super) fn not_json(cause: &crate::json::MemberError) -> ErrorInfo {
    ErrorInfo::invalid("body", format!("the body could not be read: {cause}; send one JSON object in UTF-8"))
}

pub(super) fn twice(name: &str) -> ErrorInfo {
    ErrorInfo::invalid(format!("/{name}"), format!("`{name}` stands twice in the body, send it once"))
}

pub(super) fn no_model() -> ErrorInfo {
    ErrorInfo::invalid("/model", "`model` must be the name of a model, as `/v1/models` lists it")
}
