//! A model name of the operator's own: an alias, or a pool of targets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawLayers, RawTimeoutOverrides};
use crate::types::Balance;

/// A name for a model: `provider/model`, another name of this section, or a pool.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Model", extend("x-expected" = "`provider/model` or a mapping with `targets`"))]
pub(crate) enum RawModel {
    Alias(String),
    Pool(Box<RawPool>),
}

/// Several targets behind one name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pool")]
pub(crate) struct RawPool {
    /// How the first target of a request is chosen. Default: `failover`.
    pub(crate) balance: Option<Balance>,
    /// Where requests go.
    pub(crate) targets: Vec<RawTarget>,
    /// Timeouts of this model.
    pub(crate) timeouts: Option<RawTimeoutOverrides>,
    /// Parameters of layers for this model.
    pub(crate) layers: Option<RawLayers>,
}

/// A target: `provider/model`, or another name of `models`, whose targets then stand in its place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Target", extend("x-expected" = "`provider/model` or a mapping with `model`"))]
pub(crate) enum RawTarget {
    Short(String),
    Weighted(RawWeighted),
}

/// A target with its settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WeightedTarget")]
pub(crate) struct RawWeighted {
    /// `provider/model`, or another name of `models`.
    pub(crate) model: String,
    /// Share of the requests, relative to the other targets. Default: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) weight: Option<u32>,
    /// Timeouts of this target.
    pub(crate) timeouts: Option<RawTimeoutOverrides>,
}
