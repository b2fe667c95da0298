//! From a model's name to the targets that may serve it.
//!
//! What names there are is the [`Directory`]'s business. This layer applies what the route and the caller's key say
//! about models.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::Response;
use lockgate_filters::model::Str;
use tower::{Layer, Service};

use crate::{
    BoxError,
    auth::Identity,
    body::Body,
    failover::{Planned, RetryOn},
    target::Target,
    translate::Call,
};

/// Knows which targets serve a model.
pub trait Directory: Send + Sync + 'static {
    /// The pool that serves `model`.
    ///
    /// # Errors
    /// If no provider is known to have it; with names that are like it.
    fn find(&self, model: &str) -> Result<Arc<Pool>, ResolveError>;
}

/// Targets that serve one model name.
#[derive(Debug)]
pub struct Pool {
    /// The targets, in the order of preference. Never empty.
    pub targets: Vec<Arc<Target>>,
    /// How the first one is chosen.
    pub balance: Balance,
    /// Most attempts for one request.
    pub attempts: u32,
    /// Which failures are followed by another attempt.
    pub retry_on: RetryOn,
    /// How long an exchange may take that asks for this model, all attempts included; `None` for the route's limit alone.
    pub total: Option<Duration>,
}

/// How the first target of a pool is chosen.
#[derive(Debug)]
pub enum Balance {
    /// Always the first; the others when it fails.
    Failover,
    /// By turns, each as often as its weight says.
    RoundRobin {
        /// Each target's weight, in the order of the targets.
        weights: Vec<u32>,
        /// Requests so far.
        turn: AtomicU32,
    },
}

impl Pool {
    /// The index of the target that comes first for the next request.
    pub fn first(&self) -> usize {
        match &self.balance {
            Balance::Failover => 0,
            Balance::RoundRobin { weights, turn } => {
                let total: u32 = weights.iter().sum();
                let Some(mut at) = turn.fetch_add(1, Ordering::Relaxed).checked_rem(total) else { return 0 };
                for (index, weight) in weights.iter().enumerate() {
                    match at.checked_sub(*weight) {
                        Some(rest) => at = rest,
                        None => return index,
                    }
                }
                0
            }
        }
    }
}

/// Why a model cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Nobody has it.
    #[error("unknown model `{model}`: {hint}")]
    Unknown {
        /// What was asked for.
        model: Str,
        /// What would have worked.
        hint: Str,
    },
    /// A provider has it, but cannot be reached as things are.
    #[error("model `{model}` needs {hint}")]
    NotReady {
        /// What was asked for.
        model: Str,
        /// What is missing.
        hint: Str,
    },
    /// The route serves another model only.
    #[error("this route serves `{serves}` only, not `{model}`: leave `model` out, or ask for `{serves}`")]
    Fixed {
        /// What was asked for.
        model: Str,
        /// What the route serves.
        serves: Str,
    },
    /// The caller's key does not allow it.
    #[error("this gateway key does not allow model `{model}`: ask whoever runs this gateway")]
    Forbidden {
        /// What was asked for.
        model: Str,
    },
}

/// What a route says about models.
#[derive(Clone, Debug, Default)]
pub struct RouteModel {
    /// The model that the route serves, if it serves one.
    pub model: Option<Str>,
    /// Whether a request may name another all the same.
    pub may_override: bool,
}

/// Finds targets.
#[derive(Clone)]
pub struct ResolveLayer {
    directory: Arc<dyn Directory>,
    route: RouteModel,
}

impl std::fmt::Debug for ResolveLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResolveLayer").field("route", &self.route).finish_non_exhaustive()
    }
}

impl ResolveLayer {
    /// Asks `directory`, within what the route says.
    pub fn new(directory: Arc<dyn Directory>, route: RouteModel) -> Self {
        Self { directory, route }
    }
}

impl<S> Layer<S> for ResolveLayer {
    type Service = Resolve<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Resolve { inner, layer: self.clone() }
    }
}

/// Finds targets.
#[derive(Clone, Debug)]
pub struct Resolve<S> {
    inner: S,
    layer: ResolveLayer,
}

impl<S> Resolve<S> {
    fn resolve(&self, call: &Call) -> Result<Arc<Pool>, ResolveError> {
        let ResolveLayer { directory, route } = &self.layer;
        let asked = &call.inspection.model;
        let model = match &route.model {
            Some(serves) if asked.is_empty() || asked == serves => serves,
            Some(serves) if !route.may_override => {
                return Err(ResolveError::Fixed { model: asked.clone(), serves: serves.clone() });
            }
            _ => asked,
        };
        let pool = directory.find(model)?;
        let allows = |identity: &Identity| {
            identity.allows_model(model)
                || pool
                    .targets
                    .iter()
                    .all(|target| identity.allows_model(&format!("{}/{}", target.provider, target.model)))
        };
        match &call.identity {
            Some(identity) if !allows(identity) => Err(ResolveError::Forbidden { model: model.clone() }),
            _ => Ok(pool),
        }
    }
}

impl<S> Service<Call> for Resolve<S>
where
    S: Service<Planned, Response = Response<Body>, Error = BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = futures_util::future::Either<S::Future, std::future::Ready<Result<Response<Body>, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        match self.resolve(&call) {
            Ok(pool) => {
                if let Some(total) = pool.total {
                    call.end = call.end.min(call.record.started + total);
                }
                futures_util::future::Either::Left(self.inner.call(Planned { call: Arc::new(call), pool }))
            }
            Err(error) => futures_util::future::Either::Right(std::future::ready(Err(error.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_weights() {
        let pool = Pool {
            targets: Vec::new(),
            balance: Balance::RoundRobin { weights: vec![1, 2, 0], turn: AtomicU32::new(0) },
            attempts: 1,
            retry_on: RetryOn::default(),
            total: None,
        };
        let turns: Vec<_> = (0..6).map(|_| pool.first()).collect();
        assert_eq!(turns, [0, 1, 1, 0, 1, 1]);
    }
}
