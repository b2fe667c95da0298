//! Takes a host's own wire off a streamed answer, before anything else reads it.
//!
//! Only answers of hosts that have one come here; all others cost nothing for it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body as HttpBody, Frame};
use lockgate_filters::{
    dialects::{ResponseError, Upstream},
    hosts::{HostWire, Unframe},
};

use super::answer::media_type;
use crate::{BoxError, body::Body};

/// Room for what a few chunks carry, so that not each of them takes memory of its own.
const PIECE: usize = 4 << 10;

/// The answer as the dialect's own server would have sent it. What is no stream of the host's stays as it is.
///
/// What the host tells of a failure is the body's error, an [`ErrorInfo`](lockgate_filters::model::ErrorInfo).
pub(super) fn unframed(rsp: Response<Body>, wire: &dyn HostWire, dialect: &dyn Upstream) -> Response<Body> {
    if !is_framed(rsp.headers(), wire) {
        return rsp;
    }
    let (mut parts, body) = rsp.into_parts();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(dialect.stream_form().content_type()));
    let body =
        Unframed { upstream: Some(body), reader: wire.unframe(), out: BytesMut::with_capacity(PIECE), failed: None };
    Response::from_parts(parts, Body::stream(body))
}

/// Whether a body is a stream of the host's. One that is compressed is nobody's.
fn is_framed(headers: &HeaderMap, wire: &dyn HostWire) -> bool {
    media_type(headers).eq_ignore_ascii_case(wire.stream_type().as_bytes())
}

/// Takes the frames off as they come.
struct Unframed {
    upstream: Option<Body>,
    reader: Box<dyn Unframe>,
    out: BytesMut,
    /// What is told once what came before it has been taken.
    failed: Option<BoxError>,
}

impl HttpBody for Unframed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(error) = this.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
            let failed = match ready!(Pin::new(upstream).poll_frame(cx)) {
                None => {
                    this.upstream = None;
                    continue;
                }
                Some(Err(error)) => Some(error),
                Some(Ok(frame)) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    this.reader.feed(chunk, &mut this.out).err().map(|error| match error {
                        ResponseError::Upstream(told) => told.into(),
                        ResponseError::Malformed(error) => error.into(),
                    })
                }
            };
            if failed.is_some() {
                // Nothing of it is wanted any more, and its connection serves nobody else.
                this.upstream = None;
                this.failed = failed;
            }
            if !this.out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.out.split().freeze()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_none() && self.failed.is_none()
    }
}
