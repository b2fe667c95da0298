//! Counts that no provider gave: a prompt's size is estimated where it cannot be asked for.
//!
//! Who counts wants to plan, not to be refused. So a count never fails for want of an endpoint, a key or a provider
//! that answers: the estimate takes its place, and a header says which of the two it is.

use http::{HeaderName, HeaderValue, Response, header};
use lockgate_filters::{estimate, model::Response as Answer};
use tower::{Layer, Service};

use super::{Call, outgoing};
use crate::{
    BoxError, BoxFuture,
    body::Body,
    failover::Planned,
    record::{EndedBy, Facts},
};

/// The response header that says whether a count is a provider's (`exact`) or the gateway's own (`estimate`).
const TOKEN_COUNT: HeaderName = HeaderName::from_static("x-lockgate-token-count");

/// Estimates what cannot be counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct EstimateLayer;

impl<S> Layer<S> for EstimateLayer {
    type Service = Estimate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Estimate { inner }
    }
}

/// Estimates what cannot be counted.
#[derive(Clone, Copy, Debug)]
pub struct Estimate<S> {
    inner: S,
}

impl<S> Service<Planned> for Estimate<S>
where
    S: Service<Planned, Response = Response<Body>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Response<Body>, BoxError>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, planned: Planned) -> Self::Future {
        let call = planned.call.clone();
        let counted = self.inner.call(planned);
        Box::pin(async move {
            match counted.await {
                Ok(mut rsp) => {
                    rsp.headers_mut().insert(TOKEN_COUNT, HeaderValue::from_static("exact"));
                    Ok(rsp)
                }
                Err(error) => {
                    tracing::debug!(request_id = %call.record.id, %error, "estimating instead of counting");
                    Ok(estimated(&call))
                }
            }
        })
    }
}

fn estimated(call: &Call) -> Response<Body> {
    let tokens = match call.decoded() {
        Ok(request) => estimate::request(request),
        // What cannot be understood can still be weighed.
        Err(_) => estimate::text(&String::from_utf8_lossy(&call.body)),
    };
    call.record.note(|facts: &mut Facts| facts.ended_by = Some(EndedBy::Complete));
    let answer = Answer { counted: Some(tokens), ..Answer::default() };
    let body = call.dialect.encode_response(&answer, &outgoing::reply_to(call));
    let mut rsp = Response::new(Body::full(body));
    rsp.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    rsp.headers_mut().insert(TOKEN_COUNT, HeaderValue::from_static("estimate"));
    rsp
}
