//! The command line of `bench-load`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dialect::Dialect;

/// Loads a gateway and prints one line of JSON.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "bench-load")]
pub struct Options {
    /// Where to send requests; only `http://` and a loopback address.
    #[arg(long, value_parser = parse_target)]
    pub url: Target,
    /// The client's dialect.
    #[arg(long, value_enum, default_value_t = Dialect::Openai)]
    pub dialect: Dialect,
    /// The model to ask for.
    #[arg(long, default_value = "gpt-mock")]
    pub model: String,
    /// Ask for streams.
    #[arg(long)]
    pub stream: bool,
    /// Text deltas in a right stream.
    #[arg(long, default_value_t = 200)]
    pub expect: u64,
    /// Closed loop: so many connections, each sends its next request when the last answer ended.
    #[arg(long, short = 'c', default_value_t = 1)]
    pub connections: usize,
    /// Open loop: so many requests fall due each second, whatever the answers do.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Open loop: at most so many requests at once.
    #[arg(long, default_value_t = 256)]
    pub max_connections: usize,
    /// Length of the measured window.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Load before the window.
    #[arg(long, default_value_t = 0.7)]
    pub warm_up: f64,
    /// Time after the window in which requests under way must end.
    #[arg(long, default_value_t = 10.0)]
    pub drain: f64,
    /// Size of the request body; small if not given.
    #[arg(long, default_value_t = 0)]
    pub body_bytes: usize,
    /// The client's key, sent as a bearer token.
    #[arg(long, default_value = "sk-mock-0123456789abcdef0123456789abcdef")]
    pub key: String,
    /// Another header line, `name: value`.
    #[arg(long = "header", short = 'H')]
    pub headers: Vec<String>,
    /// Root of the process tree that is charged as the gateway.
    #[arg(long)]
    pub gateway_pid: Option<u32>,
    /// The upstream's process, so that it is not taken for foreign load.
    #[arg(long)]
    pub upstream_pid: Option<u32>,
    /// The name of the case in the report.
    #[arg(long, default_value = "case")]
    pub name: String,
    /// Only wait so many seconds for one right answer, and report how long it took.
    #[arg(long, group = "special")]
    pub ready: Option<f64>,
    /// Only open so many streams, wait for one delta in each, and report how the gateway's memory grew.
    #[arg(long, group = "special")]
    pub hold_streams: Option<usize>,
    /// Only upload one body of so many bytes, and report how the gateway's peak memory grew.
    #[arg(long, group = "special")]
    pub upload_bytes: Option<usize>,
    /// Pause after each 64 KiB of an upload.
    #[arg(long, default_value_t = 2000)]
    pub write_us: u64,
    /// Time for memory to settle before it is read, where it is compared.
    #[arg(long, default_value_t = 1.0)]
    pub settle: f64,
}

/// The address and path of a URL.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where to connect.
    pub addr: SocketAddr,
    /// Path and query.
    pub path: String,
}

/// What the generator is to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Load for a while, in a closed or open loop.
    Steady,
    /// Wait for the first right answer.
    Ready(Duration),
    /// Hold so many streams open.
    Hold(usize),
    /// Upload so many bytes.
    Upload(usize),
}

// === impl Options ===

impl Options {
    /// Tells what is to be done.
    pub fn mode(&self) -> Mode {
        if let Some(seconds) = self.ready {
            Mode::Ready(Duration::from_secs_f64(seconds))
        } else if let Some(streams) = self.hold_streams {
            Mode::Hold(streams)
        } else if let Some(bytes) = self.upload_bytes {
            Mode::Upload(bytes)
        } else {
            Mode::Steady
        }
    }

    /// Returns the time for memory to settle.
    pub fn settle_time(&self) -> Duration {
        Duration::from_secs_f64(self.settle)
    }
}

fn parse_target(text: &str) -> Result<Target, String> {
    let rest = text.strip_prefix("http://").ok_or("expected `http://`")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let addr: SocketAddr = host.parse().map_err(|_| format!("expected an address and port, found `{host}`"))?;
    if !addr.ip().is_loopback() {
        return Err(format!("`{addr}` is not a loopback address"));
    }
    Ok(Target { addr, path: format!("/{path}") })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn only_loopback_is_loaded() {
        assert!(Options::try_parse_from(["bench-load", "--url", "http://192.0.2.1:80/"]).is_err());
        let options =
            Options::try_parse_from(["bench-load", "--url", "http://127.0.0.1:9/v1/messages", "--ready", "2"])
                .expect("the options are valid");
        assert_eq!(options.url.path, "/v1/messages");
        assert_eq!(options.mode(), Mode::Ready(Duration::from_secs(2)));
    }
}
