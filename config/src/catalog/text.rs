//! The files of the catalog, cut into entries but not parsed: most entries are never needed.
//!
//! The files keep to a form in which this is a matter of lines, and a test holds them to it: names stand two blanks in, keys
//! four, and what is read here (`title`, `key_header`, `aliases`, `env`) is on one line.

use std::sync::LazyLock;

use crate::raw::RawProvider;
use crate::tree;
use crate::types::Kind;

/// The files, in order of preference for model names without a provider.
pub(super) const FILES: &[File] = &[
    File { name: "vendors", text: include_str!("../../data/providers/vendors.yaml") },
    File { name: "clouds", text: include_str!("../../data/providers/clouds.yaml") },
    File { name: "hosts", text: include_str!("../../data/providers/hosts.yaml") },
    File { name: "gateways", text: include_str!("../../data/providers/gateways.yaml") },
    File { name: "local", text: include_str!("../../data/providers/local.yaml") },
    File { name: "speech", text: include_str!("../../data/providers/speech.yaml") },
    File { name: "images", text: include_str!("../../data/providers/images.yaml") },
    File { name: "video", text: include_str!("../../data/providers/video.yaml") },
    File { name: "media", text: include_str!("../../data/providers/media.yaml") },
    File { name: "translation", text: include_str!("../../data/providers/translation.yaml") },
    File { name: "search", text: include_str!("../../data/providers/search.yaml") },
    File { name: "builtin", text: include_str!("../../data/providers/builtin.yaml") },
];

/// A file of the catalog.
#[derive(Debug)]
pub(super) struct File {
    /// Its name, without folder and ending.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// An entry that is not parsed, but for what start-up asks of all entries.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Name in `provider/model`.
    pub(crate) name: &'static str,
    /// Further names.
    pub(crate) aliases: Box<[&'static str]>,
    /// Variables that may hold its key, in order.
    pub(crate) env: Box<[&'static str]>,
    /// The environment, or a model's bare name, may say more about it than its entry.
    pub(crate) is_open: bool,
    /// Index of its file.
    pub(super) file: usize,
    text: &'static str,
}

static SLOTS: LazyLock<Vec<Slot>> = LazyLock::new(|| {
    let files = FILES.iter().enumerate();
    files.flat_map(|(index, file)| cut(index, section(file.text, "providers:"))).collect()
});

static DEFAULTS: LazyLock<Vec<RawProvider>> =
    LazyLock::new(|| FILES.iter().map(|file| read(section(file.text, "defaults:"))).collect());

/// Returns the entries in order.
pub(crate) fn slots() -> &'static [Slot] {
    &SLOTS
}

/// Returns what stands under a key of the top, without the key.
fn section(text: &'static str, key: &str) -> &'static str {
    let Some((_, below)) = text.split_once(&format!("\n{key}\n")) else { return "" };
    let mut end = 0;
    for line in below.split_inclusive('\n') {
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            break;
        }
        end += line.len();
    }
    below.get(..end).unwrap_or(below)
}

/// Cuts a section at the names in it.
fn cut(file: usize, section: &'static str) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut end = 0;
    for line in section.split_inclusive('\n') {
        let name = line.trim_end().strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
        if let Some(name) = name.filter(|name| !name.starts_with([' ', '#'])) {
            slots.extend(open.map(|(last, start)| Slot::new(last, file, section.get(start..end).unwrap_or_default())));
            open = Some((name.trim_matches('"'), end + line.len()));
        }
        end += line.len();
    }
    slots.extend(open.map(|(last, start)| Slot::new(last, file, section.get(start..).unwrap_or_default())));
    slots
}

/// Reads embedded YAML as a raw type, without the care that a user's file gets: a test has seen all of it.
fn read(text: &str) -> RawProvider {
    let tree = tree::parse(text).expect("the embedded catalog is parsed by a test");
    serde_json::from_value(tree.to_json()).expect("the embedded catalog is read by a test")
}

// === impl Slot ===

impl Slot {
    fn new(name: &'static str, file: usize, text: &'static str) -> Self {
        let mut slot = Self { name, aliases: Box::default(), env: Box::default(), is_open: false, file, text };
        slot.aliases = slot.list("aliases").collect();
        slot.env = slot.list("env").collect();
        slot.is_open = ["models", "params", "base_url_env"].iter().any(|key| slot.value(key).is_some());
        slot
    }

    /// Parses the entry and lays it over what its file says of all.
    pub(crate) fn parse(&self) -> RawProvider {
        let own = read(self.text);
        match DEFAULTS.get(self.file) {
            Some(defaults) => own.over(defaults),
            None => own,
        }
    }

    /// Returns what stands behind it, which a file says of all its entries.
    pub(crate) fn kind(&self) -> Kind {
        DEFAULTS.get(self.file).and_then(|defaults| defaults.kind).unwrap_or(Kind::Vendor)
    }

    /// Returns the text of a key.
    pub(super) fn word(&self, key: &str) -> Option<&'static str> {
        self.value(key).map(|value| value.trim_matches('"'))
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &'static str> {
        let list = self.value(key).and_then(|value| value.strip_prefix('[')?.strip_suffix(']'));
        list.into_iter().flat_map(|list| list.split(',')).map(|item| item.trim().trim_matches('"'))
    }

    fn value(&self, key: &str) -> Option<&'static str> {
        let values = self.text.lines().map(|line| line.strip_prefix("    ")?.strip_prefix(key)?.strip_prefix(':'));
        values.flatten().next().map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::env::MapEnv;
    use crate::raw::Named;
    use crate::{catalog, document};

    /// A file of providers.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct RawCatalog {
        defaults: RawProvider,
        providers: Named<RawProvider>,
    }

    /// The files as a user's would be read, with the schema and all complaints.
    fn files() -> impl Iterator<Item = (&'static File, RawCatalog)> {
        FILES.iter().map(|file| {
            let read = document::read::<RawCatalog>(file.name, file.text, &MapEnv::new());
            let document = read.unwrap_or_else(|report| panic!("{report}"));
            assert!(document.problems.is_empty(), "{:?}", document.problems);
            (file, document.raw)
        })
    }

    #[test]
    fn what_is_read_from_lines_is_what_the_parser_finds() {
        let mut slots = slots().iter();
        for (file, raw) in files() {
            for (name, entry) in raw.providers.0 {
                let slot = slots.next().unwrap_or_else(|| panic!("`{name}` is not found by lines"));
                assert_eq!((slot.name, FILES[slot.file].name), (name.as_str(), file.name));
                let whole = entry.clone().over(&raw.defaults);
                assert_eq!(format!("{:?}", slot.parse()), format!("{whole:?}"), "{name}");
                assert_eq!(Some(slot.kind()), whole.kind, "{name}: `kind` is the file's");
                assert_eq!(*slot.env, entry.env.clone().unwrap_or_default(), "{name}: `env` stands on one line");
                assert_eq!(*slot.aliases, entry.aliases.clone().unwrap_or_default(), "{name}: so do `aliases`");
                assert_eq!(catalog::slot_key_header(slot), catalog::key_header(&name, &whole), "{name}");
                let is_open = entry.models.is_some() || entry.params.is_some() || entry.base_url_env.is_some();
                assert_eq!(slot.is_open, is_open, "{name}");
                let paths = whole.paths.unwrap_or_default();
                let unverified = whole.facts.and_then(|facts| facts.unverified).unwrap_or_default();
                assert!(unverified.iter().all(|path| paths.get(path).is_some()), "{name}: {unverified:?}");
            }
            assert!(raw.defaults.env.is_none() && raw.defaults.params.is_none() && raw.defaults.models.is_none());
        }
        assert!(slots.next().is_none(), "lines find no more than the parser");
    }

    #[test]
    fn files_are_sorted() {
        for (file, raw) in files().filter(|(file, _)| file.name != "builtin") {
            let names: Vec<_> = raw.providers.0.iter().map(|(name, _)| name.as_str()).collect();
            assert!(names.is_sorted(), "{}: {names:?}", file.name);
        }
    }
}
