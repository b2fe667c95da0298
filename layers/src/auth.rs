//! Gateway keys: who may use the gateway.
//!
//! Stands before anything that costs. A key is looked up by its SHA-256, so neither the table nor the time that a
//! lookup takes says anything about the keys in it, and is compared in constant time. Without keys the layer lets
//! everybody pass; whether that is allowed was decided when the configuration was loaded.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use http::{HeaderMap, Request, Response, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower::{Layer, Service};

use crate::{BoxError, body::Body, record::Record};

/// SHA-256 of a key.
pub type KeyHash = [u8; 32];

/// The hash under which a key is known.
pub fn hash_key(key: &[u8]) -> KeyHash {
    Sha256::digest(key).into()
}

/// Who a key belongs to, and what it may do.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The key's name, for logs.
    pub name: Arc<str>,
    /// Whose it is (`/org/team/user`).
    pub path: Option<Arc<str>>,
    /// Models that it may use, as names with `*`; empty for all.
    pub models: Vec<String>,
    /// Paths that it may use, with `*`, or routes by their path pattern; empty for all.
    pub routes: Vec<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// What its owner wants to find in the access line, by name.
    pub labels: Vec<(String, String)>,
}

impl Identity {
    /// Whether the key may use a model.
    pub fn allows_model(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| matches(pattern, model))
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut last = "";
    for piece in pieces {
        last = piece;
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    last.is_empty() || text.ends_with(last)
}

/// The keys, by hash.
#[derive(Debug, Default)]
pub struct Keys(HashMap<KeyHash, Arc<Identity>>);

impl Keys {
    /// A table of keys.
    pub fn new(keys: impl IntoIterator<Item = (KeyHash, Identity)>) -> Self {
        Self(keys.into_iter().map(|(hash, identity)| (hash, Arc::new(identity))).collect())
    }

    /// Whether there are none, so that everybody may pass.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key it is.
    pub fn find(&self, key: &[u8]) -> Option<&Arc<Identity>> {
        let hash = hash_key(key);
        let (known, identity) = self.0.get_key_value(&hash)?;
        bool::from(known.ct_eq(&hash)).then_some(identity)
    }
}

/// Why a caller may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no key at all.
    #[error("no gateway key: send one as `Authorization: Bearer <key>`, `x-api-key` or `x-goog-api-key`")]
    Missing,
    /// The `Authorization` header is not of the form that is understood.
    #[error("the `Authorization` header must have the form `Bearer <key>`")]
    Malformed,
    /// The request is signed by AWS's rules, which is no way to show a gateway key.
    #[error(
        "this gateway takes no AWS signatures: send a gateway key as `Authorization: Bearer <key>`; AWS SDKs do if \
         `AWS_BEARER_TOKEN_BEDROCK` holds it"
    )]
    Signed,
    /// Nobody has this key.
    #[error("this gateway key is not valid: check it, or ask whoever runs this gateway for one")]
    Unknown,
    /// The key has ended.
    #[error("this gateway key has expired: ask whoever runs this gateway for a new one")]
    Expired,
    /// The key may not use this route.
    #[error("this gateway key does not allow this route: ask whoever runs this gateway")]
    Route,
}

/// The key that a request carries.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn key_of<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Result<&'a [u8], AuthError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.as_bytes();
        let (scheme, key) = value.split_at_checked(7).ok_or(AuthError::Malformed)?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            let signed = value.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"aws4-"));
            return Err(if signed { AuthError::Signed } else { AuthError::Malformed });
        }
        return Ok(key.trim_ascii());
    }
    let in_header = ["x-api-key", "x-goog-api-key", "api-key"].iter().find_map(|name| headers.get(*name));
    if let Some(value) = in_header {
        return Ok(value.as_bytes().trim_ascii());
    }
    let in_query = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
    in_query.map(str::as_bytes).ok_or(AuthError::Missing)
}

/// Lets only callers with a key pass.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    keys: Arc<Keys>,
    route: Arc<str>,
}

impl AuthLayer {
    /// Checks against `keys`, for the route that has the path pattern `route`.
    pub fn new(keys: Arc<Keys>, route: Arc<str>) -> Self {
        Self { keys, route }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth { inner, keys: self.keys.clone(), route: self.route.clone() }
    }
}

/// Lets only callers with a key pass. Sets an `Arc<Identity>` in the request's extensions, which
/// [`crate::resolve`] reads.
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    keys: Arc<Keys>,
    route: Arc<str>,
}

impl<S> Auth<S> {
    fn check(&self, req: &mut Request<Body>) -> Result<(), AuthError> {
        if self.keys.is_open() {
            return Ok(());
        }
        let key = key_of(req.headers(), req.uri().query())?;
        let identity = self.keys.find(key).ok_or(AuthError::Unknown)?.clone();
        if identity.expires.is_some_and(|end| end <= SystemTime::now()) {
            return Err(AuthError::Expired);
        }
        let path = req.uri().path();
        let allows = |pattern: &String| matches(pattern, path) || matches(pattern, &self.route);
        if !identity.routes.is_empty() && !identity.routes.iter().any(allows) {
            return Err(AuthError::Route);
        }
        if let Some(record) = req.extensions().get::<Arc<Record>>() {
            record.note(|facts| facts.key = Some(identity.clone()));
        }
        req.extensions_mut().insert(identity);
        Ok(())
    }
}

impl<S> Service<Request<Body>> for Auth<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = futures_util::future::Either<S::Future, std::future::Ready<Result<Response<Body>, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut req: Request<Body>) -> Self::Future {
        match self.check(&mut req) {
            Ok(()) => futures_util::future::Either::Left(self.inner.call(req)),
            Err(error) => futures_util::future::Either::Right(std::future::ready(Err(error.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let identity = Identity {
            name: "alice".into(),
            path: None,
            models: vec!["openai/*".to_owned(), "fast".to_owned()],
            routes: Vec::new(),
            expires: None,
            labels: Vec::new(),
        };
        Keys::new([(hash_key(b"sk-alice"), identity)])
    }

    #[test]
    fn every_way_to_carry_a_key_is_read() {
        for (name, value) in [
            ("authorization", "Bearer sk-alice"),
            ("authorization", "bearer  sk-alice"),
            ("x-api-key", "sk-alice"),
            ("x-goog-api-key", "sk-alice"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header value"));
            let key = key_of(&headers, None).expect("there is a key");
            assert!(keys().find(key).is_some(), "{name}: {value}");
        }
        assert_eq!(key_of(&HeaderMap::new(), Some("alt=sse&key=sk-alice")), Ok(&b"sk-alice"[..]));
        assert_eq!(key_of(&HeaderMap::new(), None), Err(AuthError::Missing));
    }

    #[test]
    fn a_signature_of_aws_is_no_key() {
        let mut headers = HeaderMap::new();
        let signature = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, Signature=00";
        headers.insert("authorization", signature.parse().expect("a header value"));
        assert_eq!(key_of(&headers, None), Err(AuthError::Signed));
        headers.insert("authorization", "Basic eDp5".parse().expect("a header value"));
        assert_eq!(key_of(&headers, None), Err(AuthError::Malformed));
    }

    #[test]
    fn patterns_match_whole_names() {
        let identity = keys().find(b"sk-alice").expect("known").clone();
        assert!(identity.allows_model("openai/gpt-5"));
        assert!(identity.allows_model("fast"));
        assert!(!identity.allows_model("faster"));
        assert!(!identity.allows_model("anthropic/claude"));
        assert!(matches("*-mini", "gpt-5-mini"));
        assert!(matches("a*b*b", "axbxb"));
        assert!(!matches("a*b", "axbx"));
    }
}
