//! A request for an upstream.
//!
//! Quirks that the catalog may list for an upstream:
//!
//! | quirk | effect |
//! |---|---|
//! | `max_tokens_legacy` | the limit is `max_tokens` whatever the model |
//! | `no_parallel_tool_calls`, `no_reasoning_effort`, `no_stream_options`, `no_user` | that member is left out |
//! | `no_developer_role` | instructions are `system` whatever the model |
//! | `flat_content` | texts of a message are joined to one string |
//! | `top_k` | `top_k` is sent |
//! | `reasoning_content_in` | earlier thinking is sent back as `reasoning_content` |
//! | `reasoning_details_in` | earlier thinking is sent back with its state as `reasoning_details` |
//! | `thought_signature_in` | Gemini's signatures are sent back as `extra_content` |
//! | `cache_control`, `prompt_cache_breakpoint` | cache breakpoints are sent in that form |
//! | `tool_ids_9` | call ids are nine letters and digits |

use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::{
    super::{
        answer::hex,
        profile::{self, Profile},
        write::Writer,
    },
    history,
};
use crate::{
    alias::{Charset, alias},
    dialects::{Encoded, Target},
    model::{
        Effort, ErrorInfo, Family, Field, Losses, OutputFormat, RawJson, ReasoningMode, Request, Str, Tool, ToolChoice,
    },
    schema::{self, SchemaTarget},
};

/// Names of tools, of people and of schemas.
const NAMES: Charset = Charset { max: 64, extra: b"_-", starts_with_letter: false };
/// Ids of calls. Chat Completions refuses longer ones than Responses.
const IDS: Charset = Charset { max: 40, extra: b"_-", starts_with_letter: false };
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

/// Tools that `OpenAI` runs in its other API only.
const FOREIGN_TOOLS: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
    "web_search_preview",
];

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let profile = profile::of(target.model);
    let mut encoder = Encoder {
        request,
        target,
        profile,
        native: request.origin == Some(Family::OpenAi),
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
    profile: Profile,
    /// The request came in `OpenAI`'s family, so that its words mean here what they meant there.
    native: bool,
    /// Instructions go in `developer` messages.
    pub(super) developer: bool,
    pub(super) losses: Losses,
    renamed: Vec<(Str, Str)>,
}

impl Encoder<'_> {
    fn conversation(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        if request.state.cached_content.is_some() {
            let message = "the cached content belongs to another provider; send the content itself";
            return Err(ErrorInfo::invalid("cached_content", message));
        }
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

    fn tools(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let request = self.request;
        let (options, tools): (Vec<_>, Vec<_>) = request
            .tools
            .iter()
            .partition(|tool| matches!(tool, Tool::Server { kind, .. } if kind == "web_search_options"));
        for tool in options {
            if let Tool::Server { family: Family::OpenAi, raw, .. } = tool {
                body.raw("web_search_options", raw.as_str());
            }
        }
        if tools.is_empty() {
            return Ok(());
        }
        let mut list = body.list("tools");
        for tool in tools {
            self.tool(tool, &mut list)?;
        }
        list.end();
        self.tool_choice(body);
        match request.parallel_tools {
            Some(false) if self.target.has_quirk("no_parallel_tool_calls") || !self.profile.parallel => {
                self.losses.drop(Field::ParallelTools);
            }
            Some(parallel) if self.profile.parallel && !self.target.has_quirk("no_parallel_tool_calls") => {
                body.bool("parallel_tool_calls", parallel);
            }
            _ => {}
        }
        Ok(())
    }

    fn tool(&mut self, tool: &Tool, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        match tool {
            Tool::Function { name, description, schema, strict, cache } => {
                let mut object = Writer::object(list.element());
                object.str("type", "function");
                let mut function = object.nested("function");
                function.str("name", &self.renamed(name));
                function.maybe_str("description", description.as_deref());
                match schema {
                    Some(schema) => {
                        function.raw("parameters", self.fitted(schema, *strict, Field::ToolSchema).as_str())
                    }
                    None => function.raw("parameters", r#"{"type":"object","properties":{}}"#),
                }
                if let Some(strict) = strict {
                    function.bool("strict", *strict);
                }
                function.end();
                self.cache(cache.is_some(), &mut object);
                object.end();
            }
            Tool::Custom { name, description, format } => {
                let mut object = Writer::object(list.element());
                object.str("type", "custom");
                let mut custom = object.nested("custom");
                custom.str("name", &self.renamed(name));
                custom.maybe_str("description", description.as_deref());
                if let Some(format) = format {
                    custom.raw("format", format.as_str());
                }
                custom.end();
                object.end();
            }
            Tool::Server { family: Family::OpenAi, kind, raw } if !FOREIGN_TOOLS.contains(&&**kind) => {
                list.element().extend_from_slice(raw.as_str().as_bytes());
            }
            Tool::Server { kind, .. } => {
                let message = format!("this upstream has no tool `{kind}`; leave it out or choose another model");
                return Err(ErrorInfo::invalid("tools", message));
            }
        }
        Ok(())
    }

    /// A schema as this upstream takes it. What came from this family was written for it and stays as it is.
    fn fitted(&mut self, schema: &RawJson, strict: Option<bool>, field: Field) -> RawJson {
        if self.native || strict != Some(true) {
            return schema.clone();
        }
        let fitted = schema::fit(schema, SchemaTarget::OpenAiStrict);
        if fitted.weakened {
            self.losses.approx(field);
        }
        fitted.schema
    }

    fn tool_choice(&mut self, body: &mut Writer<'_>) {
        match &self.request.tool_choice {
            ToolChoice::Unset => {}
            ToolChoice::Auto => body.str("tool_choice", "auto"),
            ToolChoice::None => body.str("tool_choice", "none"),
            ToolChoice::Required => body.str("tool_choice", "required"),
            ToolChoice::Named(name) => {
                let mut choice = body.nested("tool_choice");
                self.named(name, &mut choice);
                choice.end();
            }
            ToolChoice::Allowed { names, required } => {
                let mut choice = body.nested("tool_choice");
                choice.str("type", "allowed_tools");
                let mut allowed = choice.nested("allowed_tools");
                allowed.str("mode", if *required { "required" } else { "auto" });
                let mut tools = allowed.list("tools");
                for name in names {
                    let mut tool = Writer::object(tools.element());
                    self.named(name, &mut tool);
                    tool.end();
                }
                tools.end();
                allowed.end();
                choice.end();
            }
        }
    }

    fn named(&mut self, name: &Str, object: &mut Writer<'_>) {
        let custom =
            self.request.tools.iter().any(|tool| matches!(tool, Tool::Custom { name: own, .. } if own == name));
        let kind = if custom { "custom" } else { "function" };
        object.str("type", kind);
        let mut tool = object.nested(kind);
        tool.str("name", &tool_name(name));
        tool.end();
    }

    /// The same for a tool on offer; notes the change, for the reply.
    fn renamed(&mut self, name: &Str) -> Str {
        let sent = tool_name(name);
        if sent != *name {
            self.renamed.push((sent.clone(), name.clone()));
        }
        sent
    }

    /// A call's id as this upstream takes it.
    pub(super) fn call_id(&self, id: &Str) -> Str {
        if !self.target.has_quirk("tool_ids_9") {
            return alias(id, IDS);
        }
        if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return id.clone();
        }
        let hash = Sha256::digest(id.as_bytes());
        Str::from(hex(hash.iter().take(5)).get(..9).unwrap_or_default())
    }

    fn format(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let output = &self.request.output;
        match &output.format {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => {
                let mut format = body.nested("response_format");
                format.str("type", "json_object");
                format.end();
            }
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                let schema = self.fitted(schema, *strict, Field::ResponseSchema);
                let name = name.as_ref().map_or(Str::from_static("response"), |name| alias(name, NAMES));
                let mut format = body.nested("response_format");
                format.str("type", "json_schema");
                let mut wire = format.nested("json_schema");
                wire.str("name", &name);
                wire.maybe_str("description", description.as_deref());
                wire.raw("schema", schema.as_str());
                if let Some(strict) = strict {
                    wire.bool("strict", *strict);
                }
                wire.end();
                format.end();
            }
        }
        if !output.modalities.is_empty() {
            // Speech needs a voice and a format, which only a request of this family can have said.
            if !self.native {
                return Err(ErrorInfo::invalid("modalities", "this upstream answers in text only; ask for text"));
            }
            let mut list = body.list("modalities");
            for name in std::iter::once("text").chain(output.modalities.iter().map(|name| &**name)) {
                crate::json::push_str(list.element(), name);
            }
            list.end();
        }
        body.maybe_str("verbosity", output.verbosity.as_deref());
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

/// A tool's name, or a person's, as this upstream takes it.
pub(super) fn tool_name(name: &Str) -> Str {
    alias(name, NAMES)
}

fn unsupported(name: &'static str) -> ErrorInfo {
    ErrorInfo::invalid(name, format!("this model does not take `{name}`; leave it out or choose another model"))
        .with_code("unsupported_parameter")
}
