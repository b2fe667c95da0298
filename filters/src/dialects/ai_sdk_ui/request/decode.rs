//! A client's request: the top-level members, one by one as they come.
//!
//! The SDK's transport sends `id`, `messages`, `trigger` and `messageId`; all else is the application's own `body`, for
//! which the names of the SDK's call settings are used.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{messages, options, tools};
use crate::{
    json::{Object, Text, keep_raw},
    model::{ErrorInfo, Part, Request, Str, StreamSpec},
    openai::inspect::twice,
};

/// Members that say which chat it is and what set the request off. They mean nothing to a model.
const OF_THE_CHAT: [&str; 4] = ["id", "trigger", "messageId", "maxToolCalls"];

/// Decodes a request.
pub(in super::super) fn decode(body: &Bytes) -> Result<Request, ErrorInfo> {
    let body = Str::try_from(body.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let Object(members) = serde_json::from_str(&body)
        .map_err(|cause| ErrorInfo::invalid("body", format!("the body is not a JSON object: {cause}")))?;
    let mut request =
        Request { origin: Some("ai_sdk_ui"), stream: Some(StreamSpec { include_usage: true }), ..Request::default() };
    let mut instructions = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, raw) in &members {
        if seen.contains(&&**name) {
            return Err(twice(name));
        }
        seen.push(name);
        if raw.get() == "null" || OF_THE_CHAT.contains(&&**name) {
            continue;
        }
        match &**name {
            "model" => request.model = parse::<Text<'_>>(name, raw, "the name of a model")?.keep(&body),
            "system" | "instructions" => {
                let text: Text<'_> = parse(name, raw, "a string")?;
                instructions.extend((!text.is_empty()).then(|| Part::text(text.keep(&body))));
            }
            "messages" => messages::decode(&mut request, &body, raw)?,
            "tools" => request.tools = tools::decode(&body, raw)?,
            "toolChoice" | "tool_choice" => request.tool_choice = tools::choice(name, &body, raw)?,
            _ if options::member(&mut request, &body, name, raw)? => {}
            _ => request.extra.push((Str::from(&**name), keep_raw(&body, raw))),
        }
    }
    instructions.append(&mut request.system);
    request.system = instructions;
    if request.turns.is_empty() && request.system.is_empty() {
        let message = "`messages` must be a list of at least one UI message with content";
        return Err(ErrorInfo::invalid("messages", message).with_code("missing_parameter"));
    }
    Ok(request)
}

/// Parses a member, with an error that names it.
pub(super) fn parse<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue, what: &str) -> Result<T, ErrorInfo> {
    serde_json::from_str(raw.get())
        .map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` must be {what}: {cause}")))
}
