//! Providers of the configuration, as the stack needs them.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, uri::Authority};
use lockgate_config::{Auth, BaseUrl, Config, Kind, Provider, Scheme, TimeoutOverrides};
use lockgate_filters::{
    dialects::{self, Dialect, Upstream},
    model::Str,
};
use lockgate_layers::target::{self, Credential, Endpoint, Face, Hidden};

use super::BuildError;

/// A provider with what names its models.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) kind: Kind,
    pub(super) entry: String,
    pub(super) aliases: Vec<String>,
    pub(super) models: lockgate_config::ModelNames,
    /// It has a key, or needs none: requests can be sent without the caller's help.
    pub(super) ready: bool,
    /// Nobody switched it on.
    pub(super) dormant: bool,
}

/// What a configuration and a route say of all endpoints.
#[derive(Debug)]
pub(super) struct Common {
    timeouts: lockgate_config::Timeouts,
    route: TimeoutOverrides,
    /// Keys that callers send are used.
    callers: bool,
    sim: Option<SocketAddr>,
}

/// All providers of a configuration that are made, those that are switched on first.
pub(super) fn endpoints(config: &Config, common: &Common) -> Result<Vec<Known>, BuildError> {
    let awake = config.providers.iter().map(|provider| (provider, false));
    let dormant = config.dormant.made().iter().map(|provider| (provider, true));
    let mut known = Vec::new();
    for (provider, dormant) in awake.chain(dormant) {
        if provider.base_url.scheme == Scheme::Sim && common.sim.is_none() {
            continue;
        }
        known.push(Known {
            endpoint: Arc::new(common.endpoint(provider)?),
            kind: provider.kind,
            entry: provider.entry.clone(),
            aliases: provider.aliases.clone(),
            models: provider.models.clone(),
            ready: provider.is_ready(),
            dormant,
        });
    }
    Ok(known)
}

impl Common {
    pub(super) fn new(config: &Config, route: &TimeoutOverrides, sim: Option<SocketAddr>) -> Self {
        let callers = config.provider_keys.takes_callers();
        Self { timeouts: config.timeouts, route: *route, callers, sim }
    }

    /// A provider as a route with these timeouts reaches it.
    pub(super) fn endpoint(&self, provider: &Provider) -> Result<Endpoint, BuildError> {
        let mut faces = Vec::new();
        for face in &provider.faces {
            // A path that is spoken in no dialect of ours still passes under `/p/`.
            let Some(dialect) = dialects::find(&face.dialect, &face.route_type).and_then(Dialect::upstream) else {
                continue;
            };
            let base = face.base.as_ref().unwrap_or(&provider.base_url);
            let path = base.path(&face.path);
            let stream_path = face.stream_path.as_ref().map_or_else(|| path.clone(), |path| base.path(path));
            let at = face.base.as_ref().map(|base| self.at(provider, base, Vec::new())).transpose()?;
            faces.push(Face { dialect, at: at.map(Arc::new), path, stream_path });
        }
        self.at(provider, &provider.base_url, faces)
    }

    /// A provider at one of its hosts.
    fn at(&self, provider: &Provider, base: &BaseUrl, faces: Vec<Face>) -> Result<Endpoint, BuildError> {
        let fail = |reason: String| BuildError::Provider { provider: provider.name.clone(), reason };
        let authority = match (base.scheme, self.sim) {
            (Scheme::Sim, Some(address)) => address.to_string(),
            _ => base.authority.clone(),
        };
        let authority: Authority =
            authority.parse().map_err(|_| fail("its `base_url` has no valid host".to_owned()))?;
        let key_header = provider.key_header.parse::<HeaderName>();
        let key_header = key_header.map_err(|_| fail("its key header is no header name".to_owned()))?;
        let callers = provider.request_keys && self.callers;
        Ok(Endpoint {
            name: Str::from(provider.name.as_str()),
            tls: base.scheme == Scheme::Https,
            authority,
            prefix: base.prefix.clone(),
            instead: faces.is_empty().then(|| Str::from(instead(provider))),
            faces,
            quirks: quirks(provider).map_err(fail)?,
            usage_in_stream: provider.usage_in_stream,
            headers: headers(provider).ok_or_else(|| fail("one of its `headers` is no header".to_owned()))?,
            credential: credential(provider).ok_or_else(|| fail("its key or `auth` is no header".to_owned()))?,
            caller_key: callers.then_some(key_header),
            key_hint: provider.key_missing.as_deref().map(|why| {
                let callers = if callers {
                    format!(", or send `{}` with the request", provider.key_header)
                } else {
                    String::new()
                };
                Str::from(format!("{why}{callers}"))
            }),
            unfilled: provider.params_missing.as_deref().map(Str::from),
            timeouts: timeouts(&self.timeouts.with(&provider.timeouts).with(&self.route), provider.timeouts.total),
        })
    }
}

/// What a provider without conversations has, in words.
fn instead(provider: &Provider) -> String {
    let names: Vec<String> = provider.operations.iter().map(|operation| format!("`{}`", operation.name)).collect();
    let operations = if names.is_empty() { String::new() } else { format!("it has {}, and ", names.join(", ")) };
    format!("{operations}its own API is at `/p/{}/...`", provider.name)
}

/// The timeouts of an attempt, of those of the configuration. The limit for a whole attempt is not among them: at the
/// top and for a route, `total` is about the exchange.
pub(super) fn timeouts(all: &lockgate_config::Timeouts, total: Option<Duration>) -> target::Timeouts {
    target::Timeouts {
        connect: all.connect,
        first_event: all.first_event,
        between_events: all.between_events,
        commit: all.commit,
        total,
    }
}

/// The quirks of a provider, or those that no dialect of its own knows.
fn quirks(provider: &Provider) -> Result<Vec<String>, String> {
    let faces = provider.faces.iter();
    let dialects = faces.filter_map(|face| dialects::find(&face.dialect, &face.route_type).and_then(Dialect::upstream));
    // One dialect may be spoken at several endpoints, and two may have a quirk of one name.
    let known: BTreeSet<&str> = dialects.flat_map(Upstream::quirks).map(|quirk| quirk.name).collect();
    let unknown = provider.quirks.iter().filter(|quirk| !known.contains(quirk.as_str()));
    let hint = |quirk: &String| {
        if known.is_empty() {
            return ", its dialects know none".to_owned();
        }
        lockgate_config::expected_one_of(quirk, known.iter().copied())
    };
    let wrong: Vec<_> = unknown.map(|quirk| format!("unknown quirk `{quirk}`{}", hint(quirk))).collect();
    if wrong.is_empty() { Ok(provider.quirks.clone()) } else { Err(wrong.join("; ")) }
}

fn headers(provider: &Provider) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &provider.headers {
        let mut value = HeaderValue::from_str(value).ok()?;
        // An operator may have put a secret here.
        value.set_sensitive(true);
        headers.append(name.parse::<HeaderName>().ok()?, value);
    }
    Some(headers)
}

fn credential(provider: &Provider) -> Option<Credential> {
    match &provider.auth {
        Auth::None => Some(Credential::None),
        Auth::Header { name, scheme, prefix } => {
            let word = scheme.as_deref().map(|scheme| format!("{scheme} ")).unwrap_or_default();
            let prefix = Str::from(word + prefix.as_deref().unwrap_or_default());
            let value = match &provider.key {
                None => None,
                Some(key) => {
                    let mut value = HeaderValue::from_str(&format!("{prefix}{}", key.expose())).ok()?;
                    value.set_sensitive(true);
                    Some(value)
                }
            };
            Some(Credential::Header { name: name.parse().ok()?, prefix, value })
        }
        Auth::Query { name } => Some(Credential::Query {
            name: Str::from(name.as_str()),
            value: provider.key.as_ref().map(|key| Hidden(Str::from(target::encode_segment(key.expose())))),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lockgate_config::{MapEnv, catalog, load_str};

    use super::*;

    #[test]
    fn every_quirk_of_the_catalog_is_one_of_a_dialect_that_the_provider_speaks() {
        let entries = catalog().into_iter().map(|entry| format!("  {}: {{ enabled: true }}\n", entry.name));
        let text = format!("listen: 127.0.0.1:1\nproviders:\n{}", entries.collect::<String>());
        let config = load_str("test.yaml", &text, &MapEnv::new()).unwrap_or_else(|report| panic!("{report}"));
        let checked = config.providers.iter().map(|provider| match quirks(provider) {
            Ok(known) => known.len(),
            Err(wrong) => panic!("`{}`: {wrong}", provider.name),
        });
        let seen: usize = checked.sum();
        assert!(seen > 40, "the catalog lists {seen} quirks");
    }
}
