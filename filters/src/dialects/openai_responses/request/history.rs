//! The conversation as items, as they are written to an upstream.

use std::collections::HashSet;

use super::{
    super::{NAME, item, output, wire::Writer},
    encode::Encoder,
    media,
    offer::{call_id, tool_name},
};
use crate::{
    conversation::{Message, Piece, Rules, arrange, is_foreign_tool, own_thinking},
    model::{
        CallKind, ErrorInfo, Family, Field, Losses, Media, Opaque, OpaqueKind, Part, PartContent, Reasoning, Role, Str,
        ToolCall, ToolResult, Turn,
    },
    openai::media::document_text,
    seal::Sealer,
};

/// The conversation in wire order.
///
/// # Errors
/// If it ends with a call that nobody answered.
pub(super) fn plan<'r>(turns: &'r [Turn], sealer: &Sealer, losses: &mut Losses) -> Result<Vec<Message<'r>>, ErrorInfo> {
    let messages = arrange(turns, Rules { mid_system: true }, losses, |turn, losses| Ok(pieces(turn, sealer, losses)))?;
    let last = messages.last().filter(|last| last.role == Role::Assistant);
    if last.is_some_and(|last| last.pieces.iter().any(|piece| piece.call().is_some())) {
        let message = "the conversation ends with a tool call without a result; add the result";
        return Err(ErrorInfo::invalid("input", message));
    }
    Ok(messages)
}

/// The parts of a turn that this upstream can hold.
fn pieces<'r>(turn: &'r Turn, sealer: &Sealer, losses: &mut Losses) -> Vec<Piece<'r>> {
    let mut pieces: Vec<Piece<'r>> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        if !part.opaque.is_empty() {
            // State on texts and calls is another vendor's: this one's stands in items of its own.
            losses.drop(Field::Signature);
        }
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) if text.is_empty() => {}
            PartContent::Reasoning(reasoning) => pieces.extend(own_thinking(reasoning, sealer, is_own, losses)),
            _ if is_foreign_tool(part, Family::OpenAi) => losses.drop(Field::ServerTool),
            PartContent::Media(_) if turn.role == Role::Assistant => losses.drop(Field::Image),
            _ => pieces.push(Piece::Part(part)),
        }
    }
    // Reasoning is refused without the item that it led to.
    while pieces.last().is_some_and(is_reasoning) {
        losses.drop(Field::ReasoningHistory);
        pieces.pop();
    }
    pieces
}

fn is_reasoning(piece: &Piece<'_>) -> bool {
    piece.part().is_some_and(|part| matches!(part.content, PartContent::Reasoning(_)))
}

/// Whether opaque state is this vendor's own.
fn is_own(opaque: &Opaque) -> bool {
    opaque.family == Family::OpenAi && opaque.kind == OpaqueKind::Encrypted
}

impl Encoder<'_> {
    /// Writes `input`.
    pub(super) fn items(&mut self, messages: &[Message<'_>], list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let free = free_calls(messages);
        for message in messages {
            let (role, text_kind) = match message.role {
                Role::User => ("user", "input_text"),
                Role::Assistant => ("assistant", "output_text"),
                Role::System => ("system", "input_text"),
            };
            // Parts that are of one message; any other item ends it.
            let mut said: Vec<&Part> = Vec::new();
            for piece in &message.pieces {
                if let Some(part) = piece.part().filter(|part| is_content(part)) {
                    said.push(part);
                    continue;
                }
                self.message(role, text_kind, &mut said, list)?;
                match piece {
                    Piece::Unanswered { call, name } => output_item(call, free.contains(call), list, |object| {
                        object.str("output", &format!("ERROR: no result of this call of `{name}` was recorded"));
                        Ok(())
                    })?,
                    piece => {
                        if let Some(part) = piece.part() {
                            self.item(part, &free, list)?;
                        }
                    }
                }
            }
            self.message(role, text_kind, &mut said, list)?;
        }
        Ok(())
    }

    /// Writes a message of the parts gathered, if there are any.
    pub(super) fn message(
        &mut self,
        role: &str,
        text_kind: &str,
        said: &mut Vec<&Part>,
        list: &mut Writer<'_>,
    ) -> Result<(), ErrorInfo> {
        let parts = std::mem::take(said);
        if parts.is_empty() {
            return Ok(());
        }
        let mut message = Writer::of_type(list.element(), "message");
        message.str("role", role);
        let mut content = message.list("content");
        for part in parts {
            self.content(part, text_kind, &mut content)?;
        }
        content.end();
        message.end();
        Ok(())
    }

    fn content(&mut self, part: &Part, text_kind: &str, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let mut object = Writer::object(list.element());
        match &part.content {
            PartContent::Refusal(text) if text_kind == "output_text" => {
                object.str("type", "refusal");
                object.str("refusal", text);
            }
            PartContent::Text(text) | PartContent::Refusal(text) => {
                object.str("type", text_kind);
                object.str("text", text);
            }
            PartContent::Media(media) => self.media(media, text_kind, &mut object)?,
            _ => {}
        }
        if !part.citations.is_empty() {
            self.losses.drop(Field::Citations);
        }
        if part.cache.is_some() && self.target.has_quirk("prompt_cache_breakpoint") {
            object.raw("prompt_cache_breakpoint", r#"{"mode":"explicit"}"#);
        }
        object.end();
        Ok(())
    }

    fn media(&mut self, media: &Media, text_kind: &str, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let Some(text) = document_text(media) else { return media::write(media, object) };
        self.losses.approx(Field::Document);
        object.str("type", text_kind);
        object.str("text", &text);
        Ok(())
    }

    /// Writes an item that is no message.
    fn item(&mut self, part: &Part, free: &HashSet<Str>, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        match &part.content {
            PartContent::Reasoning(reasoning) => reasoning_item(reasoning, list),
            PartContent::ToolCall(call) => call_item(call, list),
            PartContent::ToolResult(result) => {
                let losses = &mut self.losses;
                return output_item(&result.call, free.contains(&result.call), list, |object| {
                    result_output(result, losses, object)
                });
            }
            _ => match item::raw_item(part) {
                Some(raw) if self.is_own_request() || !matches!(part.content, PartContent::Unknown { .. }) => {
                    list.element().extend_from_slice(raw.as_str().as_bytes());
                }
                _ => {
                    let message = "an item of the conversation is of a kind that only its own provider understands; \
                                   leave it out";
                    return Err(ErrorInfo::invalid("input", message));
                }
            },
        }
        Ok(())
    }

    fn is_own_request(&self) -> bool {
        self.request.origin == Some(NAME)
    }
}

/// Writes a call.
fn call_item(call: &ToolCall, list: &mut Writer<'_>) {
    let words = output::call_words(call.kind);
    let mut item = Writer::of_type(list.element(), words.kind);
    item.str("call_id", &call_id(&call.id));
    item.str("name", &tool_name(&call.name));
    item.str(words.args, output::args_of(call, &call.args));
    item.end();
}

/// Writes the output of a call.
fn output_item(
    call: &Str,
    is_free: bool,
    list: &mut Writer<'_>,
    output: impl FnOnce(&mut Writer<'_>) -> Result<(), ErrorInfo>,
) -> Result<(), ErrorInfo> {
    let kind = if is_free { "custom_tool_call_output" } else { "function_call_output" };
    let mut item = Writer::of_type(list.element(), kind);
    item.str("call_id", &call_id(call));
    output(&mut item)?;
    item.end();
    Ok(())
}

/// Whether a part stands in a message.
fn is_content(part: &Part) -> bool {
    matches!(part.content, PartContent::Text(_) | PartContent::Refusal(_) | PartContent::Media(_))
}

/// The ids of calls that were made with free text: their outputs are items of another kind.
fn free_calls(messages: &[Message<'_>]) -> HashSet<Str> {
    let parts = messages.iter().flat_map(|message| &message.pieces).filter_map(Piece::part);
    let calls = parts.filter_map(|part| match &part.content {
        PartContent::ToolCall(call) if call.kind == CallKind::Custom => Some(call.id.clone()),
        _ => None,
    });
    calls.collect()
}

/// Writes reasoning: its state, with the id that it is bound to.
fn reasoning_item(reasoning: &Reasoning, list: &mut Writer<'_>) {
    for opaque in &reasoning.opaque {
        let mut item = Writer::of_type(list.element(), "reasoning");
        item.maybe_str("id", opaque.id.as_deref());
        let mut summary = item.list("summary");
        if let Some(text) = reasoning.text.as_deref().filter(|text| !text.is_empty()) {
            output::push_summary(summary.element(), text);
        }
        summary.end();
        item.str("encrypted_content", &opaque.data);
        item.end();
    }
}

/// Writes what a call gave: a string where text is all there is, else parts.
fn result_output(result: &ToolResult, losses: &mut Losses, object: &mut Writer<'_>) -> Result<(), ErrorInfo> {
    const FAILED: &str = "ERROR: ";
    if result.is_error {
        losses.approx(Field::ToolError);
    }
    let lead = if result.is_error { FAILED } else { "" };
    let words = |part: &Part| match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => Some(text.clone()),
        PartContent::Media(media) => document_text(media),
        _ => None,
    };
    match &result.parts[..] {
        [] => {
            let json = result.json.as_ref().map_or("", |json| json.as_str());
            object.str("output", &format!("{lead}{json}"));
        }
        [part] if words(part).is_some() => {
            object.str("output", &format!("{lead}{}", words(part).unwrap_or_default()));
        }
        parts => {
            let mut list = object.list("output");
            if result.is_error {
                let mut part = Writer::of_type(list.element(), "input_text");
                part.str("text", FAILED);
                part.end();
            }
            for part in parts {
                let mut object = Writer::object(list.element());
                match (words(part), &part.content) {
                    (Some(text), _) => {
                        object.str("type", "input_text");
                        object.str("text", &text);
                    }
                    (None, PartContent::Media(media)) => media::write(media, &mut object)?,
                    _ => {
                        losses.drop(Field::ToolResult);
                        object.str("type", "input_text");
                        object.str("text", "");
                    }
                }
                object.end();
            }
            list.end();
        }
    }
    Ok(())
}
