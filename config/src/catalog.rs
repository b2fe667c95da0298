//! The providers that the gateway knows by name: `data/providers.yaml`, inside the binary.

use std::sync::LazyLock;

use crate::document;
use crate::env::MapEnv;
use crate::raw::{Named, RawCatalog, RawModelNames, RawPaths, RawProvider};
use crate::types::Kind;

const FILE: &str = "data/providers.yaml";
const CHAT: &str = "llm/v1/chat";
const COUNT: &str = "llm/v1/count_tokens";
const TEXT: &str = include_str!("../data/providers.yaml");

static CATALOG: LazyLock<Named<RawProvider>> = LazyLock::new(|| {
    let document = document::read::<RawCatalog>(FILE, TEXT, &MapEnv::new());
    document.expect("the embedded catalog is loaded by a test").raw.providers
});

/// What the catalog knows of a provider, for listings.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// Name in `provider/model`.
    pub name: &'static str,
    /// Name for people.
    pub title: String,
    /// What stands behind it.
    pub kind: Kind,
    /// Where it is; may hold placeholders such as `{location}`.
    pub base_url: String,
    /// Dialects it speaks, the preferred one first.
    pub dialects: Vec<String>,
    /// Variables that may hold its key, in order.
    pub env: Vec<String>,
    /// Header in which a caller may send a key of its own, in lowercase.
    pub key_header: String,
}

/// Lists the catalog in its order.
pub fn catalog() -> Vec<CatalogEntry> {
    let providers = CATALOG.0.iter().map(|(name, raw)| CatalogEntry {
        name,
        title: raw.title.clone().unwrap_or_else(|| name.clone()),
        kind: raw.kind.unwrap_or(Kind::Vendor),
        base_url: raw.base_url.clone().unwrap_or_default(),
        dialects: dialects(raw),
        env: raw.env.clone().unwrap_or_default(),
        key_header: key_header(name, raw),
    });
    providers.collect()
}

/// Returns an entry by name.
pub(crate) fn entry(name: &str) -> Option<&'static RawProvider> {
    CATALOG.get(name)
}

/// Returns all entries with their names.
pub(crate) fn entries() -> &'static [(String, RawProvider)] {
    &CATALOG.0
}

/// Lists the names of the catalog.
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    CATALOG.0.iter().map(|(name, _)| name.as_str())
}

/// Returns what every server of a dialect has in common: the way of its inventor, whose entry has the dialect's name.
/// The inventor's other APIs are not among it, nor what counts for them: few servers have them, and one that has says so.
/// One that names such an API and no chat has no chat.
pub(crate) fn of_dialect(dialect: &str, own: Option<&RawPaths>) -> RawProvider {
    let Some(inventor) = entry(dialect) else { return RawProvider::default() };
    let prefers_another = inventor.dialect.as_deref() != Some(dialect);
    let paths = inventor.paths.clone().map(|paths| if prefers_another { own_paths(dialect, paths) } else { paths });
    let has_others = |own: &RawPaths| own.responses.is_some() || own.completions.is_some();
    let no_chat = own.is_some_and(|own| own.chat.is_none() && has_others(own));
    let paths = paths.map(|paths| RawPaths {
        count_tokens: paths.count_tokens.filter(|_| paths.responses.is_none()),
        responses: None,
        completions: None,
        chat: paths.chat.filter(|_| !no_chat),
        ..paths
    });
    RawProvider {
        auth: inventor.auth.clone(),
        headers: inventor.headers.clone(),
        paths,
        keyless: inventor.keyless,
        models: Some(RawModelNames::Known(Vec::new())),
        ..RawProvider::default()
    }
}

/// The paths of one dialect alone, of a provider that prefers to be spoken to in another.
fn own_paths(dialect: &str, paths: RawPaths) -> RawPaths {
    let mut own = faces("", &paths).into_iter().filter(|(name, ..)| name == dialect);
    let chat = own.find(|(_, route_type, _)| *route_type == CHAT).map(|(.., path)| path);
    RawPaths { chat, generate: paths.generate, ..RawPaths::default() }
}

/// Returns the header for callers' keys: `x-`, the title's letters, digits and hyphens, `-key`.
pub(crate) fn key_header(name: &str, raw: &RawProvider) -> String {
    if let Some(header) = &raw.key_header {
        return header.to_ascii_lowercase();
    }
    let title = raw.title.as_deref().unwrap_or(name);
    let word: String = title.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!("x-{}-key", word.to_ascii_lowercase())
}

/// What a provider's paths say that it speaks: dialect, route type and path, its own dialect's chat first.
pub(crate) fn faces(dialect: &str, paths: &RawPaths) -> Vec<(String, &'static str, String)> {
    let of_paths = [
        (dialect, CHAT, &paths.chat),
        ("anthropic", CHAT, &paths.messages),
        ("gemini", CHAT, &paths.generate_content),
        ("cohere", CHAT, &paths.cohere_chat),
        ("ollama", CHAT, &paths.ollama_chat),
        ("bedrock", CHAT, &paths.converse),
        ("openai", "llm/v1/responses", &paths.responses),
        ("openai", "llm/v1/completions", &paths.completions),
        ("ollama", "llm/v1/completions", &paths.generate),
        (dialect, COUNT, &paths.count_tokens),
        ("bedrock", COUNT, &paths.bedrock_count_tokens),
    ];
    let mut faces: Vec<(String, &'static str, String)> = Vec::new();
    for (name, route_type, path) in of_paths {
        if let Some(path) = path
            && !faces.iter().any(|(other, of, _)| other == name && *of == route_type)
        {
            faces.push((name.to_owned(), route_type, path.clone()));
        }
    }
    faces.sort_by_key(|(name, route_type, _)| (name != dialect, *route_type != CHAT));
    faces
}

fn dialects(raw: &RawProvider) -> Vec<String> {
    let dialect = raw.dialect.as_deref().unwrap_or_default();
    let paths = raw.paths.clone().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for (name, route_type, _) in faces(dialect, &paths) {
        if route_type != COUNT && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
