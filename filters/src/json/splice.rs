//! Finding top-level members of a JSON object, and replacing or adding them without touching any other byte.
//!
//! The scanner knows JSON's structure (strings, nesting), not its finer grammar: a malformed number passes, and the
//! upstream complains. What it must get right is that no member is missed or invented, because policy looks at the
//! member that the upstream will act on. That is why a name that stands twice is an error.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// A top-level member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name without quotes, escapes as written.
    pub name: Range<usize>,
    /// Its value.
    pub value: Range<usize>,
}

/// Why a body's members cannot be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The body is not a JSON object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// The JSON breaks off or is malformed.
    #[error("malformed JSON at byte {0}")]
    Malformed(usize),
    /// The nesting is deeper than any request needs.
    #[error("JSON nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// The deepest nesting that is followed. `serde_json` has the same bound.
const MAX_DEPTH: usize = 128;

/// Iterates over the top-level members of an object.
#[derive(Debug)]
pub struct Members<'a> {
    body: &'a [u8],
    at: usize,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Start,
    Between,
    Done,
}

impl<'a> Members<'a> {
    /// Begins before the first member of `body`.
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, state: State::Start }
    }

    fn step(&mut self) -> Result<Option<Member>, MemberError> {
        match self.state {
            State::Done => return Ok(None),
            State::Start => {
                self.at = skip_space(self.body, self.at);
                if self.body.get(self.at) != Some(&b'{') {
                    return Err(MemberError::NotAnObject);
                }
                self.at = skip_space(self.body, self.at + 1);
                if self.body.get(self.at) == Some(&b'}') {
                    return self.close();
                }
            }
            State::Between => match self.body.get(self.at) {
                Some(b',') => self.at = skip_space(self.body, self.at + 1),
                Some(b'}') => return self.close(),
                _ => return Err(MemberError::Malformed(self.at)),
            },
        }
        self.state = State::Between;
        self.member().map(Some)
    }

    fn member(&mut self) -> Result<Member, MemberError> {
        let name_end = skip_string(self.body, self.at)?;
        let name = self.at + 1..name_end - 1;
        self.at = skip_space(self.body, name_end);
        if self.body.get(self.at) != Some(&b':') {
            return Err(MemberError::Malformed(self.at));
        }
        let start = skip_space(self.body, self.at + 1);
        let end = skip_value(self.body, start)?;
        self.at = skip_space(self.body, end);
        Ok(Member { name, value: start..end })
    }

    fn close(&mut self) -> Result<Option<Member>, MemberError> {
        self.state = State::Done;
        let rest = skip_space(self.body, self.at + 1);
        if rest == self.body.len() { Ok(None) } else { Err(MemberError::Malformed(rest)) }
    }
}

impl Iterator for Members<'_> {
    type Item = Result<Member, MemberError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if matches!(step, Some(Err(_))) {
            self.state = State::Done;
        }
        step
    }
}

fn skip_space(body: &[u8], mut at: usize) -> usize {
    while matches!(body.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// Skips a string that begins at `at`; gives the position after its closing quote.
fn skip_string(body: &[u8], at: usize) -> Result<usize, MemberError> {
    if body.get(at) != Some(&b'"') {
        return Err(MemberError::Malformed(at));
    }
    let start = at + 1;
    let mut from = start;
    // Most strings hold no quote, so the first one is looked for; it ends the string unless an odd number of
    // backslashes stands before it. Where one is escaped, more are: prose and code have them every few words.
    while let Some(found) = memchr(b'"', body.get(from..).unwrap_or_default()) {
        let quote = from + found;
        let before = body.get(start..quote).unwrap_or_default();
        let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Ok(quote + 1);
        }
        from = skip_escaped(body, quote + 1);
    }
    Err(MemberError::Malformed(body.len()))
}

/// How much of a string is looked at in one go.
const BLOCK: usize = 128;

/// Goes on inside a string, from behind an escaped quote, over blocks that cannot hold its end: each quote has a
/// backslash before it, and no backslash has one. The loop has no branch, so that it compiles to vector instructions.
fn skip_escaped(body: &[u8], mut from: usize) -> usize {
    while let Some((before, bytes)) = body.get(from - 1..from + BLOCK).and_then(|block| {
        let (before, bytes) = (block.first_chunk::<BLOCK>()?, block.last_chunk::<BLOCK>()?);
        Some((before, bytes))
    }) {
        let mut end = 0;
        for (before, byte) in before.iter().zip(bytes) {
            let looked_for = if *before == b'\\' { b'\\' } else { b'"' };
            end |= u8::from(*byte == looked_for);
        }
        if end != 0 {
            break;
        }
        from += BLOCK;
    }
    from
}

/// Skips the value that begins at `at`; gives the position after it.
fn skip_value(body: &[u8], at: usize) -> Result<usize, MemberError> {
    match body.get(at) {
        Some(b'"') => skip_string(body, at),
        Some(b'{' | b'[') => skip_nested(body, at),
        Some(b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => {
            let rest = &body[at..];
            let end = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
            Ok(at + end.unwrap_or(rest.len()))
        }
        _ => Err(MemberError::Malformed(at)),
    }
}

/// Skips an object or array, checking that its brackets pair.
fn skip_nested(body: &[u8], mut at: usize) -> Result<usize, MemberError> {
    // One bit per open level: 1 for an object.
    let mut open: u128 = 0;
    let mut depth = 0;
    while let Some(&byte) = body.get(at) {
        match byte {
            b'"' => {
                at = skip_string(body, at)?;
                continue;
            }
            b'{' | b'[' => {
                if depth == MAX_DEPTH {
                    return Err(MemberError::TooDeep);
                }
                open = (open << 1) | u128::from(byte == b'{');
                depth += 1;
            }
            b'}' | b']' => {
                if (open & 1 == 1) != (byte == b'}') {
                    return Err(MemberError::Malformed(at));
                }
                open >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(MemberError::Malformed(at))
}

/// One edit of a body: the bytes of `at` become `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// What is replaced; empty to insert.
    pub at: Range<usize>,
    /// What takes its place.
    pub with: Bytes,
}

/// Applies edits that do not overlap. Without any, the body itself comes back, not a copy.
pub fn apply(body: &Bytes, splices: &mut [Splice]) -> Bytes {
    let mut pieces = apply_in_pieces(body, splices);
    if pieces.len() == 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut out = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in &pieces {
        out.extend_from_slice(piece);
    }
    out.freeze()
}

/// Applies edits that do not overlap, and copies nothing: what comes back are slices of the body and what stands
/// between them now.
pub fn apply_in_pieces(body: &Bytes, splices: &mut [Splice]) -> Vec<Bytes> {
    splices.sort_by_key(|splice| splice.at.start);
    let mut pieces = Vec::with_capacity(2 * splices.len() + 1);
    let mut from = 0;
    for splice in splices.iter() {
        pieces.push(slice(body, from..splice.at.start));
        pieces.push(splice.with.clone());
        from = splice.at.end;
    }
    pieces.push(slice(body, from..body.len()));
    pieces
}

/// A part of `body`; nothing if there is no such part.
fn slice(body: &Bytes, at: Range<usize>) -> Bytes {
    if body.get(at.clone()).is_some() { body.slice(at) } else { Bytes::new() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> Result<Vec<(String, String)>, MemberError> {
        Members::new(text.as_bytes())
            .map(|member| {
                let member = member?;
                let copy = |at: Range<usize>| text.get(at).expect("members stand on characters' borders").to_owned();
                Ok((copy(member.name), copy(member.value)))
            })
            .collect()
    }

    #[test]
    fn nested_members_are_not_listed() {
        let found = list(r#" { "a" : {"model":"x","b":[1,"]}"]} , "model":"y\"}" , "n": -1.5e3 } "#).expect("valid");
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "model", "n"]);
        assert_eq!(found[1].1, r#""y\"}""#);
    }

    #[test]
    fn broken_bodies_are_refused() {
        for text in ["", "[]", "{", r#"{"a""#, r#"{"a":1"#, r#"{"a":[}"#, r#"{"a":1}x"#, r#"{"a":"x\"}"#, "{,}"] {
            assert!(list(text).is_err(), "{text} must not be accepted");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(list(&deep), Err(MemberError::TooDeep));
    }

    #[test]
    fn edits_touch_nothing_else() {
        let body = Bytes::from_static(br#"{ "model" : "a", "x":1}"#);
        let at = body.len() - 1;
        let mut edits = [
            Splice { at: at..at, with: Bytes::from_static(br#","y":2"#) },
            Splice { at: 12..15, with: Bytes::from_static(br#""longer""#) },
        ];
        assert_eq!(apply(&body, &mut edits), Bytes::from_static(br#"{ "model" : "longer", "x":1,"y":2}"#));
    }

    #[test]
    fn long_strings_end_where_they_end() {
        // Escapes of every kind at every place around the borders of blocks.
        for lead in 0..2 * BLOCK {
            for tail in ["", "x", "\\\\", "\\\"", "\\\\\\\"", "\\n\\\\"] {
                let text = format!("\\\"{}{tail}", "y".repeat(lead));
                let body = format!(r#"{{"a":"{text}","b":"{text}{text}"}}"#);
                let found = list(&body).expect("it is an object");
                assert_eq!(found[0].1, format!("\"{text}\""), "{body}");
                assert_eq!(found[1].1, format!("\"{text}{text}\""), "{body}");
            }
        }
    }

    proptest! {
        #[test]
        fn strings_are_those_of_a_parser(pieces in prop::collection::vec((0..200usize, "[\"\\\\\n]{0,4}"), 0..8)) {
            let text: String = pieces.iter().map(|(run, special)| "z".repeat(*run) + special).collect();
            let body = serde_json::json!({ "a": text, "b": 1 }).to_string();
            let found = list(&body).expect("what serde writes is an object");
            prop_assert_eq!(&found[0].1, &serde_json::to_string(&text).expect("text serialises"));
            prop_assert_eq!(&found[1].1, "1");
        }

        #[test]
        fn members_are_those_of_a_parser(value in prop::collection::btree_map("[a-z\\\\\"é]{0,6}", any::<i64>(), 0..6)) {
            let text = serde_json::to_string(&value).expect("a map of numbers serialises");
            let found = list(&text).expect("what serde writes is an object");
            prop_assert_eq!(found.len(), value.len());
            for (name, raw) in found {
                let name: String = serde_json::from_str(&format!("\"{name}\"")).expect("a name is a string");
                prop_assert_eq!(value.get(&name).map(ToString::to_string), Some(raw));
            }
        }

        #[test]
        fn no_input_panics(bytes in prop::collection::vec(prop::sample::select(&b"{}[]\":,\\ a1tfn"[..]), 0..64)) {
            for member in Members::new(&bytes) {
                if member.is_err() { break }
            }
        }
    }
}
