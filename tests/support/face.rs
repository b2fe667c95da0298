//! The dialects as a client and an upstream write them, in their plainest form.

use serde_json::{Value, json};

use super::{Ask, Script};

/// A dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    OpenAi,
    Anthropic,
    Gemini,
    Responses,
}

// === impl Face ===

impl Face {
    pub(crate) const ALL: &'static [Self] = &[Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Responses];

    /// Each dialect as client with each as upstream.
    pub(crate) fn pairs() -> impl Iterator<Item = (Self, Self)> {
        Self::ALL.iter().flat_map(|client| Self::ALL.iter().map(|upstream| (*client, *upstream)))
    }

    /// The provider of the tests that speaks it.
    pub(crate) fn provider(self) -> &'static str {
        match self {
            Self::OpenAi => "up-openai",
            Self::Anthropic => "up-anthropic",
            Self::Gemini => "up-gemini",
            Self::Responses => "up-responses",
        }
    }

    /// The header in which it carries a key, and the key as it stands there.
    pub(crate) fn credential(self, key: &str) -> (&'static str, String) {
        match self {
            Self::OpenAi | Self::Responses => ("authorization", format!("Bearer {key}")),
            Self::Anthropic => ("x-api-key", key.to_owned()),
            Self::Gemini => ("x-goog-api-key", key.to_owned()),
        }
    }

    /// The target at which a model is asked, at the gateway and at an upstream alike.
    pub(crate) fn target(self, model: &str, streamed: bool) -> String {
        let model = model.replace('/', "%2F");
        match (self, streamed) {
            (Self::OpenAi, _) => "/v1/chat/completions".to_owned(),
            (Self::Anthropic, _) => "/v1/messages".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// A request of one user text.
    pub(crate) fn ask(self, model: &str, text: &str, streamed: bool) -> Ask {
        let mut body = match self {
            Self::OpenAi => json!({"model": model, "messages": [{"role": "user", "content": text}]}),
            Self::Anthropic => {
                json!({"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": text}]})
            }
            Self::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
            Self::Responses => json!({"model": model, "input": text}),
        };
        if streamed && self != Self::Gemini {
            body["stream"] = json!(true);
        }
        let ask = Ask::post(&self.target(model, streamed), &body);
        if self == Self::Anthropic { ask.header("anthropic-version", "2023-06-01") } else { ask }
    }

    /// A whole answer of one text, as an upstream writes it.
    pub(crate) fn whole(self, text: &str) -> String {
        let body = match self {
            Self::OpenAi => json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "m-real",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
            }),
            Self::Anthropic => json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m-real",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 11, "output_tokens": 7},
            }),
            Self::Gemini => json!({
                "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}],
                "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
                "modelVersion": "m-real", "responseId": "r-1",
            }),
            Self::Responses => response("completed", &json!([message(text)])),
        };
        body.to_string()
    }

    /// The frames before the first text of a stream.
    pub(crate) fn opening(self) -> Vec<String> {
        match self {
            Self::OpenAi => vec![chat(&json!({"role": "assistant", "content": ""}), None)],
            Self::Anthropic => vec![
                named(&json!({"type": "message_start", "message": {
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "m-real", "content": [],
                    "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 11, "output_tokens": 1}}})),
                named(
                    &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                ),
            ],
            Self::Gemini => Vec::new(),
            Self::Responses => vec![
                named(
                    &json!({"type": "response.created", "sequence_number": 0, "response": response("in_progress", &json!([]))}),
                ),
                named(&json!({"type": "response.output_item.added", "sequence_number": 1, "output_index": 0,
                    "item": {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}})),
                named(&json!({"type": "response.content_part.added", "sequence_number": 2, "item_id": "msg_1",
                    "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}})),
            ],
        }
    }

    /// The frame of a piece of text.
    pub(crate) fn word(self, text: &str) -> String {
        match self {
            Self::OpenAi => chat(&json!({"content": text}), None),
            Self::Anthropic => named(&json!({
                "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})),
            Self::Gemini => gemini(&json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0})),
            Self::Responses => named(&json!({
                "type": "response.output_text.delta", "sequence_number": 3, "item_id": "msg_1", "output_index": 0,
                "content_index": 0, "delta": text, "logprobs": []})),
        }
    }

    /// The frames after the last text of a stream.
    pub(crate) fn closing(self) -> Vec<String> {
        match self {
            Self::OpenAi => vec![chat(&json!({}), Some("stop")), "data: [DONE]\n\n".to_owned()],
            Self::Anthropic => vec![
                named(&json!({"type": "content_block_stop", "index": 0})),
                named(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                    "usage": {"output_tokens": 7}})),
                named(&json!({"type": "message_stop"})),
            ],
            Self::Gemini => vec![gemini(&json!({
                "content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}))],
            Self::Responses => vec![named(&json!({
                "type": "response.completed", "sequence_number": 4, "response": response("completed", &json!([]))}))],
        }
    }

    /// A whole stream.
    pub(crate) fn stream(self, words: &[&str]) -> Vec<String> {
        let mut frames = self.opening();
        frames.extend(words.iter().map(|word| self.word(word)));
        frames.extend(self.closing());
        frames
    }

    /// An answer of one text in the form that was asked for.
    pub(crate) fn script(self, text: &str, streamed: bool) -> Script {
        if streamed { Script::events(&self.stream(&[text])) } else { Script::json(200, &self.whole(text)) }
    }

    /// An error body, as an upstream writes it.
    pub(crate) fn failure(self, status: u16, message: &str) -> String {
        match self {
            Self::OpenAi | Self::Responses => {
                json!({"error": {"message": message, "type": "server_error", "param": null, "code": null}})
            }
            Self::Anthropic => json!({"type": "error", "error": {"type": "api_error", "message": message}}),
            Self::Gemini => json!({"error": {"code": status, "message": message, "status": "INTERNAL"}}),
        }
        .to_string()
    }

    /// The frame of an error in the middle of a stream.
    pub(crate) fn failure_frame(self, message: &str) -> String {
        let body = self.failure(500, message);
        if self == Self::Anthropic { format!("event: error\ndata: {body}\n\n") } else { format!("data: {body}\n\n") }
    }

    /// The text of a whole answer: all that a reader is to see of the first candidate.
    pub(crate) fn text(self, answer: &Value) -> String {
        match self {
            Self::OpenAi => spoken(&answer["choices"][0]["message"]),
            Self::Anthropic => content(&answer["content"]),
            Self::Gemini => content(&answer["candidates"][0]["content"]["parts"]),
            Self::Responses => {
                let items = answer["output"].as_array().cloned().unwrap_or_default();
                let messages = items.iter().filter(|item| item["type"] == "message");
                let parts = messages.filter_map(|item| item["content"].as_array()).flatten();
                parts.map(spoken_part).collect()
            }
        }
    }

    /// The text of a stream, or of a part of one.
    pub(crate) fn streamed_text(self, sse: &str) -> String {
        let pieces = data(sse).into_iter().map(|event| match self {
            Self::OpenAi => {
                let choices = event["choices"].as_array().cloned().unwrap_or_default();
                let first = choices.iter().filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
                first.map(|choice| spoken(&choice["delta"])).collect()
            }
            Self::Anthropic if event["type"] == "content_block_start" => content(&event["content_block"]),
            Self::Anthropic => content(&event["delta"]["text"]),
            Self::Gemini => content(&event["candidates"][0]["content"]["parts"]),
            Self::Responses
                if event["type"] == "response.output_text.delta" || event["type"] == "response.refusal.delta" =>
            {
                content(&event["delta"])
            }
            Self::Responses => String::new(),
        });
        pieces.collect()
    }

    /// Whether a stream ended as this dialect ends one.
    pub(crate) fn is_complete(self, sse: &str) -> bool {
        match self {
            Self::OpenAi => sse.trim_end().ends_with("data: [DONE]"),
            Self::Anthropic => sse.contains("event: message_stop"),
            Self::Gemini => sse.contains("\"finishReason\""),
            Self::Responses => sse.contains("event: response.completed") || sse.contains("event: response.incomplete"),
        }
    }

    /// The kind and message of an error body; fails if it is not of this dialect's shape.
    pub(crate) fn error(self, body: &Value) -> (String, String) {
        let error = &body["error"];
        let (kind, whole) = match self {
            Self::OpenAi | Self::Responses => {
                (&error["type"], ["message", "type", "param", "code"].iter().all(|m| error.get(m).is_some()))
            }
            Self::Anthropic => (&error["type"], body["type"] == "error"),
            Self::Gemini => (&error["status"], error["code"].is_u64()),
        };
        let strings = kind.as_str().zip(error["message"].as_str()).filter(|_| whole);
        let (kind, message) = strings.unwrap_or_else(|| panic!("{body} must be an error of {self:?}"));
        (kind.to_owned(), message.to_owned())
    }

    /// The error event that a stream has, if it has one.
    pub(crate) fn stream_error(self, sse: &str) -> Option<(String, String)> {
        // Said twice in this dialect: in the error's own event, and in the last one.
        if self == Self::Responses {
            let failed = data(sse).into_iter().find(|event| event["type"] == "response.failed")?;
            let error = &failed["response"]["error"];
            let strings = error["code"].as_str().zip(error["message"].as_str());
            return strings.map(|(code, message)| (code.to_owned(), message.to_owned()));
        }
        let event = data(sse).into_iter().find(|event| event.get("error").is_some())?;
        Some(self.error(&event))
    }
}

/// The JSON data of the events of a stream.
pub(crate) fn data(sse: &str) -> Vec<Value> {
    let lines = sse.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
}

/// The text of content, whichever way a dialect writes it: a string, a part, or a list of either.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(self::content).collect(),
        Value::Object(part) if part.get("thought").is_some_and(|thought| thought == true) => String::new(),
        Value::Object(part) => part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// What a Chat message or delta says, be it an answer or a refusal.
fn spoken(message: &Value) -> String {
    content(&message["content"]) + &content(&message["refusal"])
}

/// What a part of a Responses message says, be it an answer or a refusal.
fn spoken_part(part: &Value) -> String {
    content(&part["text"]) + &content(&part["refusal"])
}

fn message(text: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn response(status: &str, output: &Value) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status, "model": "m-real",
        "error": null, "incomplete_details": null, "output": output, "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}})
}

fn chat(delta: &Value, finish: Option<&str>) -> String {
    let event = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m-real",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    });
    format!("data: {event}\n\n")
}

fn named(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("every event here has a type"))
}

fn gemini(candidate: &Value) -> String {
    let event = json!({"candidates": [candidate], "modelVersion": "m-real", "responseId": "r-1",
        "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}});
    format!("data: {event}\n\n")
}
