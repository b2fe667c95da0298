//! One attempt at one target.

use http::Response;
use http_body_util::BodyExt;
use lockgate_filters::{
    dialects::Upstream,
    hosts::HostWire,
    model::{ErrorClass, ErrorInfo},
    seal::Sealer,
};
use tokio::time::Instant;
use tower::{Layer, Service};

use super::{
    Attempt, AttemptError, ConnectError, Fault, StateMemory, answer, hosted,
    outgoing::{Prepared, prepare},
};
use crate::{
    BoxError, BoxFuture,
    body::Body,
    credential::{NoCredential, Outgoing},
    record::Facts,
    target::Target,
};

/// An upstream's error body is read up to this; the rest says nothing more.
const MAX_ERROR_BODY: usize = 1 << 20;

/// Makes attempts.
#[derive(Clone, Debug)]
pub struct TranslateLayer {
    state: State,
}

/// What the layer needs to carry vendors' state through clients that cannot.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) sealer: Sealer,
    pub(super) memory: StateMemory,
}

impl TranslateLayer {
    /// Seals and opens other vendors' opaque state with `sealer`; keeps in `memory` what clients have no place for.
    pub fn new(sealer: Sealer, memory: StateMemory) -> Self {
        Self { state: State { sealer, memory } }
    }
}

impl<S> Layer<S> for TranslateLayer {
    type Service = Translate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Translate { inner, state: self.state.clone() }
    }
}

/// Makes attempts.
#[derive(Clone, Debug)]
pub struct Translate<S> {
    inner: S,
    state: State,
}

impl<S> Service<Attempt> for Translate<S>
where
    S: Service<Outgoing, Response = Response<Body>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = AttemptError;
    type Future = BoxFuture<Response<Body>, AttemptError>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), AttemptError>> {
        self.inner.poll_ready(cx).map_err(|error| AttemptError::invalid_answer_of(&*error))
    }

    fn call(&mut self, mut attempt: Attempt) -> Self::Future {
        let prepared = match prepare(&attempt, &self.state) {
            Ok(prepared) => prepared,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let Prepared { outgoing, lane, dialect, wire } = prepared;
        // It is in the body now, which goes when it is sent.
        attempt.inlined = None;
        let own_key = outgoing.caller_key.is_none();
        let started = Instant::now();
        note_sent(&attempt, dialect.name(), started);
        let sent = self.inner.call(outgoing);
        Box::pin(async move {
            let target = &attempt.target;
            let silent_at = attempt.silent_at(started);
            let rsp = match tokio::time::timeout_at(silent_at, sent).await {
                Ok(Ok(rsp)) => rsp,
                Ok(Err(error)) => return Err(unsent(target, error)),
                Err(_) => return Err(AttemptError::silent(&attempt)),
            };
            attempt.call.record.note(|facts| facts.upstream_head = Some(Instant::now()));
            if rsp.status().is_success() {
                let rsp = match wire {
                    Some(wire) => hosted::unframed(rsp, wire, dialect),
                    None => rsp,
                };
                answer::answer(attempt, rsp, lane, dialect, started).await
            } else {
                let answered = By { dialect, wire, own_key };
                Err(refused(&attempt, rsp, answered, silent_at).await)
            }
        })
    }
}

fn note_sent(attempt: &Attempt, dialect: &'static str, now: Instant) {
    attempt.call.record.note(|facts: &mut Facts| {
        facts.target = Some(attempt.target.clone());
        facts.upstream_dialect = Some(dialect);
        facts.sent = Some(now);
    });
}

impl AttemptError {
    fn invalid_answer_of(error: &(dyn std::error::Error + 'static)) -> Self {
        let message = format!("the upstream client failed ({error}): try again");
        Self::with_fault(Fault::Server, ErrorInfo::new(ErrorClass::Upstream, message))
    }
}

/// The request did not get an answer at all.
fn unsent(target: &Target, error: BoxError) -> AttemptError {
    let provider = &target.provider;
    let error = match error.downcast::<NoCredential>() {
        Ok(missing) => {
            let info = ErrorInfo::new(ErrorClass::UpstreamAuth, missing.to_string()).with_code("missing_provider_key");
            return AttemptError::with_fault(Fault::Auth, info);
        }
        Err(error) => error,
    };
    if error.is::<ConnectError>() {
        let message = format!("provider `{provider}` cannot be reached ({error}): try again, or choose another model");
        let info = ErrorInfo::new(ErrorClass::Upstream, message).with_code("upstream_unreachable");
        return AttemptError::with_fault(Fault::Connect, info);
    }
    AttemptError::invalid_answer(target, &error)
}

/// Who answered, and to whose key.
struct By {
    dialect: &'static dyn Upstream,
    wire: Option<&'static dyn HostWire>,
    /// The key is the gateway's own.
    own_key: bool,
}

/// The upstream answered with an error status.
async fn refused(attempt: &Attempt, rsp: Response<Body>, by: By, until: Instant) -> AttemptError {
    let By { dialect, wire, own_key } = by;
    let (parts, body) = rsp.into_parts();
    let status = parts.status.as_u16();
    let body = http_body_util::Limited::new(body, MAX_ERROR_BODY);
    let bytes = match tokio::time::timeout_at(until, body.collect()).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(_)) | Err(_) => bytes::Bytes::new(),
    };
    let is_own = dialect.is_own_error(&bytes);
    let mut info = match wire.filter(|_| !is_own) {
        Some(wire) => wire.decode_error(status, &bytes),
        None => dialect.decode_error(status, &bytes),
    };
    info.upstream_status = Some(status);
    info.retry_after = info.retry_after.or_else(|| answer::retry_after(&parts.headers));
    let about_key = matches!(status, 401..=403)
        || matches!(info.class, ErrorClass::Auth | ErrorClass::Billing | ErrorClass::Permission);
    if about_key && own_key {
        let provider = &attempt.target.provider;
        let message = format!(
            "provider `{provider}` refused the gateway's own key (status {status}): check its `api_key`, its rights and \
             its balance"
        );
        let info = ErrorInfo { upstream_status: Some(status), ..ErrorInfo::new(ErrorClass::UpstreamAuth, message) };
        return AttemptError::new(info);
    }
    let mut error = AttemptError::new(info);
    if status >= 500 && error.fault == Fault::Request {
        error.fault = Fault::Server;
    }
    if dialect.name() == attempt.call.dialect.name() && !bytes.is_empty() && is_own {
        let mut relayed = Response::from_parts(parts, bytes);
        answer::clean_headers(relayed.headers_mut());
        error.relay = Some(Box::new(relayed));
    }
    error
}
