//! Encodes a request for an upstream.

use bytes::BytesMut;

use super::{
    super::wire::Writer,
    conversation::{self, Message, Piece},
    parts, tools,
};
use crate::{
    alias::{Charset, alias},
    claude::{Obstacles, Plan, Profile, Thinking, loop_lacks_thinking},
    dialects::{Encoded, Target},
    model::{ErrorInfo, Field, Losses, OutputFormat, Part, RawJson, Request, Str, Tool},
    schema::{SchemaTarget, fit},
};

/// What the vendor allows in ids of calls. It states no length.
const IDS: Charset = Charset { max: 256, extra: b"_-", starts_with_letter: false };

/// What the vendor allows in names of tools.
const NAMES: Charset = Charset { max: 128, extra: b"_-", starts_with_letter: false };

/// Most cache breakpoints in a request.
const MAX_BREAKPOINTS: usize = 4;

/// Stands at the end of the system text where the model is asked for JSON and has no mode for it.
const JSON_INSTRUCTION: &str = "Respond only with a JSON object.";

/// Extra members of this family that need a beta, and the beta.
const BETA_MEMBERS: &[(&str, &str)] =
    &[("mcp_servers", "mcp-client-2025-11-20"), ("context_management", "context-management-2025-06-27")];

/// A request being written.
#[derive(Debug)]
pub(super) struct Cx<'a> {
    pub(super) request: &'a Request,
    pub(super) target: &'a Target<'a>,
    pub(super) profile: Profile,
    pub(super) losses: Losses,
    pub(super) breakpoints: Breakpoints,
    /// The tool that stands in for structured output.
    pub(super) json_tool: Option<Str>,
    betas: Vec<&'static str>,
    renamed: Vec<(Str, Str)>,
}

impl Cx<'_> {
    /// The wire's name of a tool.
    pub(super) fn tool_name(&mut self, name: &Str) -> Str {
        let sent = alias(name, NAMES);
        if sent != *name && !self.renamed.iter().any(|(known, _)| *known == sent) {
            self.renamed.push((sent.clone(), name.clone()));
        }
        sent
    }

    /// Asks for a beta.
    pub(super) fn beta(&mut self, name: &'static str) {
        if !self.betas.contains(&name) {
            self.betas.push(name);
        }
    }
}

/// The wire's id of a call.
pub(super) fn call_id(id: &Str) -> Str {
    alias(id, IDS)
}

/// Chooses which cache breakpoints go out if there are too many: the last one of the tools, the last one of the
/// system text, and the latest of the conversation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breakpoints {
    /// How many of the tools' next breakpoints stay out.
    tools: usize,
    /// How many of the blocks' next breakpoints stay out.
    blocks: usize,
    /// How many of the conversation's first breakpoints stay out.
    messages: usize,
}

impl Breakpoints {
    fn new(request: &Request, messages: &[Message<'_>]) -> Self {
        let is_cached = |tool: &&Tool| matches!(tool, Tool::Function { cache: Some(_), .. });
        let tools = request.tools.iter().filter(is_cached).count();
        let system = request.system.iter().filter(|part| parts::can_cache(part)).count();
        let pieces = messages.iter().flat_map(|message| &message.pieces);
        let turns = pieces.filter_map(Piece::part).filter(|part| parts::can_cache(part)).count();
        // The vendor counts its automatic breakpoint too.
        let automatic = request.extra.iter().any(|(name, _)| *name == "cache_control");
        let room = MAX_BREAKPOINTS - usize::from(automatic);
        if tools + system + turns <= room {
            return Self::default();
        }
        let (keep_tools, keep_system) = (tools.min(1), system.min(1));
        Self {
            tools: tools - keep_tools,
            blocks: system - keep_system,
            messages: turns.saturating_sub(room - keep_tools - keep_system),
        }
    }

    /// Whether the next breakpoint of a tool goes out.
    pub(super) fn tool(&mut self) -> bool {
        take(&mut self.tools)
    }

    /// Whether the next breakpoint of a block goes out.
    pub(super) fn block(&mut self) -> bool {
        take(&mut self.blocks)
    }

    /// From the system text to the conversation.
    fn enter_messages(&mut self) {
        self.blocks = self.messages;
    }
}

fn take(skip: &mut usize) -> bool {
    let goes_out = *skip == 0;
    *skip = skip.saturating_sub(1);
    goes_out
}

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let mut losses = Losses::default();
    refuse(request)?;
    note_drops(request, &mut losses);
    let profile = Profile::of(target.model);
    let messages = conversation::normalise(request, target, &profile, &mut losses)?;
    let breakpoints = Breakpoints::new(request, &messages);
    let mut cx =
        Cx { request, target, profile, losses, breakpoints, json_tool: None, betas: Vec::new(), renamed: Vec::new() };
    cx.json_tool = tools::json_tool(&cx);
    let obstacles = Obstacles {
        forced_tool: tools::is_forced(&cx) && cx.profile.forced_tools,
        broken_loop: loop_lacks_thinking(&messages),
    };
    let plan = Plan::new(request, &profile, obstacles, &mut cx.losses);
    let mut out = BytesMut::with_capacity(4096);
    let mut body = Writer::object(&mut out);
    body.str("model", target.model);
    push_options(&mut body, &plan, &mut cx);
    tools::push(&mut body, &mut cx)?;
    push_system(&mut body, &mut cx);
    cx.breakpoints.enter_messages();
    // Last, because one of the hosts caches by the order of members.
    parts::push_messages(&mut body, &messages, &mut cx)?;
    body.end();
    let betas = cx.betas.join(",");
    Ok(Encoded {
        body: out.freeze(),
        losses: cx.losses,
        headers: if betas.is_empty() { Vec::new() } else { vec![("anthropic-beta", Str::from(betas))] },
        renamed_tools: cx.renamed,
        json_tool: cx.json_tool,
    })
}

/// Refuses what a client would miss.
fn refuse(request: &Request) -> Result<(), ErrorInfo> {
    let refused = |param: &'static str, message: &'static str| Err(ErrorInfo::invalid(param, message));
    if request.candidates.is_some_and(|count| count > 1) {
        return refused("n", "this model gives one answer per request, send several requests");
    }
    if request.sampling.logprobs || request.sampling.top_logprobs.is_some_and(|count| count > 0) {
        return refused("logprobs", "this model gives no log probabilities, leave them out");
    }
    if request.sampling.logit_bias.as_ref().is_some_and(|bias| bias.as_str().trim() != "{}") {
        return refused("logit_bias", "this model takes no token biases, leave them out");
    }
    if request.output.modalities.iter().any(|modality| *modality != "text") {
        return refused("modalities", "this model answers in text only, leave other modalities out");
    }
    if request.limits.max_output == Some(0) {
        return refused("max_tokens", "the limit must be at least 1 token");
    }
    Ok(())
}

/// Notes what has no place on this wire and does not change the shape of the answer.
fn note_drops(request: &Request, losses: &mut Losses) {
    let foreign = request.origin != Some("anthropic");
    for (is_set, field) in [
        (request.sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0), Field::FrequencyPenalty),
        (request.sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0), Field::PresencePenalty),
        (request.sampling.seed.is_some(), Field::Seed),
        (request.output.verbosity.is_some(), Field::Verbosity),
        (request.identity.metadata.is_some(), Field::Metadata),
        (request.state.store == Some(true), Field::Store),
        (request.state.cache_key.is_some(), Field::CacheKey),
        (request.safety.is_some(), Field::Safety),
        (foreign && !request.extra.is_empty(), Field::Extra),
    ] {
        if is_set {
            losses.drop(field);
        }
    }
}

fn push_options(body: &mut Writer<'_>, plan: &Plan, cx: &mut Cx<'_>) {
    let request = cx.request;
    body.u64("max_tokens", plan.max_tokens);
    if request.stream.is_some() {
        body.bool("stream", true);
    }
    let drawn = plan.sampling(request, &cx.profile, &mut cx.losses);
    if let Some(temperature) = drawn.temperature {
        body.f64("temperature", temperature);
    }
    if let Some(top_p) = drawn.top_p {
        body.f64("top_p", top_p);
    }
    if let Some(top_k) = drawn.top_k {
        body.u64("top_k", u64::from(top_k));
    }
    push_stops(body, cx);
    plan.push_thinking(body, request, &mut cx.losses);
    if plan.thinks() && cx.profile.thinking == Thinking::BudgetInterleaved && !request.tools.is_empty() {
        cx.beta("interleaved-thinking-2025-05-14");
    }
    push_output_config(body, plan, cx);
    if let Some(user) = &request.identity.user {
        let mut metadata = Writer::object(body.member("metadata"));
        metadata.str("user_id", user);
        metadata.end();
    }
    match request.tier.as_deref() {
        None => {}
        Some(tier @ ("auto" | "standard_only")) => body.str("service_tier", tier),
        Some("default" | "standard") => body.str("service_tier", "standard_only"),
        Some(_) => cx.losses.drop(Field::Tier),
    }
    push_extra(body, cx);
}

fn push_stops(body: &mut Writer<'_>, cx: &mut Cx<'_>) {
    let stops = &cx.request.limits.stop;
    if stops.iter().any(|stop| stop.trim().is_empty()) {
        cx.losses.drop(Field::Stop);
    }
    if stops.iter().all(|stop| stop.trim().is_empty()) {
        return;
    }
    let mut list = Writer::array(body.member("stop_sequences"));
    for stop in stops.iter().filter(|stop| !stop.trim().is_empty()) {
        crate::json::push_str(list.element(), stop);
    }
    list.end();
}

fn push_output_config(body: &mut Writer<'_>, plan: &Plan, cx: &mut Cx<'_>) {
    let request = cx.request;
    let format = match &request.output.format {
        OutputFormat::JsonSchema { schema, .. } if cx.profile.structured => {
            let fitted = fit(schema, SchemaTarget::Anthropic);
            if fitted.weakened {
                cx.losses.approx(Field::ResponseSchema);
            }
            Some(fitted.schema)
        }
        OutputFormat::JsonObject | OutputFormat::JsonSchema { .. } => {
            cx.losses.approx(Field::ResponseFormat);
            None
        }
        OutputFormat::Text => None,
    };
    let own = own_extra(request).find(|(name, _)| *name == "output_config").map(|(_, raw)| raw.to_value());
    let rest = own.as_ref().and_then(|config| config.as_object()).filter(|rest| !rest.is_empty());
    if format.is_none() && plan.effort.is_none() && rest.is_none() {
        return;
    }
    let mut config = Writer::object(body.member("output_config"));
    config.maybe_str("effort", plan.effort.map(crate::model::Effort::as_str));
    if let Some(schema) = format {
        let mut format = Writer::of_type(config.member("format"), "json_schema");
        format.raw("schema", schema.as_str());
        format.end();
    }
    for (name, value) in rest.into_iter().flatten() {
        config.raw(name, &value.to_string());
    }
    config.end();
}

fn own_extra(request: &Request) -> impl Iterator<Item = &(Str, RawJson)> {
    request.extra.iter().filter(|_| request.origin == Some("anthropic"))
}

fn push_extra(body: &mut Writer<'_>, cx: &mut Cx<'_>) {
    for (name, raw) in own_extra(cx.request).filter(|(name, _)| *name != "output_config") {
        if let Some((_, beta)) = BETA_MEMBERS.iter().find(|(member, _)| *name == **member) {
            cx.beta(beta);
        }
        body.raw(name, raw.as_str());
    }
}

fn push_system(body: &mut Writer<'_>, cx: &mut Cx<'_>) {
    let request = cx.request;
    let instruct = request.output.format == OutputFormat::JsonObject;
    let is_said = |part: &&Part| part.as_text().is_some_and(|text| !text.trim().is_empty());
    if request.system.iter().any(|part| part.as_text().is_none()) {
        cx.losses.drop(Field::System);
    }
    if !instruct && !request.system.iter().any(|part| is_said(&part)) {
        return;
    }
    let mut list = Writer::array(body.member("system"));
    for part in request.system.iter().filter(is_said) {
        let text = part.as_text().map_or("", |text| text);
        parts::push_text(&mut list, text, part, cx);
    }
    if instruct {
        parts::push_text(&mut list, JSON_INSTRUCTION, &Part::text(JSON_INSTRUCTION), cx);
    }
    list.end();
}
