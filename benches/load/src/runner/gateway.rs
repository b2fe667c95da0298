//! The things that are measured: no gateway, bare Pingora, lockgate.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

use super::RunnerError;
use super::args::Args;
use super::pinning::{Pinning, Side};
use super::process::{Process, Scratch, free_addr, sibling};
use crate::clock::now_ns;
use crate::dialect::Dialect;
use crate::load::{Options, wait_until_ready};

/// The client's key that lockgate knows and the load generator sends.
pub(super) const KEY: &str = "sk-mock-0123456789abcdef0123456789abcdef";
/// The provider whose raw interface takes uploads.
pub(super) const UPLOAD_PATH: &str = "/p/mock-openai/v1/files";

/// Far more than a gateway needs to start.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Direct,
    Bare,
    Lockgate,
}

/// A gateway that answers, or the upstream itself.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) kind: Kind,
    pub(super) addr: SocketAddr,
    pub(super) process: Option<Process>,
    /// From the start of the process to its first right answer.
    pub(super) ready_ms: f64,
}

/// How to start gateways in this run.
#[derive(Debug)]
pub(super) struct Starter<'a> {
    pub(super) args: &'a Args,
    pub(super) scratch: &'a Scratch,
    pub(super) pinning: Pinning,
    pub(super) upstream: SocketAddr,
}

// === impl Kind ===

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Bare => "bare",
            Self::Lockgate => "lockgate",
        }
    }
}

// === impl Gateway ===

impl Gateway {
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    pub(super) async fn stop(self) {
        if let Some(process) = self.process {
            process.stop().await;
        }
    }
}

// === impl Starter ===

impl Starter<'_> {
    /// Starts a gateway and waits for its first right answer.
    pub(super) async fn start(&self, kind: Kind) -> Result<Gateway, RunnerError> {
        if kind == Kind::Direct {
            return Ok(Gateway { kind, addr: self.upstream, process: None, ready_ms: 0.0 });
        }
        let addr = free_addr()?;
        let command = match kind {
            Kind::Lockgate => self.lockgate(addr)?,
            Kind::Bare | Kind::Direct => self.bare(addr)?,
        };
        let log = self.scratch.file(format!("{}-{}.log", kind.name(), addr.port()));
        let begin = now_ns();
        let mut process = Process::start(&command, Side::Gateway, &self.pinning, log)?;
        let url = format!("http://{addr}{}", Dialect::Openai.chat_path());
        let first = Options::parse_from(["bench-load", "--url", &url, "--key", KEY]);
        match wait_until_ready(&first, READY_LIMIT).await {
            Ok(at) => {
                let ready_ms = at.saturating_sub(begin) as f64 / 1e6;
                Ok(Gateway { kind, addr, process: Some(process), ready_ms })
            }
            Err(last) => {
                let last = process.ended().map_or(last, |status| format!("it ended with {status}"));
                Err(RunnerError::NotReady { name: kind.name(), last, log: process.log_end() })
            }
        }
    }

    fn bare(&self, listen: SocketAddr) -> Result<Vec<String>, RunnerError> {
        let program = sibling("bare-pingora")?.display().to_string();
        Ok(vec![program, "--listen".to_owned(), listen.to_string(), "--upstream".to_owned(), self.upstream.to_string()])
    }

    fn lockgate(&self, listen: SocketAddr) -> Result<Vec<String>, RunnerError> {
        if let Some(command) = &self.args.gateway_cmd {
            let command = command.replace("{listen}", &listen.to_string());
            let command = command.replace("{upstream}", &self.upstream.to_string());
            return Ok(command.split_whitespace().map(str::to_owned).collect());
        }
        let file = self.scratch.file(format!("lockgate-{}.yaml", listen.port()));
        fs::write(&file, configuration(listen, self.upstream)).map_err(RunnerError::io("write", &file))?;
        let program = self.args.gateway.clone().unwrap_or_default().display().to_string();
        Ok(vec![program, "serve".to_owned(), "--config".to_owned(), file.display().to_string()])
    }
}

/// Lockgate's configuration: one worker, as bare Pingora has, both upstream dialects, access log on.
fn configuration(listen: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        r#"listen: {listen}
server: {{ threads: 1 }}
keys: [ {{ name: bench, key: "{KEY}" }} ]
log: {{ format: json, level: info, access: true }}
providers:
  mock-openai:
    dialect: openai
    base_url: "http://{upstream}"
    api_key: "sk-upstream"
    auth: {{ header: authorization, scheme: Bearer }}
    paths: {{ chat: /v1/chat/completions }}
  mock-anthropic:
    dialect: anthropic
    base_url: "http://{upstream}"
    api_key: "sk-upstream"
    auth: {{ header: x-api-key }}
    paths: {{ chat: /v1/messages }}
models:
  gpt-mock: mock-openai/gpt-mock
  claude-mock: mock-anthropic/claude-mock
"#
    )
}
