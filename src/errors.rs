//! The one place that turns causes into answers: status, body in the client's dialect, log field and metric label.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use lockgate_filters::{
    dialects::Dialect,
    model::{ErrorClass, ErrorInfo, Str},
};
use lockgate_layers::{
    BoxError,
    auth::AuthError,
    body::Body,
    collect::CollectError,
    record::{EndedBy, Record, Refused},
    resolve::ResolveError,
    translate::{AttemptError, Fault},
};

use crate::edge::{chunks::ChunkError, head::HeadError};

/// The exchange took longer than it may in all.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the exchange took longer than `timeouts.total` allows: ask for less at once, or raise it")]
pub struct TotalTimeout;

/// There are as many client connections as there may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many connections: try again, or raise `limits.connections`")]
pub struct TooManyConnections;

/// No route takes the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The path is unknown.
    #[error("unknown path `{path}`: {hint}")]
    Unknown {
        /// The path.
        path: String,
        /// What would have worked.
        hint: &'static str,
    },
    /// The path does not take the method.
    #[error("`{path}` does not take `{method}`: use {}", allowed.join(" or "))]
    Method {
        /// The path.
        path: String,
        /// The method.
        method: String,
        /// The methods that it takes.
        allowed: Vec<String>,
    },
}

impl RouteError {
    /// No route has the path.
    pub fn unknown(path: &str) -> Self {
        let hint = if path.contains("chat") || path.contains("completions") {
            "for chat, use `POST /v1/chat/completions`"
        } else if path.contains("messages") {
            "for Anthropic messages, use `POST /v1/messages`"
        } else if path.contains("generateContent") || path.contains("GenerateContent") || path.starts_with("/v1beta") {
            "for Gemini, use `POST /v1beta/models/{model}:generateContent`"
        } else if path.starts_with("/model/") {
            "for Bedrock, use `POST /model/{model}/converse`, with the model percent-encoded"
        } else {
            "chat is at `/v1/chat/completions`, `/v1/messages`, `/v1beta/models/{model}:generateContent`, `/v2/chat` and \
             `/api/chat`, a provider's own API at `/p/{provider}/...`"
        };
        Self::Unknown { path: shorten(path), hint }
    }

    /// The route does not take the method.
    pub fn method(method: &Method, path: &str, allowed: &[Method]) -> Self {
        Self::Method {
            path: shorten(path),
            method: shorten(method.as_str()),
            allowed: allowed.iter().map(Method::to_string).collect(),
        }
    }
}

/// A path as it may stand in a message.
fn shorten(path: &str) -> String {
    let mut short: String = path.chars().take(100).collect();
    if short.len() < path.len() {
        short.push_str("...");
    }
    short
}

/// A body over a limit.
pub fn too_large(limit: u64) -> BoxError {
    CollectError::TooLarge { limit }.into()
}

/// The answer to a request that failed for `error`, in `dialect`. What guards the failure carried hang on its body.
pub fn answer(error: BoxError, dialect: &'static dyn Dialect, record: &Arc<Record>) -> Response<Body> {
    // Where several dialects share a path, the body may have told which it is.
    let dialect = record.note(|facts| facts.dialect).unwrap_or(dialect);
    let (error, guard) = match error.downcast::<Refused>() {
        Ok(refused) => {
            let (error, guard) = refused.into_parts();
            (error, Some(guard))
        }
        Err(error) => (error, None),
    };
    let rsp = render(error, dialect, record);
    match guard {
        Some(guard) => rsp.map(|body| body.with_guard(guard)),
        None => rsp,
    }
}

fn render(error: BoxError, dialect: &'static dyn Dialect, record: &Arc<Record>) -> Response<Body> {
    let error = match error.downcast::<AttemptError>() {
        Ok(mut failed) => {
            let refused = matches!(failed.fault, Fault::Request | Fault::Target | Fault::Media);
            let by = if refused { EndedBy::Gateway } else { EndedBy::Upstream };
            note(record, failed.info.class, by);
            let mut rsp = match failed.relay.take() {
                Some(relay) => {
                    let mut rsp = relay.map(Body::full);
                    if rsp.status().as_u16() == 529 {
                        // Only Anthropic's clients know it.
                        *rsp.status_mut() = status_of(&failed.info, dialect);
                    }
                    rsp
                }
                None => of_info(&failed.info, dialect, record),
            };
            let attempts = record.note(|facts| facts.attempts);
            rsp.headers_mut().insert(lockgate_layers::failover::ATTEMPTS, HeaderValue::from(attempts));
            return rsp;
        }
        Err(error) => error,
    };
    let (info, extra) = describe(&error);
    note(record, info.class, EndedBy::Gateway);
    let mut rsp = of_info(&info, dialect, record);
    if let Some((name, value)) = extra {
        rsp.headers_mut().insert(name, value);
    }
    if let Some(error) = error.downcast_ref::<HeadError>() {
        record.note(|facts| facts.error = Some(head_code(*error)));
        if head_code(*error) == HEAD_TOO_LARGE {
            *rsp.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        }
    }
    rsp
}

const HEAD_TOO_LARGE: &str = "head_too_large";

/// The code of a refused head, for clients and logs.
fn head_code(error: HeadError) -> &'static str {
    match error {
        HeadError::TooManyHeaders | HeadError::TooLarge => HEAD_TOO_LARGE,
        HeadError::TooSlow => ErrorClass::RequestTimeout.code(),
        HeadError::Connect => ErrorClass::MethodNotAllowed.code(),
        _ => "malformed_request",
    }
}

fn of_head(error: HeadError) -> ErrorInfo {
    let (class, hint) = match error {
        HeadError::TooManyHeaders | HeadError::TooLarge => {
            (ErrorClass::InvalidRequest, "send fewer or shorter headers")
        }
        HeadError::TooSlow => (ErrorClass::RequestTimeout, "send it at once"),
        HeadError::Connect => (ErrorClass::MethodNotAllowed, "send requests to the gateway itself"),
        _ => (ErrorClass::InvalidRequest, "send a request that follows RFC 9112"),
    };
    ErrorInfo::new(class, format!("{error}: {hint}")).with_code(head_code(error))
}

fn note(record: &Record, class: ErrorClass, by: EndedBy) {
    record.note(|facts| {
        facts.error = Some(class.code());
        facts.ended_by = Some(by);
    });
}

fn status_of(info: &ErrorInfo, dialect: &dyn Dialect) -> StatusCode {
    StatusCode::from_u16(dialect.error_status(info)).unwrap_or(StatusCode::BAD_GATEWAY)
}

fn of_info(info: &ErrorInfo, dialect: &'static dyn Dialect, record: &Record) -> Response<Body> {
    let status = status_of(info, dialect);
    let reply_id = record.note(|facts| facts.reply_id.clone());
    let mut rsp = Response::new(Body::full(dialect.encode_error(info, reply_id.as_ref().unwrap_or(&record.id))));
    *rsp.status_mut() = status;
    let headers = rsp.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = info.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    for (name, value) in dialect.error_headers(info) {
        if let Ok(value) = HeaderValue::from_maybe_shared(value.into_bytes()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if record.note(|facts| facts.attempts) > 1 {
        // Every target has been tried: the official clients' own retries would only multiply that.
        headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
    }
    rsp
}

/// What a cause means to a client.
fn describe(error: &BoxError) -> (ErrorInfo, Option<(HeaderName, HeaderValue)>) {
    if let Some(info) = error.downcast_ref::<ErrorInfo>() {
        return (info.clone(), None);
    }
    let text = || Str::from(error.to_string());
    if let Some(error) = error.downcast_ref::<AuthError>() {
        let class = if *error == AuthError::Route { ErrorClass::Permission } else { ErrorClass::Auth };
        return (ErrorInfo::new(class, text()), None);
    }
    if let Some(error) = error.downcast_ref::<CollectError>() {
        let class = match error {
            CollectError::TooLarge { .. } => ErrorClass::TooLarge,
            CollectError::TooSlow => ErrorClass::RequestTimeout,
            CollectError::Broken => ErrorClass::InvalidRequest,
        };
        return (ErrorInfo::new(class, text()), None);
    }
    if let Some(error) = error.downcast_ref::<ResolveError>() {
        return (of_resolve(error, &text()), None);
    }
    if let Some(error) = error.downcast_ref::<RouteError>() {
        return match error {
            RouteError::Method { allowed, .. } => {
                let allow = HeaderValue::from_str(&allowed.join(", ")).ok().map(|value| (header::ALLOW, value));
                (ErrorInfo::new(ErrorClass::MethodNotAllowed, text()), allow)
            }
            RouteError::Unknown { .. } => (ErrorInfo::new(ErrorClass::NotFound, text()), None),
        };
    }
    if let Some(error) = error.downcast_ref::<HeadError>() {
        let allow = (*error == HeadError::Connect).then(|| (header::ALLOW, HeaderValue::from_static("GET, POST")));
        return (of_head(*error), allow);
    }
    if error.is::<ChunkError>() {
        let message = format!("{error}: send a body that follows RFC 9112");
        return (ErrorInfo::new(ErrorClass::InvalidRequest, message).with_code("malformed_request"), None);
    }
    if error.is::<TooManyConnections>() {
        return (ErrorInfo { retry_after: Some(1), ..ErrorInfo::new(ErrorClass::Overloaded, text()) }, None);
    }
    if error.is::<TotalTimeout>() {
        return (ErrorInfo::new(ErrorClass::Timeout, text()), None);
    }
    tracing::error!(%error, "a failure without a name");
    (ErrorInfo::new(ErrorClass::Internal, Str::from_static("the gateway failed: try again")), None)
}

fn of_resolve(error: &ResolveError, text: &Str) -> ErrorInfo {
    let model = |class| ErrorInfo { param: Some(Str::from_static("model")), ..ErrorInfo::new(class, text.clone()) };
    match error {
        ResolveError::Unknown { .. } => model(ErrorClass::ModelNotFound),
        ResolveError::NotReady { .. } => model(ErrorClass::ModelNotFound).with_code("provider_not_ready"),
        ResolveError::Unnamed { .. } => model(ErrorClass::InvalidRequest).with_code("missing_parameter"),
        ResolveError::Forbidden { .. } => model(ErrorClass::Permission).with_code("model_not_allowed"),
        ResolveError::Fixed { .. } => model(ErrorClass::InvalidRequest).with_code("model_fixed_by_route"),
        _ => model(ErrorClass::InvalidRequest),
    }
}
