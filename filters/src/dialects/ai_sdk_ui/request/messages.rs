//! UI messages as turns.
//!
//! An answer of several steps is one message; `step-start` cuts it. Within a step, what the model said and called comes
//! first, then the results of its calls, which are the user's turn.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    decode::parse,
    parts::{self, Place},
};
use crate::{
    json::Text,
    model::{ErrorInfo, Part, Request, Role, Str, Turn},
};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<Text<'a>>,
    #[serde(borrow)]
    parts: Option<Vec<&'a RawValue>>,
}

/// Decodes `messages`.
pub(super) fn decode(request: &mut Request, body: &Str, raw: &RawValue) -> Result<(), ErrorInfo> {
    let messages: Vec<&RawValue> = parse("messages", raw, "a list of UI messages")?;
    for (at, raw) in messages.into_iter().enumerate() {
        let message: Message<'_> = parse(&format!("messages[{at}]"), raw, "a UI message with `role` and `parts`")?;
        let Some(parts) = message.parts else {
            let message = "a message needs `parts`: send UI messages as AI SDK 5 and later have them";
            return Err(ErrorInfo::invalid(format!("messages[{at}].parts"), message));
        };
        match message.role.as_ref().map(Text::as_str) {
            Some("system") => system(request, body, at, &parts)?,
            Some("user") => user(request, body, at, &parts)?,
            Some("assistant") => assistant(request, body, at, &parts)?,
            _ => {
                let message = "the role of a message must be `system`, `user` or `assistant`";
                return Err(ErrorInfo::invalid(format!("messages[{at}].role"), message));
            }
        }
    }
    Ok(())
}

/// Leading system text is the request's; later text keeps its place.
fn system(request: &mut Request, body: &Str, message: usize, wire: &[&RawValue]) -> Result<(), ErrorInfo> {
    let mut texts = Vec::new();
    for (part, raw) in wire.iter().enumerate() {
        texts.extend(parts::text_only(body, Place { message, part }, raw)?);
    }
    if request.turns.is_empty() {
        request.system.append(&mut texts);
    } else {
        push(request, Role::System, texts);
    }
    Ok(())
}

fn user(request: &mut Request, body: &Str, message: usize, wire: &[&RawValue]) -> Result<(), ErrorInfo> {
    let mut said = Vec::new();
    for (part, raw) in wire.iter().enumerate() {
        said.extend(parts::of_user(body, Place { message, part }, raw)?);
    }
    push(request, Role::User, said);
    Ok(())
}

fn assistant(request: &mut Request, body: &Str, message: usize, wire: &[&RawValue]) -> Result<(), ErrorInfo> {
    let mut step = parts::Step::default();
    for (part, raw) in wire.iter().enumerate() {
        if parts::of_assistant(&mut step, body, Place { message, part }, raw)? {
            end_step(request, std::mem::take(&mut step));
        }
    }
    end_step(request, step);
    Ok(())
}

fn end_step(request: &mut Request, step: parts::Step) {
    push(request, Role::Assistant, step.said);
    push(request, Role::User, step.results);
}

fn push(request: &mut Request, role: Role, parts: Vec<Part>) {
    if !parts.is_empty() {
        request.turns.push(Turn { role, parts, name: None });
    }
}
