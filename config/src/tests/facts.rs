//! The catalog against collected facts about providers, which stand outside the project: `catalog/providers.yaml` beside the
//! recordings (`LOCKGATE_CORPUS`, else `../shared/fixtures`). Without them the tests say that they did nothing.
//!
//! Facts are material: where the catalog knows better, the difference is listed here with its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::raw::CHAT;
use crate::types::join_path;
use crate::{CatalogEntry, DIALECTS, Kind, catalog, tree};

/// Names that the facts give to what has another name here.
const RENAMED: &[(&str, &str)] = &[("amazonbedrock", "bedrock"), ("google", "gemini"), ("echo", "sim")];

/// Facts that are no entry yet, because their keys are shown in ways that need code of their own.
const LEFT_OUT: &[&str] =
    &["anthropic-aws", "everypixellabs", "github-copilot", "klingai", "oci", "sagemaker", "sap-ai-core", "watsonx"];

/// What is meant to differ: entry, part, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("bedrock", "auth", "a Bedrock API key; signatures come with code of their own"),
    ("bedrock", "base", "a region is an address of its own, `us-east-1` unless told otherwise"),
    ("bedrock", "env", "the variable of that key"),
    ("exa", "dialect", "beside its own form it has OpenAI's at `/chat/completions`, as the facts say too"),
    ("github-models", "env", "a variable of its own goes first: `GITHUB_TOKEN` is often set for other ends"),
    ("gitlab", "base", "no wider than the path of chat: the key opens all of GitLab"),
    ("gitlab", "env", "`GITLAB_TOKEN` is set in many places that mean nothing by it"),
    ("nlpcloud", "base", "the version at its end would count twice"),
    ("novita", "responses", "the vendor has it, the facts do not know it"),
    ("ollama", "auth", "a server behind a proxy may want a key"),
    ("sarvam", "auth", "the vendor takes `Bearer` everywhere, and clients of chat send it"),
    ("snowflake", "base", "no wider than Cortex: the key opens all of Snowflake"),
    ("telnyx", "base", "no wider than the models: the key opens all of Telnyx"),
    ("triton", "env", "it wants no key"),
    ("vertex", "env", "variables of that token"),
    ("vertex-anthropic", "env", "variables of that token"),
    ("yourvoic", "base", "the version at its end would count twice"),
];

/// What paths of a common form end in, by their keys.
const COMMON: &[(&str, &str)] = &[
    ("messages", "/messages"),
    ("responses", "/responses"),
    ("completions", "/completions"),
    ("embeddings", "/embeddings"),
    ("rerank", "/rerank"),
    ("moderations", "/moderations"),
    ("images", "/images/generations"),
    ("image_edits", "/images/edits"),
    ("image_variations", "/images/variations"),
    ("speech", "/audio/speech"),
    ("transcriptions", "/audio/transcriptions"),
    ("translations", "/audio/translations"),
    ("videos", "/v1/videos"),
    ("ocr", "/ocr"),
    ("files", "/files"),
    ("batches", "/batches"),
    ("realtime", "/realtime"),
];

/// Endpoints that look common and are left out: entry, key, and why. Dialects that no source confirms are left out too:
/// chat serves their clients until somebody has tried.
const OMITTED: &[(&str, &str, &str)] = &[
    ("302ai", "speech", "a form of its own under `/302/`"),
    ("302ai", "transcriptions", "a form of its own under `/302/`"),
    ("anthropic", "batches", "Anthropic's own form"),
    ("anthropic", "files", "Anthropic's own form"),
    ("azure-ai", "responses", "`azure` has it, at the same resource"),
    ("bedrock", "rerank", "a form of its own, at a host of its own"),
    ("deepl", "realtime", "a form of its own"),
    ("gemini", "files", "Gemini's own form"),
    ("inceptionlabs", "completions", "fills in the middle, in a form of its own"),
    ("minimax", "files", "a form of its own"),
    ("mistral", "completions", "fills in the middle, in a form of its own"),
    ("nlpcloud", "embeddings", "a form of its own"),
    ("perplexity", "messages", "of its router, whose models are others than those of chat"),
    ("pinecone", "rerank", "a form of its own"),
    ("replicate", "files", "a form of its own"),
    ("speechify", "speech", "another body under the common path"),
    ("tei", "rerank", "a form of its own"),
    ("vapi", "responses", "the assistant must be described in the request"),
    ("voyageai", "rerank", "`top_k` and `data` where the common form has `top_n` and `results`"),
    ("zai", "messages", "at a path beside the base URL; to be tried first"),
];

struct Facts(Vec<Json>);

/// One provider's facts and its entry here.
struct Pair<'a> {
    facts: &'a Json,
    entry: &'a CatalogEntry,
}

impl Facts {
    /// Reads the facts; `None` where they are not there, which is said.
    fn read() -> Option<Self> {
        let corpus = std::env::var_os("LOCKGATE_CORPUS").map(PathBuf::from);
        let corpus = corpus.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"));
        let path = corpus.join("../catalog/providers.yaml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("SKIPPED: no facts about providers at {}; set LOCKGATE_CORPUS", path.display());
            return None;
        };
        let tree = tree::parse(&text).unwrap_or_else(|errors| panic!("{errors:?}"));
        let Json::Array(list) = tree.to_json() else { panic!("the facts are a list") };
        assert!(list.len() > 200, "there are {} facts", list.len());
        Some(Self(list))
    }

    /// Each provider of the facts that is not left out, with its entry.
    fn pairs<'a>(&'a self, entries: &'a [CatalogEntry]) -> impl Iterator<Item = Pair<'a>> {
        self.0.iter().filter(|facts| !LEFT_OUT.contains(&text(facts, "id"))).map(|facts| {
            let id = text(facts, "id");
            let name = RENAMED.iter().find(|(theirs, _)| *theirs == id).map_or(id, |(_, ours)| *ours);
            let entry = entries.iter().find(|entry| entry.name == name);
            Pair { facts, entry: entry.unwrap_or_else(|| panic!("`{id}` must be in the catalog")) }
        })
    }
}

impl Pair<'_> {
    fn differs(&self, part: &str) -> bool {
        DIFFERENT.iter().any(|(name, other, _)| *name == self.entry.name && *other == part)
    }

    /// Fails unless a part agrees, or is listed as one that does not. What is listed needlessly is a mistake too.
    fn check(&self, part: &str, agrees: bool, told: &dyn std::fmt::Debug) {
        let name = self.entry.name;
        assert!(agrees || self.differs(part), "{name}: {part} is {told:?} in the facts, and here {:?}", self.entry);
        assert!(!agrees || !self.differs(part), "{name}: {part} does not differ any more");
    }

    /// The URLs of the facts' endpoints, and those of `WebSocket` as HTTP knows them.
    fn urls(&self) -> BTreeSet<String> {
        // A region that is written out in the entry.
        let base = normal(text(self.facts, "base_url")).replace("{region}", "us-east-1");
        let endpoints = self.facts["endpoints"].as_object().into_iter().flatten();
        let paths = endpoints.filter_map(|(_, path)| path.as_str());
        paths.map(|path| joined(&base, &path.replacen("wss://", "https://", 1))).collect()
    }

    /// The URL of a path of the entry.
    fn url(&self, path: &str) -> String {
        joined(&self.entry.base_url, path)
    }

    /// Whether the facts' own dialect is one that is spoken here.
    fn is_spoken(&self) -> bool {
        DIALECTS.contains(&text(self.facts, "dialect"))
    }
}

fn text<'a>(value: &'a Json, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Json) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn normal(url: &str) -> String {
    url.replace("localhost", "127.0.0.1")
}

fn joined(base: &str, path: &str) -> String {
    if path.starts_with('/') { join_path(base, path) } else { path.to_owned() }
}

/// How a request shows the key, as [`CatalogEntry::auth`] says it.
fn auth(facts: &Json) -> String {
    let auth = &facts["auth"];
    let scheme = auth["scheme"].as_str().map(|scheme| format!("{scheme} ")).unwrap_or_default();
    match (auth["header"].as_str(), auth["query"].as_str()) {
        (Some(header), _) => format!("{}: {scheme}{}KEY", header.to_ascii_lowercase(), text(auth, "prefix")),
        (None, Some(query)) => format!("?{query}=KEY"),
        (None, None) => "none".to_owned(),
    }
}

#[test]
fn every_provider_of_the_facts_is_here_as_they_say() {
    let Some(facts) = Facts::read() else { return };
    let entries = catalog();
    for pair in facts.pairs(&entries) {
        let (facts, entry) = (pair.facts, pair.entry);
        if entry.kind == Kind::Builtin {
            continue;
        }
        let base = normal(text(facts, "base_url"));
        pair.check("base", base == entry.base_url, &base);
        pair.check("auth", auth(facts) == entry.auth, &auth(facts));
        let named = [list(&facts["env_aliases"]), vec![text(facts, "env").to_owned()]].concat();
        let known = named.iter().filter(|name| !name.is_empty()).all(|name| entry.env.contains(name));
        let first = text(facts, "env").is_empty() || entry.env.first().is_some_and(|env| env == text(facts, "env"));
        pair.check("env", known && first, &named);
        assert_eq!(entry.key_header, text(facts, "key_header").to_ascii_lowercase(), "{}", entry.name);
        for alias in list(&facts["aliases"]).iter().chain([&text(facts, "id").to_owned()]) {
            assert!(entry.name == alias || entry.aliases.contains(alias), "`{alias}` means `{}`", entry.name);
        }
        for (name, url) in facts["regions"].as_object().into_iter().flatten() {
            let region = entry.regions.iter().find(|(own, _)| own == name).map(|(_, url)| url.as_str());
            assert_eq!(region, url.as_str().map(normal).as_deref(), "{}: region {name}", entry.name);
        }
        for (name, value) in facts["extra_headers"].as_object().into_iter().flatten() {
            let own = entry.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, own)| own.as_str());
            assert_eq!(own, value.as_str(), "{}: header {name}", entry.name);
        }
        let confidence = entry.confidence.to_string();
        assert_eq!(confidence, text(facts, "confidence"), "{}", entry.name);
    }
}

/// The reference matrix claims support for chat; each claim in a dialect that is spoken here is kept.
#[test]
fn every_chat_of_the_matrix_is_reached_where_the_facts_say() {
    let Some(facts) = Facts::read() else { return };
    let entries = catalog();
    let (mut claimed, mut kept, mut elsewhere) = (0, 0, Vec::new());
    for pair in facts.pairs(&entries) {
        let claim = text(&pair.facts["seed"], "chat");
        if claim != "Y" && claim != "P" {
            continue;
        }
        claimed += 1;
        if pair.entry.kind == Kind::Builtin {
            kept += 1;
            continue;
        }
        let chat = pair.entry.capabilities.iter().find(|capability| capability.route_type == CHAT);
        let Some(first) = chat else {
            assert!(!pair.is_spoken(), "{} must be spoken to", pair.entry.name);
            elsewhere.push(pair.entry.name);
            continue;
        };
        assert!(pair.is_spoken() || pair.differs("dialect"), "{} speaks what the facts do not know", pair.entry.name);
        let urls = pair.urls();
        assert!(urls.contains(&pair.url(&first.path)), "{}: {} is none of {urls:?}", pair.entry.name, first.path);
        kept += 1;
    }
    eprintln!(
        "chat of the matrix: {claimed} claimed here, {kept} kept, others have a form of their own: {elsewhere:?}"
    );
    assert!(claimed >= 175 && kept >= 118, "{kept} of {claimed}");
}

/// No endpoint is invented: each stands in the facts, be it under another name.
#[test]
fn every_endpoint_stands_in_the_facts() {
    let Some(facts) = Facts::read() else { return };
    let entries = catalog();
    let mut seen = 0;
    for pair in facts.pairs(&entries).filter(|pair| !matches!(pair.entry.kind, Kind::Builtin)) {
        let urls = pair.urls();
        for capability in &pair.entry.capabilities {
            let url = pair.url(&capability.path);
            let is_there = urls.contains(&url);
            assert!(
                is_there || pair.differs(capability.name),
                "{}: {url} ({}) is none of {urls:?}",
                pair.entry.name,
                capability.name
            );
            seen += usize::from(is_there);
        }
        let unverified = list(&pair.facts["unverified"]);
        for capability in pair.entry.capabilities.iter().filter(|own| own.unverified) {
            let mut keys = unverified.iter().map(|key| key.trim_end_matches("_openai"));
            assert!(keys.any(|key| key == capability.name), "{}: {} is verified", pair.entry.name, capability.name);
        }
    }
    assert!(seen > 550, "{seen} endpoints are compared");
}

/// No endpoint of a common form is forgotten.
#[test]
fn every_common_endpoint_of_the_facts_is_here() {
    let Some(facts) = Facts::read() else { return };
    let entries = catalog();
    let (mut omitted, mut forgotten) = (BTreeSet::new(), Vec::new());
    for pair in facts.pairs(&entries).filter(|pair| !matches!(pair.entry.kind, Kind::Builtin)) {
        let unverified = list(&pair.facts["unverified"]);
        for (key, ending) in COMMON {
            let path = text(&pair.facts["endpoints"], key);
            let is_dialect = ["messages", "responses"].contains(key);
            if !path.split('?').next().unwrap_or_default().ends_with(ending)
                || path.starts_with("/openai/deployments/")
                || (is_dialect && unverified.iter().any(|name| name == key))
            {
                continue;
            }
            if pair.entry.capabilities.iter().any(|capability| capability.name == *key) {
                continue;
            }
            let reason = OMITTED.iter().find(|(name, other, _)| *name == pair.entry.name && other == key);
            match reason {
                Some(reason) => _ = omitted.insert(reason),
                None => forgotten.push((pair.entry.name, *key, path)),
            }
        }
    }
    assert!(forgotten.is_empty(), "{forgotten:#?}");
    assert_eq!(omitted, OMITTED.iter().collect(), "what is listed is met");
}
