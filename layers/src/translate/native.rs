//! A streamed answer whose bytes pass as they are.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use lockgate_filters::{
    dialects::{Dialect, Reply, StreamForm, Tap, TapSpec, Upstream},
    model::{ErrorClass, ErrorInfo, Event, Str},
    seal::Sealer,
};
use tokio::time::Instant;

use super::{
    Attempt,
    watch::{Due, Watch},
};
use crate::{
    BoxError,
    body::Body,
    record::{EndedBy, Record},
};

/// What is ready at once leaves in one piece, up to this.
pub(super) const MAX_PIECE: usize = 32 << 10;

/// How long an upstream may take to close behind its last word, so that the connection can be used again.
const LINGER: Duration = Duration::from_secs(1);

/// Passes chunks on, and looks at them.
pub(super) struct NativeBody {
    upstream: Option<Body>,
    tap: Box<dyn Tap>,
    out: Vec<Bytes>,
    watch: Watch,
    record: Arc<Record>,
    dialect: &'static dyn Dialect,
    form: StreamForm,
    /// What was sent so far stops inside a line.
    inside_line: bool,
}

impl NativeBody {
    pub(super) fn new(
        attempt: &Attempt,
        dialect: &'static dyn Upstream,
        body: Body,
        peeked: Vec<Bytes>,
        ended: bool,
        spec: TapSpec,
    ) -> Self {
        let call = &attempt.call;
        let mut native = Self {
            upstream: (!ended).then_some(body),
            tap: dialect.tap(spec),
            out: Vec::with_capacity(8),
            watch: Watch::new(attempt.target.timeouts.between_events, attempt.end),
            record: call.record.clone(),
            dialect: call.dialect,
            form: if spec.json_array { StreamForm::JsonArray } else { dialect.stream_form() },
            inside_line: false,
        };
        for chunk in peeked {
            native.tap.feed(chunk, &mut native.out);
        }
        if ended {
            native.close(None);
        }
        native
    }

    /// The upstream is done, or failed for `reason`.
    fn close(&mut self, reason: Option<ErrorInfo>) {
        self.upstream = None;
        self.tap.finish(&mut self.out);
        // An answer that is over does not fail by what happens behind it.
        let reason = reason.filter(|_| !self.tap.is_over());
        let reason = reason.or_else(|| (!self.tap.is_complete()).then(truncated));
        let usage = self.tap.usage().copied();
        self.record.note(|facts| {
            facts.usage = usage;
            facts.upstream_done = Some(Instant::now());
            facts.ended_by = Some(if reason.is_some() { EndedBy::Upstream } else { EndedBy::Complete });
            if let Some(reason) = &reason {
                facts.error = Some(reason.class.code());
            }
        });
        if let Some(reason) = reason.filter(|_| self.form != StreamForm::JsonArray) {
            let inside_line = self.stops_inside_line();
            self.out.push(error_event(self.dialect, self.form, inside_line, &self.record, reason));
        }
    }

    /// Whether what was sent and what is to be sent stops inside a line.
    fn stops_inside_line(&self) -> bool {
        let last = self.out.iter().rev().find_map(|piece| piece.last());
        last.map_or(self.inside_line, |last| *last != b'\n')
    }

    fn take(&mut self) -> Bytes {
        self.inside_line = self.stops_inside_line();
        if self.out.len() == 1 {
            return self.out.pop().unwrap_or_default();
        }
        let mut joined = BytesMut::with_capacity(self.out.iter().map(Bytes::len).sum());
        self.out.drain(..).for_each(|piece| joined.extend_from_slice(&piece));
        joined.freeze()
    }
}

impl HttpBody for NativeBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if !this.out.is_empty() {
            // The first event: somebody waits for it more than for anything that may be there by now.
            return Poll::Ready(Some(Ok(Frame::data(this.take()))));
        }
        let mut size = 0;
        let mut alive = false;
        // Whatever the upstream has sent by now leaves together; nothing waits for more to come.
        while size < MAX_PIECE {
            let Some(upstream) = &mut this.upstream else { break };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(frame))) => {
                    alive = true;
                    if let Ok(chunk) = frame.into_data() {
                        size += chunk.len();
                        this.tap.feed(chunk, &mut this.out);
                    }
                }
                Poll::Ready(Some(Err(error))) => this.close(Some(broken(&*error))),
                Poll::Ready(None) => this.close(None),
            }
        }
        if alive {
            this.watch.alive();
        }
        if this.upstream.is_some() {
            if this.tap.is_over() {
                this.watch.shorten(LINGER);
            }
            if let Poll::Ready(due) = this.watch.poll_due(cx) {
                this.close(Some(overdue(due)));
            }
        }
        if !this.out.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(this.take()))));
        }
        if this.upstream.is_some() { Poll::Pending } else { Poll::Ready(None) }
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_none() && self.out.is_empty()
    }
}

impl Drop for NativeBody {
    fn drop(&mut self) {
        if self.upstream.is_some() {
            let usage = self.tap.usage().copied();
            self.record.note(|facts| {
                facts.usage = usage;
                facts.upstream_done = Some(Instant::now());
            });
        }
    }
}

/// The client's own error event, for a stream of which the head is long gone.
fn error_event(
    dialect: &'static dyn Dialect,
    form: StreamForm,
    inside_line: bool,
    record: &Record,
    error: ErrorInfo,
) -> Bytes {
    let mut encoder = dialect.stream_encoder(&Reply {
        model: Str::new(),
        id: record.id.clone(),
        created: 0,
        form,
        include_usage: false,
        show_reasoning: false,
        input_estimate: 0,
        sealer: Sealer::new(&[]),
    });
    // The upstream may have broken off inside an event: end it first.
    let mut out = BytesMut::from(match form {
        StreamForm::Sse => &b"\n\n"[..],
        // An empty line is no JSON to a client that takes each for a value.
        StreamForm::JsonLines if inside_line => b"\n",
        _ => b"",
    });
    encoder.encode(&Event::Error(Box::new(error)), &mut out);
    out.freeze()
}

pub(super) fn truncated() -> ErrorInfo {
    let message = "the provider broke off before its answer was complete: try again";
    ErrorInfo::new(ErrorClass::Upstream, Str::from_static(message)).with_code("stream_truncated")
}

/// What a client is told of a stream that failed: what its host said of it, if it said anything.
pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> ErrorInfo {
    tracing::debug!(%error, "upstream stream broke");
    error.downcast_ref::<ErrorInfo>().cloned().unwrap_or_else(truncated)
}

pub(super) fn overdue(due: Due) -> ErrorInfo {
    if due == Due::End {
        let message = "the answer took longer than `timeouts.total` allows: ask for less at once, or raise it";
        return ErrorInfo::new(ErrorClass::Timeout, Str::from_static(message)).with_code("total_timeout");
    }
    let message = "the provider fell silent in the middle of its answer: try again, or raise `timeouts.between_events`";
    ErrorInfo::new(ErrorClass::Timeout, Str::from_static(message)).with_code("stream_timeout")
}
