//! `/p/{provider}/...`: which provider, which path there. The bytes are Pingora's business.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, Uri, header};
use lockgate_config::join_path;
use lockgate_filters::{
    dialects::{Tap, TapSpec, Upstream},
    model::{ErrorClass, ErrorInfo, Usage},
};
use lockgate_layers::{BoxError, auth::Identity, body::Body, record::Record, target::Endpoint, translate::unusable};
use tower::Service;

use crate::{gateway::Models, routes::Captures};

/// A whole answer is looked into up to this size.
const MAX_METERED: usize = 256 << 10;

/// Chooses where a passthrough request goes, and answers with a [`Handoff`] in the response's extensions.
#[derive(Clone, Debug)]
pub struct Passthrough {
    models: Arc<Models>,
    rules: Arc<lockgate_config::Passthrough>,
    upload_limit: u64,
}

/// What is left to do once the stack has let a head pass.
#[derive(Clone)]
pub struct Handoff {
    /// The provider.
    pub endpoint: Arc<Endpoint>,
    /// Path and query there.
    pub uri: Uri,
    /// Most bytes that the caller may send.
    pub upload_limit: u64,
    /// Looks for usage in the answer.
    pub meter: Meter,
    /// Headers in which callers send keys for providers, sorted.
    caller_keys: Arc<[String]>,
}

impl std::fmt::Debug for Handoff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handoff").field("endpoint", &self.endpoint.name).finish_non_exhaustive()
    }
}

impl Handoff {
    /// Whether a header carries a caller's key for some provider.
    pub fn is_caller_key(&self, name: &str) -> bool {
        self.caller_keys.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }
}

impl Passthrough {
    /// Passes requests to the providers of `models`, as far as `rules` allow.
    pub fn new(models: Arc<Models>, rules: lockgate_config::Passthrough, upload_limit: u64) -> Self {
        Self { models, rules: Arc::new(rules), upload_limit }
    }

    fn handoff(&self, req: &Request<Body>) -> Result<Handoff, ErrorInfo> {
        let captures = req.extensions().get::<Captures>();
        let capture = |name| captures.and_then(|captures| captures.get(name)).unwrap_or_default();
        let (provider, rest) = (capture("provider"), capture("rest").trim_start_matches('/'));
        let endpoint = self.models.provider(provider).ok_or_else(|| self.not_enabled(provider))?;
        if !self.rules.allows(&endpoint.name, rest) {
            return Err(self.not_enabled(provider));
        }
        if let Some(why) = &endpoint.unfilled {
            return Err(unusable(&endpoint.name, why));
        }
        // What passes untouched may name any model: a key that is held to some may only pass where all are allowed.
        let identity = req.extensions().get::<Arc<Identity>>();
        if identity.is_some_and(|identity| !identity.allows_model(&format!("{}/*", endpoint.name))) {
            let message = format!(
                "this gateway key does not allow all models of `{0}`: ask for `{0}/*` in its `models`, or use a \
                 translated route",
                endpoint.name
            );
            return Err(ErrorInfo::new(ErrorClass::Permission, message).with_code("model_not_allowed"));
        }
        let rest = self.alias(rest)?;
        // Endpoints at a further host of the provider are not reached here.
        let own = || endpoint.faces.iter().filter(|face| face.at.is_none());
        let known: Vec<&str> = own().map(|face| face.path.as_str()).collect();
        let path = upstream_path(&endpoint.prefix, rest, &known);
        let uri = match req.uri().query().and_then(without_gateway_key) {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        };
        let uri =
            uri.parse().map_err(|_| ErrorInfo::invalid("path", "the path cannot be sent on: percent-encode it"))?;
        if let Some(record) = req.extensions().get::<Arc<Record>>() {
            record.note(|facts| {
                facts.provider = Some(endpoint.name.clone());
                facts.attempts = 1;
            });
        }
        let face = own().find(|face| face.path == path);
        Ok(Handoff {
            meter: Meter::new(face.map(|face| face.dialect)),
            endpoint,
            uri,
            upload_limit: self.upload_limit,
            caller_keys: self.models.caller_keys().clone(),
        })
    }

    /// Applies the rule for a leading `v1/`.
    fn alias<'a>(&self, rest: &'a str) -> Result<&'a str, ErrorInfo> {
        if rest.is_empty() || rest == "v1" {
            return Err(ErrorInfo::invalid(
                "path",
                "provider passthrough endpoint is required: add it after the provider",
            ));
        }
        if !self.rules.v1_alias && rest.starts_with("v1/") {
            return Err(ErrorInfo::invalid("path", "leave the `v1/` prefix out: `passthrough.v1_alias` is off"));
        }
        Ok(rest)
    }

    fn not_enabled(&self, provider: &str) -> ErrorInfo {
        let enabled = self.models.provider_names();
        let enabled = enabled.into_iter().filter(|name| self.rules.allows(name, "")).collect::<Vec<_>>().join(", ");
        let short: String = provider.chars().take(100).collect();
        let message = if enabled.is_empty() {
            format!("provider passthrough for `{short}` is not enabled for any providers")
        } else {
            format!("provider passthrough for `{short}` is not enabled; currently enabled providers: {enabled}")
        };
        ErrorInfo::new(ErrorClass::InvalidRequest, message).with_code("passthrough_not_enabled")
    }
}

/// The path at the provider. `v1/` is added where the caller left it out and the provider knows the endpoint only
/// with it; where the base URL ends in it, it counts once.
fn upstream_path(prefix: &str, rest: &str, known: &[&str]) -> String {
    let with_version = join_path(prefix, &format!("v1/{rest}"));
    if known.contains(&with_version.as_str()) {
        return with_version;
    }
    join_path(prefix, rest)
}

/// The query without a gateway key in it; `None` if nothing is left.
fn without_gateway_key(query: &str) -> Option<String> {
    if !query.split('&').any(|pair| pair.starts_with("key=")) {
        return Some(query.to_owned());
    }
    let left: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("key=")).collect();
    (!left.is_empty()).then(|| left.join("&"))
}

impl Service<Request<Body>> for Passthrough {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Body>) -> Self::Future {
        ready(self.handoff(&req).map_err(Into::into).map(|handoff| {
            let mut rsp = Response::new(Body::empty());
            rsp.extensions_mut().insert(handoff);
            rsp
        }))
    }
}

/// Reads usage from an answer that nobody may touch.
#[derive(Default)]
pub struct Meter {
    dialect: Option<&'static dyn Upstream>,
    state: Metering,
    scratch: Vec<Bytes>,
}

#[derive(Default)]
enum Metering {
    #[default]
    Off,
    Stream(Box<dyn Tap>),
    Whole(BytesMut),
}

impl Clone for Meter {
    fn clone(&self) -> Self {
        Self::new(self.dialect)
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl Meter {
    fn new(dialect: Option<&'static dyn Upstream>) -> Self {
        Self { dialect, state: Metering::Off, scratch: Vec::new() }
    }

    /// The answer's head has come.
    pub fn begin(&mut self, headers: &HeaderMap, status: u16) {
        let Some(dialect) = self.dialect.filter(|_| status == 200 && !headers.contains_key(header::CONTENT_ENCODING))
        else {
            return;
        };
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        if kind.starts_with(b"text/event-stream") {
            self.state = Metering::Stream(dialect.tap(TapSpec::default()));
        } else if kind.starts_with(b"application/json") {
            self.state = Metering::Whole(BytesMut::new());
        }
    }

    /// A chunk of the answer passes.
    pub fn feed(&mut self, chunk: &Bytes) {
        match &mut self.state {
            Metering::Off => {}
            Metering::Stream(tap) => {
                tap.feed(chunk.clone(), &mut self.scratch);
                self.scratch.clear();
            }
            Metering::Whole(held) if held.len() + chunk.len() <= MAX_METERED => held.extend_from_slice(chunk),
            Metering::Whole(_) => self.state = Metering::Off,
        }
    }

    /// What was found.
    pub fn finish(&mut self) -> Option<Usage> {
        match std::mem::take(&mut self.state) {
            Metering::Off => None,
            Metering::Stream(tap) => tap.usage().copied(),
            Metering::Whole(held) => self.dialect?.inspect_response(&held.freeze()).usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_goes_out() {
        let known = ["/v1/messages"];
        assert_eq!(upstream_path("", "messages", &known), "/v1/messages");
        assert_eq!(upstream_path("", "v1/messages", &known), "/v1/messages");
        assert_eq!(upstream_path("", "v1/files/x", &known), "/v1/files/x");
        assert_eq!(upstream_path("/v1", "v1/models", &["/v1/chat/completions"]), "/v1/models");
        assert_eq!(upstream_path("/api", "v1/models", &["/api/v1/chat/completions"]), "/api/v1/models");
    }

    #[test]
    fn a_gateway_key_in_the_query_stays_here() {
        assert_eq!(without_gateway_key("a=1&b=%2F"), Some("a=1&b=%2F".to_owned()));
        assert_eq!(without_gateway_key("key=sk&b=2"), Some("b=2".to_owned()));
        assert_eq!(without_gateway_key("key=sk"), None);
    }
}
