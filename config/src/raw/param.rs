//! Named values for the placeholders of a provider's URLs and headers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Named;

/// A value for a placeholder, or where to find one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Param", extend("x-expected" = "a string, or `{value, env, default, base_urls}`"))]
pub(crate) enum RawParam {
    Value(String),
    Parts(RawParamParts),
}

/// Where a placeholder's value comes from: `value`, or else the first variable of `env` that is set, or else `default`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ParamParts")]
pub(crate) struct RawParamParts {
    /// The value.
    pub(crate) value: Option<String>,
    /// Environment variables that may hold it, in order.
    pub(crate) env: Option<Vec<String>>,
    /// The value where neither is there.
    pub(crate) default: Option<String>,
    /// Base URLs for single values, in place of a `base_url` that has the placeholder.
    pub(crate) base_urls: Option<Named<String>>,
}

// === impl RawParam ===

impl RawParam {
    /// Returns the long form.
    pub(crate) fn parts(&self) -> RawParamParts {
        match self {
            Self::Value(value) => RawParamParts { value: Some(value.clone()), ..RawParamParts::default() },
            Self::Parts(parts) => parts.clone(),
        }
    }
}

/// Joins params by name, and each with its namesake part by part.
pub(super) fn over_params(own: Option<Named<RawParam>>, base: Option<Named<RawParam>>) -> Option<Named<RawParam>> {
    let (Some(mut own), Some(base)) = (own.clone(), base.clone()) else { return own.or(base) };
    for (name, param) in base.0 {
        let Some((_, mine)) = own.0.iter_mut().find(|(other, _)| *other == name) else {
            own.0.push((name, param));
            continue;
        };
        let (parts, base) = (mine.parts(), param.parts());
        *mine = RawParam::Parts(RawParamParts {
            value: parts.value.or(base.value),
            env: parts.env.or(base.env),
            default: parts.default.or(base.default),
            base_urls: parts.base_urls.or(base.base_urls),
        });
    }
    Some(own)
}
