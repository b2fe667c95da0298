//! Makes the conversation one that the vendor accepts.
//!
//! The common rules, and what this vendor asks besides: it begins with the user, blank text is refused, thinking comes
//! back with its own state, and only some models go on from words put into their mouth.

use crate::{
    claude::Profile,
    conversation::{Rules, arrange, is_foreign_tool, own_thinking},
    dialects::Target,
    model::{ErrorInfo, Family, Field, Losses, Opaque, OpaqueKind, PartContent, Request, Role, Str, Turn},
    seal::Sealer,
};

pub(super) use crate::conversation::{Message, Piece};

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
    let rules = Rules { mid_system: profile.mid_system };
    let mut messages = arrange(&request.turns, rules, losses, |turn, losses| Ok(pieces(turn, target.sealer, losses)))?;
    if messages.first().is_some_and(|message| message.role == Role::Assistant) {
        let message = "the conversation must begin with a user message for this model, put one first";
        return Err(ErrorInfo::invalid("messages", message));
    }
    end(&mut messages, profile)?;
    Ok(messages)
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
            PartContent::Reasoning(reasoning) => pieces.extend(own_thinking(reasoning, sealer, is_own, losses)),
            _ if is_foreign_tool(part, Family::Anthropic) => losses.drop(Field::ServerTool),
            _ => pieces.push(Piece::Part(part)),
        }
    }
    pieces
}

/// Whether opaque state is this vendor's own.
fn is_own(opaque: &Opaque) -> bool {
    opaque.family == Family::Anthropic && matches!(opaque.kind, OpaqueKind::Signature | OpaqueKind::Redacted)
}

/// Checks how the conversation ends. Words put into the model's mouth go only to models that take them.
fn end(messages: &mut [Message<'_>], profile: &Profile) -> Result<(), ErrorInfo> {
    let Some(last) = messages.last_mut().filter(|last| last.role == Role::Assistant) else { return Ok(()) };
    if last.pieces.iter().any(|piece| piece.call().is_some()) {
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
