//! A client's request that is to go to an upstream of another dialect.
//!
//! What only this wire has, and a client would miss, is refused: the same request passes untouched to a provider that has
//! a completions endpoint.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    json::Members,
    model::{ErrorInfo, Part, RawJson, Request, Role, Str, StreamSpec, Turn},
    openai::{
        inspect::{name_of, no_model, not_json, twice},
        wire::{OneOrMany, Source, lenient},
    },
};

const NUMBER: &str = "a number";
const COUNT: &str = "a whole number of 0 or more";

/// Decodes a request.
pub(in super::super) fn decode(body: &Bytes) -> Result<Request, ErrorInfo> {
    let text = Str::try_from(body.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let source = Source::new(text);
    let mut decoder = Decoder { source: &source, request: Request::default(), best_of: None, streamed: false };
    let mut seen = Vec::new();
    for member in Members::new(source.as_str().as_bytes()) {
        let member = member.map_err(|cause| not_json(&cause))?;
        let name = name_of(source.as_str().as_bytes(), &member);
        let value = source.as_str().get(member.value).unwrap_or_default();
        if seen.contains(&name) {
            return Err(twice(&name));
        }
        if value != "null" {
            decoder.member(&name, value)?;
        }
        seen.push(name);
    }
    decoder.done()
}

struct Decoder<'a> {
    source: &'a Source,
    request: Request,
    best_of: Option<u32>,
    streamed: bool,
}

impl<'a> Decoder<'a> {
    fn member(&mut self, name: &str, value: &'a str) -> Result<(), ErrorInfo> {
        let source = self.source;
        let request = &mut self.request;
        let sampling = &mut request.sampling;
        match name {
            "model" => request.model = text(name, value, source)?,
            "prompt" => {
                let parts = vec![Part::text(prompt(value, source)?)];
                request.turns = vec![Turn { role: Role::User, parts, name: None }];
            }
            "suffix" if text(name, value, source)?.is_empty() => {}
            "suffix" => return Err(own(name, "leave it out")),
            "echo" if read::<bool>(name, value, "true or false")? => {
                return Err(own(name, "put the prompt before the answer yourself"));
            }
            "echo" => {}
            "best_of" => self.best_of = Some(read(name, value, COUNT)?),
            "n" => match read(name, value, "a whole number of 1 or more")? {
                0 => return Err(ErrorInfo::invalid(name, "`n` must be a whole number of 1 or more")),
                count => request.candidates = Some(count),
            },
            "max_tokens" => request.limits.max_output = Some(read(name, value, COUNT)?),
            "temperature" => sampling.temperature = Some(read(name, value, NUMBER)?),
            "top_p" => sampling.top_p = Some(read(name, value, NUMBER)?),
            "top_k" => sampling.top_k = Some(read(name, value, COUNT)?),
            "frequency_penalty" => sampling.frequency_penalty = Some(read(name, value, NUMBER)?),
            "presence_penalty" => sampling.presence_penalty = Some(read(name, value, NUMBER)?),
            "seed" => sampling.seed = Some(read(name, value, "a whole number")?),
            "logprobs" => {
                sampling.logprobs = true;
                sampling.top_logprobs = Some(read(name, value, COUNT)?);
            }
            "logit_bias" => sampling.logit_bias = bias(value, source)?,
            "stop" => request.limits.stop = stop(value, source)?,
            "user" => request.identity.user = Some(text(name, value, source)?),
            "stream" => self.streamed = read(name, value, "true or false")?,
            "stream_options" => self.stream_options(value)?,
            _ => {
                let raw = RawJson::parse(source.slice(value))
                    .map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` is not JSON: {cause}")))?;
                request.extra.push((Str::from(name), raw));
            }
        }
        Ok(())
    }

    fn stream_options(&mut self, value: &'a str) -> Result<(), ErrorInfo> {
        #[derive(Deserialize)]
        struct Options {
            include_usage: Option<bool>,
        }
        let options: Options = read("stream_options", value, "an object")?;
        self.request.stream = Some(StreamSpec { include_usage: options.include_usage.unwrap_or(false) });
        Ok(())
    }

    fn done(self) -> Result<Request, ErrorInfo> {
        let Self { mut request, best_of, streamed, .. } = self;
        if request.model.is_empty() {
            return Err(no_model());
        }
        if request.turns.is_empty() {
            return Err(ErrorInfo::invalid("prompt", "`prompt` must be the text to be continued")
                .with_code("missing_parameter"));
        }
        if best_of.unwrap_or(0) > request.candidates.unwrap_or(1) {
            return Err(own("best_of", "ask for `n` answers and choose yourself"));
        }
        // Options of a stream that is none mean nothing.
        request.stream = streamed.then(|| request.stream.unwrap_or_default());
        request.origin = Some("openai_completions");
        Ok(request)
    }
}

/// A member that no other dialect has.
fn own(name: &str, advice: &str) -> ErrorInfo {
    let message =
        format!("this model has no completions endpoint, which `{name}` needs: {advice}, or choose another model");
    ErrorInfo::invalid(name, message).with_code("unsupported_parameter")
}

fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a str, what: &str) -> Result<T, ErrorInfo> {
    serde_json::from_str(value).map_err(|cause| ErrorInfo::invalid(name, format!("`{name}` must be {what}: {cause}")))
}

fn text(name: &str, value: &str, source: &Source) -> Result<Str, ErrorInfo> {
    let text = read(name, value, "a string")?;
    Ok(source.text(&text))
}

/// The one prompt of a request. Several would be several requests, and tokens mean something to their own model alone.
fn prompt(value: &str, source: &Source) -> Result<Str, ErrorInfo> {
    let prompt: OneOrMany<'_, &RawValue> = read("prompt", value, "a string, or a list of one string")?;
    let text = match prompt {
        OneOrMany::One(text) => Some(text),
        OneOrMany::Many(list) => match &list[..] {
            [] => None,
            [one] if one.get().starts_with('"') => lenient(Some(one)),
            [first, ..] if !first.get().starts_with('"') => {
                let message = "tokens cannot be carried to a model of another kind: send the prompt as text";
                return Err(ErrorInfo::invalid("prompt", message).with_code("unsupported_parameter"));
            }
            _ => {
                let message = "several prompts at once need a completions endpoint, which this model has not: send one \
                               request for each";
                return Err(ErrorInfo::invalid("prompt", message).with_code("unsupported_parameter"));
            }
        },
    };
    match text.map(|text| source.text(&text)).filter(|text| !text.is_empty()) {
        Some(text) => Ok(text),
        None => Err(ErrorInfo::invalid("prompt", "`prompt` must not be empty: send the text to be continued")),
    }
}

fn stop(value: &str, source: &Source) -> Result<Vec<Str>, ErrorInfo> {
    let all = match read("stop", value, "a string or a list of strings")? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    };
    Ok(all.iter().filter(|stop| !stop.is_empty()).map(|stop| source.text(stop)).collect())
}

/// An empty bias, which some clients always send, is none.
fn bias(value: &str, source: &Source) -> Result<Option<RawJson>, ErrorInfo> {
    let wrong = || ErrorInfo::invalid("logit_bias", "`logit_bias` must be an object");
    let raw = RawJson::parse(source.slice(value)).ok().filter(|_| value.starts_with('{')).ok_or_else(wrong)?;
    let is_empty = Members::new(value.as_bytes()).next().is_none();
    Ok((!is_empty).then_some(raw))
}
