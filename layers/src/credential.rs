//! Puts the provider's key on a request: the gateway's own, or one that the caller sent for this provider.
//!
//! Innermost but for the connection itself, so that no other layer ever holds a key.

use http::{HeaderMap, HeaderValue, Request, Response, Uri, header, uri::PathAndQuery};
use lockgate_filters::model::Str;
use tower::{Layer, Service};

use crate::{
    BoxError,
    body::Body,
    target::{Credential, Endpoint},
};

/// The provider has no key that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("provider `{provider}` has no key: {hint}")]
pub struct NoCredential {
    /// The provider.
    pub provider: Str,
    /// What would give it one.
    pub hint: Str,
}

/// A request on its way to a provider.
#[derive(Debug)]
pub struct Outgoing {
    /// The provider.
    pub endpoint: std::sync::Arc<Endpoint>,
    /// The connect timeout of the target.
    pub connect: std::time::Duration,
    /// The key that the caller sent for this provider, if any.
    pub caller_key: Option<HeaderValue>,
    /// The request; its URI is a path until this layer and the connection below complete it.
    pub request: Request<Body>,
}

/// The key that the caller sent for this provider, if callers may send one.
pub fn caller_key(headers: &HeaderMap, endpoint: &Endpoint) -> Option<HeaderValue> {
    headers.get(endpoint.caller_key.as_ref()?).cloned()
}

/// Puts keys on requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct CredentialLayer;

impl<S> Layer<S> for CredentialLayer {
    type Service = CredentialService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CredentialService { inner }
    }
}

/// Puts keys on requests.
#[derive(Clone, Copy, Debug)]
pub struct CredentialService<S> {
    inner: S,
}

impl<S> Service<Outgoing> for CredentialService<S>
where
    S: Service<Outgoing, Response = Response<Body>, Error = BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = futures_util::future::Either<S::Future, std::future::Ready<Result<Response<Body>, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut out: Outgoing) -> Self::Future {
        let caller_key = out.caller_key.take();
        let uri = out.request.uri().clone();
        match sign(&out.endpoint, caller_key.as_ref(), &uri, out.request.headers_mut()) {
            Ok(None) => {}
            Ok(Some(uri)) => *out.request.uri_mut() = uri,
            Err(error) => return futures_util::future::Either::Right(std::future::ready(Err(error.into()))),
        }
        futures_util::future::Either::Left(self.inner.call(out))
    }
}

/// Writes the credential into `headers`, or gives the URI that carries it in its query.
///
/// # Errors
/// If the provider wants a key and there is none.
pub fn sign(
    endpoint: &Endpoint,
    caller_key: Option<&HeaderValue>,
    uri: &Uri,
    headers: &mut HeaderMap,
) -> Result<Option<Uri>, NoCredential> {
    let missing = || NoCredential {
        provider: endpoint.name.clone(),
        hint: endpoint.key_hint.clone().unwrap_or_else(|| Str::from_static("configure `api_key`")),
    };
    match &endpoint.credential {
        Credential::None => Ok(None),
        Credential::Header { name, prefix, value } => {
            let value = match caller_key {
                None => value.clone(),
                Some(key) => header_value(prefix, key),
            };
            headers.insert(name.clone(), value.ok_or_else(missing)?);
            Ok(None)
        }
        Credential::Query { name, value } => {
            let own = value.as_ref().map(|hidden| hidden.0.to_string());
            let from_caller = caller_key.and_then(|key| key.to_str().ok()).map(crate::target::encode_segment);
            let key = from_caller.or(own).ok_or_else(missing)?;
            let path = uri.path();
            let path = match uri.query() {
                Some(query) => format!("{path}?{query}&{name}={key}"),
                None => format!("{path}?{name}={key}"),
            };
            let mut parts = uri.clone().into_parts();
            parts.path_and_query = Some(path.parse::<PathAndQuery>().map_err(|_| missing())?);
            Uri::from_parts(parts).map(Some).map_err(|_| missing())
        }
    }
}

/// A sensitive header value of prefix and key; a caller may send the prefix itself.
fn header_value(prefix: &str, key: &HeaderValue) -> Option<HeaderValue> {
    let key = key.as_bytes();
    let bare = match key.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix.as_bytes()) => key.get(prefix.len()..)?,
        _ => key,
    };
    let mut value = HeaderValue::from_bytes(&[prefix.as_bytes(), bare].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Request headers that carry a caller's own credentials. They never reach a provider.
pub static CALLER_CREDENTIALS: [http::HeaderName; 6] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    http::HeaderName::from_static("x-api-key"),
    http::HeaderName::from_static("x-goog-api-key"),
    http::HeaderName::from_static("api-key"),
];
