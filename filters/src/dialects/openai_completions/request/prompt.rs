//! A conversation as one text to be continued.
//!
//! | conversation | prompt | reported |
//! |---|---|---|
//! | a completion's own prompt | as it is | nothing |
//! | one message of the user's, nothing before it | its text as it is: it will be continued, not answered | `messages` |
//! | anything longer | a transcript: instructions, then `User:` and `Assistant:` by turns, ending where the model is to speak | `messages`, `system` |
//! | media, calls and their results | refused | |

use crate::model::{ErrorInfo, Field, Losses, Part, PartContent, Request, Role};

/// A prompt, and what is to end its continuation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// In a transcript: where the model would go on with the user's part.
    pub(super) stop: Option<&'static str>,
}

/// What begins the user's turn in a transcript.
const USER: &str = "User:";
const ASSISTANT: &str = "Assistant:";
const NEXT_USER: &str = "\nUser:";

/// The prompt of a request.
pub(super) fn prompt(request: &Request, is_own: bool, losses: &mut Losses) -> Result<Prompt, ErrorInfo> {
    let mut turns = Vec::with_capacity(request.turns.len());
    for turn in &request.turns {
        if turn.name.is_some() {
            losses.drop(Field::Name);
        }
        let text = text_of(&turn.parts, losses)?;
        if !text.is_empty() {
            turns.push((turn.role, text));
        }
    }
    let system = text_of(&request.system, losses)?;
    if let ([(Role::User, text)], true) = (&turns[..], system.is_empty()) {
        if !is_own {
            losses.approx(Field::Messages);
        }
        return Ok(Prompt { text: text.clone(), stop: None });
    }
    if turns.is_empty() && system.is_empty() {
        return Err(ErrorInfo::invalid("messages", "the conversation is empty, send at least one user message"));
    }
    losses.approx(Field::Messages);
    if !system.is_empty() {
        losses.approx(Field::System);
    }
    Ok(Prompt { text: transcript(&system, &turns, losses), stop: Some(NEXT_USER) })
}

fn transcript(system: &str, turns: &[(Role, String)], losses: &mut Losses) -> String {
    let mut text = String::from(system);
    for (role, said) in turns {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        match role {
            Role::User => text.extend([USER, " "]),
            Role::Assistant => text.extend([ASSISTANT, " "]),
            Role::System => losses.approx(Field::SystemMid),
        }
        text.push_str(said);
    }
    // An answer that was begun goes on where it stands.
    if !matches!(turns.last(), Some((Role::Assistant, _))) {
        text.push_str("\n\n");
        text.push_str(ASSISTANT);
    }
    text
}

fn text_of(parts: &[Part], losses: &mut Losses) -> Result<String, ErrorInfo> {
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts {
        match &part.content {
            PartContent::Text(text) | PartContent::Refusal(text) if text.is_empty() => {}
            PartContent::Text(text) | PartContent::Refusal(text) => texts.push(&**text),
            PartContent::Reasoning(_) => losses.drop(Field::ReasoningHistory),
            PartContent::ServerCall(_) | PartContent::ServerResult(_) => losses.drop(Field::ServerTool),
            PartContent::Media(_) => return Err(refused("media")),
            PartContent::ToolCall(_) | PartContent::ToolResult(_) => return Err(refused("tool calls")),
            PartContent::Unknown { .. } => return Err(refused("parts of another provider's")),
        }
    }
    Ok(texts.join("\n\n"))
}

fn refused(what: &str) -> ErrorInfo {
    let message =
        format!("this model continues plain text and takes no {what}: leave them out, or choose another model");
    ErrorInfo::invalid("messages", message)
}
