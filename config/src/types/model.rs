//! Model names of the operator's own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{FailoverOverrides, TimeoutOverrides};

/// A name with the targets behind it; an alias is a pool of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Name that clients use.
    pub name: String,
    /// How the first target of a request is chosen.
    pub balance: Balance,
    /// Where requests go, pools of pools already flattened; at least one.
    pub targets: Vec<Target>,
    /// Timeouts of this model, over those of the route.
    pub timeouts: TimeoutOverrides,
    /// Failover of this model, over that of the route.
    pub failover: FailoverOverrides,
}

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the provider, which may be one that is not switched on.
    pub provider: String,
    /// The provider's own id of the model; may hold slashes.
    pub model: String,
    /// Share of the requests, relative to the other targets; at least one.
    pub weight: u32,
    /// Timeouts of this target, over those of the model.
    pub timeouts: TimeoutOverrides,
}

/// How the first target of a request is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Balance {
    /// The first one that works, in the order of the list.
    #[default]
    Failover,
    /// In turn, by weight.
    RoundRobin,
}
