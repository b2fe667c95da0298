//! Settings of the whole gateway, and the ones that routes, models and providers override.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawDuration, RawSize};
use crate::types::LogFormat;

/// An address to listen on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Listener")]
pub(crate) struct RawListener {
    /// IP address and port: `0.0.0.0:8443`.
    pub(crate) address: String,
    /// Certificate and key; without them the listener speaks cleartext.
    pub(crate) tls: Option<RawTls>,
    /// Speaks HTTP/2 too: by ALPN over TLS, by prior knowledge in cleartext. Default: `true`.
    pub(crate) http2: Option<bool>,
}

/// Certificate and key of a listener, read again at each reload.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(crate) struct RawTls {
    /// PEM file with the certificate and the chain above it.
    pub(crate) cert: String,
    /// PEM file with the private key.
    pub(crate) key: String,
}

/// How long things may take.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub(crate) struct RawTimeouts {
    /// Connecting to a provider, TLS included. Default: `5s`.
    pub(crate) connect: Option<RawDuration>,
    /// From the sent request to the first meaningful event of the answer. Default: `120s`.
    pub(crate) first_event: Option<RawDuration>,
    /// Between two events of an answer. Default: `120s`.
    pub(crate) between_events: Option<RawDuration>,
    /// The whole request, all attempts included. Default: `15m`.
    pub(crate) total: Option<RawDuration>,
    /// Reading a client's request head. Default: `15s`.
    pub(crate) head: Option<RawDuration>,
    /// An idle client connection. Default: `60s`.
    pub(crate) idle: Option<RawDuration>,
    /// Waiting for the next part of a client's request body. Default: `60s`.
    pub(crate) body: Option<RawDuration>,
    /// Holding an answer back for its first meaningful event before it is committed to the client. Default: `10s`.
    pub(crate) commit: Option<RawDuration>,
    /// Requests in flight at shutdown. Default: `30s`.
    pub(crate) drain: Option<RawDuration>,
    /// Waiting for a client to take the next part of an answer. Default: `60s`.
    pub(crate) write: Option<RawDuration>,
}

/// Timeouts that a route may set for itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RouteTimeouts", extend("x-elsewhere" = {
    "head": "is needed before a route is known: set it at the top",
    "idle": "belongs to a connection, which may serve several routes: set it at the top",
    "drain": "belongs to the process: set it at the top",
}))]
pub(crate) struct RawRouteTimeouts {
    /// Connecting to a provider, TLS included.
    pub(crate) connect: Option<RawDuration>,
    /// From the sent request to the first meaningful event of the answer.
    pub(crate) first_event: Option<RawDuration>,
    /// Between two events of an answer.
    pub(crate) between_events: Option<RawDuration>,
    /// The whole request, all attempts included.
    pub(crate) total: Option<RawDuration>,
    /// Waiting for the next part of a client's request body.
    pub(crate) body: Option<RawDuration>,
    /// Holding an answer back for its first meaningful event before it is committed to the client.
    pub(crate) commit: Option<RawDuration>,
    /// Waiting for a client to take the next part of an answer.
    pub(crate) write: Option<RawDuration>,
}

/// Timeouts that a provider, model or target may set for itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TimeoutOverrides", extend("x-elsewhere" = {
    "body": "is about the client, before a target is chosen: set it for a route or at the top",
    "write": "is about the client, whoever answers: set it for a route or at the top",
    "head": "is about the client, before its request is known: set it at the top",
    "idle": "is about the client's connection: set it at the top",
    "drain": "belongs to the process: set it at the top",
}))]
pub(crate) struct RawTimeoutOverrides {
    /// Connecting to a provider, TLS included.
    pub(crate) connect: Option<RawDuration>,
    /// From the sent request to the first meaningful event of the answer.
    pub(crate) first_event: Option<RawDuration>,
    /// Between two events of an answer.
    pub(crate) between_events: Option<RawDuration>,
    /// A whole attempt of a provider or target; of a model, the whole request, all attempts included.
    pub(crate) total: Option<RawDuration>,
    /// Holding an answer back for its first meaningful event before it is committed to the client.
    pub(crate) commit: Option<RawDuration>,
}

/// How large things may be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(crate) struct RawLimits {
    /// A request body that the gateway must understand. Default: `32MiB`.
    pub(crate) body: Option<RawSize>,
    /// A request body that only passes. Default: `1GiB`.
    pub(crate) upload: Option<RawSize>,
    /// A request head, at most `1MB`. Default: `64KiB`.
    pub(crate) head: Option<RawSize>,
    /// Header lines of a request, at most 256. Default: 100.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) headers: Option<u32>,
    /// Client connections at a time; 0 for no limit. Default: 0.
    pub(crate) connections: Option<u32>,
}

/// Limits that a route may set for itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LimitOverrides")]
pub(crate) struct RawLimitOverrides {
    /// A request body that the gateway must understand.
    pub(crate) body: Option<RawSize>,
    /// A request body that only passes.
    pub(crate) upload: Option<RawSize>,
}

/// Parameters of layers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Layers")]
pub(crate) struct RawLayers {
    /// When another attempt is made. The nearest setting wins: model, route, top.
    pub(crate) failover: Option<RawFailover>,
}

/// When another attempt is made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Failover")]
pub(crate) struct RawFailover {
    /// Attempts for one request, the first included. Default: 3.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) attempts: Option<u32>,
    /// Failures after which another attempt is made. Default: `[connect, timeout, 429, 5xx, invalid_answer]`.
    pub(crate) on: Option<Vec<RawTrigger>>,
}

/// A status such as `429`, a class such as `5xx`, or `connect`, `timeout`, `invalid_answer`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Trigger")]
pub(crate) enum RawTrigger {
    Status(u16),
    Word(String),
}

/// Forwarding of what the gateway does not understand.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Passthrough")]
pub(crate) struct RawPassthrough {
    /// Serves `/p/{provider}/`. Default: `true`.
    pub(crate) enabled: Option<bool>,
    /// What may pass, as `provider` or `provider/path`, `*` standing for any text. Default: all.
    pub(crate) allow: Option<Vec<String>>,
    /// What may not pass, even where `allow` has it.
    pub(crate) deny: Option<Vec<String>>,
    /// Forwards unknown paths under `/v1/` too, to the provider of the request's model. Default: `true`.
    pub(crate) v1_alias: Option<bool>,
}

/// Media that requests name by URL, where the provider takes only bytes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Media")]
pub(crate) struct RawMedia {
    /// Fetches them; otherwise such requests are refused. Default: `true`.
    pub(crate) fetch: Option<bool>,
    /// All media of one request together. Default: `20MiB`.
    pub(crate) max_bytes: Option<RawSize>,
    /// Fetching one of them, redirects included. Default: `10s`.
    pub(crate) timeout: Option<RawDuration>,
    /// Redirects that are followed. Default: 3.
    #[schemars(range(max = 10))]
    pub(crate) max_redirects: Option<u32>,
    /// Hosts (`media.example.com`, `*.example.com`), addresses and networks (`10.1.0.0/16`) that may be private and have
    /// any port. Default: none.
    pub(crate) allow: Option<Vec<String>>,
}

/// What is logged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Log")]
pub(crate) struct RawLog {
    /// Form of a line. Default: `human`.
    pub(crate) format: Option<LogFormat>,
    /// Level, or a filter such as `info,lockgate=debug`. Default: `info`.
    pub(crate) level: Option<String>,
    /// One line for each request. Default: `true`.
    pub(crate) access: Option<bool>,
}

/// The process.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Server")]
pub(crate) struct RawServer {
    /// Worker threads; 0 for one per core. Default: 0.
    #[schemars(range(max = 1024))]
    pub(crate) threads: Option<u32>,
}
