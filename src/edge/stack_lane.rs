//! The lane of requests that the gateway understands: session to `http::Request`, Tower, and the answer streamed back.
//!
//! Everything happens in the task that owns the connection. While the stack works and while the answer is written, the
//! client is listened to: when it hangs up, the future or the body is dropped there and then, and the upstream call
//! with it. While a slow client takes its time, nothing more is read from the upstream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use lockgate_layers::{BoxError, body::Body, record::EndedBy};
use pingora_core::{
    ErrorType,
    protocols::http::{ServerSession, v1::server::HttpSession},
};
use pingora_http::ResponseHeader;
use tokio::time::{Instant, Sleep};
use tower::ServiceExt;

use super::{
    feed::{self, Driven, Feed},
    front::request_parts,
    stream::ClientStream,
};
use crate::{
    errors,
    gateway::{Admission, Admitted, REQUEST_ID, Shared},
};

/// Finds the route of a request whose head was read, and serves it. The route must not be an opaque one.
pub(super) async fn take(shared: &Shared, session: &mut ServerSession) -> Left {
    let client = session.client_addr().and_then(|address| address.as_inet().copied());
    let mut parts = request_parts(session.req_header());
    hide_body(session);
    // Not held while the request is served: a snapshot that was replaced can go.
    let admission = shared.load().admit(&mut parts, client, None);
    match admission {
        Admission::Refused(admitted, rsp) => answer(session, rsp, &admitted).await,
        Admission::Admitted(admitted) => {
            parts.headers.remove(header::UPGRADE);
            serve(session, admitted, parts).await
        }
    }
}

/// Makes the session's request one without a body, if its body is read past Pingora.
fn hide_body(session: &mut ServerSession) {
    if unread(session) > 0 {
        session.req_header_mut().remove_header(&header::CONTENT_LENGTH);
    }
}

/// Bytes of the body that the session knows nothing of, and that were not read yet.
fn unread(session: &ServerSession) -> usize {
    ClientStream::of(session).map_or(0, ClientStream::unread)
}

/// Reads what is left of the request's body, and drops it, if another request can follow on the connection.
///
/// # Errors
/// If there is more of it than comes within `limit`.
pub(super) async fn discard(session: &ServerSession, limit: Duration) -> io::Result<()> {
    let Some(client) = ClientStream::of(session).filter(|client| client.unread() > 0) else { return Ok(()) };
    if !session.as_http1().is_some_and(HttpSession::will_keepalive) {
        return Ok(());
    }
    tokio::time::timeout(limit, std::future::poll_fn(|cx| client.poll_discard(cx))).await?
}

/// How an exchange has left its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Left {
    /// The answer is whole; the connection may carry another request.
    Whole,
    /// The answer broke off, or the client is gone: the connection must end without an ending that looks like one.
    Broken,
}

/// What an exchange may take beyond its limit before it is cut off: its own stream ends it by an error event first.
const TOTAL_SLACK: Duration = Duration::from_millis(250);

/// Serves one request. Whatever happens, the client has had an answer or is gone when this returns.
pub(super) async fn serve(session: &mut ServerSession, admitted: Admitted, parts: http::request::Parts) -> Left {
    let total = tokio::time::sleep_until(Instant::now() + admitted.route.total + TOTAL_SLACK);
    tokio::pin!(total);
    session.set_write_timeout(Some(admitted.route.write));
    let Some(rsp) = call(session, &admitted, parts, total.as_mut()).await else {
        admitted.record.note(|facts| facts.ended_by = Some(EndedBy::Client));
        return Left::Broken;
    };
    deliver(session, rsp, &admitted, total).await
}

/// Hands the request to its stack, and gives the answer; nothing if the client is gone before there is one.
async fn call(
    session: &mut ServerSession,
    admitted: &Admitted,
    parts: http::request::Parts,
    total: Pin<&mut Sleep>,
) -> Option<Response<Body>> {
    let (feed, incoming) = feed::channel();
    let expects = expects_continue(&parts.headers);
    // The head of an answer must not overtake the request's body, unless the body is never asked for.
    session.set_close_on_response_before_downstream_finish(expects);
    let at_hand = ClientStream::of(session).filter(|client| client.unread() > 0).map(ClientStream::body_at_hand);
    let body = match at_hand {
        Some(Some(bytes)) => Body::full(bytes),
        Some(None) => Body::stream(incoming),
        None if session.is_body_empty() => Body::empty(),
        None => Body::stream(incoming),
    };
    let answer = admitted.route.service.clone().oneshot(http::Request::from_parts(parts, body));
    tokio::pin!(answer);
    let supply = supply(session, &feed, expects);
    tokio::pin!(supply);
    let driven = tokio::select! {
        biased;
        driven = feed.drive(answer, supply) => driven,
        () = total => Driven::Read(Err(errors::TotalTimeout.into())),
    };
    match driven {
        Driven::Read(Ok(rsp)) => Some(rsp),
        Driven::Read(Err(error)) => Some(errors::answer(error, admitted.dialect, &admitted.record)),
        Driven::Written(()) => None,
    }
}

/// Whether the client waits to be told to send its body (RFC 9110, section 10.1.1).
pub(super) fn expects_continue(headers: &http::HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads the request's body when it is wanted, then listens for the client's end. Resolves when the client is gone.
async fn supply(session: &mut ServerSession, feed: &Feed, mut expects: bool) {
    if unread(session) > 0 {
        feed.wanted().await;
        if std::mem::take(&mut expects) && session.write_continue_response().await.is_err() {
            return;
        }
        let Ok(body) = read_whole(session, feed).await else { return };
        feed.give(Ok(body));
    }
    while !session.is_body_done() {
        feed.wanted().await;
        if std::mem::take(&mut expects) && session.write_continue_response().await.is_err() {
            return;
        }
        match session.read_request_body().await {
            Ok(Some(chunk)) if !chunk.is_empty() => feed.give(Ok(chunk)),
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                session.set_keepalive(None);
                if *error.etype() == ErrorType::ConnectionClosed {
                    return;
                }
                feed.give(Err(error));
            }
        }
    }
    feed.end();
    gone(session).await;
}

/// Reads a body of announced length, in one piece.
async fn read_whole(session: &ServerSession, feed: &Feed) -> io::Result<Bytes> {
    let Some(client) = ClientStream::of(session) else { return Ok(Bytes::new()) };
    let mut body = BytesMut::new();
    std::future::poll_fn(|cx| {
        let read = client.poll_body(cx, &mut body);
        feed.arrived(body.len());
        read
    })
    .await?;
    Ok(body.freeze())
}

/// Resolves when the client has hung up. What is left of a body that was not asked for is dropped as it comes.
async fn gone(session: &mut ServerSession) {
    if let Some(client) = ClientStream::of(session)
        && std::future::poll_fn(|cx| client.poll_discard(cx)).await.is_err()
    {
        return;
    }
    // Where Pingora has not looked at the body before, it forgets what it reads here of the next request.
    session.is_body_done();
    if let Err(error) = session.read_body_or_idle(true).await
        && matches!(error.etype(), ErrorType::ConnectError)
    {
        // It has sent more instead: the next request, early. This one is answered, then the connection ends.
        session.set_keepalive(None);
        std::future::pending::<()>().await;
    }
}

/// Sends an answer that needs no stack.
pub(super) async fn answer(session: &mut ServerSession, rsp: Response<Body>, admitted: &Admitted) -> Left {
    session.set_close_on_response_before_downstream_finish(false);
    session.set_write_timeout(Some(admitted.route.write));
    let total = tokio::time::sleep(admitted.route.total);
    tokio::pin!(total);
    deliver(session, rsp, admitted, total).await
}

async fn deliver(
    session: &mut ServerSession,
    rsp: Response<Body>,
    admitted: &Admitted,
    total: Pin<&mut Sleep>,
) -> Left {
    let Err(error) = respond(session, rsp, admitted, total).await else { return Left::Whole };
    tracing::debug!(request_id = %admitted.record.id, %error, "the answer was not delivered");
    if error.is::<errors::TotalTimeout>() {
        admitted.record.note(|facts| facts.ended_by = Some(EndedBy::Gateway));
    }
    session.set_keepalive(None);
    Left::Broken
}

async fn respond(
    session: &mut ServerSession,
    rsp: Response<Body>,
    admitted: &Admitted,
    mut total: Pin<&mut Sleep>,
) -> Result<(), BoxError> {
    let (mut parts, mut body) = rsp.into_parts();
    parts.headers.insert(REQUEST_ID, admitted.request_id.clone());
    admitted.record.note(|facts| facts.status = parts.status.as_u16());
    let bodyless = session.req_header().method == Method::HEAD
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    frame(session, &mut parts, &body);
    if unread(session) > 0 && expects_continue(&session.req_header().headers) {
        // Nobody can tell whether the client still sends it.
        session.set_keepalive(None);
    }
    // The head leaves with the first piece of the body, where that is there already.
    let first = if bodyless { Poll::Pending } else { poll_now(&mut body) };
    cork(session, first.is_ready());
    session.write_response_header(Box::new(ResponseHeader::from(parts))).await?;
    if bodyless {
        session.write_response_body(Bytes::new(), true).await?;
        complete(admitted);
        return Ok(());
    }
    let mut ready = first;
    loop {
        let next = match std::mem::replace(&mut ready, Poll::Pending) {
            Poll::Ready(next) => next,
            Poll::Pending => tokio::select! {
                biased;
                next = body.frame() => next,
                () = gone(session) => return Err(HungUp.into()),
                () = total.as_mut() => return Err(errors::TotalTimeout.into()),
            },
        };
        let Some(next) = next else { break };
        let Ok(chunk) = next?.into_data() else { continue };
        admitted.record.sent(chunk.len());
        let last = body.is_end_stream();
        // The last piece and the end that follows it are one packet.
        cork(session, last);
        session.write_response_body(chunk, false).await?;
        if last {
            break;
        }
    }
    cork(session, false);
    session.write_response_body(Bytes::new(), true).await?;
    complete(admitted);
    Ok(())
}

/// What the body has ready, without waiting for it. A frame that writes nothing is passed over: a head that is held back
/// for it would not leave.
fn poll_now(body: &mut Body) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
    // The waker is not needed: what is pending is polled again at once.
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_none_or(Bytes::is_empty) => {}
            first => return first,
        }
    }
}

/// Holds back, or no longer, what is written to an HTTP/1 client.
fn cork(session: &ServerSession, held: bool) {
    if let Some(stream) = ClientStream::of(session) {
        stream.cork(held);
    }
}

/// The client has all of it. Whoever knows better how the exchange ended has said so before.
fn complete(admitted: &Admitted) {
    admitted.record.note(|facts| {
        facts.ended_by.get_or_insert(EndedBy::Complete);
    });
}

/// Says how the body is delimited: by its length where it is known, else in chunks where the client knows them.
fn frame(session: &mut ServerSession, parts: &mut http::response::Parts, body: &Body) {
    if session.is_http2() || parts.status == StatusCode::NO_CONTENT {
        return;
    }
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    } else if session.req_header().version == http::Version::HTTP_11 {
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    } else {
        session.set_keepalive(None);
    }
}

/// The client went away before its answer was whole.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client hung up")]
struct HungUp;

#[cfg(test)]
mod tests;
