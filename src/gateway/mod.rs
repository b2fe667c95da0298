//! The gateway as one configuration makes it: a snapshot that each request keeps from its start to its end.
//!
//! - [`Gateway`]: routes with their stacks, limits, and who they are for. Built whole, then swapped in.
//! - [`Shared`]: what outlives a reload, and the snapshot that is current.
//! - `directory`: which targets serve a model name.
//! - `endpoints`: providers of the configuration as the stack needs them.

mod admit;
mod build;
mod directory;
mod endpoints;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{HeaderName, Request, Response};
use lockgate_config::Config;
use lockgate_filters::{dialects::Dialect, seal::Sealer};
use lockgate_layers::{BoxError, body::Body, record::Sink, translate::StateMemory};
use tower::util::BoxCloneSyncService;

pub use admit::{Admission, Admitted, Unread};
pub use build::BuildError;
pub use directory::{ListedModel, Models};

use crate::{observe::Observer, routes::RouteTable, upstream::Upstream};

/// The header that carries a request's id, both ways and upstream.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A stack, boxed at the seam between routes.
pub type RouteService = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// Which lane a route's requests take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The gateway understands the body.
    Stack,
    /// The gateway must not understand the body.
    Opaque,
}

/// A route, ready to serve.
pub struct Route {
    /// Its path pattern, as configured; used in logs and metrics.
    pub name: Arc<str>,
    /// What is asked for (`llm/v1/chat`).
    pub route_type: Arc<str>,
    /// How it is asked for: several where the body tells, none where the request's headers do.
    pub dialects: Arc<[&'static dyn Dialect]>,
    /// Its lane.
    pub lane: Lane,
    /// Whether a protocol upgrade is let through.
    pub upgrade: bool,
    /// How long an exchange may take in all.
    pub total: Duration,
    /// How long a client may take to accept a write.
    pub write: Duration,
    /// Whether its exchanges are on record: not for probes of the gateway itself.
    pub recorded: bool,
    /// Its stack.
    pub service: RouteService,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("name", &self.name).field("lane", &self.lane).finish_non_exhaustive()
    }
}

/// One configuration, ready to serve.
#[derive(Debug)]
pub struct Gateway {
    /// Where requests go.
    pub routes: RouteTable<Arc<Route>>,
    /// First segments of the paths of opaque routes; `None` stands for any.
    opaque: Vec<Option<String>>,
    /// Where a request goes that no route takes.
    pub fallback: Arc<Route>,
    /// Model names.
    pub models: Arc<Models>,
    /// Timeouts at the top.
    pub timeouts: lockgate_config::Timeouts,
    /// Limits at the top.
    pub limits: lockgate_config::Limits,
    observer: Arc<Observer>,
}

/// What outlives a reload.
pub struct Shared {
    current: ArcSwap<Gateway>,
    parts: Parts,
    connections: Connections,
}

/// Counts client connections.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<AtomicUsize>);

/// A client connection that is counted until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<AtomicUsize>);

impl Connections {
    /// Counts one more; `None` if there are `limit` already. A limit of 0 is none.
    pub fn open(&self, limit: usize) -> Option<OpenConnection> {
        let open = OpenConnection(self.0.clone());
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        (limit == 0 || before < limit).then_some(open)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Memory for vendors' state: enough for some ten thousand conversations that think before they call, and no more.
pub fn state_memory() -> StateMemory {
    StateMemory::new(32 << 20, Duration::from_hours(1))
}

/// What every snapshot is built on.
#[derive(Clone)]
pub struct Parts {
    /// Connections to providers.
    pub upstream: Upstream,
    /// Access log and metrics.
    pub observer: Arc<Observer>,
    /// Seals foreign opaque state.
    pub sealer: Sealer,
    /// Keeps state that clients have no place for; outlives reloads.
    pub memory: StateMemory,
    /// Where the built-in simulator listens.
    pub sim: Option<std::net::SocketAddr>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("sim", &self.sim).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("current", &self.current).finish_non_exhaustive()
    }
}

impl Shared {
    /// Builds the first snapshot.
    ///
    /// # Errors
    /// What in the configuration cannot be used.
    pub fn new(config: &Config, parts: Parts) -> Result<Arc<Self>, BuildError> {
        let gateway = build::build(config, &parts)?;
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(gateway), parts, connections: Connections::default() }))
    }

    /// Builds another snapshot and makes it current. Requests that are under way keep the one they began with.
    ///
    /// # Errors
    /// What in the configuration cannot be used; the current snapshot stays.
    pub fn reload(&self, config: &Config) -> Result<(), BuildError> {
        self.current.store(Arc::new(build::build(config, &self.parts)?));
        Ok(())
    }

    /// The current snapshot.
    pub fn load(&self) -> arc_swap::Guard<Arc<Gateway>> {
        self.current.load()
    }

    /// The client connections that are open.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Access log and metrics.
    pub fn observer(&self) -> &Arc<Observer> {
        &self.parts.observer
    }
}

impl Gateway {
    /// Whether a request target may belong to an opaque route. Never wrong when it says no.
    pub fn may_be_opaque(&self, target: &[u8]) -> bool {
        let path = target.strip_prefix(b"/");
        let first = path.and_then(|path| path.split(|byte| matches!(byte, b'/' | b'?')).next());
        self.opaque.iter().any(|known| match (known, first) {
            (Some(known), Some(first)) => known.as_bytes() == first,
            _ => true,
        })
    }

    fn sink(&self) -> Arc<dyn Sink> {
        self.observer.clone()
    }
}
