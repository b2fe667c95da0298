//! `generationConfig`, both ways.

use bytes::BytesMut;
use serde_json::value::RawValue;

use super::{
    decode::{keep_rest, parse, text},
    encode::Job,
    tools::splat,
};
use crate::dialects::gemini::{
    emit,
    parts::raw_json,
    profile::Thinking,
    wire::{Int, Pairs, Real, Word, list},
};
use crate::{
    model::{Display, Effort, ErrorInfo, Field, OutputFormat, ReasoningMode, Request, Str, Tool},
    schema::{SchemaTarget, fit, from_openapi},
};

/// Reads `generationConfig`.
pub(super) fn decode(request: &mut Request, whole: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let config: Pairs<'_> = parse("/generationConfig", raw.get())?;
    let mut rest = Vec::new();
    for (name, raw) in config.0.iter().filter(|(_, raw)| raw.get() != "null") {
        let at = format!("/generationConfig/{name}");
        let json = raw.get();
        match name.as_ref() {
            "temperature" => request.sampling.temperature = Some(parse::<Real>(&at, json)?.0),
            "topP" => request.sampling.top_p = Some(parse::<Real>(&at, json)?.0),
            "topK" => request.sampling.top_k = Some(unsigned(&at, json)?),
            "maxOutputTokens" => request.limits.max_output = Some(unsigned(&at, json)?),
            "candidateCount" => request.candidates = Some(unsigned(&at, json)?),
            "seed" => request.sampling.seed = Some(parse::<Int>(&at, json)?.0),
            "presencePenalty" => request.sampling.presence_penalty = Some(parse::<Real>(&at, json)?.0),
            "frequencyPenalty" => request.sampling.frequency_penalty = Some(parse::<Real>(&at, json)?.0),
            "responseLogprobs" => request.sampling.logprobs = parse(&at, json)?,
            "logprobs" => request.sampling.top_logprobs = Some(unsigned(&at, json)?),
            "stopSequences" => request.limits.stop = stops(&at, whole, raw)?,
            "responseModalities" => request.output.modalities = modalities(&at, raw)?,
            "thinkingConfig" => thinking(request, &at, raw)?,
            "responseMimeType" | "responseSchema" | "responseJsonSchema" | "_responseJsonSchema" => {}
            _ => rest.push((name.as_ref(), *raw)),
        }
    }
    if let Some(kept) = format(request, whole, &config)? {
        rest.extend(kept);
    }
    keep_rest(request, "generationConfig", rest);
    Ok(())
}

fn unsigned<T: TryFrom<i64>>(pointer: &str, json: &str) -> Result<T, ErrorInfo> {
    let number = parse::<Int>(pointer, json)?.0;
    T::try_from(number)
        .map_err(|_| ErrorInfo::invalid(pointer.to_owned(), format!("`{pointer}` is {number}, which is out of range")))
}

fn stops(pointer: &str, whole: &Str, raw: &RawValue) -> Result<Vec<Str>, ErrorInfo> {
    let listed = list(Some(raw)).unwrap_or_default();
    let stops: Result<Vec<Str>, ErrorInfo> = listed.into_iter().map(|raw| text(pointer, whole, raw)).collect();
    Ok(stops?.into_iter().filter(|stop| !stop.is_empty()).collect())
}

/// What is asked for besides text; text alone is no wish.
fn modalities(pointer: &str, raw: &RawValue) -> Result<Vec<Str>, ErrorInfo> {
    const NUMBERED: &[&str] = &["", "text", "image", "audio"];
    let mut wanted = Vec::new();
    for raw in list(Some(raw)).unwrap_or_default() {
        let name = match parse::<Word<'_>>(pointer, raw.get())? {
            Word::Name(name) => name.to_ascii_lowercase(),
            Word::Number(number) => {
                let name = usize::try_from(number).ok().and_then(|at| NUMBERED.get(at)).copied();
                name.unwrap_or_default().to_owned()
            }
        };
        if !name.is_empty() && name != "modality_unspecified" {
            wanted.push(Str::from(name));
        }
    }
    if wanted.iter().all(|name| name == "text") {
        wanted.clear();
    }
    Ok(wanted)
}

fn thinking(request: &mut Request, pointer: &str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let config: Pairs<'_> = parse(pointer, raw.get())?;
    if let Some(raw) = config.get("includeThoughts") {
        let shown: bool = parse(&format!("{pointer}/includeThoughts"), raw.get())?;
        request.reasoning.display = Some(if shown { Display::Summary } else { Display::Omitted });
    }
    if let Some(raw) = config.get("thinkingBudget") {
        request.reasoning.mode = match parse::<Int>(&format!("{pointer}/thinkingBudget"), raw.get())? {
            Int(0) => ReasoningMode::Off,
            budget => budget.unsigned().map_or(ReasoningMode::Adaptive, ReasoningMode::Budget),
        };
    }
    if let Some(raw) = config.get("thinkingLevel") {
        let level = match parse::<Word<'_>>(&format!("{pointer}/thinkingLevel"), raw.get())? {
            Word::Name(name) => Effort::parse(&name),
            Word::Number(number) => {
                let levels = [None, Some(Effort::Low), Some(Effort::Medium), Some(Effort::High), Some(Effort::Minimal)];
                usize::try_from(number).ok().and_then(|at| levels.get(at)).copied().flatten()
            }
        };
        request.reasoning.mode = level.map_or(ReasoningMode::Unset, ReasoningMode::Effort);
    }
    Ok(())
}

/// Reads the form of the answer; gives back members for which the model has no word.
fn format<'a>(
    request: &mut Request,
    whole: &Str,
    config: &Pairs<'a>,
) -> Result<Option<Vec<(&'static str, &'a RawValue)>>, ErrorInfo> {
    let mime = config.get("responseMimeType");
    let kind = mime.map(|raw| text("/generationConfig/responseMimeType", whole, raw)).transpose()?;
    let json = config.get("responseJsonSchema").or_else(|| config.get("_responseJsonSchema"));
    let open = config.get("responseSchema");
    if kind.as_deref().is_some_and(|kind| !matches!(kind, "application/json" | "text/plain" | "")) {
        let members = [("responseMimeType", mime), ("responseSchema", open), ("responseJsonSchema", json)];
        return Ok(Some(members.into_iter().filter_map(|(name, raw)| Some((name, raw?))).collect()));
    }
    let schema = match (json, open) {
        (Some(raw), _) => Some(raw_json(whole, raw)),
        (None, Some(raw)) => Some(from_openapi(&raw_json(whole, raw))),
        (None, None) => None,
    };
    request.output.format = match schema {
        Some(schema) => OutputFormat::JsonSchema { name: None, description: None, schema, strict: None },
        None if kind.as_deref() == Some("application/json") => OutputFormat::JsonObject,
        None => OutputFormat::Text,
    };
    Ok(None)
}

/// Stop sequences that are accepted.
const MAX_STOPS: usize = 5;

/// Alternatives per token that are accepted.
const MAX_LOGPROBS: u32 = 20;

/// Appends `generationConfig`.
pub(super) fn encode(out: &mut BytesMut, job: &mut Job<'_>) -> Result<(), ErrorInfo> {
    emit::object(out, "generationConfig", |out| {
        sampling(out, job);
        limits(out, job);
        encode_format(out, job);
        encode_modalities(out, job)?;
        encode_thinking(out, job);
        if let Some(rest) = job.kept("generationConfig") {
            splat(out, &rest);
        }
        Ok(())
    })
}

fn sampling(out: &mut BytesMut, job: &mut Job<'_>) {
    let sampling = &job.request.sampling;
    let temperature = sampling.temperature.map(|temperature| temperature.clamp(0.0, 2.0));
    if temperature != sampling.temperature {
        job.losses.approx(Field::Temperature);
    }
    emit::real(out, "temperature", temperature);
    emit::real(out, "topP", sampling.top_p);
    if let Some(top_k) = sampling.top_k {
        emit::number(out, "topK", top_k);
    }
    emit::real(out, "presencePenalty", sampling.presence_penalty);
    emit::real(out, "frequencyPenalty", sampling.frequency_penalty);
    if let Some(seed) = sampling.seed {
        // The seed is 32 bits wide; the same seed still gives the same one.
        let narrow = i32::try_from(seed).unwrap_or_else(|_| {
            job.losses.approx(Field::Seed);
            i32::try_from(seed.rem_euclid(i64::from(i32::MAX))).unwrap_or_default()
        });
        emit::number(out, "seed", narrow);
    }
    if sampling.logprobs {
        emit::raw(out, "responseLogprobs", "true");
    }
    if let Some(top) = sampling.top_logprobs.filter(|_| sampling.logprobs) {
        if top > MAX_LOGPROBS {
            job.losses.approx(Field::Logprobs);
        }
        emit::number(out, "logprobs", top.min(MAX_LOGPROBS));
    }
}

fn limits(out: &mut BytesMut, job: &mut Job<'_>) {
    let limits = &job.request.limits;
    if let Some(most) = limits.max_output {
        emit::number(out, "maxOutputTokens", most);
    }
    if limits.stop.len() > MAX_STOPS {
        job.losses.approx(Field::Stop);
    }
    emit::texts(out, "stopSequences", limits.stop.iter().take(MAX_STOPS).map(|stop| &**stop));
    if let Some(count) = job.request.candidates.filter(|count| *count > 1 || job.is_own()) {
        emit::number(out, "candidateCount", count);
    }
}

/// Whether JSON output has to be asked for in words, because the model has either that or functions.
pub(super) fn format_in_words(job: &Job<'_>) -> bool {
    let functions = job.request.tools.iter().any(|tool| !matches!(tool, Tool::Server { .. }));
    functions && !job.profile.modern && !job.is_own()
}

fn encode_format(out: &mut BytesMut, job: &mut Job<'_>) {
    if job.request.output.format == OutputFormat::Text || format_in_words(job) {
        return;
    }
    emit::text(out, "responseMimeType", "application/json");
    if let OutputFormat::JsonSchema { schema, .. } = &job.request.output.format {
        let (key, target) = if job.profile.json_schema {
            ("responseJsonSchema", SchemaTarget::GeminiJson)
        } else {
            ("responseSchema", SchemaTarget::GeminiOpenApi)
        };
        let fitted = fit(schema, target);
        if fitted.weakened {
            job.losses.approx(Field::ResponseSchema);
        }
        emit::raw(out, key, fitted.schema.as_str());
    }
}

/// What is told to a model that cannot be bound to JSON.
pub(super) fn words_of_format(format: &OutputFormat) -> Option<String> {
    match format {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => Some("Respond only with a JSON object.".to_owned()),
        OutputFormat::JsonSchema { schema, .. } => {
            Some(format!("Respond only with JSON that fits this JSON Schema:\n{}", schema.as_str()))
        }
    }
}

fn encode_modalities(out: &mut BytesMut, job: &mut Job<'_>) -> Result<(), ErrorInfo> {
    let wanted = &job.request.output.modalities;
    if wanted.iter().any(|name| name == "audio") && !job.is_own() {
        let message = "the upstream gives audio in no form that can be passed on, ask for text";
        return Err(ErrorInfo::invalid("modalities", message));
    }
    let with_text = !job.is_own() && !wanted.is_empty() && !wanted.iter().any(|name| name == "text");
    let names: Vec<String> = with_text
        .then_some("text")
        .into_iter()
        .chain(wanted.iter().map(|name| &**name))
        .map(str::to_ascii_uppercase)
        .collect();
    emit::texts(out, "responseModalities", names.iter().map(String::as_str));
    Ok(())
}

fn encode_thinking(out: &mut BytesMut, job: &mut Job<'_>) {
    let reasoning = &job.request.reasoning;
    let shown = match reasoning.display {
        Some(Display::Summary | Display::Full) => Some(true),
        Some(Display::Omitted) if job.is_own() => Some(false),
        _ => None,
    };
    let (dose, exact) = dose(job.profile.thinking, reasoning.mode, job.is_own());
    // Thoughts that are not thought cannot be shown: asking for them is a 400.
    let shown = shown.filter(|_| job.is_own() || !matches!(dose, Dose::Budget(0)));
    if !exact {
        job.losses.approx(Field::Reasoning);
    }
    if matches!(job.profile.thinking, Thinking::None) && !job.is_own() {
        return;
    }
    emit::object(out, "thinkingConfig", |out| {
        if let Some(shown) = shown {
            emit::raw(out, "includeThoughts", if shown { "true" } else { "false" });
        }
        match dose {
            Dose::None => {}
            Dose::Budget(tokens) => emit::number(out, "thinkingBudget", tokens),
            Dose::Level(effort) => emit::text(out, "thinkingLevel", &effort.as_str().to_ascii_uppercase()),
        }
    });
}

enum Dose {
    None,
    Budget(i64),
    Level(Effort),
}

/// How a wish is dosed for a model, and whether that is what was wished.
fn dose(thinking: Thinking, mode: ReasoningMode, own: bool) -> (Dose, bool) {
    match (thinking, mode) {
        (_, ReasoningMode::Unset) => (Dose::None, true),
        // A client that speaks Gemini knows what its model takes.
        (_, ReasoningMode::Budget(tokens)) if own => (Dose::Budget(i64::try_from(tokens).unwrap_or(i64::MAX)), true),
        (_, ReasoningMode::Off) if own => (Dose::Budget(0), true),
        (_, ReasoningMode::Adaptive) if own => (Dose::Budget(-1), true),
        (_, ReasoningMode::Effort(effort)) if own => (Dose::Level(effort), true),
        (Thinking::None, ReasoningMode::Off | ReasoningMode::Effort(Effort::None)) => (Dose::None, true),
        (Thinking::None, _) => (Dose::None, false),
        (Thinking::Level(_), ReasoningMode::Adaptive) => (Dose::None, true),
        (Thinking::Level(levels), ReasoningMode::Off) => (level(levels, Effort::None), false),
        (Thinking::Level(levels), ReasoningMode::Budget(tokens)) => (level(levels, Effort::from_budget(tokens)), false),
        (Thinking::Level(levels), ReasoningMode::Effort(effort)) => (level(levels, effort), levels.contains(&effort)),
        (Thinking::Budget { .. }, ReasoningMode::Adaptive) => (Dose::Budget(-1), true),
        (Thinking::Budget { min, max, off }, mode) => {
            let wished = match mode {
                ReasoningMode::Budget(tokens) => tokens,
                ReasoningMode::Effort(Effort::High | Effort::XHigh) => 24576,
                ReasoningMode::Effort(Effort::Max) => max,
                ReasoningMode::Effort(effort) => effort.to_budget(),
                _ => 0,
            };
            let tokens = if wished == 0 && off { 0 } else { wished.clamp(min, max) };
            (Dose::Budget(i64::try_from(tokens).unwrap_or(i64::MAX)), tokens == wished)
        }
    }
}

/// The nearest level that a model has, rather more than less.
fn level(levels: &[Effort], wished: Effort) -> Dose {
    let level = levels.iter().find(|level| **level >= wished).or_else(|| levels.last());
    level.map_or(Dose::None, |level| Dose::Level(*level))
}

/// Google's names for service tiers.
pub(super) fn tier(job: &mut Job<'_>) -> Option<Str> {
    let tier = job.request.tier.as_ref()?;
    match tier.to_ascii_lowercase().as_str() {
        "auto" => None,
        "default" | "standard_only" => Some(Str::from_static("standard")),
        "standard" | "flex" | "priority" => Some(tier.clone()),
        _ if job.is_own() => Some(tier.clone()),
        _ => {
            job.losses.drop(Field::Tier);
            None
        }
    }
}

/// Settings that Gemini lacks.
pub(super) fn refuse(request: &Request) -> Result<(), ErrorInfo> {
    if request.sampling.logit_bias.is_some() {
        return Err(ErrorInfo::invalid("logit_bias", "the upstream cannot bias tokens, leave `logit_bias` out"));
    }
    if request.limits.max_output == Some(0) {
        return Err(ErrorInfo::invalid("max_tokens", "the limit must be at least 1 token"));
    }
    Ok(())
}
