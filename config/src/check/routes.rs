//! Routes: the operator's, then the built-in ones of `data/routes.yaml`, checked in the same way.

use super::context::{At, Context};
use super::models::names_target;
use super::providers::Providers;
use super::settings::{failover_overrides, limits_with, route_timeouts};
use crate::document::{self, Document};
use crate::env::MapEnv;
use crate::nearest::{did_you_mean, expected_one_of};
use crate::raw::{RawDialects, RawRoute, RawRoutes};
use crate::types::{Limits, Model, PathPattern, Route};
use crate::{CLIENT_DIALECTS, CONVERSATIONS, DIALECTS, ROUTE_TYPES};

const FILE: &str = "data/routes.yaml";
const TEXT: &str = include_str!("../../data/routes.yaml");

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What a route's model may be.
pub(super) struct Names<'a> {
    pub(super) models: &'a [Model],
    pub(super) providers: &'a Providers,
}

/// Checks the operator's routes.
pub(super) fn check(at: &At<'_>, raw: Option<&[RawRoute]>, names: &Names<'_>, limits: Limits) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for (index, raw) in raw.unwrap_or_default().iter().enumerate() {
        let at = at.item(index);
        if let Some(model) = &raw.model {
            check_model(&at.key("model"), model, names);
        }
        let Some(route) = route(&at, raw, limits, false) else { continue };
        if let Some(other) = routes.iter().find(|other| is_hidden(&route, other)) {
            at.key("path").error(format!("route `{}` already serves these requests", other.path));
        }
        routes.push(route);
    }
    routes
}

/// Reads the routes that every gateway has.
pub(super) fn builtin(limits: Limits, passthrough: bool) -> Vec<Route> {
    let document: Result<Document<RawRoutes>, _> = document::read(FILE, TEXT, &MapEnv::new());
    let document = document.expect("the embedded routes are loaded by a test");
    let env = MapEnv::new();
    let cx = Context::new(&document.source, &env);
    let at = At::root(&cx).key("routes");
    let routes = document.raw.routes.iter().enumerate();
    let routes: Vec<Route> = routes.filter_map(|(index, raw)| route(&at.item(index), raw, limits, true)).collect();
    cx.finish().expect("the embedded routes are loaded by a test");
    routes.into_iter().filter(|route| passthrough || route.route_type != "passthrough").collect()
}

fn route(at: &At<'_>, raw: &RawRoute, limits: Limits, builtin: bool) -> Option<Route> {
    let path = at.key("path").take(PathPattern::parse(&raw.path));
    let known_type = ROUTE_TYPES.contains(&raw.route_type.as_str());
    if !known_type {
        let hint = expected_one_of(&raw.route_type, ROUTE_TYPES.iter().copied());
        at.key("route_type").error(format!("unknown route type `{}`{hint}", raw.route_type));
    }
    if known_type {
        refuse_idle_settings(at, raw);
    }
    let dialects = dialects(&at.key("dialect"), raw);
    let methods = methods(&at.key("methods"), raw);
    let limits = limits_with(at, raw.limits.as_ref(), limits);
    let timeouts = route_timeouts(at, raw.timeouts.as_ref());
    let failover = failover_overrides(at, raw.layers.as_ref());
    let path = path.filter(|_| known_type)?;
    if raw.route_type == "passthrough" && !path.captures("provider") {
        at.key("path").error(format!("path `{path}` of a passthrough must capture `{{provider}}`"));
    }
    Some(Route {
        path,
        methods,
        route_type: raw.route_type.clone(),
        dialects,
        model: raw.model.clone(),
        model_override: raw.model_override.unwrap_or_default(),
        strict: raw.strict.unwrap_or(false),
        upgrade: raw.upgrade.unwrap_or(false),
        limits,
        timeouts,
        failover,
        builtin,
    })
}

/// Refuses what a route of this type does not look at.
fn refuse_idle_settings(at: &At<'_>, raw: &RawRoute) {
    let chats = CONVERSATIONS.contains(&raw.route_type.as_str());
    let passes = raw.route_type == "passthrough";
    let limits = raw.limits.as_ref();
    for (place, written, used) in [
        (at.key("model"), raw.model.is_some(), chats),
        (at.key("model_override"), raw.model_override.is_some(), chats),
        (at.key("strict"), raw.strict == Some(true), chats),
        (at.key("layers"), raw.layers.is_some(), chats),
        (at.key("upgrade"), raw.upgrade == Some(true), passes),
        (at.key("limits").key("body"), limits.is_some_and(|limits| limits.body.is_some()), chats),
        (at.key("limits").key("upload"), limits.is_some_and(|limits| limits.upload.is_some()), passes),
    ] {
        if written && !used {
            place.error(format!("this has no effect on a route of type `{}`", raw.route_type));
        }
    }
}

fn dialects(at: &At<'_>, raw: &RawRoute) -> Vec<String> {
    let default = if CONVERSATIONS.contains(&raw.route_type.as_str()) { vec!["openai".to_owned()] } else { Vec::new() };
    let known = DIALECTS.iter().chain(CLIENT_DIALECTS).copied();
    let check = |at: &At<'_>, dialect: &str| {
        if !known.clone().any(|name| name == dialect) {
            at.error(format!("unknown dialect `{dialect}`{}", expected_one_of(dialect, known.clone())));
        }
    };
    match &raw.dialect {
        None => default,
        Some(RawDialects::One(dialect)) => {
            check(at, dialect);
            vec![dialect.clone()]
        }
        Some(RawDialects::Shared(dialects)) => {
            for (index, dialect) in dialects.iter().enumerate() {
                check(&at.item(index), dialect);
            }
            if dialects.is_empty() { default } else { dialects.clone() }
        }
    }
}

fn methods(at: &At<'_>, raw: &RawRoute) -> Vec<String> {
    let Some(methods) = &raw.methods else {
        let default: &[&str] = match raw.route_type.as_str() {
            "llm/v1/models" => &["GET"],
            known if CONVERSATIONS.contains(&known) => &["POST"],
            _ => &[],
        };
        return default.iter().map(|method| (*method).to_owned()).collect();
    };
    for (index, method) in methods.iter().enumerate() {
        if !METHODS.contains(&method.as_str()) {
            let hint = expected_one_of(method, METHODS.iter().copied());
            at.item(index).error(format!("unknown method `{method}`{hint}"));
        }
    }
    methods.clone()
}

fn check_model(at: &At<'_>, text: &str, names: &Names<'_>) {
    let own = names.models.iter().map(|model| model.name.as_str());
    if own.clone().any(|name| name == text) {
        return;
    }
    match text.split_once('/') {
        Some((provider, model)) => {
            names_target(at, provider, model, names.providers);
        }
        None => at.error(format!(
            "unknown model `{text}`{} (expected `provider/model` or a name of `models`)",
            did_you_mean(text, own)
        )),
    }
}

/// Tells whether an earlier route takes everything that a later one would.
fn is_hidden(later: &Route, earlier: &Route) -> bool {
    let takes = |method: &String| earlier.methods.is_empty() || earlier.methods.contains(method);
    let all_methods =
        if later.methods.is_empty() { earlier.methods.is_empty() } else { later.methods.iter().all(takes) };
    all_methods && later.path.same_paths(&earlier.path)
}
