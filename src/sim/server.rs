//! The simulator's server: a loopback socket, and one answer per script.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use lockgate_filters::{
    dialects::{self, CallHead, Dialect, Operation, Reply, StreamEncoder, StreamForm},
    estimate,
    model::{ErrorClass, ErrorInfo, Event, Family, Response as Answer, Str},
    seal::Sealer,
    stream::Folder,
};
use lockgate_layers::{BoxError, body::Body};
use tokio::{net::TcpListener, task::JoinSet, time::Sleep};

use super::{
    behaviour::{Behaviour, Break, Lie, WORDS},
    script::{self, Action, Step},
};

const MAX_BODY: usize = 64 << 20;

/// The simulator, bound to a port of its own.
#[derive(Debug)]
pub struct Sim {
    listener: TcpListener,
}

impl Sim {
    /// Binds a free port on the loopback interface.
    ///
    /// # Errors
    /// If there is none.
    pub async fn bind() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the socket is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until dropped.
    pub async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if stream.set_nodelay(true).is_err() {
                        continue;
                    }
                    connections.spawn(async move {
                        let served = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service_fn(answer))
                            .await;
                        if let Err(error) = served {
                            tracing::trace!(%error, "a connection to the simulator ended");
                        }
                    });
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    }
}

async fn answer(req: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = req.into_parts();
    let path = parts.uri.path();
    let Some(Asked { dialect, family, model, verb }) = asked(path) else {
        let mut rsp = Response::new(Body::full(&br#"{"error":{"message":"sim has no such path"}}"#[..]));
        *rsp.status_mut() = StatusCode::NOT_FOUND;
        return Ok(rsp);
    };
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(refuse(dialect, &ErrorInfo::new(ErrorClass::InvalidRequest, "sim: the body broke off"))),
    };
    let head = CallHead { model: model.as_deref(), verb, query: parts.uri.query() };
    Ok(match act(dialect, family, &head, &body).await {
        Ok(rsp) => rsp,
        Err(error) => refuse(dialect, &error),
    })
}

/// Where the simulator speaks what: a prefix, and a suffix if the model stands between; then dialect, route type and
/// whose state it makes up.
const ENDPOINTS: &[(&str, &str, &str, &str, Family)] = &[
    ("/v1/chat/completions", "", "openai", "llm/v1/chat", Family::OpenAi),
    ("/v1/responses", "", "openai", "llm/v1/responses", Family::OpenAi),
    ("/v1/completions", "", "openai", "llm/v1/completions", Family::OpenAi),
    ("/v1/messages", "", "anthropic", "llm/v1/chat", Family::Anthropic),
    ("/v1beta/models/", ":generateContent", "gemini", "llm/v1/chat", Family::Gemini),
    ("/v1beta/models/", ":streamGenerateContent", "gemini", "llm/v1/chat", Family::Gemini),
    ("/v1/messages/count_tokens", "", "anthropic", "llm/v1/count_tokens", Family::Anthropic),
    ("/v1beta/models/", ":countTokens", "gemini", "llm/v1/count_tokens", Family::Gemini),
    ("/v1/responses/input_tokens", "", "openai", "llm/v1/count_tokens", Family::OpenAi),
    ("/model/", "/count-tokens", "bedrock", "llm/v1/count_tokens", Family::Bedrock),
    ("/model/", "/converse", "bedrock", "llm/v1/chat", Family::Bedrock),
    ("/model/", "/converse-stream", "bedrock", "llm/v1/chat", Family::Bedrock),
    ("/v2/chat", "", "cohere", "llm/v1/chat", Family::Cohere),
    ("/api/chat", "", "ollama", "llm/v1/chat", Family::Ollama),
    ("/api/generate", "", "ollama", "llm/v1/completions", Family::Ollama),
];

/// What a path asks for.
struct Asked<'p> {
    dialect: &'static dyn Dialect,
    family: Family,
    model: Option<String>,
    verb: Option<&'p str>,
}

/// What a path asks for; `None` if the simulator has no such path.
fn asked(path: &str) -> Option<Asked<'_>> {
    ENDPOINTS.iter().find_map(|(prefix, suffix, dialect, route_type, family)| {
        let rest = path.strip_prefix(prefix)?;
        let model = rest.strip_suffix(suffix)?;
        if suffix.is_empty() != model.is_empty() {
            return None;
        }
        Some(Asked {
            dialect: dialects::find(dialect, route_type)?,
            family: *family,
            model: (!model.is_empty()).then(|| plain(model)),
            verb: rest.get(model.len() + 1..).filter(|verb| !verb.is_empty()),
        })
    })
}

/// A model as it was before the gateway percent-encoded what it must.
fn plain(model: &str) -> String {
    let encoded = ["%2B", "%3D", "%2F"].iter().zip(["+", "=", "/"]);
    encoded.fold(model.to_owned(), |model, (from, to)| model.replace(from, to))
}

async fn act(
    dialect: &'static dyn Dialect,
    family: Family,
    head: &CallHead<'_>,
    body: &Bytes,
) -> Result<Response<Body>, ErrorInfo> {
    let inspection = dialect.inspect(head, body)?;
    let name = inspection.model.rsplit('/').next().unwrap_or_default().to_owned();
    let behaviour = Behaviour::parse(&name).map_err(|word| {
        let message = format!("sim does not know `{word}`: join words with `+`, of {WORDS}");
        ErrorInfo::new(ErrorClass::ModelNotFound, message)
    })?;
    let request = dialect.decode_request(head, body)?;
    tokio::time::sleep(behaviour.first).await;
    if let Some(status) = behaviour.error {
        return Err(ErrorInfo {
            upstream_status: Some(status),
            retry_after: (status == 429).then_some(1),
            ..ErrorInfo::new(ErrorClass::from_status(status), format!("sim: status {status}, as asked"))
        });
    }
    if behaviour.break_at == Some((0, Break::Stall)) {
        std::future::pending::<()>().await;
    }
    if let Some(lie) = behaviour.lie {
        return Ok(lied(dialect, lie, inspection.stream));
    }
    let reply =
        Reply { model: inspection.model.clone(), include_usage: inspection.include_usage, ..reply(inspection.stream) };
    if dialect.operation() == Operation::Count {
        let counted = Answer { counted: Some(estimate::request(&request)), ..Answer::default() };
        return Ok(json(dialect.encode_response(&counted, &reply)));
    }
    let steps = script::write(&request, &behaviour, family, Str::from_static("sim-1"));
    Ok(match inspection.stream {
        Some(form) => streamed(dialect, form, &reply, steps, &behaviour),
        None => whole(dialect, &reply, steps, &behaviour).await,
    })
}

/// How answers are written.
fn reply(stream: Option<StreamForm>) -> Reply {
    Reply {
        model: Str::new(),
        id: Str::from_static("sim-1"),
        created: 1_735_689_600,
        form: stream.unwrap_or(StreamForm::Sse),
        include_usage: false,
        show_reasoning: true,
        input_estimate: 1,
        sealer: Sealer::new(b"sim"),
    }
}

fn refuse(dialect: &dyn Dialect, error: &ErrorInfo) -> Response<Body> {
    let mut rsp = json(dialect.encode_error(error, "sim-1"));
    for (name, value) in dialect.error_headers(error) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            rsp.headers_mut().insert(name, value);
        }
    }
    let status = error.upstream_status.unwrap_or_else(|| dialect.error_status(error));
    *rsp.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = error.retry_after {
        rsp.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    rsp
}

fn json(body: Bytes) -> Response<Body> {
    typed(Body::full(body), "application/json")
}

fn typed(body: Body, kind: &'static str) -> Response<Body> {
    let mut rsp = Response::new(body);
    rsp.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    rsp
}

fn lied(dialect: &'static dyn Dialect, lie: Lie, stream: Option<StreamForm>) -> Response<Body> {
    let kind = stream.map_or("application/json", StreamForm::content_type);
    match lie {
        Lie::Html => typed(Body::full(&b"<html><body>It works!</body></html>"[..]), "text/html"),
        Lie::Empty => typed(Body::empty(), kind),
        Lie::Garbage => typed(Body::full(&b"data: {\"half\": \n\n{{{ garbage"[..]), kind),
        Lie::Error => {
            let error = ErrorInfo::new(ErrorClass::Upstream, "sim: an error under status 200, as asked");
            if stream == Some(StreamForm::EventStream) {
                let mut event = BytesMut::new();
                dialect.stream_encoder(&reply(stream)).encode(&Event::Error(Box::new(error)), &mut event);
                return typed(Body::full(event.freeze()), kind);
            }
            let body = dialect.encode_error(&error, "sim-1");
            if stream == Some(StreamForm::Sse) {
                let mut event = BytesMut::from(&b"event: error\ndata: "[..]);
                event.extend_from_slice(&body);
                event.extend_from_slice(b"\n\n");
                return typed(Body::full(event.freeze()), kind);
            }
            typed(Body::full(body), kind)
        }
    }
}

async fn whole(dialect: &dyn Dialect, reply: &Reply, steps: Vec<Step>, behaviour: &Behaviour) -> Response<Body> {
    let mut folder = Folder::default();
    for step in steps {
        if step.paced {
            tokio::time::sleep(behaviour.pace).await;
        }
        match step.action {
            Action::Send(events) => events.iter().for_each(|event| folder.push(event)),
            Action::Stall => std::future::pending().await,
            Action::Cut => return typed(Body::stream(Performance::cut()), "application/json"),
        }
    }
    match folder.finish() {
        Ok(answer) => json(dialect.encode_response(&answer, reply)),
        Err(error) => refuse(dialect, &error),
    }
}

fn streamed(
    dialect: &'static dyn Dialect,
    form: StreamForm,
    reply: &Reply,
    steps: Vec<Step>,
    behaviour: &Behaviour,
) -> Response<Body> {
    let performance = Performance {
        steps: steps.into_iter(),
        encoder: Some(dialect.stream_encoder(reply)),
        pace: behaviour.pace,
        waiting: None,
        held: BytesMut::new(),
    };
    typed(Body::stream(performance), form.content_type())
}

/// Plays a script.
struct Performance {
    steps: std::vec::IntoIter<Step>,
    encoder: Option<Box<dyn StreamEncoder>>,
    pace: std::time::Duration,
    waiting: Option<(Pin<Box<Sleep>>, Action)>,
    held: BytesMut,
}

impl Performance {
    /// Begins a body and breaks it off.
    fn cut() -> Self {
        let steps = vec![Step { paced: true, action: Action::Cut }].into_iter();
        let pace = std::time::Duration::from_millis(20);
        Self { steps, encoder: None, pace, waiting: None, held: BytesMut::from(&b"{\"id\":"[..]) }
    }

    fn write(&mut self, events: &[Event]) {
        if let Some(encoder) = &mut self.encoder {
            for event in events {
                encoder.encode(event, &mut self.held);
            }
        }
    }
}

impl HttpBody for Performance {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            let Some((mut sleep, action)) = this.waiting.take() else {
                let Some(step) = this.steps.next() else {
                    let rest = this.held.split().freeze();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                };
                let pause = if step.paced { this.pace } else { std::time::Duration::ZERO };
                if pause.is_zero() && !matches!(step.action, Action::Cut | Action::Stall) {
                    if let Action::Send(events) = step.action {
                        this.write(&events);
                    }
                } else {
                    this.waiting = Some((Box::pin(tokio::time::sleep(pause)), step.action));
                }
                // Each paced piece leaves by itself, so that readers see them come one by one.
                if step.paced && !this.held.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(this.held.split().freeze()))));
                }
                continue;
            };
            if !this.held.is_empty() || sleep.as_mut().poll(cx).is_pending() {
                this.waiting = Some((sleep, action));
                let ready = this.held.split().freeze();
                return if ready.is_empty() { Poll::Pending } else { Poll::Ready(Some(Ok(Frame::data(ready)))) };
            }
            match action {
                Action::Send(events) => this.write(&events),
                Action::Cut => return Poll::Ready(Some(Err("cut, as asked".into()))),
                Action::Stall => {
                    this.waiting = Some((Box::pin(tokio::time::sleep(FOREVER)), Action::Stall));
                }
            }
        }
    }
}

/// Longer than anybody waits.
const FOREVER: std::time::Duration = std::time::Duration::from_hours(24);
