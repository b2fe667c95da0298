//! A provider, in a configuration and in the catalog alike: an entry may move from one to the other as it is.

use schemars::JsonSchema;
use serde::Deserialize;

use super::param::over_params;
use super::{Named, RawParam, RawPaths, RawSecret, RawTimeoutOverrides};
use crate::types::{Confidence, Kind};

/// A provider. What it does not say is taken from the catalog entry of its `type` or name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Provider")]
pub(crate) struct RawProvider {
    /// Catalog entry to start from, where the provider's own name is not one.
    #[serde(rename = "type")]
    pub(crate) entry: Option<String>,
    /// Further names in `provider/model`.
    pub(crate) aliases: Option<Vec<String>>,
    /// Name for people.
    pub(crate) title: Option<String>,
    /// What stands behind it.
    pub(crate) kind: Option<Kind>,
    /// Scheme, host and fixed path prefix; may end in `/v1`, which then counts once.
    pub(crate) base_url: Option<String>,
    /// Environment variables that may hold `base_url`, in order, where the file does not say it.
    pub(crate) base_url_env: Option<Vec<String>>,
    /// Base URLs of regions, by the name that `region` may have.
    pub(crate) regions: Option<Named<String>>,
    /// Region whose base URL is used, one of `regions`.
    pub(crate) region: Option<String>,
    /// Values for placeholders such as `{project}` in `base_url`, `paths` and `headers`.
    pub(crate) params: Option<Named<RawParam>>,
    /// Dialect of the `chat` path: `openai`, `anthropic`, `gemini`, `bedrock`, `cohere` or `ollama`. A provider without
    /// conversations has none.
    pub(crate) dialect: Option<String>,
    /// How a request shows its key: `none`, `{header: name, scheme: Bearer, prefix: text}` or `{query: name}`.
    pub(crate) auth: Option<RawAuth>,
    /// The provider's key. Default: the first variable of `env` that is set.
    pub(crate) api_key: Option<RawSecret>,
    /// Environment variables that may hold the key, in order.
    pub(crate) env: Option<Vec<String>>,
    /// Header in which a caller may send a key of its own. Default: `x-<title>-key`.
    pub(crate) key_header: Option<String>,
    /// Headers sent with every request.
    pub(crate) headers: Option<Named<String>>,
    /// Paths of the endpoints.
    pub(crate) paths: Option<RawPaths>,
    /// Models of the provider, for requests that name a model without its provider.
    pub(crate) models: Option<RawModelNames>,
    /// Named deviations from the dialect.
    pub(crate) quirks: Option<Vec<String>>,
    /// Accepts `stream_options.include_usage`. Default: `true`.
    pub(crate) usage_in_stream: Option<bool>,
    /// Works without a key. Default: `false`, but for `auth: none`.
    pub(crate) keyless: Option<bool>,
    /// Whether the provider may be used. Default: `true`.
    pub(crate) enabled: Option<bool>,
    /// Timeouts of this provider.
    pub(crate) timeouts: Option<RawTimeoutOverrides>,
    /// Takes a key that a caller sends in `key_header`. Default: `true`.
    pub(crate) request_keys: Option<bool>,
    /// How the entry is known, for people.
    pub(crate) facts: Option<RawFacts>,
}

/// How a request shows its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Auth", extend("x-expected" = "`none`, `{header: name, scheme: Bearer}` or `{query: name}`"))]
pub(crate) enum RawAuth {
    None(RawNone),
    Parts(RawAuthParts),
}

/// The word `none`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "None")]
pub(crate) enum RawNone {
    None,
}

/// The place of the key in a request: a header or a query parameter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuthParts")]
pub(crate) struct RawAuthParts {
    /// Header that carries the key.
    pub(crate) header: Option<String>,
    /// Word before the key, with a space between: `Bearer`.
    pub(crate) scheme: Option<String>,
    /// Text right before the key, with nothing between.
    pub(crate) prefix: Option<String>,
    /// Query parameter that carries the key.
    pub(crate) query: Option<String>,
}

/// How an entry is known: what `lockgate providers` and the table of providers show, and nothing else goes by.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Facts")]
pub(crate) struct RawFacts {
    /// How sure the address and the main path are.
    pub(crate) confidence: Option<Confidence>,
    /// Where they were read: repositories as `owner/name`, or pages.
    pub(crate) sources: Option<Vec<String>>,
    /// Keys of `paths` that were seen in no source: known of services of this kind, to be tried before they are relied on.
    pub(crate) unverified: Option<Vec<String>>,
}

/// Models of a provider: a list of ids, or prefixes and ids.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ModelNames")]
pub(crate) enum RawModelNames {
    Known(Vec<String>),
    Parts(RawModelParts),
}

/// Model ids of a provider and what they begin with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ModelParts")]
pub(crate) struct RawModelParts {
    /// What ids of this provider begin with.
    pub(crate) prefixes: Option<Vec<String>>,
    /// Ids of this provider.
    pub(crate) known: Option<Vec<String>>,
}

// === impl RawProvider ===

impl RawProvider {
    /// Fills what this entry leaves open from another one.
    #[must_use]
    pub(crate) fn over(self, base: &Self) -> Self {
        let base = base.clone();
        Self {
            entry: self.entry.or(base.entry),
            aliases: self.aliases.or(base.aliases),
            title: self.title.or(base.title),
            kind: self.kind.or(base.kind),
            base_url: self.base_url.or(base.base_url),
            base_url_env: self.base_url_env.or(base.base_url_env),
            regions: self.regions.or(base.regions),
            region: self.region.or(base.region),
            params: over_params(self.params, base.params),
            dialect: self.dialect.or(base.dialect),
            auth: self.auth.or(base.auth),
            api_key: self.api_key.or(base.api_key),
            env: self.env.or(base.env),
            key_header: self.key_header.or(base.key_header),
            headers: over_headers(self.headers, base.headers),
            paths: over_paths(self.paths, base.paths),
            models: self.models.or(base.models),
            quirks: self.quirks.or(base.quirks),
            usage_in_stream: self.usage_in_stream.or(base.usage_in_stream),
            keyless: self.keyless.or(base.keyless),
            enabled: self.enabled.or(base.enabled),
            timeouts: self.timeouts.or(base.timeouts),
            request_keys: self.request_keys.or(base.request_keys),
            facts: self.facts.or(base.facts),
        }
    }
}

/// Joins headers by name, whatever their case.
fn over_headers(own: Option<Named<String>>, base: Option<Named<String>>) -> Option<Named<String>> {
    let (Some(mut own), Some(base)) = (own.clone(), base.clone()) else { return own.or(base) };
    for (name, value) in base.0 {
        if !own.0.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            own.0.push((name, value));
        }
    }
    Some(own)
}

fn over_paths(own: Option<RawPaths>, base: Option<RawPaths>) -> Option<RawPaths> {
    match (own, base) {
        (Some(own), Some(base)) => Some(own.over(base)),
        (own, base) => own.or(base),
    }
}
