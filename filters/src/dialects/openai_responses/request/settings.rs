//! Everything of a request but the conversation and the tools, as it is written to an upstream.

use bytes::BytesMut;

use super::{super::wire::Writer, decode::LOGPROBS, encode::Encoder};
use crate::{
    alias::{Charset, alias},
    json::{push_raw_str, push_str},
    model::{Display, Effort, ErrorInfo, Field, ReasoningMode},
};

/// The least limit of output tokens that the vendor takes.
const MIN_OUTPUT: u64 = 16;

/// The longest id of an end user that the vendor takes.
const USER: Charset = Charset { max: 64, extra: b"_-.:@|+/=", starts_with_letter: false };

impl Encoder<'_> {
    /// Refuses what a client would miss.
    pub(super) fn refuse(&self) -> Result<(), ErrorInfo> {
        let request = self.request;
        let refused = |param: &'static str, message: &'static str| {
            Err(ErrorInfo::invalid(param, message).with_code("unsupported_parameter"))
        };
        if request.candidates.is_some_and(|count| count > 1) {
            return refused("n", "this upstream gives one answer per request; send several requests");
        }
        if !request.limits.stop.is_empty() {
            return refused("stop", "this upstream takes no stop sequences; leave them out or choose another model");
        }
        if request.sampling.logit_bias.as_ref().is_some_and(|bias| bias.as_str().trim() != "{}") {
            return refused("logit_bias", "this upstream takes no token biases; leave them out");
        }
        if request.limits.max_output == Some(0) {
            return refused("max_output_tokens", "the limit of output tokens must be at least 1");
        }
        if request.sampling.logprobs && !self.samples() {
            return refused("logprobs", "this model gives no log probabilities; leave them out");
        }
        Ok(())
    }

    /// Whether the model draws tokens as it is told.
    fn samples(&self) -> bool {
        !self.profile.reasoning
            || (self.profile.samples_without_effort && self.request.reasoning.mode == ReasoningMode::Off)
    }

    pub(super) fn sampling(&mut self, body: &mut Writer<'_>) {
        let sampling = &self.request.sampling;
        let samples = self.samples();
        for (name, value, field) in
            [("temperature", sampling.temperature, Field::Temperature), ("top_p", sampling.top_p, Field::TopP)]
        {
            match value {
                Some(value) if samples => body.f64(name, value),
                // At one it does nothing, which may go unsaid.
                Some(value) if (value - 1.0).abs() > f64::EPSILON => self.losses.drop(field),
                _ => {}
            }
        }
        for (is_set, field) in [
            (sampling.top_k.is_some(), Field::TopK),
            (sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0), Field::FrequencyPenalty),
            (sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0), Field::PresencePenalty),
            (sampling.seed.is_some(), Field::Seed),
        ] {
            if is_set {
                self.losses.drop(field);
            }
        }
        if let Some(top) = sampling.top_logprobs.filter(|_| sampling.logprobs) {
            body.u64("top_logprobs", top.into());
        }
        if let Some(limit) = self.request.limits.max_output {
            if limit < MIN_OUTPUT {
                self.losses.approx(Field::MaxTokens);
            }
            body.u64("max_output_tokens", limit.max(MIN_OUTPUT));
        }
    }

    pub(super) fn reasoning(&mut self, body: &mut Writer<'_>) {
        let spec = &self.request.reasoning;
        let asked = match spec.mode {
            ReasoningMode::Unset | ReasoningMode::Adaptive => None,
            ReasoningMode::Off => Some(Effort::None),
            ReasoningMode::Effort(effort) => Some(effort),
            ReasoningMode::Budget(tokens) => {
                self.losses.approx(Field::Reasoning);
                Some(Effort::from_budget(tokens))
            }
        };
        if self.profile.never_thinks {
            if asked.is_some_and(|asked| asked != Effort::None) {
                self.losses.drop(Field::Reasoning);
            }
            return;
        }
        let effort = asked.and_then(|asked| self.effort(asked));
        // Where thinking is asked for by its size, or is left to the model, it is shown by default.
        let shown = matches!(spec.mode, ReasoningMode::Budget(1..) | ReasoningMode::Adaptive);
        let summary = match spec.display {
            Some(Display::Summary) => Some("auto"),
            Some(Display::Full) => Some("detailed"),
            None if shown => Some("auto"),
            Some(Display::Omitted) | None => None,
        };
        if effort.is_none() && summary.is_none() {
            return;
        }
        let mut object = body.nested("reasoning");
        object.maybe_str("effort", effort.map(Effort::as_str));
        object.maybe_str("summary", summary);
        object.end();
    }

    /// The effort that the model knows; `None` if it is better not said.
    fn effort(&mut self, asked: Effort) -> Option<Effort> {
        let effort = match self.profile.efforts {
            Some((least, most)) => asked.clamp(least, most),
            None if self.native => asked,
            // Not to think is what an unknown model does when it is not asked to.
            None if asked == Effort::None => return None,
            None => asked.min(Effort::High),
        };
        if effort != asked {
            self.losses.approx(Field::Reasoning);
        }
        Some(effort)
    }

    /// Writes `include` and `store`: nothing is stored for clients who cannot name it, so that reasoning comes with
    /// its state, to be sent back.
    pub(super) fn state(&mut self, body: &mut Writer<'_>) {
        let request = self.request;
        let state = &request.state;
        let store = if self.native { state.store } else { Some(false) };
        if !self.native && state.store == Some(true) {
            self.losses.drop(Field::Store);
        }
        if let Some(store) = store {
            body.bool("store", store);
        }
        body.maybe_str("previous_response_id", state.previous.as_deref());
        body.maybe_str("conversation", state.conversation.as_deref());
        if state.background {
            body.bool("background", true);
        }
        let mut include = Vec::new();
        if request.sampling.logprobs {
            include.push(LOGPROBS);
        }
        if store == Some(false) && !self.profile.never_thinks && !self.target.has_quirk("no_include") {
            include.push("reasoning.encrypted_content");
        }
        let kept = request.extra.iter().any(|(name, _)| self.native && *name == "include");
        if !include.is_empty() && !kept {
            let mut list = body.list("include");
            for name in include {
                push_str(list.element(), name);
            }
            list.end();
        }
    }

    pub(super) fn bookkeeping(&mut self, body: &mut Writer<'_>) {
        let request = self.request;
        if let Some(user) = &request.identity.user {
            if self.target.has_quirk("no_user") {
                self.losses.drop(Field::User);
            } else if user.len() <= USER.max {
                body.str("safety_identifier", user);
            } else {
                body.str("safety_identifier", &alias(user, USER));
            }
        }
        if let Some(metadata) = &request.identity.metadata {
            body.raw("metadata", metadata.as_str());
        }
        body.maybe_str("prompt_cache_key", request.state.cache_key.as_deref());
        match &request.safety {
            Some((crate::model::Family::OpenAi, policy)) => body.raw("moderation", policy.as_str()),
            Some(_) => self.losses.drop(Field::Safety),
            None => {}
        }
        let own = match request.tier.as_deref() {
            Some(tier) if self.native => Some(tier),
            Some(tier @ ("auto" | "default" | "flex" | "priority")) => Some(tier),
            Some("standard" | "standard_only") => Some("default"),
            Some(_) => {
                self.losses.drop(Field::Tier);
                None
            }
            None => None,
        };
        body.maybe_str("service_tier", own);
        if request.stream.is_some() {
            body.bool("stream", true);
        }
    }

    pub(super) fn extra(&mut self, body: &mut Writer<'_>) {
        for (name, value) in &self.request.extra {
            if self.native {
                let mut escaped = BytesMut::new();
                push_raw_str(&mut escaped, name);
                body.raw(std::str::from_utf8(&escaped).unwrap_or_default(), value.as_str());
            } else {
                self.losses.drop(Field::Extra);
            }
        }
    }
}
