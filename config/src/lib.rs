//! Configuration of the Lockgate gateway: a YAML file, or none, and the environment become one checked [`Config`], or a
//! [`Report`] of every mistake with its place and the nearest valid name.
//!
//! The way of a file, one module per step:
//! 1. `tree` reads YAML into nodes that know line and column.
//! 2. `expand` replaces `${NAME}`.
//! 3. `shape` compares the tree with the JSON Schema that `schemars` derives from the raw types.
//! 4. `raw` holds these types, what was written; serde fills them.
//! 5. `check` turns them into [`types`](Config), what the gateway uses.
//!
//! Mistakes are reported together: what has not the right form is left out, and the rest is looked at as well, unless a
//! whole section is in doubt.
//! The catalog of providers and the built-in routes are YAML in `data/`, and go the same way.
//! This crate knows dialects by name only; who uses a [`Config`] joins names and codecs.

mod catalog;
mod check;
mod document;
mod env;
mod expand;
mod nearest;
mod raw;
mod report;
mod schema;
mod secret;
mod shape;
mod tree;
mod types;
mod units;

use std::path::Path;

pub use self::catalog::{Capability, CatalogEntry, catalog, offers};
pub use self::env::{Env, MAX_FILE_BYTES, MapEnv, ProcessEnv};
pub use self::nearest::{expected_one_of, name_distance};
pub use self::report::{Problem, Report};
pub use self::secret::Secret;
pub use self::types::{
    Auth, Balance, BaseUrl, Confidence, Config, Dormant, Exempt, Face, Failover, FailoverOverrides, Glob, Key,
    KeyMaterial, Kind, Limits, Listener, Log, LogFormat, Media, Model, ModelNames, ModelOverride, Network, Operation,
    Passthrough, PathPattern, Provider, ProviderKeys, Route, Scheme, Segment, Target, TimeoutOverrides, Timeouts, Tls,
    Trigger, join_path,
};

/// Names of the dialects that `dialect` may have.
pub const DIALECTS: &[&str] = &["openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"];

/// Dialects that only clients speak: a route may have one, a provider may not.
pub const CLIENT_DIALECTS: &[&str] = &["ai-sdk-ui", "mcp-sampling"];

/// Names that `route_type` may have. Health and metrics are the gateway's own and no routes.
pub const ROUTE_TYPES: &[&str] =
    &["llm/v1/chat", "llm/v1/responses", "llm/v1/completions", "llm/v1/count_tokens", "llm/v1/models", "passthrough"];

/// The route types whose requests hold a conversation with a model.
pub const CONVERSATIONS: &[&str] = &["llm/v1/chat", "llm/v1/responses", "llm/v1/completions", "llm/v1/count_tokens"];

/// What a configuration without a file is called in reports.
const NO_FILE: &str = "defaults";

/// Loads a file, or the defaults, with the environment.
pub fn load(path: Option<&Path>, env: &dyn Env) -> Result<Config, Report> {
    let Some(path) = path else { return load_str(NO_FILE, "", env) };
    let file = path.display().to_string();
    match env.read(path) {
        Ok(text) => load_str(&file, &text, env),
        Err(error) => Err(Report::of_file(&file, format!("cannot read the file: {error}"))),
    }
}

/// Loads a text; `name` stands in reports, and files that the text names are found beside it.
pub fn load_str(name: &str, text: &str, env: &dyn Env) -> Result<Config, Report> {
    let mut document = document::read(name, text, env)?;
    let mut problems = std::mem::take(&mut document.problems);
    match check::check(&document, env) {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(Report::new(problems)),
        Err(report) => {
            problems.extend(report.problems);
            Err(Report::new(problems))
        }
    }
}

#[cfg(test)]
mod tests;
