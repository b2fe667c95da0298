//! One target after the other, until one has given a meaningful event.
//!
//! Stands outside [`crate::translate`], which makes one attempt and answers only when its first meaningful event is
//! there: whatever fails before that is invisible to the client and may be tried elsewhere. After it, nothing is.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Response};
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::{
    BoxError, BoxFuture,
    body::Body,
    fetch::takes_all,
    resolve::Pool,
    translate::{Attempt, AttemptError, Call, Fault},
};

/// The response header that says how many attempts were made.
pub const ATTEMPTS: HeaderName = HeaderName::from_static("x-lockgate-attempts");

/// A request with the targets that may serve it.
#[derive(Debug)]
pub struct Planned {
    /// The request.
    pub call: Arc<Call>,
    /// Who may serve it.
    pub pool: Arc<Pool>,
}

/// Which failures are followed by another attempt, if a target is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryOn {
    /// No connection.
    pub connect: bool,
    /// Silence.
    pub timeout: bool,
    /// An answer that is none: cut off, not the dialect, an error under status 200.
    pub invalid_answer: bool,
    /// Statuses, as ranges with both ends included.
    pub statuses: Vec<(u16, u16)>,
}

impl Default for RetryOn {
    fn default() -> Self {
        Self { connect: true, timeout: true, invalid_answer: true, statuses: vec![(429, 429), (500, 599)] }
    }
}

impl RetryOn {
    fn allows(&self, error: &AttemptError) -> bool {
        match error.fault {
            Fault::Connect => self.connect,
            Fault::Timeout => self.timeout,
            Fault::InvalidAnswer => self.invalid_answer,
            // The next target has another key, does more, or fetches for itself: those that do not are passed over.
            Fault::Auth | Fault::Target | Fault::Media => true,
            Fault::RateLimit | Fault::Server | Fault::Request => {
                // An error inside a success has no status of its own, but a class.
                let own = if error.fault == Fault::Request { 0 } else { error.info.class.status() };
                let status = error.info.upstream_status.unwrap_or(own);
                self.statuses.iter().any(|(low, high)| (*low..=*high).contains(&status))
            }
        }
    }
}

/// Tries targets in turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailoverLayer;

impl<S> Layer<S> for FailoverLayer {
    type Service = Failover<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Failover { inner }
    }
}

/// Tries targets in turn.
#[derive(Clone, Copy, Debug)]
pub struct Failover<S> {
    inner: S,
}

impl<S> Service<Planned> for Failover<S>
where
    S: Service<Attempt, Response = Response<Body>, Error = AttemptError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Response<Body>, BoxError>;

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        // Readiness belongs to a target, and which one is not known before the call.
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, planned: Planned) -> Self::Future {
        let mut attempts = self.inner.clone();
        Box::pin(async move {
            let Planned { call, pool } = planned;
            let count = pool.targets.len();
            let first = pool.first();
            let most = usize::try_from(pool.attempts).unwrap_or(usize::MAX).clamp(1, count.max(1));
            let mut last: Option<AttemptError> = None;
            let mut no_media = false;
            let mut made = 0;
            for place in 0..count {
                let Some(target) = pool.targets.get((first + place) % count.max(1)) else { break };
                let attempt = Attempt::new(call.clone(), target.clone());
                if no_media && !takes_all(&attempt) {
                    continue;
                }
                made += 1;
                call.record.note(|facts| facts.attempts += 1);
                let outcome = match std::future::poll_fn(|cx| attempts.poll_ready(cx)).await {
                    Ok(()) => attempts.call(attempt).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(mut rsp) => {
                        rsp.headers_mut().insert(ATTEMPTS, count_value(made));
                        return Ok(rsp);
                    }
                    Err(error) => {
                        call.record.note(|facts| facts.failures.push((target.clone(), error.fault.as_str())));
                        let again = made < most && pool.retry_on.allows(&error) && Instant::now() < call.end;
                        no_media |= error.fault == Fault::Media;
                        tracing::debug!(
                            request_id = %call.record.id, provider = %target.provider, model = %target.model,
                            fault = ?error.fault, again, "attempt failed"
                        );
                        last = Some(error);
                        if !again {
                            break;
                        }
                    }
                }
            }
            match last {
                Some(error) => Err(error.into()),
                None => Err("a pool has no targets".into()),
            }
        })
    }
}

fn count_value(attempts: usize) -> HeaderValue {
    match attempts {
        1 => HeaderValue::from_static("1"),
        2 => HeaderValue::from_static("2"),
        more => HeaderValue::from(more),
    }
}
