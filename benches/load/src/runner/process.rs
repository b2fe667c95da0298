//! Children: started with a log, ended by their process id, never outliving the runner's own end.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tokio::process::{Child, Command};

use super::RunnerError;
use super::pinning::{Pinning, Side};

/// How long a child may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// How much of a log is shown when its gateway fails.
const SHOWN_LOG_BYTES: usize = 2000;

/// A running child; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
}

/// A folder for configuration and logs, removed when dropped unless it is to be kept.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) path: PathBuf,
    pub(super) keep: bool,
}

/// Finds a program of this package beside the one that runs.
pub(super) fn sibling(name: &str) -> Result<PathBuf, RunnerError> {
    let own = std::env::current_exe().map_err(RunnerError::io("find", "this program"))?;
    let path = own.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(RunnerError::Missing(path)) }
}

/// Picks a port of the loopback that nobody uses now.
pub(super) fn free_addr() -> Result<SocketAddr, RunnerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(RunnerError::io("bind", "a free port"))
}

/// Lets this process and its children open as many files as the machine allows; a thousand held streams need it.
pub(super) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // A refusal shows where it matters: as failed connections of `idle_streams`.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
}

// === impl Process ===

impl Process {
    /// Starts a child on its side's core, with both outputs in the log.
    pub(super) fn start(command: &[String], side: Side, pinning: &Pinning, log: PathBuf) -> Result<Self, RunnerError> {
        let program = command.first().map_or("", String::as_str);
        let file = File::create(&log).map_err(RunnerError::io("create", &log))?;
        let second = file.try_clone().map_err(RunnerError::io("share", &log))?;
        let mut builder = Command::new(program);
        builder.args(command.get(1..).unwrap_or_default());
        builder.stdin(Stdio::null()).stdout(file).stderr(second).kill_on_drop(true);
        let child = pinning.on(side, || builder.spawn()).map_err(RunnerError::io("start", program))?;
        let pid = child.id().unwrap_or_default();
        Ok(Self { child, pid, log })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Tells how the child ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Returns the end of what the child wrote.
    pub(super) fn log_end(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let end = &text[text.len().saturating_sub(SHOWN_LOG_BYTES)..];
        end.utf8_chunks().map(|chunk| chunk.valid()).collect()
    }

    /// Asks the child to end, and ends it if it does not.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).ok();
        }
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            self.child.kill().await.ok();
        }
    }
}

// === impl Scratch ===

impl Scratch {
    pub(super) fn new(keep: bool) -> Result<Self, RunnerError> {
        let path = std::env::temp_dir().join(format!("lockgate-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(RunnerError::io("create", &path))?;
        Ok(Self { path, keep })
    }

    pub(super) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}
