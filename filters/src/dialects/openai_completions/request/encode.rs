//! A request for an upstream.

use bytes::BytesMut;

use super::prompt::{Prompt, prompt};
use crate::{
    dialects::{Encoded, Target},
    json::{Writer, push_raw_str, push_str},
    model::{Effort, ErrorInfo, Field, Losses, OutputFormat, ReasoningMode, Request, ToolChoice},
};

/// The most stop sequences that the wire takes.
const MAX_STOPS: usize = 4;

/// The most alternatives per token that the wire takes.
const MAX_TOP_LOGPROBS: u32 = 5;

/// Tokens of an answer for whom sets no limit in a dialect that needs none. The wire's own default is 16, in which no
/// answer fits, and the oldest models have room for 4096 with the prompt.
const DEFAULT_OUTPUT: u64 = 1024;

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let mut encoder =
        Encoder { request, target, is_own: request.origin == Some("openai_completions"), losses: Losses::default() };
    encoder.refuse()?;
    let prompt = prompt(request, encoder.is_own, &mut encoder.losses)?;
    let mut out = BytesMut::with_capacity(prompt.text.len() + 256);
    let mut body = Writer::object(&mut out);
    body.str("model", target.model);
    body.str("prompt", &prompt.text);
    encoder.sampling(&mut body);
    encoder.limits(&mut body, &prompt)?;
    encoder.bookkeeping(&mut body);
    encoder.stream(&mut body);
    encoder.extra(&mut body);
    body.end();
    let losses = encoder.losses;
    Ok(Encoded { body: out.freeze(), losses, headers: Vec::new(), renamed_tools: Vec::new(), json_tool: None })
}

struct Encoder<'a> {
    request: &'a Request,
    target: &'a Target<'a>,
    /// The request was a completion from the start.
    is_own: bool,
    losses: Losses,
}

impl Encoder<'_> {
    /// Refuses what a client would miss in the answer, and notes what it would not.
    fn refuse(&mut self) -> Result<(), ErrorInfo> {
        let request = self.request;
        if !request.tools.is_empty() {
            if request.tool_choice != ToolChoice::None {
                return Err(unsupported("tools"));
            }
            self.losses.drop(Field::Tools);
        }
        if request.output.format != OutputFormat::Text {
            return Err(unsupported("response_format"));
        }
        if !request.output.modalities.is_empty() {
            return Err(unsupported("modalities"));
        }
        if request.state.cached_content.is_some() {
            return Err(unsupported("cached_content"));
        }
        let thinks = !matches!(
            request.reasoning.mode,
            ReasoningMode::Unset | ReasoningMode::Off | ReasoningMode::Effort(Effort::None) | ReasoningMode::Budget(0)
        );
        for (is_lost, field) in [
            (thinks, Field::Reasoning),
            (request.output.verbosity.is_some(), Field::Verbosity),
            (request.identity.metadata.is_some(), Field::Metadata),
            (request.state.store == Some(true), Field::Store),
            (request.state.cache_key.is_some(), Field::CacheKey),
            (request.tier.is_some(), Field::Tier),
            (request.safety.is_some(), Field::Safety),
        ] {
            if is_lost {
                self.losses.drop(field);
            }
        }
        Ok(())
    }

    fn sampling(&mut self, body: &mut Writer<'_>) {
        let sampling = &self.request.sampling;
        for (name, value) in [
            ("temperature", sampling.temperature),
            ("top_p", sampling.top_p),
            ("frequency_penalty", sampling.frequency_penalty),
            ("presence_penalty", sampling.presence_penalty),
        ] {
            if let Some(value) = value {
                body.f64(name, value);
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
            body.raw("logit_bias", bias.as_str());
        }
        if sampling.logprobs {
            let top = sampling.top_logprobs.unwrap_or(0);
            // Between speakers of this dialect the upstream says what it takes.
            let sent = if self.is_own { top } else { top.min(MAX_TOP_LOGPROBS) };
            if sent < top {
                self.losses.approx(Field::Logprobs);
            }
            body.u64("logprobs", sent.into());
        }
        if let Some(count) = self.request.candidates {
            body.u64("n", count.into());
        }
    }

    fn limits(&mut self, body: &mut Writer<'_>, prompt: &Prompt) -> Result<(), ErrorInfo> {
        let limits = &self.request.limits;
        match limits.max_output {
            Some(0) if !self.is_own => {
                return Err(ErrorInfo::invalid("max_tokens", "the limit of output tokens must be at least 1"));
            }
            Some(limit) => body.u64("max_tokens", limit),
            None if self.is_own => {}
            None => body.u64("max_tokens", DEFAULT_OUTPUT),
        }
        let asked = if self.is_own { limits.stop.len() } else { MAX_STOPS };
        if limits.stop.len() > asked {
            self.losses.approx(Field::Stop);
        }
        let room = MAX_STOPS.saturating_sub(limits.stop.len());
        let own = prompt.stop.filter(|_| room > 0);
        if own.is_some() {
            // The answer ends at more than the client asked for.
            self.losses.approx(Field::Stop);
        }
        if limits.stop.is_empty() && own.is_none() {
            return Ok(());
        }
        let mut list = body.list("stop");
        for stop in limits.stop.iter().take(asked).map(|stop| &**stop).chain(own) {
            push_str(list.element(), stop);
        }
        list.end();
        Ok(())
    }

    fn bookkeeping(&mut self, body: &mut Writer<'_>) {
        let Some(user) = &self.request.identity.user else { return };
        if self.target.has_quirk("no_user") {
            self.losses.drop(Field::User);
        } else {
            body.str("user", user);
        }
    }

    fn stream(&self, body: &mut Writer<'_>) {
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
            if self.is_own {
                let mut escaped = BytesMut::new();
                push_raw_str(&mut escaped, name);
                body.raw(std::str::from_utf8(&escaped).unwrap_or_default(), value.as_str());
            } else {
                self.losses.drop(Field::Extra);
            }
        }
    }
}

fn unsupported(name: &'static str) -> ErrorInfo {
    let message = format!("this model continues plain text and has no `{name}`: leave it out, or choose another model");
    ErrorInfo::invalid(name, message).with_code("unsupported_parameter")
}
