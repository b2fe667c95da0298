//! Plans the contents of a request: who speaks, in what order, which result answers which call.
//!
//! Gemini wants speakers to alternate, every call of a turn to be answered in the next content, in call order and
//! before anything else, and signatures where they came from.

use super::encode::Job;
use crate::model::{
    ErrorInfo, Family, Field, Media, MediaSource, Opaque, Part, PartContent, RawJson, Role, Str, ToolCall, ToolResult,
};

/// What a part of a content will be.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Text, visible or thought.
    Text { text: Str, thought: bool, signature: Option<Str> },
    /// Media.
    Media { media: &'a Media, signature: Option<Str> },
    /// A call.
    Call { call: &'a ToolCall, signature: Option<Str> },
    /// The answer to a call; without a result, the note that there is none.
    Result { call: Str, name: Str, result: Option<&'a ToolResult> },
    /// A piece of a tool that Google ran.
    Server { tool: &'a Str, is_result: bool, raw: &'a RawJson, signature: Option<Str> },
    /// A part as it was written.
    Raw(&'a RawJson),
}

/// One content.
#[derive(Debug)]
pub(super) struct Content<'a> {
    /// Whether the model speaks.
    pub(super) is_model: bool,
    /// Its parts.
    pub(super) pieces: Vec<Piece<'a>>,
}

/// Plans the conversation.
pub(super) fn plan<'a>(job: &mut Job<'a>) -> Result<Vec<Content<'a>>, ErrorInfo> {
    let mut contents: Vec<Content<'a>> = Vec::new();
    for turn in &job.request.turns {
        if turn.name.is_some() {
            job.losses.drop(Field::Name);
        }
        let pieces = match turn.role {
            Role::System => reminder(job, &turn.parts),
            Role::User | Role::Assistant => pieces(job, turn.role == Role::Assistant, &turn.parts)?,
        };
        if pieces.is_empty() {
            continue;
        }
        let is_model = turn.role == Role::Assistant;
        match contents.last_mut().filter(|last| last.is_model == is_model) {
            Some(last) => last.pieces.extend(pieces),
            None => contents.push(Content { is_model, pieces }),
        }
    }
    let contents = pair(job, contents)?;
    if contents.is_empty() {
        return Err(ErrorInfo::invalid("messages", "the conversation is empty, send at least one user message"));
    }
    Ok(contents)
}

/// System text in the middle of a conversation keeps its place, in the user's mouth.
fn reminder<'a>(job: &mut Job<'a>, parts: &[Part]) -> Vec<Piece<'a>> {
    let text = parts.iter().filter_map(Part::as_text).map(|text| &**text).collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        return Vec::new();
    }
    job.losses.approx(Field::SystemMid);
    let text = Str::from(format!("<system-reminder>\n{text}\n</system-reminder>"));
    vec![Piece::Text { text, thought: false, signature: None }]
}

fn pieces<'a>(job: &mut Job<'a>, is_model: bool, parts: &'a [Part]) -> Result<Vec<Piece<'a>>, ErrorInfo> {
    let mut pieces = Vec::with_capacity(parts.len());
    // A signature that a dialect without a place for it on calls carried in thinking before the call.
    let mut carried: Option<Str> = None;
    for part in parts {
        let own = signature(job, &part.opaque);
        match &part.content {
            PartContent::Reasoning(reasoning) => {
                let state = signature(job, &reasoning.opaque);
                let text = reasoning.text.clone().unwrap_or_default();
                let unsigned = job.is_own() && reasoning.opaque.is_empty() && !text.is_empty();
                if state.is_none() && !unsigned {
                    job.losses.drop(Field::ReasoningHistory);
                } else if job.is_own() {
                    pieces.push(Piece::Text { text, thought: true, signature: state });
                } else {
                    carried = state;
                }
            }
            PartContent::Text(text) | PartContent::Refusal(text) => {
                let signature = own.or_else(|| carried.take());
                if !text.is_empty() || signature.is_some() {
                    pieces.push(Piece::Text { text: text.clone(), thought: false, signature });
                }
            }
            PartContent::Media(media) => media_pieces(media, own, &mut pieces),
            PartContent::ToolCall(_) if !is_model => return Err(misplaced("only the model calls tools")),
            PartContent::ToolResult(_) if is_model => return Err(misplaced("only the user gives results of tools")),
            PartContent::ToolCall(call) => {
                pieces.push(Piece::Call { call, signature: own.or_else(|| carried.take()) });
            }
            PartContent::ToolResult(result) => {
                let name = result.name.clone().unwrap_or_default();
                pieces.push(Piece::Result { call: result.call.clone(), name, result: Some(result) });
            }
            PartContent::ServerCall(call) if call.family == Family::Gemini => {
                pieces.push(Piece::Server { tool: &call.tool, is_result: false, raw: &call.input, signature: own });
            }
            PartContent::ServerResult(result) if result.family == Family::Gemini => {
                pieces.push(Piece::Server { tool: &result.tool, is_result: true, raw: &result.output, signature: own });
            }
            // What another vendor's tools did shows in the text that follows.
            PartContent::ServerCall(_) | PartContent::ServerResult(_) => job.losses.drop(Field::ServerTool),
            PartContent::Unknown { family: Family::Gemini, raw } => pieces.push(Piece::Raw(raw)),
            PartContent::Unknown { .. } => {
                return Err(ErrorInfo::invalid(
                    "messages",
                    "a part of the conversation is of a kind that only its own \
                                                           provider understands, leave it out",
                ));
            }
        }
    }
    if let Some(state) = carried {
        pieces.push(Piece::Text { text: Str::new(), thought: true, signature: Some(state) });
    }
    Ok(pieces)
}

fn misplaced(message: &'static str) -> ErrorInfo {
    ErrorInfo::invalid("messages", message)
}

/// Media, and what is said of a document beside it.
fn media_pieces<'a>(media: &'a Media, signature: Option<Str>, pieces: &mut Vec<Piece<'a>>) {
    let said = [("title", &media.title), ("context", &media.context)];
    let said: Vec<String> =
        said.into_iter().filter_map(|(name, text)| Some(format!("Document {name}: {}", text.as_deref()?))).collect();
    if !said.is_empty() {
        pieces.push(Piece::Text { text: Str::from(said.join("\n")), thought: false, signature: None });
    }
    match &media.source {
        MediaSource::Parts(parts) => {
            for part in parts {
                match &part.content {
                    PartContent::Text(text) if !text.is_empty() => {
                        pieces.push(Piece::Text { text: text.clone(), thought: false, signature: None });
                    }
                    PartContent::Media(media) => media_pieces(media, None, pieces),
                    _ => {}
                }
            }
        }
        MediaSource::Text(text) => pieces.push(Piece::Text { text: text.clone(), thought: false, signature }),
        _ => pieces.push(Piece::Media { media, signature }),
    }
}

/// The state that is Gemini's own, out of its envelope if it came in one.
fn signature(job: &mut Job<'_>, opaque: &[Opaque]) -> Option<Str> {
    let own = |state: &Opaque| state.family == Family::Gemini;
    let found = opaque.iter().find_map(|opaque| Some(job.target.sealer.unwrap(opaque).filter(own)?.data));
    if found.is_none() && !opaque.is_empty() {
        job.losses.drop(Field::Signature);
    }
    found
}

/// Puts results behind their calls, in call order; notes what is missing, and tells of what answers nothing as text.
fn pair<'a>(job: &mut Job<'_>, contents: Vec<Content<'a>>) -> Result<Vec<Content<'a>>, ErrorInfo> {
    let mut paired: Vec<Content<'a>> = Vec::with_capacity(contents.len());
    for content in contents {
        if content.is_model {
            paired.push(content);
            continue;
        }
        let calls: Vec<(Str, Str)> = paired.last().map(calls_of).unwrap_or_default();
        let (mut results, mut others): (Vec<_>, Vec<_>) =
            content.pieces.into_iter().partition(|piece| matches!(piece, Piece::Result { .. }));
        let mut pieces = Vec::with_capacity(results.len() + others.len());
        for (id, name) in calls {
            let at = results.iter().position(|piece| matches!(piece, Piece::Result { call, .. } if *call == id));
            let result = if let Some(Piece::Result { result, .. }) = at.map(|at| results.remove(at)) {
                result
            } else {
                job.losses.approx(Field::ToolResult);
                None
            };
            pieces.push(Piece::Result { call: id, name, result });
        }
        if !job.profile.modern {
            hoist_media(&mut pieces);
        }
        for orphan in results {
            job.losses.approx(Field::ToolResult);
            pieces.extend(told(orphan));
        }
        pieces.append(&mut others);
        paired.push(Content { is_model: false, pieces });
    }
    if paired.last().is_some_and(|last| !calls_of(last).is_empty()) {
        let message = "the last message calls tools whose results are missing, send one result per call";
        return Err(ErrorInfo::invalid("messages", message));
    }
    if paired.last().is_some_and(|last| last.is_model) {
        job.losses.approx(Field::Prefill);
    }
    Ok(paired)
}

fn calls_of(content: &Content<'_>) -> Vec<(Str, Str)> {
    let of = |piece: &Piece<'_>| match piece {
        Piece::Call { call, .. } => Some((call.id.clone(), call.name.clone())),
        _ => None,
    };
    content.pieces.iter().filter_map(of).collect()
}

/// Models that take no media in results get it right behind them.
fn hoist_media(pieces: &mut Vec<Piece<'_>>) {
    let mut media = Vec::new();
    for piece in &*pieces {
        if let Piece::Result { result: Some(result), .. } = piece {
            media.extend(media_of(result).map(|media| Piece::Media { media, signature: None }));
        }
    }
    pieces.append(&mut media);
}

/// The media in a result that are not text.
pub(super) fn media_of(result: &ToolResult) -> impl Iterator<Item = &Media> {
    result.parts.iter().filter_map(|part| match &part.content {
        PartContent::Media(media) if !matches!(media.source, MediaSource::Text(_) | MediaSource::Parts(_)) => {
            Some(media)
        }
        _ => None,
    })
}

/// The words of a result.
pub(super) fn text_of(result: &ToolResult) -> Str {
    let mut texts = Vec::new();
    for part in &result.parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) => texts.push(text),
            PartContent::Media(Media { source: MediaSource::Text(text), .. }) => texts.push(text),
            PartContent::Media(Media { source: MediaSource::Parts(parts), .. }) => {
                texts.extend(parts.iter().filter_map(Part::as_text));
            }
            _ => {}
        }
    }
    match texts.as_slice() {
        [only] => (*only).clone(),
        texts => Str::from(texts.iter().map(|text| &***text).collect::<Vec<_>>().join("\n")),
    }
}

/// A result that answers no call, as text, with its media.
fn told(orphan: Piece<'_>) -> Vec<Piece<'_>> {
    let Piece::Result { call, result: Some(result), .. } = orphan else { return Vec::new() };
    let text = Str::from(format!("[result of tool call {call}]\n{}", text_of(result)));
    let mut pieces = vec![Piece::Text { text, thought: false, signature: None }];
    pieces.extend(media_of(result).map(|media| Piece::Media { media, signature: None }));
    pieces
}
