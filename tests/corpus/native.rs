//! A client of the recorded dialect: what it sends and gets is what was recorded, byte for byte.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Case, Cut, Stage, cases, stage};
use crate::support::{Ask, Face, client::contains};

/// Replays every fitting case of a folder; the answer goes out whole and in pieces.
async fn replay(folder: &str) {
    let (_, face) = *super::FOLDERS.iter().find(|(own, _)| *own == folder).expect("the folder must be in the table");
    let cases = cases(folder, face);
    for cut in [Cut::Whole, Cut::Bytes, Cut::Random] {
        let Stage { gateway, upstream, turn } = stage(&cases, face, cut).await;
        let mut wrong = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            turn.store(index, Ordering::Relaxed);
            let before = upstream.seen().len();
            let ask =
                Ask::new("POST", &case.target).header("content-type", "application/json").body(case.request.clone());
            let answer = gateway.ask(&ask.header("anthropic-version", "2023-06-01")).await;
            let seen = upstream.seen();
            match seen.get(before) {
                Some(seen) => wrong.extend(objection(case, face, &seen.body, answer.status(), &answer.body)),
                None => wrong.push(format!("{}: not forwarded: {} {:?}", case.name, answer.status(), answer.body)),
            }
        }
        assert!(wrong.is_empty(), "{cut:?}: every case of {folder} must pass untouched:\n{}", wrong.join("\n"));
        gateway.still_serves().await;
    }
}

fn objection(case: &Case, face: Face, seen: &Bytes, status: u16, body: &Bytes) -> Option<String> {
    let asked_for_usage = seen != &case.request;
    if digest(&without_insertion(&case.request, seen, face)) != digest(&case.request) {
        return Some(format!("{}: the request was changed", case.name));
    }
    // A refusal of the key that the gateway holds is the gateway's failure, whatever status it came with.
    if status == 502 && ["API_KEY_INVALID", "invalid_api_key"].iter().any(|code| contains(&case.response, code)) {
        return None;
    }
    // A stream of nothing but an error is a failed attempt.
    if status >= 400 && case.is_sse && contains(&case.response, "event: error") {
        return None;
    }
    if status != case.status {
        return Some(format!("{}: status {} became {status}: {body:?}", case.name, case.status));
    }
    if body != &case.response && !(asked_for_usage && is_usage_taken_out(&case.response, body)) {
        let at = body.iter().zip(&case.response).take_while(|(a, b)| a == b).count();
        return Some(format!("{}: the answer differs at {at} of {}", case.name, case.response.len()));
    }
    None
}

/// The forwarded request without the request for usage that the gateway may put into a chat stream.
fn without_insertion(sent: &Bytes, seen: &Bytes, face: Face) -> Bytes {
    if face != Face::OpenAi || seen.len() <= sent.len() {
        return seen.clone();
    }
    let before = sent.iter().zip(seen).take_while(|(a, b)| a == b).count();
    let inserted = seen.slice(before..before + seen.len() - sent.len());
    if !contains(&inserted, "include_usage") {
        return seen.clone();
    }
    [sent.slice(..before), seen.slice(before + inserted.len()..)].concat().into()
}

/// Whether an answer is the recorded one without one run of bytes, which has usage and no choices.
fn is_usage_taken_out(recorded: &Bytes, relayed: &Bytes) -> bool {
    let Some(removed) = recorded.len().checked_sub(relayed.len()) else { return false };
    let before = recorded.iter().zip(relayed).take_while(|(a, b)| a == b).count();
    let (gone, rest) = (recorded.slice(before..before + removed), recorded.slice(before + removed..));
    relayed.ends_with(&rest) && contains(&gone, "\"usage\"") && contains(&gone, "\"choices\":[]")
}

fn digest(bytes: &Bytes) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[tokio::test]
async fn recorded_anthropic_traffic_passes_untouched() {
    replay("anthropic").await;
}

#[tokio::test]
async fn recorded_gemini_traffic_passes_untouched() {
    replay("gemini").await;
}

#[tokio::test]
async fn recorded_openai_traffic_passes_untouched() {
    replay("openai-chat").await;
}

#[tokio::test]
async fn recorded_openai_compatible_traffic_passes_untouched() {
    replay("openai-compat").await;
}

#[tokio::test]
async fn recorded_groq_traffic_passes_untouched() {
    replay("groq").await;
}

#[tokio::test]
async fn recorded_mistral_traffic_passes_untouched() {
    replay("mistral").await;
}

#[tokio::test]
async fn recorded_responses_traffic_passes_untouched() {
    replay("openai-responses").await;
}
