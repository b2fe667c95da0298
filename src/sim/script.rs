//! What an answer is made of, as events, and when each comes.

use lockgate_filters::model::{
    CallKind, Delta, ErrorClass, ErrorInfo, Event, Family, Finish, FinishReason, Opaque, OpaqueKind, OutputFormat,
    PartContent, PartKey, PartKind, PartStart, Request, Role, Start, Str, Tool, ToolCall, ToolChoice, Usage,
};
use serde_json::{Value, json};

use super::{
    behaviour::{Behaviour, Break, Calls, Ending},
    invent::invent,
};

/// Most calls of one answer.
const MAX_CALLS: usize = 4;

/// A step of an answer: its events, and whether a pause comes before it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) paced: bool,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Send(Vec<Event>),
    Cut,
    Stall,
}

/// Writes the script of an answer.
pub(super) fn write(request: &Request, behaviour: &Behaviour, family: Family, id: Str) -> Vec<Step> {
    let mut writer = Writer { steps: Vec::new(), next: 0, pieces: 0, behaviour, words: 0 };
    let prompt = last_text(request);
    let input = (prompt.len() as u64 / 4).max(1) + 3 * request.turns.len() as u64;
    let start = Start {
        id,
        model: request.model.clone(),
        created: 0,
        usage: Some(Usage { input_uncached: input, ..Usage::default() }),
    };
    writer.send(vec![Event::Start(Box::new(start))]);
    if behaviour.think {
        writer.think(&prompt, family);
    }
    let thought = writer.words;
    let reason = writer.answer(request, &prompt);
    let usage = Usage {
        input_uncached: input,
        output_visible: (writer.words - thought).max(1),
        output_reasoning: thought,
        ..Usage::default()
    };
    writer.end(reason, usage)
}

/// The last thing that the user said.
fn last_text(request: &Request) -> String {
    let users = request.turns.iter().rev().filter(|turn| turn.role == Role::User);
    users
        .map(|turn| {
            turn.parts.iter().filter_map(|part| part.as_text().map(|text| &**text)).collect::<Vec<_>>().join("\n")
        })
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The last tool result, if the conversation ends with one.
fn last_result(request: &Request) -> Option<String> {
    let results = request.turns.last()?.parts.iter().rev().find_map(|part| match &part.content {
        PartContent::ToolResult(result) => Some(result),
        _ => None,
    })?;
    let text: Vec<&str> = results.parts.iter().filter_map(|part| part.as_text().map(|text| &**text)).collect();
    Some(match &results.json {
        Some(json) if text.is_empty() => json.as_str().to_owned(),
        _ => text.concat(),
    })
}

struct Writer<'a> {
    steps: Vec<Step>,
    next: u32,
    /// Pieces of text sent so far.
    pieces: usize,
    behaviour: &'a Behaviour,
    words: u64,
}

impl Writer<'_> {
    fn send(&mut self, events: Vec<Event>) {
        self.steps.push(Step { paced: false, action: Action::Send(events) });
    }

    fn open(&mut self, kind: PartKind) -> PartKey {
        let part = PartKey(self.next);
        self.next += 1;
        self.send(vec![Event::PartStart(Box::new(PartStart { candidate: 0, part, kind }))]);
        part
    }

    /// Says `text` word by word in a part.
    fn say(&mut self, part: PartKey, text: &str) {
        let mut words: Vec<&str> = text.split_inclusive(' ').collect();
        if let Some(chunks) = self.behaviour.chunks {
            words = words.into_iter().cycle().take(chunks).collect();
        }
        for word in words {
            self.breaks();
            self.words += 1;
            self.pieces += 1;
            let events = vec![Event::Delta { part, delta: Delta::Text(Str::from(word)) }];
            self.steps.push(Step { paced: true, action: Action::Send(events) });
        }
    }

    /// Breaks off if it is time to.
    fn breaks(&mut self) {
        let Some((at, kind)) = self.behaviour.break_at else { return };
        if at != self.pieces {
            return;
        }
        let action = match kind {
            Break::Cut => Action::Cut,
            Break::Stall => Action::Stall,
            Break::Error => {
                let error = ErrorInfo::new(ErrorClass::Overloaded, "sim: an error in the stream, as asked");
                Action::Send(vec![Event::Error(Box::new(error)), Event::End])
            }
        };
        self.steps.push(Step { paced: true, action });
    }

    fn think(&mut self, prompt: &str, family: Family) {
        let part = self.open(PartKind::Reasoning);
        let chunks = self.behaviour.chunks;
        let thought = format!("Thinking about: {prompt}");
        for word in thought.split_inclusive(' ') {
            self.words += 1;
            let events = vec![Event::Delta { part, delta: Delta::Text(Str::from(word)) }];
            self.steps.push(Step { paced: chunks.is_some(), action: Action::Send(events) });
        }
        let kind = match family {
            Family::Gemini => OpaqueKind::ThoughtSignature,
            Family::Anthropic | Family::Bedrock => OpaqueKind::Signature,
            _ => OpaqueKind::Encrypted,
        };
        let data = Str::from_static("c2ltLXNpZ25hdHVyZS1vZi10aGlzLXRob3VnaHQ=");
        let opaque = Opaque { family, kind, model: None, id: None, data };
        self.send(vec![Event::Delta { part, delta: Delta::Opaque(Box::new(opaque)) }, Event::PartEnd(part)]);
    }

    fn answer(&mut self, request: &Request, prompt: &str) -> FinishReason {
        if let Some(result) = last_result(request).filter(|_| self.behaviour.calls != Calls::None) {
            self.text(PartKind::Text, &format!("tool said: {result}"));
            return FinishReason::Stop;
        }
        let most = match self.behaviour.calls {
            Calls::None => 0,
            Calls::First => 1,
            Calls::All => MAX_CALLS,
        };
        let mut called = false;
        for tool in request.tools.iter().filter(|tool| is_chosen(&request.tool_choice, tool)).take(most) {
            called |= self.call(tool, prompt);
        }
        if called {
            return FinishReason::ToolCalls;
        }
        match self.behaviour.ending {
            Ending::Refusal => {
                self.text(PartKind::Refusal, "I must decline, as asked.");
                return FinishReason::Refusal;
            }
            Ending::Filter => return FinishReason::ContentFilter,
            Ending::Length | Ending::Stop => {}
        }
        let text = if self.behaviour.json { json_answer(request, prompt) } else { prompt.to_owned() };
        let most = request.limits.max_output.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let whole: Vec<&str> = text.split_inclusive(' ').collect();
        let said = whole.iter().take(most).copied().collect::<String>();
        self.text(PartKind::Text, &said);
        if self.behaviour.ending == Ending::Length || (whole.len() > most && !self.behaviour.json) {
            FinishReason::Length
        } else {
            FinishReason::Stop
        }
    }

    fn text(&mut self, kind: PartKind, text: &str) {
        let part = self.open(kind);
        self.say(part, text);
        self.send(vec![Event::PartEnd(part)]);
    }

    fn call(&mut self, tool: &Tool, prompt: &str) -> bool {
        let (name, kind, args) = match tool {
            Tool::Function { name, schema, .. } => {
                let schema = schema.as_ref().map_or_else(|| json!({}), lockgate_filters::model::RawJson::to_value);
                let args = match invent(&schema, prompt) {
                    Value::Object(args) => Value::Object(args).to_string(),
                    _ => "{}".to_owned(),
                };
                (name, CallKind::Function, args)
            }
            // Free text is what the user said.
            Tool::Custom { name, .. } => (name, CallKind::Custom, prompt.to_owned()),
            _ => return false,
        };
        let id = Str::from(format!("call_sim{}", self.next));
        let call = ToolCall { id, name: name.clone(), kind, args: Str::new() };
        let part = self.open(PartKind::ToolCall(call));
        self.words += 1;
        // In two pieces, as models do.
        let half = (0..=args.len() / 2).rev().find(|at| args.is_char_boundary(*at)).unwrap_or(0);
        let (first, second) = args.split_at(half);
        for piece in [first, second] {
            let events = vec![Event::Delta { part, delta: Delta::Args(Str::from(piece)) }];
            self.steps.push(Step { paced: true, action: Action::Send(events) });
        }
        self.send(vec![Event::PartEnd(part)]);
        true
    }

    fn end(mut self, reason: FinishReason, usage: Usage) -> Vec<Step> {
        self.breaks();
        self.send(vec![
            Event::Finish { candidate: 0, finish: Box::new(Finish::new(reason)) },
            Event::Usage(Box::new(usage)),
            Event::End,
        ]);
        self.steps
    }
}

/// Whether the client lets a tool be called.
fn is_chosen(choice: &ToolChoice, tool: &Tool) -> bool {
    let (Tool::Function { name, .. } | Tool::Custom { name, .. }) = tool else { return false };
    match choice {
        ToolChoice::None => false,
        ToolChoice::Named(chosen) => chosen == name,
        ToolChoice::Allowed { names, .. } => names.contains(name),
        _ => true,
    }
}

fn json_answer(request: &Request, prompt: &str) -> String {
    match &request.output.format {
        OutputFormat::JsonSchema { schema, .. } => invent(&schema.to_value(), prompt).to_string(),
        _ => json!({"echo": prompt}).to_string(),
    }
}
