//! Streams that say one thing and then nothing: what a client that thinks costs the gateway in memory.

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::exchange::{Failure, Plan, connect, read, read_head, write};
use super::options::Options;
use super::report::round;
use crate::clock::now_ns;
use crate::procfs;
use crate::stamp::Scanner;

/// Opens the streams one after the other, compares the gateway's memory, and closes them.
pub(super) async fn run(options: &Options, streams: usize) -> Value {
    let resident = || options.gateway_pid.map_or(0.0, procfs::resident_mib);
    let plan = Plan { deltas: 1, ..Plan::new(options) };
    let before = resident();
    let begin = now_ns();
    let mut held = Vec::with_capacity(streams);
    let mut failure = None;
    for _ in 0..streams {
        match open(&plan).await {
            Ok(stream) => held.push(stream),
            Err(error) => {
                failure = Some(error.to_string());
                break;
            }
        }
    }
    let opened_ms = (now_ns() - begin) as f64 / 1e6;
    tokio::time::sleep(options.settle_time()).await;
    let during = resident();
    let opened = held.len();
    drop(held);
    tokio::time::sleep(options.settle_time()).await;
    json!({
        "case": options.name, "ok": opened, "err": u8::from(failure.is_some()),
        "errs": failure.map_or(json!({}), |kind| json!({kind: 1})),
        "opened_ms": round(opened_ms), "before_mib": round(before), "during_mib": round(during),
        "growth_mib": round(during - before), "after_close_mib": round(resident()),
    })
}

/// Opens one stream and reads up to its first delta.
async fn open(plan: &Plan) -> Result<TcpStream, Failure> {
    let stream = connect(plan.addr).await?;
    write(&stream, &plan.request).await?;
    let mut buf = Vec::new();
    let mut head = read_head(&stream, &mut buf).await?;
    if head.status != 200 {
        return Err(Failure::Status(head.status));
    }
    let mut scanner = Scanner::default();
    loop {
        let used = head.framing.feed(&buf, &mut |run| scanner.feed(run, now_ns(), None))?;
        if scanner.seen() == plan.deltas {
            return Ok(stream);
        }
        crate::wire::consume(&mut buf, used);
        if head.framing.is_done() || read(&stream, &mut buf).await? == 0 {
            return Err(Failure::CutShort);
        }
    }
}
