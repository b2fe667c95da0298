//! A request for an upstream.

use bytes::BytesMut;

use super::{super::documents, super::wire::Writer, history, write::documents_of};
use crate::{
    alias::{Charset, alias},
    dialects::{Encoded, Target},
    json::push_str,
    model::{ErrorInfo, Field, Losses, Media, Request, Str},
};

/// What a tool's name may hold.
const NAMES: Charset = Charset { max: 64, extra: b"_-", starts_with_letter: true };

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let own = request.origin == Some("cohere");
    refuse(request)?;
    let mut encoder = Encoder { request, target, own, losses: Losses::default(), renamed: Vec::new() };
    let mut out = BytesMut::with_capacity(1024);
    let mut body = Writer::object(&mut out);
    body.str("model", target.model);
    let messages = history::messages(&mut encoder)?;
    let documents = documents_of(&messages);
    let in_words = encoder.format_in_words(!documents.is_empty());
    let words = in_words.then(|| encoder.words_of_format());
    encoder.messages(&messages, words, &mut body)?;
    encoder.documents(&documents, &mut body);
    encoder.tools(&mut body)?;
    if !in_words {
        encoder.format(&mut body);
    }
    encoder.sampling(&mut body);
    encoder.limits(&mut body)?;
    encoder.thinking(&mut body);
    encoder.safety(&mut body);
    body.bool("stream", request.stream.is_some());
    encoder.rest(&mut body);
    body.end();
    Ok(Encoded {
        body: out.freeze(),
        losses: encoder.losses,
        headers: Vec::new(),
        renamed_tools: encoder.renamed,
        json_tool: None,
    })
}

/// A tool's name as this upstream takes it.
pub(super) fn sent_name(name: &Str) -> Str {
    alias(name, NAMES)
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
    if request.sampling.top_logprobs.is_some_and(|count| count > 0) {
        return refused("top_logprobs", "this upstream tells no alternative tokens; leave it out");
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
    pub(super) target: &'a Target<'a>,
    /// The client speaks this dialect.
    pub(super) own: bool,
    pub(super) losses: Losses,
    renamed: Vec<(Str, Str)>,
}

impl Encoder<'_> {
    /// The name of a tool on offer, as this upstream takes it; notes a change, for the reply.
    pub(super) fn renamed(&mut self, name: &Str) -> Str {
        let sent = sent_name(name);
        if sent != *name {
            self.renamed.push((sent.clone(), name.clone()));
        }
        sent
    }

    fn documents(&mut self, found: &[(&Media, Str)], body: &mut Writer<'_>) {
        if found.is_empty() {
            return;
        }
        let mut list = body.list("documents");
        for (media, text) in found {
            documents::push(list.element(), media, text, false);
        }
        list.end();
        let refused = found.iter().all(|(media, _)| media.citations == Some(false));
        if refused && !self.own {
            let mut options = body.nested("citation_options");
            options.str("mode", "OFF");
            options.end();
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
            (request.output.verbosity.is_some(), Field::Verbosity),
            (!request.extra.is_empty() && !self.own, Field::Extra),
        ];
        for (_, field) in dropped.into_iter().filter(|(present, _)| *present) {
            self.losses.drop(field);
        }
        if !self.own {
            return;
        }
        for (name, value) in &request.extra {
            let out = body.element();
            push_str(out, name);
            out.extend_from_slice(b":");
            out.extend_from_slice(value.as_str().as_bytes());
        }
    }
}
