//! Whole answers, both ways.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    citations::{self, Positions},
    error, finish, logprobs, thinking, usage,
    wire::{Block, Call, Message, OneOrMany, Text, Writer},
};
use crate::{
    dialects::{Reply, ResponseError},
    model::{
        CallKind, Candidate, FilterError, Finish, FinishReason, Part, PartContent, RawJson, Response, Str, ToolCall,
    },
};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
}

/// Decodes a whole answer.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    const WHAT: &str = "cohere answer";
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    if let Some(error) = error::in_band(body) {
        return Err(error.into());
    }
    let answer: Answer<'_> = serde_json::from_str(&text).map_err(|cause| FilterError::malformed(WHAT, &cause))?;
    let Some(message) = answer.message else {
        return Err(FilterError::malformed(WHAT, &"`message` is missing").into());
    };
    let parts = decode_message(&message, &text);
    let saw_call = parts.iter().any(|part| matches!(part.content, PartContent::ToolCall(_)));
    let reason = answer.finish_reason.map(|reason| reason.keep(&text));
    let finish = finish::decode(reason, None, saw_call)?;
    let tokens = answer.logprobs.and_then(logprobs::decode);
    let logprobs = tokens.map(|tokens| {
        RawJson::from_checked(Str::from(format!("{{\"content\":{},\"refusal\":null}}", tokens.as_str())))
    });
    Ok(Response {
        id: answer.id.map(|id| id.keep(&text)).unwrap_or_default(),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs }],
        usage: answer.usage.and_then(usage::decode),
        ..Response::default()
    })
}

/// The parts of a message of the model's: its plan, its content with what that cites, its calls.
pub(super) fn decode_message(message: &Message<'_>, source: &Str) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(plan) = message.tool_plan.as_ref().filter(|plan| !plan.is_empty()) {
        parts.push(Part::new(PartContent::Reasoning(thinking::reasoning(plan.keep(source), true))));
    }
    // Where the content's parts stand among all.
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut add = |part: Option<Part>| {
        places.push(part.is_some().then_some(parts.len()));
        parts.extend(part);
    };
    match &message.content {
        Some(OneOrMany::One(text)) => add((!text.is_empty()).then(|| Part::text(text.keep(source)))),
        Some(OneOrMany::Many(blocks)) => blocks.iter().for_each(|block| add(decode_block(block, source))),
        None => {}
    }
    for raw in message.citations.iter().flatten() {
        let Some((citation, index)) = citations::decode(raw, source) else { continue };
        let at = match index {
            Some(index) => usize::try_from(index).ok().and_then(|index| places.get(index).copied().flatten()),
            // Older models do not say; theirs is the one text.
            None => parts.iter().rposition(|part| part.as_text().is_some()),
        };
        if let Some(part) = at.and_then(|at| parts.get_mut(at)) {
            part.citations.push(citation);
        }
    }
    let calls = message.tool_calls.iter().flatten().filter_map(|call| decode_call(call, source));
    parts.extend(calls.map(|call| Part::new(PartContent::ToolCall(call))));
    parts
}

fn decode_block(block: &Block<'_>, source: &Str) -> Option<Part> {
    if let Some(text) = block.thinking.as_ref().filter(|text| !text.is_empty()) {
        return Some(Part::new(PartContent::Reasoning(thinking::reasoning(text.keep(source), false))));
    }
    let text = block.text.as_ref().filter(|text| !text.is_empty())?;
    Some(Part::text(text.keep(source)))
}

/// A call; `None` if it has no name.
pub(super) fn decode_call(call: &Call<'_>, source: &Str) -> Option<ToolCall> {
    let function = call.function.as_ref()?;
    let name = function.name.as_ref().filter(|name| !name.is_empty())?.keep(source);
    let id = call.id.as_ref().map(|id| id.keep(source)).unwrap_or_default();
    let args = function.arguments.as_ref().map(|args| args.keep(source)).unwrap_or_default();
    Some(ToolCall { id, name, kind: CallKind::Function, args: arguments(args) })
}

/// Arguments as an object's text: the vendor's models write nothing, or `null`, where a tool takes none.
pub(super) fn arguments(args: Str) -> Str {
    match args.trim() {
        "" | "null" => Str::from_static("{}"),
        _ => args,
    }
}

/// Encodes a whole answer.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    let id = if response.id.is_empty() { &reply.id } else { &response.id };
    let unfinished = Finish::new(FinishReason::Other);
    // The wire has one answer; requests for more are refused before they get here.
    let candidate = response.candidates.first();
    let parts = candidate.map(|candidate| candidate.parts.as_slice()).unwrap_or_default();
    let mut object = Writer::object(&mut out);
    object.str("id", id);
    let saw_call = push_message(&mut object, parts, reply);
    let finish = candidate.map_or(&unfinished, |candidate| &candidate.finish);
    object.str("finish_reason", finish::word(finish.reason, saw_call));
    if let Some(usage) = &response.usage {
        usage::push(object.member("usage"), usage);
    }
    if let Some(tokens) = candidate.and_then(|candidate| candidate.logprobs.as_ref()) {
        let mut list = object.list("logprobs");
        for (text, logprob) in logprobs::of_candidate(tokens) {
            logprobs::push(list.element(), &text, logprob);
        }
        list.end();
    }
    object.end();
    out.freeze()
}

/// Writes `message`; gives whether it holds a call.
fn push_message(object: &mut Writer<'_>, parts: &[Part], reply: &Reply) -> bool {
    let mut message = object.nested("message");
    message.str("role", "assistant");
    let plans: Vec<&str> = parts.iter().filter_map(|part| shown(part, reply, true)).collect();
    if !plans.is_empty() {
        message.str("tool_plan", &plans.join("\n\n"));
    }
    let calls: Vec<&ToolCall> = parts
        .iter()
        .filter_map(|part| match &part.content {
            PartContent::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    let content: Vec<(&Part, &str)> = parts.iter().filter_map(|part| Some((part, content_of(part, reply)?))).collect();
    // Clients take the first part of the content for granted, unless tools were called.
    if !content.is_empty() || calls.is_empty() {
        push_content(&mut message, &content);
    }
    if !calls.is_empty() {
        let mut list = message.list("tool_calls");
        for call in &calls {
            push_call(list.element(), call);
        }
        list.end();
    }
    push_citations(&mut message, &content);
    message.end();
    !calls.is_empty()
}

/// The words of a thought that is shown, if it is a plan or if it is none, as asked.
fn shown<'p>(part: &'p Part, reply: &Reply, plan: bool) -> Option<&'p str> {
    let PartContent::Reasoning(reasoning) = &part.content else { return None };
    let is_plan = reasoning.opaque.iter().any(thinking::is_plan);
    reasoning.text.as_deref().filter(|text| !text.is_empty() && reply.show_reasoning && is_plan == plan)
}

fn content_of<'p>(part: &'p Part, reply: &Reply) -> Option<&'p str> {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => Some(&**text),
        _ => shown(part, reply, false),
    }
}

fn push_content(message: &mut Writer<'_>, content: &[(&Part, &str)]) {
    let mut list = message.list("content");
    for (part, text) in content {
        let kind = if matches!(part.content, PartContent::Reasoning(_)) { "thinking" } else { "text" };
        let mut block = Writer::of_type(list.element(), kind);
        block.str(kind, text);
        block.end();
    }
    if content.is_empty() {
        let mut block = Writer::of_type(list.element(), "text");
        block.str("text", "");
        block.end();
    }
    list.end();
}

fn push_citations(message: &mut Writer<'_>, content: &[(&Part, &str)]) {
    if content.iter().all(|(part, _)| part.citations.is_empty()) {
        return;
    }
    let mut list = message.list("citations");
    for (index, (part, text)) in (0..).zip(content).filter(|(_, (part, _))| !part.citations.is_empty()) {
        let mut positions = Positions::default();
        positions.push(text);
        for citation in &part.citations {
            let span = positions.span(citation.span);
            citations::push(list.element(), citation, span, Some(&citations::said(text, span)), index);
        }
    }
    list.end();
}

/// Writes a call.
pub(super) fn push_call(out: &mut BytesMut, call: &ToolCall) {
    let mut object = Writer::object(out);
    object.str("id", &call.id);
    object.str("type", "function");
    let mut function = object.nested("function");
    function.str("name", &call.name);
    push_arguments(function.member("arguments"), call);
    function.end();
    object.end();
}

/// Writes arguments as the JSON text that the wire requires: free text as an object of one string.
pub(super) fn push_arguments(out: &mut BytesMut, call: &ToolCall) {
    if call.kind == CallKind::Custom {
        let mut args = BytesMut::new();
        let mut object = Writer::object(&mut args);
        object.str("input", &call.args);
        object.end();
        crate::json::push_str(out, std::str::from_utf8(&args).unwrap_or_default());
        return;
    }
    crate::json::push_str(out, if call.args.trim().is_empty() { "{}" } else { &call.args });
}
