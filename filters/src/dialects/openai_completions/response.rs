//! Whole answers, both ways.

use bytes::{Bytes, BytesMut};

use super::{
    finish, logprobs,
    wire::{Answer, Choice},
};
use crate::{
    dialects::{Reply, ResponseError},
    json::{Text, Writer},
    model::{Candidate, FilterError, Finish, FinishReason, Part, PartContent, RawJson, Response, Str},
    openai::{
        usage,
        wire::{Source, lenient},
    },
};

/// Decodes a whole answer.
pub(super) fn decode(body: &Bytes) -> Result<Response, ResponseError> {
    const WHAT: &str = "completion";
    let text = Str::try_from(body.clone()).map_err(|_| FilterError::NotUtf8)?;
    let source = Source::new(text);
    let answer: Answer<'_> =
        serde_json::from_str(source.as_str()).map_err(|cause| FilterError::malformed(WHAT, &cause))?;
    if let Some(error) = answer.error_in(source.as_str()) {
        return Err(error.into());
    }
    let choices = answer.choices.unwrap_or_default();
    if choices.is_empty() {
        return Err(FilterError::malformed(WHAT, &"no choices").into());
    }
    let text = |text: Option<Text<'_>>| text.map(|text| source.text(&text)).unwrap_or_default();
    Ok(Response {
        id: text(answer.id),
        created: answer.created.unwrap_or_default().0,
        model: text(answer.model),
        candidates: (0..).zip(choices).map(|(at, choice)| decode_choice(at, choice, &source)).collect(),
        usage: answer.usage.and_then(usage::decode),
        ..Response::default()
    })
}

fn decode_choice(at: u32, choice: Choice<'_>, source: &Source) -> Candidate {
    let index = choice.index.and_then(|index| u32::try_from(index.0).ok()).unwrap_or(at);
    let text = choice.text.filter(|text| !text.is_empty()).map(|text| Part::text(source.text(&text)));
    let word = choice.finish_reason.filter(|word| !word.is_empty()).map(|word| source.text(&word));
    let rows = logprobs::decode(choice.logprobs);
    let wrapped =
        |rows: RawJson| RawJson::from_checked(Str::from(format!("{{\"content\":{},\"refusal\":null}}", rows.as_str())));
    Candidate { index, parts: text.into_iter().collect(), finish: finish::decode(word), logprobs: rows.map(wrapped) }
}

/// Encodes a whole answer for a client.
pub(super) fn encode(response: &Response, reply: &Reply) -> Bytes {
    let mut out = BytesMut::with_capacity(512);
    let mut body = Writer::object(&mut out);
    body.str("id", if response.id.is_empty() { &reply.id } else { &response.id });
    body.str("object", "text_completion");
    body.u64("created", if response.created == 0 { reply.created } else { response.created });
    body.str("model", &reply.model);
    let mut choices = body.list("choices");
    for candidate in &response.candidates {
        encode_choice(candidate, &mut choices);
    }
    if response.candidates.is_empty() {
        // An answer without a choice breaks every client.
        let finish = Finish::new(FinishReason::Stop);
        encode_choice(&Candidate { index: 0, parts: Vec::new(), finish, logprobs: None }, &mut choices);
    }
    choices.end();
    if let Some(usage) = &response.usage {
        usage::encode(usage, body.member("usage"));
    }
    body.end();
    out.freeze()
}

fn encode_choice(candidate: &Candidate, choices: &mut Writer<'_>) {
    let texts = candidate.parts.iter().filter_map(|part| match &part.content {
        PartContent::Text(text) | PartContent::Refusal(text) => Some(&**text),
        // Thinking is no part of the text.
        _ => None,
    });
    let text: String = texts.collect();
    let refused = candidate.parts.iter().any(|part| matches!(part.content, PartContent::Refusal(_)));
    let mut choice = Writer::object(choices.element());
    choice.str("text", &text);
    choice.u64("index", candidate.index.into());
    match candidate.logprobs.as_ref().and_then(rows) {
        Some(rows) => logprobs::encode(rows, &mut 0, choice.member("logprobs")),
        None => choice.raw("logprobs", "null"),
    }
    choice.str("finish_reason", finish::word(candidate.finish.reason, refused));
    choice.end();
}

/// The rows in the model's log probabilities (`{"content":[…]}`).
fn rows(logprobs: &RawJson) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct Logprobs<'a> {
        #[serde(borrow)]
        content: Option<&'a serde_json::value::RawValue>,
    }
    let raw = serde_json::from_str(logprobs.as_str()).ok();
    let wire: Logprobs<'_> = lenient(raw)?;
    wire.content.map(serde_json::value::RawValue::get).filter(|rows| rows.starts_with('['))
}
