//! The folders are the architecture: no arrow points up, and each crate knows only what it may.
//!
//! Arrows between crates are read from `cargo metadata`; what must stay inside a folder is read from the sources. Where
//! a check here fails, the code is wrong or the design has changed: then `ARCHITECTURE.md` changes in the same commit.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The project's crates: none but these may be named `lockgate…`.
const CRATES: [&str; 5] = ["lockgate", "lockgate-bench", "lockgate-config", "lockgate-filters", "lockgate-layers"];

// === arrows ===

#[test]
fn no_arrow_points_up() {
    let packages = Packages::read();
    let found: BTreeSet<&str> = packages.built_with.keys().map(String::as_str).filter(|name| is_ours(name)).collect();
    assert_eq!(found, BTreeSet::from(CRATES), "a new crate needs its arrows written down here");
    for (name, allowed) in [
        ("lockgate-filters", &[][..]),
        // Knows dialects by name only.
        ("lockgate-config", &[]),
        ("lockgate-layers", &["lockgate-filters"]),
        ("lockgate", &["lockgate-config", "lockgate-filters", "lockgate-layers"]),
        // Measures the binary from outside.
        ("lockgate-bench", &[]),
    ] {
        let ours: BTreeSet<&str> = packages.direct(name).filter(|name| is_ours(name)).collect();
        let allowed = allowed.iter().copied().collect::<BTreeSet<_>>();
        assert!(ours.is_subset(&allowed), "`{name}` may know {allowed:?} of ours, but is built with {ours:?}");
    }
}

#[test]
fn filters_are_sans_io() {
    let packages = Packages::read();
    packages.refuse("lockgate-filters", &["tokio", "tower", "hyper", "pingora", "mio", "socket2", "h2"]);
    packages.refuse("lockgate-filters", &["futures", "async-std", "smol", "reqwest", "axum"]);
}

#[test]
fn layers_know_no_server_and_no_client() {
    let packages = Packages::read();
    packages.refuse("lockgate-layers", &["pingora", "hyper", "axum", "h2", "rustls", "tokio-rustls"]);
    // The tree is that of the whole workspace, where others switch more of tokio on: so this looks at what is asked for.
    for feature in packages.features_asked("lockgate-layers", "tokio") {
        assert!(["time", "sync"].contains(&feature.as_str()), "layers use tokio's clock and locks, not `{feature}`");
    }
}

#[test]
fn configuration_knows_no_network() {
    Packages::read().refuse("lockgate-config", &["tokio", "tower", "hyper", "http", "pingora", "rustls", "socket2"]);
}

#[test]
fn only_the_gateway_and_its_yardstick_are_built_with_pingora() {
    let packages = Packages::read();
    for name in CRATES.iter().filter(|name| !["lockgate", "lockgate-bench"].contains(*name)) {
        packages.refuse(name, &["pingora"]);
    }
}

// === what stays inside a folder ===

#[test]
fn only_the_edge_names_pingora() {
    for (file, line) in code_under("src", &["src/edge"]) {
        let named = ["pingora_", "pingora::"].iter().any(|word| line.contains(word));
        assert!(!named, "{file} must leave Pingora to `src/edge`: {line}");
    }
}

#[test]
fn only_the_gateway_reads_configuration() {
    for folder in ["layers/src", "filters/src"] {
        for (file, line) in code_under(folder, &[]) {
            assert!(!line.contains("lockgate_config"), "{file} takes plain values, not configuration: {line}");
        }
    }
}

/// Outside `translate`, a layer may hold a dialect (`&'static dyn Dialect`) on its way there, and nothing else of them.
#[test]
fn only_translate_knows_dialects() {
    for (file, line) in code_under("layers/src", &["layers/src/translate"]) {
        let types_aside =
            line.replace("dialects::Dialect,", "").replace("dialects::Dialect;", "").replace("dialects::Upstream,", "");
        let named =
            ["dialects::", "DIALECTS", "lockgate_filters::dialects"].iter().any(|word| types_aside.contains(word));
        assert!(!named, "{file} must leave dialects to `translate`: {line}");
    }
}

#[test]
fn nobody_outside_the_table_names_a_dialect() {
    let dialects = dialects();
    for folder in ["src", "layers/src", "filters/src"] {
        for (file, line) in code_under(folder, &["filters/src/dialects"]) {
            for dialect in &dialects {
                let path = format!("{dialect}::");
                assert!(
                    !line.contains(&path),
                    "{file} must reach dialects by the table alone, not by `{path}`: {line}"
                );
            }
        }
    }
}

#[test]
fn no_file_names_two_dialects() {
    let dialects = dialects();
    for own in &dialects {
        for (file, line) in code_under(&format!("filters/src/dialects/{own}"), &[]) {
            for other in dialects.iter().filter(|other| *other != own) {
                let named = line.contains(&format!("dialects::{other}")) || line.contains(&format!("{other}::"));
                assert!(!named, "{file} must not know `{other}`: {line}");
            }
        }
    }
}

#[test]
fn a_dialect_is_one_folder_and_one_line() {
    let root = root().join("filters/src/dialects");
    let table = fs::read_to_string(root.join("mod.rs")).expect("the table must be readable");
    for dialect in dialects() {
        assert!(table.contains(&format!("pub mod {dialect};")), "`{dialect}` must be declared beside the table");
        assert!(table.contains(&format!("&{dialect}::")), "`{dialect}` must have its line in the table");
        for part in ["request", "response", "stream"] {
            let file = root.join(&dialect).join(part);
            let there = file.with_extension("rs").exists() || file.join("mod.rs").exists();
            assert!(there, "`{dialect}` must have a module `{part}`, as every dialect does");
        }
    }
}

#[test]
fn every_dialect_of_the_configuration_can_chat() {
    for name in lockgate_config::DIALECTS {
        let found = lockgate_filters::dialects::find(name, "llm/v1/chat")
            .and_then(lockgate_filters::dialects::Dialect::upstream);
        assert!(found.is_some(), "configuration accepts `{name}` for providers, so the table must have it");
    }
    for name in lockgate_config::CLIENT_DIALECTS {
        let found = lockgate_filters::dialects::find(name, "llm/v1/chat").expect("configuration accepts it");
        assert!(found.upstream().is_none(), "`{name}` is for clients alone");
    }
}

#[test]
fn every_quirk_is_in_the_table_of_its_dialect() {
    for dialect in lockgate_filters::dialects::upstreams() {
        let folder = format!("filters/src/dialects/{}", dialect.name());
        if !root().join(&folder).is_dir() {
            // A second endpoint of a dialect's stands in its folder.
            continue;
        }
        let asked = code_under(&folder, &[]).into_iter().flat_map(|(file, line)| asked_quirks(&file, &line));
        let asked: BTreeSet<String> = asked.collect();
        let table: BTreeSet<String> = dialect.quirks().iter().map(|quirk| quirk.name.to_owned()).collect();
        assert_eq!(asked, table, "`{}` must list the quirks that it asks for, and no others", dialect.name());
        assert_eq!(table.len(), dialect.quirks().len(), "`{}` lists a quirk twice", dialect.name());
    }
    for folder in ["src", "layers/src"] {
        for (file, line) in code_under(folder, &[]) {
            assert!(!line.contains("has_quirk("), "{file} must leave quirks to dialects: {line}");
        }
    }
}

/// The names that a line asks for.
fn asked_quirks(file: &str, line: &str) -> Vec<String> {
    let asked = line.split("has_quirk(").skip(1);
    let names = asked.map(|rest| {
        let literal = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
        literal.unwrap_or_else(|| panic!("{file} must ask for a quirk by its name: {line}")).to_owned()
    });
    names.collect()
}

#[test]
fn every_quirk_is_explained_to_users() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).expect("the page must be readable");
    for dialect in lockgate_filters::dialects::upstreams() {
        for quirk in dialect.quirks() {
            let row = format!("| `{}` | {} | {} |\n", quirk.name, dialect.config_name().0, quirk.what);
            assert!(page.contains(&row), "docs/configuration.md must have the row {row}");
        }
    }
}

/// Fuzz targets take in their sources, without the rest of the edge.
#[test]
fn checks_of_the_wire_know_bytes_only() {
    for pure in ["src/edge/head", "src/edge/chunks"] {
        let lines = code_under("src/edge", &[]).into_iter().filter(|(file, _)| file.starts_with(pure));
        for (file, line) in lines.filter(|(file, _)| !file.ends_with("/tests.rs")) {
            let named = ["crate::", "pingora", "tokio", "lockgate"].iter().find(|word| line.contains(*word));
            assert_eq!(named, None, "{file} knows bytes only: {line}");
        }
    }
}

// === reading ===

/// Who is built with whom, by name. Dev-dependencies are not counted: tests may use what they like.
struct Packages {
    built_with: BTreeMap<String, BTreeSet<String>>,
    metadata: Value,
}

impl Packages {
    fn read() -> Self {
        let cargo = option_env!("CARGO").unwrap_or("cargo");
        let mut command = Command::new(cargo);
        command.args(["metadata", "--format-version", "1", "--offline", "--all-features"]).current_dir(root());
        let output = command.output().expect("cargo must run");
        assert!(
            output.status.success(),
            "cargo must know the workspace: {}",
            String::from_utf8(output.stderr).expect("text")
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo must print JSON");
        let packages = metadata["packages"].as_array().expect("there are packages").iter();
        let names: BTreeMap<&str, &str> =
            packages.filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?))).collect();
        let mut built_with = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().expect("the packages are resolved") {
            let own = names[node["id"].as_str().expect("a node has an id")];
            let deps = node["deps"].as_array().into_iter().flatten().filter(|dep| is_normal(dep));
            let deps = deps.filter_map(|dep| names.get(dep["pkg"].as_str()?).map(|name| (*name).to_owned()));
            built_with.entry(own.to_owned()).or_insert_with(BTreeSet::new).extend(deps);
        }
        Self { built_with, metadata }
    }

    /// The features of a dependency that a package asks for, tests aside.
    fn features_asked(&self, package: &str, dependency: &str) -> Vec<String> {
        let packages = self.metadata["packages"].as_array().into_iter().flatten();
        let own = packages.filter(|own| own["name"] == package).filter_map(|own| own["dependencies"].as_array());
        let asked = own.flatten().filter(|asked| asked["name"] == dependency && asked["kind"].is_null());
        let features = asked.filter_map(|asked| asked["features"].as_array()).flatten();
        features.filter_map(|feature| feature.as_str().map(str::to_owned)).collect()
    }

    fn direct(&self, name: &str) -> impl Iterator<Item = &str> {
        let all = self.built_with.get(name).unwrap_or_else(|| panic!("`{name}` must be a package"));
        all.iter().map(String::as_str)
    }

    /// Fails if one of `families` is in a package's tree.
    fn refuse(&self, package: &str, families: &[&str]) {
        let found: Vec<_> = self.tree(package).into_iter().filter(|name| is_of(name, families)).collect();
        assert!(found.is_empty(), "`{package}` must do without {families:?}, but {found:?} is in its tree");
    }

    /// Everything that a package is built with, at any depth.
    fn tree<'a>(&'a self, root: &'a str) -> BTreeSet<&'a str> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![root]);
        while let Some(name) = open.pop() {
            open.extend(self.direct(name).filter(|next| seen.insert(*next)));
        }
        seen
    }
}

fn is_normal(dep: &Value) -> bool {
    dep["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
}

fn is_ours(name: &str) -> bool {
    name == "lockgate" || name.starts_with("lockgate-")
}

/// Whether a crate is one of these, or of their families (`tower-service` is of `tower`).
fn is_of(name: &str, families: &[&str]) -> bool {
    let mut pairs = families.iter().map(|family| name.strip_prefix(family));
    pairs.any(|rest| rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of the dialects, by name.
fn dialects() -> Vec<String> {
    let entries = fs::read_dir(root().join("filters/src/dialects")).expect("the dialects must be readable");
    let folders = entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir());
    let names = folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.collect()
}

/// Each line of code under a folder with its file, without comments, and without the folders in `but`.
fn code_under(folder: &str, but: &[&str]) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for file in sources(&root().join(folder)) {
        let name = file.strip_prefix(root()).expect("sources are in the project").display().to_string();
        if but.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source must be readable");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.extend(code.map(|line| (name.clone(), line.trim().to_owned())));
    }
    assert!(!lines.is_empty(), "`{folder}` must hold code");
    lines
}

/// The Rust files under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources must be readable") {
        let path = entry.expect("a folder of sources must be readable").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|own| own == "rs") {
            files.push(path);
        }
    }
    files
}
