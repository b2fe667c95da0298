//! The route table: from method and path to what serves it.
//!
//! Matching is on raw bytes. A capture is decoded only after the route is found, so an encoded slash never changes
//! routing and may stand inside an id.

use std::collections::HashMap;

use http::Method;
use lockgate_config::{PathPattern, Segment};

/// Routes in order of precedence.
#[derive(Debug)]
pub struct RouteTable<T> {
    entries: Vec<Entry<T>>,
    /// Entries whose path is literal, by path.
    literal: HashMap<String, Vec<usize>>,
    /// The other entries, in order.
    patterns: Vec<usize>,
}

#[derive(Debug)]
struct Entry<T> {
    pattern: PathPattern,
    /// Empty for every method.
    methods: Vec<Method>,
    value: T,
}

/// What a path's captures hold, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    values: Vec<(String, String)>,
    /// The literal after the colon of the capture that has one, or after the model.
    verb: Option<String>,
}

impl Captures {
    /// The value of a capture.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The verb at the end of the path (`generateContent`, `converse-stream`).
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// Whether there is nothing in them.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.verb.is_none()
    }
}

/// What the table says of a method and path.
#[derive(Debug)]
pub enum Lookup<'a, T> {
    /// This serves it.
    Found(&'a T, Captures),
    /// The path is known, with these methods.
    WrongMethod(Vec<Method>),
    /// Nothing is known.
    Unknown,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), literal: HashMap::new(), patterns: Vec::new() }
    }
}

impl<T> RouteTable<T> {
    /// Adds a route behind all that are there. Without `methods`, it takes every method.
    pub fn push(&mut self, pattern: PathPattern, methods: Vec<Method>, value: T) {
        let index = self.entries.len();
        if pattern.segments.iter().all(|segment| matches!(segment, Segment::Literal(_))) {
            self.literal.entry(pattern.text.clone()).or_default().push(index);
        } else {
            self.patterns.push(index);
        }
        self.entries.push(Entry { pattern, methods, value });
    }

    /// All routes, in order of precedence.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// Finds the first route that takes `method` on `path` (raw, without its query).
    pub fn find(&self, method: &Method, path: &str) -> Lookup<'_, T> {
        // A slash at the end of a literal path means nothing.
        let plain = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        let mut allowed: Vec<Method> = Vec::new();
        let mut verb_refused = false;
        let mut matched = |index: usize, captures: Captures| {
            let entry = self.entries.get(index)?;
            // A path that ends in a known verb belongs to the verb, not to an id that happens to look like it.
            let is_verb = captures.verb().is_some();
            if entry.takes(method) && (is_verb || !verb_refused) {
                return Some(Lookup::Found(&entry.value, captures));
            }
            verb_refused |= is_verb;
            for method in &entry.methods {
                if !allowed.contains(method) {
                    allowed.push(method.clone());
                }
            }
            None
        };
        let literal = self.literal.get(plain).map_or(&[][..], Vec::as_slice);
        // The operator's patterns stand before built-in literals: go by the order of both.
        let mut patterns = self.patterns.iter().copied().peekable();
        for &index in literal {
            while let Some(pattern) = patterns.next_if(|pattern| *pattern < index) {
                if let Some(found) = self.captures(pattern, path).and_then(|captures| matched(pattern, captures)) {
                    return found;
                }
            }
            if let Some(found) = matched(index, Captures::default()) {
                return found;
            }
        }
        for pattern in patterns {
            if let Some(found) = self.captures(pattern, path).and_then(|captures| matched(pattern, captures)) {
                return found;
            }
        }
        if allowed.is_empty() { Lookup::Unknown } else { Lookup::WrongMethod(allowed) }
    }

    fn captures(&self, index: usize, path: &str) -> Option<Captures> {
        let segments = &self.entries.get(index)?.pattern.segments;
        let mut rest = Some(path.strip_prefix('/')?);
        let mut captures = Captures::default();
        for segment in segments {
            let here = rest?;
            let (part, after) = match here.split_once('/') {
                Some((part, after)) => (part, Some(after)),
                None => (here, None),
            };
            match segment {
                Segment::Literal(text) if text == part => {
                    // Behind a model, a word of the path is what is asked of it (`/model/{model}/converse`).
                    if captures.get("model").is_some() {
                        captures.verb = Some(text.clone());
                    }
                    rest = after;
                }
                Segment::Capture { name, tail: true, suffix } => {
                    captures.take(name, here, suffix.as_deref())?;
                    rest = None;
                }
                Segment::Capture { name, suffix, .. } => {
                    captures.take(name, part, suffix.as_deref())?;
                    rest = after;
                }
                _ => return None,
            }
        }
        rest.is_none().then_some(captures)
    }
}

impl<T> Entry<T> {
    fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || (*method == Method::HEAD && self.methods.contains(&Method::GET))
    }
}

impl Captures {
    /// Takes a capture's raw text, which must end in `suffix` and not be empty before it.
    fn take(&mut self, name: &str, raw: &str, suffix: Option<&str>) -> Option<()> {
        let raw = match suffix {
            None => raw,
            Some(suffix) => {
                self.verb = suffix.strip_prefix(':').map(str::to_owned);
                raw.strip_suffix(suffix)?
            }
        };
        // Who asks for nothing behind a provider is told so, not that the path is unknown.
        if raw.is_empty() && name != "rest" {
            return None;
        }
        // What is passed through stays as it was written.
        let value = if name == "rest" { raw.to_owned() } else { decode(raw)? };
        self.values.push((name.to_owned(), value));
        Some(())
    }
}

/// Percent-decodes; `None` if the result is not UTF-8 or holds a control character.
fn decode(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return Some(raw.to_owned());
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RouteTable<&'static str> {
        let config =
            lockgate_config::load_str("test", "{}", &lockgate_config::MapEnv::default()).expect("defaults load");
        let mut table = RouteTable::default();
        for route in config.routes {
            let methods = route.methods.iter().filter_map(|method| method.parse().ok()).collect();
            let name: &'static str = Box::leak(route.path.text.clone().into_boxed_str());
            table.push(route.path, methods, name);
        }
        table
    }

    fn find(method: &Method, path: &str) -> (String, Captures) {
        match table().find(method, path) {
            Lookup::Found(name, captures) => ((*name).to_owned(), captures),
            Lookup::WrongMethod(allowed) => (format!("{allowed:?}"), Captures::default()),
            Lookup::Unknown => ("unknown".to_owned(), Captures::default()),
        }
    }

    #[test]
    fn ids_hold_slashes_raw_and_encoded() {
        for path in ["/v1/models/sim/echo", "/v1/models/sim%2Fecho"] {
            let (name, captures) = find(&Method::GET, path);
            assert_eq!((name.as_str(), captures.get("id")), ("/v1/models/{id}", Some("sim/echo")), "{path}");
        }
        let (_, captures) = find(&Method::POST, "/v1beta/models/sim%2Fecho:streamGenerateContent");
        assert_eq!((captures.get("model"), captures.verb()), (Some("sim/echo"), Some("streamGenerateContent")));
    }

    #[test]
    fn an_encoded_slash_never_changes_routing() {
        assert_eq!(find(&Method::POST, "/v1%2Fchat/completions").0, "unknown");
        assert_eq!(find(&Method::POST, "/v1/chat%2Fcompletions").0, "unknown");
    }

    #[test]
    fn what_passes_through_stays_raw() {
        let (_, captures) = find(&Method::PUT, "/p/openai/v1/files/a%2Fb%20c");
        assert_eq!((captures.get("provider"), captures.get("rest")), (Some("openai"), Some("v1/files/a%2Fb%20c")));
    }

    #[test]
    fn a_known_path_says_its_methods() {
        assert_eq!(find(&Method::GET, "/v1/chat/completions").0, "[POST]");
        assert_eq!(find(&Method::GET, "/nothing").0, "unknown");
    }

    #[test]
    fn broken_escapes_match_nothing() {
        for path in ["/v1/models/a%2", "/v1/models/a%zz", "/v1/models/%ff", "/v1/models/a%00b"] {
            assert_eq!(find(&Method::GET, path).0, "unknown", "{path}");
        }
    }
}
