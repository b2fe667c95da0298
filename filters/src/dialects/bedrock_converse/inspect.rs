//! Reading requests and answers at a glance, for traffic that passes untouched.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    usage::WireUsage,
    wire::{Text, slice},
};
use crate::{
    aws,
    dialects::{CallHead, Glance, Inspection, StreamForm},
    json::Members,
    model::{ErrorInfo, Str},
};

/// The verb of a path that asks for a stream.
pub(super) const STREAM_VERB: &str = "converse-stream";

/// Members that a body may have once. One that stands twice would be read by one server and another.
const MEMBERS: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "outputConfig",
    "serviceTier",
    "performanceConfig",
    "requestMetadata",
    "promptVariables",
    "additionalModelResponseFieldPaths",
];

/// Reads what routing needs. Model and form of the answer stand in the path.
pub(super) fn inspect(call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
    let body = Str::try_from(body.clone()).map_err(|_| ErrorInfo::invalid("body", "the body is not UTF-8"))?;
    let mut seen: u32 = 0;
    for member in Members::new(body.as_bytes()) {
        let member = member.map_err(|error| ErrorInfo::invalid("body", error.to_string()))?;
        let name = body.get(member.name).unwrap_or_default();
        let Some(at) = MEMBERS.iter().position(|known| is_name(name, known)) else { continue };
        if seen & (1 << at) != 0 {
            let name = MEMBERS.get(at).unwrap_or(&"");
            let message = format!("the member `{name}` stands twice in the body, send it once");
            return Err(ErrorInfo::invalid(format!("/{name}"), message));
        }
        seen |= 1 << at;
    }
    let model = call.model.filter(|model| !model.is_empty()).ok_or_else(no_model)?;
    let stream = (call.verb == Some(STREAM_VERB)).then_some(StreamForm::EventStream);
    Ok(Inspection { model: Str::from(model), model_at: None, stream, include_usage: true, stream_options_at: None })
}

/// The complaint about a request that names no model.
pub(super) fn no_model() -> ErrorInfo {
    ErrorInfo::invalid("modelId", "the model stands in the path: use `POST /model/{model}/converse`")
}

/// Whether a member's name, escapes and all, says `known`.
pub(super) fn is_name(written: &str, known: &str) -> bool {
    if !written.contains('\\') {
        return written == known;
    }
    serde_json::from_str::<Text<'_>>(&format!("\"{written}\"")).is_ok_and(|name| name.0 == known)
}

/// Reads counts and an in-band error from a whole answer. An answer names its model only where a
/// router chose it.
pub(super) fn inspect_response(body: &Bytes) -> Glance {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        output: Option<&'a RawValue>,
        #[serde(borrow)]
        usage: Option<WireUsage<'a>>,
        #[serde(borrow)]
        message: Option<Text<'a>>,
        #[serde(borrow)]
        trace: Option<Trace<'a>>,
    }
    let Ok(text) = Str::try_from(body.clone()) else { return Glance::default() };
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(&text) else { return Glance::default() };
    let failed = answer.output.is_none() && answer.message.is_some();
    Glance {
        usage: answer.usage.map(|usage| usage.to_usage()),
        model: answer.trace.and_then(|trace| trace.served_by(&text)),
        error: failed.then(|| Box::new(aws::decode_in_band(None, body))),
    }
}

/// `trace`, of which only a prompt router's choice is read.
#[derive(Debug, Deserialize)]
pub(super) struct Trace<'a> {
    #[serde(borrow, rename = "promptRouter")]
    router: Option<Router<'a>>,
}

#[derive(Debug, Deserialize)]
struct Router<'a> {
    #[serde(borrow, rename = "invokedModelId")]
    model: Option<Text<'a>>,
}

impl Trace<'_> {
    /// The model that a prompt router chose.
    pub(super) fn served_by(&self, body: &Str) -> Option<Str> {
        self.router.as_ref()?.model.as_ref().map(|model| slice(body, &model.0))
    }
}
