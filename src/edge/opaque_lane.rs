//! The lane of requests that the gateway must not understand: Pingora proxies them natively, duplex, unbuffered.
//!
//! The stack has run on the head, and its innermost service answered with a [`Handoff`]. What is left is little: swap
//! credentials, drop what belongs to one connection only, count bytes, look for usage. The handoff's body is kept
//! until the end, so every guard that a layer hung on it is released exactly then.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Response, header};
use lockgate_filters::model::{ErrorClass, ErrorInfo};
use lockgate_layers::{
    body::Body,
    collect::CollectError,
    credential::{self, CALLER_CREDENTIALS},
    record::EndedBy,
    target::Credential,
};
use pingora_core::{
    Error, ErrorSource, ErrorType, OrErr, Result,
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::Instant;

use super::chunks::ChunkError;
use crate::{
    api::passthrough::Handoff,
    errors,
    gateway::{Admitted, REQUEST_ID},
};

/// Request headers that stay here, besides credentials and what Pingora strips as hop-by-hop.
static DROPPED_REQUEST: [HeaderName; 6] = [
    header::SET_COOKIE,
    header::FORWARDED,
    header::EXPECT,
    HeaderName::from_static("x-cache"),
    HeaderName::from_static("x-routing"),
    HeaderName::from_static("x-real-ip"),
];

/// Beginnings of request header names that stay here.
const DROPPED_PREFIXES: &[&str] = &["x-forwarded-", "x-lockgate-", "x-aig-", "x-cache-", "x-gomodel-"];

/// Response headers that stay here.
static DROPPED_RESPONSE: [HeaderName; 9] = [
    header::SET_COOKIE,
    HeaderName::from_static("alt-svc"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

const PROVIDER: HeaderName = HeaderName::from_static("x-lockgate-provider");

/// An exchange that Pingora proxies.
pub(super) struct Proxied {
    pub(super) admitted: Admitted,
    handoff: Handoff,
    /// Holds the guards of the stack.
    _body: Body,
    uploaded: u64,
    /// When the caller's body must have come.
    upload_end: Instant,
    /// It is no HTTP any more: what the caller sends is no body, and may take its time.
    upgraded: bool,
}

impl std::fmt::Debug for Proxied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxied")
    }
}

impl Proxied {
    /// Takes the handoff out of the stack's answer; gives the answer back if there is none in it.
    pub(super) fn new(
        mut rsp: Response<Body>,
        admitted: Admitted,
        announced: Option<u64>,
    ) -> std::result::Result<Self, Box<(Response<Body>, Admitted)>> {
        let Some(handoff) = rsp.extensions_mut().remove::<Handoff>() else { return Err(Box::new((rsp, admitted))) };
        if announced.is_some_and(|length| length > handoff.upload_limit) {
            let error = errors::too_large(handoff.upload_limit);
            let answer = errors::answer(error, admitted.dialect, &admitted.record);
            return Err(Box::new((answer.map(|body| body.with_guard(rsp.into_body())), admitted)));
        }
        admitted.record.note(|facts| facts.sent = Some(Instant::now()));
        let upload_end = Instant::now() + admitted.route.total;
        Ok(Self { admitted, handoff, _body: rsp.into_body(), uploaded: 0, upload_end, upgraded: false })
    }

    /// Where to connect.
    pub(super) async fn peer(&self) -> Result<Box<HttpPeer>> {
        let endpoint = &self.handoff.endpoint;
        let host = endpoint.authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = endpoint.authority.port_u16().unwrap_or(if endpoint.tls { 443 } else { 80 });
        let timeouts = endpoint.timeouts;
        let found = tokio::time::timeout(timeouts.connect, tokio::net::lookup_host((host, port))).await;
        let found = found.map_err(|_| Error::new_up(ErrorType::ConnectTimedout))?;
        let address = found.or_err(ErrorType::ConnectError, "while resolving the provider's host")?.next();
        let address = address.ok_or_else(|| Error::new_up(ErrorType::ConnectError))?;
        let mut peer = HttpPeer::new(address, endpoint.tls, host.to_owned());
        if !self.admitted.route.upgrade {
            peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        }
        peer.options.connection_timeout = Some(timeouts.connect);
        peer.options.total_connection_timeout = Some(timeouts.connect * 2);
        peer.options.read_timeout = Some(timeouts.first_event.max(timeouts.between_events));
        peer.options.write_timeout = Some(self.admitted.route.write);
        peer.options.idle_timeout = Some(Duration::from_mins(1));
        Ok(Box::new(peer))
    }

    /// Turns the caller's head into the gateway's.
    pub(super) fn rewrite_request(&self, request: &mut RequestHeader) -> Result<()> {
        let endpoint = &self.handoff.endpoint;
        let caller_key = credential::caller_key(&request.headers, endpoint);
        for name in CALLER_CREDENTIALS.iter().chain(&DROPPED_REQUEST) {
            request.remove_header(name);
        }
        let private: Vec<HeaderName> = request.headers.keys().filter(|name| self.stays(name)).cloned().collect();
        for name in &private {
            request.remove_header(name);
        }
        for (name, value) in &endpoint.headers {
            if !request.headers.contains_key(name) {
                request.insert_header(name.clone(), value.clone())?;
            }
        }
        request.insert_header(REQUEST_ID, self.admitted.request_id.clone())?;
        request.insert_header(header::HOST, endpoint.authority.as_str())?;
        let uri = self.handoff.uri.clone();
        let mut signed = http::HeaderMap::new();
        let signed_uri = credential::sign(endpoint, caller_key.as_ref(), &uri, &mut signed)
            .map_err(|error| Error::because(ErrorType::Custom(NO_KEY), "the provider has no key", error))?;
        if let (Credential::Header { name, .. }, Some(value)) = (&endpoint.credential, signed.values().next()) {
            request.insert_header(name.clone(), value.clone())?;
        }
        request.set_uri(signed_uri.unwrap_or(uri));
        Ok(())
    }

    fn stays(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || self.handoff.is_caller_key(name)
    }

    /// Counts the caller's body.
    pub(super) fn count_request(&mut self, bytes: usize) -> Result<()> {
        self.uploaded += bytes as u64;
        if self.uploaded > self.handoff.upload_limit {
            return Err(Error::explain(ErrorType::Custom(TOO_LARGE), "the body is over the upload limit"));
        }
        if !self.upgraded && self.upload_end <= Instant::now() {
            return Err(Error::explain(ErrorType::Custom(TOO_SLOW), "the body took longer than an exchange may"));
        }
        Ok(())
    }

    /// Turns the provider's head into the gateway's.
    pub(super) fn rewrite_response(&mut self, response: &mut ResponseHeader) -> Result<()> {
        let upgraded = response.status == http::StatusCode::SWITCHING_PROTOCOLS;
        if upgraded && !self.admitted.route.upgrade {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, "an upgrade that no route allows").into_up());
        }
        self.upgraded |= upgraded;
        for name in &DROPPED_RESPONSE {
            response.remove_header(name);
        }
        if !upgraded {
            for name in nominated(&response.headers) {
                response.remove_header(&name);
            }
        }
        response.insert_header(REQUEST_ID, self.admitted.request_id.clone())?;
        response.insert_header(PROVIDER, &*self.handoff.endpoint.name)?;
        let status = response.status.as_u16();
        self.admitted.record.note(|facts| {
            facts.status = status;
            facts.upstream_head = Some(Instant::now());
        });
        self.handoff.meter.begin(&response.headers, status);
        Ok(())
    }

    /// Sees the provider's body pass.
    pub(super) fn pass(&mut self, chunk: Option<&Bytes>) {
        let Some(chunk) = chunk.filter(|chunk| !chunk.is_empty()) else { return };
        self.admitted.record.sent(chunk.len());
        self.admitted.record.note(|facts| {
            facts.first_event.get_or_insert_with(Instant::now);
        });
        self.handoff.meter.feed(chunk);
    }

    /// The answer that takes the place of a provider's; `None` if it is the client who failed.
    pub(super) fn failure(&self, error: &Error) -> Option<Response<Body>> {
        let name = &self.handoff.endpoint.name;
        let info = match error.etype() {
            ErrorType::Custom(TOO_LARGE) => {
                let error = errors::too_large(self.handoff.upload_limit);
                return Some(errors::answer(error, self.admitted.dialect, &self.admitted.record));
            }
            ErrorType::Custom(TOO_SLOW) => {
                let error = CollectError::TooSlow.into();
                return Some(errors::answer(error, self.admitted.dialect, &self.admitted.record));
            }
            ErrorType::Custom(NO_KEY) => {
                let hint = self.handoff.endpoint.key_hint.as_deref().unwrap_or("configure `api_key`");
                ErrorInfo::new(ErrorClass::UpstreamAuth, format!("provider `{name}` has no key: {hint}"))
                    .with_code("missing_provider_key")
            }
            _ if *error.esource() == ErrorSource::Downstream => {
                let malformed = malformed(error)?;
                return Some(errors::answer(malformed.into(), self.admitted.dialect, &self.admitted.record));
            }
            ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::TLSHandshakeTimedout => {
                ErrorInfo::new(ErrorClass::Timeout, format!("provider `{name}` did not answer in time: try again"))
            }
            _ => {
                let message = format!("provider `{name}` cannot be reached or broke off: try again");
                ErrorInfo::new(ErrorClass::Upstream, message)
            }
        };
        Some(errors::answer(info.into(), self.admitted.dialect, &self.admitted.record))
    }

    /// The exchange is over.
    pub(super) fn finish(mut self, error: Option<&Error>) {
        let usage = self.handoff.meter.finish();
        let ended_by = match error.map(Error::esource) {
            None => EndedBy::Complete,
            Some(ErrorSource::Downstream) => EndedBy::Client,
            Some(ErrorSource::Upstream) => EndedBy::Upstream,
            Some(_) => EndedBy::Gateway,
        };
        self.admitted.record.note(|facts| {
            facts.usage = usage.or(facts.usage);
            facts.bytes_in = self.uploaded;
            facts.upstream_done = Some(Instant::now());
            facts.ended_by.get_or_insert(ended_by);
        });
    }
}

/// What is wrong with the framing of the caller's body, if that is it.
fn malformed(error: &Error) -> Option<ChunkError> {
    let cause = error.root_cause().downcast_ref::<std::io::Error>()?;
    cause.get_ref()?.downcast_ref::<ChunkError>().copied()
}

/// The headers that `connection` names: they concern the provider's connection only (RFC 9110, section 7.6.1).
fn nominated(headers: &http::HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(header::CONNECTION).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Marks the failure of a body over the limit.
const TOO_LARGE: &str = "UploadTooLarge";
/// Marks the failure of a body that takes too long.
const TOO_SLOW: &str = "UploadTooSlow";
/// Marks the failure of a provider without a key.
const NO_KEY: &str = "NoProviderKey";
