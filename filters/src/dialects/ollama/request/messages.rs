//! A client's messages as turns.

use super::super::{
    media,
    response::decode_call,
    wire::{Message, Text},
};
use crate::model::{ErrorInfo, Part, PartContent, Reasoning, Role, Str, ToolResult, Turn};

/// Decodes messages: the leading instructions, and the turns.
pub(super) fn decode(messages: &[Message<'_>], source: &Str) -> Result<(Vec<Part>, Vec<Turn>), ErrorInfo> {
    let mut reader = Reader { source, system: Vec::new(), turns: Vec::with_capacity(messages.len()), open: Vec::new() };
    for (at, message) in messages.iter().enumerate() {
        reader.message(at, message)?;
    }
    Ok((reader.system, reader.turns))
}

struct Reader<'a> {
    source: &'a Str,
    system: Vec<Part>,
    turns: Vec<Turn>,
    /// Calls that no result has answered yet, in their order: id and name.
    open: Vec<(Str, Str)>,
}

impl Reader<'_> {
    fn message(&mut self, at: usize, message: &Message<'_>) -> Result<(), ErrorInfo> {
        let role = message.role.as_ref().map(Text::as_str);
        match role {
            Some("system") => {
                let text = self.text(message.content.as_ref());
                if self.turns.is_empty() {
                    self.system.extend(text);
                } else if let Some(text) = text {
                    self.turns.push(Turn { role: Role::System, parts: vec![text], name: None });
                }
            }
            Some("user") => {
                let parts = self.pictures(message).into_iter().chain(self.text(message.content.as_ref())).collect();
                self.turns.push(Turn { role: Role::User, parts, name: None });
            }
            Some("assistant") => {
                let parts = self.assistant(at, message)?;
                self.turns.push(Turn { role: Role::Assistant, parts, name: None });
            }
            Some("tool") => self.result(at, message),
            other => {
                let given = other.map_or_else(|| "is missing".to_owned(), |role| format!("is `{role}`"));
                return Err(ErrorInfo::invalid(
                    format!("/messages/{at}/role"),
                    format!("the role of a message {given}, use system, user, assistant or tool"),
                ));
            }
        }
        Ok(())
    }

    fn text(&self, text: Option<&Text<'_>>) -> Option<Part> {
        text.filter(|text| !text.is_empty()).map(|text| Part::text(text.keep(self.source)))
    }

    fn pictures(&self, message: &Message<'_>) -> Vec<Part> {
        let images = message.images.iter().flatten();
        images.map(|image| Part::new(PartContent::Media(media::picture(&image.keep(self.source))))).collect()
    }

    fn assistant(&mut self, at: usize, message: &Message<'_>) -> Result<Vec<Part>, ErrorInfo> {
        let mut parts = Vec::new();
        if let Some(thinking) = message.thinking.as_ref().filter(|thinking| !thinking.is_empty()) {
            let text = Some(thinking.keep(self.source));
            parts.push(Part::new(PartContent::Reasoning(Reasoning { text, ..Reasoning::default() })));
        }
        parts.extend(self.pictures(message));
        parts.extend(self.text(message.content.as_ref()));
        for (position, call) in (0..).zip(message.tool_calls.iter().flatten()) {
            let Some(call) = decode_call(call, &at.to_string(), position, self.source) else {
                let message = "a tool call needs `function` with a `name`";
                return Err(ErrorInfo::invalid(format!("/messages/{at}/tool_calls/{position}"), message));
            };
            self.open.push((call.id.clone(), call.name.clone()));
            parts.push(Part::new(PartContent::ToolCall(call)));
        }
        Ok(parts)
    }

    /// A result answers the call that it names by id; else the first open call of the tool that it names; else the
    /// first open call.
    fn result(&mut self, at: usize, message: &Message<'_>) {
        let keep = |text: &Option<Text<'_>>| text.as_ref().filter(|t| !t.is_empty()).map(|t| t.keep(self.source));
        let id = keep(&message.tool_call_id);
        let named = keep(&message.tool_name).or_else(|| keep(&message.name));
        let found = match (&id, &named) {
            (Some(id), _) => self.open.iter().position(|(open, _)| open == id),
            (None, Some(name)) => self.open.iter().position(|(_, open)| open == name),
            (None, None) => (!self.open.is_empty()).then_some(0),
        };
        let answered = found.map(|found| self.open.remove(found));
        let (call, name) = match answered {
            Some((call, name)) => (call, Some(named.unwrap_or(name))),
            // It answers nothing; encoders tell it in words.
            None => (id.unwrap_or_else(|| super::super::ids::mint("result", at as u64, "")), named),
        };
        let parts = self.text(message.content.as_ref()).into_iter().chain(self.pictures(message)).collect();
        let result = Part::new(PartContent::ToolResult(ToolResult { call, name, parts, json: None, is_error: false }));
        match self.turns.last_mut() {
            Some(turn) if is_results(turn) => turn.parts.push(result),
            _ => self.turns.push(Turn { role: Role::User, parts: vec![result], name: None }),
        }
    }
}

fn is_results(turn: &Turn) -> bool {
    turn.role == Role::User
        && !turn.parts.is_empty()
        && turn.parts.iter().all(|part| matches!(part.content, PartContent::ToolResult(_)))
}
