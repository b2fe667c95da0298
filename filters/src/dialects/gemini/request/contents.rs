//! Reads `contents` and `systemInstruction`.

use serde_json::value::RawValue;

use super::decode::{parse, turn};
use crate::dialects::gemini::{
    parts::{self, Mint, raw_json},
    wire::{self, Pairs, Text, lend_opt, list, slice},
};
use crate::model::{ErrorInfo, Part, PartContent, RawJson, Role, Str, ToolResult, Turn};

/// Decodes the conversation.
pub(super) fn decode(whole: &Str, raw: &RawValue) -> Result<Vec<Turn>, ErrorInfo> {
    let mut reader = Reader { whole, mint: Mint::new(Str::from_static("request")), open: Vec::new() };
    let contents = elements("/contents", raw)?;
    let mut turns = Vec::with_capacity(contents.len());
    for (at, raw) in contents.into_iter().enumerate() {
        let pointer = format!("/contents/{at}");
        let content: wire::Content<'_> = parse(&pointer, raw.get())?;
        let role = match content.role.as_ref().map(|role| role.0.as_ref()) {
            None | Some("user" | "function" | "") => Role::User,
            Some("model") => Role::Assistant,
            Some(other) => {
                let message = format!("unknown role `{other}`, use `user` or `model`");
                return Err(ErrorInfo::invalid(format!("{pointer}/role"), message));
            }
        };
        turns.push(turn(role, reader.parts(&pointer, &content)?));
    }
    Ok(turns)
}

/// Decodes system text.
pub(super) fn decode_system(whole: &Str, raw: &RawValue) -> Result<Vec<Part>, ErrorInfo> {
    let pointer = "/systemInstruction";
    if raw.get().starts_with('"') {
        let text: Text<'_> = parse(pointer, raw.get())?;
        return Ok(vec![Part::text(slice(whole, &text.0))]);
    }
    let content: wire::Content<'_> = parse(pointer, raw.get())?;
    let mut reader = Reader { whole, mint: Mint::default(), open: Vec::new() };
    let parts = reader.parts(pointer, &content)?;
    if let Some(at) = parts.iter().position(|part| part.as_text().is_none()) {
        return Err(ErrorInfo::invalid(format!("{pointer}/parts/{at}"), "a system instruction holds only text parts"));
    }
    Ok(parts)
}

fn elements<'a>(pointer: &str, raw: &'a RawValue) -> Result<Vec<&'a RawValue>, ErrorInfo> {
    list(Some(raw))
        .map_err(|problem| ErrorInfo::invalid(pointer.to_owned(), format!("`{pointer}` cannot be read: {problem}")))
}

/// A call that waits for its result.
struct OpenCall {
    name: Str,
    id: Str,
    /// The wire gave no id: the result is found by name and order.
    minted: bool,
}

struct Reader<'w> {
    whole: &'w Str,
    mint: Mint,
    open: Vec<OpenCall>,
}

impl Reader<'_> {
    fn parts(&mut self, pointer: &str, content: &wire::Content<'_>) -> Result<Vec<Part>, ErrorInfo> {
        let pointer = format!("{pointer}/parts");
        let Some(raw) = content.parts else { return Ok(Vec::new()) };
        let elements = elements(&pointer, raw)?;
        let mut decoded = Vec::with_capacity(elements.len());
        for (at, raw) in elements.into_iter().enumerate() {
            let pointer = format!("{pointer}/{at}");
            let part: wire::Part<'_> = parse(&pointer, raw.get())?;
            decoded.push(self.part(&pointer, raw, &part)?);
        }
        Ok(decoded)
    }

    fn part(&mut self, pointer: &str, raw: &RawValue, part: &wire::Part<'_>) -> Result<Part, ErrorInfo> {
        if let Some(response) = &part.function_response {
            return self.result(pointer, response);
        }
        let decoded = parts::decode(self.whole, raw, part, &mut self.mint).ok_or_else(|| {
            let message = "unknown kind of part, send `text`, `inlineData`, `fileData`, `functionCall`, \
                           `functionResponse`, `executableCode` or `codeExecutionResult`";
            ErrorInfo::invalid(pointer.to_owned(), message)
        })?;
        if let (PartContent::ToolCall(call), Some(wire)) = (&decoded.content, &part.function_call) {
            if wire.args.is_some_and(|args| !args.get().starts_with('{')) {
                let message = "`args` must be an object, one member per argument";
                return Err(ErrorInfo::invalid(format!("{pointer}/functionCall/args"), message));
            }
            let minted = wire.id.as_ref().is_none_or(|id| id.0.is_empty());
            self.open.push(OpenCall { name: call.name.clone(), id: call.id.clone(), minted });
        }
        Ok(decoded)
    }

    fn result(&mut self, pointer: &str, response: &wire::FunctionResponse<'_>) -> Result<Part, ErrorInfo> {
        let name = lend_opt(self.whole, response.name.as_ref()).filter(|name| !name.is_empty());
        let id = lend_opt(self.whole, response.id.as_ref()).filter(|id| !id.is_empty());
        let call = self.answered(id.as_ref(), name.as_ref());
        let mut result = ToolResult { call, name, parts: Vec::new(), json: None, is_error: false };
        if let Some(raw) = response.response {
            let pairs: Pairs<'_> = parse(&format!("{pointer}/functionResponse/response"), raw.get())?;
            result.json = Some(raw_json(self.whole, raw));
            let (text, is_error) = self.outcome(raw, &pairs);
            result.is_error = is_error;
            result.parts.push(Part::text(text));
        }
        let Some(raw) = response.parts else { return Ok(Part::new(PartContent::ToolResult(result))) };
        for (at, raw) in elements(&format!("{pointer}/functionResponse/parts"), raw)?.into_iter().enumerate() {
            let pointer = format!("{pointer}/functionResponse/parts/{at}");
            let part: wire::Part<'_> = parse(&pointer, raw.get())?;
            let media = parts::media(self.whole, &part).ok_or_else(|| {
                ErrorInfo::invalid(pointer, "a part of a function response is `inlineData` or `fileData`")
            })?;
            result.parts.push(Part::new(PartContent::Media(media)));
        }
        Ok(Part::new(PartContent::ToolResult(result)))
    }

    /// The call that a result answers: by id, else the first open one of the same name.
    fn answered(&mut self, id: Option<&Str>, name: Option<&Str>) -> Str {
        let by_id = id.and_then(|id| self.open.iter().position(|call| call.id == *id));
        let by_name = || self.open.iter().position(|call| (id.is_none() || call.minted) && Some(&call.name) == name);
        match by_id.or_else(by_name) {
            Some(at) => self.open.remove(at).id,
            None => id.cloned().unwrap_or_else(|| self.mint.id()),
        }
    }

    /// What a result says as text, and whether it is an error. SDKs wrap plain results in `result` or `output`.
    fn outcome(&self, raw: &RawValue, pairs: &Pairs<'_>) -> (Str, bool) {
        let [(name, value)] = pairs.0.as_slice() else { return (slice(self.whole, raw.get()), false) };
        let text = || match serde_json::from_str::<Text<'_>>(value.get()) {
            Ok(text) => slice(self.whole, &text.0),
            Err(_) => slice(self.whole, value.get()),
        };
        match name.as_ref() {
            "result" | "output" => (text(), false),
            "error" => (text(), true),
            _ => (slice(self.whole, raw.get()), false),
        }
    }
}

/// The raw form is kept for re-emission; it must be an object to be of use.
pub(super) fn object_of(json: Option<&RawJson>) -> Option<&str> {
    json.map(RawJson::as_str).filter(|json| json.starts_with('{'))
}
