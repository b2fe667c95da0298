//! What the gateway uses: checked, defaults applied, names resolved.

mod dormant;
mod key;
mod media;
mod model;
mod path;
mod provider;
mod route;
mod settings;
mod url;

use std::net::SocketAddr;

pub use self::dormant::Dormant;
pub use self::key::{Glob, Key, KeyMaterial};
pub use self::media::{Exempt, Media, Network};
pub use self::model::{Balance, Model, Target};
pub use self::path::{PathPattern, Segment};
pub use self::provider::{Auth, Confidence, Face, Kind, ModelNames, Operation, Provider, ProviderKeys};
pub use self::route::{ModelOverride, Route};
pub use self::settings::{
    Failover, FailoverOverrides, Limits, Listener, Log, LogFormat, Passthrough, TimeoutOverrides, Timeouts, Tls,
    Trigger,
};
pub use self::url::{BaseUrl, Scheme, join_path};
use crate::report::Problem;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the gateway listens; at least one address.
    pub listeners: Vec<Listener>,
    /// Providers that are switched on: as configured, then those their variables switch on, then `sim`.
    pub providers: Vec<Provider>,
    /// Catalog providers that nobody switched on. Only a key that a caller sends can wake one; none of them is here
    /// where callers' keys are not taken.
    pub dormant: Dormant,
    /// Model names of the operator's own.
    pub models: Vec<Model>,
    /// Routes in order of precedence: the operator's, then the built-in ones.
    pub routes: Vec<Route>,
    /// Gateway keys; none means that every client may come in.
    pub keys: Vec<Key>,
    /// Timeouts at the top; nearer ones are laid over them with [`Timeouts::with`].
    pub timeouts: Timeouts,
    /// Limits at the top; a route's are merged already.
    pub limits: Limits,
    /// Failover at the top; nearer ones are laid over it with [`Failover::with`].
    pub failover: Failover,
    /// What passes untranslated.
    pub passthrough: Passthrough,
    /// Media that requests name by URL.
    pub media: Media,
    /// Whose provider keys are used.
    pub provider_keys: ProviderKeys,
    /// What is logged.
    pub log: Log,
    /// Worker threads; 0 for one per core.
    pub threads: usize,
    /// Serves without gateway keys on addresses that other machines can reach.
    pub open: bool,
    /// What is not wrong but probably not meant.
    pub warnings: Vec<Problem>,
}

// === impl Config ===

impl Config {
    /// Returns the JSON Schema of the configuration file, for editors and documentation.
    pub fn json_schema() -> serde_json::Value {
        crate::schema::of::<crate::raw::RawConfig>()
    }

    /// Returns the provider of a name, where it is switched on.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// Returns the model of a name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// Returns an address that other machines can reach and nobody guards: no keys, and not `open`.
    ///
    /// The loader refuses such a file; whoever changes `listeners` afterwards asks again.
    pub fn exposed(&self) -> Option<SocketAddr> {
        if self.open || !self.keys.is_empty() {
            return None;
        }
        self.listeners.iter().map(|listener| listener.address).find(|address| !address.ip().is_loopback())
    }
}
