//! The fast path of decoding: most events of a stream differ from the one before in one string.
//!
//! The bytes around the text of an event, parsed properly, are the template for the next: one that has the same bytes
//! there says the same of another text, and needs no JSON parser. What servers put into events against traffic
//! analysis may differ too: blanks between tokens, the strings of padding members, and running counts. Any doubt goes
//! to the parser.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr2, memmem};

use crate::model::{PartKey, Str};

/// What a dialect's events may differ in, besides the text and the blanks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Varying {
    /// Members whose string means nothing (padding, times), as they are written up to the string's opening quote.
    pub(crate) strings: &'static [&'static str],
    /// What stands before counts (of tokens, of events), up to and with the colon. A decoder that wants them reads them
    /// from the event.
    pub(crate) numbers: &'static [&'static str],
}

/// Room for texts that had escapes. One allocation serves many of them.
const UNESCAPED_BYTES: usize = 4096;

/// The shape of the last event that was nothing but text for one part.
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// The part that the text is for; `None` if nothing was learnt.
    part: Option<PartKey>,
    /// From the start of the event to the text's opening quote, inclusive, without the inside of a string that varies.
    head: Vec<u8>,
    /// The stretches of `head` that must recur; behind each stands something that varies, or the text.
    lead: Vec<(Range<usize>, Hole)>,
    /// What follows the text's closing quote.
    tail: Vec<u8>,
    /// The stretches of `tail` that must recur; behind each stands something that varies, or the event's end.
    stretches: Vec<(Range<usize>, Hole)>,
    unescaped: BytesMut,
}

/// What stands behind a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    /// A string's inside, with its closing quote.
    String,
    Number,
    /// The text, or the event's end.
    End,
}

impl Template {
    /// Forgets what was learnt: the part has ended, or the stream is in another state.
    pub(crate) fn forget(&mut self) {
        self.part = None;
    }

    /// Forgets what was learnt of any part but this.
    pub(crate) fn keep_only(&mut self, part: PartKey) {
        self.part = self.part.filter(|of| *of == part);
    }

    /// Learns from `event`, which the parser took and which said `text` for `part` and nothing else.
    ///
    /// A text that had escapes is a copy, and stands nowhere in the event: then what was known stays.
    pub(crate) fn learn(&mut self, event: &str, text: &str, part: PartKey, varying: &Varying) {
        let start = text.as_ptr().addr().wrapping_sub(event.as_ptr().addr());
        let end = start.wrapping_add(text.len());
        let bytes = event.as_bytes();
        if start == 0 || text.is_empty() || bytes.get(start..end) != Some(text.as_bytes()) {
            return;
        }
        let (Some(head), Some([b'"', tail @ ..])) = (bytes.get(..start), bytes.get(end..)) else { return };
        if head.last() != Some(&b'"') {
            return;
        }
        self.part = Some(part);
        self.head.clear();
        self.head.extend_from_slice(head);
        self.tail.clear();
        self.tail.extend_from_slice(tail);
        cut(varying, &self.head, &mut self.lead);
        cut(varying, &self.tail, &mut self.stretches);
    }

    /// The text of an event like the one that was learnt, and the part that it is for.
    pub(crate) fn text(&mut self, event: &Str) -> Option<(PartKey, Str)> {
        let part = self.part?;
        let inside = self.behind_head(event.as_bytes())?;
        let start = event.len() - inside.len();
        let (length, escaped) = string_end(inside)?;
        // An empty text may mean something else: that a part has begun, for one.
        if length == 0 || !self.fits(inside.get(length + 1..)?) {
            return None;
        }
        let text = event.get(start..start + length)?;
        if !escaped {
            return Some((part, event.slice_ref(text)));
        }
        if self.unescaped.capacity() < length {
            self.unescaped.reserve(length.max(UNESCAPED_BYTES));
        }
        self.unescaped.clear();
        unescape(text.as_bytes(), &mut self.unescaped)?;
        Some((part, Str::try_from(self.unescaped.split().freeze()).ok()?))
    }

    /// What follows the head in an event that begins like the one that was learnt.
    fn behind_head<'e>(&self, event: &'e [u8]) -> Option<&'e [u8]> {
        let mut rest = event;
        for (stretch, hole) in &self.lead {
            rest = rest.strip_prefix(self.head.get(stretch.clone())?)?;
            match hole {
                Hole::End => return Some(rest),
                hole => rest = hole.skip(rest)?,
            }
        }
        None
    }

    /// Whether `rest` is what may follow the text.
    fn fits(&self, mut rest: &[u8]) -> bool {
        for (stretch, hole) in &self.stretches {
            let Some(behind) = self.tail.get(stretch.clone()).and_then(|stretch| strip_tokens(rest, stretch)) else {
                return false;
            };
            if *hole == Hole::End {
                return skip_blanks(behind).is_empty();
            }
            let Some(next) = hole.skip(behind) else { return false };
            rest = next;
        }
        false
    }
}

impl Hole {
    /// What follows what varies in `bytes`, if it is of this kind.
    fn skip(self, bytes: &[u8]) -> Option<&[u8]> {
        match self {
            // Nobody reads this string. One with an escape might not be valid, which the parser must say.
            Self::String => {
                let (length, _) = string_end(bytes).filter(|(_, escaped)| !escaped)?;
                bytes.get(length + 1..)
            }
            Self::Number => {
                let number = skip_blanks(bytes);
                number.get(whole_number(number)?..)
            }
            Self::End => None,
        }
    }
}

/// Cuts `bytes` into the stretches between what varies.
fn cut(varying: &Varying, bytes: &[u8], stretches: &mut Vec<(Range<usize>, Hole)>) {
    stretches.clear();
    let mut from = 0;
    while let Some((stop, hole, length)) = next_hole(varying, bytes, from) {
        stretches.push((from..stop, hole));
        from = stop + length;
    }
    stretches.push((from..bytes.len(), Hole::End));
}

/// Where the next hole of `bytes` begins, what it is and how long.
fn next_hole(varying: &Varying, bytes: &[u8], from: usize) -> Option<(usize, Hole, usize)> {
    let rest = bytes.get(from..)?;
    let behind = |name: &str| memmem::find(rest, name.as_bytes()).map(|at| from + at + name.len());
    let strings = varying.strings.iter().filter_map(|name| {
        let at = behind(name)?;
        let (length, escaped) = string_end(bytes.get(at..)?)?;
        (!escaped).then_some((at, Hole::String, length + 1))
    });
    let numbers = varying.numbers.iter().filter_map(|name| {
        let at = behind(name)?;
        let number = skip_blanks(bytes.get(at..)?);
        Some((bytes.len() - number.len(), Hole::Number, whole_number(number)?))
    });
    strings.chain(numbers).min_by_key(|(at, ..)| *at)
}

/// The length of the JSON string that `bytes` is inside of, and whether it has escapes. Raw control characters are not
/// JSON.
fn string_end(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut end = memchr2(b'"', b'\\', bytes)?;
    let escaped = bytes.get(end) == Some(&b'\\');
    while bytes.get(end) == Some(&b'\\') {
        end += 2;
        end += memchr2(b'"', b'\\', bytes.get(end..)?)?;
    }
    bytes.get(..end)?.iter().all(|byte| *byte >= b' ').then_some((end, escaped))
}

/// The length of the whole number that `bytes` begins with. A number begins with zero only if it is zero.
fn whole_number(bytes: &[u8]) -> Option<usize> {
    /// Numbers up to this many digits fit into 64 bits.
    const MOST_DIGITS: usize = 18;
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_whole = !matches!(bytes.get(count), Some(b'.' | b'e' | b'E'));
    let fits = (1..=MOST_DIGITS).contains(&count) && (count == 1 || bytes.first() != Some(&b'0'));
    (fits && is_whole).then_some(count)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    let count = bytes.iter().take_while(|byte| is_blank(**byte)).count();
    bytes.get(count..).unwrap_or_default()
}

/// What follows the tokens of `stretch` in `bytes`. The stretch begins outside of strings; blanks between tokens may
/// differ.
fn strip_tokens<'e>(bytes: &'e [u8], stretch: &[u8]) -> Option<&'e [u8]> {
    if let Some(rest) = bytes.strip_prefix(stretch) {
        return Some(rest);
    }
    let ends_token = |byte: u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"');
    let mut rest = bytes;
    let mut last = b',';
    let (mut in_string, mut escaped) = (false, false);
    for &byte in stretch {
        if !in_string {
            if is_blank(byte) {
                continue;
            }
            let next = skip_blanks(rest);
            // A blank inside a number or a word makes two of it.
            if next.len() < rest.len() && !ends_token(last) && !ends_token(byte) {
                return None;
            }
            rest = next;
        }
        rest = rest.strip_prefix(&[byte])?;
        if byte == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && byte == b'\\' && !escaped;
        last = byte;
    }
    Some(rest)
}

/// Appends the inside of a JSON string without its escapes. Gives nothing if one is not valid.
fn unescape(mut text: &[u8], out: &mut BytesMut) -> Option<()> {
    while let Some(at) = memchr(b'\\', text) {
        out.extend_from_slice(text.get(..at)?);
        let plain = match text.get(at + 1)? {
            b'u' => {
                let (c, length) = unicode_escape(text.get(at..)?)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                text = text.get(at + length..)?;
                continue;
            }
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x08,
            b'f' => 0x0c,
            same @ (b'"' | b'\\' | b'/') => *same,
            _ => return None,
        };
        out.put_u8(plain);
        text = text.get(at + 2..)?;
    }
    out.extend_from_slice(text);
    Some(())
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair, and how long it is written.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..)?.strip_prefix(b"\\u")?.get(..4)?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    };
    let first = unit(0)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    let low = second - 0xdc00;
    let high = first.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    char::from_u32(0x1_0000 + (high << 10) + low).map(|c| (c, 12))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VARYING: Varying = Varying { strings: &[r#""pad":""#, r#""at":""#], numbers: &[r#"Count":"#] };

    /// A template learnt from an event whose text is `Hi`.
    fn learnt(event: &str) -> Template {
        let mut template = Template::default();
        let at = event.find("Hi").expect("the event says Hi");
        template.learn(event, event.get(at..at + 2).expect("it is ASCII"), PartKey(7), &VARYING);
        template
    }

    fn event(text: &str, pad: &str, count: u32, blank: &str) -> String {
        format!(
            r#"{{"a":1,"d":{{"text":"{text}"{blank}}},"n":12,"pad":"{pad}","xCount":{blank}{count},"e":"x y"}}{blank}"#
        )
    }

    fn text(template: &mut Template, event: &str) -> Option<String> {
        template.text(&Str::from(event)).map(|(_, text)| text.to_string())
    }

    #[test]
    fn text_padding_counts_and_blanks_may_differ() {
        let mut template = learnt(&event("Hi", "abc", 7, ""));
        let found = template.text(&Str::from(event("größer", "other padding", 1234, "  ")));
        assert_eq!(found, Some((PartKey(7), Str::from_static("größer"))));
        let mut template = learnt(&event("Hi", "", 0, " "));
        assert_eq!(text(&mut template, &event("there", "p", 10, "")).as_deref(), Some("there"));
    }

    #[test]
    fn a_plain_text_is_a_slice() {
        let event = Str::from(event("there", "", 1, ""));
        let found = learnt(&self::event("Hi", "", 1, "")).text(&event).expect("it fits").1;
        assert!(event.as_bytes().as_ptr_range().contains(&found.as_bytes().as_ptr()), "the text was copied");
    }

    #[test]
    fn anything_else_takes_the_slow_path() {
        let mut template = learnt(&event("Hi", "abc", 7, ""));
        for said in
            ["", "a\u{1}b", r#"a"},"finish_reason":"stop","x":{"y":"z"#, r"\x", r"\u12", r"\ud83d", r"\ud83d\u0041"]
        {
            assert_eq!(text(&mut template, &event(said, "pad", 1, "")), None, "{said}");
        }
        assert_eq!(text(&mut template, &event("a", r"p\u0041", 1, "")), None, "padding has an escape");
        assert_eq!(text(&mut template, &event("a", "p", 1, "").replace("12", "1 2")), None, "a number was cut");
        assert_eq!(text(&mut template, &event("a", "p", 1, "").replace("x y", "x  y")), None, "a string differs");
        assert_eq!(text(&mut template, &event("a", "p", 1, "").replace(":1,\"e", ":01,\"e")), None, "no such number");
        assert_eq!(text(&mut template, &format!("{}}}", event("a", "p", 1, ""))), None, "more follows");
        assert_eq!(text(&mut template, "{}"), None);
        template.forget();
        assert_eq!(text(&mut template, &event("a", "abc", 7, "")), None, "all was forgotten");
    }

    #[test]
    fn strings_and_counts_before_the_text_may_differ() {
        let event = |at: &str, count: &str, text: &str| {
            format!(r#"{{"m":"m","at":"{at}","xCount":{count},"d":{{"text":"{text}"}},"done":false}}"#)
        };
        let mut template = learnt(&event("12:00", "7", "Hi"));
        assert_eq!(text(&mut template, &event("12:00:01", "8", "there")).as_deref(), Some("there"));
        assert_eq!(text(&mut template, &event("", "123456", "größer")).as_deref(), Some("größer"));
        assert_eq!(text(&mut template, &event(r"12\u003a00", "8", "there")), None, "it has an escape");
        assert_eq!(text(&mut template, &event(r#"1","m":"2"#, "8", "there")), None, "more stands between");
        assert_eq!(text(&mut template, &event("1", "1.5", "there")), None, "no whole number");
        assert_eq!(text(&mut template, &event("1", "08", "there")), None, "no number of JSON");
        assert_eq!(text(&mut template, &event("1", "8", "there").replace("false", "true")), None, "the end differs");
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_a_parser(
            said in ".{0,20}|[ -~]{0,20}|(\\\\u[0-9a-fD]{4}|\\\\[nrtbf\"/\\\\x]|[a-z😀]){0,6}",
            pad in "[a-z\"\\\\]{0,4}",
            count in any::<u32>(),
            blank in "[ \t\r\n]{0,3}",
            cut in any::<prop::sample::Index>(),
        ) {
            // Half of the texts are escaped as a server would, the others are what they are.
            let quoted = serde_json::to_string(&said).expect("a string serialises");
            for said in [quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default(), said.as_str()] {
                let mut template = learnt(&event("Hi", "abc", 7, " "));
                let event = event(said, &pad, count, &blank);
                let parsed = serde_json::from_str::<serde_json::Value>(&event);
                match text(&mut template, &event) {
                    Some(found) => {
                        let parsed = parsed.expect("what the fast path takes is JSON");
                        prop_assert_eq!(Some(&*found), parsed["d"]["text"].as_str());
                    }
                    None => prop_assert!(parsed.is_err() || said.is_empty() || pad.contains('\\') || pad.contains('"'),
                        "a good event must take the fast path: {}", event),
                }
                // A damaged event is either refused or still JSON.
                let damaged = event.get(..cut.index(event.len())).unwrap_or_default();
                if text(&mut template, damaged).is_some() {
                    let parsed = serde_json::from_str::<serde_json::Value>(damaged);
                    prop_assert!(parsed.is_ok(), "the fast path took {}", damaged);
                }
            }
        }
    }
}
