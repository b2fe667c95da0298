//! Citations: stretches of the answer, in characters of the content part that they stand in, and what they rest on.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Object, Text, Writer, keep_raw, lenient};
use crate::{
    json::one_line,
    model::{Citation, Family, Span, SpanUnit, Str},
};

#[derive(Deserialize)]
struct Wire<'a> {
    start: Option<u32>,
    end: Option<u32>,
    #[serde(borrow)]
    sources: Option<Vec<Source<'a>>>,
    content_index: Option<u32>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    document: Option<Object<'a>>,
    #[serde(borrow)]
    tool_output: Option<Object<'a>>,
}

/// Reads a citation, and the number of the content part that it stands in, where the wire has it.
pub(super) fn decode(raw: &RawValue, text: &Str) -> Option<(Citation, Option<u32>)> {
    let wire: Wire<'_> = lenient(Some(raw))?;
    let span = match (wire.start, wire.end) {
        (Some(start), Some(end)) if end >= start => Some(Span { start, end, unit: SpanUnit::Char }),
        _ => None,
    };
    let sources = wire.sources.unwrap_or_default();
    let first = sources.first().and_then(|source| source.document.as_ref().or(source.tool_output.as_ref()));
    let member = |name: &str| {
        let (_, value) = first?.0.iter().find(|(of, _)| of == name)?;
        lenient::<Text<'_>>(Some(value)).filter(|value| !value.is_empty()).map(|value| value.keep(text))
    };
    let citation = Citation {
        span,
        url: member("url"),
        title: member("title"),
        quoted: None,
        raw: Some((Family::Cohere, keep_raw(text, raw))),
    };
    Some((citation, wire.content_index))
}

/// The citation as this family wrote it.
pub(super) fn own(citation: &Citation) -> Option<&str> {
    citation.raw.as_ref().filter(|(family, _)| *family == Family::Cohere).map(|(_, raw)| raw.as_str())
}

/// Writes a citation of the characters `span` of content part `index`. `said` is what they say, where it is known.
pub(super) fn push(out: &mut BytesMut, citation: &Citation, span: (usize, usize), said: Option<&str>, index: u64) {
    if let Some(raw) = own(citation) {
        out.extend_from_slice(one_line(raw).as_bytes());
        return;
    }
    let mut object = Writer::object(out);
    object.u64("start", span.0 as u64);
    object.u64("end", span.1 as u64);
    object.maybe_str("text", said);
    let mut sources = object.list("sources");
    let mut source = Writer::of_type(sources.element(), "document");
    let name = citation.url.as_deref().or(citation.title.as_deref());
    source.maybe_str("id", name);
    let mut document = source.nested("document");
    document.maybe_str("id", name);
    document.maybe_str("title", citation.title.as_deref());
    document.maybe_str("text", citation.quoted.as_deref());
    document.maybe_str("url", citation.url.as_deref());
    document.end();
    source.end();
    sources.end();
    object.str("type", "TEXT_CONTENT");
    object.u64("content_index", index);
    object.end();
}

/// The text of a part so far, as far as positions in it need it: dialects count in bytes or in characters.
#[derive(Debug, Default)]
pub(super) struct Positions {
    bytes: usize,
    chars: usize,
    /// The stretches of text in which bytes and characters differ: where they begin in both, and what they say.
    wide: Vec<(usize, usize, String)>,
}

impl Positions {
    /// Takes the next piece of text.
    pub(super) fn push(&mut self, text: &str) {
        let chars = text.chars().count();
        if chars != text.len() {
            match self.wide.last_mut() {
                Some((byte, _, last)) if *byte + last.len() == self.bytes => last.push_str(text),
                _ => self.wide.push((self.bytes, self.chars, text.to_owned())),
            }
        }
        self.bytes += text.len();
        self.chars += chars;
    }

    /// A span in characters; all of the text where there is none.
    pub(super) fn span(&self, span: Option<Span>) -> (usize, usize) {
        match span {
            None => (0, self.chars),
            Some(Span { start, end, unit: SpanUnit::Char }) => (start as usize, end as usize),
            Some(Span { start, end, unit: SpanUnit::Byte }) => {
                (self.char_at(start as usize), self.char_at(end as usize))
            }
        }
    }

    fn char_at(&self, byte: usize) -> usize {
        let after = self.wide.partition_point(|(first, ..)| *first <= byte);
        let Some((first_byte, first_char, text)) = after.checked_sub(1).and_then(|last| self.wide.get(last)) else {
            return byte;
        };
        let within = byte - first_byte;
        let before = text.char_indices().take_while(|(at, _)| *at < within).count();
        first_char + before + within.saturating_sub(text.len())
    }
}

/// The characters of a span.
pub(super) fn said(text: &str, (start, end): (usize, usize)) -> String {
    text.chars().skip(start).take(end.saturating_sub(start)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_become_characters(pieces in prop::collection::vec("[a-c]{0,3}|[äöü€😀x]{0,3}", 0..8), at in any::<prop::sample::Index>()) {
            let mut positions = Positions::default();
            for piece in &pieces {
                positions.push(piece);
            }
            let text = pieces.concat();
            let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let byte = borders[at.index(borders.len())];
            let end = u32::try_from(byte).expect("short");
            let before = text.get(..byte).expect("a border");
            let chars = before.chars().count();
            prop_assert_eq!(positions.span(Some(Span { start: 0, end, unit: SpanUnit::Byte })), (0, chars));
            prop_assert_eq!(said(&text, (0, chars)), before);
        }
    }
}
