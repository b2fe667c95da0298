//! The load generator against the mock upstream, and against servers that are wrong in one way each.
//!
//! A bench that takes a wrong answer for a fast one is worse than none.

#![cfg(test)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use clap::Parser;
use lockgate_bench::load::{self, Options};
use lockgate_bench::upstream::Upstream;
use lockgate_bench::upstream::control::Control;
use serde_json::Value;
use tokio::task::LocalSet;

/// Starts an upstream on a thread of its own, which ends with the test process.
fn upstream(settings: &str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    let settings = format!("?{settings}");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        LocalSet::new().block_on(&runtime, async {
            let control = Control::default();
            control.apply(&settings);
            listener.set_nonblocking(true).expect("the listener can be polled");
            let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is polled");
            Upstream::new(control, true).serve(listener).await
        })
    });
    addr
}

/// Starts a server that answers every request with the same bytes and then closes.
fn scripted(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let reply = |mut stream: TcpStream| -> std::io::Result<()> {
            let mut request = [0; 4096];
            let count = stream.read(&mut request)?;
            assert!(count > 0, "a client sends a request");
            stream.write_all(answer.as_bytes())
        };
        listener.incoming().flatten().try_for_each(reply)
    });
    addr
}

fn run(addr: SocketAddr, path: &str, arguments: &str) -> Value {
    let url = format!("http://{addr}{path}");
    let fixed = ["bench-load", "--url", &url, "--warm-up", "0", "--seconds", "0.05", "--settle", "0"];
    let options = Options::parse_from(fixed.into_iter().chain(arguments.split_whitespace()));
    load::run(&options).expect("the load runs")
}

fn errors_of(answer: &'static str, arguments: &str) -> String {
    let report = run(scripted(answer), "/v1/chat/completions", arguments);
    assert_eq!(report["ok_ever"], 0, "{report}");
    report["errs"].to_string()
}

#[test]
fn every_dialect_is_answered_right() {
    let addr = upstream("chunks=7");
    for (dialect, path) in [
        ("openai", "/v1/chat/completions"),
        ("anthropic", "/v1/messages"),
        ("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse"),
    ] {
        let report = run(addr, path, &format!("--dialect {dialect} --stream --expect 7 -c 3"));
        assert_eq!(report["err"], 0, "{report}");
        assert!(report["transit_p50_us"].as_f64() > Some(0.0), "{report}");
        let path = path.replace("streamGenerateContent?alt=sse", "generateContent");
        let report = run(addr, &path, &format!("--dialect {dialect} -c 2"));
        assert_eq!(report["err"], 0, "{report}");
    }
}

#[test]
fn large_bodies_and_coalesced_deltas_are_answered_right() {
    let addr = upstream("chunks=50&coalesce=8&first_us=200");
    let report = run(addr, "/v1/chat/completions", "--stream --expect 50 --body-bytes 300000");
    assert_eq!(report["err"], 0, "{report}");
}

#[test]
fn the_open_loop_counts_from_the_due_time() {
    let addr = upstream("first_us=20000");
    let report = run(addr, "/v1/messages", "--dialect anthropic --rate 400 --max-connections 1");
    assert_eq!(report["err"], 0, "{report}");
    // One connection serves 50 a second, so the last of 20 requests waits for all before it.
    assert!(report["latency_max_us"].as_f64() > Some(200_000.0), "{report}");
}

#[test]
fn streams_are_held_and_files_arrive() {
    let held = upstream("chunks=1&hold_us=5000000");
    let report = run(held, "/v1/chat/completions", "--stream --hold-streams 20");
    assert_eq!((&report["ok"], &report["err"]), (&Value::from(20), &Value::from(0)), "{report}");
    let report = run(upstream(""), "/p/mock-openai/v1/files", "--upload-bytes 300000 --write-us 100");
    assert_eq!((&report["ok"], &report["err"]), (&Value::from(1), &Value::from(0)), "{report}");
}

#[test]
fn a_missing_delta_is_an_error() {
    let report = run(upstream("chunks=6"), "/v1/chat/completions", "--stream --expect 7");
    assert_eq!(report["ok_ever"], 0, "{report}");
    assert!(report["errs"].to_string().contains("6 of 7 deltas"), "{report}");
}

#[test]
fn wrong_answers_are_counted_by_kind() {
    for (answer, arguments, kind) in [
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "", "status 503"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\nt@0000000000000000", "", "closed inside the body"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "", "0 of 1 deltas"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\nt@0000000000000000{}", "", "bytes behind the answer"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "", "bad chunk size"),
        ("", "", "closed before the head"),
        ("HTTP/1.1 200 OK\r\n\r\nt@0000000000000007", "--stream --expect 1", "no closing event"),
        (
            "HTTP/1.1 200 OK\r\n\r\nt@0000000000000007t@0000000000000007[DONE]",
            "--stream --expect 2",
            "deltas out of order",
        ),
    ] {
        let errors = errors_of(answer, arguments);
        assert!(errors.contains(kind), "expected `{kind}` in {errors}");
    }
}
