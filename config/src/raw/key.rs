//! A key with which a client authenticates at the gateway.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Named, RawSecret};

/// A gateway key: `key` or `hash`, and what it may be used for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Key")]
pub(crate) struct RawKey {
    /// Name of the key in logs.
    pub(crate) name: String,
    /// The key.
    pub(crate) key: Option<RawSecret>,
    /// The key's digest: `sha256:` and 64 hexadecimal digits.
    pub(crate) hash: Option<String>,
    /// Owner for the access line and metrics, as a path: `/org/team/person`.
    pub(crate) path: Option<String>,
    /// Labels for the access line, by name.
    pub(crate) labels: Option<Named<String>>,
    /// Models it may use, `*` standing for any text: `openai/*`. Default: all.
    pub(crate) models: Option<Vec<String>>,
    /// Request paths it may call, `*` standing for any text: `/v1/*`. Default: all.
    pub(crate) routes: Option<Vec<String>>,
    /// When it ends: `2027-01-01T00:00:00Z`.
    pub(crate) expires: Option<String>,
}
