//! From a request's head to the route that takes it.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Response, request};
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
use tokio::time::Instant;

use super::{Gateway, REQUEST_ID, Route};
use crate::{
    edge::head::HeadError,
    errors::{self, RouteError},
    routes::{Captures, Lookup},
};

/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// The longest path of a refused head that is put on record.
const MAX_REFUSED_PATH: usize = 1024;

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

/// What is known of a request that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct Unread<'a> {
    /// The client's address.
    pub client: Option<SocketAddr>,
    /// Method and target, if that much has come; neither was checked.
    pub line: Option<(&'a [u8], &'a [u8])>,
    /// When it began.
    pub since: Instant,
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
            let answer = self.refused(&admitted, error);
            return Admission::Refused(admitted, answer);
        }
        parts.extensions.insert(admitted.record.clone());
        insert_captures(parts, captures);
        Admission::Admitted(admitted)
    }

    /// Opens the record of what cannot be read, and answers it. The record closes with the answer's body.
    pub fn refuse(&self, unread: &Unread<'_>, error: BoxError) -> (Admitted, Response<Body>) {
        let (method, target) = unread.line.unwrap_or((b"-", b"-"));
        let method = Method::from_bytes(method).or_else(|_| Method::from_bytes(b"-")).unwrap_or_default();
        let path = refused_path(target);
        let dialect = dialect_of(&path, &HeaderMap::new());
        let (id, request_id) = request_id(None);
        let mut record = Record::new(id, self.fallback.name.clone(), method, Str::from(path), dialect.name());
        record.client = unread.client;
        record.started = unread.since;
        let admitted = Admitted { route: self.fallback.clone(), dialect, record: Arc::new(record), request_id };
        self.observer.begin(&admitted.record);
        let answer = self.refused(&admitted, error);
        (admitted, answer)
    }

    fn refused(&self, admitted: &Admitted, error: BoxError) -> Response<Body> {
        let answer = errors::answer(error, admitted.dialect, &admitted.record);
        let closer = Closer::new(admitted.record.clone(), self.sink());
        answer.map(|body| body.with_guard(closer))
    }
}

/// The path of a target that nobody has checked, without its query; `-` for another form, which may hold a password.
fn refused_path(target: &[u8]) -> String {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match path {
        [b'/', ..] => String::from_utf8_lossy(path.get(..MAX_REFUSED_PATH).unwrap_or(path)).into_owned(),
        _ => "-".to_owned(),
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
fn dialect_of(path: &str, headers: &HeaderMap) -> &'static dyn Dialect {
    let name = if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        "anthropic"
    } else if path.starts_with("/v1beta") || path.starts_with("/v1alpha") {
        "gemini"
    } else if path.starts_with("/api/") {
        "ollama"
    } else if path.starts_with("/v2/") {
        "cohere"
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
