//! A provider as the gateway reaches it.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BaseUrl, TimeoutOverrides};
use crate::secret::Secret;

/// A provider that requests may go to. `Debug` shows neither the key nor the values of headers.
#[derive(Clone)]
pub struct Provider {
    /// Name in `provider/model`.
    pub name: String,
    /// Catalog entry it stems from, or its own name.
    pub entry: String,
    /// Further names in `provider/model`; a provider's own name comes before another's alias.
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: String,
    /// What stands behind it.
    pub kind: Kind,
    /// Where it is.
    pub base_url: BaseUrl,
    /// Dialects it speaks and where, the preferred one first. None where it has no conversations: it can be asked under
    /// `/p/` then, and for its operations.
    pub faces: Vec<Face>,
    /// What it does beside conversations in the form that everybody has taken over.
    pub operations: Vec<Operation>,
    /// Path of the list of models, where it has one.
    pub models_path: Option<String>,
    /// How a request shows its key.
    pub auth: Auth,
    /// The configured key.
    pub key: Option<Secret>,
    /// Why there is no key though one is needed.
    pub key_missing: Option<String>,
    /// Which placeholders of its URLs or headers have no value, and what would give them one: it cannot be used then.
    pub params_missing: Option<String>,
    /// Header in which a caller may send a key of its own, in lowercase.
    pub key_header: String,
    /// Headers sent with every request, names in lowercase.
    pub headers: Vec<(String, String)>,
    /// Models for requests that name none of the providers.
    pub models: ModelNames,
    /// Named deviations from the dialect.
    pub quirks: Vec<String>,
    /// Accepts `stream_options.include_usage`.
    pub usage_in_stream: bool,
    /// Timeouts of this provider, over those at the top.
    pub timeouts: TimeoutOverrides,
    /// Takes a key that a caller sends in `key_header`.
    pub request_keys: bool,
}

/// A dialect that a provider speaks, with its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// Name of the dialect.
    pub dialect: String,
    /// Route type of its endpoint; `llm/v1/chat` for chat in the dialect's usual form.
    pub route_type: String,
    /// The host of this endpoint alone, where it is not that of the provider's base URL.
    pub base: Option<BaseUrl>,
    /// Path of whole answers, to be joined to the base URL; may hold `{model}`.
    pub path: String,
    /// Path of streamed answers, with its query, where it differs.
    pub stream_path: Option<String>,
}

/// An endpoint beside conversations: embeddings, images, files. Its form is the one of the route type, whoever has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What it is called under `paths` (`embeddings`).
    pub name: &'static str,
    /// What is asked for (`llm/v1/embeddings`).
    pub route_type: &'static str,
    /// The host of this endpoint alone, where it is not that of the provider's base URL.
    pub base: Option<BaseUrl>,
    /// Its path, to be joined to the base URL; may hold `{model}`.
    pub path: String,
}

/// How sure a catalog entry's address and main path are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Seen in two independent places, or in the vendor's own documentation.
    High,
    /// Seen in one place, or two places differ.
    Medium,
    /// The service may be gone, or promises nothing.
    Low,
}

/// What stands behind a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A maker of models, or a host of them.
    Vendor,
    /// A gateway to several vendors.
    Gateway,
    /// A server on the operator's own machines; the catalog's are switched on by `<NAME>_BASE_URL`.
    Local,
    /// The gateway itself.
    Builtin,
}

/// How a request shows its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// Not at all.
    None,
    /// In a header, bare or after a word such as `Bearer` and a space.
    Header {
        /// Name of the header, in lowercase.
        name: String,
        /// Word before the key.
        scheme: Option<String>,
        /// Text right before the key, behind the word.
        prefix: Option<String>,
    },
    /// In a query parameter.
    Query {
        /// Name of the parameter.
        name: String,
    },
}

/// Models of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelNames {
    /// What ids of this provider begin with.
    pub prefixes: Vec<String>,
    /// Ids of this provider.
    pub known: Vec<String>,
}

/// Whose provider keys are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKeys {
    /// The configured ones.
    Configured,
    /// Those that callers send.
    Request,
    /// Those that callers send, or else the configured ones.
    #[default]
    Both,
}

// === impl Confidence ===

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}

// === impl Provider ===

impl Provider {
    /// Tells whether requests can be sent to it without a caller's help.
    pub fn is_ready(&self) -> bool {
        (self.key.is_some() || self.auth == Auth::None) && self.params_missing.is_none()
    }

    /// Lists what it can be asked for, chat in whichever dialect being one thing.
    pub fn offers(&self) -> Vec<&str> {
        let mut offers: Vec<&str> = Vec::new();
        for name in self.faces.iter().filter_map(|face| face.route_type.rsplit('/').next()) {
            if !offers.contains(&name) {
                offers.push(name);
            }
        }
        offers.extend(self.operations.iter().map(|operation| operation.name));
        offers
    }

    /// Returns the face of a dialect.
    pub fn face(&self, dialect: &str) -> Option<&Face> {
        self.faces.iter().find(|face| face.dialect == dialect)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("entry", &self.entry)
            .field("base_url", &self.base_url.to_string())
            .field("faces", &self.faces)
            .field("operations", &self.operations)
            .field("auth", &self.auth)
            .field("key", &self.key)
            .field("key_missing", &self.key_missing)
            .field("params_missing", &self.params_missing)
            .field("headers", &headers)
            .field("quirks", &self.quirks)
            .finish_non_exhaustive()
    }
}

// === impl ModelNames ===

impl ModelNames {
    /// Tells whether a bare model name belongs here.
    pub fn has(&self, model: &str) -> bool {
        self.known.iter().any(|known| known == model) || self.prefixes.iter().any(|prefix| model.starts_with(prefix))
    }
}

// === impl ProviderKeys ===

impl ProviderKeys {
    /// Tells whether keys that callers send are used.
    pub fn takes_callers(self) -> bool {
        self != Self::Configured
    }

    /// Tells whether configured keys are used.
    pub fn takes_configured(self) -> bool {
        self != Self::Request
    }
}
