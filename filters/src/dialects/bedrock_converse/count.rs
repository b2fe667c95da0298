//! Counting tokens (`POST /model/{model}/count-tokens`): a conversation in a wrapper, or a body as its vendor wrote it.
//!
//! Reference: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>.

use std::ops::Range;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;

use super::{BedrockConverse, inspect::is_name, wire::Text};
use crate::{
    dialects::{
        CallHead, Dialect, Inspection, Target, Upstream,
        counting::{CountForm, decode_hosted, number, only},
    },
    json::{self, Members},
    model::{ErrorInfo, Request},
};

/// What the endpoint takes of a conversation.
const MEMBERS: &[&str] = &["messages", "system", "toolConfig", "additionalModelRequestFields"];

/// What a body asks to count.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// A request of this dialect.
    Converse(Bytes),
    /// A request for `InvokeModel`, with its body in base64.
    Invoke(Bytes),
}

impl Asked {
    fn read(body: &Bytes) -> Result<Self, ErrorInfo> {
        let input = sole(body, &["input"])?.map(|(_, at)| body.slice(at));
        let asked = match &input {
            Some(input) => sole(input, &["converse", "invokeModel"])?.map(|(name, at)| (name, input.slice(at))),
            None => None,
        };
        match asked {
            Some(("converse", request)) => Ok(Self::Converse(request)),
            Some((_, request)) => Ok(Self::Invoke(request)),
            None => {
                let message = "say what is to be counted: `{\"input\":{\"converse\":{\"messages\":[…]}}}`, or \
                               `invokeModel` with a `body` in base64";
                Err(ErrorInfo::invalid("/input", message))
            }
        }
    }
}

/// The one member of `body` that is among `names`: its name and where its value stands.
fn sole<'n>(body: &Bytes, names: &[&'n str]) -> Result<Option<(&'n str, Range<usize>)>, ErrorInfo> {
    let mut found = None;
    for member in Members::new(body) {
        let member = member.map_err(|error| ErrorInfo::invalid("body", error.to_string()))?;
        let written = std::str::from_utf8(body.get(member.name).unwrap_or_default()).unwrap_or_default();
        let Some(name) = names.iter().find(|name| is_name(written, name)) else { continue };
        if found.replace((*name, member.value)).is_some() {
            let message = format!("one thing is counted at a time, send `{}` once", names.join("` or `"));
            return Err(ErrorInfo::invalid(format!("/{name}"), message));
        }
    }
    Ok(found)
}

/// The counting form of Converse.
#[derive(Clone, Copy, Debug)]
pub struct CountTokens;

impl CountForm for CountTokens {
    fn name(&self) -> &'static str {
        "bedrock_converse_count"
    }

    fn of(&self) -> &'static dyn Upstream {
        &BedrockConverse
    }

    fn inspect(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Inspection, ErrorInfo> {
        match Asked::read(body)? {
            Asked::Converse(request) => BedrockConverse.inspect(call, &request),
            // Of the vendor's own body nothing is read, as of nothing at all.
            Asked::Invoke(_) => BedrockConverse.inspect(call, &Bytes::from_static(b"{}")),
        }
    }

    fn decode(&self, call: &CallHead<'_>, body: &Bytes) -> Result<Request, ErrorInfo> {
        #[derive(Deserialize)]
        struct Invoke<'a> {
            #[serde(borrow)]
            body: Text<'a>,
        }
        let request = match Asked::read(body)? {
            Asked::Converse(request) => return BedrockConverse.decode_request(call, &request),
            Asked::Invoke(request) => request,
        };
        let wrong = |error: &dyn std::fmt::Display| {
            ErrorInfo::invalid("/input/invokeModel/body", format!("the body must be base64: {error}"))
        };
        let invoke: Invoke<'_> = serde_json::from_slice(&request).map_err(|error| wrong(&error))?;
        let inner = STANDARD.decode(invoke.body.0.as_bytes()).map_err(|error| wrong(&error))?;
        decode_hosted(call, &Bytes::from(inner))
    }

    fn narrow(&self, body: Bytes, _target: &Target<'_>) -> Bytes {
        let mut out = BytesMut::from(&b"{\"input\":{\"converse\":"[..]);
        out.extend_from_slice(&only(&body, |name| MEMBERS.contains(&name)));
        out.extend_from_slice(b"}}");
        out.freeze()
    }

    fn read(&self, body: &[u8]) -> Option<u64> {
        number(body, "inputTokens")
    }

    fn write(&self, tokens: u64) -> Bytes {
        let mut out = BytesMut::from(&b"{\"inputTokens\":"[..]);
        json::push_u64(&mut out, tokens);
        out.extend_from_slice(b"}");
        out.freeze()
    }
}
