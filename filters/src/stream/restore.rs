//! Undoes, in an answer, what encoding its request had to change: tool names that the upstream does not allow,
//! structured output that was asked for as a forced tool call, and tools of free text that went out as functions.

use super::free::FreeText;
use crate::{
    dialects::Encoded,
    model::{
        CallKind, Delta, Event, Finish, FinishReason, PartContent, PartKey, PartKind, Request, Response, Str, Tool,
        ToolCall,
    },
};

/// Restores what [`Encoded`] says was changed.
#[derive(Debug, Default)]
pub struct Restorer {
    renamed: Vec<(Str, Str)>,
    json_tool: Option<Str>,
    /// Calls of the JSON tool that are open as text.
    texts: Vec<PartKey>,
    other_calls: bool,
    /// The client's tools of free text. Where an upstream has none, it calls them as functions of one string.
    free: Vec<Str>,
    /// Such calls that are open.
    unwrapping: Vec<(PartKey, FreeText)>,
}

impl Restorer {
    /// A restorer for the answer to a request and what it was encoded to.
    pub fn new(request: &Request, encoded: &Encoded) -> Self {
        let free = request.tools.iter().filter_map(|tool| match tool {
            Tool::Custom { name, .. } => Some(name.clone()),
            _ => None,
        });
        Self {
            renamed: encoded.renamed_tools.clone(),
            json_tool: encoded.json_tool.clone(),
            free: free.collect(),
            ..Self::default()
        }
    }

    /// True if there is nothing to restore.
    pub fn is_idle(&self) -> bool {
        self.renamed.is_empty() && self.json_tool.is_none() && self.free.is_empty()
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
                    if self.is_wrapped(call) {
                        call.kind = CallKind::Custom;
                        self.unwrapping.push((start.part, FreeText::default()));
                    }
                }
            }
            Event::Delta { part, delta } => {
                let Delta::Args(text) = delta else { return };
                if self.texts.contains(part) {
                    *delta = Delta::Text(std::mem::take(text));
                } else if let Some((_, free)) = self.unwrapping.iter_mut().find(|(key, _)| key == part) {
                    *text = free.feed(text);
                }
            }
            Event::PartEnd(part) => self.unwrapping.retain(|(key, _)| key != part),
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
                    if self.is_wrapped(call) {
                        call.kind = CallKind::Custom;
                        call.args = FreeText::default().feed(&call.args);
                    }
                }
            }
            if texts {
                unmask(&mut candidate.finish, calls);
            }
        }
    }
}

impl Restorer {
    /// Whether a call of a tool of free text came as that of a function.
    fn is_wrapped(&self, call: &ToolCall) -> bool {
        call.kind == CallKind::Function && self.free.contains(&call.name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Candidate, Losses, Part, PartStart, RawJson};

    fn restorer() -> Restorer {
        let tool = |name| Tool::Custom { name: Str::from_static(name), description: None, format: None };
        let request = Request { tools: vec![tool("write.sql")], ..Request::default() };
        Restorer::new(
            &request,
            &Encoded {
                body: bytes::Bytes::new(),
                losses: Losses::default(),
                headers: Vec::new(),
                renamed_tools: vec![(Str::from_static("write_sql_1"), Str::from_static("write.sql"))],
                json_tool: None,
            },
        )
    }

    fn call(name: &'static str, args: &'static str) -> ToolCall {
        let name = Str::from_static(name);
        ToolCall { id: Str::from_static("c"), name, kind: CallKind::Function, args: Str::from_static(args) }
    }

    #[test]
    fn a_tool_of_free_text_that_was_called_as_a_function_is_unwrapped() {
        let mut restorer = restorer();
        let part = PartKey(3);
        let kind = PartKind::ToolCall(call("write_sql_1", ""));
        let mut start = Event::PartStart(Box::new(PartStart { candidate: 0, part, kind }));
        restorer.event(&mut start);
        let Event::PartStart(start) = start else { unreachable!() };
        let PartKind::ToolCall(begun) = start.kind else { panic!("it stays a call") };
        assert_eq!((&*begun.name, begun.kind), ("write.sql", CallKind::Custom));
        let mut said = String::new();
        for piece in ["{\"in", "put\": \"SELECT \\", "\"a\\\" \\u00", "e4\"", "}"] {
            let mut event = Event::Delta { part, delta: Delta::Args(Str::from_static(piece)) };
            restorer.event(&mut event);
            let Event::Delta { delta: Delta::Args(text), .. } = event else { panic!("it stays a delta") };
            said.push_str(&text);
        }
        assert_eq!(said, "SELECT \"a\" ä");
    }

    #[test]
    fn whole_answers_are_unwrapped_too_and_functions_are_left_alone() {
        let part = |call| Part::new(PartContent::ToolCall(call));
        let parts = vec![part(call("write_sql_1", r#"{"input":"x\ny"}"#)), part(call("other", r#"{"input":"z"}"#))];
        let finish = Finish::new(FinishReason::ToolCalls);
        let logprobs: Option<RawJson> = None;
        let candidates = vec![Candidate { index: 0, parts, finish, logprobs }];
        let mut response = Response { candidates, ..Response::default() };
        restorer().response(&mut response);
        let calls: Vec<_> = response.candidates[0]
            .parts
            .iter()
            .filter_map(|part| match &part.content {
                PartContent::ToolCall(call) => Some((call.kind, &*call.args)),
                _ => None,
            })
            .collect();
        assert_eq!(calls, [(CallKind::Custom, "x\ny"), (CallKind::Function, r#"{"input":"z"}"#)]);
    }
}
