//! A client's items as turns.

use serde_json::value::RawValue;

use super::{
    super::{
        item,
        wire::{ContentPart, Item, OneOrMany, Source, Text, filled, lenient},
    },
    media,
};
use crate::model::{CachePoint, ErrorInfo, Part, PartContent, Role, Str, ToolResult, Turn};

/// A conversation.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// The leading instructions.
    pub(super) system: Vec<Part>,
    pub(super) turns: Vec<Turn>,
    /// The first item that the provider is asked to fill in from its store.
    pub(super) reference: Option<Str>,
    /// The last turn is one of results, or of the model's, to which the next item of that sort belongs.
    open: Option<Sort>,
}

/// Sorts of items that share a turn with those before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Model,
    Results,
}

/// Decodes `instructions` and `input`.
pub(super) fn decode(instructions: Option<&str>, input: Option<&str>, source: &Source) -> Result<Decoded, ErrorInfo> {
    let mut decoded = Decoded::default();
    match instructions.map(serde_json::from_str::<OneOrMany<'_, &RawValue>>).transpose() {
        Ok(None) => {}
        Ok(Some(OneOrMany::One(text))) if text.is_empty() => {}
        Ok(Some(OneOrMany::One(text))) => decoded.system.push(Part::text(source.text(&text))),
        _ => return Err(ErrorInfo::invalid("instructions", "`instructions` must be a string")),
    }
    match input.map(serde_json::from_str::<OneOrMany<'_, &RawValue>>).transpose() {
        Ok(None) => {}
        Ok(Some(OneOrMany::One(text))) => {
            let parts = filled(Some(&text), source).map(Part::text).into_iter().collect();
            decoded.push(Role::User, parts, None);
        }
        Ok(Some(OneOrMany::Many(items))) => {
            for (at, raw) in items.into_iter().enumerate() {
                decoded.item(at, raw, source)?;
            }
        }
        Err(cause) => {
            let message = format!("`input` must be a string or a list of items: {cause}");
            return Err(ErrorInfo::invalid("input", message));
        }
    }
    Ok(decoded)
}

impl Decoded {
    fn item(&mut self, at: usize, raw: &RawValue, source: &Source) -> Result<(), ErrorInfo> {
        let fault = |message: String| ErrorInfo::invalid(format!("input[{at}]"), message);
        let item: Item<'_> =
            serde_json::from_str(raw.get()).map_err(|cause| fault(format!("the item cannot be read: {cause}")))?;
        let kind = match item.kind.as_ref().map(Text::as_str) {
            None if item.role.is_none() && item.id.is_some() => "item_reference",
            None => "message",
            Some(kind) => kind,
        };
        match kind {
            "message" => return self.message(at, &item, source),
            "function_call" | "custom_tool_call" => {
                let call = item::call(&item, source);
                let call = call.filter(|_| item.call_id.as_ref().is_some_and(|id| !id.is_empty()));
                let call = call.ok_or_else(|| fault("a call needs `call_id` and `name`".to_owned()))?;
                self.push(Role::Assistant, vec![Part::new(PartContent::ToolCall(call))], Some(Sort::Model));
            }
            "function_call_output" | "custom_tool_call_output" => {
                let result = result(at, &item, source)?;
                self.push(Role::User, vec![Part::new(PartContent::ToolResult(result))], Some(Sort::Results));
            }
            "reasoning" => {
                let reasoning = item::reasoning(&item, source);
                let part = reasoning.map(|reasoning| Part::new(PartContent::Reasoning(reasoning)));
                self.push(Role::Assistant, part.into_iter().collect(), Some(Sort::Model));
            }
            "item_reference" => {
                let id = filled(item.id.as_ref(), source);
                let id = id.ok_or_else(|| fault("an item reference needs `id`".to_owned()))?;
                self.reference.get_or_insert(id);
                self.push(Role::User, vec![Part::new(item::own(raw, source))], None);
            }
            // What the client ran for a tool of this vendor's is the user's, what the provider did is the model's.
            kind => {
                let is_answer = kind.ends_with("_output") || kind == "mcp_approval_response";
                let (role, sort) = if is_answer { (Role::User, None) } else { (Role::Assistant, Some(Sort::Model)) };
                self.push(role, item::decode(&item, raw, source).into_iter().collect(), sort);
            }
        }
        Ok(())
    }

    fn message(&mut self, at: usize, item: &Item<'_>, source: &Source) -> Result<(), ErrorInfo> {
        let role = item.role.as_ref().map_or("", Text::as_str);
        let parts = content(&format!("input[{at}].content"), item.content, source)?;
        match role {
            "system" | "developer" => {
                if parts.iter().any(|part| part.as_text().is_none()) {
                    let message = "system and developer messages hold text only; move other parts to a user message";
                    return Err(ErrorInfo::invalid(format!("input[{at}].content"), message));
                }
                if self.turns.is_empty() {
                    self.system.extend(parts);
                } else {
                    self.push(Role::System, parts, None);
                }
            }
            "user" => self.push(Role::User, parts, None),
            "assistant" => self.push(Role::Assistant, parts, Some(Sort::Model)),
            other => {
                let message = format!("the role of a message is `{other}`; use user, assistant, system or developer");
                return Err(ErrorInfo::invalid(format!("input[{at}].role"), message));
            }
        }
        Ok(())
    }

    /// Adds what was said, to the last turn where both are of one sort.
    fn push(&mut self, role: Role, parts: Vec<Part>, sort: Option<Sort>) {
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if sort.is_some() && self.open == sort => turn.parts.extend(parts),
            _ => self.turns.push(Turn { role, parts, name: None }),
        }
        self.open = sort;
    }
}

fn result(at: usize, item: &Item<'_>, source: &Source) -> Result<ToolResult, ErrorInfo> {
    let call = filled(item.call_id.as_ref(), source).ok_or_else(|| {
        let message = "the output of a call needs `call_id`, the id of the call that it answers";
        ErrorInfo::invalid(format!("input[{at}].call_id"), message).with_code("missing_parameter")
    })?;
    let parts = content(&format!("input[{at}].output"), item.output, source)?;
    Ok(ToolResult { call, name: None, parts, json: None, is_error: false })
}

/// Decodes the content of a message, or what a call gave. Empty texts are left out.
fn content(place: &str, raw: Option<&RawValue>, source: &Source) -> Result<Vec<Part>, ErrorInfo> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Vec::new()) };
    match serde_json::from_str::<OneOrMany<'_, &RawValue>>(raw.get()) {
        Ok(OneOrMany::One(text)) => Ok(filled(Some(&text), source).map(Part::text).into_iter().collect()),
        Ok(OneOrMany::Many(list)) => {
            let mut parts = Vec::with_capacity(list.len());
            for (at, raw) in list.into_iter().enumerate() {
                parts.extend(part(&format!("{place}[{at}]"), raw, source)?);
            }
            Ok(parts)
        }
        // Some clients send what a tool gave as the value itself.
        Err(_) if place.ends_with(".output") => Ok(vec![Part::text(source.slice(raw.get()))]),
        Err(cause) => Err(ErrorInfo::invalid(place, format!("content must be a string or a list of parts: {cause}"))),
    }
}

fn part(place: &str, raw: &RawValue, source: &Source) -> Result<Option<Part>, ErrorInfo> {
    let fault = |message: String| ErrorInfo::invalid(place, message);
    let wire: ContentPart<'_> =
        serde_json::from_str(raw.get()).map_err(|cause| fault(format!("the part cannot be read: {cause}")))?;
    let mut part = match wire.kind() {
        "input_text" | "output_text" | "text" | "refusal" => item::said(&wire, source),
        "input_image" | "input_file" | "input_audio" => {
            Some(Part::new(PartContent::Media(media::decode(&wire, source).map_err(fault)?)))
        }
        "" => return Err(fault("a part needs `type`".to_owned())),
        other => {
            let message = format!("parts of type `{other}` are not known; use input_text, input_image or input_file");
            return Err(fault(message));
        }
    };
    if let Some(part) = part.as_mut().filter(|_| lenient::<&RawValue>(wire.prompt_cache_breakpoint).is_some()) {
        part.cache = Some(CachePoint::default());
    }
    Ok(part)
}
