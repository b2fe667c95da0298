//! The folders are the architecture: no arrow points up, and each crate knows only what it may.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// What `cargo metadata` says of the whole workspace.
fn metadata() -> Value {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--offline"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().expect("cargo must run");
    serde_json::from_slice(&output.stdout).expect("cargo must print JSON")
}

/// The packages that each package is built with, by name; dev-dependencies are not counted.
fn arrows(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().expect("there are packages");
    let names: BTreeMap<&str, &str> =
        packages.iter().filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?))).collect();
    let nodes = metadata["resolve"]["nodes"].as_array().expect("the packages are resolved");
    let mut arrows = BTreeMap::new();
    for node in nodes {
        let own = names[node["id"].as_str().expect("a node has an id")];
        let built_with = node["deps"].as_array().into_iter().flatten().filter(|dep| {
            let kinds = dep["dep_kinds"].as_array().into_iter().flatten();
            kinds.into_iter().any(|kind| kind["kind"].is_null())
        });
        let targets = built_with.filter_map(|dep| names.get(dep["pkg"].as_str()?).map(|name| (*name).to_owned()));
        arrows.entry(own.to_owned()).or_insert_with(BTreeSet::new).extend(targets);
    }
    arrows
}

/// Everything that a package is built with, at any depth.
fn tree<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, root: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(name) = open.pop() {
        for next in arrows.get(name).into_iter().flatten() {
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    seen
}

#[test]
fn no_arrow_points_up() {
    let arrows = arrows(&metadata());
    let direct = |name: &str| {
        let all = arrows.get(name).unwrap_or_else(|| panic!("`{name}` must be a package"));
        all.iter().filter(|name| name.starts_with("lockgate")).map(String::as_str).collect::<BTreeSet<_>>()
    };
    assert!(direct("lockgate-filters").is_empty(), "filters stand at the bottom");
    assert!(direct("lockgate-config").is_empty(), "config knows dialects by name only");
    assert!(direct("lockgate-layers").is_subset(&BTreeSet::from(["lockgate-filters"])), "layers know filters alone");
}

#[test]
fn filters_have_no_runtime_in_their_tree() {
    let arrows = arrows(&metadata());
    let tree = tree(&arrows, "lockgate-filters");
    for name in ["tokio", "tower", "hyper", "futures-util", "async-std", "smol", "mio", "pingora-core"] {
        assert!(!tree.contains(name), "filters are sans-IO: `{name}` must not be in their tree");
    }
}

#[test]
fn only_the_gateway_is_built_with_pingora() {
    let arrows = arrows(&metadata());
    for name in ["lockgate-filters", "lockgate-layers", "lockgate-config"] {
        let tree = tree(&arrows, name);
        assert!(!tree.iter().any(|name| name.starts_with("pingora")), "`{name}` must do without Pingora");
    }
}

#[test]
fn only_the_edge_names_pingora() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let edge = root.join("src/edge");
    for file in sources(&root.join("src")).into_iter().filter(|file| !file.starts_with(&edge)) {
        let text = fs::read_to_string(&file).expect("a source must be readable");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let named = line.contains("pingora_") || line.contains("pingora::");
            assert!(!named, "{} must leave Pingora to `src/edge`: {line}", file.display());
        }
    }
}

#[test]
fn no_file_names_two_dialects() {
    let dialects = Path::new(env!("CARGO_MANIFEST_DIR")).join("filters/src/dialects");
    let folders = fs::read_dir(&dialects).expect("the dialects must be readable");
    let folders: Vec<PathBuf> =
        folders.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir()).collect();
    let name =
        |path: &Path| path.file_name().and_then(|name| name.to_str()).expect("a folder has a plain name").to_owned();
    for own in &folders {
        for other in folders.iter().filter(|other| *other != own) {
            let path = format!("dialects::{}", name(other));
            for file in sources(own) {
                let text = fs::read_to_string(&file).expect("a source must be readable");
                assert!(!text.contains(&path), "{} must not know `{path}`", file.display());
            }
        }
    }
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
