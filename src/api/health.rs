//! Liveness, readiness and metrics.

use std::sync::Arc;

use http::HeaderValue;
use tower::service_fn;

use super::{json, typed};
use crate::{gateway::RouteService, observe::Observer, stack};

/// The exposition format of Prometheus, version 0.0.4.
const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /health`: the process serves.
pub fn alive() -> RouteService {
    stack::open(service_fn(|_| async { Ok(json(&br#"{"status":"ok"}"#[..])) }))
}

/// `GET /health/ready`: what serving rests on. Upstream outages never change it.
pub fn ready() -> RouteService {
    stack::open(service_fn(|_| async { Ok(json(&br#"{"status":"ready","components":{"models":"ok"}}"#[..])) }))
}

/// `GET /metrics`.
pub fn metrics(observer: Arc<Observer>) -> RouteService {
    stack::open(service_fn(move |_| {
        let text = observer.metrics.render();
        async move { Ok(typed(text, EXPOSITION)) }
    }))
}
