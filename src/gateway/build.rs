//! Builds a snapshot of a configuration.

use std::{sync::Arc, time::Duration};

use http::Method;
use lockgate_config::{Config, FailoverOverrides, KeyMaterial, ModelOverride, Segment, TimeoutOverrides};
use lockgate_filters::{
    dialects::{self, Dialect},
    model::Str,
};
use lockgate_layers::{
    auth::{Identity, Keys, hash_key},
    fetch::FetchLayer,
    resolve::RouteModel,
};
use tower::service_fn;

use super::{Gateway, Lane, Models, Parts, Route, RouteService};
use crate::{
    api,
    routes::RouteTable,
    stack::{self, Chat, Common},
};

/// The configuration is sound, but cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A provider cannot be reached as it is described.
    #[error("provider `{provider}`: {reason}")]
    Provider {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
    /// A route cannot be served as it is described.
    #[error("route `{route}`: {reason}")]
    Route {
        /// The route's path.
        route: String,
        /// Why.
        reason: String,
    },
}

pub(super) fn build(config: &Config, parts: &Parts) -> Result<Gateway, BuildError> {
    let keys = Arc::new(keys(config));
    let mut routes = RouteTable::default();
    let mut opaque = Vec::new();
    let media = &config.media;
    let media = media.fetch.then(|| FetchLayer::new(Arc::new(parts.upstream.media_fetcher(media)), media.max_bytes));
    let mut shared_models: Option<Arc<Models>> = None;
    for route in &config.routes {
        let plain = route.timeouts == TimeoutOverrides::default() && route.failover == FailoverOverrides::default();
        let models = match &shared_models {
            Some(models) if plain => models.clone(),
            _ => Arc::new(Models::new(config, parts.sim, route)?),
        };
        if plain {
            shared_models.get_or_insert_with(|| models.clone());
        }
        let built = Builder { config, parts, keys: &keys, models: &models, media: &media }.route(route)?;
        let methods = route.methods.iter().filter_map(|method| method.parse().ok()).collect();
        if built.lane == Lane::Opaque {
            opaque.push(match route.path.segments.first() {
                Some(Segment::Literal(first)) => Some(first.clone()),
                _ => None,
            });
        }
        routes.push(route.path.clone(), methods, Arc::new(built));
    }
    let Some(models) = shared_models else {
        return Err(BuildError::Route { route: "/".to_owned(), reason: "there are no routes".to_owned() });
    };
    for (path, service) in api::own(parts) {
        let own = own_route(config, path, service);
        if let Some(pattern) = api::pattern(path) {
            routes.push(pattern, vec![Method::GET], Arc::new(own));
        }
    }
    let nothing = service_fn(|_| async { Err("the fallback route serves nothing".into()) });
    Ok(Gateway {
        routes,
        opaque,
        fallback: Arc::new(own_route(config, "-", stack::open(nothing))),
        models,
        timeouts: config.timeouts,
        limits: config.limits,
        observer: parts.observer.clone(),
    })
}

fn own_route(config: &Config, path: &str, service: RouteService) -> Route {
    Route {
        name: path.into(),
        route_type: "gateway".into(),
        dialects: Arc::from([]),
        lane: Lane::Stack,
        upgrade: false,
        total: Duration::from_secs(30),
        write: config.timeouts.write,
        recorded: false,
        service,
    }
}

fn keys(config: &Config) -> Keys {
    Keys::new(config.keys.iter().map(|key| {
        let hash = match &key.material {
            KeyMaterial::Sha256(hash) => *hash,
            KeyMaterial::Plain(secret) => hash_key(secret.expose().as_bytes()),
            _ => [0; 32],
        };
        let identity = Identity {
            name: key.name.as_str().into(),
            path: key.path.as_deref().map(Into::into),
            models: key.models.iter().map(|glob| glob.as_str().to_owned()).collect(),
            routes: key.routes.iter().map(|glob| glob.as_str().to_owned()).collect(),
            expires: key.expires,
            labels: key.labels.clone(),
        };
        (hash, identity)
    }))
}

struct Builder<'a> {
    config: &'a Config,
    parts: &'a Parts,
    keys: &'a Arc<Keys>,
    models: &'a Arc<Models>,
    media: &'a Option<FetchLayer>,
}

impl Builder<'_> {
    fn route(&self, route: &lockgate_config::Route) -> Result<Route, BuildError> {
        let name: Arc<str> = route.path.text.as_str().into();
        let timeouts = self.config.timeouts.with(&route.timeouts);
        let dialects = Self::dialects(route)?;
        let common = Common { sink: self.parts.observer.clone(), keys: self.keys.clone(), route: name.clone() };
        let (lane, service) = match route.route_type.as_str() {
            "passthrough" => {
                let service = api::passthrough::Passthrough::new(
                    self.models.clone(),
                    self.config.passthrough.clone(),
                    route.limits.upload,
                );
                (Lane::Opaque, stack::head(common, service))
            }
            "llm/v1/models" => (Lane::Stack, stack::head(common, api::models::ListModels::new(self.models.clone()))),
            _ => (Lane::Stack, self.chat(route, common, dialects.clone(), &timeouts)),
        };
        Ok(Route {
            name,
            route_type: route.route_type.as_str().into(),
            dialects,
            lane,
            upgrade: route.upgrade,
            total: timeouts.total,
            write: timeouts.write,
            recorded: true,
            service,
        })
    }

    /// The dialects of a route. A route that only lists or passes on has those of chat.
    fn dialects(route: &lockgate_config::Route) -> Result<Arc<[&'static dyn Dialect]>, BuildError> {
        let conversation = lockgate_config::CONVERSATIONS.contains(&route.route_type.as_str());
        let route_type = if conversation { &route.route_type } else { "llm/v1/chat" };
        let found = route.dialects.iter().map(|dialect| {
            dialects::find(dialect, route_type).ok_or_else(|| BuildError::Route {
                route: route.path.text.clone(),
                reason: format!("nobody here speaks dialect `{dialect}` for `{route_type}`"),
            })
        });
        found.collect()
    }

    fn chat(
        &self,
        route: &lockgate_config::Route,
        common: Common,
        dialects: Arc<[&'static dyn Dialect]>,
        timeouts: &lockgate_config::Timeouts,
    ) -> RouteService {
        let chat = Chat {
            dialects,
            strict: route.strict,
            total: timeouts.total,
            body_limit: route.limits.body as u64,
            body_grace: timeouts.body,
            directory: self.models.clone(),
            model: RouteModel {
                model: route.model.as_deref().map(Str::from),
                may_override: route.model_override == ModelOverride::Allow,
            },
            media: self.media.clone(),
            sealer: self.parts.sealer.clone(),
            memory: self.parts.memory.clone(),
            upstream: self.parts.upstream.clone(),
        };
        if route.route_type == dialects::COUNT { stack::count(common, chat) } else { stack::chat(common, chat) }
    }
}
