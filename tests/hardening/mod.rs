//! What an attacker, a broken client or an odd proxy may send, on a raw socket.
//!
//! Whatever comes, the answer is a proper error or a proper service: never a hang, a panic, or a second request that
//! nobody sent.

mod bodies;
mod early;
mod framing;
mod head;
mod http2;
mod limits;
mod paths;
mod protocol;
mod random;
mod refused;

use std::time::Duration;

use crate::support::{Client, Config, Face, Gateway, Upstream, client::Outcome};

/// Longer than every timeout of the test configuration that may have to pass before a connection is closed.
const LIMIT: Duration = Duration::from_secs(8);

/// What must come back to provocative bytes.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// An error with one of these statuses, then the end of the connection.
    Refused(&'static [u16]),
    /// A success.
    Served,
    /// Either is right; what matters is that the bytes are read in one way only.
    Either,
}

use Verdict::{Either, Refused, Served};

/// A gateway before an upstream that answers everything with `fine`.
async fn pair() -> (Gateway, Upstream) {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    (gateway, upstream)
}

/// Sends the bytes of each case and checks verdict, health and that no upstream saw the word `smuggled`.
async fn judge(gateway: &Gateway, upstream: &Upstream, cases: &[(&str, Vec<u8>, Verdict)]) {
    let mut wrong = Vec::new();
    for (name, bytes, verdict) in cases {
        let outcome = Client::provoke(gateway.port, bytes, LIMIT).await;
        if let Some(reason) = objection(&outcome, *verdict) {
            wrong.push(format!("{name}: {reason}"));
        }
        gateway.still_serves().await;
    }
    assert!(wrong.is_empty(), "every case must get its verdict:\n{}", wrong.join("\n"));
    assert_unsmuggled(upstream);
}

fn objection(outcome: &Outcome, verdict: Verdict) -> Option<String> {
    let statuses: Vec<u16> = outcome.statuses().into_iter().filter(|status| *status >= 200).collect();
    let fits = match (verdict, statuses.as_slice()) {
        (Refused(allowed), [status]) => allowed.contains(status) && outcome.closed,
        (Served, [status]) => *status == 200,
        (Either, [status]) => *status == 200 || (400..=505).contains(status),
        _ => false,
    };
    let closed = if outcome.closed { "closed" } else { "left open" };
    (!fits).then(|| format!("expected {verdict:?}, came {statuses:?}, {closed}"))
}

fn assert_unsmuggled(upstream: &Upstream) {
    for seen in upstream.seen() {
        let smuggled = seen.head.start.contains("smuggled") || crate::support::client::contains(&seen.body, "smuggled");
        assert!(!smuggled, "no upstream may see a smuggled request: {:?}", seen.head);
    }
}

/// A chat request for the scripted upstream, as bytes of a body.
fn chat_body(model: &str) -> String {
    format!(r#"{{"model":"up-openai/{model}","messages":[{{"role":"user","content":"hello"}}]}}"#)
}

/// A POST to the chat route with these header lines and bytes after the head.
fn chat(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/json\r\n{lines}\r\n{body}")
        .into_bytes()
}

/// A request that must never be taken for one: it stands where a body or garbage belongs.
fn smuggled() -> String {
    let body = chat_body("smuggled");
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
