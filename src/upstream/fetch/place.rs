//! Where a URL leads.

use std::{borrow::Cow, net::IpAddr};

use http::{
    HeaderValue, Uri,
    uri::{PathAndQuery, Scheme},
};
use lockgate_layers::fetch::FetchError;

/// The longest URL.
const MAX_URL: usize = 8 << 10;

/// A web address, taken apart and checked for its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether it is `https`.
    pub(super) tls: bool,
    /// The name or address, in small letters, without brackets and the root's dot.
    pub(super) host: String,
    /// The host as an address, if it is one.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) path: PathAndQuery,
}

impl Place {
    /// Takes a URL apart.
    pub(super) fn parse(url: &str) -> Result<Self, FetchError> {
        if url.len() > MAX_URL {
            return Err(FetchError::Url("it is longer than 8192 bytes"));
        }
        let url = url.split('#').next().unwrap_or_default();
        let uri: Uri =
            escape(url).parse().map_err(|_| FetchError::Url("write scheme, host and path, percent-encoded"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(FetchError::NotAllowed("only http and https are fetched")),
        };
        let authority = uri.authority().ok_or(FetchError::Url("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(FetchError::NotAllowed("a URL must not have a user name or a password"));
        }
        let (host, address) = host(authority.host())?;
        let after = authority.as_str().get(authority.host().len()..).unwrap_or_default();
        let port = match (after, authority.port_u16()) {
            ("", _) => {
                if tls {
                    443
                } else {
                    80
                }
            }
            (_, Some(port @ 1..)) => port,
            _ => return Err(FetchError::Url("its port is no number from 1 to 65535")),
        };
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { tls, host, address, port, path })
    }

    /// Where a `location` leads from here (RFC 9110, section 10.2.2). Dots are left to the server.
    pub(super) fn join(&self, location: &str) -> Result<Self, FetchError> {
        let scheme = if self.tls { "https" } else { "http" };
        let head = location.split(['/', '?', '#']).next().unwrap_or_default();
        if head.contains(':') {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let path = self.path.path();
        let base = match location.as_bytes().first() {
            Some(b'/') => "",
            None | Some(b'?' | b'#') => path,
            Some(_) => path.rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        let slash = if matches!(location.as_bytes().first(), None | Some(b'/' | b'?' | b'#')) { "" } else { "/" };
        Self::parse(&format!("{scheme}://{}{base}{slash}{location}", self.authority()))
    }

    /// Host and port, the port only where the scheme does not say it.
    pub(super) fn authority(&self) -> String {
        let host = match self.address {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The value of `host`.
    pub(super) fn host_header(&self) -> Result<HeaderValue, FetchError> {
        HeaderValue::from_str(&self.authority()).map_err(|_| FetchError::Url("its host is not valid"))
    }
}

/// Percent-encodes what people leave in paths: blanks, and what is not ASCII.
fn escape(url: &str) -> Cow<'_, str> {
    if url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(url);
    }
    let mut escaped = String::with_capacity(url.len() + 16);
    for byte in url.bytes() {
        if byte == b' ' || !byte.is_ascii() {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0')));
        } else {
            escaped.push(char::from(byte));
        }
    }
    Cow::Owned(escaped)
}

/// The host as a name, and as an address if it is one.
///
/// Resolvers read many spellings as IPv4 (`2130706433`, `0x7f.1`, `0177.0.0.1`); here there is only the one of four
/// decimal numbers (as in the URL Standard's host parser, what ends in a number must be an address).
fn host(text: &str) -> Result<(String, Option<IpAddr>), FetchError> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address = inner.parse().map_err(|_| FetchError::Url("its host is no IPv6 address"))?;
        return Ok((inner.to_ascii_lowercase(), Some(IpAddr::V6(address))));
    }
    let host = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return Err(FetchError::Url("its host is no name in ASCII and no address"));
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !is_number {
        return Ok((host, None));
    }
    let address = host.parse().map_err(|_| FetchError::NotAllowed("write an address as four decimal numbers"))?;
    Ok((host, Some(IpAddr::V4(address))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(url: &str) -> Place {
        Place::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn urls_are_taken_apart() {
        for (url, tls, host, port, path) in [
            ("https://example.com/a.png", true, "example.com", 443, "/a.png"),
            ("HTTP://Example.COM", false, "example.com", 80, "/"),
            ("https://example.com.:8443/?q=1#f", true, "example.com", 8443, "/?q=1"),
            ("http://8.8.8.8/x", false, "8.8.8.8", 80, "/x"),
            ("http://[2606:4700::1111]:8080/", false, "2606:4700::1111", 8080, "/"),
            ("https://example.com/grün ein.png", true, "example.com", 443, "/gr%c3%bcn%20ein.png"),
        ] {
            let own = place(url);
            assert_eq!((own.tls, &*own.host, own.port, own.path.as_str()), (tls, host, port, path), "{url}");
        }
        assert_eq!(place("http://[::1]:81/").authority(), "[::1]:81");
        assert_eq!(place("https://example.com:443/").authority(), "example.com");
    }

    #[test]
    fn odd_spellings_of_addresses_are_refused_whatever_a_resolver_would_make_of_them() {
        for odd in [
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.1",
            "127.0.1",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.0.0.01",
            "127.0.0.1.",
            "1.2.3.4.5",
            "256.0.0.1",
            "0x",
            "example.0x7f",
            "a.1",
        ] {
            let parsed = Place::parse(&format!("http://{odd}/"));
            let plain = parsed.as_ref().is_ok_and(|place| place.address == Some(IpAddr::from([127, 0, 0, 1])));
            assert!(parsed.is_err() || (odd == "127.0.0.1." && plain), "{odd}: {parsed:?}");
        }
    }

    #[test]
    fn what_is_no_plain_web_address_is_refused() {
        for wrong in [
            "",
            "example.com/a.png",
            "/a.png",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "http://",
            "http:///a",
            "http://user@example.com/",
            "http://user:word@example.com/",
            "http://example.com@127.0.0.1/",
            "http://example.com\\@127.0.0.1/",
            "http://exam ple.com/",
            "http://example.com:0/",
            "http://example.com:99999/",
            "http://example.com:/",
            "http://example.com:x/",
            "http://[::1",
            "http://[fe80::1%25eth0]/",
            "http://[::ffff:1.2.3.999]/",
            "http://münchen.example/",
            "http://example.com/\r\nhost: other",
            "http://ex%61mple.com/",
        ] {
            assert!(Place::parse(wrong).is_err(), "`{wrong}` must be refused, not {:?}", Place::parse(wrong));
        }
        assert!(Place::parse(&format!("http://example.com/{}", "a".repeat(MAX_URL))).is_err());
    }

    #[test]
    fn redirects_are_followed_relative_to_where_they_stand() {
        let here = place("https://example.com:8443/a/b.png?q");
        for (location, to) in [
            ("http://other.example/x", "http://other.example/x"),
            ("//other.example/x", "https://other.example/x"),
            ("/x?y", "https://example.com:8443/x?y"),
            ("x.png", "https://example.com:8443/a/x.png"),
            ("?z", "https://example.com:8443/a/b.png?z"),
            ("#f", "https://example.com:8443/a/b.png"),
            ("../x:y", "https://example.com:8443/a/../x:y"),
        ] {
            assert_eq!(here.join(location), Ok(place(to)), "{location}");
        }
        for wrong in ["file:///etc/passwd", "javascript:1", "//user@other/", "http://0x7f.1/"] {
            assert!(here.join(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(url in ".{0,60}", location in ".{0,60}") {
            if let Ok(place) = Place::parse(&url) {
                drop(place.join(&location));
            }
            let here = place("https://example.com/a/b");
            if let Ok(there) = here.join(&location) {
                prop_assert!(there.host_header().is_ok());
            }
        }

        /// What is taken for a name is nothing that a resolver reads as numbers.
        #[test]
        fn a_name_never_ends_in_a_number(host in "[0-9a-fx.]{1,20}") {
            if let Ok(Place { address: None, host, .. }) = Place::parse(&format!("http://{host}/")) {
                let last = host.rsplit('.').next().unwrap_or_default();
                prop_assert!(last.parse::<u64>().is_err(), "decimal or octal: {}", last);
                let hex = last.strip_prefix("0x").unwrap_or("no");
                prop_assert!(!hex.is_empty() && u64::from_str_radix(hex, 16).is_err(), "hexadecimal: {}", last);
            }
        }
    }
}
