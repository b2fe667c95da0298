//! Messages and documents, as they are written to an upstream.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BytesMut;

use super::{
    super::{citations, documents, response::push_arguments, thinking, wire::Writer},
    encode::{Encoder, sent_name},
};
use crate::{
    conversation::{Message, Piece},
    json::push_raw_str,
    model::{
        ErrorInfo, Field, Media, MediaClass, MediaSource, Part, PartContent, RawJson, Role, Str, ToolCall, ToolResult,
    },
};

/// What stands for the answer to a call that the history does not answer.
const NO_RESULT: &str = "no result of this call was recorded";

/// The documents of a conversation, in their order. A message of nothing else keeps its own, as its words.
pub(super) fn documents_of<'m>(messages: &'m [Message<'_>]) -> Vec<(&'m Media, Str)> {
    let pieces = messages.iter().filter(|message| says_more(message)).flat_map(|message| &message.pieces);
    let document = |piece: &'m Piece<'_>| match &piece.part()?.content {
        PartContent::Media(media) if media.class == MediaClass::Document => Some((media, documents::text_of(media)?)),
        _ => None,
    };
    pieces.filter_map(document).collect()
}

/// Whether a message holds more than documents.
fn says_more(message: &Message<'_>) -> bool {
    message.pieces.iter().any(|piece| piece.part().is_none_or(|part| !is_document(part)))
}

/// Whether a part belongs beside the messages.
pub(super) fn is_document(part: &Part) -> bool {
    matches!(&part.content, PartContent::Media(media) if media.class == MediaClass::Document)
}

impl Encoder<'_> {
    /// Writes `messages`; `words` are instructions of the gateway's own.
    pub(super) fn messages(
        &mut self,
        messages: &[Message<'_>],
        words: Option<String>,
        body: &mut Writer<'_>,
    ) -> Result<(), ErrorInfo> {
        let mut list = body.list("messages");
        let mut system: Vec<Str> = self.request.system.iter().filter_map(text_of).cloned().collect();
        system.extend(words.map(Str::from));
        system.retain(|text| !text.is_empty());
        push_texts("system", &system, &mut list);
        for message in messages {
            match message.role {
                Role::System => push_texts("system", &texts_of(message), &mut list),
                Role::Assistant => self.assistant(message, &mut list),
                Role::User => self.user(message, &mut list)?,
            }
        }
        list.end();
        Ok(())
    }

    /// Results come first, a message each; then what the user says.
    fn user(&mut self, message: &Message<'_>, list: &mut Writer<'_>) -> Result<(), ErrorInfo> {
        if !says_more(message) {
            self.losses.approx(Field::Document);
            let texts = message.pieces.iter().filter_map(|piece| match &piece.part()?.content {
                PartContent::Media(media) => documents::text_of(media),
                _ => None,
            });
            push_texts("user", &texts.collect::<Vec<_>>(), list);
            return Ok(());
        }
        let mut said: Vec<&Part> = Vec::new();
        for piece in &message.pieces {
            match (piece, piece.part()) {
                (Piece::Unanswered { call, .. }, _) => push_error(call, NO_RESULT, list),
                (_, Some(Part { content: PartContent::ToolResult(result), .. })) => {
                    let beside = self.result(result, list);
                    if !beside.is_empty() {
                        // A tool's pictures are shown by the user, right behind its words.
                        self.losses.approx(Field::ToolResult);
                    }
                    said.extend(beside);
                }
                // Documents have a place of their own.
                (_, Some(part)) if is_document(part) => {}
                (_, Some(part)) => said.push(part),
                _ => {}
            }
        }
        match said.as_slice() {
            [] => return Ok(()),
            [only] if only.as_text().is_some() => {
                let text = only.as_text().cloned().into_iter().collect::<Vec<_>>();
                push_texts("user", &text, list);
                return Ok(());
            }
            _ => {}
        }
        let mut object = Writer::object(list.element());
        object.str("role", "user");
        let mut content = object.list("content");
        for part in said {
            match &part.content {
                PartContent::Media(media) => push_image(content.element(), media)?,
                _ => push_text(content.element(), text_of(part).map_or("", |text| text)),
            }
        }
        content.end();
        object.end();
        Ok(())
    }

    /// Writes a result; gives what of it the wire has no place for.
    fn result<'p>(&mut self, result: &'p ToolResult, list: &mut Writer<'_>) -> Vec<&'p Part> {
        let is_image =
            |part: &&Part| matches!(&part.content, PartContent::Media(media) if media.class != MediaClass::Document);
        let (beside, parts): (Vec<&Part>, Vec<&Part>) = result.parts.iter().partition(is_image);
        let texts = || parts.iter().filter_map(|part| text_of(part)).map(|text| &**text).collect::<Vec<_>>().join("\n");
        if result.is_error {
            self.losses.approx(Field::ToolError);
            push_error(&result.call, &texts(), list);
            return beside;
        }
        let mut object = Writer::object(list.element());
        object.str("role", "tool");
        object.str("tool_call_id", &result.call);
        let has_documents = parts.iter().any(|part| matches!(part.content, PartContent::Media(_)));
        match object_of(result.json.as_ref()).filter(|_| parts.is_empty()) {
            Some(json) => {
                let mut content = object.list("content");
                push_document(content.element(), |document| document.raw("data", json));
                content.end();
            }
            None if has_documents => {
                let mut content = object.list("content");
                for part in parts {
                    match &part.content {
                        PartContent::Media(media) => {
                            let text = documents::text_of(media).unwrap_or_default();
                            let mut wire = Writer::of_type(content.element(), "document");
                            documents::push(wire.member("document"), media, &text, true);
                            wire.end();
                        }
                        _ => push_text(content.element(), text_of(part).map_or("", |text| text)),
                    }
                }
                content.end();
            }
            None => object.str("content", &texts()),
        }
        object.end();
        beside
    }

    fn assistant(&mut self, message: &Message<'_>, list: &mut Writer<'_>) {
        let said = Said::of(message, !self.own);
        if said.is_empty() {
            return;
        }
        let mut object = Writer::object(list.element());
        object.str("role", "assistant");
        match said.content.as_slice() {
            [] => {}
            [(text, false)] => object.str("content", text),
            content => {
                let mut wire = object.list("content");
                for (text, is_thought) in content {
                    let kind = if *is_thought { "thinking" } else { "text" };
                    let mut block = Writer::of_type(wire.element(), kind);
                    block.str(kind, text);
                    block.end();
                }
                wire.end();
            }
        }
        if !said.plan.is_empty() {
            object.str("tool_plan", &said.plan.join("\n\n"));
        }
        if !said.calls.is_empty() {
            let mut calls = object.list("tool_calls");
            for call in &said.calls {
                push_call(call, &mut calls);
            }
            calls.end();
        }
        if !said.citations.is_empty() {
            let mut wire = object.list("citations");
            for citation in &said.citations {
                wire.element().extend_from_slice(citation.as_bytes());
            }
            wire.end();
        }
        object.end();
    }
}

fn push_call(call: &ToolCall, list: &mut Writer<'_>) {
    let mut object = Writer::object(list.element());
    object.str("id", &call.id);
    object.str("type", "function");
    let mut function = object.nested("function");
    function.str("name", &sent_name(&call.name));
    push_arguments(function.member("arguments"), call);
    function.end();
    object.end();
}

/// What the model said, sorted as the wire has it.
#[derive(Default)]
struct Said<'m> {
    plan: Vec<&'m str>,
    /// Words and thoughts in their order; true for a thought.
    content: Vec<(&'m str, bool)>,
    calls: Vec<&'m ToolCall>,
    citations: Vec<&'m str>,
}

impl<'m> Said<'m> {
    /// `planned` makes words before calls a plan: that is what this vendor's models say there.
    fn of(message: &'m Message<'_>, planned: bool) -> Self {
        let mut said = Self::default();
        for part in message.pieces.iter().filter_map(Piece::part) {
            match &part.content {
                PartContent::Text(text) | PartContent::Refusal(text) => {
                    said.content.push((text, false));
                    said.citations.extend(part.citations.iter().filter_map(citations::own));
                }
                PartContent::Reasoning(reasoning) => {
                    let text = reasoning.text.as_deref().unwrap_or_default();
                    if reasoning.opaque.iter().any(thinking::is_plan) {
                        said.plan.push(text);
                    } else {
                        said.content.push((text, true));
                    }
                }
                PartContent::ToolCall(call) => {
                    if planned && said.calls.is_empty() {
                        let words = |(text, thought): &(&'m str, bool)| (!thought).then_some(*text);
                        said.plan.extend(said.content.iter().filter_map(words));
                        said.content.retain(|(_, thought)| *thought);
                        said.citations.clear();
                    }
                    said.calls.push(call);
                }
                _ => {}
            }
        }
        said
    }

    fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.content.is_empty() && self.calls.is_empty()
    }
}

fn text_of(part: &Part) -> Option<&Str> {
    match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => Some(text),
        _ => None,
    }
}

fn texts_of(message: &Message<'_>) -> Vec<Str> {
    message.pieces.iter().filter_map(|piece| text_of(piece.part()?)).cloned().collect()
}

/// Writes a message of text: a string, or a list where there are several.
fn push_texts(role: &str, texts: &[Str], list: &mut Writer<'_>) {
    if texts.is_empty() {
        return;
    }
    let mut object = Writer::object(list.element());
    object.str("role", role);
    if let [text] = texts {
        object.str("content", text);
    } else {
        let mut content = object.list("content");
        for text in texts {
            push_text(content.element(), text);
        }
        content.end();
    }
    object.end();
}

fn push_text(out: &mut BytesMut, text: &str) {
    let mut block = Writer::of_type(out, "text");
    block.str("text", text);
    block.end();
}

fn push_document(out: &mut BytesMut, data: impl FnOnce(&mut Writer<'_>)) {
    let mut block = Writer::of_type(out, "document");
    let mut document = block.nested("document");
    data(&mut document);
    document.end();
    block.end();
}

/// Writes a result that tells an error: the wire has no mark for it, so the document's one member is its name.
fn push_error(call: &Str, text: &str, list: &mut Writer<'_>) {
    let mut object = Writer::object(list.element());
    object.str("role", "tool");
    object.str("tool_call_id", call);
    let mut content = object.list("content");
    push_document(content.element(), |document| {
        let mut data = document.nested("data");
        data.str("error", text);
        data.end();
    });
    content.end();
    object.end();
}

/// The text of a result that is an object.
fn object_of(json: Option<&RawJson>) -> Option<&str> {
    json.map(RawJson::as_str).filter(|json| json.trim_start().starts_with('{'))
}

fn push_image(out: &mut BytesMut, media: &Media) -> Result<(), ErrorInfo> {
    let mut block = Writer::of_type(out, "image_url");
    let mut image = block.nested("image_url");
    let mime = media.mime.as_deref().unwrap_or("image/png");
    match &media.source {
        MediaSource::Url(url) => image.str("url", url),
        MediaSource::Base64(data) => push_data_url(image.member("url"), mime, data),
        MediaSource::Bytes(bytes) => push_data_url(image.member("url"), mime, &STANDARD.encode(bytes)),
        _ => return Err(ErrorInfo::invalid("messages", "an image must be sent as a URL or as base64")),
    }
    image.maybe_str("detail", media.detail.as_deref());
    image.end();
    block.end();
    Ok(())
}

/// Appends a data URL as a JSON string, without building it first.
fn push_data_url(out: &mut BytesMut, mime: &str, data: &str) {
    out.extend_from_slice(b"\"data:");
    push_raw_str(out, mime);
    out.extend_from_slice(b";base64,");
    push_raw_str(out, data);
    out.extend_from_slice(b"\"");
}
