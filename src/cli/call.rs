//! `lockgate call`: one message to one model, through the same stack as every other request.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use http::{Method, Request};
use http_body_util::BodyExt;
use lockgate_filters::{
    dialects::{self, Dialect},
    model::{Delta, Event, PartKind, Str},
};
use lockgate_layers::{
    body::Body,
    record::{Closer, Record},
};
use serde_json::json;
use tower::ServiceExt;

use super::{Failure, load};
use crate::{errors, gateway, observe::Observer, routes::Lookup, serve, sim::Sim, upstream::Upstream};

const PATH: &str = "/v1/chat/completions";

/// Sends the message and prints the answer as it comes.
pub(super) fn run(path: Option<&Path>, model: &str, text: &str) -> Result<(), Failure> {
    let mut config = load(path)?;
    // Whoever reads the configuration may use it: this is not a request from outside.
    config.keys.clear();
    serve::install_cryptography();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let sim = Sim::bind().await?;
        let parts = gateway::Parts {
            upstream: Upstream::new(crate::upstream::Connector::default()),
            observer: Arc::new(Observer::new(None)),
            memory: gateway::state_memory(),
            sealer: lockgate_filters::seal::Sealer::new(uuid::Uuid::new_v4().as_bytes()),
            sim: Some(sim.address()?),
        };
        let shared = gateway::Shared::new(&config, parts)?;
        tokio::select! {
            () = sim.serve() => Ok(()),
            outcome = exchange(&shared, model, text) => outcome,
        }
    })
}

async fn exchange(shared: &gateway::Shared, model: &str, text: &str) -> Result<(), Failure> {
    let gateway = shared.load();
    let Lookup::Found(route, _) = gateway.routes.find(&Method::POST, PATH) else {
        return Err(Failure::Other(format!("the configuration has no route `{PATH}`")));
    };
    let dialect = dialects::find("openai", "llm/v1/chat")
        .and_then(Dialect::upstream)
        .ok_or_else(|| Failure::Other("no dialect".to_owned()))?;
    let record =
        Arc::new(Record::new(Str::from_static("call"), PATH.into(), Method::POST, PATH.into(), dialect.name()));
    shared.observer().begin(&record);
    let body = json!({"model": model, "stream": true, "messages": [{"role": "user", "content": text}]});
    let mut request = Request::new(Body::full(body.to_string()));
    *request.method_mut() = Method::POST;
    request.extensions_mut().insert(record.clone());
    let rsp = match route.service.clone().oneshot(request).await {
        Ok(rsp) => rsp,
        Err(error) => {
            let closer = Closer::new(record.clone(), shared.observer().clone());
            errors::answer(error, dialect, &record).map(|body| body.with_guard(closer))
        }
    };
    if !rsp.status().is_success() {
        let status = rsp.status().as_u16();
        let bytes = rsp.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        return Err(Failure::Other(dialect.decode_error(status, &bytes).message.to_string()));
    }
    print(rsp.into_body(), dialect).await
}

async fn print(mut body: Body, dialect: &dyn dialects::Upstream) -> Result<(), Failure> {
    let mut decoder = dialect.stream_decoder();
    let mut events = Vec::new();
    let mut visible = Vec::new();
    loop {
        let broken = |error: &dyn std::fmt::Display| Failure::Other(format!("the answer broke off: {error}"));
        match body.frame().await {
            Some(Err(error)) => return Err(broken(&error)),
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { continue };
                decoder.feed(chunk, &mut events).map_err(|error| broken(&error))?;
            }
            None => {
                decoder.finish(&mut events).map_err(|error| broken(&error))?;
                show(&mut events, &mut visible)?;
                return Ok(writeln!(io::stdout())?);
            }
        }
        show(&mut events, &mut visible)?;
    }
}

fn show(events: &mut Vec<Event>, visible: &mut Vec<lockgate_filters::model::PartKey>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for event in events.drain(..) {
        match event {
            Event::PartStart(start) if matches!(start.kind, PartKind::Text | PartKind::Refusal) => {
                visible.push(start.part);
            }
            Event::Delta { part, delta: Delta::Text(text) } if visible.contains(&part) => {
                out.write_all(text.as_bytes())?;
                out.flush()?;
            }
            Event::Error(error) => return Err(Failure::Other(error.message.to_string())),
            _ => {}
        }
    }
    Ok(())
}
