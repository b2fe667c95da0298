//! `providerMetadata`: where the SDK's clients keep what a provider wants back, by the provider's name.
//!
//! State goes where the SDK's own provider packages put it. What has no place there travels sealed, under the gateway's
//! own name; so does whose a provider-run tool was.

use serde_json::value::RawValue;

use crate::{
    json::{Object, Text, Writer, keep_raw, push_str},
    model::{Citation, Family, Opaque, OpaqueKind, Str},
    openai::wire::lenient,
    seal::{self, Sealer},
};

/// A member that holds opaque state.
#[derive(Debug)]
struct Slot {
    provider: &'static str,
    member: &'static str,
    family: Family,
    kind: OpaqueKind,
}

const fn slot(provider: &'static str, member: &'static str, family: Family, kind: OpaqueKind) -> Slot {
    Slot { provider, member, family, kind }
}

/// The members as `@ai-sdk/anthropic`, `openai`, `google` and `amazon-bedrock` write them. Those of one provider stand
/// together.
const SLOTS: [Slot; 6] = [
    slot("anthropic", "signature", Family::Anthropic, OpaqueKind::Signature),
    slot("anthropic", "redactedData", Family::Anthropic, OpaqueKind::Redacted),
    slot("openai", "reasoningEncryptedContent", Family::OpenAi, OpaqueKind::Encrypted),
    slot("google", "thoughtSignature", Family::Gemini, OpaqueKind::ThoughtSignature),
    slot("bedrock", "signature", Family::Bedrock, OpaqueKind::Signature),
    slot("bedrock", "redactedData", Family::Bedrock, OpaqueKind::Redacted),
];

/// The member that names the item to which `OpenAI`'s state is bound.
const ITEM: &str = "itemId";
/// The gateway's own entry, and its members.
const OWN: &str = "lockgate";
const SEALED: &str = "sealed";
const FAMILY: &str = "family";

/// Names of families, for tools that they run.
const FAMILIES: [(&str, Family); 6] = [
    ("openai", Family::OpenAi),
    ("anthropic", Family::Anthropic),
    ("google", Family::Gemini),
    ("bedrock", Family::Bedrock),
    ("cohere", Family::Cohere),
    ("ollama", Family::Ollama),
];

/// What the metadata of a part says.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    /// State that goes back with the part.
    pub(super) opaque: Vec<Opaque>,
    /// Citations in their vendor's own form.
    pub(super) citations: Vec<Citation>,
    /// Whose tool it was, where the gateway said so.
    pub(super) family: Option<Family>,
}

/// The family that a provider's name in the SDK means.
pub(super) fn family_of(provider: &str) -> Option<Family> {
    let provider = match provider {
        "vertex" => "google",
        "azure" => "openai",
        "amazonBedrock" => "bedrock",
        same => same,
    };
    FAMILIES.iter().find(|(name, _)| *name == provider).map(|(_, family)| *family)
}

/// Reads a part's metadata. What is not of its shape says nothing.
pub(super) fn read(raw: Option<&RawValue>, body: &Str) -> Metadata {
    let mut metadata = Metadata::default();
    let Some(Object(providers)) = lenient(raw) else { return metadata };
    for (provider, raw) in &providers {
        let Some(Object(members)) = lenient(Some(raw)) else { continue };
        if provider == OWN {
            metadata.own(&members, body);
        } else if let Some(family) = family_of(provider) {
            metadata.vendor(family, &members, body);
        }
    }
    metadata
}

type Members<'a> = [(std::borrow::Cow<'a, str>, &'a RawValue)];

fn text(members: &Members<'_>, name: &str, body: &Str) -> Option<Str> {
    let (_, raw) = members.iter().find(|(member, _)| member == name)?;
    let text: Text<'_> = lenient(Some(raw))?;
    Some(text.keep(body)).filter(|text| !text.is_empty())
}

impl Metadata {
    fn own(&mut self, members: &Members<'_>, body: &Str) {
        let sealed = members.iter().find(|(member, _)| member == SEALED);
        let sealed: Vec<Text<'_>> = sealed.and_then(|(_, raw)| lenient(Some(raw))).unwrap_or_default();
        self.opaque.extend(sealed.iter().map(|envelope| seal::unopened(envelope.keep(body))));
        self.family = text(members, FAMILY, body).and_then(|name| family_of(&name));
    }

    fn vendor(&mut self, family: Family, members: &Members<'_>, body: &Str) {
        for slot in SLOTS.iter().filter(|slot| slot.family == family) {
            let Some(data) = text(members, slot.member, body) else { continue };
            let id = text(members, ITEM, body);
            self.opaque.push(Opaque { family, kind: slot.kind, model: None, id, data });
        }
        let citations = members.iter().find(|(member, _)| member == "citations");
        let citations: Vec<&RawValue> = citations.and_then(|(_, raw)| lenient(Some(raw))).unwrap_or_default();
        self.citations.extend(citations.into_iter().filter_map(|raw| citation(family, raw, body)));
    }
}

fn citation(family: Family, raw: &RawValue, body: &Str) -> Option<Citation> {
    let Object(members) = lenient(Some(raw))?;
    Some(Citation {
        span: None,
        url: text(&members, "url", body),
        title: text(&members, "title", body).or_else(|| text(&members, "document_title", body)),
        quoted: text(&members, "cited_text", body),
        raw: Some((family, keep_raw(body, raw))),
    })
}

/// What is to be written into the metadata of a part.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outgoing<'a> {
    /// State that is to come back with the part.
    pub(super) opaque: &'a [Opaque],
    /// Sources of the part. Those that go back to their vendor are kept in its form.
    pub(super) citations: &'a [Citation],
    /// Whose tool it was.
    pub(super) family: Option<Family>,
}

impl Outgoing<'_> {
    /// The first piece of state for a slot. A second one has no place.
    fn fits(&self, slot: &Slot) -> Option<&Opaque> {
        self.opaque.iter().find(|opaque| opaque.family == slot.family && opaque.kind == slot.kind)
    }

    /// State that no slot takes.
    fn homeless(&self) -> impl Iterator<Item = &Opaque> {
        self.opaque.iter().filter(|opaque| {
            let fitting = SLOTS.iter().filter_map(|slot| self.fits(slot));
            !fitting.into_iter().any(|placed| std::ptr::eq(placed, *opaque))
        })
    }

    /// Anthropic's citations have an index that only it can read, and wants back.
    fn kept_citations(&self) -> impl Iterator<Item = &str> {
        self.citations.iter().filter_map(|citation| match &citation.raw {
            Some((Family::Anthropic, raw)) => Some(raw.as_str()),
            _ => None,
        })
    }

    fn is_empty(&self) -> bool {
        self.opaque.is_empty() && self.family.is_none() && self.kept_citations().next().is_none()
    }

    /// Writes the member `providerMetadata`, if there is anything to say.
    pub(super) fn write(&self, chunk: &mut Writer<'_>, sealer: &Sealer) {
        if self.is_empty() {
            return;
        }
        let mut metadata = chunk.nested("providerMetadata");
        for provider in ["anthropic", "openai", "google", "bedrock"] {
            self.write_vendor(provider, &mut metadata);
        }
        let mut homeless = self.homeless().peekable();
        if homeless.peek().is_some() || self.family.is_some() {
            let mut own = metadata.nested(OWN);
            let name = FAMILIES.iter().find(|(_, family)| Some(*family) == self.family).map(|(name, _)| *name);
            own.maybe_str(FAMILY, name);
            if homeless.peek().is_some() {
                let mut sealed = own.list(SEALED);
                for opaque in homeless {
                    push_str(sealed.element(), &sealer.seal(opaque));
                }
                sealed.end();
            }
            own.end();
        }
        metadata.end();
    }

    fn write_vendor(&self, provider: &str, metadata: &mut Writer<'_>) {
        let slots = SLOTS.iter().filter(|slot| slot.provider == provider);
        let mut placed = slots.filter_map(|slot| Some((slot, self.fits(slot)?))).peekable();
        let cites = provider == "anthropic" && self.kept_citations().next().is_some();
        if placed.peek().is_none() && !cites {
            return;
        }
        let mut entry = metadata.nested(provider);
        for (slot, opaque) in placed {
            if slot.family == Family::OpenAi {
                entry.maybe_str(ITEM, opaque.id.as_deref());
            }
            entry.str(slot.member, &opaque.data);
        }
        if cites {
            let mut list = entry.list("citations");
            for citation in self.kept_citations() {
                list.element().extend_from_slice(citation.as_bytes());
            }
            list.end();
        }
        entry.end();
    }
}
