//! The HTTP client towards providers: hyper's HTTP/1 connections, pooled per host.
//!
//! A connection is driven by the task that serves the request, not by one of its own: the request goes out, the answer
//! comes in and is passed on without a hop between tasks, and when the exchange is dropped the connection closes with
//! it, which is how a provider learns at once that a client has gone. HTTP/1 is enough here: providers answer one
//! request per connection as well as many, and a slow answer never stands in front of another.

mod connect;
mod connection;
mod fetch;
mod gate;
mod pool;

use std::{sync::Arc, task::Poll};

use http::{HeaderValue, Request, Response, Uri, header, uri::PathAndQuery};
use lockgate_filters::model::Str;
use lockgate_layers::{
    BoxError, BoxFuture, body::Body, credential::Outgoing, target::Endpoint, translate::ConnectError,
};
use tower::Service;

pub use connect::Connector;
use connection::{Connection, SendError};
pub use fetch::MediaFetcher;
use pool::Pool;

/// Sends requests to providers.
#[derive(Clone, Debug)]
pub struct Upstream {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
}

/// The exchange with the upstream failed after the connection stood.
#[derive(Debug, thiserror::Error)]
#[error("the connection broke before an answer came")]
pub struct ExchangeError(#[source] hyper::Error);

impl Upstream {
    /// A client with an empty pool.
    pub fn new(connector: Connector) -> Self {
        Self { connector: Arc::new(connector), pool: Arc::new(Pool::default()) }
    }

    /// A fetcher of media that makes connections as this client does, but keeps none.
    pub fn media_fetcher(&self, settings: &lockgate_config::Media) -> MediaFetcher {
        MediaFetcher::new(self.connector.clone(), settings)
    }

    async fn send(self, out: Outgoing) -> Result<Response<Body>, BoxError> {
        let Outgoing { endpoint, connect, request, .. } = out;
        let mut request = complete(request, &endpoint);
        let key = pool::Key { tls: endpoint.tls, authority: Str::from(endpoint.authority.as_str()) };
        while let Some(connection) = self.pool.take(&key) {
            match connection.send(request, Some((&self.pool, &key))).await {
                Ok(rsp) => return Ok(rsp),
                // The provider closed it while it was idle: nothing was read, so a fresh one may be tried.
                Err(SendError::Stale(returned)) => request = *returned,
                Err(SendError::Broken(error)) => return Err(ExchangeError(error).into()),
            }
        }
        let connection = tokio::time::timeout(connect, self.connector.connect(&endpoint)).await;
        let connection = connection.map_err(|_| refused(&endpoint, "no connection in time"))?;
        let connection: Connection = connection.map_err(|error| refused(&endpoint, &error.to_string()))?;
        match connection.send(request, Some((&self.pool, &key))).await {
            Ok(rsp) => Ok(rsp),
            Err(SendError::Stale(_)) => Err(refused(&endpoint, "the connection was closed at once")),
            Err(SendError::Broken(error)) => Err(ExchangeError(error).into()),
        }
    }
}

fn refused(endpoint: &Endpoint, reason: &str) -> BoxError {
    ConnectError { authority: Str::from(endpoint.authority.as_str()), reason: Str::from(reason) }.into()
}

/// Gives the request the form that HTTP/1 wants: a path as its target, and a host.
fn complete(mut request: Request<Body>, endpoint: &Endpoint) -> Request<Body> {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    if let Ok(host) = HeaderValue::from_str(endpoint.authority.as_str()) {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

impl Service<Outgoing> for Upstream {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Response<Body>, BoxError>;

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, out: Outgoing) -> Self::Future {
        Box::pin(self.clone().send(out))
    }
}
