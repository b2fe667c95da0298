//! The configuration of a gateway under test, written as users write it.

use std::fmt::Write as _;

use super::{Face, Upstream};

/// Secrets of the tests: none of them may ever be seen in a log.
pub(crate) const UPSTREAM_KEY: &str = "sk-upstream-3f9a7c";

/// A configuration: sections by name, each in YAML.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    sections: Vec<(&'static str, String)>,
    providers: String,
    models: String,
    pub(crate) env: Vec<(String, String)>,
}

// === impl Config ===

impl Config {
    /// Short timeouts and small limits, JSON logs, and no provider but the built-in ones.
    pub(crate) fn new() -> Self {
        let base = Self { sections: Vec::new(), providers: String::new(), models: String::new(), env: Vec::new() };
        base.section("log", "{format: json, level: info}").section("limits", "{body: 1MiB, head: 16KiB}").section(
            "timeouts",
            "{connect: 1s, first_event: 2s, between_events: 2s, total: 30s, head: 2s, idle: 5s, body: 2s, \
                 commit: 10s, drain: 5s}",
        )
    }

    /// The same with `upstream` behind a provider for each dialect: `up-openai`, `up-anthropic` and so on.
    pub(crate) fn to(upstream: &Upstream) -> Self {
        Face::ALL.iter().fold(Self::new(), |config, face| config.provider(face.provider(), *face, &upstream.url()))
    }

    /// Adds a provider.
    pub(crate) fn provider(self, name: &str, face: Face, url: &str) -> Self {
        let (dialect, auth) = match face {
            Face::OpenAi => ("openai", ""),
            Face::Anthropic => ("anthropic", ", auth: {header: x-api-key}"),
            Face::Gemini => ("gemini", ", auth: {header: x-goog-api-key}"),
            Face::Responses => ("openai", ", paths: {responses: /v1/responses}"),
        };
        self.provider_text(name, &format!("{{dialect: {dialect}, base_url: \"{url}\", api_key: {UPSTREAM_KEY}{auth}}}"))
    }

    /// Adds a provider as YAML.
    pub(crate) fn provider_text(mut self, name: &str, yaml: &str) -> Self {
        writeln!(self.providers, "  {name}: {yaml}").expect("a string takes any text");
        self
    }

    /// Adds a name for models, as YAML.
    pub(crate) fn model(mut self, name: &str, yaml: &str) -> Self {
        writeln!(self.models, "  {name}: {yaml}").expect("a string takes any text");
        self
    }

    /// Sets a top-level section, as YAML on one line.
    pub(crate) fn section(mut self, name: &'static str, yaml: &str) -> Self {
        self.sections.retain(|(own, _)| *own != name);
        self.sections.push((name, yaml.to_owned()));
        self
    }

    /// Changes one timeout.
    pub(crate) fn timeout(self, name: &str, value: &str) -> Self {
        let (_, own) = self.sections.iter().find(|(own, _)| *own == "timeouts").expect("every test sets timeouts");
        let others = own.trim_matches(['{', '}']).split(", ").filter(|item| !item.starts_with(&format!("{name}:")));
        let joined = others.collect::<Vec<_>>().join(", ");
        self.section("timeouts", &format!("{{{joined}, {name}: {value}}}"))
    }

    /// Asks clients for this key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.section("keys", &format!("[{{name: test, key: {key}}}]"))
    }

    /// Sets a variable of the process.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The YAML, listening on `port` unless it has listeners of its own.
    pub(crate) fn yaml(&self, port: u16) -> String {
        let mut yaml = String::new();
        if !self.sections.iter().any(|(name, _)| *name == "listeners") {
            yaml = format!("listen: 127.0.0.1:{port}\n");
        }
        for (name, value) in &self.sections {
            writeln!(yaml, "{name}: {value}").expect("a string takes any text");
        }
        for (name, entries) in [("providers", &self.providers), ("models", &self.models)] {
            if !entries.is_empty() {
                write!(yaml, "{name}:\n{entries}").expect("a string takes any text");
            }
        }
        yaml.replace("{PORT}", &port.to_string())
    }
}
