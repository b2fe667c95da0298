//! Recorded provider traffic as an upstream: a client of the same dialect gets it to the byte, one of another dialect
//! its meaning.
//!
//! The recordings stand outside the project: `LOCKGATE_CORPUS`, else `../shared/fixtures`. Without them the tests say
//! loudly that they did nothing. Cases of our own in `fixtures/` are always replayed.

mod case;
mod crossed;
mod native;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use self::case::Case;
use crate::support::{Config, Face, Gateway, Script, Upstream};

/// Folders of recorded traffic and the dialect that is spoken there.
const FOLDERS: &[(&str, Face)] = &[
    ("anthropic", Face::Anthropic),
    ("gemini", Face::Gemini),
    ("openai-chat", Face::OpenAi),
    ("openai-compat", Face::OpenAi),
    ("groq", Face::OpenAi),
    ("mistral", Face::OpenAi),
    ("openai-responses", Face::Responses),
];

/// Where cases are replayed.
struct Stage {
    gateway: Gateway,
    upstream: Upstream,
    /// The case that the upstream answers with.
    turn: Arc<AtomicUsize>,
}

/// How an answer is cut into chunks.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    /// Each byte alone; runs of 11 in an answer that is long.
    Bytes,
    /// At borders that look random, the same in every run.
    Random,
}

/// The recordings of a folder, and our own cases.
fn cases(folder: &str, face: Face) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("LOCKGATE_CORPUS").map(PathBuf::from);
    let corpus = named.unwrap_or_else(|| root.join("../shared/fixtures"));
    let mut cases = case::load(&root.join("tests/fixtures").join(folder), face);
    if corpus.is_dir() {
        let recorded = case::load(&corpus.join(folder), face);
        assert!(recorded.len() >= 3, "the corpus must have cases of {folder}");
        cases.extend(recorded);
    } else {
        eprintln!("SKIPPED: no recordings at {}; set LOCKGATE_CORPUS to the folder that has them", corpus.display());
    }
    cases
}

/// An upstream that answers with the case whose turn it is, and a gateway that knows every recorded model's name.
async fn stage(cases: &[Case], face: Face, cut: Cut) -> Stage {
    let turn = Arc::new(AtomicUsize::new(0));
    let current = Arc::clone(&turn);
    let answers: Vec<(u16, String, Bytes)> =
        cases.iter().map(|case| (case.status, case.content_type.clone(), case.response.clone())).collect();
    let upstream = Upstream::start(move |_| {
        let (status, content_type, body) = answers.get(current.load(Ordering::Relaxed)).expect("the case must exist");
        script(*status, content_type, body, cut)
    })
    .await;
    let mut config = Config::to(&upstream).section("limits", "{body: 32MiB}").timeout("between_events", "10s");
    let mut names: Vec<&str> = cases.iter().map(|case| case.model.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        // An alias for each recorded name, so that not even the model's name has to change.
        config = config.model(&format!("\"{name}\""), &format!("\"{}/{name}\"", face.provider()));
    }
    Stage { gateway: Gateway::start(config).await, upstream, turn }
}

fn script(status: u16, content_type: &str, body: &Bytes, cut: Cut) -> Script {
    let chunked = Script::chunked(status, content_type);
    match cut {
        Cut::Whole => Script::whole(status, content_type, body),
        Cut::Bytes => body.chunks(if body.len() > 4096 { 11 } else { 1 }).fold(chunked, Script::chunk).end(),
        Cut::Random => {
            let (mut script, mut rest, mut state) = (chunked, body.clone(), body.len() as u64);
            while !rest.is_empty() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let size = usize::try_from(state >> 56).expect("eight bits fit") + 1;
                script = script.chunk(rest.split_to(size.min(rest.len())));
            }
            script.end()
        }
    }
}
