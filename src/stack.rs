//! The way of a request, as one chain per kind of route, the outermost layer first.

use std::sync::Arc;

use http::{Request, Response};
use lockgate_filters::{dialects::Dialect, seal::Sealer};
use lockgate_layers::{
    BoxError,
    auth::{AuthLayer, Keys},
    body::Body,
    collect::CollectLayer,
    credential::CredentialLayer,
    failover::FailoverLayer,
    fetch::FetchLayer,
    record::{RecordLayer, Sink},
    resolve::{Directory, ResolveLayer, RouteModel},
    translate::{EstimateLayer, InspectLayer, StateMemory, TranslateLayer},
};
use tower::{Service, ServiceBuilder};

use crate::{gateway::RouteService, upstream::Upstream};

/// What every route's stack is made of.
pub struct Common {
    /// Where closed records go.
    pub sink: Arc<dyn Sink>,
    /// The gateway's keys.
    pub keys: Arc<Keys>,
    /// The route's path pattern.
    pub route: Arc<str>,
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").field("route", &self.route).finish_non_exhaustive()
    }
}

/// What a chat route's stack is made of besides.
pub struct Chat {
    /// The client's dialect; of several, the first that knows the body as its own. Never empty.
    pub dialects: Arc<[&'static dyn Dialect]>,
    /// Whether a loss in translation is an error.
    pub strict: bool,
    /// How long an exchange may take in all.
    pub total: std::time::Duration,
    /// Most bytes of a body.
    pub body_limit: u64,
    /// How long a body may take before its rate counts.
    pub body_grace: std::time::Duration,
    /// Which targets serve a model.
    pub directory: Arc<dyn Directory>,
    /// What the route says about models.
    pub model: RouteModel,
    /// Fetches media that a target does not fetch itself; `None` if nobody does.
    pub media: Option<FetchLayer>,
    /// Seals foreign opaque state.
    pub sealer: Sealer,
    /// Keeps state that clients have no place for.
    pub memory: StateMemory,
    /// Connections to providers.
    pub upstream: Upstream,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").field("dialects", &self.dialects).finish_non_exhaustive()
    }
}

/// The stack of a chat route.
pub fn chat(common: Common, chat: Chat) -> RouteService {
    let service = ServiceBuilder::new()
        // Outermost, so that refusals are on record too; closes when the answer's body does.
        .layer(RecordLayer::new(common.sink))
        // Before the body is read: nobody without a key makes the gateway hold bytes.
        .layer(AuthLayer::new(common.keys, common.route))
        // Failover sends the body more than once, and routing looks into it: it is read whole, once.
        .layer(CollectLayer::new(chat.body_limit, chat.body_grace))
        // From bytes to a call, in the client's dialect.
        .layer(InspectLayer::new(chat.dialects, chat.strict, chat.total))
        // From the call's model to the targets that may serve it.
        .layer(ResolveLayer::new(chat.directory, chat.model))
        // Outside translation: the next target may speak another dialect.
        .layer(FailoverLayer)
        // Inside failover, for another target may fetch media itself; before translation, which writes what was fetched.
        .option_layer(chat.media)
        // One attempt, in the target's dialect. Answers when the first meaningful event is there.
        .layer(TranslateLayer::new(chat.sealer, chat.memory))
        // Innermost: nothing above holds a provider's key.
        .layer(CredentialLayer)
        .service(chat.upstream);
    RouteService::new(service)
}

/// The stack of a route that counts tokens: that of chat, but what cannot be counted is estimated.
pub fn count(common: Common, chat: Chat) -> RouteService {
    let service = ServiceBuilder::new()
        .layer(RecordLayer::new(common.sink))
        .layer(AuthLayer::new(common.keys, common.route))
        .layer(CollectLayer::new(chat.body_limit, chat.body_grace))
        .layer(InspectLayer::new(chat.dialects, chat.strict, chat.total))
        .layer(ResolveLayer::new(chat.directory, chat.model))
        // Outside failover: the estimate comes when no target counts.
        .layer(EstimateLayer)
        .layer(FailoverLayer)
        .layer(TranslateLayer::new(chat.sealer, chat.memory))
        .layer(CredentialLayer)
        .service(chat.upstream);
    RouteService::new(service)
}

/// The stack of a route that the gateway answers by itself, or hands off, after looking at the head alone.
pub fn head<S>(common: Common, service: S) -> RouteService
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let service = ServiceBuilder::new()
        .layer(RecordLayer::new(common.sink))
        .layer(AuthLayer::new(common.keys, common.route))
        .service(service);
    RouteService::new(service)
}

/// The stack of a route that needs no key and leaves no record: health and metrics.
pub fn open<S>(service: S) -> RouteService
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    RouteService::new(service)
}
