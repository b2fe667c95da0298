//! Why a medium could not be had.

use lockgate_filters::model::Str;

/// Why a medium could not be had. The texts are for the client: what is wrong, and nothing of the gateway's network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is none that can be asked for.
    #[error("the URL is not valid: {0}")]
    Url(&'static str),
    /// The URL leads where the gateway does not go.
    #[error("the gateway may not go there: {0}")]
    NotAllowed(&'static str),
    /// No connection, or the exchange broke off.
    #[error("the server cannot be reached: {0}")]
    Unreachable(&'static str),
    /// The server refused.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// One redirect led to another.
    #[error("the server redirects more than {0} times")]
    Redirects(u32),
    /// It took too long.
    #[error("the server took longer than {0:?}")]
    Timeout(std::time::Duration),
    /// There is more of it than may be.
    #[error("it is too large: the media of one request may have {limit} bytes together")]
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// The request names more URLs than are fetched.
    #[error("the request has more than {0} of them")]
    TooMany(usize),
    /// What came is not what the request says that it is.
    #[error("it is of the wrong type: expected {expected}, the server sent {found}")]
    WrongType {
        /// What would have been right.
        expected: &'static str,
        /// What it looks like, or what the server calls it.
        found: Str,
    },
}

impl FetchError {
    /// The word for metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Url(_) => "invalid_url",
            Self::NotAllowed(_) => "not_allowed",
            Self::Unreachable(_) => "unreachable",
            Self::Status(_) => "status",
            Self::Redirects(_) => "redirects",
            Self::Timeout(_) => "timeout",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany(_) => "too_many",
            Self::WrongType { .. } => "wrong_type",
        }
    }
}
