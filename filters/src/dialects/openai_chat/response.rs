//! Whole responses, both ways.

use bytes::{Bytes, BytesMut};

use super::{
    answer::{self, Offsets, Seen},
    error,
    reasoning::{self, Reader},
    request::{decode_call, legacy_call},
    usage,
    wire::{Answer, Choice, ContentPart, Message, OneOrMany, Source, Text, Writer},
};
use crate::{
    dialects::{Reply, ResponseError},
    model::{CallKind, Candidate, FilterError, Media, Part, PartContent, Reasoning, Response, Str, ToolCall},
};

/// Decodes a whole response.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    const WHAT: &str = "chat completion";
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let source = Source::new(text);
    let answer: Answer<'_> =
        serde_json::from_str(source.as_str()).map_err(|cause| FilterError::malformed(WHAT, &cause))?;
    if let Some(error) = error_in(&answer, source.as_str()) {
        return Err(error.into());
    }
    let choices = answer.choices.unwrap_or_default();
    if choices.is_empty() {
        return Err(FilterError::malformed(WHAT, &"no choices").into());
    }
    let text = |text: Option<Text<'_>>| text.map(|text| source.text(&text)).unwrap_or_default();
    let id = text(answer.id);
    Ok(Response {
        created: answer.created.unwrap_or_default().0,
        model: text(answer.model),
        candidates: (0..).zip(choices).map(|(at, choice)| decode_choice(at, choice, &id, &source)).collect(),
        id,
        usage: answer.usage.and_then(usage::decode),
        tier: answer.service_tier.filter(|tier| !tier.is_empty()).map(|tier| source.text(&tier)),
        ..Response::default()
    })
}

/// The error in an answer, if it is one: beside the choices, in one of them, or the whole body (Mistral).
pub(super) fn error_in(answer: &Answer<'_>, text: &str) -> Option<crate::model::ErrorInfo> {
    let in_choice = || answer.choices.iter().flatten().find_map(|choice| choice.error);
    if let Some(error) = answer.error.or_else(in_choice) {
        return Some(error::decode_in_band(error));
    }
    let is_error = answer.object.is_some_and(|object| object.get() == "\"error\"");
    is_error.then(|| serde_json::from_str(text).ok().map(error::decode_in_band))?
}

fn decode_choice(at: u32, choice: Choice<'_>, id: &str, source: &Source) -> Candidate {
    let index = choice.index.and_then(|index| u32::try_from(index.0).ok()).unwrap_or(at);
    let parts = decode_message(&choice.message.or(choice.delta).unwrap_or_default(), id, source);
    let seen = parts.iter().fold(Seen::default(), |seen, part| match part.content {
        PartContent::ToolCall(_) => Seen { call: true, ..seen },
        PartContent::Refusal(_) => Seen { refusal: true, ..seen },
        PartContent::Text(_) => Seen { text: true, ..seen },
        _ => seen,
    });
    let word = choice.finish_reason.filter(|word| !word.is_empty()).map(|word| source.text(&word));
    let logprobs = answer::logprobs(choice.logprobs, source);
    Candidate { index, parts, finish: answer::finish(word, seen), logprobs }
}

fn decode_message(message: &Message<'_>, id: &str, source: &Source) -> Vec<Part> {
    let mut parts = reasoning::parts(reasoning::pieces(message, source));
    match &message.content {
        Some(OneOrMany::One(text)) if !text.is_empty() => parts.push(Part::text(source.text(text))),
        Some(OneOrMany::Many(chunks)) => parts.extend(chunks.iter().filter_map(|chunk| decode_chunk(chunk, source))),
        _ => {}
    }
    if let Some(text) = parts.iter_mut().rev().find(|part| part.as_text().is_some()) {
        text.citations = answer::citations(message.annotations, source);
        text.opaque.extend(reasoning::thought_signature(message.extra_content, source));
    }
    if let Some(refusal) = message.refusal.as_ref().filter(|refusal| !refusal.is_empty()) {
        parts.push(Part::new(PartContent::Refusal(source.text(refusal))));
    }
    parts.extend(answer::images(message.images, source));
    parts.extend(answer::audio(message.audio, source));
    for (at, call) in (0..).zip(message.tool_calls.iter().flatten()) {
        let Some(mut part) = decode_call(call, source) else { continue };
        if let PartContent::ToolCall(call) = &mut part.content
            && call.id.is_empty()
        {
            call.id = answer::mint_id(id, at);
        }
        parts.push(part);
    }
    parts.extend(message.function_call.as_ref().and_then(|call| legacy_call(call, answer::mint_id(id, 0), source)));
    parts
}

/// One element of Mistral's content.
fn decode_chunk(chunk: &ContentPart<'_>, source: &Source) -> Option<Part> {
    let content = match (&chunk.text, chunk.thinking) {
        (Some(text), _) if !text.is_empty() => PartContent::Text(source.text(text)),
        (_, Some(_)) => {
            let text = Some(reasoning::of_chunk(chunk.thinking, source)).filter(|text| !text.is_empty())?;
            PartContent::Reasoning(Reasoning { text: Some(text), ..Reasoning::default() })
        }
        _ => return None,
    };
    Some(Part::new(content))
}

/// Encodes a whole response.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    let mut body = Writer::object(&mut out);
    body.str("id", if response.id.is_empty() { &reply.id } else { &response.id });
    body.str("object", "chat.completion");
    body.u64("created", if response.created == 0 { reply.created } else { response.created });
    body.str("model", &reply.model);
    let mut choices = body.list("choices");
    for candidate in &response.candidates {
        encode_choice(candidate, reply, &mut choices);
    }
    if response.candidates.is_empty() {
        // An answer without a choice breaks every client.
        let finish = crate::model::Finish::new(crate::model::FinishReason::Stop);
        encode_choice(&Candidate { index: 0, parts: Vec::new(), finish, logprobs: None }, reply, &mut choices);
    }
    choices.end();
    if let Some(usage) = &response.usage {
        usage::encode(usage, body.member("usage"));
    }
    body.maybe_str("service_tier", response.tier.as_deref());
    body.end();
    out.freeze()
}

fn encode_choice(candidate: &Candidate, reply: &Reply, choices: &mut Writer<'_>) {
    let said = Said::of(&candidate.parts);
    let mut choice = Writer::object(choices.element());
    choice.u64("index", candidate.index.into());
    let mut message = choice.nested("message");
    message.str("role", "assistant");
    match &said.texts[..] {
        [] if !said.calls.is_empty() || !said.refusals.is_empty() => message.raw("content", "null"),
        texts => message.str("content", &texts.iter().map(|(_, text)| &***text).collect::<String>()),
    }
    match &said.refusals[..] {
        [] => message.raw("refusal", "null"),
        refusals => message.str("refusal", &refusals.concat()),
    }
    encode_thinking(&said.thoughts, reply, &mut message);
    if !said.calls.is_empty() {
        let mut calls = message.list("tool_calls");
        for (part, call) in &said.calls {
            encode_call(part, call, reply, &mut calls);
        }
        calls.end();
    }
    encode_citations(&said.texts, &mut message);
    if let Some((part, _)) = said.texts.iter().rev().find(|(part, _)| !part.opaque.is_empty()) {
        reasoning::write_extra(&mut message, &part.opaque, Reader::Client(&reply.sealer));
    }
    answer::write_media(&said.media, &mut message);
    message.end();
    choice.str("finish_reason", answer::finish_word(candidate.finish.reason, !said.calls.is_empty()));
    choice.raw("logprobs", candidate.logprobs.as_ref().map_or("null", |logprobs| logprobs.as_str()));
    choice.end();
}

/// An answer's parts by the member of the message that they go to.
#[derive(Default)]
struct Said<'a> {
    texts: Vec<(&'a Part, &'a Str)>,
    refusals: Vec<&'a str>,
    thoughts: Vec<&'a Reasoning>,
    calls: Vec<(&'a Part, &'a ToolCall)>,
    media: Vec<&'a Media>,
}

impl<'a> Said<'a> {
    fn of(parts: &'a [Part]) -> Self {
        let mut said = Self::default();
        for part in parts {
            match &part.content {
                PartContent::Text(text) => said.texts.push((part, text)),
                PartContent::Refusal(text) => said.refusals.push(text),
                PartContent::Reasoning(reasoning) => said.thoughts.push(reasoning),
                PartContent::ToolCall(call) => said.calls.push((part, call)),
                PartContent::Media(media) => said.media.push(media),
                // The provider's own tools are no calls of the client's: it could not run them.
                _ => {}
            }
        }
        said
    }
}

fn encode_thinking(thoughts: &[&Reasoning], reply: &Reply, message: &mut Writer<'_>) {
    let shown = |thought: &Reasoning| thought.text.clone().filter(|text| reply.show_reasoning && !text.is_empty());
    let texts: Vec<_> = thoughts.iter().filter_map(|thought| shown(thought)).collect();
    if !texts.is_empty() {
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        message.str("reasoning_content", &texts.join("\n\n"));
    }
    // A signature without the words that it signs is worth nothing: both, or neither.
    let complete = |thought: &&&Reasoning| {
        !thought.opaque.is_empty() && (reply.show_reasoning || thought.text.as_deref().unwrap_or_default().is_empty())
    };
    if !thoughts.iter().any(|thought| complete(&thought)) {
        return;
    }
    let mut details = message.list("reasoning_details");
    for (index, thought) in (0..).zip(thoughts.iter().filter(complete)) {
        let text = thought.text.as_deref().unwrap_or_default();
        reasoning::write_detail(&mut details, index, text, &thought.opaque, Reader::Client(&reply.sealer));
    }
    details.end();
}

fn encode_call(part: &Part, call: &ToolCall, reply: &Reply, calls: &mut Writer<'_>) {
    let mut object = Writer::object(calls.element());
    object.str("id", &call.id);
    match call.kind {
        CallKind::Function => {
            object.str("type", "function");
            let mut function = object.nested("function");
            function.str("name", &call.name);
            function.str("arguments", if call.args.trim().is_empty() { "{}" } else { &call.args });
            function.end();
        }
        CallKind::Custom => {
            object.str("type", "custom");
            let mut custom = object.nested("custom");
            custom.str("name", &call.name);
            custom.str("input", &call.args);
            custom.end();
        }
    }
    reasoning::write_extra(&mut object, &part.opaque, Reader::Client(&reply.sealer));
    object.end();
}

fn encode_citations(texts: &[(&Part, &Str)], message: &mut Writer<'_>) {
    if texts.iter().all(|(part, _)| part.citations.iter().all(|citation| citation.url.is_none())) {
        return;
    }
    let mut list = message.list("annotations");
    let mut offsets = Offsets::default();
    for (part, text) in texts {
        let start = offsets.mark();
        offsets.push(text);
        for citation in &part.citations {
            answer::write_citation(&mut list, citation, offsets.span(citation.span, start));
        }
    }
    list.end();
}
