//! Generates `docs/dialects.md`: what each pair of dialects carries, found by asking the encoders themselves.
//!
//! Every row is a request with one feature; the cell is what encoding it for a dialect reports. The page cannot say
//! anything else than the code does. `UPDATE=1 cargo test -p lockgate-filters --test matrix` writes it anew.

mod probes;

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use lockgate_filters::{
    dialects::{DIALECTS, Dialect, Target, Upstream, encode_request, upstreams},
    model::{LossLevel, Losses, Media, MediaSource, Part, PartContent, ReasoningMode, Request},
    seal::Sealer,
};
use probes::{Probe, base, probes};

/// What becomes of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Carried,
    /// Carried, after the gateway has fetched what the upstream would not.
    Fetched,
    Approximated,
    LeftOut,
    Refused,
}

impl Outcome {
    fn mark(self) -> &'static str {
        match self {
            Self::Carried => "yes",
            Self::Fetched => "fetched",
            Self::Approximated => "approx",
            Self::LeftOut => "drop",
            Self::Refused => "400",
        }
    }

    fn is_carried(self) -> bool {
        matches!(self, Self::Carried | Self::Fetched)
    }
}

/// A model whose generation has all that the dialect can do. Where models that think draw no tokens as they are told,
/// there are two.
fn model_of(dialect: &str, thinks: bool) -> &'static str {
    match dialect {
        "cohere" if thinks => "command-a-reasoning-08-2025",
        "openai_chat" | "openai_responses" if thinks => "gpt-5.1",
        "anthropic" => "claude-sonnet-4-5",
        "bedrock_converse" => "anthropic.claude-sonnet-4-5-v1:0",
        "gemini" => "gemini-2.5-flash",
        "cohere" => "command-a-03-2025",
        "ollama" | "ollama_generate" => "qwen3",
        "openai_completions" => "gpt-3.5-turbo-instruct",
        _ => "gpt-4.1",
    }
}

fn encode(request: &Request, to: &dyn Upstream) -> Option<Losses> {
    let sealer = Sealer::new(b"matrix");
    let thinks = request.reasoning.mode != ReasoningMode::Unset;
    let model = model_of(to.name(), thinks);
    let target = Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer };
    encode_request(to, request, &target).ok().map(|encoded| encoded.losses)
}

fn outcome(probe: &Probe, to: &dyn Upstream) -> Outcome {
    let mut request = base();
    (probe.add)(&mut request);
    let mut fetched = false;
    for media in request.turns.iter_mut().flat_map(|turn| &mut turn.parts).filter_map(media_of) {
        if matches!(media.source, MediaSource::Url(_)) && !to.takes_url(media) {
            media.source = probes::png();
            fetched = true;
        }
    }
    let Some(losses) = encode(&request, to) else { return Outcome::Refused };
    let known = encode(&base(), to).unwrap_or_default();
    let new = losses.iter().filter(|loss| !known.iter().any(|other| other == *loss));
    match new.map(|loss| loss.level).max() {
        None if fetched => Outcome::Fetched,
        None => Outcome::Carried,
        Some(LossLevel::Approx) => Outcome::Approximated,
        Some(LossLevel::Drop) => Outcome::LeftOut,
    }
}

fn media_of(part: &mut Part) -> Option<&mut Media> {
    match &mut part.content {
        PartContent::Media(media) => Some(media),
        _ => None,
    }
}

/// Whether clients of a dialect can ask for a feature at all: what its own servers are sent unchanged, they can.
fn can_ask(client: &dyn Dialect, probe: &Probe, columns: &[Column]) -> bool {
    match columns.iter().find(|column| column.name == client.name()) {
        Some(own) => own
            .outcomes
            .get(probe.name)
            .is_some_and(|outcome| *outcome != Outcome::Refused && *outcome != Outcome::LeftOut),
        None => {
            probes::CLIENTS_ONLY.iter().any(|(name, features)| *name == client.name() && features.contains(&probe.name))
        }
    }
}

/// What one upstream dialect makes of every feature.
struct Column {
    name: &'static str,
    outcomes: BTreeMap<&'static str, Outcome>,
}

fn columns(probes: &[Probe]) -> Vec<Column> {
    let column = |to: &'static dyn Upstream| Column {
        name: to.name(),
        outcomes: probes.iter().map(|probe| (probe.name, outcome(probe, to))).collect(),
    };
    upstreams().map(column).collect()
}

fn page() -> String {
    let probes = probes();
    let columns = columns(&probes);
    let mut page = String::from(INTRODUCTION);
    features(&mut page, &probes, &columns);
    pairs(&mut page, &probes, &columns);
    page
}

fn features(page: &mut String, probes: &[Probe], columns: &[Column]) {
    page.push_str("\n## What each upstream dialect carries\n\n| feature |");
    for column in columns {
        write!(page, " {} |", column.name).expect("a string takes it");
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(columns.len()));
    page.push('\n');
    for probe in probes {
        write!(page, "| {} |", probe.name).expect("a string takes it");
        for column in columns {
            write!(page, " {} |", column.outcomes[probe.name].mark()).expect("a string takes it");
        }
        page.push('\n');
    }
}

fn pairs(page: &mut String, probes: &[Probe], columns: &[Column]) {
    page.push_str(PAIRS);
    for client in DIALECTS {
        write!(
            page,
            "\n### {} clients\n\n| to | carried | approximated | left out | refused |\n|---|---|---|---|---|\n",
            client.name()
        )
        .expect("a string takes it");
        let asked: Vec<&Probe> = probes.iter().filter(|probe| can_ask(*client, probe, columns)).collect();
        for column in columns {
            if column.name == client.name() {
                writeln!(page, "| {} | all: bytes pass | | | |", column.name).expect("a string takes it");
                continue;
            }
            let named = |wanted: Outcome| {
                let found = asked.iter().filter(|probe| column.outcomes[probe.name] == wanted).map(|probe| probe.name);
                found.collect::<Vec<_>>().join(", ")
            };
            let carried = asked.iter().filter(|probe| column.outcomes[probe.name].is_carried()).count();
            writeln!(
                page,
                "| {} | {carried} of {} | {} | {} | {} |",
                column.name,
                asked.len(),
                named(Outcome::Approximated),
                named(Outcome::LeftOut),
                named(Outcome::Refused)
            )
            .expect("a string takes it");
        }
    }
}

const INTRODUCTION: &str = "\
# What translation carries

Generated by `UPDATE=1 cargo test -p lockgate-filters --test matrix` from what the encoders report; a test fails when it is out of date.

Where client and provider speak the same dialect, bytes pass and nothing is lost. Otherwise a request is decoded, and encoded for the
provider. What cannot be carried is reported, never dropped in silence:

- `yes`: it arrives with its meaning.
- `fetched`: the provider takes bytes only; the gateway fetches the URL for it.
- `approx`: the same intent by other means (`x-lockgate-loss: /response_format=approx`).
- `drop`: left out; the shape of the answer does not change (`x-lockgate-loss: /seed=drop`).
- `400`: the client would miss it, so the request is refused before anything is sent.

`x-lockgate-loss: full` on a request lifts the bound of 1 kB on the list; `strict: true` on a route, or `x-lockgate-strict: true` on a request,
turns every `approx` and `drop` into a 400 that names them.
";

const PAIRS: &str = "
## Pair by pair

Of what the client's dialect can ask for. The names are those of the table above.
";

#[test]
fn the_page_says_what_the_encoders_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dialects.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/dialects.md is out of date: UPDATE=1 cargo test -p lockgate-filters --test matrix");
}

#[test]
fn every_client_can_ask_for_something_of_every_upstream() {
    let probes = probes();
    let columns = columns(&probes);
    for client in DIALECTS {
        for column in &columns {
            let carried = probes
                .iter()
                .filter(|probe| can_ask(*client, probe, &columns) && column.outcomes[probe.name].is_carried())
                .count();
            assert!(carried >= 3, "{} to {}: only {carried} features are carried", client.name(), column.name);
        }
    }
}
