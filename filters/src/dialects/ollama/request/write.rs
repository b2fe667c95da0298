//! Messages, as they are written to an upstream. A message has one text, and its pictures beside it.

use super::{
    super::{media, response::push_call, wire::Writer},
    encode::Encoder,
};
use crate::{
    conversation::{Message, Piece},
    model::{ErrorInfo, Field, Media, Part, PartContent, Role, Str, ToolCall, ToolResult},
};

/// What stands for the answer to a call that the history does not answer.
const NO_RESULT: &str = "ERROR: no result of this call was recorded";

impl Encoder<'_> {
    /// Writes `messages`.
    pub(super) fn messages(&mut self, messages: &[Message<'_>], body: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let mut list = body.list("messages");
        let system = texts(&self.request.system);
        if !system.is_empty() {
            plain("system", &system.join("\n"), &[], &mut list)?;
        }
        // A result's name may be known by its call alone.
        let mut names: Vec<(&Str, &Str)> = Vec::new();
        for message in messages {
            match message.role {
                Role::System => plain("system", &said(message).join("\n"), &[], &mut list)?,
                Role::Assistant => {
                    names = message.pieces.iter().filter_map(Piece::call).collect();
                    self.assistant(message, &mut list)?;
                }
                Role::User => self.user(message, &names, &mut list)?,
            }
        }
        list.end();
        Ok(())
    }

    /// Results come first, a message each; then what the user says.
    fn user(&mut self, message: &Message<'_>, names: &[(&Str, &Str)], list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let mut beside: Vec<&Media> = Vec::new();
        let name_of = |call: &Str| names.iter().find(|(id, _)| *id == call).map(|(_, name)| (*name).clone());
        for piece in &message.pieces {
            match (piece, piece.part().map(|part| &part.content)) {
                (Piece::Unanswered { call, name }, _) => push_result(call, Some(name), NO_RESULT, list),
                (_, Some(PartContent::ToolResult(result))) => {
                    let name = result.name.clone().or_else(|| name_of(&result.call));
                    beside.extend(media_of(result));
                    push_result(&result.call, name.as_ref(), &self.result_text(result), list);
                }
                _ => {}
            }
        }
        if !beside.is_empty() {
            // A tool's pictures are shown by the user, right behind its words.
            self.losses.approx(Field::ToolResult);
        }
        beside.extend(message.pieces.iter().filter_map(|piece| match &piece.part()?.content {
            PartContent::Media(media) => Some(media),
            _ => None,
        }));
        if shows_before_it_speaks(message) {
            // Pictures stand beside the text, so that nothing tells between which words they were.
            self.losses.approx(Field::Image);
        }
        let texts = said(message);
        if texts.is_empty() && beside.is_empty() {
            return Ok(());
        }
        plain("user", &texts.join("\n"), &beside, list)
    }

    fn result_text(&mut self, result: &ToolResult) -> String {
        let text = match &result.json {
            Some(json) if result.parts.is_empty() => json.as_str().to_owned(),
            _ => result_texts(&result.parts).join("\n"),
        };
        if !result.is_error {
            return text;
        }
        self.losses.approx(Field::ToolError);
        format!("ERROR: {text}")
    }

    fn assistant(&mut self, message: &Message<'_>, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let parts = || message.pieces.iter().filter_map(Piece::part);
        let thoughts: Vec<&str> = parts()
            .filter_map(|part| match &part.content {
                PartContent::Reasoning(reasoning) => reasoning.text.as_deref(),
                _ => None,
            })
            .collect();
        let pictures: Vec<&Media> = parts()
            .filter_map(|part| match &part.content {
                PartContent::Media(media) => Some(media),
                _ => None,
            })
            .collect();
        let calls: Vec<&ToolCall> = parts()
            .filter_map(|part| match &part.content {
                PartContent::ToolCall(call) => Some(call),
                _ => None,
            })
            .collect();
        let mut object = Writer::object(list.element());
        object.str("role", "assistant");
        object.str("content", &said(message).concat());
        if !thoughts.is_empty() {
            object.str("thinking", &thoughts.join("\n\n"));
        }
        push_pictures(&pictures, &mut object)?;
        if !calls.is_empty() {
            let mut wire = object.list("tool_calls");
            for call in calls {
                if !push_call(wire.element(), call, None) {
                    self.losses.approx(Field::ToolArguments);
                }
            }
            wire.end();
        }
        object.end();
        Ok(())
    }
}

fn push_result(call: &Str, name: Option<&Str>, text: &str, list: &mut Writer<'_>) {
    let mut object = Writer::object(list.element());
    object.str("role", "tool");
    object.str("content", text);
    object.maybe_str("tool_name", name.map(|name| &**name));
    object.str("tool_call_id", call);
    object.end();
}

/// A message of text and pictures.
fn plain(role: &str, text: &str, pictures: &[&Media], list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    let mut object = Writer::object(list.element());
    object.str("role", role);
    object.str("content", text);
    push_pictures(pictures, &mut object)?;
    object.end();
    Ok(())
}

/// Whether a picture stands before some of a message's text.
fn shows_before_it_speaks(message: &Message<'_>) -> bool {
    let parts = message.pieces.iter().filter_map(Piece::part);
    parts.skip_while(|part| !matches!(part.content, PartContent::Media(_))).any(|part| part.as_text().is_some())
}

/// Writes `images`.
pub(super) fn push_pictures(pictures: &[&Media], object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    if pictures.is_empty() {
        return Ok(());
    }
    let mut list = object.list("images");
    for picture in pictures {
        media::push(list.element(), picture)?;
    }
    list.end();
    Ok(())
}

/// The words of a message.
pub(super) fn said(message: &Message<'_>) -> Vec<Str> {
    message.pieces.iter().filter_map(|piece| text_of(piece.part()?)).cloned().collect()
}

fn text_of(part: &Part) -> Option<&Str> {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => Some(text),
        _ => None,
    }
}

/// The words of parts.
pub(super) fn texts(parts: &[Part]) -> Vec<Str> {
    parts.iter().filter_map(text_of).filter(|text| !text.is_empty()).cloned().collect()
}

/// The words of a result; documents that are text count as such.
fn result_texts(parts: &[Part]) -> Vec<Str> {
    let text = |part: &Part| match &part.content {
        PartContent::Media(media) => media::document_text(media),
        _ => text_of(part).cloned(),
    };
    parts.iter().filter_map(text).collect()
}

/// What a result holds besides words.
fn media_of(result: &ToolResult) -> impl Iterator<Item = &Media> {
    result.parts.iter().filter_map(|part| match &part.content {
        PartContent::Media(media) if media::document_text(media).is_none() => Some(media),
        _ => None,
    })
}
