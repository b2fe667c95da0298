//! From an upstream's success to the client's answer: whole or streamed, native or cross.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header, response::Parts};
use http_body_util::BodyExt;
use lockgate_filters::{
    dialects::{Encoded, Reply, ResponseError, StreamForm, Upstream},
    model::{Event, Losses, Response as Answer},
    stream::{Folder, Restorer, unfold},
};
use tokio::time::Instant;

use super::{
    Attempt, AttemptError,
    cross::{CrossBody, CrossStream},
    memory::Listener,
    native::NativeBody,
    outgoing::Lane,
    peek::{Peeked, peek},
};
use crate::{body::Body, record::EndedBy, target::Target};

/// A whole answer is held up to this. Images come inline.
const MAX_WHOLE_ANSWER: usize = 64 << 20;

/// The response header that names the provider that served.
const PROVIDER: HeaderName = HeaderName::from_static("x-lockgate-provider");
/// The response header that names the model that served, as the provider names it.
const MODEL: HeaderName = HeaderName::from_static("x-lockgate-model");
/// The response header that lists what translation could not carry.
const LOSS: HeaderName = HeaderName::from_static("x-lockgate-loss");
/// The longest list of losses in a header, unless the client asks for all.
const MAX_LOSS_HEADER: usize = 1024;

/// Response headers that concern one connection only, or that describe bytes which may have changed.
static HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TRAILER,
    header::TE,
    header::PROXY_AUTHENTICATE,
    header::SET_COOKIE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("alt-svc"),
];

/// Makes the client's answer of an upstream's.
pub(super) async fn answer(
    attempt: Attempt,
    rsp: Response<Body>,
    lane: Lane,
    dialect: &'static dyn Upstream,
    started: Instant,
) -> Result<Response<Body>, AttemptError> {
    let (parts, body) = rsp.into_parts();
    let Some(answered) = answered(&parts.headers, dialect.stream_form()) else {
        return Err(AttemptError::invalid_answer(&attempt.target, &"it is neither JSON nor a stream of its dialect"));
    };
    let wants_stream = attempt.call.inspection.stream.is_some();
    match lane {
        Lane::Native { strip_usage, .. } if wants_stream && (answered == Answered::Streamed || is_array(&attempt)) => {
            let json_array = answered == Answered::Whole;
            let spec = lockgate_filters::dialects::TapSpec { strip_usage, json_array };
            native_stream(attempt, parts, body, dialect, spec, started).await
        }
        Lane::Native { .. } => native_whole(attempt, parts, body, dialect, started).await,
        Lane::Cross { encoded, reply, listener } => {
            let cross = Cross { attempt, dialect, encoded, reply, listener, started };
            match (wants_stream, answered) {
                (true, Answered::Streamed) => cross.stream(body).await,
                (true, Answered::Whole) => cross.unfolded(body).await,
                (false, Answered::Whole) => cross.whole(body).await,
                (false, Answered::Streamed) => cross.folded(body).await,
            }
        }
    }
}

/// How an upstream answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    /// With one JSON document.
    Whole,
    /// With a stream of its dialect.
    Streamed,
}

/// How an upstream answered; `None` if the body is no answer of its dialect, or is compressed.
fn answered(headers: &HeaderMap, stream: StreamForm) -> Option<Answered> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return None;
    }
    let kind = media_type(headers);
    if kind.eq_ignore_ascii_case(stream.content_type().as_bytes()) {
        Some(Answered::Streamed)
    } else if kind.is_empty() || kind.ends_with(b"json") {
        Some(Answered::Whole)
    } else {
        None
    }
}

/// The media type of a body, without its parameters; empty if it has none.
pub(super) fn media_type(headers: &HeaderMap) -> &[u8] {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

fn is_array(attempt: &Attempt) -> bool {
    attempt.call.inspection.stream == Some(StreamForm::JsonArray)
}

async fn native_stream(
    attempt: Attempt,
    parts: Parts,
    mut body: Body,
    dialect: &'static dyn Upstream,
    spec: lockgate_filters::dialects::TapSpec,
    started: Instant,
) -> Result<Response<Body>, AttemptError> {
    let mut decoder = dialect.stream_decoder();
    let peeked = peek(&mut body, &mut *decoder, &attempt, started).await?;
    note_first(&attempt);
    let mut head = native_head(&attempt, parts);
    detach(&mut head.headers);
    let stream = NativeBody::new(&attempt, dialect, body, peeked.chunks, peeked.ended, spec);
    Ok(Response::from_parts(head, Body::stream(stream)))
}

async fn native_whole(
    attempt: Attempt,
    parts: Parts,
    body: Body,
    dialect: &'static dyn Upstream,
    started: Instant,
) -> Result<Response<Body>, AttemptError> {
    let bytes = whole(&attempt, body, started).await?;
    let glance = dialect.inspect_response(&bytes);
    if let Some(error) = glance.error {
        return Err(AttemptError::in_answer(*error));
    }
    let text = bytes.trim_ascii();
    if !matches!((text.first(), text.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))) {
        return Err(AttemptError::invalid_answer(&attempt.target, &"it is empty, or no JSON"));
    }
    note_first(&attempt);
    attempt.call.record.note(|facts| {
        facts.usage = glance.usage;
        facts.upstream_done = Some(Instant::now());
        facts.ended_by = Some(EndedBy::Complete);
    });
    Ok(Response::from_parts(native_head(&attempt, parts), Body::full(bytes)))
}

/// A translated answer.
struct Cross {
    attempt: Attempt,
    dialect: &'static dyn Upstream,
    encoded: Box<Encoded>,
    reply: Box<Reply>,
    listener: Option<Listener>,
    started: Instant,
}

impl Cross {
    /// Streamed to streamed.
    async fn stream(self, mut body: Body) -> Result<Response<Body>, AttemptError> {
        let mut decoder = self.dialect.stream_decoder();
        let peeked = peek(&mut body, &mut *decoder, &self.attempt, self.started).await?;
        Ok(self.streamed(Some((body, decoder)), peeked))
    }

    /// Whole to streamed.
    async fn unfolded(self, body: Body) -> Result<Response<Body>, AttemptError> {
        let answer = self.decode(body).await?;
        let mut events = Vec::new();
        unfold(answer, &mut events);
        Ok(self.streamed(None, Peeked { chunks: Vec::new(), events, ended: true }))
    }

    fn streamed(
        self,
        upstream: Option<(Body, Box<dyn lockgate_filters::dialects::StreamDecoder>)>,
        peeked: Peeked,
    ) -> Response<Body> {
        note_first(&self.attempt);
        let form = self.reply.form;
        let restorer = self.restorer();
        let head = self.head(form.content_type());
        let stream = CrossBody::new(CrossStream {
            attempt: self.attempt,
            upstream,
            restorer,
            listener: self.listener,
            reply: *self.reply,
            peeked,
        });
        Response::from_parts(head, Body::stream(stream))
    }

    /// Whole to whole.
    async fn whole(self, body: Body) -> Result<Response<Body>, AttemptError> {
        let answer = self.decode(body).await?;
        Ok(self.encode(answer))
    }

    /// Streamed to whole.
    async fn folded(self, mut body: Body) -> Result<Response<Body>, AttemptError> {
        let target = &self.attempt.target;
        let invalid = |error: &dyn std::fmt::Display| AttemptError::invalid_answer(target, error);
        let until = self.attempt.silent_at(self.started);
        let mut decoder = self.dialect.stream_decoder();
        let mut folder = Folder::default();
        let mut events: Vec<Event> = Vec::new();
        loop {
            let frame = tokio::time::timeout_at(until, body.frame()).await;
            match frame.map_err(|_| AttemptError::silent(&self.attempt))? {
                None => break,
                Some(Err(error)) => return Err(AttemptError::in_body(target, error)),
                Some(Ok(frame)) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    decoder.feed(chunk, &mut events).map_err(|error| invalid(&error))?;
                }
            }
            events.drain(..).for_each(|event| folder.push(&event));
        }
        decoder.finish(&mut events).map_err(|error| invalid(&error))?;
        events.drain(..).for_each(|event| folder.push(&event));
        let answer = folder.finish().map_err(|error| AttemptError::in_answer(*error))?;
        Ok(self.encode(answer))
    }

    async fn decode(&self, body: Body) -> Result<Answer, AttemptError> {
        let bytes = whole(&self.attempt, body, self.started).await?;
        match self.dialect.decode_response(&bytes) {
            Ok(answer) => Ok(answer),
            Err(ResponseError::Upstream(error)) => Err(AttemptError::in_answer(error)),
            Err(ResponseError::Malformed(error)) => Err(AttemptError::invalid_answer(&self.attempt.target, &error)),
        }
    }

    /// What undoes the changes that encoding the request made.
    fn restorer(&self) -> Restorer {
        let request = self.attempt.call.decoded();
        request.map_or_else(|_| Restorer::default(), |request| Restorer::new(request, &self.encoded))
    }

    fn encode(mut self, mut answer: Answer) -> Response<Body> {
        self.restorer().response(&mut answer);
        if let (Some(listener), Some(candidate)) = (self.listener.take(), answer.candidates.first()) {
            listener.parts(&candidate.parts);
        }
        note_first(&self.attempt);
        self.attempt.call.record.note(|facts| {
            facts.usage = answer.usage;
            facts.upstream_done = Some(Instant::now());
            facts.ended_by = Some(EndedBy::Complete);
        });
        let body = self.attempt.call.dialect.encode_response(&answer, &self.reply);
        Response::from_parts(self.head("application/json"), Body::full(body))
    }

    fn head(&self, content_type: &'static str) -> Parts {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        let streamed = self.attempt.call.inspection.stream.is_some();
        if streamed {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        }
        for (name, value) in self.attempt.call.dialect.answer_headers(streamed) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Some(losses) = loss_header(&self.attempt, &self.encoded.losses) {
            headers.insert(LOSS, losses);
        }
        name_target(&mut headers, &self.attempt.target);
        let mut parts = Response::new(()).into_parts().0;
        parts.headers = headers;
        parts
    }
}

fn native_head(attempt: &Attempt, mut parts: Parts) -> Parts {
    clean_headers(&mut parts.headers);
    name_target(&mut parts.headers, &attempt.target);
    parts.version = http::Version::HTTP_11;
    parts
}

/// Takes out what must not travel from an upstream's head to the client's.
pub(super) fn clean_headers(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Copies the values out of the buffer that they were read into. A stream's head is kept until its end, and would keep
/// the whole buffer.
fn detach(headers: &mut HeaderMap) {
    let mut joined = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    for value in headers.values() {
        joined.extend_from_slice(value.as_bytes());
    }
    let mut joined = joined.freeze();
    for value in headers.values_mut() {
        if let Ok(copy) = HeaderValue::from_maybe_shared(joined.split_to(value.len())) {
            *value = copy;
        }
    }
}

fn name_target(headers: &mut HeaderMap, target: &Target) {
    for (name, value) in [(PROVIDER, &target.provider), (MODEL, &target.model)] {
        if let Ok(value) = HeaderValue::from_maybe_shared(value.clone().into_bytes()) {
            headers.insert(name, value);
        }
    }
}

fn loss_header(attempt: &Attempt, losses: &Losses) -> Option<HeaderValue> {
    if losses.is_empty() {
        return None;
    }
    let full = attempt.call.headers.get(LOSS).is_some_and(|value| value.as_bytes() == b"full");
    let mut text = String::new();
    let mut left = 0;
    for loss in losses {
        let piece = format!("{}={}", attempt.call.dialect.pointer(loss.field), loss.level.as_str());
        if !full && text.len() + piece.len() > MAX_LOSS_HEADER {
            left += 1;
            continue;
        }
        if !text.is_empty() {
            text.push(';');
        }
        text.push_str(&piece);
    }
    if left > 0 {
        text.push_str(";+");
        text.push_str(&left.to_string());
    }
    HeaderValue::from_str(&text).ok()
}

/// Reads a whole body, until the attempt's deadline.
async fn whole(attempt: &Attempt, body: Body, started: Instant) -> Result<Bytes, AttemptError> {
    let until = attempt.silent_at(started);
    let body = http_body_util::Limited::new(body, MAX_WHOLE_ANSWER);
    match tokio::time::timeout_at(until, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(AttemptError::invalid_answer(&attempt.target, &error)),
        Err(_) => Err(AttemptError::silent(attempt)),
    }
}

fn note_first(attempt: &Attempt) {
    attempt.call.record.note(|facts| facts.first_event = Some(Instant::now()));
}

/// The `retry-after` header, in seconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}
