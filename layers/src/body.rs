//! The body type that all layers share.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::BoxError;

/// A request or response body: nothing, bytes that are here, or bytes that are coming.
pub struct Body {
    content: Content,
    /// Dropped with the body: permits, reservations, the exchange's record.
    guards: Vec<Box<dyn Send + Sync>>,
}

enum Content {
    Empty,
    Full(Bytes),
    /// The next piece stands last.
    Pieces(Vec<Bytes>),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send + Sync>>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self { content: Content::Empty, guards: Vec::new() }
    }

    /// Bytes that are here.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let content = if bytes.is_empty() { Content::Empty } else { Content::Full(bytes) };
        Self { content, guards: Vec::new() }
    }

    /// Bytes that are here, in pieces that stay apart: nothing is copied to join them.
    pub fn pieces(mut pieces: Vec<Bytes>) -> Self {
        pieces.retain(|piece| !piece.is_empty());
        if pieces.len() < 2 {
            return Self::full(pieces.pop().unwrap_or_default());
        }
        pieces.reverse();
        Self { content: Content::Pieces(pieces), guards: Vec::new() }
    }

    /// Bytes that are coming.
    pub fn stream<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<BoxError>,
    {
        let body = http_body_util::BodyExt::map_err(body, Into::into);
        Self { content: Content::Stream(Box::pin(body)), guards: Vec::new() }
    }

    /// The same body, which drops `guard` when it is dropped itself.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Send + Sync + 'static) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// The bytes, if all of them are here in one piece.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Empty => Some(&[]),
            Content::Full(bytes) => Some(bytes),
            Content::Pieces(_) | Content::Stream(_) => None,
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.content {
            Content::Empty => f.write_str("Body(empty)"),
            Content::Full(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Content::Pieces(pieces) => write!(f, "Body({} pieces)", pieces.len()),
            Content::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.content {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Pieces(pieces) => Poll::Ready(pieces.pop().map(|piece| Ok(Frame::data(piece)))),
            Content::Stream(stream) => {
                let frame = ready!(stream.as_mut().poll_frame(cx));
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Full(_) => false,
            Content::Pieces(pieces) => pieces.is_empty(),
            Content::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(pieces) => SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum()),
            Content::Stream(stream) => stream.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_come_in_their_order_and_are_counted() {
        let piece = |text: &'static str| Bytes::from_static(text.as_bytes());
        let mut body = Body::pieces(vec![piece("a"), piece(""), piece("bc"), piece("d")]);
        let mut read = Vec::new();
        for left in [4, 3, 1] {
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left), false));
            read.push(body.frame().await.expect("there is a frame").expect("it is data").into_data().expect("data"));
        }
        assert_eq!(read, ["a", "bc", "d"]);
        assert!(body.is_end_stream() && body.frame().await.is_none());
        assert_eq!(Body::pieces(vec![piece(""), piece("x")]).as_bytes(), Some(&b"x"[..]));
        assert!(Body::pieces(vec![piece("")]).is_end_stream());
    }

    #[tokio::test]
    async fn a_guard_lives_as_long_as_its_body() {
        let guard = Arc::new(());
        let mut body = Body::full("text").with_guard(guard.clone());
        let frame = body.frame().await.expect("there is a frame").expect("it is data");
        assert_eq!(frame.into_data().ok().as_deref(), Some(&b"text"[..]));
        assert_eq!(Arc::strong_count(&guard), 2, "the body is not yet dropped");
        drop(body);
        assert_eq!(Arc::strong_count(&guard), 1, "the guard went with it");
    }
}
