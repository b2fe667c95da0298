//! What of a turn this wire can hold.

use super::{
    super::{documents, thinking},
    encode::Encoder,
    write::is_document,
};
use crate::{
    conversation::{Message, Piece, Rules, arrange, is_foreign_tool},
    model::{
        ErrorInfo, Family, Field, Losses, Media, MediaClass, MediaSource, Part, PartContent, Reasoning, Role, Turn,
    },
    seal::Sealer,
};

/// The conversation in wire order: system text keeps its place, results follow their calls.
pub(super) fn messages<'r>(encoder: &mut Encoder<'r>) -> Result<Vec<Message<'r>>, ErrorInfo> {
    let (own, sealer) = (encoder.own, encoder.target.sealer);
    let messages = arrange(&encoder.request.turns, Rules { mid_system: true }, &mut encoder.losses, |turn, losses| {
        pieces(turn, own, sealer, losses)
    })?;
    let mut pieces = messages.iter().flat_map(|message| &message.pieces);
    if pieces.all(|piece| piece.part().is_some_and(is_document)) {
        // Documents stand beside the messages, and nobody asks anything of them.
        let message = "the conversation holds documents alone, say something about them";
        return Err(ErrorInfo::invalid("messages", message));
    }
    if messages.last().is_some_and(|last| last.role == Role::Assistant) && !own {
        encoder.losses.approx(Field::Prefill);
    }
    Ok(messages)
}

/// The parts of a turn that can be said. `own` tells whether the client speaks this dialect.
fn pieces<'r>(turn: &'r Turn, own: bool, sealer: &Sealer, losses: &mut Losses) -> Result<Vec<Piece<'r>>, ErrorInfo> {
    let mut pieces = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) if text.is_empty() => {}
            PartContent::Reasoning(reasoning) => pieces.extend(thought(reasoning, own, sealer, losses)),
            PartContent::Media(media) => {
                check(media)?;
                pieces.push(Piece::Part(part));
            }
            PartContent::Unknown { .. } => losses.drop(Field::Messages),
            _ if is_foreign_tool(part, Family::Cohere) => losses.drop(Field::ServerTool),
            _ => pieces.push(Piece::Part(part)),
        }
        if part.opaque.iter().any(|opaque| !thinking::is_own(opaque)) {
            losses.drop(Field::Signature);
        }
        if part.citations.iter().any(|citation| super::super::citations::own(citation).is_none()) {
            losses.drop(Field::Citations);
        }
    }
    Ok(pieces)
}

/// A thought that this vendor's model had: its state says so, or the client speaks this dialect.
fn thought<'r>(reasoning: &Reasoning, own: bool, sealer: &Sealer, losses: &mut Losses) -> Option<Piece<'r>> {
    let state = reasoning.opaque.iter().filter_map(|opaque| sealer.unwrap(opaque)).find(thinking::is_own);
    let text = reasoning.text.clone().filter(|text| !text.is_empty() && (own || state.is_some()));
    let Some(text) = text else {
        losses.drop(Field::ReasoningHistory);
        return None;
    };
    let is_plan = state.as_ref().is_some_and(thinking::is_plan);
    Some(Piece::Changed(Box::new(Part::new(PartContent::Reasoning(thinking::reasoning(text, is_plan))))))
}

/// Refuses media that the wire does not take.
fn check(media: &Media) -> Result<(), ErrorInfo> {
    let refused = |message: &'static str| Err(ErrorInfo::invalid("messages", message));
    match (media.class, &media.source) {
        (_, MediaSource::File { .. }) => refused("the file id belongs to another provider; send the file itself"),
        (MediaClass::Image, _) => Ok(()),
        (MediaClass::Document, _) if documents::text_of(media).is_some() => Ok(()),
        (MediaClass::Document, _) => {
            refused("this upstream takes documents as text only; send the text, or choose another model")
        }
        _ => refused("this upstream takes no sound and no film; leave it out or choose another model"),
    }
}
