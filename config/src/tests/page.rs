//! `docs/providers.md` is made of the catalog, and kept true by this test. `UPDATE=1 cargo test -p lockgate-config` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::{Capability, CatalogEntry, Confidence, Kind, catalog};

/// Columns beside chat: heading, and the names under `paths` that it is about.
const COLUMNS: &[(&str, &str)] = &[
    ("resp.", "responses"),
    ("compl.", "completions"),
    ("embed.", "embeddings"),
    ("rerank", "rerank"),
    ("moder.", "moderations"),
    ("images", "images"),
    ("edits", "image_edits"),
    ("var.", "image_variations"),
    ("speech", "speech"),
    ("transcr.", "transcriptions"),
    ("transl.", "translations"),
    ("videos", "videos"),
    ("ocr", "ocr"),
    ("files", "files"),
    ("batches", "batches"),
    ("realtime", "realtime"),
];

/// Names that have no column: they are told below a section.
const REST: &[&str] = &[
    "count_tokens",
    "bedrock_count_tokens",
    "generate",
    "assistants",
    "threads",
    "fine_tuning",
    "vector_stores",
    "uploads",
];

const HEAD: &str = "\
# Providers

<!-- Generated from config/data/providers: UPDATE=1 cargo test -p lockgate-config -->

What the gateway knows by name. `provider/model` is served where **chat** names a dialect, or **resp.** (OpenAI Responses) is there, whatever
dialect the client speaks. The other columns are endpoints in the form that everybody has taken over from OpenAI (of reranking, from
Cohere): they are known, and not served yet but under `/p/`. Every provider's whole API is reached at `/p/{provider}/...`, with its key put on.

A provider is switched on by its variable, a local one by `<NAME>_BASE_URL`, each of them by an entry under `providers`
([configuration](configuration.md#providers)). A caller may send a key of its own in the header `x-<title>-key`. `lockgate providers`
says which can be used now; `lockgate providers NAME` tells an entry's address, paths and sources.

✓ has it · ? known of services of this kind, but seen in no source: try it before you rely on it · ᵐ ˡ behind a name: the address was read
in one place alone, or the service may be gone
";

fn page() -> String {
    let entries: Vec<CatalogEntry> = catalog().into_iter().filter(|entry| entry.kind != Kind::Builtin).collect();
    let mut page = HEAD.to_owned();
    page += &counts(&entries);
    let mut sections: Vec<&str> = entries.iter().map(|entry| entry.section).collect();
    sections.dedup();
    for name in sections {
        let own: Vec<&CatalogEntry> = entries.iter().filter(|entry| entry.section == name).collect();
        page += &section(name, &own);
    }
    page
}

fn counts(entries: &[CatalogEntry]) -> String {
    let chat = entries.iter().filter(|entry| has_chat(entry)).count();
    let tried = |name: &str| {
        let all = entries.iter().flat_map(|entry| &entry.capabilities).filter(|own| own.name == name);
        let (all, unverified): (Vec<_>, Vec<_>) = (all.clone().collect(), all.filter(|own| own.unverified).collect());
        (all.len(), unverified.len())
    };
    let of = |confidence| entries.iter().filter(|entry| entry.confidence == confidence).count();
    let mut dialects: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        let own: BTreeSet<&str> = chats(entry).map(|own| own.dialect.as_deref().unwrap_or_default()).collect();
        for dialect in own {
            *dialects.entry(dialect).or_default() += 1;
        }
    }
    let dialects: Vec<String> = dialects.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut text = format!(
        "\n## Counts\n\n{} providers, {chat} of them with chat ({}). {} are reached by passing requests on alone. How sure their addresses are: high \
         {}, medium {}, low {}.\n\n| | providers | of these `?` |\n|---|---|---|\n",
        entries.len(),
        dialects.join(", "),
        entries.iter().filter(|entry| entry.capabilities.is_empty()).count(),
        of(Confidence::High),
        of(Confidence::Medium),
        of(Confidence::Low),
    );
    for name in COLUMNS.iter().map(|(_, name)| name).chain(REST) {
        let (all, unverified) = tried(name);
        writeln!(text, "| `{name}` | {all} | {unverified} |").expect("a string takes any text");
    }
    text
}

fn section(name: &str, entries: &[&CatalogEntry]) -> String {
    let used = |column: &&(&str, &str)| entries.iter().any(|entry| find(entry, column.1).is_some());
    let columns: Vec<_> = COLUMNS.iter().filter(used).collect();
    let title: String =
        name.chars().enumerate().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let headings = row(&headings);
    let mut text = format!("\n## {title}\n\n| provider | switched on by | chat |{headings}\n|---|---|---|");
    text += &"---|".repeat(columns.len());
    text.push('\n');
    for entry in entries {
        let cells: Vec<&str> = columns.iter().map(|(_, name)| mark(find(entry, name))).collect();
        let cells = row(&cells);
        writeln!(text, "| {} | {} | {} |{cells}", names(entry), switch(entry), chat(entry))
            .expect("a string takes any text");
    }
    let rest = entries.iter().filter_map(|entry| {
        let names: Vec<String> =
            REST.iter().filter(|name| find(entry, name).is_some()).map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("`{}` {}", entry.name, names.join(", ")))
    });
    let rest: Vec<String> = rest.collect();
    if !rest.is_empty() {
        writeln!(text, "\nBesides: {}.", rest.join("; ")).expect("a string takes any text");
    }
    text
}

/// Cells of a row behind its first three.
fn row(cells: &[&str]) -> String {
    cells.iter().fold(String::new(), |row, cell| row + " " + cell + " |")
}

fn has_chat(entry: &CatalogEntry) -> bool {
    chats(entry).next().is_some()
}

fn chats(entry: &CatalogEntry) -> impl Iterator<Item = &Capability> {
    entry.capabilities.iter().filter(|own| own.route_type == "llm/v1/chat")
}

fn find<'a>(entry: &'a CatalogEntry, name: &str) -> Option<&'a Capability> {
    entry.capabilities.iter().find(|own| own.name == name)
}

fn mark(capability: Option<&Capability>) -> &'static str {
    match capability {
        None => "",
        Some(own) if own.unverified => "?",
        Some(_) => "✓",
    }
}

fn names(entry: &CatalogEntry) -> String {
    let sure = match entry.confidence {
        Confidence::High => "",
        Confidence::Medium => "ᵐ",
        Confidence::Low => "ˡ",
    };
    let names = std::iter::once(entry.name).chain(entry.aliases.iter().map(String::as_str));
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    format!("{} {}{sure}", names.join(", "), entry.title)
}

fn switch(entry: &CatalogEntry) -> String {
    let by_file = "an entry in the file";
    let own = match (entry.kind, entry.env.first()) {
        (Kind::Local, _) => format!("`{}_BASE_URL`", entry.name.to_ascii_uppercase().replace('-', "_")),
        (_, Some(variable)) => format!("`{variable}`"),
        (_, None) => by_file.to_owned(),
    };
    let params = entry.params.iter().map(|(name, variables)| match variables.first() {
        Some(variable) => format!(" and `{variable}`"),
        None => format!(" and `params.{name}`"),
    });
    own + &params.collect::<String>()
}

fn chat(entry: &CatalogEntry) -> String {
    let told = chats(entry).map(|own| {
        let mark = if own.unverified { "?" } else { "" };
        format!("{}{mark}", own.dialect.as_deref().unwrap_or_default())
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_page_of_providers_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers.md");
    let current = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &current).expect("the page can be written");
    }
    let file = std::fs::read_to_string(path).expect("the page is there");
    assert!(file == current, "docs/providers.md is out of date: UPDATE=1 cargo test -p lockgate-config");
}

#[test]
fn the_page_shows_every_capability() {
    let shown: BTreeSet<&str> = COLUMNS.iter().map(|(_, name)| *name).chain(REST.iter().copied()).collect();
    for entry in catalog() {
        for own in entry.capabilities.iter().filter(|own| own.route_type != "llm/v1/chat") {
            assert!(shown.contains(own.name), "`{}` has no column", own.name);
        }
    }
}
