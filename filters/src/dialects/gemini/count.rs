//! Counting tokens (`POST /v1beta/models/{model}:countTokens`): the contents alone, or a whole request in a wrapper.
//!
//! Reference: <https://ai.google.dev/api/tokens>.

use bytes::{Bytes, BytesMut};

use super::Gemini;
use crate::{
    dialects::{
        Target, Upstream,
        counting::{CountForm, number, only},
    },
    json::{self, Members},
};

/// The member that holds a whole request, in both of the spellings that the vendor reads.
const WRAPPERS: &[&[u8]] = &[b"generateContentRequest", b"generate_content_request"];

/// The counting form of `generateContent`.
#[derive(Clone, Copy, Debug)]
pub struct CountTokens;

impl CountForm for CountTokens {
    fn name(&self) -> &'static str {
        "gemini_count"
    }

    fn of(&self) -> &'static dyn Upstream {
        &Gemini
    }

    fn widen(&self, body: &Bytes) -> Bytes {
        let wrapped = Members::new(body)
            .flatten()
            .find(|member| WRAPPERS.contains(&body.get(member.name.clone()).unwrap_or_default()));
        wrapped.map_or_else(|| body.clone(), |member| body.slice(member.value))
    }

    fn narrow(&self, body: Bytes, target: &Target<'_>) -> Bytes {
        // Vertex has no wrapper and takes these members beside the contents.
        if target.has_quirk("vertex") {
            let members = ["contents", "systemInstruction", "tools", "generationConfig"];
            return only(&body, |name| members.contains(&name)).freeze();
        }
        let mut out = BytesMut::with_capacity(body.len() + 96);
        out.extend_from_slice(b"{\"generateContentRequest\":{\"model\":");
        json::push_str(&mut out, &format!("models/{}", target.model));
        let rest = body.strip_prefix(b"{").unwrap_or_default();
        if !rest.starts_with(b"}") {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(rest);
        out.extend_from_slice(b"}");
        out.freeze()
    }

    fn read(&self, body: &[u8]) -> Option<u64> {
        number(body, "totalTokens")
    }

    fn write(&self, tokens: u64) -> Bytes {
        let mut out = BytesMut::from(&b"{\"totalTokens\":"[..]);
        json::push_u64(&mut out, tokens);
        out.extend_from_slice(b"}");
        out.freeze()
    }
}
