//! Settings of the whole gateway, and the ones that are laid over them nearer to a request.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Glob;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// IP address and port.
    pub address: SocketAddr,
    /// Certificate and key; `None` for cleartext.
    pub tls: Option<Tls>,
    /// Speaks HTTP/2 too.
    pub http2: bool,
}

/// Files of a certificate and its key; paths, so that they can be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the certificate and the chain above it.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting to a provider, TLS included.
    pub connect: Duration,
    /// From the sent request to the first meaningful event of the answer.
    pub first_event: Duration,
    /// Between two events of an answer.
    pub between_events: Duration,
    /// The whole request, all attempts included.
    pub total: Duration,
    /// Reading a client's request head.
    pub head: Duration,
    /// An idle client connection.
    pub idle: Duration,
    /// Waiting for the next part of a client's request body.
    pub body: Duration,
    /// Holding an answer back for its first meaningful event before it is committed to the client.
    pub commit: Duration,
    /// Requests in flight at shutdown.
    pub drain: Duration,
    /// Waiting for a client to take the next part of an answer.
    pub write: Duration,
}

/// Timeouts of a provider, route, model or target; `None` leaves the farther setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeoutOverrides {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// See [`Timeouts::first_event`].
    pub first_event: Option<Duration>,
    /// See [`Timeouts::between_events`].
    pub between_events: Option<Duration>,
    /// See [`Timeouts::total`].
    pub total: Option<Duration>,
    /// See [`Timeouts::body`].
    pub body: Option<Duration>,
    /// See [`Timeouts::commit`].
    pub commit: Option<Duration>,
    /// See [`Timeouts::write`].
    pub write: Option<Duration>,
}

/// How large things may be, in bytes where it does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request body that the gateway must understand.
    pub body: usize,
    /// A request body that only passes.
    pub upload: u64,
    /// A request head.
    pub head: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Client connections at a time; 0 for no limit.
    pub connections: usize,
}

/// When another attempt is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Attempts for one request, the first included.
    pub attempts: u32,
    /// Failures after which another attempt is made.
    pub on: Vec<Trigger>,
}

/// Failover of a route or a model; `None` leaves the farther setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverOverrides {
    /// See [`Failover::attempts`].
    pub attempts: Option<u32>,
    /// See [`Failover::on`].
    pub on: Option<Vec<Trigger>>,
}

/// A failure after which another attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trigger {
    /// No connection came about.
    Connect,
    /// A timeout ran out before the client saw anything.
    Timeout,
    /// A status.
    Status(u16),
    /// A class of statuses by its first digit.
    StatusClass(u16),
    /// An answer that cannot be read, or holds nothing.
    InvalidAnswer,
}

/// What passes untranslated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passthrough {
    /// Serves `/p/{provider}/`.
    pub enabled: bool,
    /// What may pass, as `provider` or `provider/path`; none listed means all.
    pub allow: Vec<Glob>,
    /// What may not pass, even where `allow` has it.
    pub deny: Vec<Glob>,
    /// Forwards unknown paths under `/v1/` too.
    pub v1_alias: bool,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// Level, or a filter in the notation of `tracing-subscriber`.
    pub level: String,
    /// One line for each request.
    pub access: bool,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object per line.
    Json,
}

// === impl Timeouts ===

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_event: Duration::from_mins(2),
            between_events: Duration::from_mins(2),
            total: Duration::from_mins(15),
            head: Duration::from_secs(15),
            idle: Duration::from_mins(1),
            body: Duration::from_mins(1),
            commit: Duration::from_secs(10),
            drain: Duration::from_secs(30),
            write: Duration::from_mins(1),
        }
    }
}

impl Timeouts {
    /// Lays nearer settings over these.
    #[must_use]
    pub fn with(self, nearer: &TimeoutOverrides) -> Self {
        Self {
            connect: nearer.connect.unwrap_or(self.connect),
            first_event: nearer.first_event.unwrap_or(self.first_event),
            between_events: nearer.between_events.unwrap_or(self.between_events),
            total: nearer.total.unwrap_or(self.total),
            body: nearer.body.unwrap_or(self.body),
            commit: nearer.commit.unwrap_or(self.commit),
            write: nearer.write.unwrap_or(self.write),
            ..self
        }
    }
}

// === impl TimeoutOverrides ===

impl TimeoutOverrides {
    /// Lays nearer settings over these.
    #[must_use]
    pub fn with(self, nearer: &Self) -> Self {
        Self {
            connect: nearer.connect.or(self.connect),
            first_event: nearer.first_event.or(self.first_event),
            between_events: nearer.between_events.or(self.between_events),
            total: nearer.total.or(self.total),
            body: nearer.body.or(self.body),
            commit: nearer.commit.or(self.commit),
            write: nearer.write.or(self.write),
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { body: 32 << 20, upload: 1 << 30, head: 64 << 10, headers: 100, connections: 0 }
    }
}

// === impl Failover ===

impl Default for Failover {
    fn default() -> Self {
        let on = vec![
            Trigger::Connect,
            Trigger::Timeout,
            Trigger::Status(429),
            Trigger::StatusClass(5),
            Trigger::InvalidAnswer,
        ];
        Self { attempts: 3, on }
    }
}

impl Failover {
    /// Lays nearer settings over these.
    #[must_use]
    pub fn with(self, nearer: &FailoverOverrides) -> Self {
        Self { attempts: nearer.attempts.unwrap_or(self.attempts), on: nearer.on.clone().unwrap_or(self.on) }
    }
}

// === impl Trigger ===

impl Trigger {
    /// Tells whether a status is meant.
    pub fn is_status(self, status: u16) -> bool {
        match self {
            Self::Status(code) => code == status,
            Self::StatusClass(class) => class == status / 100,
            Self::Connect | Self::Timeout | Self::InvalidAnswer => false,
        }
    }
}

// === impl Passthrough ===

impl Default for Passthrough {
    fn default() -> Self {
        Self { enabled: true, allow: Vec::new(), deny: Vec::new(), v1_alias: true }
    }
}

impl Passthrough {
    /// Tells whether a path (without its leading slash) at a provider may be forwarded to.
    pub fn allows(&self, provider: &str, path: &str) -> bool {
        let whole = format!("{provider}/{path}");
        let listed = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(provider) || glob.matches(&whole));
        self.enabled && (self.allow.is_empty() || listed(&self.allow)) && !listed(&self.deny)
    }
}
