//! A client of another dialect: it reads the text that was recorded, and the stream ends as its own dialect ends one.

use std::sync::atomic::Ordering;

use super::{Case, Cut, Stage, cases, stage};
use crate::support::{Answer, Face};

/// Reads every fitting answer of a folder by the other two dialects.
async fn replay(folder: &str) {
    let (_, upstream) =
        *super::FOLDERS.iter().find(|(own, _)| *own == folder).expect("the folder must be in the table");
    let mut cases = cases(folder, upstream);
    // The gateway asks for events, never for an array of them.
    cases.retain(|case| case.is_sse || !case.target.contains(":stream"));
    for cut in [Cut::Whole, Cut::Bytes, Cut::Random] {
        let Stage { gateway, turn, upstream: _upstream } = stage(&cases, upstream, cut).await;
        let mut wrong = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            turn.store(index, Ordering::Relaxed);
            for client in Face::ALL.iter().filter(|client| **client != upstream) {
                let answer = gateway.ask(&client.ask(&case.model, "hello", case.is_sse)).await;
                wrong.extend(objection(case, upstream, *client, &answer));
            }
        }
        assert!(wrong.is_empty(), "{cut:?}: every answer of {folder} must keep its meaning:\n{}", wrong.join("\n"));
        gateway.still_serves().await;
    }
}

fn objection(case: &Case, upstream: Face, client: Face, answer: &Answer) -> Option<String> {
    let name = &case.name;
    if case.status >= 400 || is_error_stream(case) {
        return told_as_error(case, client, answer);
    }
    if answer.status() != 200 {
        return Some(format!("{name} for {client:?}: came {}: {:?}", answer.status(), answer.body));
    }
    let recorded = std::str::from_utf8(&case.response).expect("a recorded answer must be text");
    let (expected, told) = if case.is_sse {
        // Some recordings hold several answers, one after the other: the first is the answer.
        let first = recorded.find("event: message_stop").map_or(recorded, |end| recorded.split_at(end).0);
        (upstream.streamed_text(first), client.streamed_text(answer.text()))
    } else {
        let recorded = serde_json::from_str(recorded).expect("a recorded answer must be JSON");
        (upstream.text(&recorded), client.text(&answer.json()))
    };
    if letters(&expected) != letters(&told) {
        return Some(format!("{name} for {client:?}: {expected:?} became {told:?}"));
    }
    let complete = !case.is_sse || client.is_complete(answer.text()) || !upstream.is_complete(recorded);
    (!complete).then(|| format!("{name} for {client:?}: the stream must end properly: {}", answer.text()))
}

/// Whether a stream of success has an error in it.
fn is_error_stream(case: &Case) -> bool {
    let text = std::str::from_utf8(&case.response).expect("a recorded answer must be text");
    case.is_sse && crate::support::face::data(text).iter().any(|event| event["error"].is_object())
}

fn told_as_error(case: &Case, client: Face, answer: &Answer) -> Option<String> {
    let told = if answer.status() == 200 {
        client.stream_error(answer.text()).is_some()
    } else {
        client.error(&answer.json());
        true
    };
    (!told).then(|| format!("{} for {client:?}: the error must be told: {:?}", case.name, answer.body))
}

/// Text without its spacing: parts of an answer may be joined in more than one way.
fn letters(text: &str) -> String {
    text.split_whitespace().collect()
}

#[tokio::test]
async fn recorded_anthropic_answers_are_told_in_other_dialects() {
    replay("anthropic").await;
}

#[tokio::test]
async fn recorded_gemini_answers_are_told_in_other_dialects() {
    replay("gemini").await;
}

#[tokio::test]
async fn recorded_openai_answers_are_told_in_other_dialects() {
    replay("openai-chat").await;
}

#[tokio::test]
async fn recorded_openai_compatible_answers_are_told_in_other_dialects() {
    replay("openai-compat").await;
}

#[tokio::test]
async fn recorded_groq_answers_are_told_in_other_dialects() {
    replay("groq").await;
}

#[tokio::test]
async fn recorded_mistral_answers_are_told_in_other_dialects() {
    replay("mistral").await;
}

#[tokio::test]
async fn recorded_responses_answers_are_told_in_other_dialects() {
    replay("openai-responses").await;
}
