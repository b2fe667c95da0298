//! Makes the conversation one that the vendor accepts.
//!
//! Roles alternate, calls are answered in the very next turn, results come first in their turn, nothing is empty.

use super::super::{blocks::own_opaque, profile::Profile};
use crate::{
    dialects::Target,
    model::{
        ErrorInfo, Family, Field, Losses, Opaque, OpaqueKind, Part, PartContent, Reasoning, Request, Role, Str, Turn,
    },
    seal::Sealer,
};

/// A message on the wire.
#[derive(Debug)]
pub(super) struct Message<'r> {
    /// Who speaks.
    pub(super) role: Role,
    /// What is said.
    pub(super) pieces: Vec<Piece<'r>>,
}

/// A block of a message.
#[derive(Debug)]
pub(super) enum Piece<'r> {
    /// A part of the request.
    Part(&'r Part),
    /// A part that was changed.
    Changed(Box<Part>),
    /// Stands for the result of a call that was never answered.
    Unanswered(Str),
}

impl Piece<'_> {
    /// The part, if it is one.
    pub(super) fn part(&self) -> Option<&Part> {
        match self {
            Self::Part(part) => Some(part),
            Self::Changed(part) => Some(part),
            Self::Unanswered(_) => None,
        }
    }

    fn call_id(&self) -> Option<&Str> {
        match &self.part()?.content {
            PartContent::ToolCall(call) => Some(&call.id),
            _ => None,
        }
    }

    fn answers(&self) -> Option<&Str> {
        match (self, self.part().map(|part| &part.content)) {
            (Self::Unanswered(id), _) => Some(id),
            (_, Some(PartContent::ToolResult(result))) => Some(&result.call),
            _ => None,
        }
    }
}

/// The conversation of a request in wire order.
///
/// # Errors
/// If it begins or ends in a way that cannot be repaired without changing what was said.
pub(super) fn normalise<'r>(
    request: &'r Request,
    target: &Target<'_>,
    profile: &Profile,
    losses: &mut Losses,
) -> Result<Vec<Message<'r>>, ErrorInfo> {
    let mut messages = Vec::with_capacity(request.turns.len());
    for turn in &request.turns {
        if turn.name.is_some() {
            losses.drop(Field::Name);
        }
        let message = match turn.role {
            Role::System => system(turn, &messages, profile, losses),
            role => Message { role, pieces: pieces(turn, target.sealer, losses) },
        };
        append(&mut messages, message);
    }
    pair(&mut messages, losses);
    match messages.first().map(|message| message.role) {
        None => {
            return Err(ErrorInfo::invalid("messages", "the conversation is empty, send at least one user message"));
        }
        Some(Role::Assistant) => {
            let message = "the conversation must begin with a user message for this model, put one first";
            return Err(ErrorInfo::invalid("messages", message));
        }
        Some(_) => {}
    }
    end(&mut messages, profile)?;
    Ok(messages)
}

/// Adds a message, to the last one if both are of one speaker.
fn append<'r>(messages: &mut Vec<Message<'r>>, message: Message<'r>) {
    if message.pieces.is_empty() {
        return;
    }
    match messages.last_mut().filter(|last| last.role == message.role) {
        Some(last) => last.pieces.extend(message.pieces),
        None => messages.push(message),
    }
}

/// System text in the middle keeps its place: as itself where the model takes it, else marked, as the user's. Between
/// a call and its result nothing may stand, so there it is the user's too.
fn system<'r>(turn: &'r Turn, before: &[Message<'r>], profile: &Profile, losses: &mut Losses) -> Message<'r> {
    let open_call = before
        .last()
        .is_some_and(|last| last.role == Role::Assistant && last.pieces.iter().any(|piece| piece.call_id().is_some()));
    let texts = turn.parts.iter().filter(|part| part.as_text().is_some_and(|text| !text.trim().is_empty()));
    if profile.mid_system && !open_call && !before.is_empty() {
        return Message { role: Role::System, pieces: texts.map(Piece::Part).collect() };
    }
    losses.approx(Field::SystemMid);
    let marked = |part: &Part| {
        let text = part.as_text().map_or("", |text| text);
        let mut marked = Part::text(format!("<system-reminder>{text}</system-reminder>"));
        marked.cache.clone_from(&part.cache);
        Piece::Changed(Box::new(marked))
    };
    Message { role: Role::User, pieces: texts.map(marked).collect() }
}

/// The parts of a turn that say something to this vendor.
fn pieces<'r>(turn: &'r Turn, sealer: &Sealer, losses: &mut Losses) -> Vec<Piece<'r>> {
    let mut pieces: Vec<Piece<'r>> = Vec::with_capacity(turn.parts.len());
    for (at, part) in turn.parts.iter().enumerate() {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) if text.trim().is_empty() => {
                // Blank text is refused, except between two others, where the vendor itself puts it (a space between
                // two cited sentences).
                let next_is_text = turn.parts.get(at + 1).is_some_and(|part| part.as_text().is_some());
                let last_is_text = pieces.last().and_then(Piece::part).is_some_and(|part| part.as_text().is_some());
                if turn.role == Role::Assistant && !text.is_empty() && next_is_text && last_is_text {
                    pieces.push(Piece::Part(part));
                }
            }
            PartContent::Reasoning(reasoning) => pieces.extend(thinking(reasoning, sealer, losses)),
            PartContent::ServerCall(call) if call.family != Family::Anthropic => losses.drop(Field::ServerTool),
            PartContent::ServerResult(result) if result.family != Family::Anthropic => losses.drop(Field::ServerTool),
            _ => pieces.push(Piece::Part(part)),
        }
    }
    pieces
}

/// Thinking goes back only with this vendor's own state; foreign or invented state would be refused.
fn thinking<'r>(reasoning: &Reasoning, sealer: &Sealer, losses: &mut Losses) -> Vec<Piece<'r>> {
    let mut text = reasoning.text.clone();
    let own = reasoning.opaque.iter().filter_map(|opaque| own_state(opaque, sealer));
    let blocks = own.map(|opaque| {
        let redacted = opaque.kind == OpaqueKind::Redacted;
        let text = if redacted { None } else { text.take() };
        let content = PartContent::Reasoning(Reasoning { text, redacted, opaque: vec![opaque] });
        Piece::Changed(Box::new(Part::new(content)))
    });
    let blocks: Vec<Piece<'r>> = blocks.collect();
    if blocks.is_empty() {
        losses.drop(Field::ReasoningHistory);
    }
    blocks
}

/// This vendor's state in `opaque`, out of its envelope if it has one.
fn own_state(opaque: &Opaque, sealer: &Sealer) -> Option<Opaque> {
    let opened = sealer.open(&opaque.data);
    let inner = opened.as_ref().unwrap_or(opaque);
    let known = matches!(inner.kind, OpaqueKind::Signature | OpaqueKind::Redacted);
    let own = inner.family == Family::Anthropic && known && !inner.data.is_empty();
    own.then(|| own_opaque(inner.kind, inner.data.clone()))
}

/// Gives each call its result in the next turn, and each result its call.
fn pair(messages: &mut Vec<Message<'_>>, losses: &mut Losses) {
    let mut at = 0;
    let mut calls: Vec<Str> = Vec::new();
    while at < messages.len() {
        if !calls.is_empty() && messages.get(at).is_none_or(|message| message.role != Role::User) {
            messages.insert(at, Message { role: Role::User, pieces: Vec::new() });
        }
        let Some(message) = messages.get_mut(at) else { return };
        if message.role == Role::User {
            answer(message, &std::mem::take(&mut calls), losses);
        } else if message.role == Role::Assistant {
            calls = message.pieces.iter().filter_map(|piece| piece.call_id().cloned()).collect();
        }
        at += 1;
    }
}

/// Puts the results of `calls` first, in their order; a call without one gets a stand-in, a result without a call
/// becomes text.
fn answer(message: &mut Message<'_>, calls: &[Str], losses: &mut Losses) {
    let mut rest = std::mem::take(&mut message.pieces);
    for call in calls {
        let found = rest.iter().position(|piece| piece.answers() == Some(call));
        if let Some(at) = found {
            message.pieces.push(rest.remove(at));
        } else {
            losses.approx(Field::ToolResult);
            message.pieces.push(Piece::Unanswered(call.clone()));
        }
    }
    for piece in rest {
        match piece.part().map(|part| &part.content) {
            Some(PartContent::ToolResult(result)) => {
                losses.approx(Field::ToolResult);
                let note = Part::text(format!("[result of the earlier tool call {}]", result.call));
                message.pieces.push(Piece::Changed(Box::new(note)));
                let said = result.parts.iter().filter(|part| part.as_text().is_none_or(|text| !text.trim().is_empty()));
                message.pieces.extend(said.map(|part| Piece::Changed(Box::new(part.clone()))));
            }
            _ => message.pieces.push(piece),
        }
    }
}

/// Checks how the conversation ends. Words put into the model's mouth go only to models that take them.
fn end(messages: &mut [Message<'_>], profile: &Profile) -> Result<(), ErrorInfo> {
    let Some(last) = messages.last_mut().filter(|last| last.role == Role::Assistant) else { return Ok(()) };
    if last.pieces.iter().any(|piece| piece.call_id().is_some()) {
        let message = "the conversation ends with a tool call without a result, add the result";
        return Err(ErrorInfo::invalid("messages", message));
    }
    let Some(part) = last.pieces.last().and_then(Piece::part) else { return Ok(()) };
    match &part.content {
        // A paused turn is sent back as it is, and goes on.
        PartContent::ServerCall(_) | PartContent::ServerResult(_) | PartContent::Unknown { .. } => Ok(()),
        PartContent::Text(text) | PartContent::Refusal(text) if profile.prefill => {
            let mut trimmed = part.clone();
            trimmed.content = PartContent::Text(Str::from(text.trim_end()));
            if let Some(slot) = last.pieces.last_mut() {
                *slot = Piece::Changed(Box::new(trimmed));
            }
            Ok(())
        }
        _ => {
            let message = "the conversation must end with a user message for this model, add one";
            Err(ErrorInfo::invalid("messages", message))
        }
    }
}

/// Whether the turn in which tools are being called lacks the thinking that a thinking model must find at its
/// beginning: it was made by another model, or its state was lost.
pub(super) fn loop_lacks_thinking(messages: &[Message<'_>]) -> bool {
    let Some([assistant, user]) = messages.last_chunk::<2>() else { return false };
    let in_loop = user.pieces.iter().any(|piece| piece.answers().is_some());
    let first = assistant.pieces.first().and_then(Piece::part);
    in_loop && !first.is_some_and(|part| matches!(part.content, PartContent::Reasoning(_)))
}
