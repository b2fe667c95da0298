//! Where the gateway listens, and whether it may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::context::At;
use crate::raw::{RawConfig, RawListener};
use crate::types::{Config, Listener, Provider, Tls};

/// Where the gateway listens when nobody says otherwise.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(super) fn check(root: &At<'_>, raw: &RawConfig) -> Vec<Listener> {
    let written = raw.listeners.as_deref().unwrap_or_default();
    if let Some(text) = &raw.listen {
        let at = root.key("listen");
        if !written.is_empty() {
            at.error("expected either `listen` or `listeners`".to_owned());
        }
        let address = at.take(address(text));
        return address.map(|address| Listener { address, tls: None, http2: true }).into_iter().collect();
    }
    let at = root.key("listeners");
    let mut listeners: Vec<Listener> = Vec::new();
    for (index, raw) in written.iter().enumerate() {
        let Some(listener) = listener(&at.item(index), raw) else { continue };
        if listeners.iter().any(|other| other.address == listener.address) {
            at.item(index).key("address").error(format!("duplicate address `{}`", listener.address));
        }
        listeners.push(listener);
    }
    if written.is_empty() {
        listeners.push(Listener { address: DEFAULT_ADDRESS, tls: None, http2: true });
    }
    listeners
}

fn listener(at: &At<'_>, raw: &RawListener) -> Option<Listener> {
    let tls = raw.tls.as_ref().map(|tls| Tls { cert: at.file(&tls.cert), key: at.file(&tls.key) });
    let address = at.key("address").take(address(&raw.address))?;
    Some(Listener { address, tls, http2: raw.http2.unwrap_or(true) })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
    numeric.parse().map_err(|_| {
        let hint = if text.parse::<u16>().is_ok() || text.starts_with(':') {
            format!("`127.0.0.1:{}`", text.trim_start_matches(':'))
        } else {
            "an IP address and a port, such as `127.0.0.1:8080`".to_owned()
        };
        format!("invalid address `{text}`, expected {hint}")
    })
}

/// A gateway without keys on a public address gives the operator's provider keys to everybody.
pub(super) fn refuse_exposed(root: &At<'_>, raw: &RawConfig, config: &Config) {
    // Keys that were refused have been reported already.
    let keys_written = raw.keys.as_ref().is_some_and(|keys| !keys.is_empty());
    let Some(address) = config.exposed().filter(|_| !keys_written) else { return };
    let at = match config.listeners.iter().position(|listener| listener.address == address) {
        Some(index) if raw.listeners.is_some() => root.key("listeners").item(index).key("address"),
        _ => root.key("listen"),
    };
    at.error(format!(
        "other machines can reach `{address}` and there are no `keys`; add a key, listen on `127.0.0.1`, or set `open: true`"
    ));
}

/// `OPENAI_BASE_URL` and its like are set for client libraries too, and then name this very gateway.
pub(super) fn warn_of_loops(root: &At<'_>, listeners: &[Listener], providers: &[Provider]) {
    for provider in providers {
        let url = &provider.base_url;
        let host = if url.host == "localhost" { "127.0.0.1" } else { url.host.as_str() };
        let Ok(ip) = host.parse::<IpAddr>() else { continue };
        let is_own = |listener: &Listener| {
            let own = listener.address;
            own.port() == url.port && (own.ip() == ip || (own.ip().is_unspecified() && ip.is_loopback()))
        };
        if listeners.iter().any(is_own) {
            let at = root.key("providers").key(&provider.name).key("base_url");
            at.warn(format!("provider `{}` is at `{url}`, which is this gateway itself", provider.name));
        }
    }
}
