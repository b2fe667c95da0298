//! What of a turn this wire can hold.

use super::{super::media, encode::Encoder};
use crate::{
    conversation::{Message, Piece, Rules, arrange, is_foreign_tool},
    model::{ErrorInfo, Family, Field, Losses, Part, PartContent, Role, Turn},
};

/// The conversation in wire order: system text keeps its place, results follow their calls.
pub(super) fn messages<'r>(encoder: &mut Encoder<'r>) -> Result<Vec<Message<'r>>, ErrorInfo> {
    let own = encoder.own;
    let messages = arrange(&encoder.request.turns, Rules { mid_system: true }, &mut encoder.losses, |turn, losses| {
        pieces(turn, own, losses)
    })?;
    if messages.last().is_some_and(|last| last.role == Role::Assistant) && !own {
        encoder.losses.approx(Field::Prefill);
    }
    Ok(messages)
}

/// The parts of a turn that can be said. `own` tells whether the client speaks this dialect.
fn pieces<'r>(turn: &'r Turn, own: bool, losses: &mut Losses) -> Result<Vec<Piece<'r>>, ErrorInfo> {
    let mut pieces = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) if text.is_empty() => {}
            // Another model's thoughts are none of this one's.
            PartContent::Reasoning(reasoning) if !own || reasoning.text.is_none() => {
                losses.drop(Field::ReasoningHistory);
            }
            PartContent::Media(media) => {
                if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
                    losses.drop(Field::ImageDetail);
                }
                match media::document_text(media) {
                    Some(text) => {
                        losses.approx(Field::Document);
                        pieces.push(Piece::Changed(Box::new(Part::text(text))));
                    }
                    None => pieces.push(Piece::Part(part)),
                }
            }
            PartContent::Unknown { .. } => losses.drop(Field::Messages),
            _ if is_foreign_tool(part, Family::Ollama) => losses.drop(Field::ServerTool),
            _ => pieces.push(Piece::Part(part)),
        }
        if !part.opaque.is_empty() {
            losses.drop(Field::Signature);
        }
    }
    Ok(pieces)
}
