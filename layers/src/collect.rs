//! Reads a request body whole, within a size and a time.
//!
//! Stands behind [`crate::auth`], so that nobody without a key makes the gateway hold bytes. A client may be slow, but
//! not slower than [`MIN_RATE`] once its grace is used up: a body that trickles does not hold a connection for ever.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, header};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::{BoxError, BoxFuture, body::Body, record::Record};

/// Bytes per second that a client must reach on average, after its grace.
pub const MIN_RATE: u64 = 16 << 10;

/// Buffers that grow by themselves start no larger than this, whatever length a client announces.
const MAX_FIRST_BUFFER: usize = 1 << 20;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// The body is larger than the limit.
    #[error("the request body is larger than {limit} bytes: send less, or raise `limits.body` for this route")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The client was too slow.
    #[error("the request body did not arrive in time: send it faster, or raise `timeouts.body`")]
    TooSlow,
    /// The client broke off, or its framing was wrong.
    #[error("the request body broke off")]
    Broken,
}

/// Reads request bodies.
#[derive(Clone, Copy, Debug)]
pub struct CollectLayer {
    limit: u64,
    grace: Duration,
}

impl CollectLayer {
    /// Reads at most `limit` bytes, and gives a client `grace` before [`MIN_RATE`] counts.
    pub fn new(limit: u64, grace: Duration) -> Self {
        Self { limit, grace }
    }
}

impl<S> Layer<S> for CollectLayer {
    type Service = Collect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Collect { inner, limit: self.limit, grace: self.grace }
    }
}

/// Reads request bodies.
#[derive(Clone, Copy, Debug)]
pub struct Collect<S> {
    inner: S,
    limit: u64,
    grace: Duration,
}

impl<S> Service<Request<Body>> for Collect<S>
where
    S: Service<Request<Bytes>, Response = Response<Body>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Response<Body>, BoxError>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Request<Body>) -> Self::Future {
        let Self { limit, grace, .. } = *self;
        // The service that is ready goes with the request; its clone waits for the next.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let (parts, body) = req.into_parts();
            let announced = parts.headers.get(header::CONTENT_LENGTH);
            let announced = announced.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            let bytes = collect(body, announced, limit, grace).await?;
            if let Some(record) = parts.extensions.get::<Arc<Record>>() {
                record.note(|facts| facts.bytes_in = bytes.len() as u64);
            }
            ready.call(Request::from_parts(parts, bytes)).await
        })
    }
}

/// Reads a body whole.
///
/// # Errors
/// If it is larger than `limit`, slower than it may be, or breaks off.
pub async fn collect(
    mut body: Body,
    announced: Option<u64>,
    limit: u64,
    grace: Duration,
) -> Result<Bytes, CollectError> {
    if announced.is_some_and(|length| length > limit) {
        return Err(CollectError::TooLarge { limit });
    }
    let started = Instant::now();
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    let mut size = 0;
    while !body.is_end_stream() {
        let frame = next_frame(&mut body, started + grace, size).await?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| CollectError::Broken)?.into_data() else { continue };
        size += data.len() as u64;
        if size > limit {
            return Err(CollectError::TooLarge { limit });
        }
        match first.take() {
            None if joined.is_empty() => {
                first = Some(data);
                if announced == Some(size) {
                    break;
                }
                continue;
            }
            None => {}
            Some(begun) => {
                let expected = announced.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
                joined.reserve(expected.min(MAX_FIRST_BUFFER.max(begun.len() + data.len())));
                joined.extend_from_slice(&begun);
            }
        }
        joined.extend_from_slice(&data);
        if announced == Some(size) {
            break;
        }
    }
    if announced.is_some_and(|length| size < length) {
        return Err(CollectError::Broken);
    }
    Ok(first.unwrap_or_else(|| joined.freeze()))
}

/// Waits for the next frame for as long as the client is fast enough, behind `size` bytes that were read. `due` is the
/// end of its grace. A body that joins its pieces by itself counts them in the lower bound of its size.
async fn next_frame(
    body: &mut Body,
    due: Instant,
    size: u64,
) -> Result<Option<Result<Frame<Bytes>, BoxError>>, CollectError> {
    let mut here = size;
    loop {
        let deadline = due + Duration::from_secs(here / MIN_RATE);
        if let Ok(frame) = tokio::time::timeout_at(deadline, body.frame()).await {
            return Ok(frame);
        }
        let arrived = size + body.size_hint().lower();
        if arrived / MIN_RATE <= here / MIN_RATE {
            return Err(CollectError::TooSlow);
        }
        here = arrived;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn chunks(chunks: Vec<&'static [u8]>) -> Body {
        let frames = chunks.into_iter().map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::from_static(chunk))));
        Body::stream(StreamBody::new(stream::iter(frames)))
    }

    const GRACE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let bytes = Bytes::from_static(b"whole");
        let read = collect(Body::full(bytes.clone()), Some(5), 10, GRACE).await.expect("it is short enough");
        assert_eq!(read.as_ptr(), bytes.as_ptr());
        assert_eq!(collect(chunks(vec![b"a", b"b", b"c"]), None, 10, GRACE).await.as_deref(), Ok(&b"abc"[..]));
        assert_eq!(collect(Body::empty(), None, 10, GRACE).await.as_deref(), Ok(&b""[..]));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_by_its_length_or_by_counting() {
        let too_large = Err(CollectError::TooLarge { limit: 4 });
        assert_eq!(collect(chunks(vec![]), Some(5), 4, GRACE).await, too_large);
        assert_eq!(collect(chunks(vec![b"abc", b"de"]), None, 4, GRACE).await, too_large);
    }

    #[tokio::test]
    async fn a_body_shorter_than_announced_is_broken() {
        assert_eq!(collect(chunks(vec![b"abc"]), Some(5), 10, GRACE).await, Err(CollectError::Broken));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_cut_off_and_a_steady_one_is_not() {
        let silent = Body::stream(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BoxError>>()));
        assert_eq!(collect(silent, None, 10, GRACE).await, Err(CollectError::TooSlow));
        let steady = stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            (count < 20).then(|| (Ok::<_, BoxError>(Frame::data(Bytes::from(vec![0; 16 << 10]))), count + 1))
        });
        let read = collect(Body::stream(StreamBody::new(Box::pin(steady))), None, 1 << 20, GRACE).await;
        assert_eq!(read.map(|bytes| bytes.len()), Ok(20 << 14));
    }

    /// Takes a second for each 16 KiB, and gives them all at once.
    struct Joined {
        seconds: u64,
        timer: std::pin::Pin<Box<tokio::time::Sleep>>,
    }

    impl http_body::Body for Joined {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            while self.timer.as_mut().poll(cx).is_ready() {
                self.seconds += 1;
                if self.seconds == 20 {
                    return std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 20 << 14])))));
                }
                let pause = Duration::from_secs(if self.seconds == 12 { 4 } else { 1 });
                self.timer.as_mut().reset(Instant::now() + pause);
            }
            std::task::Poll::Pending
        }

        fn size_hint(&self) -> http_body::SizeHint {
            let mut hint = http_body::SizeHint::new();
            hint.set_lower(self.seconds << 14);
            hint
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_in_one_piece_is_timed_by_what_has_arrived() {
        let joined = || {
            let timer = Box::pin(tokio::time::sleep(Duration::from_secs(1)));
            Body::stream(Joined { seconds: 0, timer })
        };
        let length = Some(20 << 14);
        let read = collect(joined(), length, 1 << 20, Duration::from_secs(5)).await;
        assert_eq!(read.map(|bytes| bytes.len()), Ok(20 << 14));
        let read = collect(joined(), length, 1 << 20, Duration::from_secs(3)).await;
        assert_eq!(read, Err(CollectError::TooSlow), "it paused for longer than its grace");
    }
}
