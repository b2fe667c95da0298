//! What routing reads of a request, and the native lane's look at a whole response.

use bytes::Bytes;

use super::{
    error, usage,
    wire::{self, lend_opt},
};
use crate::{
    dialects::{CallHead, Glance, Inspection, StreamForm},
    json::Members,
    model::{ErrorClass, ErrorInfo, Str},
};

/// How a verb streams its answer; an error for a verb that is not of this operation.
pub(super) fn stream_form(call: &CallHead<'_>) -> Result<Option<StreamForm>, ErrorInfo> {
    match call.verb {
        None | Some("generateContent") => Ok(None),
        Some("streamGenerateContent") => {
            let wants_events = |pair: &str| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse");
            let events = call.query.unwrap_or_default().split('&').any(wants_events);
            Ok(Some(if events { StreamForm::Sse } else { StreamForm::JsonArray }))
        }
        Some(verb) => {
            let message = format!(
                "`{verb}` is not served here, use `generateContent` or `streamGenerateContent` after the model's name"
            );
            Err(ErrorInfo::new(ErrorClass::NotFound, message))
        }
    }
}

/// The model in the path, without the collection it may stand in.
pub(super) fn model_of(call: &CallHead<'_>) -> Result<Str, ErrorInfo> {
    let model = call.model.unwrap_or_default();
    let model = model.strip_prefix("models/").unwrap_or(model);
    if model.is_empty() {
        let message = "the path names no model, call `/v1beta/models/{model}:generateContent`";
        return Err(ErrorInfo::invalid("model", message));
    }
    Ok(Str::from(model))
}

/// Routing reads nothing of the body: model and streaming stand in the path. It must be an object all the same.
pub(super) fn inspect(call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let model = model_of(call)?;
    let stream = stream_form(call)?;
    for member in Members::new(body) {
        if let Err(problem) = member {
            let message = format!("the request cannot be read: {problem}, send one JSON object");
            return Err(ErrorInfo::new(ErrorClass::InvalidRequest, message));
        }
    }
    Ok(Inspection { model, model_at: None, stream, include_usage: true, stream_options_at: None })
}

/// Reads usage, model and a disguised error from a whole response; a streamed array's last element counts.
pub(super) fn inspect_response(body: &Bytes) -> Glance {
    let Ok(whole) = Str::try_from(body.clone()) else { return Glance::default() };
    let Ok(raw) = serde_json::from_str::<&serde_json::value::RawValue>(&whole) else { return Glance::default() };
    let mut glance = Glance::default();
    for element in wire::list(Some(raw)).unwrap_or_default() {
        let Ok(response) = serde_json::from_str::<wire::Response<'_>>(element.get()) else { continue };
        glance.usage = response.usage_metadata.as_ref().and_then(usage::decode).or(glance.usage);
        glance.model = lend_opt(&whole, response.model_version.as_ref()).or(glance.model);
        glance.error = response.error.map(|raw| Box::new(error::decode_value(None, raw.get()))).or(glance.error);
    }
    glance
}
