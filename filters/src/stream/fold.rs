//! Folds a stream's events into the whole response that they amount to. What breaks the bound of the model's contract
//! on candidates is passed over, not made room for.

use crate::model::{
    Candidate, Delta, ErrorInfo, Event, Finish, FinishReason, MAX_CANDIDATES, Part, PartContent, PartKey, PartKind,
    PartStart, RawJson, Reasoning, Response, Str,
};

/// Collects events.
#[derive(Debug, Default)]
pub struct Folder {
    response: Response,
    parts: Vec<Folding>,
    finishes: Vec<(u32, Finish)>,
    logprobs: Vec<(u32, String)>,
    error: Option<Box<ErrorInfo>>,
}

#[derive(Debug)]
struct Folding {
    candidate: u32,
    key: PartKey,
    part: Part,
    text: String,
}

impl Folder {
    /// Takes an event.
    pub fn push(&mut self, event: &Event) {
        match event {
            Event::Start(start) => {
                self.response.id = start.id.clone();
                self.response.model = start.model.clone();
                self.response.created = start.created;
                self.response.usage = start.usage;
            }
            Event::PartStart(start) if start.candidate >= MAX_CANDIDATES => {}
            Event::PartStart(start) => self.start(start),
            Event::Delta { part, delta } => self.delta(*part, delta),
            Event::Usage(usage) => self.response.usage = Some(**usage),
            Event::Finish { candidate, .. } if *candidate >= MAX_CANDIDATES => {}
            Event::Finish { candidate, finish } => self.finishes.push((*candidate, (**finish).clone())),
            Event::Error(error) => {
                self.error.get_or_insert_with(|| error.clone());
            }
            Event::PartEnd(_) | Event::Ping | Event::End => {}
        }
    }

    fn start(&mut self, start: &PartStart) {
        let content = match &start.kind {
            PartKind::Text => PartContent::Text(Str::new()),
            PartKind::Refusal => PartContent::Refusal(Str::new()),
            PartKind::Reasoning => PartContent::Reasoning(Reasoning::default()),
            PartKind::Redacted(opaque) => {
                PartContent::Reasoning(Reasoning { text: None, redacted: true, opaque: vec![opaque.clone()] })
            }
            PartKind::ToolCall(call) => PartContent::ToolCall(call.clone()),
            PartKind::Whole(part) => {
                self.keep(start, part.clone());
                return;
            }
        };
        self.keep(start, Part::new(content));
    }

    fn keep(&mut self, start: &PartStart, part: Part) {
        self.parts.push(Folding { candidate: start.candidate, key: start.part, part, text: String::new() });
    }

    fn delta(&mut self, key: PartKey, delta: &Delta) {
        let Some(folding) = self.parts.iter_mut().rev().find(|folding| folding.key == key) else { return };
        match delta {
            Delta::Text(text) | Delta::Args(text) => folding.text.push_str(text),
            Delta::Opaque(opaque) => match &mut folding.part.content {
                PartContent::Reasoning(reasoning) => reasoning.opaque.push((**opaque).clone()),
                _ => folding.part.opaque.push((**opaque).clone()),
            },
            Delta::Citation(citation) => folding.part.citations.push((**citation).clone()),
            Delta::Logprobs(tokens) => {
                let candidate = folding.candidate;
                let inner = tokens.as_str().trim().trim_start_matches('[').trim_end_matches(']');
                match self.logprobs.iter_mut().find(|(of, _)| *of == candidate) {
                    Some((_, all)) => {
                        all.push(',');
                        all.push_str(inner);
                    }
                    None => self.logprobs.push((candidate, inner.to_owned())),
                }
            }
        }
    }

    /// The whole response.
    ///
    /// # Errors
    /// The error with which the stream ended, if it did.
    pub fn finish(self) -> Result<Response, Box<ErrorInfo>> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut response = self.response;
        let count = self.parts.iter().map(|folding| folding.candidate).chain(self.finishes.iter().map(|(of, _)| *of));
        let count = count.max().map_or(0, |last| last + 1);
        response.candidates = (0..count)
            .map(|index| Candidate {
                index,
                parts: Vec::new(),
                finish: finish_of(&self.finishes, index),
                logprobs: self.logprobs.iter().find(|(of, _)| *of == index).map(|(_, tokens)| {
                    RawJson::from_checked(Str::from(format!("{{\"content\":[{tokens}],\"refusal\":null}}")))
                }),
            })
            .collect();
        for folding in self.parts {
            let candidate = folding.candidate as usize;
            if let (Some(part), Some(candidate)) = (folding.complete(), response.candidates.get_mut(candidate)) {
                candidate.parts.push(part);
            }
        }
        Ok(response)
    }
}

fn finish_of(finishes: &[(u32, Finish)], index: u32) -> Finish {
    let found = finishes.iter().find(|(of, _)| *of == index);
    found.map_or_else(|| Finish::new(FinishReason::Other), |(_, finish)| finish.clone())
}

impl Folding {
    /// The part with its text in place; `None` if it came to nothing.
    fn complete(mut self) -> Option<Part> {
        let text = Str::from(self.text);
        match &mut self.part.content {
            PartContent::Text(slot) | PartContent::Refusal(slot) => {
                if text.is_empty() && self.part.opaque.is_empty() {
                    return None;
                }
                *slot = text;
            }
            PartContent::Reasoning(reasoning) if !reasoning.redacted => {
                if text.is_empty() && reasoning.opaque.is_empty() {
                    return None;
                }
                reasoning.text = Some(text);
            }
            PartContent::ToolCall(call) if !text.is_empty() => call.args = text,
            PartContent::ToolCall(call) if call.args.is_empty() && call.kind == crate::model::CallKind::Function => {
                call.args = Str::from_static("{}");
            }
            _ => {}
        }
        Some(self.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_beyond_the_bound_costs_nothing() {
        let mut folder = Folder::default();
        for candidate in [0, MAX_CANDIDATES, u32::MAX] {
            let start = PartStart { candidate, part: PartKey(candidate), kind: PartKind::Text };
            folder.push(&Event::PartStart(Box::new(start)));
            folder.push(&Event::Finish { candidate, finish: Box::new(Finish::new(FinishReason::Stop)) });
        }
        assert_eq!(folder.finish().expect("no error came").candidates.len(), 1);
    }
}
