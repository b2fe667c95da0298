//! Makes the conversation one that the service accepts.
//!
//! The common rules, and what this service asks besides: it begins with the user, blank text is refused, thinking comes
//! back with its own state and only to models that take it, and only some models go on from words put into their mouth.

use super::super::profile::Model;
use crate::{
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
    model: Model,
    losses: &mut Losses,
) -> Result<Vec<Message<'r>>, ErrorInfo> {
    let rules = Rules { mid_system: model.mid_system() };
    let pieces = |turn, losses: &mut Losses| pieces(turn, model, target.sealer, losses);
    let mut messages = arrange(&request.turns, rules, losses, pieces)?;
    if messages.first().is_some_and(|message| message.role == Role::Assistant) {
        let message = "the conversation must begin with a user message for this model, put one first";
        return Err(ErrorInfo::invalid("messages", message));
    }
    end(&mut messages, model)?;
    Ok(messages)
}

/// The parts of a turn that say something to this service.
fn pieces<'r>(turn: &'r Turn, model: Model, sealer: &Sealer, losses: &mut Losses) -> Result<Vec<Piece<'r>>, ErrorInfo> {
    let is_model = turn.role == Role::Assistant;
    let remembers = is_model && model.remembers_thinking();
    let mut pieces: Vec<Piece<'r>> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) if text.trim().is_empty() => {}
            PartContent::ToolCall(_) if !is_model => return Err(misplaced("only the model calls tools")),
            PartContent::ToolResult(_) if is_model => return Err(misplaced("only the user gives results of tools")),
            PartContent::Reasoning(_) if !remembers => losses.drop(Field::ReasoningHistory),
            PartContent::Reasoning(reasoning) => pieces.extend(own_thinking(reasoning, sealer, is_own, losses)),
            _ if is_foreign_tool(part, Family::Bedrock) => losses.drop(Field::ServerTool),
            _ => pieces.push(Piece::Part(part)),
        }
    }
    Ok(pieces)
}

fn misplaced(message: &'static str) -> ErrorInfo {
    ErrorInfo::invalid("messages", message)
}

/// Whether opaque state is this family's own.
fn is_own(opaque: &Opaque) -> bool {
    opaque.family == Family::Bedrock && matches!(opaque.kind, OpaqueKind::Signature | OpaqueKind::Redacted)
}

/// Checks how the conversation ends. Words put into the model's mouth go only to models that take them.
fn end(messages: &mut [Message<'_>], model: Model) -> Result<(), ErrorInfo> {
    let Some(last) = messages.last_mut().filter(|last| last.role == Role::Assistant) else { return Ok(()) };
    if last.pieces.iter().any(|piece| piece.call().is_some()) {
        let message = "the conversation ends with a tool call without a result, add the result";
        return Err(ErrorInfo::invalid("messages", message));
    }
    if !model.prefill() {
        let message = "the conversation must end with a user message for this model, add one";
        return Err(ErrorInfo::invalid("messages", message));
    }
    // Words that end in a blank are refused.
    let Some(part) = last.pieces.last().and_then(Piece::part) else { return Ok(()) };
    let (PartContent::Text(text) | PartContent::Refusal(text)) = &part.content else { return Ok(()) };
    if text.ends_with(char::is_whitespace) {
        let mut trimmed = part.clone();
        trimmed.content = PartContent::Text(Str::from(text.trim_end()));
        if let Some(slot) = last.pieces.last_mut() {
            *slot = Piece::Changed(Box::new(trimmed));
        }
    }
    Ok(())
}
