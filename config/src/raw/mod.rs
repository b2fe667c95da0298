//! What was written: one type per concept, as serde reads it.
//!
//! From these types comes the JSON Schema, their comments being its descriptions. Every key is optional here unless the
//! concept makes no sense without it; defaults and everything else that needs thought belong to `check`.

mod key;
mod model;
mod named;
mod param;
mod paths;
mod provider;
mod route;
mod scalar;
mod settings;

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::key::RawKey;
pub(crate) use self::model::{RawModel, RawTarget};
pub(crate) use self::named::Named;
pub(crate) use self::param::{RawParam, RawParamParts};
pub(crate) use self::paths::{CHAT, COUNT, PATHS, PathKind, RawPaths, Spoken};
pub(crate) use self::provider::{RawAuth, RawAuthParts, RawModelNames, RawProvider};
pub(crate) use self::route::{RawDialects, RawRoute};
pub(crate) use self::scalar::{RawDuration, RawSecret, RawSize};
pub(crate) use self::settings::{
    RawFailover, RawLayers, RawLimitOverrides, RawLimits, RawListener, RawLog, RawMedia, RawPassthrough,
    RawRouteTimeouts, RawServer, RawTimeoutOverrides, RawTimeouts, RawTrigger,
};
use crate::types::ProviderKeys;

/// Configuration of the Lockgate gateway. Every key is optional.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Lockgate", rename = "Config")]
pub(crate) struct RawConfig {
    /// Address to listen on, the short form of `listeners`. Default: `127.0.0.1:8080`.
    pub(crate) listen: Option<String>,
    /// Addresses to listen on.
    pub(crate) listeners: Option<Vec<RawListener>>,
    /// Providers by name: those of the catalog, or new ones.
    pub(crate) providers: Option<Named<RawProvider>>,
    /// Names that clients may use as a model, beside `provider/model`.
    pub(crate) models: Option<Named<RawModel>>,
    /// Routes that come before the built-in ones.
    pub(crate) routes: Option<Vec<RawRoute>>,
    /// Keys with which clients authenticate at the gateway.
    pub(crate) keys: Option<Vec<RawKey>>,
    /// How long things may take. The nearest setting wins: target, model, route, provider, top.
    pub(crate) timeouts: Option<RawTimeouts>,
    /// How large things may be.
    pub(crate) limits: Option<RawLimits>,
    /// Parameters of layers.
    pub(crate) layers: Option<RawLayers>,
    /// Forwarding of what the gateway does not understand, under `/p/{provider}/`.
    pub(crate) passthrough: Option<RawPassthrough>,
    /// Media that requests name by URL, where the provider takes only bytes.
    pub(crate) media: Option<RawMedia>,
    /// Whose provider keys are used: the configured ones, those callers send, or both. Default: `both`.
    pub(crate) provider_keys: Option<ProviderKeys>,
    /// What is logged.
    pub(crate) log: Option<RawLog>,
    /// The process.
    pub(crate) server: Option<RawServer>,
    /// Serves without gateway keys on addresses that other machines can reach. Default: `false`.
    pub(crate) open: Option<bool>,
}

/// A file of routes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRoutes {
    pub(crate) routes: Vec<RawRoute>,
}
