//! Answers to what never became a request: written by hand, on record like any other, and the last of their connection.

use std::{net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, header, response::Parts};
use lockgate_layers::{BoxError, body::Body};
use pingora_core::protocols::{IO, Stream, http::ServerSession};
use pingora_http::ResponseHeader;
use tokio::{io::AsyncWriteExt, time::Instant};

use super::{
    head::{self, HeadError},
    stream::ClientStream,
};
use crate::gateway::{Admitted, REQUEST_ID, Shared, Unread};

/// How long a connection that is being closed after an error is still read from, so that the answer is not lost.
const LINGER: Duration = Duration::from_secs(1);

/// How much is read from it meanwhile.
const MAX_LINGER_BYTES: usize = 256 << 10;

/// Answers a connection on which no request can be read, and closes it. What came of the head was read ahead; it began
/// at `since`.
pub(super) async fn answer(shared: &Shared, mut stream: Box<ClientStream>, error: BoxError, since: Instant) {
    let client = client_of(&*stream);
    let line = head::request_line(stream.ahead());
    let bodyless = line.is_some_and(|(method, _)| method == b"HEAD");
    let reason = error.to_string();
    let unread = Unread { client, line, since };
    let (admitted, answer) = shared.load().refuse(&unread, error);
    tracing::debug!(request_id = %admitted.record.id, reason, "refused a connection");
    let (parts, bytes, open) = last(answer, &admitted);
    let mut out = wire(&parts);
    if !bodyless {
        admitted.record.sent(bytes.len());
        out.extend_from_slice(&bytes);
    }
    let sent = async { stream.write_all(&out).await.is_ok() && stream.shutdown().await.is_ok() };
    let sent = tokio::time::timeout(LINGER, sent).await.unwrap_or(false);
    // The record closes here, not when the client has read its answer.
    drop(open);
    if sent {
        linger(stream).await;
    }
}

/// Answers a head that passed the door and that Pingora does not take all the same.
pub(super) async fn answer_session(shared: &Shared, mut session: Box<ServerSession>) {
    let client = session.client_addr().and_then(|address| address.as_inet().copied());
    let unread = Unread { client, line: None, since: Instant::now() };
    let (admitted, answer) = shared.load().refuse(&unread, HeadError::RequestLine.into());
    let (parts, bytes, _open) = last(answer, &admitted);
    admitted.record.sent(bytes.len());
    if let Err(error) = session.write_error_response(ResponseHeader::from(parts), bytes).await {
        tracing::debug!(%error, "a refusal was not delivered");
    }
    session.shutdown().await;
}

/// Puts a connection on record that is closed without an answer.
pub(super) fn silently(shared: &Shared, stream: &Stream, error: BoxError) {
    let unread = Unread { client: client_of(&**stream), line: None, since: Instant::now() };
    // The answer is dropped, and the record closes with it.
    drop(shared.load().refuse(&unread, error));
}

fn client_of(stream: &dyn IO) -> Option<SocketAddr> {
    stream.get_socket_digest()?.peer_addr()?.as_inet().copied()
}

/// Completes an answer that ends its connection. The body that is left over holds the record open.
fn last(answer: Response<Body>, admitted: &Admitted) -> (Parts, Bytes, Body) {
    let (mut parts, body) = answer.into_parts();
    let bytes = Bytes::copy_from_slice(body.as_bytes().unwrap_or_default());
    admitted.record.note(|facts| facts.status = parts.status.as_u16());
    parts.headers.insert(REQUEST_ID, admitted.request_id.clone());
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    (parts, bytes, body)
}

/// A head as it is written.
fn wire(parts: &Parts) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(1024);
    let reason = parts.status.canonical_reason().unwrap_or_default();
    for part in ["HTTP/1.1 ", parts.status.as_str(), " ", reason, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Reads on for a moment: closing a socket with unread bytes resets it, and a reset can overtake the answer.
async fn linger(mut stream: Box<ClientStream>) {
    let until = Instant::now() + LINGER;
    let mut read = 0;
    while read < MAX_LINGER_BYTES {
        stream.ahead().clear();
        match tokio::time::timeout_at(until, stream.read_ahead()).await {
            Ok(Ok(count)) if count > 0 => read += count,
            _ => return,
        }
    }
}
