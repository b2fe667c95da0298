//! Whole answers, both ways, and the members that lines of a stream have in common with them.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::{
    Endpoint, error, finish, ids, time,
    wire::{Call, Line, Text, Writer, keep_raw},
};
use crate::{
    dialects::{Reply, ResponseError},
    json::one_line,
    model::{
        CallKind, Candidate, FilterError, Finish, FinishReason, Part, PartContent, RawJson, Reasoning, Response, Str,
        ToolCall, Usage,
    },
};

/// Decodes a whole answer of either endpoint.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    const WHAT: &str = "ollama answer";
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let line: Line<'_> = serde_json::from_str(&text).map_err(|cause| FilterError::malformed(WHAT, &cause))?;
    if let Some(error) = line.error {
        return Err(error::decode_in_band(error).into());
    }
    if line.message.is_none() && line.response.is_none() {
        return Err(FilterError::malformed(WHAT, &"neither `message` nor `response`").into());
    }
    let usage = line.usage();
    let (content, thinking, calls) = words(&line);
    let mut parts = Vec::new();
    let said = |said: Option<&Text<'_>>| said.filter(|said| !said.is_empty()).map(|said| said.keep(&text));
    if let Some(thought) = said(thinking) {
        parts.push(Part::new(PartContent::Reasoning(Reasoning { text: Some(thought), ..Reasoning::default() })));
    }
    parts.extend(said(content).map(Part::text));
    let place = line.created_at.as_ref().map_or("", |at| at.as_str());
    let calls = (0..).zip(calls).filter_map(|(at, call)| decode_call(call, place, at, &text));
    parts.extend(calls.map(|call| Part::new(PartContent::ToolCall(call))));
    let saw_call = parts.iter().any(|part| matches!(part.content, PartContent::ToolCall(_)));
    let finish = finish::decode(line.done_reason.as_ref().map(|reason| reason.keep(&text)), saw_call);
    Ok(Response {
        created: time::parse(place).unwrap_or_default(),
        model: line.model.as_ref().map(|model| model.keep(&text)).unwrap_or_default(),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: logprobs(line.logprobs, &text) }],
        usage,
        ..Response::default()
    })
}

/// What a line says: its words, its thinking, its calls.
pub(super) fn words<'l, 'a>(line: &'l Line<'a>) -> (Option<&'l Text<'a>>, Option<&'l Text<'a>>, &'l [Call<'a>]) {
    let message = line.message.as_ref();
    let content = message.and_then(|message| message.content.as_ref()).or(line.response.as_ref());
    let thinking = message.and_then(|message| message.thinking.as_ref()).or(line.thinking.as_ref());
    let calls = message.and_then(|message| message.tool_calls.as_ref()).or(line.tool_calls.as_ref());
    (content, thinking, calls.map(Vec::as_slice).unwrap_or_default())
}

/// A call; `None` if it has no name. `place` and `position` tell it from all others, for an id where it has none.
pub(super) fn decode_call(call: &Call<'_>, place: &str, position: u64, source: &Str) -> Option<ToolCall> {
    let function = call.function.as_ref()?;
    let name = function.name.as_ref().filter(|name| !name.is_empty())?.keep(source);
    let id = call.id.as_ref().filter(|id| !id.is_empty()).map(|id| id.keep(source));
    let id = id.unwrap_or_else(|| ids::mint(place, position, &name));
    Some(ToolCall { id, name, kind: CallKind::Function, args: arguments(function.arguments, source) })
}

/// Arguments as JSON text: an object, or the text of one from servers that imitate the format.
pub(super) fn arguments(raw: Option<&RawValue>, source: &Str) -> Str {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Str::from_static("{}") };
    match serde_json::from_str::<Text<'_>>(raw.get()) {
        Ok(text) if text.as_str().trim().is_empty() => Str::from_static("{}"),
        Ok(text) => text.keep(source),
        Err(_) => keep_raw(source, raw).text().clone(),
    }
}

/// Log probabilities as the model has them: the wire's tokens are written like those of Chat Completions.
fn logprobs(raw: Option<&RawValue>, source: &Str) -> Option<RawJson> {
    let tokens = keep_raw(source, raw?);
    (tokens.as_str() != "[]")
        .then(|| RawJson::from_checked(Str::from(format!("{{\"content\":{},\"refusal\":null}}", tokens.as_str()))))
}

/// Encodes a whole answer.
pub(super) fn encode(response: &Response, reply: &Reply, endpoint: Endpoint) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    let created = if response.created == 0 { reply.created } else { response.created };
    let unfinished = Finish::new(FinishReason::Other);
    // The wire has one answer; requests for more are refused before they get here.
    let candidate = response.candidates.first();
    let parts = candidate.map(|candidate| candidate.parts.as_slice()).unwrap_or_default();
    let mut object = Writer::object(&mut out);
    object.str("model", &reply.model);
    object.str("created_at", &time::format(created));
    push_words(&mut object, parts, reply.show_reasoning, endpoint);
    if let Some(tokens) = candidate.and_then(|candidate| candidate.logprobs.as_ref()).and_then(tokens_of) {
        object.raw("logprobs", &tokens);
    }
    push_end(&mut object, candidate.map_or(&unfinished, |candidate| &candidate.finish), response.usage.as_ref());
    object.end();
    out.freeze()
}

/// Writes what an answer says, in the place that the endpoint has for it.
fn push_words(object: &mut Writer<'_>, parts: &[Part], show_reasoning: bool, endpoint: Endpoint) {
    let (mut texts, mut thoughts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) => texts.push(&**text),
            PartContent::Reasoning(reasoning) if show_reasoning => {
                thoughts.extend(reasoning.text.as_deref().filter(|text| !text.is_empty()));
            }
            PartContent::ToolCall(call) => calls.push(call),
            // The wire has no place for pictures in answers, nor for a provider's own tools.
            _ => {}
        }
    }
    let mut message = match endpoint {
        Endpoint::Chat => {
            let mut message = object.nested("message");
            message.str("role", "assistant");
            message.str("content", &texts.concat());
            message
        }
        Endpoint::Generate => {
            object.str("response", &texts.concat());
            if !thoughts.is_empty() {
                object.str("thinking", &thoughts.join("\n\n"));
            }
            return push_calls(object, &calls);
        }
    };
    if !thoughts.is_empty() {
        message.str("thinking", &thoughts.join("\n\n"));
    }
    push_calls(&mut message, &calls);
    message.end();
}

fn push_calls(object: &mut Writer<'_>, calls: &[&ToolCall]) {
    if calls.is_empty() {
        return;
    }
    let mut list = object.list("tool_calls");
    for (index, call) in (0..).zip(calls) {
        push_call(list.element(), call, Some(index));
    }
    list.end();
}

/// Writes a call, with its number where it is part of an answer.
///
/// Gives false if its arguments were no object and had to be wrapped.
pub(super) fn push_call(out: &mut BytesMut, call: &ToolCall, index: Option<u64>) -> bool {
    let mut object = Writer::object(out);
    object.str("id", &call.id);
    let mut function = object.nested("function");
    if let Some(index) = index {
        function.u64("index", index);
    }
    function.str("name", &call.name);
    let whole = push_arguments(function.member("arguments"), call);
    function.end();
    object.end();
    whole
}

/// Writes arguments as the object that the wire requires.
fn push_arguments(out: &mut BytesMut, call: &ToolCall) -> bool {
    let args = call.args.trim();
    if call.kind == CallKind::Custom {
        let mut object = Writer::object(out);
        object.str("input", &call.args);
        object.end();
        return true;
    }
    if args.is_empty() {
        out.extend_from_slice(b"{}");
        return true;
    }
    if args.starts_with('{') && serde_json::from_str::<&RawValue>(args).is_ok() {
        // Some models write their arguments on several lines; a stream's value is one.
        out.extend_from_slice(one_line(args).as_bytes());
        return true;
    }
    let mut object = Writer::object(out);
    object.str("_raw", &call.args);
    object.end();
    false
}

/// Writes how an answer ended. All durations are there, because clients' types require them, and 0, because a codec
/// has no clock and the upstream's own times would mislead: clients that compute a speed pass over 0.
pub(super) fn push_end(object: &mut Writer<'_>, finish: &Finish, usage: Option<&Usage>) {
    object.bool("done", true);
    object.str("done_reason", finish::word(finish.reason));
    object.u64("total_duration", 0);
    object.u64("load_duration", 0);
    if let Some(usage) = usage {
        object.u64("prompt_eval_count", usage.input());
    }
    object.u64("prompt_eval_duration", 0);
    if let Some(usage) = usage {
        object.u64("eval_count", usage.output());
    }
    object.u64("eval_duration", 0);
}

/// The list of tokens in a candidate's log probabilities.
fn tokens_of(logprobs: &RawJson) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Logprobs<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    let wire: Logprobs<'_> = serde_json::from_str(logprobs.as_str()).ok()?;
    wire.content.map(|tokens| tokens.get().to_owned())
}
