//! Counting tokens (`POST /v1/messages/count_tokens`): a request without a length, a number for an answer.
//!
//! Reference: <https://docs.claude.com/en/api/messages-count-tokens>.

use bytes::{Bytes, BytesMut};

use super::Anthropic;
use crate::{
    dialects::{
        Target, Upstream,
        counting::{CountForm, number, only},
    },
    json::{self, Members},
};

/// What the endpoint takes; it refuses the rest.
const MEMBERS: &[&str] = &[
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "cache_control",
    "output_config",
    "context_management",
    "mcp_servers",
];

/// The counting form of Messages.
#[derive(Clone, Copy, Debug)]
pub struct CountTokens;

impl CountForm for CountTokens {
    fn name(&self) -> &'static str {
        "anthropic_count"
    }

    fn of(&self) -> &'static dyn Upstream {
        &Anthropic
    }

    /// A conversation says how long its answer may get.
    fn widen(&self, body: &Bytes) -> Bytes {
        let is_length = |name: &[u8]| name == b"max_tokens";
        if Members::new(body).flatten().any(|member| is_length(body.get(member.name).unwrap_or_default())) {
            return body.clone();
        }
        let Some(at) = body.iter().position(|byte| *byte == b'{') else { return body.clone() };
        let empty = body.get(at + 1..).unwrap_or_default().trim_ascii_start().starts_with(b"}");
        let with = if empty { &b"\"max_tokens\":4096"[..] } else { b"\"max_tokens\":4096," };
        json::apply(body, &mut [json::Splice { at: at + 1..at + 1, with: Bytes::from_static(with) }])
    }

    fn narrow(&self, body: Bytes, _target: &Target<'_>) -> Bytes {
        only(&body, |name| MEMBERS.contains(&name)).freeze()
    }

    fn read(&self, body: &[u8]) -> Option<u64> {
        number(body, "input_tokens")
    }

    fn write(&self, tokens: u64) -> Bytes {
        let mut out = BytesMut::from(&b"{\"input_tokens\":"[..]);
        json::push_u64(&mut out, tokens);
        out.extend_from_slice(b"}");
        out.freeze()
    }
}
