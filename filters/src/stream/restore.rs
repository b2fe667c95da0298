//! Undoes, in an answer, what encoding its request had to change: tool names that the upstream does not allow, and
//! structured output that was asked for as a forced tool call.

use crate::{
    dialects::Encoded,
    model::{Delta, Event, Finish, FinishReason, PartContent, PartKey, PartKind, Response, Str},
};

/// Restores what [`Encoded`] says was changed.
#[derive(Debug, Default)]
pub struct Restorer {
    renamed: Vec<(Str, Str)>,
    json_tool: Option<Str>,
    /// Calls of the JSON tool that are open as text.
    texts: Vec<PartKey>,
    other_calls: bool,
}

impl Restorer {
    /// A restorer for the answer to an encoded request.
    pub fn new(encoded: &Encoded) -> Self {
        Self { renamed: encoded.renamed_tools.clone(), json_tool: encoded.json_tool.clone(), ..Self::default() }
    }

    /// True if there is nothing to restore.
    pub fn is_idle(&self) -> bool {
        self.renamed.is_empty() && self.json_tool.is_none()
    }

    /// Restores one event of a stream.
    pub fn event(&mut self, event: &mut Event) {
        match event {
            Event::PartStart(start) => {
                let PartKind::ToolCall(call) = &mut start.kind else { return };
                if self.json_tool.as_ref() == Some(&call.name) {
                    start.kind = PartKind::Text;
                    self.texts.push(start.part);
                } else {
                    self.other_calls = true;
                    rename(&self.renamed, &mut call.name);
                }
            }
            Event::Delta { part, delta } => {
                if let Delta::Args(text) = delta
                    && self.texts.contains(part)
                {
                    *delta = Delta::Text(std::mem::take(text));
                }
            }
            Event::Finish { finish, .. } if !self.texts.is_empty() => unmask(finish, self.other_calls),
            _ => {}
        }
    }

    /// Restores a whole response.
    pub fn response(&self, response: &mut Response) {
        for candidate in &mut response.candidates {
            let mut texts = false;
            let mut calls = false;
            for part in &mut candidate.parts {
                let PartContent::ToolCall(call) = &mut part.content else { continue };
                if self.json_tool.as_ref() == Some(&call.name) {
                    texts = true;
                    part.content = PartContent::Text(std::mem::take(&mut call.args));
                } else {
                    calls = true;
                    rename(&self.renamed, &mut call.name);
                }
            }
            if texts {
                unmask(&mut candidate.finish, calls);
            }
        }
    }
}

fn rename(renamed: &[(Str, Str)], name: &mut Str) {
    if let Some((_, original)) = renamed.iter().find(|(sent, _)| sent == name) {
        *name = original.clone();
    }
}

/// An answer that was a forced call ended because it was complete.
fn unmask(finish: &mut Finish, other_calls: bool) {
    if finish.reason == FinishReason::ToolCalls && !other_calls {
        finish.reason = FinishReason::Stop;
    }
}
