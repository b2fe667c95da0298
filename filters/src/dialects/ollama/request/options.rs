//! `options`: how tokens are drawn and how many, both ways. Members that no field holds (`num_ctx`, `min_p`) stay with
//! the family.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    super::wire::{Object, Writer, slice},
    decode::read,
    encode::Encoder,
};
use crate::{
    json::push_str,
    model::{ErrorInfo, RawJson, Request, Str},
};

/// The name under which the members that no field holds are kept in `extra`.
const NAME: &str = "options";

/// Reads `options`.
pub(super) fn decode(request: &mut Request, value: &str, source: &Str) -> Result<(), ErrorInfo> {
    let options: Object<'_> = read(NAME, value, "an object")?;
    let mut rest: Vec<(Cow<'_, str>, &str)> = Vec::new();
    for (name, raw) in options.0 {
        let json = raw.get();
        let at = format!("{NAME}/{name}");
        let sampling = &mut request.sampling;
        match &*name {
            _ if json == "null" => {}
            "temperature" => sampling.temperature = Some(read(&at, json, "a number")?),
            "top_p" => sampling.top_p = Some(read(&at, json, "a number")?),
            "top_k" => sampling.top_k = Some(read(&at, json, "a number of 0 or more")?),
            "frequency_penalty" => sampling.frequency_penalty = Some(read(&at, json, "a number")?),
            "presence_penalty" => sampling.presence_penalty = Some(read(&at, json, "a number")?),
            "seed" => sampling.seed = Some(read(&at, json, "a whole number")?),
            "stop" => request.limits.stop = stops(&at, json, source)?,
            "num_predict" => match read::<i64>(&at, json, "a whole number")? {
                // Negative numbers are the vendor's words for no limit, and for what fits the context.
                limit if limit > 0 => request.limits.max_output = u64::try_from(limit).ok(),
                _ => rest.push((name, json)),
            },
            _ => rest.push((name, json)),
        }
    }
    if !rest.is_empty() {
        request.extra.push((Str::from_static(NAME), object_of(&rest)));
    }
    Ok(())
}

/// One stop sequence, or several. Empty ones mean nothing.
fn stops(name: &str, value: &str, source: &Str) -> Result<Vec<Str>, ErrorInfo> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stops {
        One(String),
        Many(Vec<String>),
    }
    let all = match read(name, value, "a string or a list of strings")? {
        Stops::One(one) => vec![one],
        Stops::Many(many) => many,
    };
    Ok(all.into_iter().filter(|stop| !stop.is_empty()).map(|stop| slice(source, &stop)).collect())
}

fn object_of(members: &[(Cow<'_, str>, &str)]) -> RawJson {
    let mut out = bytes::BytesMut::from(&b"{"[..]);
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b",");
        }
        push_str(&mut out, name);
        out.extend_from_slice(b":");
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"}");
    RawJson::from_checked(Str::try_from(out.freeze()).unwrap_or_default())
}

impl Encoder<'_> {
    /// Writes `options`, if there is anything to say.
    pub(super) fn options(&mut self, body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let (sampling, limits) = (&self.request.sampling, &self.request.limits);
        if limits.max_output == Some(0) {
            return Err(ErrorInfo::invalid("max_tokens", "the limit of output tokens must be at least 1"));
        }
        let numbers = [
            ("temperature", sampling.temperature),
            ("top_p", sampling.top_p),
            ("frequency_penalty", sampling.frequency_penalty),
            ("presence_penalty", sampling.presence_penalty),
        ];
        let whole = [
            ("top_k", sampling.top_k.map(i64::from)),
            ("seed", sampling.seed),
            ("num_predict", limits.max_output.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))),
        ];
        let kept = self.request.extra.iter().find(|(name, _)| self.own && *name == NAME).map(|(_, raw)| raw);
        let kept = kept.and_then(|raw| serde_json::from_str::<Object<'_>>(raw.as_str()).ok());
        let is_silent = numbers.iter().all(|(_, value)| value.is_none())
            && whole.iter().all(|(_, value)| value.is_none())
            && limits.stop.is_empty()
            && kept.is_none();
        if is_silent {
            return Ok(());
        }
        let mut options = body.nested(NAME);
        for (name, value) in numbers {
            if let Some(value) = value {
                options.f64(name, value);
            }
        }
        for (name, value) in whole {
            if let Some(value) = value {
                options.raw(name, &value.to_string());
            }
        }
        if !limits.stop.is_empty() {
            let mut list = options.list("stop");
            for stop in &limits.stop {
                push_str(list.element(), stop);
            }
            list.end();
        }
        for (name, raw) in kept.map(|kept| kept.0).unwrap_or_default() {
            let out = options.element();
            push_str(out, &name);
            out.extend_from_slice(b":");
            out.extend_from_slice(raw.get().as_bytes());
        }
        options.end();
        Ok(())
    }
}
