//! Hosts of known dialects, by configuration alone: what goes out to each, to the byte.

mod azure;
mod bedrock;
mod missing;
mod recorded;
mod vertex;

use serde_json::Value;

use crate::support::{Config, Gateway, Upstream, upstream::Seen};

/// The key of the providers here.
const KEY: &str = "sk-host-51c2";

/// A gateway with one provider of a catalog entry, whose base URL is the upstream's.
async fn gateway(upstream: &Upstream, name: &str, entry: &str, more: &str) -> Gateway {
    let yaml = format!("{{type: {entry}, base_url: \"{}\", api_key: {KEY}{more}}}", upstream.url());
    Gateway::start(Config::new().provider_text(name, &yaml)).await
}

/// The last request that the upstream saw.
fn last(upstream: &Upstream) -> Seen {
    upstream.seen().pop().expect("a request must reach the upstream")
}

fn body(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body).expect("a body of JSON goes out")
}

fn text(seen: &Seen) -> &str {
    std::str::from_utf8(&seen.body).expect("a body of text goes out")
}

/// Asserts where a request went, and that it carries the provider's key in `header` and no other credential.
#[track_caller]
fn assert_sent(seen: &Seen, target: &str, header: &str, key: &str) {
    assert_eq!((seen.head.method(), seen.head.target()), ("POST", target));
    assert_eq!(seen.head.get("content-type"), Some("application/json"));
    for name in ["authorization", "api-key", "x-api-key", "x-goog-api-key"] {
        let expected = (name == header).then_some(key);
        assert_eq!(seen.head.get(name), expected, "{target}: {name}");
        assert!(seen.head.all(name).count() <= 1, "{target}: {name} must stand once");
    }
}
