//! The providers that the gateway knows by name: `data/providers/`, inside the binary.
//!
//! An entry is parsed when it is needed. What start-up must know of all of them is read from their lines, see `text`.

mod text;

use std::collections::HashSet;

use self::text::FILES;
pub(crate) use self::text::{Slot, slots};
use crate::raw::{CHAT, COUNT, PATHS, PathKind, RawAuth, RawAuthParts, RawModelNames, RawPaths, RawProvider, Spoken};
use crate::types::{Confidence, Kind};

/// What the catalog knows of a provider, for listings.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// Name in `provider/model`.
    pub name: &'static str,
    /// Further names.
    pub aliases: Vec<String>,
    /// The part of the catalog that it stands in: `vendors`, `gateways` and so on.
    pub section: &'static str,
    /// Name for people.
    pub title: String,
    /// What stands behind it.
    pub kind: Kind,
    /// Where it is; may hold placeholders such as `{location}`.
    pub base_url: String,
    /// Base URLs of regions by name.
    pub regions: Vec<(String, String)>,
    /// Placeholders that need a value, each with the variables that may hold it.
    pub params: Vec<(String, Vec<String>)>,
    /// Dialects it speaks, the preferred one first. None where it has no conversations.
    pub dialects: Vec<String>,
    /// What it can be asked for, with the places.
    pub capabilities: Vec<Capability>,
    /// How a request shows the key, in words.
    pub auth: String,
    /// Headers sent with every request.
    pub headers: Vec<(String, String)>,
    /// Works without a key.
    pub keyless: bool,
    /// Variables that may hold its key, in order.
    pub env: Vec<String>,
    /// Header in which a caller may send a key of its own, in lowercase.
    pub key_header: String,
    /// How sure the address and the main path are.
    pub confidence: Confidence,
    /// Where they were read.
    pub sources: Vec<String>,
}

/// Something that a provider can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What it is called under `paths` (`chat`, `embeddings`).
    pub name: &'static str,
    /// What is asked for (`llm/v1/chat`).
    pub route_type: &'static str,
    /// The dialect, where it is one of several.
    pub dialect: Option<String>,
    /// Path below the base URL, or a whole URL.
    pub path: String,
    /// It was seen in no source.
    pub unverified: bool,
}

/// Lists what providers can be asked for, by the names that [`CatalogEntry::offers`] and `Provider::offers` give.
pub fn offers() -> Vec<&'static str> {
    let mut names: Vec<_> = PATHS.iter().filter(|kind| kind.name != "models").map(PathKind::offer).collect();
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

/// Lists the catalog in its order.
pub fn catalog() -> Vec<CatalogEntry> {
    slots().iter().map(|slot| listed(slot, slot.parse())).collect()
}

// === impl CatalogEntry ===

impl CatalogEntry {
    /// Lists what it can be asked for, chat in whichever dialect being one thing.
    pub fn offers(&self) -> Vec<&'static str> {
        let kinds = self.capabilities.iter().filter_map(|capability| PathKind::find(capability.name));
        let mut names: Vec<_> = kinds.map(PathKind::offer).collect();
        names.dedup();
        names
    }
}

fn listed(slot: &Slot, raw: RawProvider) -> CatalogEntry {
    let facts = raw.facts.clone().unwrap_or_default();
    let params = raw.params.iter().flat_map(|params| &params.0).map(|(name, param)| (name.clone(), param.parts()));
    let params = params.filter(|(_, param)| param.value.is_none() && param.default.is_none());
    CatalogEntry {
        name: slot.name,
        section: FILES.get(slot.file).map_or("", |file| file.name),
        kind: raw.kind.unwrap_or(Kind::Vendor),
        dialects: dialects(&raw),
        capabilities: capabilities(&raw, &facts.unverified.unwrap_or_default()),
        params: params.map(|(name, param)| (name, param.env.unwrap_or_default())).collect(),
        auth: raw.auth.as_ref().map_or_else(|| "none".to_owned(), describe_auth),
        keyless: raw.keyless.unwrap_or(false) || matches!(raw.auth, None | Some(RawAuth::None(_))),
        key_header: key_header(slot.name, &raw),
        confidence: facts.confidence.unwrap_or(Confidence::High),
        sources: facts.sources.unwrap_or_default(),
        aliases: raw.aliases.unwrap_or_default(),
        title: raw.title.unwrap_or_else(|| slot.name.to_owned()),
        base_url: raw.base_url.unwrap_or_default(),
        regions: raw.regions.unwrap_or_default().0,
        headers: raw.headers.unwrap_or_default().0,
        env: raw.env.unwrap_or_default(),
    }
}

fn capabilities(raw: &RawProvider, unverified: &[String]) -> Vec<Capability> {
    let own = raw.dialect.as_deref().unwrap_or_default();
    let paths = raw.paths.iter().flat_map(RawPaths::iter).filter(|(kind, _)| kind.name != "models");
    let capabilities = paths.map(|(kind, path)| Capability {
        name: kind.name,
        route_type: kind.route_type,
        dialect: match kind.spoken {
            Spoken::Own => Some(own.to_owned()),
            Spoken::In(dialect) => Some(dialect.to_owned()),
            Spoken::Common => None,
        },
        path: path.to_owned(),
        unverified: unverified.iter().any(|name| name == kind.name),
    });
    capabilities.collect()
}

/// Writes a way of showing a key as it stands in a request: `authorization: Bearer KEY`.
fn describe_auth(auth: &RawAuth) -> String {
    match auth {
        RawAuth::Parts(RawAuthParts { header: Some(header), scheme, prefix, .. }) => {
            let scheme = scheme.as_ref().map(|scheme| format!("{scheme} ")).unwrap_or_default();
            format!("{}: {scheme}{}KEY", header.to_ascii_lowercase(), prefix.as_deref().unwrap_or_default())
        }
        RawAuth::Parts(RawAuthParts { query: Some(query), .. }) => format!("?{query}=KEY"),
        RawAuth::Parts(_) | RawAuth::None(_) => "none".to_owned(),
    }
}

/// Returns an entry by name.
pub(crate) fn entry(name: &str) -> Option<RawProvider> {
    slot(name).map(Slot::parse)
}

/// Returns the name of the entry that a name or an alias means.
pub(crate) fn canonical(name: &str) -> Option<&'static str> {
    let by_alias = || slots().iter().find(|slot| slot.aliases.contains(&name));
    slot(name).or_else(by_alias).map(|slot| slot.name)
}

/// Lists the names of the catalog.
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    slots().iter().map(|slot| slot.name)
}

/// Returns an entry by name, not parsed.
pub(crate) fn slot(name: &str) -> Option<&'static Slot> {
    slots().iter().find(|slot| slot.name == name)
}

/// Returns what every server of a dialect has in common: the way of its inventor, whose entry has the dialect's name.
/// The inventor's other APIs are not among it, nor what counts for them: few servers have them, and one that has says so.
/// One that names such an API in place of chat has no chat.
pub(crate) fn of_dialect(dialect: &str, own: Option<&RawPaths>) -> RawProvider {
    let Some(inventor) = entry(dialect) else { return RawProvider::default() };
    let prefers_another = inventor.dialect.as_deref() != Some(dialect);
    let has = |name: &str| own.is_some_and(|own| own.get(name).is_some());
    let no_chat = (has("responses") || has("completions")) && !has("chat");
    let paths = inventor.paths.map(|paths| {
        let counts_for_another = paths.get("responses").is_some();
        paths.only(|kind| match kind.spoken {
            Spoken::Own if kind.name == "count_tokens" => !prefers_another && !counts_for_another,
            Spoken::Own => !prefers_another && (kind.name != "chat" || !no_chat),
            Spoken::In(other) => other == dialect && !matches!(kind.name, "responses" | "completions"),
            Spoken::Common => kind.name == "models" && !prefers_another,
        })
    });
    RawProvider {
        auth: inventor.auth,
        headers: inventor.headers,
        paths,
        keyless: inventor.keyless,
        models: Some(RawModelNames::Known(Vec::new())),
        ..RawProvider::default()
    }
}

/// Returns the header for callers' keys: `x-`, the title's letters, digits and hyphens, `-key`.
pub(crate) fn key_header(name: &str, raw: &RawProvider) -> String {
    key_header_of(raw.key_header.as_deref(), raw.title.as_deref().unwrap_or(name))
}

/// Returns the header for callers' keys of an entry that is not parsed.
pub(crate) fn slot_key_header(slot: &Slot) -> String {
    key_header_of(slot.word("key_header"), slot.word("title").unwrap_or(slot.name))
}

fn key_header_of(written: Option<&str>, title: &str) -> String {
    if let Some(header) = written {
        return header.to_ascii_lowercase();
    }
    let word: String = title.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!("x-{}-key", word.to_ascii_lowercase())
}

/// What a provider's paths say that it speaks: dialect, route type and path, its own dialect's chat first.
pub(crate) fn faces(dialect: &str, paths: &RawPaths) -> Vec<(String, &'static str, String)> {
    let mut faces: Vec<(String, &'static str, String)> = Vec::new();
    for (kind, path) in paths.iter() {
        let name = match kind.spoken {
            Spoken::Own => dialect,
            Spoken::In(name) => name,
            Spoken::Common => continue,
        };
        if !faces.iter().any(|(other, of, _)| other == name && *of == kind.route_type) {
            faces.push((name.to_owned(), kind.route_type, path.to_owned()));
        }
    }
    faces.sort_by_key(|(name, route_type, _)| (name != dialect, *route_type != CHAT));
    faces
}

fn dialects(raw: &RawProvider) -> Vec<String> {
    let dialect = raw.dialect.as_deref().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for (name, route_type, _) in raw.paths.as_ref().map(|paths| faces(dialect, paths)).unwrap_or_default() {
        if route_type != COUNT && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
