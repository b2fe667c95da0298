//! Base URLs of providers, and how a path is joined to one.

use std::fmt;

/// Where a provider is: scheme, host, port, and a fixed path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Scheme.
    pub scheme: Scheme,
    /// Host name or IP address, without the brackets of IPv6; empty for [`Scheme::Sim`].
    pub host: String,
    /// Port, the scheme's own where the URL has none; 0 for [`Scheme::Sim`].
    pub port: u16,
    /// Host and port as the URL has them, for the `host` header.
    pub authority: String,
    /// Path before every endpoint's path, without a slash at its end; often empty.
    pub prefix: String,
}

/// Scheme of a base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
    /// The simulator inside the gateway.
    Sim,
}

/// Joins an endpoint's path to a base URL's prefix.
///
/// Where the prefix ends in what the path begins with up to its version, as in `/api/v1` and `/v1/models`, or in
/// `/openai/v1` and `/openai/v1/models`, it counts once: operators write base URLs the way the client libraries do. For
/// the same reason a version does not go before `/api/`, where Ollama's own API is beside the one under `/v1`.
pub fn join_path(base: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    let path = path.trim_start_matches('/');
    let (leading, rest) = up_to_version(path);
    let before = base.strip_suffix(leading).filter(|_| !leading.is_empty());
    if before.is_some_and(|before| before.ends_with('/')) {
        return if rest.is_empty() { base.to_owned() } else { format!("{base}/{rest}") };
    }
    let base = if path.starts_with("api/") { without_version(base) } else { base };
    format!("{}/{path}", base.trim_end_matches('/'))
}

/// Splits a path behind its first segment that is a version; nothing is before it where there is none.
fn up_to_version(path: &str) -> (&str, &str) {
    let mut end = 0;
    for segment in path.split('/') {
        end += segment.len();
        if is_version(segment) {
            let (leading, rest) = path.split_at_checked(end).unwrap_or(("", path));
            return (leading, rest.trim_start_matches('/'));
        }
        end += 1;
    }
    ("", path)
}

/// A prefix without the version at its end, if it has one.
fn without_version(base: &str) -> &str {
    base.rsplit_once('/').filter(|(_, last)| is_version(last)).map_or(base, |(before, _)| before)
}

/// Tells whether a segment is one like `v1`, `v4` or `v1beta`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

// === impl BaseUrl ===

impl BaseUrl {
    /// Reads a URL; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "sim://" {
            let nothing = String::new();
            return Ok(Self {
                scheme: Scheme::Sim,
                host: nothing.clone(),
                port: 0,
                authority: "sim".into(),
                prefix: nothing,
            });
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            _ => return Err("expected `http://` or `https://` at its beginning".to_owned()),
        };
        if rest.contains(['?', '#']) {
            return Err("a query or a fragment cannot stand in a base url".to_owned());
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii() || "\\\"<>{}|^`".contains(c)) {
            return Err("it holds a character that a url cannot hold".to_owned());
        }
        let (authority, prefix) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("a name or password cannot stand in a base url, use `api_key` and `auth`".to_owned());
        }
        if prefix.split('/').any(|segment| segment == "." || segment == "..") {
            return Err("`.` and `..` cannot stand in a base url".to_owned());
        }
        let (host, port) = split_authority(authority)?;
        let port = port.unwrap_or(if scheme == Scheme::Https { 443 } else { 80 });
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(Self { scheme, host: host.to_owned(), port, authority: authority.to_owned(), prefix })
    }

    /// Joins an endpoint's path to the prefix, see [`join_path`].
    pub fn path(&self, path: &str) -> String {
        join_path(&self.prefix, path)
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return Err("the address has no closing `]`".to_owned());
        };
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("`{host}` is no IPv6 address"));
        }
        match after.strip_prefix(':') {
            None if !after.is_empty() => return Err("expected `:` and a port after `]`".to_owned()),
            port => (host, port),
        }
    } else {
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() {
        return Err("it has no host".to_owned());
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)) {
        return Err("its host holds a character that a host cannot hold".to_owned());
    }
    match port.map(str::parse::<u16>) {
        None => Ok((host, None)),
        Some(Ok(port)) if port > 0 => Ok((host, Some(port))),
        Some(_) => Err("its port is not a number from 1 to 65535".to_owned()),
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Http => write!(f, "http://{}{}", self.authority, self.prefix),
            Scheme::Https => write!(f, "https://{}{}", self.authority, self.prefix),
            Scheme::Sim => f.write_str("sim://"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_counts_once() {
        for (base, path, joined) in [
            ("", "/v1/models", "/v1/models"),
            ("/v1", "/v1/models", "/v1/models"),
            ("/api/v1/", "/v1/chat/completions", "/api/v1/chat/completions"),
            ("/openai", "/v1/models", "/openai/v1/models"),
            ("/v1", "/chat/completions", "/v1/chat/completions"),
            ("/v1beta", "/v1beta/models/{model}:generateContent", "/v1beta/models/{model}:generateContent"),
            ("/api/v1", "/v10/models", "/api/v1/v10/models"),
            ("/chat", "/chat/completions", "/chat/chat/completions"),
            ("https://host/v1", "/v1/models", "https://host/v1/models"),
            ("https://host", "v1/models", "https://host/v1/models"),
            ("http://host:11434/v1", "/api/chat", "http://host:11434/api/chat"),
            ("/ollama/", "/api/chat", "/ollama/api/chat"),
            ("/v1", "/v1", "/v1"),
            ("/openai/v1", "/openai/v1/chat/completions", "/openai/v1/chat/completions"),
            ("/my-openai/v1", "/openai/v1/models", "/my-openai/v1/openai/v1/models"),
            ("/v1", "/openai/v1/models", "/v1/openai/v1/models"),
            ("", "/", "/"),
        ] {
            assert_eq!(join_path(base, path), joined, "{base} and {path}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let url = BaseUrl::parse("https://api.example.com:8443/openai/v1/").expect("the url is valid");
        assert_eq!((url.host.as_str(), url.port, url.prefix.as_str()), ("api.example.com", 8443, "/openai/v1"));
        assert_eq!(url.authority, "api.example.com:8443");
        assert_eq!(url.to_string(), "https://api.example.com:8443/openai/v1");
        let url = BaseUrl::parse("http://[::1]").expect("the url is valid");
        assert_eq!((url.host.as_str(), url.port, url.authority.as_str()), ("::1", 80, "[::1]"));
        assert_eq!(BaseUrl::parse("sim://").expect("the url is valid").scheme, Scheme::Sim);
    }

    #[test]
    fn wrong_urls_are_refused() {
        for wrong in [
            "",
            "api.example.com",
            "ftp://host",
            "https://",
            "https:///path",
            "https://user:secret@host",
            "https://host?key=1",
            "https://host#x",
            "https://host:0",
            "https://host:70000",
            "https://[::1",
            "https://[x]",
            "https://ho st",
            "https://a,b",
            "https://host/a/../b",
        ] {
            assert!(BaseUrl::parse(wrong).is_err(), "`{wrong}` is no base url");
        }
    }
}
