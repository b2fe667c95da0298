//! Makes a conversation one that an upstream accepts: what dialects that ask for alternating turns have in common.
//!
//! Speakers alternate, calls are answered in the very next turn, results come first in their turn and in the order of
//! their calls, nothing is empty. What cannot be kept so is told in words and noted as a loss, never left out in
//! silence. What a part becomes on the wire is the dialect's business, not this module's.

use crate::model::{
    ErrorInfo, Family, Field, Losses, Opaque, Part, PartContent, Reasoning, Role, Str, ToolResult, Turn,
};
use crate::seal::Sealer;

/// What one speaker says before another does.
#[derive(Debug)]
pub(crate) struct Message<'r> {
    /// Who speaks.
    pub(crate) role: Role,
    /// What is said.
    pub(crate) pieces: Vec<Piece<'r>>,
}

/// A part of a message.
#[derive(Debug)]
pub(crate) enum Piece<'r> {
    /// A part of the request.
    Part(&'r Part),
    /// A part that was changed.
    Changed(Box<Part>),
    /// Stands for the result of a call that was never answered.
    Unanswered {
        /// The call's id.
        call: Str,
        /// The tool's name.
        name: Str,
    },
}

impl Piece<'_> {
    /// The part, if it is one.
    pub(crate) fn part(&self) -> Option<&Part> {
        match self {
            Self::Part(part) => Some(part),
            Self::Changed(part) => Some(part),
            Self::Unanswered { .. } => None,
        }
    }

    /// Id and name, if the piece is a call for the client.
    pub(crate) fn call(&self) -> Option<(&Str, &Str)> {
        match &self.part()?.content {
            PartContent::ToolCall(call) => Some((&call.id, &call.name)),
            _ => None,
        }
    }

    /// The call that the piece answers, if it is a result.
    pub(crate) fn answers(&self) -> Option<&Str> {
        match (self, self.part().map(|part| &part.content)) {
            (Self::Unanswered { call, .. }, _) => Some(call),
            (_, Some(PartContent::ToolResult(result))) => Some(&result.call),
            _ => None,
        }
    }
}

/// What a wire asks of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// System text in the middle keeps its role; else it becomes the user's, marked as what it is.
    pub(crate) mid_system: bool,
}

/// The turns of a request as messages of alternating speakers. `pieces` says what of a turn the wire can hold; it
/// notes what it leaves out.
///
/// # Errors
/// Those of `pieces`, and a conversation in which nothing is said.
pub(crate) fn arrange<'r>(
    turns: &'r [Turn],
    rules: Rules,
    losses: &mut Losses,
    mut pieces: impl FnMut(&'r Turn, &mut Losses) -> Result<Vec<Piece<'r>>, ErrorInfo>,
) -> Result<Vec<Message<'r>>, ErrorInfo> {
    let mut messages = Vec::with_capacity(turns.len());
    for turn in turns {
        if turn.name.is_some() {
            losses.drop(Field::Name);
        }
        let message = match turn.role {
            Role::System => system(turn, &messages, rules, losses),
            role => Message { role, pieces: pieces(turn, losses)? },
        };
        append(&mut messages, message);
    }
    pair(&mut messages, losses);
    if messages.is_empty() {
        return Err(ErrorInfo::invalid("messages", "the conversation is empty, send at least one user message"));
    }
    Ok(messages)
}

/// Thinking as parts that `family` takes back: one part per piece of its own state, the text with the first. Foreign
/// or invented state would be refused, and thinking without state is not sent.
pub(crate) fn own_thinking<'r>(
    reasoning: &Reasoning,
    sealer: &Sealer,
    is_own: impl Fn(&Opaque) -> bool,
    losses: &mut Losses,
) -> Vec<Piece<'r>> {
    let mut text = reasoning.text.clone();
    let own = reasoning
        .opaque
        .iter()
        .filter_map(|opaque| sealer.unwrap(opaque).filter(|state| is_own(state) && !state.data.is_empty()));
    let blocks = own.map(|opaque| {
        let redacted = opaque.kind == crate::model::OpaqueKind::Redacted;
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

/// Whether a part is a tool run by another provider than `family`'s.
pub(crate) fn is_foreign_tool(part: &Part, family: Family) -> bool {
    match &part.content {
        PartContent::ServerCall(call) => call.family != family,
        PartContent::ServerResult(result) => result.family != family,
        _ => false,
    }
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

/// System text in the middle keeps its place: as itself where the wire takes it, else marked, as the user's. Between
/// a call and its result nothing may stand, so there it is the user's too.
fn system<'r>(turn: &'r Turn, before: &[Message<'r>], rules: Rules, losses: &mut Losses) -> Message<'r> {
    let open_call = before
        .last()
        .is_some_and(|last| last.role == Role::Assistant && last.pieces.iter().any(|p| p.call().is_some()));
    let texts = turn.parts.iter().filter(|part| part.as_text().is_some_and(|text| !text.trim().is_empty()));
    if rules.mid_system && !open_call && !before.is_empty() {
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

/// Gives each call its result in the next turn, and each result its call.
fn pair(messages: &mut Vec<Message<'_>>, losses: &mut Losses) {
    let mut at = 0;
    let mut calls: Vec<(Str, Str)> = Vec::new();
    while at < messages.len() {
        if !calls.is_empty() && messages.get(at).is_none_or(|message| message.role != Role::User) {
            messages.insert(at, Message { role: Role::User, pieces: Vec::new() });
        }
        let Some(message) = messages.get_mut(at) else { return };
        if message.role == Role::User {
            answer(message, &std::mem::take(&mut calls), losses);
        } else if message.role == Role::Assistant {
            let made = message.pieces.iter().filter_map(Piece::call);
            calls = made.map(|(id, name)| (id.clone(), name.clone())).collect();
        }
        at += 1;
    }
}

/// Puts the results of `calls` first, in their order; a call without one gets a stand-in, a result without a call
/// becomes text.
fn answer(message: &mut Message<'_>, calls: &[(Str, Str)], losses: &mut Losses) {
    let mut rest = std::mem::take(&mut message.pieces);
    for (call, name) in calls {
        let found = rest.iter().position(|piece| piece.answers() == Some(call));
        if let Some(at) = found {
            message.pieces.push(rest.remove(at));
        } else {
            losses.approx(Field::ToolResult);
            message.pieces.push(Piece::Unanswered { call: call.clone(), name: name.clone() });
        }
    }
    for piece in rest {
        match piece.part().map(|part| &part.content) {
            Some(PartContent::ToolResult(result)) => {
                losses.approx(Field::ToolResult);
                message.pieces.extend(told(result));
            }
            _ => message.pieces.push(piece),
        }
    }
}

/// A result that answers no call, in words.
fn told<'r>(result: &ToolResult) -> impl Iterator<Item = Piece<'r>> {
    let note = Part::text(format!("[result of the earlier tool call {}]", result.call));
    let said = result.parts.iter().filter(|part| part.as_text().is_none_or(|text| !text.trim().is_empty())).cloned();
    std::iter::once(note).chain(said.collect::<Vec<_>>()).map(|part| Piece::Changed(Box::new(part)))
}
