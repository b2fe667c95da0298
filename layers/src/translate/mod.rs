//! The only layers that know dialects.
//!
//! [`InspectLayer`] stands outside: it looks at a request in its own dialect and makes a [`Call`] of it.
//! [`TranslateLayer`] stands inside failover: it makes one [`Attempt`], in whatever dialect the target speaks, and
//! answers when the first meaningful event is there.
//!
//! Two lanes. *Native*, when the target speaks the client's dialect: request bytes go out with at most a few members
//! spliced, answer bytes come back as they are, and a tap reads usage as they pass. *Cross* otherwise: decode, encode.

mod answer;
mod attempt;
mod cross;
mod estimate;
mod hosted;
mod inspect;
mod memory;
mod native;
mod outgoing;
mod peek;
mod watch;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderMap;
use lockgate_filters::{
    dialects::{CallHead, Dialect, Inspection},
    model::{ErrorClass, ErrorInfo, Request, Str},
    seal::may_hold_envelope,
};

use tokio::time::Instant;

pub use attempt::{Translate, TranslateLayer};
pub use estimate::{Estimate, EstimateLayer};
pub use inspect::{Inspect, InspectLayer, PathCall};
pub use memory::StateMemory;

use crate::{
    BoxError,
    auth::Identity,
    fetch::Kept,
    record::Record,
    target::{Face, Target},
};

/// A request that has been looked at.
#[derive(Debug)]
pub struct Call {
    /// The client's dialect.
    pub dialect: &'static dyn Dialect,
    /// What the path said of it.
    pub path: PathCall,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's query, raw.
    pub query: Option<Str>,
    /// The request's body.
    pub body: Bytes,
    /// What a glance at it showed.
    pub inspection: Inspection,
    /// The exchange's record.
    pub record: Arc<Record>,
    /// Who asks, if there are keys.
    pub identity: Option<Arc<Identity>>,
    /// Whether a loss is an error.
    pub strict: bool,
    /// When the exchange is over, however lively.
    pub end: Instant,
    /// What the client calls its request, where the answer must repeat it.
    reply_id: Option<Str>,
    /// The decoded request; made by the first attempt that needs it, used by all.
    decoded: OnceLock<Result<Request, ErrorInfo>>,
    /// Whether the body may hold envelopes; looked for once.
    sealed: OnceLock<bool>,
    /// Media that earlier attempts have fetched.
    pub(crate) fetched: Kept,
}

impl Call {
    /// The decoded request.
    ///
    /// # Errors
    /// What the client is to be told, if the request cannot be decoded.
    pub fn decoded(&self) -> Result<&Request, &ErrorInfo> {
        self.decoded.get_or_init(|| self.dialect.decode_request(&self.head(), &self.body)).as_ref()
    }

    /// Names that the request hints at instead of naming a model, the most wanted first.
    pub fn hints(&self) -> Vec<Str> {
        self.dialect.hints(&self.body)
    }

    /// Whether the body holds state that this gateway sealed.
    fn holds_envelope(&self) -> bool {
        *self.sealed.get_or_init(|| may_hold_envelope(&self.body))
    }

    fn head(&self) -> CallHead<'_> {
        CallHead { model: self.path.model.as_deref(), verb: self.path.verb.as_deref(), query: self.query.as_deref() }
    }
}

/// One try at one target.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The request.
    pub call: Arc<Call>,
    /// Where it is tried.
    pub target: Arc<Target>,
    /// When it is over, however lively.
    pub end: Instant,
    /// The request as this target is to get it, where that is not what the client sent.
    pub(crate) inlined: Option<Arc<Request>>,
}

impl Attempt {
    /// An attempt that begins now, with the request as the client sent it.
    pub fn new(call: Arc<Call>, target: Arc<Target>) -> Self {
        let own = target.timeouts.total.map(|total| Instant::now() + total);
        Self { end: own.map_or(call.end, |own| own.min(call.end)), call, target, inlined: None }
    }

    /// When it has failed if nothing meaningful has come; it began at `started`.
    fn silent_at(&self, started: Instant) -> Instant {
        (started + self.target.timeouts.first_event).min(self.end)
    }

    /// The face of the target that is spoken to, and the lane; `None` if it has none.
    pub(crate) fn face(&self) -> Option<(&Face, Speech)> {
        let operation = self.call.dialect.operation();
        let mut faces = self.target.endpoint.faces.iter().filter(|face| face.dialect.operation() == operation);
        match faces.clone().find(|face| face.dialect.name() == self.call.dialect.name()) {
            // State that another vendor gave in an earlier turn has to be taken out before anybody else reads the body.
            Some(own) if self.call.holds_envelope() => Some((own, Speech::Cross)),
            Some(own) => Some((own, Speech::Native)),
            None => faces.next().map(|face| (face, Speech::Cross)),
        }
    }

    /// The request, decoded.
    ///
    /// # Errors
    /// What the client is to be told, if the request cannot be decoded.
    pub(crate) fn request(&self) -> Result<&Request, &ErrorInfo> {
        match &self.inlined {
            Some(inlined) => Ok(inlined),
            None => self.call.decoded(),
        }
    }
}

/// Whether a target understands the client as it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// The target speaks the client's dialect: bytes pass.
    Native,
    /// The request is decoded and encoded.
    Cross,
}

/// Whose fault a failed attempt is, which decides whether another may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request's: every target would refuse it.
    Request,
    /// No connection.
    Connect,
    /// Silence.
    Timeout,
    /// The upstream is saturated.
    RateLimit,
    /// The upstream failed.
    Server,
    /// What came was no answer.
    InvalidAnswer,
    /// The upstream refused the gateway's own key.
    Auth,
    /// The target does not do what is asked.
    Target,
    /// Media that the target cannot fetch itself could not be had: only a target that can may help.
    Media,
}

impl Fault {
    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::RateLimit => "rate_limit",
            Self::Server => "server",
            Self::InvalidAnswer => "invalid_answer",
            Self::Auth => "auth",
            Self::Target => "target",
            Self::Media => "media",
        }
    }

    fn of(class: ErrorClass) -> Self {
        match class {
            ErrorClass::RateLimit => Self::RateLimit,
            ErrorClass::Timeout => Self::Timeout,
            ErrorClass::Upstream | ErrorClass::Overloaded | ErrorClass::Internal => Self::Server,
            ErrorClass::UpstreamAuth => Self::Auth,
            _ => Self::Request,
        }
    }
}

/// An attempt failed before its first meaningful event.
#[derive(Debug, thiserror::Error)]
#[error("{info}")]
pub struct AttemptError {
    /// Whose fault it is.
    pub fault: Fault,
    /// What the client is told, if this attempt was the last.
    pub info: Box<ErrorInfo>,
    /// The upstream's own answer, where it speaks the client's dialect: the client gets it as it is.
    pub relay: Option<Box<http::Response<Bytes>>>,
}

impl AttemptError {
    /// A failure of a class that says whose fault it is.
    pub fn new(info: ErrorInfo) -> Self {
        Self { fault: Fault::of(info.class), info: Box::new(info), relay: None }
    }

    pub(crate) fn with_fault(fault: Fault, info: ErrorInfo) -> Self {
        Self { fault, info: Box::new(info), relay: None }
    }

    /// Nothing meaningful has come by [`Attempt::silent_at`].
    fn silent(attempt: &Attempt) -> Self {
        let provider = &attempt.target.provider;
        if attempt.end <= Instant::now() {
            let message = format!(
                "provider `{provider}` did not answer within `timeouts.total`: ask for less at once, or raise it"
            );
            return Self::new(ErrorInfo::new(ErrorClass::Timeout, message));
        }
        let limit = attempt.target.timeouts.first_event;
        let message = format!(
            "provider `{provider}` sent nothing for {limit:?}: try again, with a smaller `max_tokens`, or raise \
             `timeouts.first_event`"
        );
        Self::new(ErrorInfo::new(ErrorClass::Timeout, message))
    }

    /// An error under a status of success.
    fn in_answer(error: ErrorInfo) -> Self {
        let mut refused = Self::new(error);
        if refused.fault == Fault::Server {
            refused.fault = Fault::InvalidAnswer;
        }
        refused
    }

    /// The body of an answer failed: its host said why, or it broke off.
    fn in_body(target: &Target, error: BoxError) -> Self {
        match error.downcast::<ErrorInfo>() {
            Ok(told) => Self::in_answer(*told),
            Err(error) => Self::invalid_answer(target, &error),
        }
    }

    fn unusable(target: &Target, why: &Str) -> Self {
        Self::with_fault(Fault::Auth, unusable(&target.provider, why))
    }

    /// The target does not do what is asked. Another one may.
    fn not_offered(target: &Target) -> Self {
        let provider = &target.provider;
        let message = match &target.endpoint.instead {
            Some(instead) => format!("provider `{provider}` has no conversations: {instead}"),
            None => format!("provider `{provider}` has no endpoint for what is asked: choose another model"),
        };
        let info =
            ErrorInfo { param: Some(Str::from_static("model")), ..ErrorInfo::new(ErrorClass::InvalidRequest, message) };
        Self::with_fault(Fault::Target, info.with_code("not_offered"))
    }

    fn invalid_answer(target: &Target, what: &dyn std::fmt::Display) -> Self {
        let provider = &target.provider;
        let message =
            format!("provider `{provider}` sent no valid answer ({what}): try again, or choose another model");
        Self::with_fault(Fault::InvalidAnswer, ErrorInfo::new(ErrorClass::Upstream, message))
    }
}

/// What a client is told where the configuration does not say all that a provider needs.
pub fn unusable(provider: &str, why: &str) -> ErrorInfo {
    let message = format!("provider `{provider}` cannot be used as it is configured: {why}");
    ErrorInfo::new(ErrorClass::UpstreamAuth, message).with_code("missing_provider_param")
}

/// No connection to the upstream could be made. The connector below gives this.
#[derive(Debug, thiserror::Error)]
#[error("no connection to `{authority}`: {reason}")]
pub struct ConnectError {
    /// Host and port.
    pub authority: Str,
    /// What went wrong, in words that hold no secret.
    pub reason: Str,
}
