//! Values with a notation of their own: durations, sizes, secrets.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A whole number with a unit: `ms`, `s`, `m` or `h`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(
    rename = "Duration",
    extend("pattern" = "^([0-9]+ ?(ms|s|m|h)|.*\\$\\{.*)$", "x-expected" = "a duration with a unit, such as `10s`")
)]
pub(crate) struct RawDuration(pub(crate) String);

/// A number of bytes, or a whole number with a unit: `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Size", extend("x-expected" = "a size, such as `32MiB`"))]
pub(crate) enum RawSize {
    Bytes(u64),
    Text(String),
}

/// A secret: the value itself, best as `${NAME}`, or where to find it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(
    rename = "Secret",
    extend("writeOnly" = true, "x-expected" = "a string such as `${NAME}`, `{env: NAME}` or `{file: path}`")
)]
pub(crate) enum RawSecret {
    Value(String),
    Source(RawSecretSource),
}

/// Where to find a secret; exactly one of the keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretSource")]
pub(crate) struct RawSecretSource {
    /// Environment variable that holds the secret.
    pub(crate) env: Option<String>,
    /// File that holds the secret; line ends around it do not count.
    pub(crate) file: Option<String>,
}

// === impl RawSecret ===

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("[redacted]"),
            Self::Source(source) => source.fmt(f),
        }
    }
}
