//! From a request's head to the route that takes it.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderValue, Response, request};
use lockgate_filters::{
    dialects::{self, Dialect},
    model::Str,
};
use lockgate_layers::{
    BoxError,
    body::Body,
    record::{Closer, Record},
    translate::PathCall,
};

use super::{Gateway, REQUEST_ID, Route};
use crate::{
    edge::head::HeadError,
    errors::{self, RouteError},
    routes::{Captures, Lookup},
};

/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// A request that a route has taken.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The route.
    pub route: Arc<Route>,
    /// The dialect of answers that the gateway itself gives.
    pub dialect: &'static dyn Dialect,
    /// The exchange's record.
    pub record: Arc<Record>,
    /// The request's id.
    pub request_id: HeaderValue,
}

/// What becomes of a request whose head has come.
#[derive(Debug)]
pub enum Admission {
    /// A route takes it.
    Admitted(Admitted),
    /// It is answered at once.
    Refused(Admitted, Response<Body>),
}

impl Gateway {
    /// Finds the route of a request, opens its record, and puts into its extensions what the stack reads.
    pub fn admit(
        &self,
        parts: &mut request::Parts,
        client: Option<SocketAddr>,
        unsound: Option<HeadError>,
    ) -> Admission {
        let path = parts.uri.path();
        let lookup = self.routes.find(&parts.method, path);
        let (route, captures, refusal): (_, _, Option<BoxError>) = match lookup {
            _ if unsound.is_some() => (&self.fallback, Captures::default(), unsound.map(Into::into)),
            Lookup::Found(route, captures) => (route, captures, None),
            Lookup::WrongMethod(allowed) => {
                (&self.fallback, Captures::default(), Some(RouteError::method(&parts.method, path, &allowed).into()))
            }
            Lookup::Unknown => (&self.fallback, Captures::default(), Some(RouteError::unknown(path).into())),
        };
        let dialect = route.dialects.first().copied().unwrap_or_else(|| dialect_of(path, &parts.headers));
        let (id, request_id) = request_id(parts.headers.get(REQUEST_ID));
        let mut record = Record::new(id, route.name.clone(), parts.method.clone(), Str::from(path), dialect.name());
        record.client = client;
        let admitted = Admitted { route: route.clone(), dialect, record: Arc::new(record), request_id };
        if route.recorded || refusal.is_some() {
            self.observer.begin(&admitted.record);
        }
        if let Some(error) = refusal {
            let answer = errors::answer(error, dialect, &admitted.record);
            let closer = Closer::new(admitted.record.clone(), self.sink());
            return Admission::Refused(admitted, answer.map(|body| body.with_guard(closer)));
        }
        parts.extensions.insert(admitted.record.clone());
        insert_captures(parts, captures);
        Admission::Admitted(admitted)
    }
}

fn insert_captures(parts: &mut request::Parts, captures: Captures) {
    if captures.is_empty() {
        return;
    }
    let call = PathCall { model: captures.get("model").map(Str::from), verb: captures.verb().map(Str::from) };
    parts.extensions.insert(call);
    parts.extensions.insert(captures);
}

/// The dialect of a path that says it, and of a request whose headers do.
fn dialect_of(path: &str, headers: &http::HeaderMap) -> &'static dyn Dialect {
    let name = if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        "anthropic"
    } else if path.starts_with("/v1beta") || path.starts_with("/v1alpha") {
        "gemini"
    } else if path.starts_with("/model/") {
        "bedrock"
    } else {
        "openai"
    };
    dialects::find(name, "llm/v1/chat").unwrap_or(dialects::DIALECTS[0])
}

/// The client's request id if it is one, else a new one.
fn request_id(sent: Option<&HeaderValue>) -> (Str, HeaderValue) {
    if let Some(value) = sent {
        let bytes = value.as_bytes();
        if (1..=MAX_REQUEST_ID).contains(&bytes.len())
            && bytes.iter().all(u8::is_ascii_graphic)
            && let Ok(text) = value.to_str()
        {
            return (Str::from(text), value.clone());
        }
    }
    let mut buffer = uuid::Uuid::encode_buffer();
    let text = Str::from(&*uuid::Uuid::new_v4().hyphenated().encode_lower(&mut buffer));
    let value = HeaderValue::from_maybe_shared(text.clone().into_bytes());
    (text, value.unwrap_or_else(|_| HeaderValue::from_static("invalid")))
}
