//! Providers of the configuration, as the stack needs them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, uri::Authority};
use lockgate_config::{Auth, Config, Kind, Provider, Scheme, TimeoutOverrides};
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
    pub(super) models: lockgate_config::ModelNames,
    /// It has a key, or needs none: requests can be sent without the caller's help.
    pub(super) ready: bool,
    /// Nobody switched it on.
    pub(super) dormant: bool,
}

/// All providers of a configuration as a route with these timeouts reaches them, those that are switched on first.
pub(super) fn endpoints(
    config: &Config,
    route: &TimeoutOverrides,
    sim: Option<SocketAddr>,
) -> Result<Vec<Known>, BuildError> {
    let awake = config.providers.iter().map(|provider| (provider, false));
    let dormant = config.dormant.iter().map(|provider| (provider, true));
    let mut known = Vec::new();
    for (provider, dormant) in awake.chain(dormant) {
        if provider.base_url.scheme == Scheme::Sim && sim.is_none() {
            continue;
        }
        known.push(Known {
            endpoint: Arc::new(endpoint(config, provider, route, sim)?),
            kind: provider.kind,
            entry: provider.entry.clone(),
            models: provider.models.clone(),
            ready: provider.key.is_some() || matches!(provider.auth, Auth::None),
            dormant,
        });
    }
    Ok(known)
}

fn endpoint(
    config: &Config,
    provider: &Provider,
    route: &TimeoutOverrides,
    sim: Option<SocketAddr>,
) -> Result<Endpoint, BuildError> {
    let fail = |reason: String| BuildError::Provider { provider: provider.name.clone(), reason };
    let base = &provider.base_url;
    let authority = match (base.scheme, sim) {
        (Scheme::Sim, Some(address)) => address.to_string(),
        _ => base.authority.clone(),
    };
    let authority: Authority = authority.parse().map_err(|_| fail("its `base_url` has no valid host".to_owned()))?;
    let mut faces = Vec::new();
    for face in &provider.faces {
        let dialect = dialects::find(&face.dialect, &face.route_type).and_then(Dialect::upstream);
        let dialect = dialect.ok_or_else(|| {
            fail(format!("nobody here speaks dialect `{}` for `{}` to a provider", face.dialect, face.route_type))
        })?;
        let path = base.path(&face.path);
        let stream_path = face.stream_path.as_ref().map_or_else(|| path.clone(), |path| base.path(path));
        faces.push(Face { dialect, path, stream_path });
    }
    let key_header = provider.key_header.parse::<HeaderName>();
    let key_header = key_header.map_err(|_| fail("its key header is no header name".to_owned()))?;
    let callers = provider.request_keys && config.provider_keys.takes_callers();
    Ok(Endpoint {
        name: Str::from(provider.name.as_str()),
        tls: base.scheme == Scheme::Https,
        authority,
        prefix: base.prefix.clone(),
        faces,
        quirks: quirks(provider).map_err(fail)?,
        usage_in_stream: provider.usage_in_stream,
        headers: headers(provider).ok_or_else(|| fail("one of its `headers` is no header".to_owned()))?,
        credential: credential(provider).ok_or_else(|| fail("its key or `auth` is no header".to_owned()))?,
        caller_key: callers.then_some(key_header),
        key_hint: provider.key_missing.as_deref().map(|why| {
            let callers =
                if callers { format!(", or send `{}` with the request", provider.key_header) } else { String::new() };
            Str::from(format!("{why}{callers}"))
        }),
        timeouts: timeouts(&config.timeouts.with(&provider.timeouts).with(route), provider.timeouts.total),
    })
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
    let known: Vec<&str> = dialects.flat_map(Upstream::quirks).map(|quirk| quirk.name).collect();
    let unknown = provider.quirks.iter().filter(|quirk| !known.contains(&quirk.as_str()));
    let hint = |quirk: &String| match known.as_slice() {
        [] => ", its dialects know none".to_owned(),
        names => lockgate_config::expected_one_of(quirk, names.iter().copied()),
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
        Auth::Header { name, scheme } => {
            let prefix = match scheme.as_deref() {
                None => Str::new(),

                Some(scheme) => Str::from(format!("{scheme} ")),
            };
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
