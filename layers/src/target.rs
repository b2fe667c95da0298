//! Where a request may go: a provider, a model there, and how to speak to it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, uri::Authority};
use lockgate_filters::{dialects::Upstream, model::Str};

/// One place that can serve a model. Built when the configuration is loaded, shared by all requests.
#[derive(Debug)]
pub struct Target {
    /// The provider's name in the configuration.
    pub provider: Str,
    /// The model as the provider names it.
    pub model: Str,
    /// How to reach the provider, shared by all its targets.
    pub endpoint: std::sync::Arc<Endpoint>,
    /// How long each phase may take.
    pub timeouts: Timeouts,
}

/// A provider, as the stack needs to know it.
#[derive(Debug)]
pub struct Endpoint {
    /// The provider's name in the configuration.
    pub name: Str,
    /// `true` for TLS.
    pub tls: bool,
    /// Host and port.
    pub authority: Authority,
    /// The path before every endpoint's, without a slash at its end.
    pub prefix: String,
    /// The dialects that it speaks, the preferred one first. None where it has no conversations.
    pub faces: Vec<Face>,
    /// What it has in their place, for the message to who asks for one.
    pub instead: Option<Str>,
    /// Named quirks.
    pub quirks: Vec<String>,
    /// Whether it accepts a request for usage in a stream.
    pub usage_in_stream: bool,
    /// Headers sent on every request.
    pub headers: HeaderMap,
    /// Where its credential goes.
    pub credential: Credential,
    /// The request header in which a caller may send a key of its own for this provider; `None` if callers may not.
    pub caller_key: Option<HeaderName>,
    /// Which setting would give the provider its key, for the message when there is none.
    pub key_hint: Option<Str>,
    /// Which values of its URLs or headers are missing, and what would give them; nothing can be sent to it then.
    pub unfilled: Option<Str>,
    /// How long each phase may take where no target says otherwise.
    pub timeouts: Timeouts,
}

/// A dialect that a provider speaks, and where.
#[derive(Debug)]
pub struct Face {
    /// The dialect.
    pub dialect: &'static dyn Upstream,
    /// The host of this endpoint alone, where it is another: the same provider but for its address.
    pub at: Option<std::sync::Arc<Endpoint>>,
    /// Path of a whole answer, from the root of the host; may hold `{model}`.
    pub path: String,
    /// Path, and query if there is one, of a streamed answer.
    pub stream_path: String,
}

impl Face {
    /// The path for one request. The model is percent-encoded so that it cannot leave its segment.
    pub fn path_for(&self, model: &str, streamed: bool) -> std::borrow::Cow<'_, str> {
        let template = if streamed { &self.stream_path } else { &self.path };
        if template.contains("{model}") {
            template.replace("{model}", &encode_segment(model)).into()
        } else {
            template.as_str().into()
        }
    }
}

/// Percent-encodes all that is not unreserved (RFC 3986, section 2.3), so that the text is one path segment.
pub fn encode_segment(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        // A dot is unreserved, but a segment of dots alone would be resolved away.
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b':' | b'@');
        let inner_dot = byte == b'.' && !text.bytes().all(|byte| byte == b'.');
        if plain || inner_dot {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// A provider's credential, ready to be sent.
#[derive(Clone, Debug)]
pub enum Credential {
    /// In a header. Without a value, only a caller's own key can be used.
    Header {
        /// The header.
        name: HeaderName,
        /// What stands before the key, with its blank (`Bearer `).
        prefix: Str,
        /// Prefix and key, marked sensitive.
        value: Option<HeaderValue>,
    },
    /// In the query.
    Query {
        /// The parameter.
        name: Str,
        /// The key, percent-encoded. Not shown by `Debug`.
        value: Option<Hidden>,
    },
    /// The provider wants none.
    None,
}

/// Text that no log shows.
#[derive(Clone)]
pub struct Hidden(pub Str);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How long each phase of an attempt may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the first meaningful event, from the start of the attempt.
    pub first_event: Duration,
    /// Between two chunks of a streamed answer.
    pub between_events: Duration,
    /// For which a streamed answer is held back to wait for its first meaningful event.
    pub commit: Duration,
    /// For a whole attempt, its answer included; `None` if only the exchange has a limit.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_event: Duration::from_mins(2),
            between_events: Duration::from_mins(2),
            commit: Duration::from_secs(10),
            total: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_cannot_leave_its_segment() {
        assert_eq!(encode_segment("gemini-2.5-pro"), "gemini-2.5-pro");
        assert_eq!(encode_segment("../../admin?x#y"), "..%2F..%2Fadmin%3Fx%23y");
        assert_eq!(encode_segment(".."), "%2E%2E");
        assert_eq!(encode_segment("é"), "%C3%A9");
    }
}
