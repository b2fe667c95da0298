//! A request as a client writes it.

use bytes::Bytes;
use serde_json::Value;

/// A request: what is not said is what a plain client would send.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

// === impl Ask ===

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of JSON.
    pub(crate) fn post(target: &str, body: &Value) -> Self {
        Self::post_text(target, &body.to_string())
    }

    /// A POST of JSON as it was written.
    pub(crate) fn post_text(target: &str, body: &str) -> Self {
        Self::new("POST", target).header("content-type", "application/json").body(body.to_owned())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes of the head, with a `content-length` where there is a body or could be one.
    pub(crate) fn head_bytes(&self, length: usize) -> Vec<u8> {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.target), "host: gateway.test".to_owned()];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let framed = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        if !framed && (length > 0 || !matches!(self.method.as_str(), "GET" | "HEAD")) {
            lines.push(format!("content-length: {length}"));
        }
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }

    /// The bytes of the whole request.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head_bytes(self.body.len());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
