//! The fast path of decoding: most events of a stream differ from the one before in one string.
//!
//! The bytes around the text of an event, parsed properly, are the template for the next: one that has the same bytes
//! there says the same of another text, and needs no JSON parser. Text here is what a part says: words, thinking, or a
//! piece of a call's arguments. What servers put into events against traffic analysis may differ too: blanks between
//! tokens, the strings of padding members, and running counts. Any doubt goes to the parser.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr2, memmem};

use crate::model::{Delta, Event, PartKey, Str};

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

/// The shapes of the last events that were nothing but text for one part, each of another part: two parts may take
/// turns (candidates, calls at a time).
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// The one that was learnt last comes first.
    shapes: [Shape; 2],
    unescaped: BytesMut,
}

/// What a text is said as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Text,
    Args,
}

/// The shape of an event that is nothing but text for one part.
#[derive(Debug, Default)]
struct Shape {
    /// The part that the text is for, and what it is said as; `None` if nothing was learnt.
    part: Option<(PartKey, Say)>,
    /// From the start of the event to the text's opening quote, inclusive, without the inside of a string that varies.
    head: Vec<u8>,
    /// The stretches of `head` that must recur; behind each stands something that varies, or the text.
    lead: Vec<(Range<usize>, Hole)>,
    /// What follows the text's closing quote.
    tail: Vec<u8>,
    /// The stretches of `tail` that must recur; behind each stands something that varies, or the event's end.
    stretches: Vec<(Range<usize>, Hole)>,
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
    /// Forgets what was learnt: the stream may be in another state.
    pub(crate) fn forget(&mut self) {
        for shape in &mut self.shapes {
            shape.part = None;
        }
    }

    /// Learns from `event`, which the parser took and which said `said`. Only one text teaches anything; anything else
    /// makes it forget what it learnt.
    ///
    /// The decoder answers for what such an event means: that one of the same shape, if none but such events come
    /// between, says its text for the same part, and changes nothing else that the decoder does not see to.
    pub(crate) fn learn(&mut self, event: &str, said: &[Event], varying: &Varying) {
        let (part, text, say) = match said {
            [Event::Delta { part, delta: Delta::Text(text) }] => (*part, text, Say::Text),
            [Event::Delta { part, delta: Delta::Args(text) }] => (*part, text, Say::Args),
            _ => return self.forget(),
        };
        let [latest, other] = &mut self.shapes;
        if latest.part.is_some_and(|(of, _)| of != part) {
            std::mem::swap(latest, other);
        }
        latest.part = None;
        if let Some((head, tail)) = around(event, text, &mut self.unescaped) {
            latest.learn(head, tail, varying);
            latest.part = Some((part, say));
        }
    }

    /// What an event like one that was learnt says, and of which part.
    pub(crate) fn delta(&mut self, event: &Str) -> Option<(PartKey, Delta)> {
        let found = self.shapes.iter().find_map(|shape| Some((shape.part?, shape.text(event)?)));
        let ((part, say), (text, escaped)) = found?;
        let text = if escaped {
            unescape(text.as_bytes(), &mut self.unescaped)?;
            Str::try_from(self.unescaped.split().freeze()).ok()?
        } else {
            event.slice_ref(text)
        };
        let delta = match say {
            Say::Text => Delta::Text(text),
            Say::Args => Delta::Args(text),
        };
        Some((part, delta))
    }
}

impl Shape {
    fn learn(&mut self, head: &[u8], tail: &[u8], varying: &Varying) {
        self.head.clear();
        self.head.extend_from_slice(head);
        self.tail.clear();
        self.tail.extend_from_slice(tail);
        cut(varying, &self.head, &mut self.lead);
        cut(varying, &self.tail, &mut self.stretches);
    }

    /// The text of an event of this shape as it is written, and whether it has escapes.
    fn text<'e>(&self, event: &'e str) -> Option<(&'e str, bool)> {
        let inside = self.behind_head(event.as_bytes())?;
        let start = event.len() - inside.len();
        let (length, escaped) = string_end(inside)?;
        // An empty text may mean something else: that a part has begun, for one.
        if length == 0 || !self.fits(inside.get(length + 1..)?) {
            return None;
        }
        Some((event.get(start..start + length)?, escaped))
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

/// What stands before and behind `text` in the event that said it: up to its opening quote, inclusive, and from behind
/// its closing one.
///
/// A text that had escapes is a copy: it is looked for, and must be what just one string says.
fn around<'e>(event: &'e str, text: &str, unescaped: &mut BytesMut) -> Option<(&'e [u8], &'e [u8])> {
    if text.is_empty() {
        return None;
    }
    let bytes = event.as_bytes();
    let start = text.as_ptr().addr().wrapping_sub(bytes.as_ptr().addr());
    let slice = start..start.wrapping_add(text.len());
    let inside = match bytes.get(slice.clone()) {
        Some(_) => slice,
        None => escaped_string(bytes, text.as_bytes(), unescaped)?,
    };
    let (head, tail) = (bytes.get(..inside.start)?, bytes.get(inside.end..)?);
    Some((head, tail.strip_prefix(b"\"")?)).filter(|_| head.ends_with(b"\""))
}

/// The inside of the one string with escapes in `event` that says `text`.
fn escaped_string(event: &[u8], text: &[u8], unescaped: &mut BytesMut) -> Option<Range<usize>> {
    /// The most bytes that one byte is written with: `\u0041`.
    const MOST_BYTES: usize = 6;
    let mut found = None;
    let mut from = 0;
    while let Some(quote) = memchr(b'"', event.get(from..)?) {
        let start = from + quote + 1;
        let (length, escaped) = string_end(event.get(start..)?)?;
        from = start + length + 1;
        if !escaped || length > text.len() * MOST_BYTES {
            continue;
        }
        unescape(event.get(start..start + length)?, unescaped)?;
        if **unescaped == *text && found.replace(start..start + length).is_some() {
            return None;
        }
    }
    found
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

/// Makes `out` the inside of a JSON string without its escapes. Gives nothing if one is not valid.
fn unescape(mut text: &[u8], out: &mut BytesMut) -> Option<()> {
    out.clear();
    if out.capacity() < text.len() {
        out.reserve(text.len().max(UNESCAPED_BYTES));
    }
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
mod tests;
