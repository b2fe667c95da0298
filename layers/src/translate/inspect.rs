//! Looks at a request in its own dialect: which dialect where several share a path, which model, streamed or not.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use lockgate_filters::{
    dialects::{CallHead, Dialect},
    model::{ErrorClass, ErrorInfo, Str},
};
use tower::{Layer, Service};

use super::Call;
use crate::{BoxError, auth::Identity, body::Body, fetch::Kept, record::Record};

/// The request header by which a client asks that nothing be lost in translation.
const STRICT: HeaderName = HeaderName::from_static("x-lockgate-strict");

/// What a path says of a call, decoded. Set in the request's extensions where the route is found.
#[derive(Clone, Debug, Default)]
pub struct PathCall {
    /// The model in the path.
    pub model: Option<Str>,
    /// The verb in the path.
    pub verb: Option<Str>,
}

/// Looks at requests of a dialect, or of several that share a path.
#[derive(Clone, Debug)]
pub struct InspectLayer {
    dialects: Arc<[&'static dyn Dialect]>,
    strict: bool,
    total: Duration,
}

impl InspectLayer {
    /// Reads requests as the first of `dialects` that knows the body as its own, and as the last if none does; with
    /// `strict`, a loss in translation is an error; an exchange ends after `total`. No dialect, no request: all are
    /// refused.
    pub fn new(dialects: Arc<[&'static dyn Dialect]>, strict: bool, total: Duration) -> Self {
        Self { dialects, strict, total }
    }

    fn dialect_of(&self, body: &Bytes) -> Option<&'static dyn Dialect> {
        let (last, others) = self.dialects.split_last()?;
        Some(others.iter().copied().find(|dialect| dialect.claims(body)).unwrap_or(*last))
    }
}

impl<S> Layer<S> for InspectLayer {
    type Service = Inspect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Inspect { inner, layer: self.clone() }
    }
}

/// Looks at requests of a dialect, or of several that share a path.
#[derive(Clone, Debug)]
pub struct Inspect<S> {
    inner: S,
    layer: InspectLayer,
}

impl<S> Inspect<S> {
    fn inspect(&self, req: Request<Bytes>) -> Result<Call, ErrorInfo> {
        let InspectLayer { strict, total, .. } = self.layer;
        let (mut parts, body) = req.into_parts();
        let Some(dialect) = self.layer.dialect_of(&body) else {
            return Err(ErrorInfo::new(ErrorClass::NotFound, "this route has no dialect: name one in its `dialect`"));
        };
        let shared = self.layer.dialects.len() > 1;
        let path = parts.extensions.remove::<PathCall>().unwrap_or_default();
        let record = parts.extensions.remove::<Arc<Record>>();
        let record = record.unwrap_or_else(|| {
            Arc::new(Record::new(Str::new(), "".into(), parts.method.clone(), Str::new(), dialect.name()))
        });
        if shared {
            record.note(|facts| facts.dialect = Some(dialect));
        }
        let head = CallHead { model: path.model.as_deref(), verb: path.verb.as_deref(), query: parts.uri.query() };
        let inspection = dialect.inspect(&head, &body)?;
        record.note(|facts| {
            facts.model = Some(inspection.model.clone());
            facts.streamed = inspection.stream.is_some();
        });
        let asked_strict = parts.headers.get(STRICT).is_some_and(|value| value.as_bytes() == b"true");
        Ok(Call {
            dialect,
            path,
            query: parts.uri.query().map(Str::from),
            headers: parts.headers,
            body,
            inspection,
            identity: parts.extensions.remove::<Arc<Identity>>(),
            strict: strict || asked_strict,
            end: record.started + total,
            decoded: OnceLock::new(),
            sealed: OnceLock::new(),
            fetched: Kept::default(),
            record,
        })
    }
}

impl<S> Service<Request<Bytes>> for Inspect<S>
where
    S: Service<Call, Response = Response<Body>, Error = BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = futures_util::future::Either<S::Future, std::future::Ready<Result<Response<Body>, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Request<Bytes>) -> Self::Future {
        match self.inspect(req) {
            Ok(call) => futures_util::future::Either::Left(self.inner.call(call)),
            Err(error) => futures_util::future::Either::Right(std::future::ready(Err(error.into()))),
        }
    }
}
