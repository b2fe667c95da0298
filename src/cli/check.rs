//! `lockgate check` and `lockgate models`: what a configuration means.

use std::{
    io::{self, Write},
    path::Path,
};

use lockgate_config::{Auth, Balance, CONVERSATIONS, Config, Kind, Media, Provider, Scheme};
use lockgate_filters::dialects::COUNT;

use super::{Failure, load, table::table};
use crate::{gateway, observe::Observer, upstream::Upstream};

/// Prints what the gateway understood, or the mistakes.
pub(super) fn run(path: Option<&Path>, schema: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if schema {
        let text = serde_json::to_string_pretty(&Config::json_schema()).map_err(io::Error::other)?;
        return Ok(writeln!(out, "{text}")?);
    }
    let config = load(path)?;
    shared(&config)?;
    explain(&config, &mut out)?;
    Ok(())
}

/// Prints the models that are known by name.
pub(super) fn models(path: Option<&Path>) -> Result<(), Failure> {
    let config = load(path)?;
    let shared = shared(&config)?;
    let mut out = io::stdout().lock();
    for model in shared.load().models.list() {
        writeln!(out, "{}", model.id)?;
    }
    // Whose models nobody has listed: any name of theirs may be asked for.
    for provider in &config.providers {
        if provider.is_ready() && provider.kind != Kind::Builtin && provider.models.known.is_empty() {
            writeln!(out, "{}/*", provider.name)?;
        }
    }
    // Not in the list, which programs read: why a provider that somebody asked for is not in it.
    let mut err = io::stderr().lock();
    for warning in &config.warnings {
        writeln!(err, "warning: {warning}")?;
    }
    Ok(())
}

fn shared(config: &Config) -> Result<std::sync::Arc<gateway::Shared>, Failure> {
    crate::serve::install_cryptography();
    let parts = gateway::Parts {
        upstream: Upstream::new(crate::upstream::Connector::default()),
        observer: std::sync::Arc::new(Observer::new(None)),
        memory: gateway::state_memory(),
        sealer: lockgate_filters::seal::Sealer::new(b"check"),
        // The simulator is not running; any address stands for it.
        sim: Some(([127, 0, 0, 1], 1).into()),
    };
    Ok(gateway::Shared::new(config, parts)?)
}

fn explain(config: &Config, out: &mut impl Write) -> io::Result<()> {
    for listener in &config.listeners {
        let scheme = if listener.tls.is_some() { "https" } else { "http" };
        let protocols = if listener.http2 { "HTTP/1.1 and HTTP/2" } else { "HTTP/1.1" };
        writeln!(out, "listens on {scheme}://{} ({protocols})", listener.address)?;
    }
    match config.keys.len() {
        0 => writeln!(out, "open: no gateway keys")?,
        1 => writeln!(out, "1 gateway key")?,
        count => writeln!(out, "{count} gateway keys")?,
    }
    writeln!(out, "{}", media(&config.media))?;
    let providers = config.providers.iter().map(|provider| {
        let (counters, faces): (Vec<_>, Vec<_>) = provider.faces.iter().partition(|face| face.route_type == COUNT);
        let mut speaks: Vec<&str> = Vec::new();
        for face in faces {
            if !speaks.contains(&face.dialect.as_str()) {
                speaks.push(&face.dialect);
            }
        }
        let tokens = if counters.is_empty() { "estimated" } else { "counted" };
        [provider.name.clone(), speaks.join(", "), tokens.to_owned(), base(provider), credential(provider)]
    });
    writeln!(out)?;
    table(out, ["provider", "speaks", "tokens", "at", "key"], providers)?;
    let models = config.models.iter().map(|model| {
        let targets: Vec<_> =
            model.targets.iter().map(|target| format!("{}/{}", target.provider, target.model)).collect();
        let balance = match model.balance {
            Balance::RoundRobin => "round-robin",
            _ => "failover",
        };
        [model.name.clone(), balance.to_owned(), targets.join(", "), missing(config, model)]
    });
    if !config.models.is_empty() {
        writeln!(out)?;
    }
    table(out, ["model", "balance", "targets", "missing"], models)?;
    let routes = config.routes.iter().map(|route| {
        let methods = if route.methods.is_empty() { "any".to_owned() } else { route.methods.join(" ") };
        let goes = route.model.clone().unwrap_or_else(|| match route.route_type.as_str() {
            known if CONVERSATIONS.contains(&known) => "the model that the request names".to_owned(),
            "passthrough" => "the provider in the path, untouched".to_owned(),
            _ => "the gateway".to_owned(),
        });
        let dialect =
            if route.dialects.is_empty() { String::new() } else { format!(" ({})", route.dialects.join(", ")) };
        [format!("{methods} {}", route.path), format!("{}{dialect}", route.route_type), goes, String::new()]
    });
    writeln!(out)?;
    table(out, ["route", "type", "goes to", ""], routes)?;
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn media(media: &Media) -> String {
    if !media.fetch {
        return "media by URL: not fetched".to_owned();
    }
    let Media { max_bytes, timeout, max_redirects, allow, .. } = media;
    let allow: Vec<_> = allow.iter().map(ToString::to_string).collect();
    let from = if allow.is_empty() { String::new() } else { format!(" and {}", allow.join(", ")) };
    format!(
        "media by URL: fetched from public addresses{from} where a provider takes only bytes; at most {max_bytes} bytes \
         a request, {timeout:?} and {max_redirects} redirects each"
    )
}

fn base(provider: &Provider) -> String {
    if let Some(why) = &provider.params_missing {
        return format!("missing: {why}");
    }
    match provider.base_url.scheme {
        Scheme::Sim => "inside the gateway".to_owned(),
        _ => provider.base_url.to_string(),
    }
}

fn credential(provider: &Provider) -> String {
    match (&provider.auth, &provider.key, &provider.key_missing) {
        (Auth::None, ..) => "none needed".to_owned(),
        (_, Some(_), _) => "set".to_owned(),
        (_, None, Some(why)) => format!("missing: {why}"),
        (_, None, None) => "missing".to_owned(),
    }
}

fn missing(config: &Config, model: &lockgate_config::Model) -> String {
    let mut missing: Vec<String> = Vec::new();
    for target in &model.targets {
        let name = &target.provider;
        match config.provider(name) {
            Some(provider) if provider.params_missing.is_some() => missing.push(format!("a param of {name}")),
            Some(provider) if provider.is_ready() => {}
            _ => missing.push(format!("no key for {name}")),
        }
    }
    missing.join(", ")
}
