//! The fast path of text deltas.
//!
//! In a stream of text one event is like the last but for the text (and the random padding that `OpenAI`, Azure and
//! Mistral add against traffic analysis). So the bytes around the text are remembered, and an event that has the same
//! bytes there needs no JSON parser.

use std::ops::Range;

use memchr::{memchr2, memmem};

use crate::model::{PartKey, Str};

/// Members of random padding, up to and with the quote that opens their value.
const PADDING: [&[u8]; 2] = [br#""obfuscation":""#, br#","p":""#];

/// The last event that was nothing but text for one part.
#[derive(Debug, Default)]
pub(super) struct Template {
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    event: Str,
    /// The text in it, without quotes.
    text: Range<usize>,
    /// The padding behind the text, without quotes.
    padding: Option<Range<usize>>,
    part: PartKey,
}

impl Template {
    /// Remembers `event`, which said `text` for `part` and nothing else. `text` must be a slice of it.
    pub(super) fn learn(&mut self, event: &Str, text: &Str, part: PartKey) {
        let start = text.as_ptr().addr().wrapping_sub(event.as_ptr().addr());
        let end = start.wrapping_add(text.len());
        let quoted = start.checked_sub(1).and_then(|before| event.as_bytes().get(before..=end));
        // A text that had escapes is a copy, and stands nowhere in the event.
        if !quoted.is_some_and(|quoted| quoted.first() == Some(&b'"') && quoted.last() == Some(&b'"')) {
            return;
        }
        let padding = find_padding(event, end);
        self.known = Some(Known { event: event.clone(), text: start..end, padding, part });
    }

    /// Forgets what was learnt: the part has ended, or the stream is in another state.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// The text of an event like the one that was learnt, and the part that it is for.
    pub(super) fn text(&self, event: &Str) -> Option<(PartKey, Str)> {
        let known = self.known.as_ref()?;
        let model = known.event.as_bytes();
        let rest = event.as_bytes().strip_prefix(model.get(..known.text.start)?)?;
        let length = plain_string(rest)?;
        if length == 0 {
            return None;
        }
        let behind = rest.get(length..)?;
        let fits = match &known.padding {
            None => behind == model.get(known.text.end..)?,
            Some(padding) => {
                let behind = behind.strip_prefix(model.get(known.text.end..padding.start)?)?;
                behind.get(plain_string(behind)?..)? == model.get(padding.end..)?
            }
        };
        if !fits {
            return None;
        }
        let text = event.get(known.text.start..known.text.start + length)?;
        Some((known.part, event.slice_ref(text)))
    }
}

/// The length of the JSON string that `bytes` is inside of; `None` if it has an escape, or what must be escaped.
fn plain_string(bytes: &[u8]) -> Option<usize> {
    let end = memchr2(b'"', b'\\', bytes)?;
    let inside = bytes.get(..end)?;
    (bytes.get(end) == Some(&b'"') && inside.iter().all(|byte| *byte >= 0x20)).then_some(end)
}

fn find_padding(event: &Str, from: usize) -> Option<Range<usize>> {
    let behind = event.as_bytes().get(from..)?;
    PADDING.iter().find_map(|member| {
        let start = memmem::find(behind, member)? + member.len();
        let length = plain_string(behind.get(start..)?)?;
        Some(from + start..from + start + length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str, padding: &str) -> Str {
        Str::from(format!(
            r#"{{"id":"x","choices":[{{"delta":{{"content":"{text}"}}}}],"obfuscation":"{padding}","n":1}}"#
        ))
    }

    fn learnt() -> Template {
        let first = event("abc", "pad");
        let at = first.find("abc").expect("the event holds the text");
        let text = first.slice_ref(first.get(at..at + 3).expect("the text is ASCII"));
        let mut template = Template::default();
        template.learn(&first, &text, PartKey(7));
        template
    }

    #[test]
    fn text_and_padding_may_differ() {
        let template = learnt();
        let found = template.text(&event("größer", "other padding"));
        assert_eq!(found, Some((PartKey(7), Str::from_static("größer"))));
    }

    #[test]
    fn anything_else_takes_the_slow_path() {
        let template = learnt();
        for text in ["", r#"a\"b"#, r"a\nb", "a\u{1}b", r#"a"},"finish_reason":"stop","x":{"y":"z"#] {
            assert_eq!(template.text(&event(text, "pad")), None, "{text}");
        }
        assert_eq!(template.text(&event("a", r"p\u0041")), None);
        assert_eq!(template.text(&Str::from_static("{}")), None);
        assert_eq!(Template::default().text(&event("a", "b")), None);
    }
}
