//! Counting tokens (`POST /v1/responses/input_tokens`): a request without what is about the answer, a number in return.
//!
//! Reference: <https://platform.openai.com/docs/api-reference/responses/input-tokens>.

use bytes::{Bytes, BytesMut};

use super::OpenAiResponses;
use crate::{
    dialects::{
        Target, Upstream,
        counting::{CountForm, number, only},
    },
    json,
};

/// What the endpoint takes.
const MEMBERS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
    "personality",
    "previous_response_id",
    "conversation",
];

/// The counting form of Responses.
#[derive(Clone, Copy, Debug)]
pub struct CountTokens;

impl CountForm for CountTokens {
    fn name(&self) -> &'static str {
        "openai_responses_count"
    }

    fn of(&self) -> &'static dyn Upstream {
        &OpenAiResponses
    }

    fn narrow(&self, body: Bytes, _target: &Target<'_>) -> Bytes {
        only(&body, |name| MEMBERS.contains(&name)).freeze()
    }

    fn read(&self, body: &[u8]) -> Option<u64> {
        number(body, "input_tokens")
    }

    fn write(&self, tokens: u64) -> Bytes {
        let mut out = BytesMut::from(&b"{\"object\":\"response.input_tokens\",\"input_tokens\":"[..]);
        json::push_u64(&mut out, tokens);
        out.extend_from_slice(b"}");
        out.freeze()
    }
}
