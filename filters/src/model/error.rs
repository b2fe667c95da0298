//! Errors: what a dialect says to its client, and what a filter says to its caller.

use super::Str;

/// An error in a form that every dialect can write and every dialect's errors can be read into.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorInfo {
    /// What sort of failure.
    pub class: ErrorClass,
    /// A stable machine-readable code (`model_not_found`), where there is a better one than the class's own.
    pub code: Option<Str>,
    /// What happened and what to do next; safe for the client to read.
    pub message: Str,
    /// The request member at fault, as the client's dialect names it.
    pub param: Option<Str>,
    /// Seconds after which a retry may help.
    pub retry_after: Option<u64>,
    /// The status that the upstream answered with, if one did.
    pub upstream_status: Option<u16>,
}

impl ErrorInfo {
    /// An error of a class, with a message.
    pub fn new(class: ErrorClass, message: impl Into<Str>) -> Self {
        Self { class, code: None, message: message.into(), param: None, retry_after: None, upstream_status: None }
    }

    /// A request that cannot be understood: `param` names the member.
    pub fn invalid(param: impl Into<Str>, message: impl Into<Str>) -> Self {
        Self { param: Some(param.into()), ..Self::new(ErrorClass::InvalidRequest, message) }
    }

    /// The same error with a code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Str>) -> Self {
        self.code = Some(code.into());
        self
    }
}

impl std::fmt::Display for ErrorInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ErrorInfo {}

/// Sorts of failure. Each has one HTTP status and one name in every dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The request is malformed or asks for what cannot be. 400.
    InvalidRequest,
    /// The prompt is longer than the model's window. 400.
    ContextTooLong,
    /// No valid credential. 401.
    Auth,
    /// Money has run out. 402.
    Billing,
    /// The credential does not allow it. 403.
    Permission,
    /// No such route or object. 404.
    NotFound,
    /// No such model. 404.
    ModelNotFound,
    /// The path exists, the method does not. 405.
    MethodNotAllowed,
    /// The client was too slow to send its request. 408.
    RequestTimeout,
    /// The state of the object forbids it. 409.
    Conflict,
    /// The body is larger than the limit. 413.
    TooLarge,
    /// Too many requests. 429.
    RateLimit,
    /// The gateway itself failed. 500.
    Internal,
    /// The upstream failed, cut off, or answered nonsense. 502.
    Upstream,
    /// The upstream refused the gateway's own credential. 502, so that clients do not drop theirs.
    UpstreamAuth,
    /// Nobody can serve it now. 503 (529 in Anthropic's dialect).
    Overloaded,
    /// The upstream was too slow. 504.
    Timeout,
    /// The client has gone. 499 in logs; nobody reads it.
    Cancelled,
}

impl ErrorClass {
    /// The HTTP status of this class, in dialects without a word of their own.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ContextTooLong => 400,
            Self::Auth => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound | Self::ModelNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimit => 429,
            Self::Internal => 500,
            Self::Upstream | Self::UpstreamAuth => 502,
            Self::Overloaded => 503,
            Self::Timeout => 504,
            Self::Cancelled => 499,
        }
    }

    /// The class of an upstream's HTTP status.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Auth,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            499 => Self::Cancelled,
            400..=499 => Self::InvalidRequest,
            503 | 529 => Self::Overloaded,
            _ => Self::Upstream,
        }
    }

    /// The code that goes with the class where nothing better is known.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::ContextTooLong => "context_length_exceeded",
            Self::Auth => "invalid_api_key",
            Self::Billing => "insufficient_quota",
            Self::Permission => "permission_denied",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::Conflict => "conflict",
            Self::TooLarge => "request_too_large",
            Self::RateLimit => "rate_limit_exceeded",
            Self::Internal => "internal_error",
            Self::Upstream => "upstream_error",
            Self::UpstreamAuth => "upstream_auth",
            Self::Overloaded => "overloaded",
            Self::Timeout => "upstream_timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A filter could not read what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// An event or a body is not the JSON that the dialect says.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// The parser's complaint. Holds no content.
        detail: String,
    },
    /// An event or a line is longer than [`crate::sse::MAX_EVENT_BYTES`].
    #[error("an event is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The bytes of an event are not UTF-8.
    #[error("an event is not UTF-8")]
    NotUtf8,
}

impl FilterError {
    /// A malformed piece, with the parser's complaint (position and kind; never content).
    pub fn malformed(what: &'static str, detail: &impl std::fmt::Display) -> Self {
        Self::Malformed { what, detail: detail.to_string() }
    }
}
