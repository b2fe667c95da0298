//! Whole answers, both ways.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::{
    citation, error,
    finish::{self, Seen},
    item,
    likeness::{self, Likeness},
    logprobs,
    output::{self, Content, Head},
    usage,
    wire::{Answer, Item, Source, Text, Writer, lenient, word},
};
use crate::{
    dialects::{Reply, ResponseError},
    model::{
        Candidate, FilterError, Finish, FinishReason, Opaque, Part, PartContent, RawJson, Reasoning, Response,
        ServerCall, Str, ToolCall,
    },
};

/// Decodes a whole answer.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let source = Source::new(text);
    let malformed = |cause: serde_json::Error| FilterError::malformed("response", &cause);
    let answer: Answer<'_> = serde_json::from_str(source.as_str()).map_err(malformed)?;
    if let Some(error) = error::of_answer(&answer) {
        return Err(error.into());
    }
    let (parts, tokens) = decode_output(&answer, &source)?;
    let seen = parts.iter().fold(Seen::default(), |seen, part| match part.content {
        PartContent::ToolCall(_) => Seen { call: true, ..seen },
        PartContent::Refusal(_) => Seen { refusal: true, ..seen },
        PartContent::Text(_) => Seen { text: true, ..seen },
        _ => seen,
    });
    let finish = finish::decode(&answer, seen, &source);
    let keep = |text: Option<Text<'_>>| text.map(|text| source.text(&text)).unwrap_or_default();
    Ok(Response {
        tier: word(answer.service_tier, &source),
        usage: answer.usage.and_then(usage::decode),
        created: answer.created_at.unwrap_or_default().0,
        id: keep(answer.id),
        model: keep(answer.model),
        candidates: vec![Candidate { index: 0, parts, finish, logprobs: tokens }],
        ..Response::default()
    })
}

/// The items of an answer as parts, and the probabilities of its tokens.
pub(super) fn decode_output(answer: &Answer<'_>, source: &Source) -> Result<(Vec<Part>, Option<RawJson>), FilterError> {
    let Some(items) = lenient::<Vec<&RawValue>>(answer.output) else {
        return Err(FilterError::malformed("response", &"`output` is missing"));
    };
    let (mut parts, mut tokens) = (Vec::with_capacity(items.len()), String::new());
    for raw in items {
        let item: Item<'_> = serde_json::from_str(raw.get()).map_err(|cause| FilterError::malformed("item", &cause))?;
        if item.kind.as_ref().is_none_or(|kind| kind.as_str() != "message") {
            parts.extend(item::decode(&item, raw, source));
            continue;
        }
        for content in item::content(item.content) {
            parts.extend(item::said(&content, source));
            let list = logprobs::decode(content.logprobs, source);
            if let Some(more) = list.as_ref().and_then(|list| logprobs::inside(list.as_str())) {
                if !tokens.is_empty() {
                    tokens.push(',');
                }
                tokens.push_str(more);
            }
        }
    }
    let tokens = (!tokens.is_empty())
        .then(|| RawJson::from_checked(Str::from(format!("{{\"content\":[{tokens}],\"refusal\":null}}"))));
    Ok((parts, tokens))
}

/// Encodes a whole answer for a client.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut out = BytesMut::with_capacity(2048);
    let id = if response.id.is_empty() { &reply.id } else { &response.id };
    let unfinished = Finish::new(FinishReason::Other);
    // This dialect has one answer per response; requests for more are refused before they get here.
    let candidate = response.candidates.first();
    let parts = candidate.map(|candidate| candidate.parts.as_slice()).unwrap_or_default();
    let seen =
        Seen { refusal: parts.iter().any(|part| matches!(part.content, PartContent::Refusal(_))), ..Seen::default() };
    let end = finish::encode(candidate.map_or(&unfinished, |candidate| &candidate.finish), seen);
    let head = Head {
        id,
        created: if response.created == 0 { reply.created } else { response.created },
        model: &reply.model,
        end: Some(&end),
        usage: response.usage.as_ref(),
        tier: response.tier.as_deref(),
    };
    output::push_response(&mut out, &head, |list| {
        let mut items = Items { list, id, reply, count: 0, message: Vec::new(), tokens: None };
        items.tokens = candidate.and_then(|candidate| logprobs::of_candidate(candidate.logprobs.as_ref()?));
        for (at, part) in parts.iter().enumerate() {
            items.part(part, parts.get(at + 1));
        }
        items.end_message(end.of_last_item());
    });
    out.freeze()
}

/// Writes the items of an answer.
struct Items<'l, 'w, 'r> {
    list: &'l mut Writer<'w>,
    id: &'r Str,
    reply: &'r Reply,
    count: usize,
    /// The message that texts gather in.
    message: Vec<Content>,
    /// Probabilities of tokens that no message has taken.
    tokens: Option<&'r str>,
}

impl<'r> Items<'_, '_, 'r> {
    fn part(&mut self, part: &'r Part, next: Option<&Part>) {
        match &part.content {
            PartContent::Text(text) => self.text(part, text, false),
            PartContent::Refusal(text) => self.text(part, text, true),
            PartContent::Reasoning(reasoning) => self.reasoning(reasoning),
            PartContent::ToolCall(call) => {
                // State of a call travels in reasoning before it, because calls have no field for it.
                self.carriers(&part.opaque);
                self.call(call);
            }
            PartContent::Media(media) => {
                let mut item = BytesMut::new();
                if output::push_picture(&mut item, &output::item_id("ig", self.id, self.count), media) {
                    self.item(&item);
                }
            }
            PartContent::ServerCall(call) if item::raw_item(part).is_none() => self.foreign_tool(call, next),
            _ => {
                if let Some(raw) = item::raw_item(part) {
                    self.item(raw.as_str().as_bytes());
                }
            }
        }
    }

    /// Adjacent texts are one, as those who read the first part of the first message expect.
    fn text(&mut self, part: &Part, text: &str, is_refusal: bool) {
        if !text.is_empty() || !part.citations.is_empty() {
            if self.message.last().is_none_or(|last| last.is_refusal || is_refusal) {
                self.message.push(Content::new(is_refusal));
            }
            if let Some(content) = self.message.last_mut() {
                let start = content.text.len();
                content.text.push_str(text);
                for citation in part.citations.iter().filter(|citation| citation::is_citable(citation)) {
                    content.cite(citation, start);
                }
                if let Some(tokens) = self.tokens.take() {
                    content.add_logprobs(tokens);
                }
            }
        }
        self.carriers(&part.opaque);
    }

    fn end_message(&mut self, status: &str) {
        if self.message.is_empty() {
            return;
        }
        let contents = std::mem::take(&mut self.message);
        let id = output::item_id("msg", self.id, self.count);
        output::push_message(self.list.element(), &id, status, &contents);
        self.count += 1;
    }

    /// Writes an item of another kind; the message before it is complete.
    fn item(&mut self, item: &[u8]) {
        self.end_message("completed");
        self.list.element().extend_from_slice(item);
        self.count += 1;
    }

    fn reasoning(&mut self, reasoning: &Reasoning) {
        let text = reasoning.text.as_deref().filter(|_| self.reply.show_reasoning && !reasoning.redacted);
        let text = text.unwrap_or_default();
        let (first, rest) = reasoning.opaque.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        if !text.is_empty() || first.is_some() {
            self.thought(text, first);
        }
        self.carriers(rest);
    }

    fn carriers(&mut self, state: &[Opaque]) {
        for opaque in state {
            self.thought("", Some(opaque));
        }
    }

    fn thought(&mut self, text: &str, opaque: Option<&Opaque>) {
        self.end_message("completed");
        let id = output::reasoning_id(opaque, self.id, self.count);
        let state = opaque.map(|opaque| output::state(opaque, self.reply));
        output::push_reasoning(self.list.element(), &id, text, state.as_deref());
        self.count += 1;
    }

    fn call(&mut self, call: &ToolCall) {
        self.end_message("completed");
        let words = output::call_words(call.kind);
        let id = output::item_id(words.prefix, self.id, self.count);
        output::push_call(self.list.element(), &id, "completed", call, output::args_of(call, &call.args));
        self.count += 1;
    }

    /// What another vendor's tool did, where this one's clients know one like it.
    fn foreign_tool(&mut self, call: &ServerCall, next: Option<&Part>) {
        let input = call.input.to_value();
        let mut item = BytesMut::new();
        match likeness::of(&call.tool) {
            Some(Likeness::WebSearch) => {
                likeness::push_web_search(&mut item, &output::item_id("ws", self.id, self.count), "completed", &input);
            }
            Some(Likeness::CodeInterpreter) => {
                let logs = match next.map(|part| &part.content) {
                    Some(PartContent::ServerResult(result)) if result.id == call.id => {
                        Some(likeness::logs_of(&result.output.to_value()))
                    }
                    _ => None,
                };
                let id = output::item_id("ci", self.id, self.count);
                likeness::push_code(&mut item, &id, "completed", likeness::code_of(&input), logs.as_deref());
            }
            None => return,
        }
        self.item(&item);
    }
}
