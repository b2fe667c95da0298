//! A path that clients call.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{FailoverOverrides, Limits, PathPattern, TimeoutOverrides};

/// A path, what is asked there, and how it is asked.
#[derive(Clone, Debug)]
pub struct Route {
    /// Paths it matches.
    pub path: PathPattern,
    /// Methods it matches, in uppercase; none for any.
    pub methods: Vec<String>,
    /// What is asked: one of [`ROUTE_TYPES`](crate::ROUTE_TYPES).
    pub route_type: String,
    /// How it is asked; several where they share the path, none where the request tells.
    pub dialects: Vec<String>,
    /// Model of the route: a name of `models`, or `provider/model`.
    pub model: Option<String>,
    /// What happens when a request names another model; matters only where `model` is set.
    pub model_override: ModelOverride,
    /// Refuses requests that cannot be carried without loss.
    pub strict: bool,
    /// Allows the change to another protocol.
    pub upgrade: bool,
    /// Limits, those at the top included.
    pub limits: Limits,
    /// Timeouts of this route, over those of the provider.
    pub timeouts: TimeoutOverrides,
    /// Failover of this route, over that at the top.
    pub failover: FailoverOverrides,
    /// Comes from the gateway's own routes, not from the operator.
    pub builtin: bool,
}

/// What happens when a request names another model than its route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelOverride {
    /// The request's model is used.
    Allow,
    /// The request is refused.
    #[default]
    Deny,
}
