//! The rounds: every case on every gateway, one after the other.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::args::Args;
use super::cases::{CASES, Case, FOOTPRINTS, FULL, QUICK, Scale};
use super::gateway::{Gateway, KEY, Kind, Starter};
use super::pinning::{Pinning, Side};
use super::process::{Process, Scratch, free_addr, raise_file_limit, sibling};
use super::samples::Samples;
use super::{Outcome, RunnerError, footprint, summary, table};
use crate::dialect::Dialect;
use crate::upstream::control;

/// What the load generator may take beyond its window: drain, a hung answer, a slow machine.
const LOAD_SLACK: Duration = Duration::from_secs(90);
/// The upstream is asked so often before it is given up.
const UPSTREAM_ATTEMPTS: u32 = 200;
const UPSTREAM_INTERVAL: Duration = Duration::from_millis(10);

/// Everything that a measurement needs to know about the run.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) starter: Starter<'a>,
    pub(super) scale: &'static Scale,
    pub(super) samples: Samples,
    upstream: Process,
}

/// Carries the whole run out.
pub(super) async fn run(args: &Args) -> Result<Outcome, RunnerError> {
    if !is_any_selected(args) {
        return Err(RunnerError::NoCase(args.cases.to_string()));
    }
    raise_file_limit();
    let pinning = Pinning::new();
    let mut scratch = Scratch::new(args.keep)?;
    let mut outcome = measure(args, pinning, &scratch).await?;
    scratch.keep |= !outcome.wrong.is_empty();
    outcome.notes.push(pinning.describe());
    if scratch.keep {
        outcome.notes.push(format!("configuration and logs are in {}", scratch.path.display()));
    }
    Ok(outcome)
}

async fn measure(args: &Args, pinning: Pinning, scratch: &Scratch) -> Result<Outcome, RunnerError> {
    let mut bench = Bench::start(args, pinning, scratch).await?;
    let rounds = if args.quick { 1 } else { args.rounds.max(1) };
    for round in 0..rounds {
        for kind in [Kind::Bare, Kind::Lockgate] {
            footprint::run(&mut bench, kind).await?;
        }
        bench.round(round).await?;
    }
    let Bench { samples, upstream, .. } = bench;
    upstream.stop().await;
    summary::write(&samples, &args.out)?;
    let notes = vec![format!("summary written to {}", args.out.display())];
    Ok(Outcome { table: table::render(&samples), notes, wrong: samples.wrong() })
}

fn is_any_selected(args: &Args) -> bool {
    let mut names = CASES.iter().map(|case| case.name).chain(FOOTPRINTS.iter().map(|case| case.name));
    names.any(|name| args.cases.is_match(name))
}

// === impl Bench ===

impl<'a> Bench<'a> {
    async fn start(args: &'a Args, pinning: Pinning, scratch: &'a Scratch) -> Result<Self, RunnerError> {
        let addr = free_addr()?;
        let mut command = vec![sibling("bench-upstream")?.display().to_string(), "--listen".to_owned()];
        command.push(addr.to_string());
        if args.obfuscate {
            command.push("--obfuscate".to_owned());
        }
        let upstream = Process::start(&command, Side::Load, &pinning, scratch.file("upstream.log"))?;
        let starter = Starter { args, scratch, pinning, upstream: addr };
        let scale = if args.quick { &QUICK } else { &FULL };
        let bench = Self { starter, scale, samples: Samples::default(), upstream };
        for _ in 1..UPSTREAM_ATTEMPTS {
            if bench.control("").await.is_ok() {
                break;
            }
            tokio::time::sleep(UPSTREAM_INTERVAL).await;
        }
        bench.control("").await?;
        Ok(bench)
    }

    /// Sets the upstream and returns its settings and counters.
    pub(super) async fn control(&self, query: &str) -> Result<Value, RunnerError> {
        control::call(self.starter.upstream, query).await.map_err(RunnerError::Control)
    }

    pub(super) fn is_selected(&self, name: &str) -> bool {
        self.starter.args.cases.is_match(name)
    }

    async fn round(&mut self, round: usize) -> Result<(), RunnerError> {
        let mut kinds = [Kind::Direct, Kind::Bare, Kind::Lockgate];
        if !kinds.iter().any(|&kind| CASES.iter().any(|case| self.wants(kind, case))) {
            return Ok(());
        }
        // Whoever comes first finds caches as the case before left them; the place is passed around.
        let first = round % kinds.len();
        kinds.rotate_left(first);
        let mut gateways = Vec::new();
        for kind in kinds {
            let gateway = self.starter.start(kind).await?;
            self.settle_in(&gateway).await?;
            gateways.push(gateway);
        }
        for case in CASES {
            for gateway in &gateways {
                if self.wants(gateway.kind, case) {
                    self.case(gateway, case).await?;
                }
            }
        }
        for gateway in gateways {
            gateway.stop().await;
        }
        Ok(())
    }

    /// A crossing is a matter of lockgate alone, but the case it is compared with is then needed from bare Pingora.
    fn wants(&self, kind: Kind, case: &Case) -> bool {
        match kind {
            Kind::Lockgate if case.crosses() && self.starter.args.gateway_cmd.is_some() => false,
            Kind::Lockgate => self.is_selected(case.name),
            Kind::Direct => !case.crosses() && self.is_selected(case.name),
            Kind::Bare => {
                let mut referring = CASES.iter().filter(|other| other.reference == case.name);
                referring.any(|other| self.is_selected(other.name))
            }
        }
    }

    /// Loads a new gateway without recording, whole answers and streams.
    pub(super) async fn settle_in(&mut self, gateway: &Gateway) -> Result<(), RunnerError> {
        let chunks = self.scale.chunks;
        self.control(&format!("chunks={chunks}&delay_us=0&hold_us=0&read_us=0")).await?;
        for stream in [&[][..], &["--stream"]] {
            let (expect, seconds) = (chunks.to_string(), self.scale.settle_in.to_string());
            let mut arguments = vec!["-c", "8", "--warm-up", "0", "--expect", &expect, "--seconds", &seconds];
            arguments.extend_from_slice(stream);
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            let report = self.load("settling in", gateway, Dialect::Openai.chat_path(), &arguments).await?;
            if report["err"] != 0 {
                self.samples.note_wrong(gateway.kind, "settling in", &report["errs"].to_string());
            }
        }
        Ok(())
    }

    async fn case(&mut self, gateway: &Gateway, case: &'static Case) -> Result<(), RunnerError> {
        let before = self.control(&case.control(self.scale)).await?;
        let report = self.load(case.name, gateway, case.client.chat_path(), &case.arguments(self.scale)).await?;
        let after = self.control("").await?;
        for dialect in Dialect::ALL {
            let name = dialect.name();
            let reached = before["requests"][name] != after["requests"][name];
            if reached != (dialect == case.upstream) {
                let what = if reached { "requests went to the upstream" } else { "no request reached the upstream" };
                self.samples.note_wrong(gateway.kind, case.name, &format!("{what} `{name}`"));
            }
        }
        self.samples.add(gateway.kind, case.name, report);
        Ok(())
    }

    /// Runs the load generator on its core and returns its report.
    pub(super) async fn load(
        &self,
        case: &'static str,
        gateway: &Gateway,
        path: &str,
        arguments: &[String],
    ) -> Result<Value, RunnerError> {
        let failed = |reason: String| RunnerError::Load { case, reason };
        let mut command = Command::new(sibling("bench-load")?);
        command.args(["--url", &format!("http://{}{path}", gateway.addr), "--key", KEY]).args(arguments);
        command.args(["--upstream-pid", &self.upstream.pid().to_string()]).kill_on_drop(true);
        if let Some(pid) = gateway.pid() {
            command.args(["--gateway-pid", &pid.to_string()]);
        }
        let limit = LOAD_SLACK + Duration::from_secs_f64(self.scale.seconds + self.scale.warm_up);
        let output = tokio::time::timeout(limit, command.output()).await;
        let output = output.map_err(|_| failed("it hung".to_owned()))?.map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let stderr = str::from_utf8(&output.stderr).unwrap_or("no text");
            failed(format!("{}: {stderr}", output.status))
        })
    }
}
