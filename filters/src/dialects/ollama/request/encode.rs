//! A request for an upstream.

use bytes::BytesMut;

use super::{
    super::{Endpoint, FAMILY, wire::Writer},
    history,
    write::{push_pictures, said, texts},
};
use crate::{
    conversation::Message,
    dialects::{Encoded, Target},
    json::push_str,
    model::{Effort, ErrorInfo, Field, Losses, Media, OutputFormat, PartContent, ReasoningMode, Request, Role},
};

/// Encodes a request.
pub(in super::super) fn encode(
    request: &Request,
    target: &Target<'_>,
    endpoint: Endpoint,
) -> Result<Encoded, ErrorInfo> {
    refuse(request)?;
    let own = request.origin.is_some_and(|origin| FAMILY.contains(&origin));
    let mut encoder = Encoder { request, target, own, losses: Losses::default() };
    let mut out = BytesMut::with_capacity(1024);
    let mut body = Writer::object(&mut out);
    body.str("model", target.model);
    let messages = history::messages(&mut encoder)?;
    match endpoint {
        Endpoint::Chat => {
            encoder.messages(&messages, &mut body)?;
            encoder.tools(&mut body)?;
        }
        Endpoint::Generate => encoder.prompt(&messages, &mut body)?,
    }
    // Said in any case: an upstream streams where nobody says that it must not.
    body.bool("stream", request.stream.is_some());
    encoder.format(&mut body);
    encoder.think(&mut body);
    encoder.logprobs(&mut body);
    encoder.options(&mut body)?;
    encoder.rest(&mut body);
    body.end();
    Ok(Encoded {
        body: out.freeze(),
        losses: encoder.losses,
        headers: Vec::new(),
        renamed_tools: Vec::new(),
        json_tool: None,
    })
}

/// Refuses what a client would miss in the answer.
fn refuse(request: &Request) -> Result<(), ErrorInfo> {
    let refused = |param: &'static str, message: &'static str| Err(ErrorInfo::invalid(param, message));
    if request.candidates.is_some_and(|count| count > 1) {
        return refused("n", "this upstream gives one answer per request; ask for one");
    }
    if request.sampling.logit_bias.is_some() {
        return refused("logit_bias", "this upstream takes no token biases; leave them out");
    }
    if !request.output.modalities.is_empty() {
        return refused("modalities", "this upstream answers in text only; ask for text");
    }
    if request.state.cached_content.is_some() {
        return refused("cached_content", "the cached content belongs to another provider; send the content itself");
    }
    Ok(())
}

/// One request on its way.
pub(super) struct Encoder<'a> {
    pub(super) request: &'a Request,
    target: &'a Target<'a>,
    /// The client speaks this dialect.
    pub(super) own: bool,
    pub(super) losses: Losses,
}

impl Encoder<'_> {
    /// Writes the one prompt of a request for generation.
    fn prompt(&mut self, messages: &[Message<'_>], body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let [only] = messages else { return Err(one_prompt()) };
        if only.role != Role::User || !self.request.tools.is_empty() {
            return Err(one_prompt());
        }
        let mut pictures: Vec<&Media> = Vec::new();
        for part in only.pieces.iter().filter_map(|piece| piece.part()) {
            match &part.content {
                PartContent::Media(media) => pictures.push(media),
                PartContent::Text(_) | PartContent::Refusal(_) => {}
                _ => return Err(one_prompt()),
            }
        }
        let system = texts(&self.request.system);
        if !system.is_empty() {
            body.str("system", &system.join("\n"));
        }
        body.str("prompt", &said(only).join("\n"));
        push_pictures(&pictures, body)
    }

    fn format(&mut self, body: &mut Writer<'_>) {
        match &self.request.output.format {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => body.str("format", "json"),
            OutputFormat::JsonSchema { schema, .. } => body.raw("format", schema.as_str()),
        }
    }

    fn think(&mut self, body: &mut Writer<'_>) {
        let mode = self.request.reasoning.mode;
        if self.target.has_quirk("no_think") {
            if !matches!(mode, ReasoningMode::Unset | ReasoningMode::Off | ReasoningMode::Effort(Effort::None)) {
                self.losses.drop(Field::Reasoning);
            }
            return;
        }
        let effort = match mode {
            ReasoningMode::Unset => return,
            ReasoningMode::Off => Effort::None,
            ReasoningMode::Adaptive => return body.bool("think", true),
            ReasoningMode::Effort(effort) => effort,
            ReasoningMode::Budget(tokens) => {
                self.losses.approx(Field::Reasoning);
                Effort::from_budget(tokens)
            }
        };
        let level = match effort {
            Effort::None => return body.bool("think", false),
            Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High | Effort::XHigh => "high",
            Effort::Max => "max",
        };
        if matches!(effort, Effort::Minimal | Effort::XHigh) {
            self.losses.approx(Field::Reasoning);
        }
        body.str("think", level);
    }

    fn logprobs(&mut self, body: &mut Writer<'_>) {
        if !self.request.sampling.logprobs {
            return;
        }
        body.bool("logprobs", true);
        if let Some(top) = self.request.sampling.top_logprobs {
            body.u64("top_logprobs", top.into());
        }
    }

    /// Members that only this family has, and the loss of those that it lacks.
    fn rest(&mut self, body: &mut Writer<'_>) {
        let request = self.request;
        let dropped = [
            (request.identity.user.is_some(), Field::User),
            (request.identity.metadata.is_some(), Field::Metadata),
            (request.state.store == Some(true), Field::Store),
            (request.state.cache_key.is_some(), Field::CacheKey),
            (request.tier.is_some(), Field::Tier),
            (request.safety.is_some(), Field::Safety),
            (request.output.verbosity.is_some(), Field::Verbosity),
            (!request.extra.is_empty() && !self.own, Field::Extra),
        ];
        for (_, field) in dropped.into_iter().filter(|(present, _)| *present) {
            self.losses.drop(field);
        }
        if !self.own {
            return;
        }
        for (name, value) in request.extra.iter().filter(|(name, _)| *name != "options") {
            let out = body.element();
            push_str(out, name);
            out.extend_from_slice(b":");
            out.extend_from_slice(value.as_str().as_bytes());
        }
    }
}

fn one_prompt() -> ErrorInfo {
    ErrorInfo::invalid(
        "messages",
        "this upstream generates from one prompt: send one user message and no tools, or choose a provider that chats",
    )
}
