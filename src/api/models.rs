//! `GET /v1/models`, `/v1/models/{id}`, Gemini's `/v1beta` twins and Ollama's `/api/tags`: one list, four shapes; and
//! `/api/version`, by which Ollama's clients learn what they may ask for.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use lockgate_filters::model::{ErrorClass, ErrorInfo};
use lockgate_layers::{
    BoxError,
    auth::Identity,
    body::Body,
    resolve::{Directory, ResolveError},
};
use serde_json::{Value, json};
use tower::Service;

use crate::{
    gateway::{ListedModel, Models},
    routes::Captures,
};

/// When the gateway's models came to be: the protocol wants a time, the gateway knows none.
const CREATED: u64 = 1_735_689_600;
const CREATED_AT: &str = "2025-01-01T00:00:00Z";
/// The release of Ollama whose API the gateway speaks: with thinking levels, ids of calls and log probabilities.
const OLLAMA_VERSION: &str = "0.13.0";

/// Lists models.
#[derive(Clone, Debug)]
pub struct ListModels {
    models: Arc<Models>,
}

impl ListModels {
    /// Lists `models`.
    pub fn new(models: Arc<Models>) -> Self {
        Self { models }
    }

    fn answer(&self, req: &Request<Body>) -> Result<Value, BoxError> {
        let shape = Shape::of(req);
        if shape == Shape::Ollama && req.uri().path().ends_with("/version") {
            return Ok(json!({"version": OLLAMA_VERSION}));
        }
        let identity = req.extensions().get::<Arc<Identity>>();
        let visible = |model: &ListedModel| identity.is_none_or(|identity| identity.allows_model(&model.id));
        let id = req.extensions().get::<Captures>().and_then(|captures| captures.get("id"));
        let Some(id) = id else {
            let filter = query(req, "provider").map(|provider| format!("{provider}/"));
            let mut all = self.models.list();
            all.retain(|model| visible(model) && filter.as_ref().is_none_or(|filter| model.id.starts_with(filter)));
            return Ok(shape.list(&all));
        };
        let id = if shape == Shape::Gemini { id.strip_prefix("models/").unwrap_or(id) } else { id };
        match self.models.listed(id).filter(visible) {
            Some(model) => Ok(shape.one(&model)),
            None => Err(self.unknown(id)),
        }
    }

    fn unknown(&self, id: &str) -> BoxError {
        match self.models.find(id) {
            Err(error @ ResolveError::Unknown { .. }) => error.into(),
            _ => {
                ErrorInfo::new(ErrorClass::ModelNotFound, format!("unknown model `{id}`: see `GET /v1/models`")).into()
            }
        }
    }
}

fn query<'a>(req: &'a Request<Body>, name: &str) -> Option<&'a str> {
    let pairs = req.uri().query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Shape {
    /// Gemini and Ollama have paths of their own, and Gemini's clients a header; Anthropic's clients always state a
    /// version.
    fn of(req: &Request<Body>) -> Self {
        let path = req.uri().path();
        let headers = req.headers();
        if path.starts_with("/api/") {
            Self::Ollama
        } else if path.starts_with("/v1beta") || path.starts_with("/v1alpha") || headers.contains_key("x-goog-api-key")
        {
            Self::Gemini
        } else if headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    fn list(self, models: &[ListedModel]) -> Value {
        let data: Vec<_> = models.iter().map(|model| self.one(model)).collect();
        let id = |model: Option<&ListedModel>| model.map(|model| model.id.clone());
        match self {
            Self::OpenAi => json!({"object": "list", "data": data}),
            Self::Anthropic => json!({
                "data": data, "has_more": false, "first_id": id(models.first()), "last_id": id(models.last()),
            }),
            Self::Gemini | Self::Ollama => json!({"models": data}),
        }
    }

    fn one(self, model: &ListedModel) -> Value {
        let ListedModel { id, owner } = model;
        match self {
            Self::OpenAi => json!({"id": id, "object": "model", "created": CREATED, "owned_by": owner}),
            Self::Anthropic => json!({"type": "model", "id": id, "display_name": id, "created_at": CREATED_AT}),
            Self::Gemini => json!({
                "name": format!("models/{id}"), "baseModelId": id, "version": "1", "displayName": id,
                "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
            }),
            // What only a server that holds the model knows is empty; clients require the members.
            Self::Ollama => json!({
                "name": id, "model": id, "modified_at": CREATED_AT, "size": 0, "digest": "",
                "details": {
                    "parent_model": "", "format": "", "family": owner, "families": [owner], "parameter_size": "",
                    "quantization_level": "",
                },
            }),
        }
    }
}

impl Service<Request<Body>> for ListModels {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<Body>) -> Self::Future {
        ready(self.answer(&req).map(|value| super::json(value.to_string())))
    }
}
