//! Messages of a conversation, as they are written to an upstream: one function per kind of message and part.

use super::{
    super::{
        reasoning::{self, Reader},
        wire::Writer,
    },
    encode::Encoder,
    history::Message,
    media,
    offer::tool_name,
};
use crate::model::{
    CallKind, ErrorInfo, Family, Field, Media, MediaClass, MediaSource, Opaque, Part, PartContent, Str, ToolCall,
    ToolResult, Turn,
};

/// What stands for the answer to a call that the history does not answer.
const NO_RESULT: &str = "ERROR: no result of this call was recorded";

impl Encoder<'_> {
    /// Writes the leading instructions, if there are any.
    pub(super) fn instructions(&mut self, parts: &[Part], list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let parts: Vec<_> = parts.iter().collect();
        let texts = self.expand(&parts)?;
        if texts.is_empty() {
            return Ok(());
        }
        let mut message = Writer::object(list.element());
        message.str("role", if self.developer { "developer" } else { "system" });
        self.content(&texts, &mut message)?;
        message.end();
        Ok(())
    }

    /// Writes the messages of the conversation.
    pub(super) fn messages(&mut self, messages: &[Message<'_>], list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        // What results hold besides text goes into one message of the person's, behind the last of them.
        let mut beside: Vec<&Part> = Vec::new();
        for message in messages {
            if !matches!(message, Message::Result { .. }) {
                self.beside(&mut beside, list)?;
            }
            match message {
                Message::System(parts) => self.instructions(parts, list)?,
                Message::User { parts, name } => self.user(parts, *name, list)?,
                Message::Assistant(turn) => self.assistant(turn, list)?,
                Message::Result { call, result } => beside.extend(self.result(call, *result, list)),
                Message::Orphan(result) => self.orphan(result, list),
            }
        }
        self.beside(&mut beside, list)
    }

    fn beside(&mut self, parts: &mut Vec<&Part>, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        if parts.is_empty() {
            return Ok(());
        }
        self.losses.approx(Field::ToolResult);
        self.user(&std::mem::take(parts), None, list)
    }

    fn user(&mut self, parts: &[&Part], name: Option<&Str>, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let parts = self.expand(parts)?;
        if parts.is_empty() {
            return Ok(());
        }
        let mut message = Writer::object(list.element());
        message.str("role", "user");
        message.maybe_str("name", name.map(tool_name).as_deref());
        self.content(&parts, &mut message)?;
        message.end();
        Ok(())
    }

    /// Writes `content`: a string where one text is all there is, else a list of parts.
    fn content(&mut self, parts: &[Sendable<'_>], message: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        if let [Sendable::Text { text, cached }] = parts
            && !(*cached && self.cache_member().is_some())
        {
            message.str("content", text);
            return Ok(());
        }
        let all_text = parts.iter().all(|part| matches!(part, Sendable::Text { .. }));
        if all_text && self.target.has_quirk("flat_content") {
            let texts: Vec<&str> = parts.iter().filter_map(Sendable::as_text).collect();
            message.str("content", &texts.join("\n\n"));
            return Ok(());
        }
        let mut content = message.list("content");
        for part in parts {
            let mut object = Writer::object(content.element());
            match part {
                Sendable::Text { text, cached } => {
                    object.str("type", "text");
                    object.str("text", text);
                    self.cache(*cached, &mut object);
                }
                Sendable::Media { media, cached } => {
                    media::write(media, &mut object)?;
                    self.cache(*cached, &mut object);
                }
            }
            object.end();
        }
        content.end();
        Ok(())
    }

    /// The member by which this upstream takes cache breakpoints, with its value. Most cache by themselves.
    fn cache_member(&self) -> Option<(&'static str, &'static str)> {
        if self.target.has_quirk("cache_control") {
            Some(("cache_control", r#"{"type":"ephemeral"}"#))
        } else if self.target.has_quirk("prompt_cache_breakpoint") {
            Some(("prompt_cache_breakpoint", r#"{"mode":"explicit"}"#))
        } else {
            None
        }
    }

    pub(super) fn cache(&self, cached: bool, object: &mut Writer<'_>) {
        if let (true, Some((name, value))) = (cached, self.cache_member()) {
            object.raw(name, value);
        }
    }

    /// What of a person's parts is to be sent: documents of text become text, empty texts vanish.
    fn expand<'p>(&mut self, parts: &[&'p Part]) -> Result<Vec<Sendable<'p>>, ErrorInfo> {
        let mut sendable = Vec::with_capacity(parts.len());
        for part in parts {
            let cached = part.cache.is_some();
            match &part.content {
                PartContent::Text(text) | PartContent::Refusal(text) if text.is_empty() => {}
                PartContent::Text(text) | PartContent::Refusal(text) => {
                    sendable.push(Sendable::Text { text: text.clone(), cached });
                }
                PartContent::Media(media) => match media::document_text(media) {
                    Some(text) => {
                        self.losses.approx(Field::Document);
                        sendable.push(Sendable::Text { text, cached });
                    }
                    None => sendable.push(Sendable::Media { media, cached }),
                },
                PartContent::Reasoning(_) => self.losses.drop(Field::ReasoningHistory),
                PartContent::ServerCall(_) | PartContent::ServerResult(_) => self.losses.drop(Field::ServerTool),
                PartContent::ToolCall(_) | PartContent::ToolResult(_) | PartContent::Unknown { .. } => {
                    self.losses.drop(Field::Messages);
                }
            }
        }
        Ok(sendable)
    }

    fn assistant(&mut self, turn: &Turn, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        let said = Said::of(turn);
        self.note_unsaid(turn, &said);
        if said.is_empty() {
            return Ok(());
        }
        let mut message = Writer::object(list.element());
        message.str("role", "assistant");
        message.maybe_str("name", turn.name.as_ref().map(tool_name).as_deref());
        self.thinking(turn, &mut message);
        match &said.texts[..] {
            [] => message.raw("content", if said.calls.is_empty() { "\"\"" } else { "null" }),
            // One string, because few servers take lists from an assistant.
            texts => message.str("content", &texts.concat()),
        }
        if !said.refusals.is_empty() {
            message.str("refusal", &said.refusals.concat());
        }
        if let Some(id) = said.audio {
            let mut audio = message.nested("audio");
            audio.str("id", id);
            audio.end();
        }
        if self.target.has_quirk("thought_signature_in") {
            let state: Vec<_> = said.text_state.iter().filter_map(|opaque| self.target.sealer.unwrap(opaque)).collect();
            write_signature(&state, &mut message);
        } else if !said.text_state.is_empty() {
            self.losses.drop(Field::Signature);
        }
        if !said.calls.is_empty() {
            let mut calls = message.list("tool_calls");
            for (part, call) in said.calls {
                self.call(part, call, &mut calls);
            }
            calls.end();
        }
        message.end();
        Ok(())
    }

    /// Notes what a turn of the model's holds that this dialect cannot say.
    fn note_unsaid(&mut self, turn: &Turn, said: &Said<'_>) {
        for part in &turn.parts {
            match &part.content {
                PartContent::ServerCall(_) | PartContent::ServerResult(_) => self.losses.drop(Field::ServerTool),
                PartContent::Media(media) if media.class == MediaClass::Audio && said.audio.is_some() => {}
                PartContent::Media(_) => self.losses.drop(Field::Image),
                PartContent::Unknown { .. } | PartContent::ToolResult(_) => self.losses.drop(Field::Messages),
                _ => {}
            }
        }
    }

    /// Earlier thinking: only to upstreams that ask for it. Others refuse it, or bill it for nothing.
    fn thinking(&mut self, turn: &Turn, message: &mut Writer<'_>) {
        let thoughts: Vec<_> = turn
            .parts
            .iter()
            .filter_map(|part| match &part.content {
                PartContent::Reasoning(reasoning) => Some(reasoning),
                _ => None,
            })
            .collect();
        if thoughts.is_empty() {
            return;
        }
        let text: String = thoughts.iter().filter_map(|thought| thought.text.as_deref()).collect();
        if self.target.has_quirk("reasoning_details_in") {
            let mut details = message.list("reasoning_details");
            for (index, thought) in (0..).zip(&thoughts) {
                let state: Vec<_> =
                    thought.opaque.iter().filter_map(|opaque| self.target.sealer.unwrap(opaque)).collect();
                let text = thought.text.as_deref().unwrap_or_default();
                reasoning::write_detail(&mut details, index, text, &state, Reader::Upstream);
            }
            details.end();
        } else if self.target.has_quirk("reasoning_content_in") {
            if !text.is_empty() {
                message.str("reasoning_content", &text);
            }
        } else {
            self.losses.drop(Field::ReasoningHistory);
        }
    }

    fn call(&mut self, part: &Part, call: &ToolCall, calls: &mut Writer<'_>) {
        let mut object = Writer::object(calls.element());
        object.str("id", &self.call_id(&call.id));
        let name = tool_name(&call.name);
        match call.kind {
            CallKind::Function => {
                object.str("type", "function");
                let mut function = object.nested("function");
                function.str("name", &name);
                function.str("arguments", if call.args.trim().is_empty() { "{}" } else { &call.args });
                function.end();
            }
            CallKind::Custom => {
                object.str("type", "custom");
                let mut custom = object.nested("custom");
                custom.str("name", &name);
                custom.str("input", &call.args);
                custom.end();
            }
        }
        if self.target.has_quirk("thought_signature_in") {
            let state: Vec<_> = part.opaque.iter().filter_map(|opaque| self.target.sealer.unwrap(opaque)).collect();
            write_signature(&state, &mut object);
        } else if !part.opaque.is_empty() {
            self.losses.drop(Field::Signature);
        }
        object.end();
    }

    /// Writes the answer to a call; gives the parts that a `tool` message cannot hold.
    fn result<'p>(&mut self, call: &Str, result: Option<&'p ToolResult>, list: &mut Writer<'_>) -> Vec<&'p Part> {
        let mut message = Writer::object(list.element());
        message.str("role", "tool");
        message.str("tool_call_id", &self.call_id(call));
        let (text, beside) =
            result.map_or_else(|| (NO_RESULT.to_owned(), Vec::new()), |result| self.result_text(result));
        message.str("content", &text);
        message.end();
        beside
    }

    /// A result that answers no call of the history: the model still gets to read it.
    fn orphan(&mut self, result: &ToolResult, list: &mut Writer<'_>) {
        let (text, _) = self.result_text(result);
        let mut message = Writer::object(list.element());
        message.str("role", "user");
        message.str("content", &format!("[result of the tool call {}] {text}", result.call));
        message.end();
    }

    fn result_text<'p>(&mut self, result: &'p ToolResult) -> (String, Vec<&'p Part>) {
        let mut text = String::new();
        let mut beside = Vec::new();
        if result.is_error {
            self.losses.approx(Field::ToolError);
            text.push_str("ERROR: ");
        }
        for part in &result.parts {
            match &part.content {
                PartContent::Text(words) => text.push_str(words),
                PartContent::Media(media) => match media::document_text(media) {
                    Some(words) => text.push_str(&words),
                    None => beside.push(part),
                },
                _ => self.losses.drop(Field::ToolResult),
            }
        }
        if let (true, Some(json)) = (result.parts.is_empty(), &result.json) {
            text.push_str(json.as_str());
        }
        (text, beside)
    }
}

/// A part that can stand in `content`.
#[derive(Debug)]
enum Sendable<'a> {
    Text { text: Str, cached: bool },
    Media { media: &'a Media, cached: bool },
}

impl Sendable<'_> {
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Media { .. } => None,
        }
    }
}

/// What the model said in a turn, by the member that it goes to.
#[derive(Default)]
struct Said<'a> {
    texts: Vec<&'a str>,
    refusals: Vec<&'a str>,
    calls: Vec<(&'a Part, &'a ToolCall)>,
    audio: Option<&'a str>,
    text_state: Vec<&'a Opaque>,
}

impl<'a> Said<'a> {
    fn of(turn: &'a Turn) -> Self {
        let mut said = Self::default();
        for part in &turn.parts {
            match &part.content {
                PartContent::Text(text) => {
                    said.texts.extend((!text.is_empty()).then_some(&**text));
                    said.text_state.extend(&part.opaque);
                }
                PartContent::Refusal(text) => said.refusals.push(text),
                PartContent::ToolCall(call) => said.calls.push((part, call)),
                PartContent::Media(Media { source: MediaSource::File { family: Family::OpenAi, id }, .. }) => {
                    said.audio = Some(id);
                }
                _ => {}
            }
        }
        said
    }

    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.refusals.is_empty() && self.calls.is_empty() && self.audio.is_none()
    }
}

/// Gemini's signature, to an upstream that is Gemini behind this dialect.
fn write_signature(state: &[Opaque], object: &mut Writer<'_>) {
    let own: Vec<_> = state.iter().filter(|opaque| opaque.family == Family::Gemini).cloned().collect();
    reasoning::write_extra(object, &own, Reader::Upstream);
}
