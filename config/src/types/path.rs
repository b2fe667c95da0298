//! Paths with captures: `/v1/models/{model}:generateContent`.
//!
//! The notation is checked and taken apart here; matching belongs to the route table.

use std::fmt;

/// Captures that take the rest of a path, slashes included, where they stand at its end: ids carry slashes.
const TAILS: &[&str] = &["model", "id", "rest"];

/// A path pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The pattern as it was written.
    pub text: String,
    /// What stands between the slashes; none for `/`.
    pub segments: Vec<Segment>,
}

/// What stands between two slashes of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segment {
    /// This text.
    Literal(String),
    /// Any text that is not empty.
    Capture {
        /// Name of what is captured.
        name: String,
        /// Takes the rest of the path, slashes included; only in the last segment.
        tail: bool,
        /// Text after the capture, its colon included: `:generateContent`.
        suffix: Option<String>,
    },
}

// === impl PathPattern ===

impl PathPattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!("invalid path `{text}`, expected `/` at its beginning"));
        };
        if path.is_empty() {
            return Ok(Self { text: text.to_owned(), segments: Vec::new() });
        }
        let mut segments: Vec<Segment> = Vec::new();
        for part in path.split('/') {
            let segment = segment(part).map_err(|reason| format!("invalid path `{text}`, {reason}"))?;
            if let Segment::Capture { name, .. } = &segment
                && segments.iter().any(|other| other.capture() == Some(name))
            {
                return Err(format!("invalid path `{text}`, it captures `{name}` twice"));
            }
            segments.push(segment);
        }
        if let Some(Segment::Capture { name, tail, .. }) = segments.last_mut() {
            *tail = TAILS.contains(&name.as_str());
        }
        if segments.iter().rev().skip(1).any(|segment| segment.capture() == Some("rest")) {
            return Err(format!("invalid path `{text}`, `{{rest}}` must stand at its end"));
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Tells whether the pattern has a capture of that name.
    pub fn captures(&self, name: &str) -> bool {
        self.segments.iter().any(|segment| segment.capture() == Some(name))
    }

    /// Tells whether two patterns match the same paths.
    pub(crate) fn same_paths(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Capture { tail: a, suffix: x, .. }, Segment::Capture { tail: b, suffix: y, .. }) => {
                    a == b && x == y
                }
                _ => false,
            })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === impl Segment ===

impl Segment {
    fn capture(&self) -> Option<&str> {
        match self {
            Self::Capture { name, .. } => Some(name),
            Self::Literal(_) => None,
        }
    }
}

fn segment(part: &str) -> Result<Segment, String> {
    match part {
        "" => return Err("it has an empty segment".to_owned()),
        "." | ".." => return Err("`.` and `..` never reach the route table".to_owned()),
        _ => {}
    }
    let Some(rest) = part.strip_prefix('{') else {
        if let Some(wrong) = part.chars().find(|c| !is_path_char(*c)) {
            return Err(format!("`{wrong}` cannot stand in `{part}`"));
        }
        return Ok(Segment::Literal(part.to_owned()));
    };
    let Some((name, suffix)) = rest.split_once('}') else {
        return Err(format!("`{part}` has no closing brace"));
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("a capture is named by letters, digits and `_`, found `{name}`"));
    }
    let verb = suffix.strip_prefix(':').unwrap_or_default();
    let is_verb = !verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !suffix.is_empty() && !is_verb {
        return Err(format!("only `:` and a word can stand after a capture, found `{suffix}`"));
    }
    let suffix = is_verb.then(|| suffix.to_owned());
    Ok(Segment::Capture { name: name.to_owned(), tail: false, suffix })
}

/// The characters of a path that need no encoding (RFC 3986, `pchar`), without `%`: patterns hold decoded texts.
fn is_path_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    fn capture(name: &str, tail: bool, suffix: Option<&str>) -> Segment {
        Segment::Capture { name: name.to_owned(), tail, suffix: suffix.map(str::to_owned) }
    }

    #[test]
    fn patterns_are_taken_apart() {
        for (text, segments) in [
            ("/", vec![]),
            ("/v1/models", vec![literal("v1"), literal("models")]),
            ("/v1/models/{id}", vec![literal("v1"), literal("models"), capture("id", true, None)]),
            ("/m/{model}:generateContent", vec![literal("m"), capture("model", true, Some(":generateContent"))]),
            ("/p/{provider}/{rest}", vec![literal("p"), capture("provider", false, None), capture("rest", true, None)]),
            ("/m/{id}/files", vec![literal("m"), capture("id", false, None), literal("files")]),
        ] {
            assert_eq!(PathPattern::parse(text).expect("the pattern is valid").segments, segments, "{text}");
        }
    }

    #[test]
    fn wrong_patterns_are_refused() {
        for wrong in [
            "",
            "v1",
            "//",
            "/a//b",
            "/a/",
            "/a/../b",
            "/a?b",
            "/a b",
            "/{",
            "/{}",
            "/{a-b}",
            "/{a}b",
            "/{a}:",
            "/x{a}",
            "/{a}/{a}",
            "/{rest}/x",
            "/a%2f",
        ] {
            assert!(PathPattern::parse(wrong).is_err(), "`{wrong}` is no pattern");
        }
    }

    #[test]
    fn names_of_captures_do_not_tell_paths_apart() {
        let pattern = |text| PathPattern::parse(text).expect("the pattern is valid");
        assert!(pattern("/m/{a}").same_paths(&pattern("/m/{b}")));
        assert!(!pattern("/m/{a}").same_paths(&pattern("/m/{id}")));
        assert!(!pattern("/m/{a}:x").same_paths(&pattern("/m/{a}")));
    }
}
