//! The native lane: what routing reads of a request, the one edit it may need, and what a passing response says.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::{error, usage, wire::Text};
use crate::{
    dialects::{Glance, Inspection, StreamForm, Target},
    json::{Members, Splice, push_str},
    model::{ErrorInfo, Str},
    openai::inspect::{name_of, no_model, not_json, twice},
};

/// The members that routing reads. One that stands twice is refused: the upstream might act on the other one.
const READ: [&str; 2] = ["model", "stream"];

/// Reads what routing needs.
pub(super) fn inspect(body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let mut found: [Option<Range<usize>>; READ.len()] = Default::default();
    for member in Members::new(body) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(body, &member);
        let Some(slot) = READ.iter().position(|read| *read == name).and_then(|at| found.get_mut(at)) else { continue };
        if slot.replace(member.value).is_some() {
            return Err(twice(&name));
        }
    }
    let [model_at, stream_at] = found;
    let model_at = model_at.ok_or_else(no_model)?;
    let model: Text<'_> = parse(body, &model_at).ok_or_else(no_model)?;
    if model.is_empty() {
        return Err(no_model());
    }
    let stream = match stream_at {
        Some(at) => parse::<Option<bool>>(body, &at)
            .ok_or_else(|| ErrorInfo::invalid("stream", "`stream` must be true or false"))?
            .unwrap_or(false),
        None => false,
    };
    Ok(Inspection {
        model: Str::from(model.as_str()),
        model_at: Some(model_at),
        stream: stream.then_some(StreamForm::Sse),
        // Streams of this dialect always end with usage.
        include_usage: true,
        stream_options_at: None,
    })
}

/// The edits for an upstream of this dialect: its name for the model.
pub(super) fn splices(inspection: &Inspection, target: &Target<'_>) -> Vec<Splice> {
    let Some(at) = inspection.model_at.clone().filter(|_| inspection.model != *target.model) else {
        return Vec::new();
    };
    let mut with = BytesMut::with_capacity(target.model.len() + 2);
    push_str(&mut with, target.model);
    vec![Splice { at, with: with.freeze() }]
}

/// What a whole response says at a glance.
pub(super) fn glance(body: &Bytes) -> Glance {
    let mut glance = Glance::default();
    for member in Members::new(body) {
        let Ok(member) = member else { break };
        let value = body.get(member.value.clone()).unwrap_or_default();
        match &*name_of(body, &member) {
            "usage" => glance.usage = parse(body, &member.value).and_then(usage::decode),
            "model" => {
                glance.model = parse::<Text<'_>>(body, &member.value).map(|model| Str::from(model.as_str()));
            }
            "error" if value != b"null" => {
                glance.error = parse(body, &member.value).map(|raw| Box::new(error::decode(raw)));
            }
            _ => {}
        }
    }
    glance
}

fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8], at: &Range<usize>) -> Option<T> {
    serde_json::from_slice(body.get(at.clone())?).ok()
}
