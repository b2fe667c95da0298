//! What hosts of the vendor's models want otherwise than the vendor: the one place that knows.
//!
//! A host is a named quirk of the upstream. All of them read `anthropic_version` in the body, in place of `model` and of
//! the header; a count keeps its `model`.
//!
//! References: <https://docs.claude.com/en/api/claude-on-vertex-ai>, <https://docs.claude.com/en/api/claude-on-amazon-bedrock>.
//! Which betas a host knows is written nowhere; these are those that its users have seen it take.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::{memmem, memrchr};

use super::wire::Writer;
use crate::{
    dialects::{Inspection, Quirk, Target},
    hosts::{BedrockInvoke, HostWire},
    json::{self, Member, Members, Splice},
    model::Str,
};

/// The hosts' names as quirks, in their order.
pub(super) const QUIRKS: &[Quirk] = &[
    Quirk {
        name: "bedrock_invoke",
        what: "the body is that of Bedrock's `InvokeModel`: `anthropic_version` for `model`, no `stream`, betas that the \
               host knows as `anthropic_beta`; streams come in its binary frames",
    },
    Quirk {
        name: "vertex",
        what: "the host is Vertex AI: `anthropic_version` for `model`, which stands in the path, and in `anthropic-beta` \
               what the host knows",
    },
];

/// The header of betas, and the member that some hosts want in its place.
const BETA_HEADER: &str = "anthropic-beta";
const BETA_MEMBER: &str = "anthropic_beta";

/// The header and the member of the version.
const VERSION_HEADER: &str = "anthropic-version";
const VERSION_MEMBER: &str = "anthropic_version";

/// A host that differs from the vendor.
#[derive(Debug)]
pub(super) struct Host {
    /// What `anthropic_version` says.
    version: &'static str,
    /// Whether a stream is asked for by the path alone.
    stream_in_path: bool,
    /// Whether betas stand in the body.
    betas_in_body: bool,
    /// What the betas begin with that the host knows. It refuses a request that names another.
    betas: &'static [&'static str],
    /// Betas that have another name at the host.
    renamed: &'static [(&'static str, &'static str)],
    /// What the host puts around answers.
    wire: Option<&'static dyn HostWire>,
}

const VERTEX: Host = Host {
    version: "vertex-2023-10-16",
    stream_in_path: false,
    betas_in_body: false,
    betas: &[
        "compact-",
        "computer-use-",
        "context-1m-",
        "context-management-",
        "dangerous-tool-use-",
        "interleaved-thinking-",
        "per-turn-control-",
        "thinking-binding-controls-",
        "thinking-display-updates-",
        "tool-search-tool-",
        "web-search-",
    ],
    renamed: RENAMED,
    wire: None,
};

const BEDROCK_INVOKE: Host = Host {
    version: "bedrock-2023-05-31",
    stream_in_path: true,
    betas_in_body: true,
    betas: &[
        "compact-",
        "computer-use-",
        "context-1m-",
        "context-management-",
        "dangerous-tool-use-",
        "effort-",
        "fine-grained-tool-streaming-",
        "mid-conversation-",
        "thinking-binding-controls-",
        "thinking-display-updates-",
        "tool-search-tool-",
    ],
    renamed: RENAMED,
    wire: Some(&BedrockInvoke),
};

/// The hosts have one part of what the vendor switches on by this name.
const RENAMED: &[(&str, &str)] = &[("advanced-tool-use-2025-11-20", "tool-search-tool-2025-10-19")];

/// What a request asks for, as far as hosts care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Message,
    /// The path is the same for all models, so that the body has to name it.
    Count,
}

/// The host that a target is behind, if it is behind one.
pub(super) fn of(target: &Target<'_>) -> Option<&'static Host> {
    if target.has_quirk("vertex") {
        return Some(&VERTEX);
    }
    target.has_quirk("bedrock_invoke").then_some(&BEDROCK_INVOKE)
}

/// Whether a body says of itself that it is written for a host: it names the version of the API.
pub(super) fn claims(body: &Bytes) -> bool {
    Members::new(body).flatten().any(|member| body.get(member.name) == Some(VERSION_MEMBER.as_bytes()))
}

impl Host {
    /// What the host puts around answers.
    pub(super) fn wire(&self) -> Option<&'static dyn HostWire> {
        self.wire
    }

    /// The members that take the model's place in an encoded body.
    pub(super) fn write_head(&self, body: &mut Writer<'_>) {
        body.str(VERSION_MEMBER, self.version);
    }

    /// Whether an encoded body says that it wants a stream.
    pub(super) fn writes_stream(&self) -> bool {
        !self.stream_in_path
    }

    /// Writes betas where the host reads them; gives the headers that are left.
    pub(super) fn write_betas(&self, betas: &[&'static str], body: &mut Writer<'_>) -> Vec<(&'static str, Str)> {
        let known: Vec<&str> = betas.iter().filter_map(|beta| self.beta(beta)).collect();
        if known.is_empty() {
            return Vec::new();
        }
        if !self.betas_in_body {
            return vec![(BETA_HEADER, Str::from(known.join(",")))];
        }
        let mut list = body.list(BETA_MEMBER);
        for beta in known {
            json::push_str(list.element(), beta);
        }
        list.end();
        Vec::new()
    }

    /// The edits for a request that passes, and the dialect's headers as the host takes them.
    pub(super) fn edits(
        &self,
        body: &Bytes,
        inspection: &Inspection,
        asks: Asks,
        headers: &mut Vec<(&'static str, Str)>,
    ) -> Vec<Splice> {
        let betas = self.take_headers(headers);
        let alone = asks == Asks::Message && betas.is_empty() && !self.stream_in_path;
        if let Some(splice) = alone.then(|| self.version_for_model(body, inspection)).flatten() {
            return vec![splice];
        }
        let members: Vec<Member> = Members::new(body).flatten().collect();
        let find = |name: &str| members.iter().find(|member| body.get(member.name.clone()) == Some(name.as_bytes()));
        let mut splices = Vec::new();
        let mut added = BytesMut::new();
        match find(VERSION_MEMBER) {
            None => push_member(&mut added, VERSION_MEMBER, &[self.version], false),
            Some(own) => {
                let mut version = BytesMut::new();
                json::push_str(&mut version, self.version);
                if body.get(own.value.clone()) != Some(&*version) {
                    splices.push(Splice { at: own.value.clone(), with: version.freeze() });
                }
            }
        }
        if !betas.is_empty() && find(BETA_MEMBER).is_none() {
            let betas: Vec<&str> = betas.iter().map(|beta| &**beta).collect();
            push_member(&mut added, BETA_MEMBER, &betas, true);
        }
        let is = |member: &Member, value: &Option<Range<usize>>| value.as_ref() == Some(&member.value);
        // The model's name may be written with escapes, so it is known by its place.
        let model = |member: &Member| asks == Asks::Message && is(member, &inspection.model_at);
        let stream = |member: &Member| self.stream_in_path && body.get(member.name.clone()) == Some(b"stream");
        // What is added takes the place of a member that goes.
        let seat = || members.iter().find(|member| model(member)).or_else(|| members.iter().find(|own| stream(own)));
        let seat = if added.is_empty() { None } else { seat() };
        let gone = |member: &Member| (model(member) || stream(member)) && seat != Some(member);
        splices.extend(json::removals(&members, gone).into_iter().map(|at| Splice { at, with: Bytes::new() }));
        if let Some(seat) = seat {
            splices.push(Splice { at: seat.name.start - 1..seat.value.end, with: added.freeze() });
        } else if let (false, Some(first)) = (added.is_empty(), members.first()) {
            added.extend_from_slice(b",");
            let at = first.name.start - 1;
            splices.push(Splice { at: at..at, with: added.freeze() });
        }
        splices
    }

    /// The one edit of a usual request: the version in the model's place. It is made without telling members apart,
    /// which has been done once to find the model.
    fn version_for_model(&self, body: &Bytes, inspection: &Inspection) -> Option<Splice> {
        let model = inspection.model_at.clone()?;
        if memmem::find(body, VERSION_MEMBER.as_bytes()).is_some() {
            return None;
        }
        // Backwards over the colon to the quotes around the name, in which no other quote can stand.
        let before_colon = body.get(..model.start)?.trim_ascii_end().strip_suffix(b":")?;
        let name_end = before_colon.trim_ascii_end().strip_suffix(b"\"")?.len();
        let name_start = memrchr(b'"', body.get(..name_end)?)?;
        let mut version = BytesMut::new();
        push_member(&mut version, VERSION_MEMBER, &[self.version], false);
        Some(Splice { at: name_start..model.end, with: version.freeze() })
    }

    /// Takes out the headers that the host does not read; gives the betas that belong in the body.
    fn take_headers(&self, headers: &mut Vec<(&'static str, Str)>) -> Vec<Str> {
        let mut betas: Vec<Str> = Vec::new();
        headers.retain(|(name, value)| {
            if *name == BETA_HEADER {
                let known = value.split(',').filter_map(|beta| self.beta(beta.trim()));
                betas.extend(known.map(Str::from));
            }
            *name != BETA_HEADER && *name != VERSION_HEADER
        });
        if self.betas_in_body {
            return betas;
        }
        if !betas.is_empty() {
            headers.push((BETA_HEADER, Str::from(betas.join(","))));
        }
        Vec::new()
    }

    /// Whether the host has what a beta of the vendor's allows.
    pub(super) fn knows(&self, beta: &str) -> bool {
        self.beta(beta).is_some()
    }

    /// A beta's name at the host; `None` if it knows none like it.
    fn beta<'b>(&self, beta: &'b str) -> Option<&'b str> {
        let renamed = self.renamed.iter().find(|(from, _)| *from == beta).map(|(_, to)| *to);
        let name = renamed.unwrap_or(beta);
        self.betas.iter().any(|known| name.starts_with(known)).then_some(name)
    }
}

/// Appends a member: a string, or a list of them.
fn push_member(out: &mut BytesMut, name: &str, values: &[&str], list: bool) {
    if !out.is_empty() {
        out.extend_from_slice(b",");
    }
    json::push_str(out, name);
    out.extend_from_slice(if list { b":[" } else { b":" });
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b",");
        }
        json::push_str(out, value);
    }
    if list {
        out.extend_from_slice(b"]");
    }
}

#[cfg(test)]
mod tests;
