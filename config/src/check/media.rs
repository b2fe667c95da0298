//! Media that requests name by URL.

use std::net::IpAddr;

use super::context::At;
use super::settings::{duration, size};
use crate::raw::RawMedia;
use crate::types::{Exempt, Glob, Media, Network};

pub(super) fn check(at: &At<'_>, raw: Option<&RawMedia>) -> Media {
    let defaults = Media::default();
    let Some(raw) = raw else { return defaults };
    let allow = raw.allow.iter().flatten().enumerate();
    Media {
        fetch: raw.fetch.unwrap_or(defaults.fetch),
        max_bytes: size(at, "max_bytes", raw.max_bytes.as_ref()).unwrap_or(defaults.max_bytes),
        timeout: duration(at, "timeout", raw.timeout.as_ref()).unwrap_or(defaults.timeout),
        max_redirects: raw.max_redirects.unwrap_or(defaults.max_redirects),
        allow: allow.filter_map(|(index, text)| exempt(&at.key("allow").item(index), text)).collect(),
    }
}

fn exempt(at: &At<'_>, text: &str) -> Option<Exempt> {
    let exempt = at.take(read(text))?;
    let everyone = match &exempt {
        Exempt::Host(glob) => glob.as_str().bytes().all(|byte| byte == b'*'),
        Exempt::Network(network) => network.to_string().ends_with("/0"),
    };
    if everyone {
        at.warn(format!("`{text}` lets every client have the gateway ask any machine that it can reach"));
    }
    Some(exempt)
}

fn read(text: &str) -> Result<Exempt, String> {
    if let Some((address, prefix)) = text.split_once('/').filter(|_| !text.contains("//")) {
        let network = address.parse().ok().zip(prefix.parse().ok());
        let network = network.and_then(|(address, prefix)| Network::new(address, prefix));
        let network = network.ok_or_else(|| format!("invalid network `{text}`, expected one such as `10.1.0.0/16`"))?;
        if network.trimmed() != network {
            return Err(format!("network `{text}` has bits beyond its prefix, did you mean `{}`?", network.trimmed()));
        }
        return Ok(Exempt::Network(network));
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let network = Network::new(address, bits).ok_or_else(|| format!("invalid address `{text}`"))?;
        return Ok(Exempt::Network(network));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*');
    if text.is_empty() || !text.bytes().all(plain) {
        let expected =
            "expected a host such as `*.example.com`, without scheme and port, or a network such as `10.1.0.0/16`";
        return Err(format!("invalid host `{text}`, {expected}"));
    }
    Ok(Exempt::Host(Glob::new(text.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        match read(text) {
            Ok(Exempt::Network(network)) => network,
            other => panic!("{text} is a network, not {other:?}"),
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (own, address, holds) in [
            ("10.1.0.0/16", "10.1.255.255", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.0.0/16", "::ffff:10.1.2.3", true),
            ("10.1.0.0/16", "::1", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("::/0", "1.2.3.4", false),
            ("::/0", "fe80::1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fc00::1", false),
            ("[::1]", "::1", true),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(network(own).contains(address), holds, "{own} and {address}");
        }
    }

    #[test]
    fn mistakes_say_what_was_meant() {
        assert_eq!(
            read("10.1.2.3/16").err().as_deref(),
            Some("network `10.1.2.3/16` has bits beyond its prefix, did you mean `10.1.0.0/16`?")
        );
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "http://example.com", "example.com:80", "a b"] {
            assert!(read(wrong).is_err(), "`{wrong}` is no exemption");
        }
    }
}
