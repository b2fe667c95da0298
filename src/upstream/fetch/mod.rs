//! Fetches media by URLs that come from outside.
//!
//! A name is resolved once, each of its addresses is checked ([`address`]), and the connection goes to an address that
//! was checked: what the name means a moment later does not matter. A redirect is a new URL, with the same checks.
//! Nothing goes along but the request itself: no credentials, no cookies, no headers of the client's.
//! How much may come is counted as it comes, whatever the server announced.

mod address;
mod place;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use lockgate_filters::model::Str;
use lockgate_layers::{
    BoxFuture,
    body::Body,
    fetch::{Budget, Fetch, FetchError, Fetched},
};
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

use self::{address::Guard, place::Place};
use super::{Connector, connection::Connection};

/// Addresses of a name that are looked at.
const MAX_ADDRESSES: usize = 16;

/// Names looked up at a time. Lookups take threads, and slow name servers must leave some for providers.
const MAX_LOOKUPS: usize = 32;

/// One address may take so long to connect to, TLS aside, before the next is tried.
const CONNECT: Duration = Duration::from_secs(3);

/// A server may be silent for so long in the middle of its answer.
const IDLE: Duration = Duration::from_secs(5);

/// A buffer starts no larger than this, whatever length a server announces.
const MAX_FIRST_BUFFER: u64 = 1 << 20;

/// How the gateway names itself: some servers refuse who does not.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("lockgate/", env!("CARGO_PKG_VERSION")));

/// Fetches media.
#[derive(Clone, Debug)]
pub struct MediaFetcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connector: Arc<Connector>,
    guard: Guard,
    limit: Duration,
    max_redirects: u32,
    lookups: Arc<Semaphore>,
}

impl MediaFetcher {
    /// A fetcher that connects by `connector`.
    pub(super) fn new(connector: Arc<Connector>, settings: &lockgate_config::Media) -> Self {
        Self(Arc::new(Inner {
            connector,
            guard: Guard::new(&settings.allow),
            limit: settings.timeout,
            max_redirects: settings.max_redirects,
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
        }))
    }
}

impl Fetch for MediaFetcher {
    fn fetch(&self, url: Str, budget: Budget) -> BoxFuture<Fetched, FetchError> {
        let inner = self.0.clone();
        Box::pin(async move {
            let fetched = timeout(inner.limit, inner.follow(&url, &budget)).await;
            fetched.unwrap_or(Err(FetchError::Timeout(inner.limit)))
        })
    }
}

impl Inner {
    /// Asks, and goes where redirects lead.
    async fn follow(&self, url: &str, budget: &Budget) -> Result<Fetched, FetchError> {
        let mut place = Place::parse(url)?;
        for _ in 0..=self.max_redirects {
            let rsp = self.ask(&place).await?;
            match rsp.status() {
                StatusCode::OK => return read(rsp, budget).await,
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    let location = rsp.headers().get(header::LOCATION).map(HeaderValue::as_bytes);
                    let location = location.and_then(|location| std::str::from_utf8(location).ok());
                    place = place.join(location.ok_or(FetchError::Unreachable("it redirects to nowhere"))?)?;
                }
                status => return Err(FetchError::Status(status.as_u16())),
            }
        }
        Err(FetchError::Redirects(self.max_redirects))
    }

    /// Sends one request on a connection of its own.
    async fn ask(&self, place: &Place) -> Result<Response<Body>, FetchError> {
        let connection = self.connect(place).await?;
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from(place.path.clone());
        *request.headers_mut() = HeaderMap::from_iter([
            (header::HOST, place.host_header()?),
            (header::USER_AGENT, AGENT),
            (header::ACCEPT, HeaderValue::from_static("*/*")),
            // What is compressed could be far larger than it looks.
            (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            (header::CONNECTION, HeaderValue::from_static("close")),
        ]);
        let answer = connection.send(request, None).await;
        answer.map_err(|_| FetchError::Unreachable("it broke off before it answered"))
    }

    async fn connect(&self, place: &Place) -> Result<Connection, FetchError> {
        let addresses = self.addresses(place).await?;
        self.guard.check_all(&place.host, &addresses)?;
        for address in addresses {
            let Ok(Ok(tcp)) = timeout(CONNECT, TcpStream::connect(address)).await else { continue };
            let connection = self.connector.over(tcp, &place.host, place.tls).await;
            return connection.map_err(|error| {
                tracing::debug!(host = place.host, %error, "no connection for media");
                FetchError::Unreachable(if place.tls { "no secure connection" } else { "no connection" })
            });
        }
        Err(FetchError::Unreachable("no connection"))
    }

    /// The addresses that a host has now.
    async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, FetchError> {
        if let Some(address) = place.address {
            return Ok(vec![SocketAddr::new(address, place.port)]);
        }
        let unknown = FetchError::Unreachable("its name is not known");
        let Ok(permit) = self.lookups.clone().acquire_owned().await else { return Err(unknown) };
        let (host, port) = (place.host.clone(), place.port);
        let looked_up = tokio::task::spawn_blocking(move || {
            // With the lookup, not with whoever waits for it: it cannot be broken off.
            let _held = permit;
            let found = (host.as_str(), port).to_socket_addrs()?;
            Ok::<_, io::Error>(found.take(MAX_ADDRESSES).collect::<Vec<_>>())
        });
        match looked_up.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            _ => Err(unknown),
        }
    }
}

/// Reads an answer whole.
async fn read(rsp: Response<Body>, budget: &Budget) -> Result<Fetched, FetchError> {
    let (parts, mut body) = rsp.into_parts();
    let encoding = parts.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::NotAllowed("the server compresses its answer though nobody asked for that"));
    }
    let announced = body.size_hint().lower();
    budget.expect(announced)?;
    let mut bytes = BytesMut::with_capacity(usize::try_from(announced.min(MAX_FIRST_BUFFER)).unwrap_or(0));
    loop {
        let frame = timeout(IDLE, body.frame()).await.map_err(|_| FetchError::Timeout(IDLE))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| FetchError::Unreachable("it broke off in the middle of its answer"))?;
        let Ok(chunk) = frame.into_data() else { continue };
        budget.take(chunk.len() as u64)?;
        bytes.extend_from_slice(&chunk);
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(Str::from);
    Ok(Fetched { bytes: Bytes::from(bytes), content_type })
}
