//! The cases about one process: how soon it answers, what it weighs, and what held streams and a large body add.
//!
//! Memory has a history, so they run on a new gateway that has seen nothing but a little warm-up, the lightest first.

use std::time::Duration;

use serde_json::{Value, json};

use super::RunnerError;
use super::cases::{FOOTPRINTS, IDLE_STREAMS, START, UPLOAD};
use super::gateway::{Gateway, Kind, UPLOAD_PATH};
use super::rounds::Bench;
use crate::dialect::Dialect;
use crate::procfs;

/// Longer than any gateway needs to open and close the held streams.
const HOLD: Duration = Duration::from_mins(2);
/// How long a gateway may take to close upstream streams that its clients have left.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
const CLOSE_INTERVAL: Duration = Duration::from_millis(50);
/// Sent first, so that the code of the upload path is already in memory.
const FIRST_UPLOAD_BYTES: usize = 256 << 10;
/// The upstream's pause before each read in the second upload, slower than the client writes.
const SLOW_READ_US: u64 = 6000;

/// Measures one new gateway.
pub(super) async fn run(bench: &mut Bench<'_>, kind: Kind) -> Result<(), RunnerError> {
    if !FOOTPRINTS.iter().any(|case| bench.is_selected(case.name)) {
        return Ok(());
    }
    let gateway = bench.starter.start(kind).await?;
    if bench.is_selected(START.name) {
        start(bench, &gateway).await;
    }
    bench.settle_in(&gateway).await?;
    if bench.is_selected(UPLOAD.name) {
        upload(bench, &gateway).await?;
    }
    if bench.is_selected(IDLE_STREAMS.name) {
        idle_streams(bench, &gateway).await?;
    }
    gateway.stop().await;
    Ok(())
}

async fn start(bench: &mut Bench<'_>, gateway: &Gateway) {
    tokio::time::sleep(Duration::from_secs_f64(bench.scale.settle)).await;
    let idle_mib = gateway.pid().map_or(0.0, procfs::resident_mib);
    let report = json!({"ready_ms": gateway.ready_ms, "idle_mib": idle_mib, "errs": {}});
    bench.samples.add(gateway.kind, START.name, report);
}

/// Uploads twice: once to an upstream that reads at once, once to one that reads more slowly than the client writes,
/// so that a gateway that does not pass the pressure on must keep the difference.
async fn upload(bench: &mut Bench<'_>, gateway: &Gateway) -> Result<(), RunnerError> {
    let arguments = |bytes: usize| ["--upload-bytes".to_owned(), bytes.to_string()];
    bench.load(UPLOAD.name, gateway, UPLOAD_PATH, &arguments(FIRST_UPLOAD_BYTES)).await?;
    let large = arguments(bench.scale.upload_bytes);
    let mut report = bench.load(UPLOAD.name, gateway, UPLOAD_PATH, &large).await?;
    bench.control(&format!("read_us={SLOW_READ_US}")).await?;
    let slow = bench.load(UPLOAD.name, gateway, UPLOAD_PATH, &large).await?;
    bench.control("read_us=0").await?;
    report["slow_reader_took_ms"] = slow["took_ms"].clone();
    report["slow_reader_growth_mib"] = slow["growth_mib"].clone();
    for (kind, count) in slow["errs"].as_object().into_iter().flatten() {
        bench.samples.note_wrong(gateway.kind, UPLOAD.name, &format!("slow reader: {kind} (×{count})"));
    }
    bench.samples.add(gateway.kind, UPLOAD.name, report);
    Ok(())
}

async fn idle_streams(bench: &mut Bench<'_>, gateway: &Gateway) -> Result<(), RunnerError> {
    bench.control(&format!("chunks=1&delay_us=0&hold_us={}", HOLD.as_micros())).await?;
    let (streams, settle) = (bench.scale.held_streams.to_string(), bench.scale.settle.to_string());
    let arguments = ["--stream", "--hold-streams", &streams, "--settle", &settle].map(str::to_owned);
    let report = bench.load(IDLE_STREAMS.name, gateway, Dialect::Openai.chat_path(), &arguments).await?;
    bench.control("hold_us=0").await?;
    let left = left_open(bench).await?;
    if left != 0 {
        let what = format!("{left} upstream streams left open after their clients had gone");
        bench.samples.note_wrong(gateway.kind, IDLE_STREAMS.name, &what);
    }
    bench.samples.add(gateway.kind, IDLE_STREAMS.name, report);
    Ok(())
}

/// Waits until the upstream has no open stream, and returns how many it has if that does not come.
async fn left_open(bench: &Bench<'_>) -> Result<Value, RunnerError> {
    let deadline = tokio::time::Instant::now() + CLOSE_LIMIT;
    loop {
        let left = bench.control("").await?["open_streams"].clone();
        if left == 0 || tokio::time::Instant::now() > deadline {
            return Ok(left);
        }
        tokio::time::sleep(CLOSE_INTERVAL).await;
    }
}
