//! A streamed answer that is translated event by event.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use lockgate_filters::{
    dialects::{Reply, StreamDecoder, StreamEncoder, StreamForm},
    model::{ErrorInfo, Event, Usage},
    stream::Restorer,
};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::{
    Attempt,
    memory::Listener,
    native::{MAX_PIECE, broken, overdue, truncated},
    peek::Peeked,
    watch::Watch,
};
use crate::{BoxError, body::Body, record::EndedBy};

/// How long a stream may be idle before something is said, so that no proxy in between gives it up.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// What a translated stream is made of.
pub(super) struct CrossStream {
    pub(super) attempt: Attempt,
    pub(super) upstream: Option<(Body, Box<dyn StreamDecoder>)>,
    pub(super) restorer: Restorer,
    pub(super) listener: Option<Listener>,
    pub(super) reply: Reply,
    pub(super) peeked: Peeked,
}

/// Translates events as they come.
pub(super) struct CrossBody {
    attempt: Attempt,
    upstream: Option<(Body, Box<dyn StreamDecoder>)>,
    encoder: Box<dyn StreamEncoder>,
    restorer: Option<Restorer>,
    listener: Option<Listener>,
    events: Vec<Event>,
    out: BytesMut,
    watch: Watch,
    keepalive: Option<Interval>,
    usage: Option<Usage>,
    form: StreamForm,
    /// The answer is complete or has failed; nothing more is written.
    done: bool,
}

impl CrossBody {
    pub(super) fn new(stream: CrossStream) -> Self {
        let CrossStream { attempt, upstream, restorer, listener, reply, peeked } = stream;
        let dialect = attempt.call.dialect;
        let mut body = Self {
            watch: Watch::new(attempt.target.timeouts.between_events, attempt.end),
            encoder: dialect.stream_encoder(&reply),
            restorer: (!restorer.is_idle()).then_some(restorer),
            listener,
            keepalive: (!dialect.keepalive(reply.form).is_empty()).then(keepalive_interval),
            form: reply.form,
            attempt,
            upstream: upstream.filter(|_| !peeked.ended),
            events: peeked.events,
            out: BytesMut::with_capacity(4096),
            usage: None,
            done: false,
        };
        body.write();
        if body.upstream.is_none() && !body.done {
            body.fail(truncated());
        }
        body
    }

    /// Writes the events that have come.
    fn write(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        for event in &mut events {
            if self.done {
                break;
            }
            if let Some(restorer) = &mut self.restorer {
                restorer.event(event);
            }
            if let Some(listener) = &mut self.listener {
                listener.event(event);
            }
            self.encoder.encode(event, &mut self.out);
            match event {
                Event::Usage(usage) => self.usage = Some(**usage),
                Event::Start(start) => self.usage = start.usage.or(self.usage),
                Event::Error(error) => self.close(Some(error.class.code())),
                Event::End => self.close(None),
                _ => {}
            }
        }
        events.clear();
        self.events = events;
    }

    fn fail(&mut self, error: ErrorInfo) {
        self.events.push(Event::Error(Box::new(error)));
        self.write();
        self.upstream = None;
    }

    fn close(&mut self, error: Option<&'static str>) {
        self.done = true;
        let usage = self.usage;
        self.attempt.call.record.note(|facts| {
            facts.usage = usage;
            facts.upstream_done = Some(Instant::now());
            facts.error = error;
            facts.ended_by = Some(if error.is_some() { EndedBy::Upstream } else { EndedBy::Complete });
        });
    }

    /// Takes what the upstream has sent by now.
    fn poll_upstream(&mut self, cx: &mut Context<'_>) {
        while self.out.len() < MAX_PIECE {
            let Some((body, decoder)) = &mut self.upstream else { return };
            let fed = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Err(error))) => return self.fail(broken(&*error)),
                Poll::Ready(Some(Ok(frame))) => {
                    self.watch.alive();
                    let Ok(chunk) = frame.into_data() else { continue };
                    decoder.feed(chunk, &mut self.events)
                }
                Poll::Ready(None) => {
                    let fed = decoder.finish(&mut self.events);
                    self.upstream = None;
                    fed
                }
            };
            self.write();
            if let Err(error) = fed {
                return self.fail(broken(&error));
            }
            if self.upstream.is_none() && !self.done {
                return self.fail(truncated());
            }
        }
    }

    fn poll_keepalive(&mut self, cx: &mut Context<'_>) {
        let Some(interval) = &mut self.keepalive else { return };
        while interval.poll_tick(cx).is_ready() {
            if self.watch.last().elapsed() >= KEEPALIVE && !self.done {
                self.out.extend_from_slice(self.attempt.call.dialect.keepalive(self.form));
            }
        }
    }
}

fn keepalive_interval() -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + KEEPALIVE, KEEPALIVE);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl HttpBody for CrossBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if !this.out.is_empty() {
            // The first event: somebody waits for it more than for anything that may be there by now.
            return Poll::Ready(Some(Ok(Frame::data(this.out.split().freeze()))));
        }
        this.poll_upstream(cx);
        if this.upstream.is_some() && !this.done {
            if let Poll::Ready(due) = this.watch.poll_due(cx) {
                this.fail(overdue(due));
            }
            this.poll_keepalive(cx);
        }
        if !this.out.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(this.out.split().freeze()))));
        }
        // Once the answer is complete, an upstream that lingers is cut off rather than waited for.
        if this.done || this.upstream.is_none() { Poll::Ready(None) } else { Poll::Pending }
    }

    fn is_end_stream(&self) -> bool {
        (self.done || self.upstream.is_none()) && self.out.is_empty()
    }
}

impl Drop for CrossBody {
    fn drop(&mut self) {
        if !self.done {
            let usage = self.usage;
            self.attempt.call.record.note(|facts| {
                facts.usage = usage;
                facts.upstream_done = Some(Instant::now());
            });
        }
    }
}
