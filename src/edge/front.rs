//! The front door as a `ProxyHttp`: two lanes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lockgate_layers::{BoxError, body::Body, record::EndedBy};
use pingora_core::modules::http::HttpModules;
use pingora_core::{Error, ErrorType, Result, upstreams::peer::HttpPeer};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use tower::ServiceExt;

use super::{
    door::DoorLimits,
    head,
    opaque_lane::Proxied,
    stack_lane::{self, Left},
    stream::ClientStream,
};
use crate::{
    errors,
    gateway::{Admission, Admitted, Lane, Shared},
};

/// The gateway as a Pingora proxy.
#[derive(Debug)]
pub struct Front {
    shared: Arc<Shared>,
    /// Whether a [`super::Door`] has checked heads already.
    guarded: bool,
}

/// What is kept for one exchange.
#[derive(Debug, Default)]
pub struct Exchange {
    proxied: Option<Box<Proxied>>,
}

impl Front {
    /// A front for any Pingora server. It checks heads itself, as far as Pingora has not changed them.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, guarded: false }
    }

    /// A front behind a [`super::Door`].
    pub(super) fn behind_door(shared: Arc<Shared>) -> Self {
        Self { shared, guarded: true }
    }

    pub(super) fn door_limits(shared: &Shared) -> DoorLimits {
        let gateway = shared.load();
        DoorLimits {
            head: gateway.timeouts.head,
            idle: gateway.timeouts.idle,
            head_bytes: gateway.limits.head,
            headers: gateway.limits.headers,
        }
    }

    fn head_is_sound(&self, session: &Session) -> std::result::Result<(), head::HeadError> {
        if session.is_http2() {
            let header = session.req_header();
            return self.fields_are_sound(header).and_then(|()| head::check_path(header.raw_path()));
        }
        if self.guarded {
            return Ok(());
        }
        let raw = session.as_ref().to_h1_raw();
        head::check(&raw, self.shared.load().limits.headers).map(|_| ())
    }

    /// Checks what HTTP/2 leaves to be checked.
    fn fields_are_sound(&self, header: &RequestHeader) -> std::result::Result<(), head::HeadError> {
        if header.method == http::Method::CONNECT {
            return Err(head::HeadError::Connect);
        }
        let limit = self.shared.load().limits.headers;
        if header.headers.len() > limit { Err(head::HeadError::TooManyHeaders) } else { Ok(()) }
    }
}

/// The request's head as the stack knows it.
pub(super) fn request_parts(header: &RequestHeader) -> http::request::Parts {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = header.method.clone();
    parts.uri = header.uri.clone();
    parts.version = header.version;
    parts.headers = header.headers.clone();
    parts
}

#[async_trait]
impl ProxyHttp for Front {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange::default()
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {
        // Pingora would compress answers: streams must leave as they come, and bodies as they are.
    }

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        let gateway = self.shared.load();
        let client = session.client_addr().and_then(|address| address.as_inet().copied());
        let mut parts = request_parts(session.req_header());
        let sound = self.head_is_sound(session);
        let admission = gateway.admit(&mut parts, client, sound.err());
        let admitted = match admission {
            Admission::Admitted(admitted) => admitted,
            Admission::Refused(admitted, answer) => {
                return left(stack_lane::answer(session, answer, &admitted).await);
            }
        };
        if !admitted.route.upgrade && session.is_upgrade_req() {
            // The request is served as if it had not asked; the connection stays HTTP.
            parts.headers.remove(http::header::UPGRADE);
        }
        match admitted.route.lane {
            Lane::Stack => left(stack_lane::serve(session, admitted, parts).await),
            Lane::Opaque => self.opaque(session, exchange, admitted, parts).await,
        }
    }

    async fn upstream_peer(&self, _session: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        proxied(exchange)?.peer().await
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        proxied(exchange)?.rewrite_request(request)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        exchange: &mut Exchange,
    ) -> Result<()>
    where
        Self::CTX: Send + Sync,
    {
        proxied(exchange)?.count_request(body.as_ref().map_or(0, Bytes::len))
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()>
    where
        Self::CTX: Send + Sync,
    {
        proxied(exchange)?.rewrite_response(response)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        exchange: &mut Exchange,
    ) -> Result<Option<std::time::Duration>>
    where
        Self::CTX: Send + Sync,
    {
        if let Some(proxied) = &mut exchange.proxied {
            proxied.pass(body.as_ref());
        }
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Exchange) -> FailToProxy
    where
        Self::CTX: Send + Sync,
    {
        let failed = FailToProxy { error_code: 0, can_reuse_downstream: false };
        let Some(proxied) = &exchange.proxied else { return failed };
        let Some(answer) = proxied.failure(error) else { return failed };
        let error_code = answer.status().as_u16();
        if session.response_written().is_none()
            && stack_lane::answer(session, answer, &proxied.admitted).await == Left::Broken
        {
            session.set_keepalive(None);
        }
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _session: &Session, _exchange: &Exchange, _error: &Error) -> bool {
        // The access line says how the exchange ended.
        true
    }

    async fn logging(&self, _session: &mut Session, error: Option<&Error>, exchange: &mut Exchange)
    where
        Self::CTX: Send + Sync,
    {
        // The record closes when this drops the handoff's body.
        if let Some(proxied) = exchange.proxied.take() {
            proxied.finish(error);
        }
    }
}

impl Front {
    /// Runs the stack on the head alone. It answers with a handoff, or with a refusal.
    async fn opaque(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        admitted: Admitted,
        parts: http::request::Parts,
    ) -> Result<bool> {
        let request = http::Request::from_parts(parts, Body::empty());
        let rsp: std::result::Result<_, BoxError> = admitted.route.service.clone().oneshot(request).await;
        let rsp = match rsp {
            Ok(rsp) => rsp,
            Err(error) => errors::answer(error, admitted.dialect, &admitted.record),
        };
        let announced = session.req_header().headers.get(http::header::CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        match Proxied::new(rsp, admitted, announced) {
            Ok(proxied) => {
                session.set_write_timeout(Some(proxied.admitted.route.write));
                if ClientStream::of(session).is_some_and(ClientStream::has_more) {
                    // Pingora keeps what it has read of the next request to itself: that is not served, so this says it.
                    session.set_keepalive(None);
                }
                if stack_lane::expects_continue(&session.req_header().headers) {
                    // The stack has let the head pass; the provider is not asked.
                    session.write_continue_response().await?;
                }
                exchange.proxied = Some(Box::new(proxied));
                Ok(false)
            }
            Err(refused) => {
                let (rsp, admitted) = *refused;
                admitted.record.note(|facts| {
                    facts.ended_by.get_or_insert(EndedBy::Gateway);
                });
                left(stack_lane::answer(session, rsp, &admitted).await)
            }
        }
    }
}

/// What Pingora is told of an exchange that was served here: it must not put an end to an answer that broke off.
fn left(left: Left) -> Result<bool> {
    match left {
        Left::Whole => Ok(true),
        Left::Broken => Err(Error::explain(ErrorType::ConnectionClosed, "the answer broke off").into_down()),
    }
}

fn proxied(exchange: &mut Exchange) -> Result<&mut Proxied> {
    let missing = || Error::explain(ErrorType::InternalError, "nothing was handed off");
    exchange.proxied.as_deref_mut().ok_or_else(missing)
}
