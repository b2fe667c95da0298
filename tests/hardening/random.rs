//! Bytes that nobody thought of: requests changed at random never bring the gateway down.

use std::time::Duration;

use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config as Settings, TestRunner},
};

use super::{assert_unsmuggled, chat, chat_body, pair};
use crate::support::Client;

/// Pieces of requests that mean something to a parser.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    "\0",
    "GET ",
    "POST ",
    " HTTP/1.1",
    " HTTP/1.0",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "0\r\n\r\n",
    "5\r\n",
    "FFFFFFFF\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\n",
    "/v1/models",
    "/%2e%2e/",
    "PRI * HTTP/2.0",
    "\u{1f600}",
];

/// A request with pieces put in, and bytes taken out, at random places.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let body = chat_body("a");
    let base = chat(&format!("Content-Length: {}\r\n", body.len()), &body);
    let edits = vec((any::<prop::sample::Index>(), prop::sample::select(PIECES), 0..4_usize), 1..4);
    edits.prop_map(move |edits| {
        let mut bytes = base.clone();
        for (place, piece, removed) in edits {
            let at = place.index(bytes.len());
            bytes.splice(at..(at + removed).min(base.len()).max(at).min(bytes.len()), piece.bytes());
        }
        bytes
    })
}

#[tokio::test]
async fn mangled_requests_are_answered_or_closed() {
    let (gateway, upstream) = pair().await;
    let mut runner = TestRunner::new(Settings { failure_persistence: None, ..Settings::default() });
    let mut tasks = tokio::task::JoinSet::new();
    for round in 0..120 {
        let bytes = mangled().new_tree(&mut runner).expect("a request can be made").current();
        let port = gateway.port;
        tasks.spawn(async move {
            let outcome = Client::provoke(port, &bytes, Duration::from_secs(12)).await;
            assert!(outcome.closed, "round {round}: the connection must end: {bytes:?}");
            for answer in &outcome.answers {
                assert!(answer.status() != 500, "round {round}: nobody may cause a 500: {bytes:?}");
            }
        });
        if round % 60 == 59 {
            while let Some(ended) = tasks.join_next().await {
                ended.expect("every round must hold");
            }
            gateway.still_serves().await;
        }
    }
    assert_unsmuggled(&upstream);
}
