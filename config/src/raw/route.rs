//! A path that clients call.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawLayers, RawLimitOverrides, RawRouteTimeouts};
use crate::types::ModelOverride;

/// A path, what is asked there, and how it is asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
pub(crate) struct RawRoute {
    /// Path with captures in braces: `/v1/models/{model}:generateContent`.
    pub(crate) path: String,
    /// What is asked: `llm/v1/chat`, `llm/v1/responses`, `llm/v1/completions`, `llm/v1/count_tokens`,
    /// `llm/v1/models` or `passthrough`.
    pub(crate) route_type: String,
    /// How it is asked. Default: `openai` for chat, else told from the request. Where several dialects share a path,
    /// a list of them: the first that knows the request's body as its own takes it.
    pub(crate) dialect: Option<RawDialects>,
    /// Model of this route: a name of `models`, or `provider/model`.
    pub(crate) model: Option<String>,
    /// What happens when a request names another model than the route. Default: `deny`.
    pub(crate) model_override: Option<ModelOverride>,
    /// Refuses requests that the provider's dialect cannot carry without loss. Default: `false`.
    pub(crate) strict: Option<bool>,
    /// HTTP methods. Default: `POST` for chat, `GET` for models, any for passthrough.
    pub(crate) methods: Option<Vec<String>>,
    /// Allows the change to another protocol, such as WebSocket. Default: `false`.
    pub(crate) upgrade: Option<bool>,
    /// Limits of this route.
    pub(crate) limits: Option<RawLimitOverrides>,
    /// Timeouts of this route.
    pub(crate) timeouts: Option<RawRouteTimeouts>,
    /// Parameters of layers for this route.
    pub(crate) layers: Option<RawLayers>,
}

/// One dialect, or several that share a path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Dialects", extend("x-expected" = "the name of a dialect, or a list of names"))]
pub(crate) enum RawDialects {
    One(String),
    Shared(Vec<String>),
}
