//! Encodes a request for an upstream.

use bytes::BytesMut;
use sha2::{Digest, Sha256};

use super::{
    super::{finish::STOP_SEQUENCE_PATH, profile::Model, wire::Writer},
    conversation::{self, Message, Piece},
    documents::Names,
    fields,
    options::FIELDS,
    parts,
    settings::Settings,
    tools,
};
use crate::{
    alias::{Charset, alias},
    dialects::{Encoded, Target},
    json::push_str,
    model::{ErrorInfo, Family, Field, Losses, OutputFormat, Part, Request, Str, Tool},
    schema::{SchemaTarget, fit},
};

/// What the service allows in ids of calls.
const IDS: Charset = Charset { max: 64, extra: b"_.:-", starts_with_letter: false };

/// What the service allows in names of tools.
const NAMES: Charset = Charset { max: 64, extra: b"_-", starts_with_letter: false };

/// Most cache breakpoints in a request.
const MAX_BREAKPOINTS: usize = 4;

/// Stands at the end of the system text where the model is asked for JSON and has no mode for it.
const JSON_INSTRUCTION: &str = "Respond only with a JSON object.";

/// Most entries of `requestMetadata`, and most bytes of a key or a value.
const MAX_METADATA: (usize, usize) = (16, 256);

/// A request being written.
#[derive(Debug)]
pub(super) struct Cx<'a> {
    pub(super) request: &'a Request,
    pub(super) model: Model,
    pub(super) losses: Losses,
    /// Names of documents.
    pub(super) documents: Names,
    /// The tool that stands in for structured output.
    pub(super) json_tool: Option<Str>,
    /// Betas of Claude's that members of the request need.
    pub(super) betas: Vec<&'static str>,
    /// How many of the next cache breakpoints stay out: the last ones cover the most.
    skipped_breakpoints: usize,
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

    /// The wire's id of a call.
    pub(super) fn call_id(&self, id: &Str) -> Str {
        if self.model == Model::Mistral { short_id(id) } else { alias(id, IDS) }
    }

    /// Whether the next cache breakpoint goes out.
    pub(super) fn breakpoint(&mut self) -> bool {
        let goes_out = self.skipped_breakpoints == 0;
        self.skipped_breakpoints = self.skipped_breakpoints.saturating_sub(1);
        if !goes_out {
            self.losses.drop(Field::CacheControl);
        }
        goes_out
    }

    /// Asks for one of Claude's betas.
    pub(super) fn beta(&mut self, name: &'static str) {
        if !self.betas.contains(&name) {
            self.betas.push(name);
        }
    }
}

/// An id of nine letters and digits, as Mistral's models want them.
fn short_id(id: &Str) -> Str {
    const LENGTH: usize = 9;
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    if id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.clone();
    }
    let hash = Sha256::digest(id.as_bytes());
    let digit = |byte: &u8| DIGITS.get(usize::from(byte % 36)).copied().map_or('0', char::from);
    Str::from(hash.iter().take(LENGTH).map(digit).collect::<String>())
}

/// Encodes a request.
pub(in super::super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, ErrorInfo> {
    let mut losses = Losses::default();
    refuse(request)?;
    note_drops(request, &mut losses);
    let model = Model::of(target.model);
    let messages = conversation::normalise(request, target, model, &mut losses)?;
    let mut cx = Cx {
        request,
        model,
        losses,
        documents: Names::default(),
        json_tool: None,
        betas: Vec::new(),
        skipped_breakpoints: breakpoints(request, model, &messages).saturating_sub(MAX_BREAKPOINTS),
        renamed: Vec::new(),
    };
    cx.json_tool = tools::json_tool(&cx);
    let settings = Settings::new(&messages, &mut cx);
    let mut out = BytesMut::with_capacity(4096);
    let mut body = Writer::object(&mut out);
    // In the order in which caches read them.
    tools::push(&mut body, &messages, &mut cx)?;
    push_system(&mut body, &mut cx);
    parts::push_messages(&mut body, &messages, &mut cx)?;
    push_inference(&mut body, &settings, &mut cx);
    push_output(&mut body, &settings, &mut cx);
    fields::push(&mut body, &settings, &mut cx);
    push_options(&mut body, &mut cx);
    body.end();
    Ok(Encoded {
        body: out.freeze(),
        losses: cx.losses,
        headers: Vec::new(),
        renamed_tools: cx.renamed,
        json_tool: cx.json_tool,
    })
}

/// How many cache breakpoints could go out.
fn breakpoints(request: &Request, model: Model, messages: &[Message<'_>]) -> usize {
    let cached = |tool: &&Tool| matches!(tool, Tool::Function { cache: Some(_), .. });
    let tools = request.tools.iter().filter(cached).count();
    let pieces = messages.iter().flat_map(|message| &message.pieces).filter_map(Piece::part);
    let blocks = request.system.iter().chain(pieces).filter(|part| parts::can_cache(part)).count();
    let tools = if model.caches_tools() { tools } else { 0 };
    if model.caches() { tools + blocks } else { 0 }
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
    if request.state.cached_content.is_some() {
        return refused("cached_content", "cached content belongs to another provider, send the content itself");
    }
    if request.limits.max_output == Some(0) {
        return refused("max_tokens", "the limit must be at least 1 token");
    }
    Ok(())
}

/// Notes what has no place on this wire and does not change the shape of the answer.
fn note_drops(request: &Request, losses: &mut Losses) {
    let foreign_safety = request.safety.as_ref().is_some_and(|(family, _)| *family != Family::Bedrock);
    for (is_set, field) in [
        (request.sampling.frequency_penalty.is_some_and(|penalty| penalty != 0.0), Field::FrequencyPenalty),
        (request.sampling.presence_penalty.is_some_and(|penalty| penalty != 0.0), Field::PresencePenalty),
        (request.sampling.seed.is_some(), Field::Seed),
        (request.output.verbosity.is_some(), Field::Verbosity),
        (request.state.store == Some(true), Field::Store),
        (request.state.cache_key.is_some(), Field::CacheKey),
        (foreign_safety, Field::Safety),
        (!is_own(request) && !request.extra.is_empty(), Field::Extra),
    ] {
        if is_set {
            losses.drop(field);
        }
    }
}

/// Whether the request's unknown members are this dialect's.
pub(super) fn is_own(request: &Request) -> bool {
    request.origin == Some("bedrock_converse")
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
    let mut list = body.list("system");
    for part in request.system.iter().filter(is_said) {
        parts::push_text(&mut list, part.as_text().map_or("", |text| text));
        parts::push_cache(&mut list, part, cx);
    }
    if instruct {
        cx.losses.approx(Field::ResponseFormat);
        parts::push_text(&mut list, JSON_INSTRUCTION);
    }
    list.end();
}

fn push_inference(body: &mut Writer<'_>, settings: &Settings, cx: &mut Cx<'_>) {
    let mut scratch = BytesMut::new();
    let mut config = Writer::object(&mut scratch);
    if let Some(limit) = settings.max_tokens {
        config.u64("maxTokens", limit);
    }
    if let Some(temperature) = settings.temperature {
        config.f64("temperature", temperature);
    }
    if let Some(top_p) = settings.top_p {
        config.f64("topP", top_p);
    }
    let stops = &cx.request.limits.stop;
    if stops.iter().any(|stop| stop.trim().is_empty()) {
        cx.losses.drop(Field::Stop);
    }
    if stops.iter().any(|stop| !stop.trim().is_empty()) {
        let mut list = config.list("stopSequences");
        for stop in stops.iter().filter(|stop| !stop.trim().is_empty()) {
            push_str(list.element(), stop);
        }
        list.end();
    }
    config.end();
    push_unless_empty(body, "inferenceConfig", &scratch);
}

/// Appends an object that has members.
pub(super) fn push_unless_empty(body: &mut Writer<'_>, name: &str, object: &BytesMut) {
    if object.len() > 2 {
        body.member(name).extend_from_slice(object);
    }
}

fn push_output(body: &mut Writer<'_>, settings: &Settings, cx: &mut Cx<'_>) {
    let mut scratch = BytesMut::new();
    let mut config = Writer::object(&mut scratch);
    if let OutputFormat::JsonSchema { name, description, schema, .. } = &cx.request.output.format {
        if cx.json_tool.is_some() {
            cx.losses.approx(Field::ResponseFormat);
        } else {
            let fitted = fit(schema, SchemaTarget::Anthropic);
            if fitted.weakened {
                cx.losses.approx(Field::ResponseSchema);
            }
            let mut format = config.nested("textFormat");
            format.str("type", "json_schema");
            let mut structure = format.nested("structure");
            let mut definition = structure.nested("jsonSchema");
            definition.str("schema", fitted.schema.as_str());
            definition.maybe_str("name", name.as_deref());
            definition.maybe_str("description", description.as_deref());
            definition.end();
            structure.end();
            format.end();
        }
    }
    config.maybe_str("effort", settings.effort.map(crate::model::Effort::as_str));
    config.end();
    push_unless_empty(body, "outputConfig", &scratch);
}

fn push_options(body: &mut Writer<'_>, cx: &mut Cx<'_>) {
    let request = cx.request;
    match request.tier.as_deref() {
        None | Some("auto") => {}
        Some(tier @ ("priority" | "flex" | "reserved")) => push_tier(body, tier),
        Some("default" | "standard" | "standard_only") => push_tier(body, "default"),
        Some(_) => cx.losses.drop(Field::Tier),
    }
    push_metadata(body, cx);
    if let Some((Family::Bedrock, raw)) = &request.safety {
        body.raw("guardrailConfig", raw.as_str());
    }
    let own = request.extra.iter().filter(|(name, _)| is_own(request) && *name != FIELDS);
    let mut asks_for_fields = false;
    for (name, raw) in own {
        asks_for_fields |= *name == "additionalModelResponseFieldPaths";
        push_str(body.element(), name);
        body.out.extend_from_slice(b":");
        body.out.extend_from_slice(raw.as_str().as_bytes());
    }
    // Claude says which stop sequence it was, if asked.
    if !asks_for_fields && matches!(cx.model, Model::Claude(_)) && !request.limits.stop.is_empty() {
        let mut list = body.list("additionalModelResponseFieldPaths");
        push_str(list.element(), STOP_SEQUENCE_PATH);
        list.end();
    }
}

fn push_tier(body: &mut Writer<'_>, tier: &str) {
    let mut object = body.nested("serviceTier");
    object.str("type", tier);
    object.end();
}

/// Writes who asks and the free pairs, as far as the service takes them.
fn push_metadata(body: &mut Writer<'_>, cx: &mut Cx<'_>) {
    let identity = &cx.request.identity;
    let pairs = identity.metadata.as_ref().map(crate::model::RawJson::to_value);
    let mut scratch = BytesMut::new();
    let mut object = Writer::object(&mut scratch);
    let mut count = 0;
    for (name, value) in pairs.as_ref().and_then(|pairs| pairs.as_object()).into_iter().flatten() {
        let value = value.as_str().filter(|value| is_metadata(value) && is_metadata(name) && count < MAX_METADATA.0);
        let Some(value) = value else {
            cx.losses.drop(Field::Metadata);
            continue;
        };
        count += 1;
        object.str(name, value);
    }
    if let Some(user) = &identity.user {
        if is_metadata(user) && count < MAX_METADATA.0 && pairs.is_none_or(|pairs| pairs.get("user").is_none()) {
            cx.losses.approx(Field::User);
            object.str("user", user);
        } else {
            cx.losses.drop(Field::User);
        }
    }
    object.end();
    push_unless_empty(body, "requestMetadata", &scratch);
}

/// Whether a key or a value may stand in `requestMetadata`.
fn is_metadata(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" :_@$#=/+,-.".contains(&byte);
    (1..=MAX_METADATA.1).contains(&text.len()) && text.bytes().all(allowed)
}
