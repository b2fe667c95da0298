//! Counting tokens (`POST /v1beta/models/{model}:countTokens`): the contents alone, or a whole request in a wrapper.
//!
//! Reference: <https://ai.google.dev/api/tokens>.

use bytes::{Bytes, BytesMut};

use super::Gemini;
use crate::{
    dialects::{
        Inspection, Target, Upstream,
        counting::{CountForm, number, only},
    },
    json::{self, Member, Members, Splice},
    model::Str,
};

/// The member that holds a whole request, in both of the spellings that the vendor reads.
const WRAPPERS: &[&[u8]] = &[b"generateContentRequest", b"generate_content_request"];

/// What Vertex takes beside the contents, in both spellings. It has no wrapper.
const VERTEX_MEMBERS: &[&str] =
    &["contents", "systemInstruction", "system_instruction", "tools", "generationConfig", "generation_config"];

fn is_wrapper(body: &[u8], member: &Member) -> bool {
    WRAPPERS.contains(&body.get(member.name.clone()).unwrap_or_default())
}

fn for_vertex(body: &Bytes) -> Bytes {
    only(body, |name| VERTEX_MEMBERS.contains(&name)).freeze()
}

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
        let wrapped = Members::new(body).flatten().find(|member| is_wrapper(body, member));
        wrapped.map_or_else(|| body.clone(), |member| body.slice(member.value))
    }

    fn narrow(&self, body: Bytes, target: &Target<'_>) -> Bytes {
        if target.has_quirk("vertex") {
            return for_vertex(&body);
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

    fn edits(
        &self,
        body: &Bytes,
        inspection: &Inspection,
        target: &Target<'_>,
        _headers: &mut Vec<(&'static str, Str)>,
    ) -> Vec<Splice> {
        let wrapped = Members::new(body).flatten().any(|member| is_wrapper(body, &member));
        if wrapped && target.has_quirk("vertex") {
            return vec![Splice { at: 0..body.len(), with: for_vertex(&self.widen(body)) }];
        }
        Gemini.splices(inspection, target)
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
