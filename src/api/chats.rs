//! `GET /api/chat/{id}/stream`: where the AI SDK's transport asks for a stream that it has lost.

use http::{Response, StatusCode};
use lockgate_layers::body::Body;
use tower::service_fn;

use crate::{gateway::RouteService, stack};

/// Says that there is no stream to go on with: an answer ends with the connection that asked for it.
pub fn resume() -> RouteService {
    stack::open(service_fn(|_| async {
        let mut rsp = Response::new(Body::empty());
        *rsp.status_mut() = StatusCode::NO_CONTENT;
        Ok(rsp)
    }))
}
