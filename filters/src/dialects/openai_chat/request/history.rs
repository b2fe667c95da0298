//! The conversation as an upstream of this dialect takes it: every call answered, every answer right behind its call.

use std::collections::HashMap;

use crate::model::{Field, Losses, Part, PartContent, Role, Str, ToolResult, Turn};

/// A message to be written.
#[derive(Debug)]
pub(super) enum Message<'a> {
    /// System text in the middle of the conversation.
    System(&'a [Part]),
    /// What the person says.
    User {
        /// Their parts, without results.
        parts: Vec<&'a Part>,
        /// Their name.
        name: Option<&'a Str>,
    },
    /// What the model said.
    Assistant(&'a Turn),
    /// The answer to a call.
    Result {
        /// The call's id.
        call: &'a Str,
        /// The answer; `None` if the history has none.
        result: Option<&'a ToolResult>,
    },
    /// The answer to a call that the history does not have.
    Orphan(&'a ToolResult),
}

/// Puts the turns in order.
///
/// The wire wants one message per result, directly behind the message with the calls and in no other place; clients
/// of other dialects, and clients that trim their history, do not keep to that.
pub(super) fn arrange<'a>(turns: &'a [Turn], losses: &mut Losses) -> Vec<Message<'a>> {
    let mut answers = Answers::of(turns);
    let mut messages = Vec::with_capacity(turns.len() + 4);
    for (at, turn) in turns.iter().enumerate() {
        match turn.role {
            Role::System => messages.push(Message::System(&turn.parts)),
            Role::Assistant => {
                messages.push(Message::Assistant(turn));
                let is_last = at + 1 == turns.len();
                for call in calls(turn) {
                    let result = answers.take(at, call);
                    // The client may want a last call completed by the model; any other must have its answer.
                    if result.is_none() && is_last {
                        continue;
                    }
                    if result.is_none() {
                        losses.approx(Field::ToolResult);
                    }
                    messages.push(Message::Result { call, result });
                }
            }
            Role::User => {
                for result in results(turn).filter(|result| !answers.is_taken(result)) {
                    losses.approx(Field::ToolResult);
                    messages.push(Message::Orphan(result));
                }
                let parts: Vec<_> =
                    turn.parts.iter().filter(|part| !matches!(part.content, PartContent::ToolResult(_))).collect();
                if !parts.is_empty() {
                    messages.push(Message::User { parts, name: turn.name.as_ref() });
                }
            }
        }
    }
    messages
}

/// The ids of the calls in a turn.
fn calls(turn: &Turn) -> impl Iterator<Item = &Str> {
    turn.parts.iter().filter_map(|part| match &part.content {
        PartContent::ToolCall(call) => Some(&call.id),
        _ => None,
    })
}

fn results(turn: &Turn) -> impl Iterator<Item = &ToolResult> {
    turn.parts.iter().filter_map(|part| match &part.content {
        PartContent::ToolResult(result) => Some(result),
        _ => None,
    })
}

/// The results of a conversation by the call that they answer. Ids may come again in later turns.
struct Answers<'a> {
    by_call: HashMap<&'a str, Vec<Answer<'a>>>,
}

struct Answer<'a> {
    turn: usize,
    result: &'a ToolResult,
    taken: bool,
}

impl<'a> Answers<'a> {
    fn of(turns: &'a [Turn]) -> Self {
        let mut by_call: HashMap<&str, Vec<Answer<'_>>> = HashMap::new();
        for (turn, said) in turns.iter().enumerate().filter(|(_, turn)| turn.role == Role::User) {
            for result in results(said) {
                by_call.entry(&result.call).or_default().push(Answer { turn, result, taken: false });
            }
        }
        Self { by_call }
    }

    /// The first result behind turn `after` that answers `call` and nothing else yet.
    fn take(&mut self, after: usize, call: &str) -> Option<&'a ToolResult> {
        let answer = self.by_call.get_mut(call)?.iter_mut().find(|answer| answer.turn > after && !answer.taken)?;
        answer.taken = true;
        Some(answer.result)
    }

    /// Whether `result` stands behind its call already. Asked only when all calls before it were seen.
    fn is_taken(&self, result: &ToolResult) -> bool {
        self.by_call
            .get(&*result.call)
            .is_some_and(|answers| answers.iter().any(|answer| answer.taken && std::ptr::eq(answer.result, result)))
    }
}
