//! What routing reads of a request, and what tells this dialect from another on the same path.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    dialects::{Inspection, StreamForm},
    json::Members,
    model::{ErrorInfo, Str},
    openai::inspect::{name_of, not_json, twice},
};

/// Reads what routing needs. The SDK's transport names no model by itself: without one, the route's serves.
pub(super) fn inspect(body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let mut model_at = None;
    let mut has_messages = false;
    for member in Members::new(body) {
        let member = member.map_err(|cause| not_json(&cause))?;
        match &*name_of(body, &member) {
            "model" if model_at.is_some() => return Err(twice("model")),
            "model" => model_at = Some(member.value),
            "messages" if has_messages => return Err(twice("messages")),
            "messages" => has_messages = true,
            _ => {}
        }
    }
    let model: Option<Cow<'_, str>> = match &model_at {
        Some(at) => serde_json::from_slice(body.get(at.clone()).unwrap_or_default())
            .map_err(|_| ErrorInfo::invalid("model", "`model` must be the name of a model, as a string"))?,
        None => None,
    };
    Ok(Inspection {
        model: model.map(|model| Str::from(&*model)).unwrap_or_default(),
        model_at,
        // There is no other form of answer.
        stream: Some(StreamForm::Sse),
        include_usage: true,
        stream_options_at: None,
    })
}

/// Whether a body is one that the SDK's transport sends: it names the chat and what set it off, and its messages have
/// parts.
pub(super) fn claims(body: &Bytes) -> bool {
    let mut messages = None;
    for member in Members::new(body) {
        let Ok(member) = member else { return false };
        match &*name_of(body, &member) {
            "id" | "trigger" => return true,
            "messages" => messages = body.get(member.value.clone()),
            _ => {}
        }
    }
    // Of the messages, the first one tells; what follows it is not looked at.
    let first = messages.and_then(|list| Some(list.strip_prefix(b"[")?.trim_ascii_start()));
    let members = Members::new(first.unwrap_or_default()).map_while(Result::ok);
    members.into_iter().any(|member| first.is_some_and(|first| name_of(first, &member) == "parts"))
}
