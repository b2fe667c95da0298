//! The gateway's layers in a server of another kind: axum in front, hyper's pooled client behind.
//!
//! ```text
//! UPSTREAM=127.0.0.1:8000 cargo run -p lockgate-layers --example axum
//! curl http://127.0.0.1:8081/v1/messages -d '{"model":"any","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
//! ```
//!
//! Anthropic's SDK can talk to it, and any server that speaks `OpenAI` Chat Completions answers.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body as AxumBody, routing::any};
use http::{HeaderMap, Request, Response, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lockgate_filters::{dialects, model::Str, seal::Sealer};
use lockgate_layers::{
    BoxError, BoxFuture,
    auth::{AuthLayer, Identity, Keys, hash_key},
    body::Body,
    collect::CollectLayer,
    credential::{CredentialLayer, Outgoing},
    failover::{FailoverLayer, RetryOn},
    resolve::{Balance, Directory, Pool, ResolveError, ResolveLayer, RouteModel},
    target::{Credential, Endpoint, Face, Target, Timeouts},
    translate::{InspectLayer, StateMemory, TranslateLayer},
};
use tower::{Service, ServiceBuilder, ServiceExt};

/// Sends what the stack has prepared, with hyper's own client.
#[derive(Clone)]
struct Upstream(Client<HttpConnector, Body>);

impl Service<Outgoing> for Upstream {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Response<Body>, BoxError>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, out: Outgoing) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let mut request = out.request;
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = format!("http://{}{path}", out.endpoint.authority).parse::<Uri>()?;
            Ok(client.request(request).await?.map(Body::stream))
        })
    }
}

/// Every model is at the one upstream.
struct OneUpstream(Arc<Endpoint>);

impl Directory for OneUpstream {
    fn find(&self, model: &str) -> Result<Arc<Pool>, ResolveError> {
        let target = Target {
            provider: self.0.name.clone(),
            model: Str::from(model),
            endpoint: self.0.clone(),
            timeouts: self.0.timeouts,
        };
        Ok(Arc::new(Pool {
            targets: vec![Arc::new(target)],
            balance: Balance::Failover,
            attempts: 1,
            retry_on: RetryOn::default(),
            total: None,
        }))
    }
}

fn endpoint(authority: &str) -> Result<Endpoint, BoxError> {
    let path = "/v1/chat/completions".to_owned();
    let dialect =
        dialects::find("openai", "llm/v1/chat").and_then(dialects::Dialect::upstream).ok_or("no such dialect")?;
    Ok(Endpoint {
        name: Str::from_static("upstream"),
        tls: false,
        authority: authority.parse()?,
        prefix: String::new(),
        faces: vec![Face { dialect, at: None, path: path.clone(), stream_path: path }],
        instead: None,
        quirks: Vec::new(),
        usage_in_stream: true,
        headers: HeaderMap::new(),
        credential: Credential::None,
        caller_key: None,
        unfilled: None,
        key_hint: None,
        timeouts: Timeouts::default(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let authority = std::env::var("UPSTREAM").unwrap_or_else(|_| "127.0.0.1:8000".to_owned());
    let directory = Arc::new(OneUpstream(Arc::new(endpoint(&authority)?)));
    let identity = Identity {
        name: "example".into(),
        path: None,
        models: Vec::new(),
        routes: Vec::new(),
        expires: None,
        labels: Vec::new(),
    };
    let keys = std::env::var("GATEWAY_KEY").ok().map(|key| (hash_key(key.as_bytes()), identity));
    let dialect = dialects::find("anthropic", "llm/v1/chat").ok_or("no such dialect")?;
    let stack = ServiceBuilder::new()
        .layer(AuthLayer::new(Arc::new(Keys::new(keys)), "/v1/messages".into()))
        .layer(CollectLayer::new(32 << 20, Duration::from_mins(1)))
        .layer(InspectLayer::new(Arc::from([dialect]), false, Duration::from_mins(15)))
        .layer(ResolveLayer::new(directory, RouteModel::default()))
        .layer(FailoverLayer)
        .layer(TranslateLayer::new(Sealer::new(b"change me"), StateMemory::new(1 << 20, Duration::from_hours(1))))
        .layer(CredentialLayer)
        .service(Upstream(Client::builder(TokioExecutor::new()).build_http()));
    let handler = move |req: Request<AxumBody>| {
        let stack = stack.clone();
        async move {
            // Bodies that arrive in a task of their own are collected first: the layers' body wants to be `Sync`.
            let (parts, body) = req.into_parts();
            let body = axum::body::to_bytes(body, 32 << 20).await.unwrap_or_default();
            match stack.oneshot(Request::from_parts(parts, Body::full(body))).await {
                Ok(rsp) => rsp.map(AxumBody::new),
                Err(error) => Response::builder().status(502).body(error.to_string().into()).unwrap_or_default(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8081").await?;
    axum::serve(listener, Router::new().route("/v1/messages", any(handler))).await?;
    Ok(())
}
