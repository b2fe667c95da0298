//! The policy of the gateway, as Tower layers over `http::Request` and `http::Response`.
//!
//! In the order in which a request meets them:
//!
//! - [`record`]: one [`record::Record`] per exchange, which every layer below adds to, and which is closed exactly
//!   once: when the response body ends or is dropped.
//! - [`auth`]: gateway keys.
//! - [`collect`]: reads a request body whole, within a size and a time.
//! - [`translate`]: the only place that knows dialects. Its outer half looks at a request
//!   ([`translate::InspectLayer`]), its inner half ([`translate::TranslateLayer`]) makes one attempt at one target.
//! - [`resolve`]: from the model's name to the targets that may serve it.
//! - [`failover`]: one target after the other, until one has given a meaningful event.
//! - [`fetch`]: media given by URL, for targets that take only bytes.
//! - [`credential`]: the provider's key.
//!
//! Every layer takes plain values, never a configuration. None of them knows the server that it runs in: the example
//! `axum` runs the same stack in another one. [`body`] has the body type that they share.

pub mod auth;
pub mod body;
pub mod collect;
pub mod credential;
pub mod failover;
pub mod fetch;
pub mod record;
pub mod resolve;
pub mod target;
pub mod translate;

/// The error type of a service whose errors are examined only at the edge.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A boxed future that a service returns where it waits on IO anyway.
pub type BoxFuture<T, E> = std::pin::Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
