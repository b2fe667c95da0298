//! The request that a case repeats, rendered once.

use serde_json::{Value, json};

use super::options::Options;
use crate::dialect::Dialect;

const SYSTEM: &str = "You answer briefly.";
const QUESTION: &str = "Say in three sentences what a reverse proxy does and what it costs for each request. ";
/// Repeated to fill large bodies; its escapes keep a gateway from treating the text as one plain run.
const FILLER: &str = "Sphinx of black quartz, \"judge\" my vow;\nthe five boxing wizards jump quickly. ";

/// Renders head and body of the chat request.
pub(super) fn chat(options: &Options) -> Vec<u8> {
    let body = body(options).to_string();
    let mut bytes = head(options, "application/json", body.len());
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// Renders the head of a request with a body of `length` bytes.
pub(super) fn head(options: &Options, content_type: &str, length: usize) -> Vec<u8> {
    let version = match options.dialect {
        Dialect::Anthropic => "anthropic-version: 2023-06-01\r\n",
        Dialect::Openai | Dialect::Gemini => "",
    };
    let extra: String = options.headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: bench-load/1\r\naccept: */*\r\ncontent-type: {content_type}\r\n\
         authorization: Bearer {}\r\n{version}{extra}content-length: {length}\r\n\r\n",
        options.url.path, options.url.addr, options.key,
    )
    .into_bytes()
}

fn body(options: &Options) -> Value {
    let (model, stream) = (&options.model, options.stream);
    let mut text = QUESTION.to_owned();
    while text.len() < options.body_bytes {
        text.push_str(FILLER);
    }
    match options.dialect {
        Dialect::Openai => {
            let messages = json!([{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]);
            let mut body = json!({"model": model, "stream": stream});
            if stream {
                body["stream_options"] = json!({"include_usage": true});
            }
            body["temperature"] = json!(0.2);
            body["max_tokens"] = json!(1024);
            body["messages"] = messages;
            body
        }
        Dialect::Anthropic => json!({
            "model": model, "max_tokens": 1024, "stream": stream, "system": SYSTEM,
            "messages": [{"role": "user", "content": text}],
        }),
        Dialect::Gemini => json!({
            "systemInstruction": {"parts": [{"text": SYSTEM}]},
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"temperature": 0.2},
        }),
    }
}
