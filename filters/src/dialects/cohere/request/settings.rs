//! How tokens are drawn, how many and how much to think; the form of the answer.

use super::{super::wire::Writer, encode::Encoder};
use crate::{
    json::push_str,
    model::{Effort, ErrorInfo, Family, Field, OutputFormat, ReasoningMode},
};

/// The most stop sequences that the wire takes.
const MAX_STOPS: usize = 5;
/// The most candidates per step that the wire takes.
const MAX_K: u32 = 500;

/// Beginnings of the names of models that do not think, and refuse to be asked.
const UNTHINKING: &[&str] = &["command-r", "command-a-03-2025", "command-a-vision", "command-a-translate", "c4ai-aya"];

impl Encoder<'_> {
    /// Writes what of the sampling the wire has, within its bounds. A client of this dialect knows them.
    pub(super) fn sampling(&mut self, body: &mut Writer<'_>) {
        let sampling = &self.request.sampling;
        let bounded = [
            ("temperature", sampling.temperature, 0.0, 1.0, Field::Temperature),
            ("p", sampling.top_p, 0.01, 0.99, Field::TopP),
            ("frequency_penalty", sampling.frequency_penalty, 0.0, 1.0, Field::FrequencyPenalty),
            ("presence_penalty", sampling.presence_penalty, 0.0, 1.0, Field::PresencePenalty),
        ];
        for (name, value, least, most, field) in bounded {
            let Some(value) = value else { continue };
            let fitted = if self.own { value } else { value.clamp(least, most) };
            if (fitted - value).abs() > f64::EPSILON {
                self.losses.approx(field);
            }
            body.f64(name, fitted);
        }
        if let Some(k) = sampling.top_k {
            if k > MAX_K && !self.own {
                self.losses.approx(Field::TopK);
            }
            body.u64("k", if self.own { k } else { k.min(MAX_K) }.into());
        }
        match sampling.seed {
            Some(seed) if seed >= 0 || self.own => body.raw("seed", &seed.to_string()),
            Some(_) => self.losses.drop(Field::Seed),
            None => {}
        }
        if sampling.logprobs {
            if !self.own {
                // They come per piece of text, not per token.
                self.losses.approx(Field::Logprobs);
            }
            body.bool("logprobs", true);
        }
    }

    pub(super) fn limits(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let limits = &self.request.limits;
        if let Some(limit) = limits.max_output {
            if limit == 0 {
                return Err(ErrorInfo::invalid("max_tokens", "the limit of output tokens must be at least 1"));
            }
            body.u64("max_tokens", limit);
        }
        if limits.stop.is_empty() {
            return Ok(());
        }
        if limits.stop.len() > MAX_STOPS {
            self.losses.approx(Field::Stop);
        }
        let mut list = body.list("stop_sequences");
        for stop in limits.stop.iter().take(MAX_STOPS) {
            push_str(list.element(), stop);
        }
        list.end();
        Ok(())
    }

    pub(super) fn thinking(&mut self, body: &mut Writer<'_>) {
        let mode = self.request.reasoning.mode;
        let off = matches!(mode, ReasoningMode::Off | ReasoningMode::Effort(Effort::None) | ReasoningMode::Budget(0));
        if mode == ReasoningMode::Unset {
            return;
        }
        let model = self.target.model.rsplit('/').next().unwrap_or_default();
        if !self.own && UNTHINKING.iter().any(|known| model.starts_with(known)) {
            if !off {
                self.losses.drop(Field::Reasoning);
            }
            return;
        }
        let mut thinking = Writer::of_type(body.member("thinking"), if off { "disabled" } else { "enabled" });
        match mode {
            ReasoningMode::Effort(effort) if !off => {
                self.losses.approx(Field::Reasoning);
                thinking.u64("token_budget", effort.to_budget());
            }
            ReasoningMode::Budget(tokens) if !off => thinking.u64("token_budget", tokens),
            _ => {}
        }
        thinking.end();
    }

    /// Whether the form of the answer must be asked for in words: the wire refuses it beside tools and documents.
    pub(super) fn format_in_words(&self, has_documents: bool) -> bool {
        let formed = self.request.output.format != OutputFormat::Text;
        formed && !self.own && (has_documents || !self.request.tools.is_empty())
    }

    /// The form of the answer in words.
    pub(super) fn words_of_format(&mut self) -> String {
        self.losses.approx(Field::ResponseFormat);
        match &self.request.output.format {
            OutputFormat::JsonSchema { schema, .. } => {
                format!("Respond only with JSON that fits this JSON Schema:\n{}", schema.as_str())
            }
            _ => "Respond only with a JSON object.".to_owned(),
        }
    }

    pub(super) fn format(&mut self, body: &mut Writer<'_>) {
        let format = &self.request.output.format;
        if *format == OutputFormat::Text {
            return;
        }
        let mut wire = Writer::of_type(body.member("response_format"), "json_object");
        if let OutputFormat::JsonSchema { schema, .. } = format {
            wire.raw("json_schema", schema.as_str());
        }
        wire.end();
    }

    pub(super) fn safety(&mut self, body: &mut Writer<'_>) {
        match &self.request.safety {
            Some((Family::Cohere, mode)) => body.raw("safety_mode", mode.as_str()),
            Some(_) => self.losses.drop(Field::Safety),
            None => {}
        }
    }
}
