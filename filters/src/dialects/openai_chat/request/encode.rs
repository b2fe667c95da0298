//! A request for an upstream. What it may want otherwise stands in [`super::super::quirks`].

use bytes::BytesMut;

use super::{
    super::{
        profile::{self, Profile},
        wire::Writer,
    },
    history,
};
use crate::{
    dialects::{Encoded, Target},
    model::{Effort, ErrorInfo, Field, Losses, ReasoningMode, Request, Str},
};

/// The most stop sequences that the wire takes.
const MAX_STOPS: usize = 4;

/// Members of `OpenAI`'s other API, which share the family but mean nothing here.
const FOREIGN_EXTRA: &[&str] = &[
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt",
    "text",
    "truncation",
];

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let profile = profile::of(target.model);
    let mut encoder = Encoder {
        request,
        target,
        profile,
        native: request.origin == Some("openai_chat"),
        developer: profile.developer && !target.has_quirk("no_developer_role"),
        losses: Losses::default(),
        renamed: Vec::new(),
    };
    let mut out = BytesMut::with_capacity(1024);
    let mut body = Writer::object(&mut out);
    body.str("model", target.model);
    encoder.conversation(&mut body)?;
    encoder.tools(&mut body)?;
    encoder.format(&mut body)?;
    encoder.sampling(&mut body)?;
    encoder.limits(&mut body)?;
    encoder.reasoning(&mut body);
    encoder.bookkeeping(&mut body);
    encoder.stream(&mut body);
    encoder.extra(&mut body);
    body.end();
    let Encoder { losses, renamed, .. } = encoder;
    Ok(Encoded { body: out.freeze(), losses, headers: Vec::new(), renamed_tools: renamed, json_tool: None })
}

/// One request on its way.
pub(super) struct Encoder<'a> {
    pub(super) request: &'a Request,
    pub(super) target: &'a Target<'a>,
    pub(super) profile: Profile,
    /// The request came in `OpenAI`'s family, so that its words mean here what they meant there.
    pub(super) native: bool,
    /// Instructions go in `developer` messages.
    pub(super) developer: bool,
    pub(super) losses: Losses,
    pub(super) renamed: Vec<(Str, Str)>,
}

impl Encoder<'_> {
    fn conversation(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        let messages = history::arrange(&request.turns, &mut self.losses);
        if matches!(messages.last(), Some(history::Message::Assistant(_))) && !self.native {
            self.losses.approx(Field::Prefill);
        }
        let mut list = body.list("messages");
        self.instructions(&request.system, &mut list)?;
        self.messages(&messages, &mut list)?;
        list.end();
        Ok(())
    }

    /// Whether the model draws tokens as it is told.
    fn samples(&self) -> bool {
        !self.profile.reasoning
            || (self.profile.samples_without_effort && self.request.reasoning.mode == ReasoningMode::Off)
    }

    fn sampling(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let sampling = &self.request.sampling;
        let samples = self.samples();
        // With the value at which it does nothing, which may go unsaid.
        let numbers = [
            ("temperature", sampling.temperature, Field::Temperature, 1.0),
            ("top_p", sampling.top_p, Field::TopP, 1.0),
            ("frequency_penalty", sampling.frequency_penalty, Field::FrequencyPenalty, 0.0),
            ("presence_penalty", sampling.presence_penalty, Field::PresencePenalty, 0.0),
        ];
        for (name, value, field, neutral) in numbers {
            match value {
                Some(value) if samples => body.f64(name, value),
                Some(value) if (value - neutral).abs() > f64::EPSILON => self.losses.drop(field),
                _ => {}
            }
        }
        if let Some(top_k) = sampling.top_k {
            if self.target.has_quirk("top_k") {
                body.u64("top_k", top_k.into());
            } else {
                self.losses.drop(Field::TopK);
            }
        }
        if let Some(seed) = sampling.seed {
            body.raw("seed", &seed.to_string());
        }
        if let Some(bias) = &sampling.logit_bias {
            if !samples {
                return Err(unsupported("logit_bias"));
            }
            body.raw("logit_bias", bias.as_str());
        }
        if sampling.logprobs {
            if !samples {
                return Err(unsupported("logprobs"));
            }
            body.bool("logprobs", true);
            if let Some(top) = sampling.top_logprobs {
                body.u64("top_logprobs", top.into());
            }
        }
        if let Some(count) = self.request.candidates {
            body.u64("n", count.into());
        }
        Ok(())
    }

    fn limits(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let limits = &self.request.limits;
        if let Some(limit) = limits.max_output {
            if limit == 0 {
                return Err(ErrorInfo::invalid("max_tokens", "the limit of output tokens must be at least 1"));
            }
            let modern = self.profile.reasoning && !self.target.has_quirk("max_tokens_legacy");
            body.u64(if modern { "max_completion_tokens" } else { "max_tokens" }, limit);
        }
        match limits.stop.len() {
            0 => return Ok(()),
            _ if !self.profile.stop => return Err(unsupported("stop")),
            count if count > MAX_STOPS => self.losses.approx(Field::Stop),
            _ => {}
        }
        let mut list = body.list("stop");
        for stop in limits.stop.iter().take(MAX_STOPS) {
            crate::json::push_str(list.element(), stop);
        }
        list.end();
        Ok(())
    }

    fn reasoning(&mut self, body: &mut Writer<'_>) {
        let asked = match self.request.reasoning.mode {
            ReasoningMode::Unset | ReasoningMode::Adaptive => return,
            ReasoningMode::Off => Effort::None,
            ReasoningMode::Effort(effort) => effort,
            ReasoningMode::Budget(tokens) => {
                self.losses.approx(Field::Reasoning);
                Effort::from_budget(tokens)
            }
        };
        if self.profile.never_thinks || self.target.has_quirk("no_reasoning_effort") {
            if asked != Effort::None {
                self.losses.drop(Field::Reasoning);
            }
            return;
        }
        let effort = match self.profile.efforts {
            Some((least, most)) => asked.clamp(least, most),
            None if self.native => asked,
            // Not to think is what an unknown model does when it is not asked to.
            None if asked == Effort::None => return,
            None => asked.min(Effort::High),
        };
        if effort != asked {
            self.losses.approx(Field::Reasoning);
        }
        body.str("reasoning_effort", effort.as_str());
    }

    fn bookkeeping(&mut self, body: &mut Writer<'_>) {
        let request = self.request;
        if let Some(user) = &request.identity.user {
            if self.target.has_quirk("no_user") {
                self.losses.drop(Field::User);
            } else {
                body.str("user", user);
            }
        }
        if let Some(metadata) = &request.identity.metadata {
            if self.native {
                body.raw("metadata", metadata.as_str());
            } else {
                self.losses.drop(Field::Metadata);
            }
        }
        if let Some(store) = request.state.store {
            if self.native {
                body.bool("store", store);
            } else if store {
                self.losses.drop(Field::Store);
            }
        }
        if self.native {
            body.maybe_str("prompt_cache_key", request.state.cache_key.as_deref());
        } else if request.state.cache_key.is_some() {
            self.losses.drop(Field::CacheKey);
        }
        if request.safety.is_some() {
            self.losses.drop(Field::Safety);
        }
        self.tier(body);
    }

    fn tier(&mut self, body: &mut Writer<'_>) {
        let Some(tier) = self.request.tier.as_deref() else { return };
        let own = match tier {
            _ if self.native => Some(tier),
            "auto" | "default" | "flex" | "priority" => Some(tier),
            "standard" | "standard_only" => Some("default"),
            _ => None,
        };
        match own {
            Some(tier) => body.str("service_tier", tier),
            None => self.losses.drop(Field::Tier),
        }
    }

    fn stream(&mut self, body: &mut Writer<'_>) {
        if self.request.stream.is_none() {
            return;
        }
        body.bool("stream", true);
        if self.target.usage_in_stream && !self.target.has_quirk("no_stream_options") {
            let mut options = body.nested("stream_options");
            options.bool("include_usage", true);
            options.end();
        }
    }

    fn extra(&mut self, body: &mut Writer<'_>) {
        for (name, value) in &self.request.extra {
            if self.native && !FOREIGN_EXTRA.contains(&&**name) {
                let mut escaped = BytesMut::new();
                crate::json::push_raw_str(&mut escaped, name);
                body.raw(std::str::from_utf8(&escaped).unwrap_or_default(), value.as_str());
            } else {
                self.losses.drop(Field::Extra);
            }
        }
    }
}

fn unsupported(name: &'static str) -> ErrorInfo {
    ErrorInfo::invalid(name, format!("this model does not take `{name}`; leave it out or choose another model"))
        .with_code("unsupported_parameter")
}
