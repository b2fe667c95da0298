//! Sources that answers rest on: Gemini's grounding, whose positions count UTF-8 bytes.

use bytes::BytesMut;

use super::{
    emit,
    wire::{Candidate, GroundingChunk, Int, Source, lend_opt},
};
use crate::model::{Citation, Span, SpanUnit, Str};

/// A citation and the part, by its place in the answer, that it belongs to.
pub(super) type Placed = (usize, Citation);

/// Reads the sources of a candidate.
pub(super) fn decode(whole: &Str, candidate: &Candidate<'_>) -> Vec<Placed> {
    let mut found = Vec::new();
    if let Some(grounding) = &candidate.grounding_metadata {
        let chunks = grounding.grounding_chunks.as_deref().unwrap_or_default();
        for support in grounding.grounding_supports.as_deref().unwrap_or_default() {
            let segment = support.segment.as_ref();
            let part = segment.and_then(|segment| index(segment.part_index)).unwrap_or_default();
            let span = segment.and_then(|segment| span(segment.start_index, segment.end_index));
            for at in support.grounding_chunk_indices.as_deref().unwrap_or_default() {
                let source = index(Some(*at)).and_then(|at| chunks.get(at)).and_then(source_of);
                found.extend(source.map(|source| (part, citation(whole, source, span))));
            }
        }
        if found.is_empty() {
            found.extend(chunks.iter().filter_map(source_of).map(|source| (0, citation(whole, source, None))));
        }
    }
    let cited = candidate.citation_metadata.as_ref().and_then(|of| of.citation_sources.as_deref());
    for source in cited.unwrap_or_default() {
        let url = lend_opt(whole, source.uri.as_ref());
        let title = lend_opt(whole, source.title.as_ref());
        let span = span(source.start_index, source.end_index);
        // Vertex cites works that it does not name.
        if url.is_none() && title.is_none() {
            continue;
        }
        found.push((0, Citation { span, url, title, quoted: None, raw: None }));
    }
    found
}

fn source_of<'c, 'a>(chunk: &'c GroundingChunk<'a>) -> Option<&'c Source<'a>> {
    [&chunk.web, &chunk.retrieved_context, &chunk.maps].into_iter().find_map(Option::as_ref)
}

fn citation(whole: &Str, source: &Source<'_>, span: Option<Span>) -> Citation {
    Citation {
        span,
        url: lend_opt(whole, source.uri.as_ref()),
        title: lend_opt(whole, source.title.as_ref()),
        quoted: lend_opt(whole, source.text.as_ref()),
        raw: None,
    }
}

fn index(int: Option<Int>) -> Option<usize> {
    usize::try_from(int?.0).ok()
}

/// The start is left out when it is zero.
fn span(start: Option<Int>, end: Option<Int>) -> Option<Span> {
    let start = u32::try_from(start.map_or(0, |start| start.0)).ok()?;
    let end = u32::try_from(end?.0).ok().filter(|end| *end >= start)?;
    Some(Span { start, end, unit: SpanUnit::Byte })
}

/// A citation ready to be written: positions in bytes of its part.
#[derive(Debug)]
pub(super) struct Support {
    /// The part's place in the answer.
    pub(super) part: usize,
    /// First byte.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
    /// The source's address.
    pub(super) url: Option<Str>,
    /// The source's title.
    pub(super) title: Option<Str>,
    /// The words quoted from the source.
    pub(super) quoted: Option<Str>,
}

impl Support {
    /// The support that a citation of the text `text` amounts to.
    pub(super) fn new(part: usize, citation: &Citation, text: &str) -> Self {
        let bytes = |at: u32| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
        let (start, end) = match citation.span {
            Some(Span { start, end, unit: SpanUnit::Char }) => (bytes(start), bytes(end)),
            Some(Span { start, end, unit: SpanUnit::Byte }) => (start as usize, end as usize),
            None => (0, text.len()),
        };
        Self {
            part,
            start,
            end,
            url: citation.url.clone(),
            title: citation.title.clone(),
            quoted: citation.quoted.clone(),
        }
    }
}

/// Appends `groundingMetadata`; nothing without a source that has a name.
pub(super) fn encode(out: &mut BytesMut, supports: &[Support]) {
    let is_named = |support: &&Support| support.url.is_some() || support.title.is_some() || support.quoted.is_some();
    let supports: Vec<&Support> = supports.iter().filter(is_named).collect();
    if supports.is_empty() {
        return;
    }
    let mut sources: Vec<&Support> = Vec::new();
    let mut places = Vec::with_capacity(supports.len());
    for support in &supports {
        let same = |known: &&Support| {
            (&known.url, &known.title, &known.quoted) == (&support.url, &support.title, &support.quoted)
        };
        let at = sources.iter().position(same).unwrap_or(sources.len());
        if at == sources.len() {
            sources.push(*support);
        }
        places.push(at);
    }
    emit::object(out, "groundingMetadata", |out| {
        emit::key(out, "groundingChunks");
        out.extend_from_slice(b"[");
        for source in sources {
            emit::item(out);
            out.extend_from_slice(b"{");
            emit::object(out, if source.quoted.is_some() { "retrievedContext" } else { "web" }, |out| {
                emit::text_opt(out, "uri", source.url.as_deref());
                emit::text_opt(out, "title", source.title.as_deref());
                emit::text_opt(out, "text", source.quoted.as_deref());
            });
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]");
        emit::key(out, "groundingSupports");
        out.extend_from_slice(b"[");
        for (support, at) in supports.iter().zip(places) {
            emit::item(out);
            out.extend_from_slice(b"{\"segment\":{");
            for (name, value) in [("partIndex", support.part), ("startIndex", support.start)] {
                if value > 0 {
                    emit::number(out, name, value);
                }
            }
            emit::number(out, "endIndex", support.end);
            out.extend_from_slice(b"}");
            emit::raw(out, "groundingChunkIndices", &format!("[{at}]"));
            out.extend_from_slice(b"}");
        }
        out.extend_from_slice(b"]");
    });
}
