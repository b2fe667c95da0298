//! One large upload by a client that is not fast: what a body that nobody has to understand costs in memory.

use std::time::Duration;

use serde_json::{Value, json};

use super::exchange::{Failure, connect, read, read_head, write};
use super::options::Options;
use super::report::round;
use super::request;
use crate::clock::now_ns;
use crate::procfs;
use crate::upstream::{HASH_SEED, hash};
use crate::wire;

const PIECE_BYTES: usize = 64 << 10;
/// An upload that takes longer than this hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// Uploads the body, checks that the upstream received the same, and compares the gateway's peak memory.
pub(super) async fn run(options: &Options, bytes: usize) -> Value {
    let peak = || options.gateway_pid.map_or(0.0, procfs::peak_mib);
    if let Some(pid) = options.gateway_pid {
        procfs::reset_peak(pid);
    }
    let before = peak();
    let begin = now_ns();
    let outcome = tokio::time::timeout(LIMIT, upload(options, bytes)).await.unwrap_or(Err(Failure::Hung));
    let after = peak();
    let kind = match outcome {
        Ok(true) => None,
        Ok(false) => Some("the upstream received something else".to_owned()),
        Err(failure) => Some(failure.to_string()),
    };
    json!({
        "case": options.name, "ok": u8::from(kind.is_none()), "err": u8::from(kind.is_some()),
        "errs": kind.map_or(json!({}), |kind| json!({kind: 1})),
        "took_ms": round((now_ns() - begin) as f64 / 1e6),
        "peak_before_mib": round(before), "peak_mib": round(after), "growth_mib": round(after - before),
    })
}

/// Tells whether the answer confirms length and hash of what was sent.
async fn upload(options: &Options, bytes: usize) -> Result<bool, Failure> {
    let stream = connect(options.url.addr).await?;
    write(&stream, &request::head(options, "application/octet-stream", bytes)).await?;
    let mut sent_hash = HASH_SEED;
    let mut left = bytes;
    let mut number = 0;
    while left > 0 {
        let piece = piece(number, left.min(PIECE_BYTES));
        sent_hash = hash(sent_hash, &piece);
        write(&stream, &piece).await?;
        left -= piece.len();
        number += 1;
        tokio::time::sleep(Duration::from_micros(options.write_us)).await;
    }

    let mut buf = Vec::new();
    let mut head = read_head(&stream, &mut buf).await?;
    let mut body = Vec::new();
    loop {
        let used = head.framing.feed(&buf, &mut |run| body.extend_from_slice(run))?;
        wire::consume(&mut buf, used);
        if head.framing.is_done() || read(&stream, &mut buf).await? == 0 {
            break;
        }
    }
    if head.status != 200 {
        return Err(Failure::Status(head.status));
    }
    let file: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(file["bytes"] == json!(bytes) && file["hash"] == json!(sent_hash))
}

/// Bytes that differ from piece to piece, so that a piece lost, doubled or swapped changes the hash.
fn piece(number: u64, length: usize) -> Vec<u8> {
    (number.wrapping_mul(31)..).map(|value| value.to_le_bytes()[0]).take(length).collect()
}
