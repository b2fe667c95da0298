//! What the gateway answers by itself.

pub mod chats;
pub mod health;
pub mod models;
pub mod passthrough;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use lockgate_config::PathPattern;
use lockgate_layers::body::Body;

use crate::gateway::{Parts, RouteService};

/// The gateway's own endpoints, which need no key: `(path, service)`.
pub fn own(parts: &Parts) -> Vec<(&'static str, RouteService)> {
    vec![
        ("/api/chat/{id}/stream", chats::resume()),
        ("/health", health::alive()),
        ("/health/ready", health::ready()),
        ("/metrics", health::metrics(parts.observer.clone())),
    ]
}

/// The pattern of one of the gateway's own paths.
pub fn pattern(path: &str) -> Option<PathPattern> {
    PathPattern::parse(path).ok()
}

fn json(body: impl Into<Bytes>) -> Response<Body> {
    typed(body, HeaderValue::from_static("application/json"))
}

fn typed(body: impl Into<Bytes>, kind: HeaderValue) -> Response<Body> {
    let mut rsp = Response::new(Body::full(body));
    rsp.headers_mut().insert(header::CONTENT_TYPE, kind);
    rsp
}
