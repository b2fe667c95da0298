//! The process: start, signals, reload, drain.

use std::{io, path::Path, sync::Arc, time::Duration};

use lockgate_config::{Config, LogFormat, ProcessEnv};
use lockgate_filters::seal::Sealer;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    cli::Failure,
    edge::{self, Certificates, Listening},
    gateway::{self, Parts, Shared},
    observe::{LineFormat, LineWriter, Observer},
    sim::Sim,
    upstream::{Connector, Upstream},
};

/// The variable with the key that seals opaque state. With the same one on every node, and across restarts,
/// conversations go on; without it a random one is made.
const SEAL_KEY: &str = "LOCKGATE_SEAL_KEY";

/// Shorter than any timeout that a request sets.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// How often a drain looks whether it is done.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Serves until told to stop.
///
/// # Errors
/// If the configuration is wrong or an address cannot be bound.
pub fn run(path: Option<&Path>) -> Result<(), Failure> {
    let config = lockgate_config::load(path, &ProcessEnv)?;
    install_cryptography();
    start_logging(&config);
    let runtime = if config.threads == 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if config.threads > 1 {
            builder.worker_threads(config.threads);
        }
        builder.enable_all().build()?
    };
    let outcome = runtime.block_on(serve(path, &config));
    // What is still running after the drain is cut off.
    runtime.shutdown_background();
    outcome
}

/// Makes one cryptography the process's default; Pingora's listeners and our connections share it.
pub fn install_cryptography() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::trace!("cryptography was installed before");
    }
}

fn start_logging(config: &Config) {
    let filter = EnvFilter::try_from_env("LOCKGATE_LOG").unwrap_or_else(|_| EnvFilter::new(config.log.level.as_str()));
    let color = io::IsTerminal::is_terminal(&io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(color).with_writer(Stderr);
    let started = match config.log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Human => builder.with_target(false).try_init(),
    };
    if let Err(error) = started {
        tracing::warn!(%error, "logging was started before");
    }
}

/// Diagnostics go to standard error, access lines to standard output.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = io::Stderr;

    fn make_writer(&'a self) -> io::Stderr {
        io::stderr()
    }
}

async fn serve(path: Option<&Path>, config: &Config) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let access = if config.log.access { Some(LineWriter::start(io::stdout())?) } else { None };
    let format = match config.log.format {
        LogFormat::Json => LineFormat::Json,
        LogFormat::Human => LineFormat::Human,
    };
    let sim = Sim::bind().await?;
    let parts = Parts {
        upstream: Upstream::new(Connector::default()),
        observer: Arc::new(Observer::new(access.clone().map(|writer| (format, writer)))),
        sealer: sealer(),
        memory: gateway::state_memory(),
        sim: Some(sim.address()?),
    };
    let shared = Shared::new(config, parts)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        sim.serve().await;
        Ok(())
    });
    tasks.spawn(heartbeat());
    let (stop, stopped) = watch::channel(false);
    let certificates = listeners(config, &shared, &stopped, &mut tasks)?;
    announce(config);
    let outcome = loop {
        tokio::select! {
            _ = signals.terminate.recv() => break Ok(()),
            _ = signals.interrupt.recv() => break Ok(()),
            _ = signals.hangup.recv() => reload(path, &shared, &certificates),
            Some(ended) = tasks.join_next() => match ended {
                Ok(Err(error)) => break Err(Failure::from(error)),
                Ok(Ok(())) => {}
                Err(error) => break Err(Failure::Other(format!("a listener failed: {error}"))),
            },
        }
    };
    stop.send_replace(true);
    if outcome.is_ok() {
        drain(&shared, &mut signals).await;
    }
    if let Some(access) = access {
        access.close();
    }
    outcome
}

/// Keeps a timer due soon at all times. The runtime wakes itself by a system call for every timer that is due before
/// all others; with this one around, the timeouts of requests never are.
async fn heartbeat() -> io::Result<()> {
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
    }
}

fn listeners(
    config: &Config,
    shared: &Arc<Shared>,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<io::Result<()>>,
) -> Result<Vec<Arc<Certificates>>, Failure> {
    let mut all = Vec::new();
    for listener in &config.listeners {
        let certificates = match &listener.tls {
            None => None,
            Some(tls) => {
                let certificates = Certificates::load(&tls.cert, &tls.key).map_err(io::Error::other)?;
                all.push(certificates.clone());
                Some(certificates)
            }
        };
        let listening = Listening { address: listener.address, certificates, http2: listener.http2 };
        let address = listener.address;
        let served = edge::listen(listening, shared.clone(), stopped.clone());
        tasks.spawn(async move {
            served.await.map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
        });
    }
    Ok(all)
}

fn sealer() -> Sealer {
    match std::env::var(SEAL_KEY) {
        Ok(key) if !key.is_empty() => Sealer::new(key.as_bytes()),
        _ => {
            let (a, b) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
            Sealer::new(&[*a.as_bytes(), *b.as_bytes()].concat())
        }
    }
}

fn announce(config: &Config) {
    for listener in &config.listeners {
        let scheme = if listener.tls.is_some() { "https" } else { "http" };
        tracing::info!("listening on {scheme}://{}", listener.address);
    }
    if config.keys.is_empty() {
        tracing::warn!("open: there are no gateway keys, whoever reaches this address may use every provider");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let names: Vec<_> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    tracing::info!(providers = names.join(", "), "ready");
}

/// Rereads configuration and certificates. What is wrong is said, and nothing changes.
#[expect(clippy::single_match_else, reason = "both outcomes are told")]
fn reload(path: Option<&Path>, shared: &Shared, certificates: &[Arc<Certificates>]) {
    match lockgate_config::load(path, &ProcessEnv) {
        Err(report) => tracing::error!("the configuration was not reloaded, the old one stays:\n{report}"),
        Ok(config) => match shared.reload(&config) {
            Err(error) => tracing::error!("the configuration was not reloaded, the old one stays: {error}"),
            Ok(()) => tracing::info!("the configuration was reloaded; listeners stay as they are"),
        },
    }
    for certificate in certificates {
        match certificate.reload() {
            Ok(()) => tracing::info!("a certificate was reloaded"),
            Err(error) => tracing::error!("a certificate was not reloaded, the old one stays: {error}"),
        }
    }
}

/// Waits for exchanges that are under way, up to the grace period or a second signal.
async fn drain(shared: &Shared, signals: &mut Signals) {
    let grace = shared.load().timeouts.drain;
    let until = Instant::now() + grace;
    tracing::info!(in_flight = shared.observer().in_flight(), ?grace, "draining");
    // A moment for connections that were accepted just before, and for answers on their last bytes.
    let mut quiet = 0;
    while Instant::now() < until && quiet < 3 {
        tokio::select! {
            () = tokio::time::sleep(DRAIN_STEP) => {}
            () = signals.stop() => break,
        }
        quiet = if shared.observer().in_flight() <= 0 { quiet + 1 } else { 0 };
    }
    tracing::info!(cut_off = shared.observer().in_flight().max(0), "stopped");
}

/// The signals that the process answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// SIGTERM or SIGINT.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
