//! The fast path of decoding: most events of a stream differ from the one before in one string.
//!
//! A template remembers the bytes around the text of a delta event. When the next event has the same bytes around
//! another plain string, it says the same of another text, and needs no JSON parser.

use memchr::memchr2;

/// What stands around the text of an event.
#[derive(Debug, Default)]
pub(super) struct Template {
    /// From the start of the event to the text's opening quote, inclusive; empty if nothing was learnt.
    prefix: Vec<u8>,
    /// From the text's closing quote, exclusive, to the end, without space between tokens: the vendor pads events
    /// with a changing number of blanks there.
    suffix: Vec<u8>,
}

impl Template {
    /// Forgets.
    pub(super) fn clear(&mut self) {
        self.prefix.clear();
    }

    /// Learns from an event and the slice of it that is its text. A text with escapes is no slice; nothing is learnt.
    pub(super) fn learn(&mut self, event: &str, text: &str) {
        self.prefix.clear();
        self.suffix.clear();
        let (all, part) = (event.as_bytes().as_ptr_range(), text.as_bytes().as_ptr_range());
        if text.is_empty() || part.start < all.start || part.end > all.end {
            return;
        }
        let start = part.start.addr() - all.start.addr();
        let end = start + text.len();
        let bytes = event.as_bytes();
        let (Some(before), Some(after)) = (bytes.get(..start), bytes.get(end + 1..)) else { return };
        if before.last() != Some(&b'"') || bytes.get(end) != Some(&b'"') {
            return;
        }
        self.prefix.extend_from_slice(before);
        self.suffix.extend(Tokens::new(after));
    }

    /// The text of an event that fits.
    pub(super) fn text<'e>(&self, event: &'e str) -> Option<&'e str> {
        if self.prefix.is_empty() {
            return None;
        }
        let start = self.prefix.len();
        let rest = event.as_bytes().strip_prefix(self.prefix.as_slice())?;
        let length = memchr2(b'"', b'\\', rest)?;
        let (text, after) = rest.split_at(length);
        // Raw control characters are not JSON; the parser says so.
        if after.first() != Some(&b'"') || text.iter().any(|byte| *byte < b' ') {
            return None;
        }
        let after = after.get(1..)?;
        // An event without padding is the common case of servers other than the vendor's.
        if after != self.suffix && !Tokens::new(after).eq(self.suffix.iter().copied()) {
            return None;
        }
        event.get(start..start + length)
    }
}

/// The bytes of JSON text without the space between its tokens.
struct Tokens<'a> {
    bytes: std::slice::Iter<'a, u8>,
    in_string: bool,
    escaped: bool,
}

impl<'a> Tokens<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), in_string: false, escaped: false }
    }
}

impl Iterator for Tokens<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.next()?;
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                return Some(byte);
            }
            if byte != b' ' {
                self.in_string = byte == b'"';
                return Some(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn learnt() -> Template {
        let mut template = Template::default();
        let event = r#"{"index":0,"delta":{"text":"Hi","type":"text_delta"}}   "#;
        let at = event.find("Hi").expect("the event says Hi");
        template.learn(event, event.get(at..at + 2).expect("it is ASCII"));
        template
    }

    #[test]
    fn padding_between_tokens_does_not_matter() {
        let event = r#"{"index":0,"delta":{"text":"there","type":"text_delta"}  } "#;
        assert_eq!(learnt().text(event), Some("there"));
    }

    #[test]
    fn padding_inside_strings_does() {
        assert_eq!(learnt().text(r#"{"index":0,"delta":{"text":"x","type":"text _delta"}}"#), None);
        assert_eq!(learnt().text(r#"{"index":1,"delta":{"text":"x","type":"text_delta"}}"#), None);
    }

    #[test]
    fn escapes_and_control_characters_go_to_the_parser() {
        assert_eq!(learnt().text(r#"{"index":0,"delta":{"text":"a\"b","type":"text_delta"}}"#), None);
        assert_eq!(learnt().text("{\"index\":0,\"delta\":{\"text\":\"a\tb\",\"type\":\"text_delta\"}}"), None);
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_a_parser(text in ".{0,20}|[ -~]{0,20}", pad in " {0,3}", cut in any::<prop::sample::Index>()) {
            let quoted = serde_json::to_string(&text).expect("a string serialises");
            let event = format!(r#"{{"index":0,"delta":{{"text":{quoted},"type":"text_delta"{pad}}}{pad}}}{pad}"#);
            if let Some(found) = learnt().text(&event) {
                prop_assert_eq!(found, text);
            } else {
                prop_assert!(quoted.contains('\\'), "a plain text must take the fast path: {}", event);
            }
            // A damaged event is either refused or still the same JSON.
            let cut = cut.index(event.len());
            let damaged = event.get(..cut).unwrap_or_default();
            if learnt().text(damaged).is_some() {
                let parsed = serde_json::from_str::<serde_json::Value>(damaged);
                prop_assert!(parsed.is_ok(), "the fast path took {}", damaged);
            }
        }
    }
}
