//! From what was written to what the gateway uses: one file per section, each reporting all its mistakes.

mod context;
mod keys;
mod listeners;
mod media;
mod models;
mod params;
mod provider;
mod providers;
mod routes;
mod secrets;
mod settings;

use self::context::{At, Context};
pub(crate) use self::providers::catalog_provider;
use crate::document::Document;
use crate::env::Env;
use crate::raw::RawConfig;
use crate::report::Report;
use crate::types::Config;

/// Checks a document and joins it with the catalog, the built-in routes and the environment.
pub(crate) fn check(document: &Document<RawConfig>, env: &dyn Env) -> Result<Config, Report> {
    let raw = &document.raw;
    let cx = Context::new(&document.source, env);
    let root = At::root(&cx);
    let limits = settings::limits(&root.key("limits"), raw.limits.as_ref());
    let providers = providers::check(&root, raw);
    let passthrough = settings::passthrough(&root.key("passthrough"), raw.passthrough.as_ref(), &providers);
    let models = models::check(&root.key("models"), raw.models.as_ref(), &providers);
    let names = routes::Names { models: &models, providers: &providers };
    let mut routes = routes::check(&root.key("routes"), raw.routes.as_deref(), &names, limits);
    routes.extend(routes::builtin(limits, passthrough.enabled));
    let failover = raw.layers.as_ref().and_then(|layers| layers.failover.as_ref());
    let mut config = Config {
        listeners: listeners::check(&root, raw),
        timeouts: settings::timeouts(&root.key("timeouts"), raw.timeouts.as_ref()),
        failover: settings::top_failover(&root.key("layers").key("failover"), failover),
        keys: keys::check(&root.key("keys"), raw.keys.as_deref()),
        routes,
        limits,
        passthrough,
        media: media::check(&root.key("media"), raw.media.as_ref()),
        provider_keys: raw.provider_keys.unwrap_or_default(),
        log: settings::log(&root.key("log"), raw.log.as_ref()),
        threads: raw.server.as_ref().and_then(|server| server.threads).unwrap_or(0) as usize,
        open: raw.open.unwrap_or(false),
        models,
        providers: providers.on,
        dormant: providers.dormant,
        warnings: Vec::new(),
    };
    listeners::refuse_exposed(&root, raw, &config);
    listeners::warn_of_loops(&root, &config.listeners, &config.providers);
    config.warnings = cx.finish()?;
    Ok(config)
}
