//! The gateway as a process: started with a file, watched by its log, stopped by its id.

use std::{
    collections::btree_map::{BTreeMap, Entry},
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::{Answer, Ask, Client, Config, soon, until};

/// A running gateway. It is killed with the value.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) port: u16,
    dir: PathBuf,
    child: Child,
}

/// The program under test.
pub(crate) fn binary() -> PathBuf {
    let named = std::env::var_os("LOCKGATE_BIN").map(PathBuf::from);
    let built = option_env!("CARGO_BIN_EXE_lockgate").map(PathBuf::from);
    named.or(built).expect("`LOCKGATE_BIN` must name the gateway where cargo does not build it")
}

/// Whether the program under test is optimised, so that its memory and speed mean something.
pub(crate) fn is_release() -> bool {
    binary().components().any(|part| part.as_os_str() == "release")
}

/// A command of the program that sees no variables but those given.
pub(crate) fn command(env: &[(String, String)]) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().env("RUST_BACKTRACE", "1").env("PATH", "/usr/bin:/bin").envs(env.iter().cloned());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

// === impl Gateway ===

impl Gateway {
    /// Starts a gateway and waits until it serves.
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_in(scratch(), config).await
    }

    /// The same, in a folder that the test has prepared; `{DIR}` in the configuration stands for it.
    pub(crate) async fn start_in(dir: PathBuf, config: Config) -> Self {
        let port = free_port();
        fs::write(dir.join("lockgate.yaml"), in_dir(&dir, &config.yaml(port))).expect("a test can write its folder");
        let log = fs::File::create(dir.join("log")).expect("a test can write its folder");
        let child = command(&config.env)
            .args(["serve", "--config"])
            .arg(dir.join("lockgate.yaml"))
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the gateway must start");
        let mut gateway = Self { port, dir, child };
        gateway.ready().await;
        gateway
    }

    async fn ready(&mut self) {
        soon("the start of the gateway", async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                let ended = self.child.try_wait().expect("a child can be asked for its end");
                assert!(ended.is_none(), "the gateway must not end at its start");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the gateway must still run")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).expect("the log must be text")
    }

    /// The access lines so far.
    pub(crate) fn access_lines(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("request_id").is_some() && line.get("status").is_some()).collect()
    }

    /// The access line of a request, which comes shortly after its end.
    pub(crate) async fn access_line(&self, request_id: &str) -> Value {
        let find = || self.access_lines().into_iter().find(|line| line["request_id"] == request_id);
        until("the access line", || find().is_some()).await;
        find().expect("the line was just seen")
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        Client::open(self.port).await.ask(ask).await
    }

    /// Fails unless the gateway is well: it answers, and has not panicked.
    pub(crate) async fn still_serves(&self) {
        let health = self.ask(&Ask::get("/health").header("connection", "close")).await;
        assert_eq!(health.status(), 200, "the gateway must still serve");
        assert!(!self.log().contains("panicked"), "the gateway must not panic");
    }

    /// Resident memory, in KiB. From here the peak is counted anew.
    pub(crate) fn memory_kib(&self) -> u64 {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").expect("a parent may reset its child's peak");
        self.status_kib("VmRSS:")
    }

    /// The most resident memory since [`Self::memory_kib`], in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse().expect("memory is a number")
    }

    /// Writes another configuration and asks for a reload.
    pub(crate) fn reload(&self, config: &Config) {
        self.reload_text(&config.yaml(self.port));
    }

    /// The same with any text.
    pub(crate) fn reload_text(&self, yaml: &str) {
        // In one step: a reload that is under way must not read half of it.
        let written = self.dir.join("lockgate.yaml.new");
        fs::write(&written, in_dir(&self.dir, yaml)).expect("a test can write its folder");
        fs::rename(written, self.dir.join("lockgate.yaml")).expect("a test can write its folder");
        self.signal(Signal::HUP);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id is positive");
        kill_process(pid, signal).expect("the gateway must still run");
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        soon("the end of the gateway", self.child.wait()).await.expect("a child can be waited for")
    }

    /// A file in the gateway's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            let own = log.lines().filter(|line| !line.contains("\"message\":\"access\""));
            let tail = own.rev().take(20).collect::<Vec<_>>();
            eprintln!("--- the gateway's log, last line first ---\n{}\n---", tail.join("\n"));
        }
        if fs::remove_dir_all(&self.dir).is_err() {
            eprintln!("the folder {} could not be removed", self.dir.display());
        }
    }
}

fn in_dir(dir: &Path, yaml: &str) -> String {
    yaml.replace("{DIR}", dir.to_str().expect("the scratch folder has a plain name"))
}

/// A new, empty folder.
pub(crate) fn scratch() -> PathBuf {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let base = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = base.join(format!("lockgate-{}-{count}", std::process::id()));
    fs::create_dir_all(&dir).expect("a test can make its folder");
    dir
}

/// A port that nobody uses, below those that the system gives to outgoing connections. Its twin of UDP is held until this
/// process ends, so that no test in another process takes the port before the gateway has it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static HELD: Mutex<BTreeMap<u16, UdpSocket>> = Mutex::new(BTreeMap::new());
    let base = 20_000 + u16::try_from(std::process::id() % 100).expect("below a hundred") * 120;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 120;
        let mut held = HELD.lock().expect("nobody panics with it");
        if let Entry::Vacant(place) = held.entry(port) {
            let Ok(twin) = UdpSocket::bind(("127.0.0.1", port)) else { continue };
            place.insert(twin);
        }
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
