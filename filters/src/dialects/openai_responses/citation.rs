//! Annotations: what text rests on. Their positions count characters of the part.

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Source, Text, Writer, lenient, word};
use crate::model::{Citation, Family, Span, SpanUnit};

#[derive(Deserialize)]
struct Annotation<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    start_index: Option<u32>,
    end_index: Option<u32>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
    #[serde(borrow)]
    filename: Option<&'a RawValue>,
}

/// Decodes a list of annotations.
pub(super) fn decode_all(raw: Option<&RawValue>, source: &Source) -> Vec<Citation> {
    let all: Vec<&RawValue> = lenient(raw).unwrap_or_default();
    all.into_iter().filter_map(|raw| decode(raw, source)).collect()
}

/// Decodes an annotation: a page, or a file of the provider's.
pub(super) fn decode(raw: &RawValue, source: &Source) -> Option<Citation> {
    let wire: Annotation<'_> = lenient(Some(raw))?;
    wire.kind.as_ref()?;
    // Some servers write 0 to 0 where they do not know.
    let span = match (wire.start_index, wire.end_index) {
        (Some(start), Some(end)) if end > start => Some(Span { start, end, unit: SpanUnit::Char }),
        _ => None,
    };
    Some(Citation {
        span,
        url: word(wire.url, source),
        title: word(wire.title, source).or_else(|| word(wire.filename, source)),
        quoted: None,
        raw: Some((Family::OpenAi, source.raw(raw))),
    })
}

/// Whether a citation can be written: as a page, or as it was written by this family.
pub(super) fn is_citable(citation: &Citation) -> bool {
    citation.url.is_some() || own(citation).is_some()
}

/// The annotation as this dialect wrote it. One with members inside another (`{"url_citation":{…}}`) is a sibling's.
fn own(citation: &Citation) -> Option<&str> {
    let (Family::OpenAi, raw) = citation.raw.as_ref()? else { return None };
    let is_sibling = raw.as_str().contains("\"url_citation\":");
    (!is_sibling).then(|| raw.as_str())
}

/// Appends an annotation; `span` is in characters of the part.
pub(super) fn push(out: &mut BytesMut, citation: &Citation, span: (usize, usize)) {
    let Some(url) = citation.url.as_deref() else {
        out.extend_from_slice(own(citation).unwrap_or("null").as_bytes());
        return;
    };
    let mut annotation = Writer::of_type(out, "url_citation");
    annotation.u64("start_index", span.0 as u64);
    annotation.u64("end_index", span.1 as u64);
    annotation.str("url", url);
    annotation.str("title", citation.title.as_deref().unwrap_or(url));
    annotation.end();
}
