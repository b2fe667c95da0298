//! Another dialect on the other side: what a client sees of it, and what it is told of losses.
//!
//! The meaning of every member is tested beside the codecs; here it is the whole way that counts.

use serde_json::{Value, json};

use crate::support::{Ask, Config, Face, Gateway, Upstream};

#[tokio::test]
async fn whole_answer_of_every_pair_is_told() {
    for (from, to) in Face::pairs() {
        let upstream = Upstream::start(move |_| to.script("the answer", false)).await;
        let gateway = Gateway::start(Config::to(&upstream)).await;
        let model = format!("{}/m", to.provider());
        let answer = gateway.ask(&from.ask(&model, "the question", false)).await.expect_status(200);
        assert_eq!(from.text(&answer.json()), "the answer", "{from:?} of {to:?} must tell the text");
        assert_eq!(answer.get("content-type"), Some("application/json"), "a whole answer is JSON");
        let seen = upstream.only();
        assert_eq!(seen.head.target(), to.target("m", false), "{to:?} must be asked at its own path");
        let body: Value = serde_json::from_slice(&seen.body).expect("a request must be JSON");
        let text = match to {
            Face::OpenAi | Face::Anthropic => &body["messages"][0]["content"],
            Face::Gemini => &body["contents"][0]["parts"][0]["text"],
            Face::Responses if body["input"].is_string() => &body["input"],
            Face::Responses => &body["input"][0]["content"],
        };
        let text = text.as_str().or_else(|| text[0]["text"].as_str());
        assert_eq!(text, Some("the question"), "{to:?} must be asked the question: {body}");
    }
}

#[tokio::test]
async fn usage_of_every_pair_is_told() {
    for (from, to) in Face::pairs() {
        let upstream = Upstream::start(move |_| to.script("the answer", false)).await;
        let gateway = Gateway::start(Config::to(&upstream)).await;
        let model = format!("{}/m", to.provider());
        let answer = gateway.ask(&from.ask(&model, "the question", false)).await.expect_status(200).json();
        let (input, output) = match from {
            Face::OpenAi => (&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]),
            Face::Anthropic | Face::Responses => (&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]),
            Face::Gemini => {
                (&answer["usageMetadata"]["promptTokenCount"], &answer["usageMetadata"]["candidatesTokenCount"])
            }
        };
        assert_eq!((input, output), (&json!(11), &json!(7)), "{from:?} of {to:?} must tell the usage");
    }
}

#[tokio::test]
async fn translated_answer_carries_the_name_that_the_client_used() {
    let upstream = Upstream::start(|_| Face::Anthropic.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream).model("nick", "up-anthropic/m-1")).await;
    let answer = gateway.ask(&Face::OpenAi.ask("nick", "hello", false)).await.expect_status(200);
    assert_eq!(answer.json()["model"], "nick", "clients compare the name with what they asked for");
    assert_eq!(answer.get("x-lockgate-model"), Some("m-1"), "the header names the upstream's model");
}

#[tokio::test]
async fn losses_are_named_and_strictness_turns_them_into_a_refusal() {
    let upstream = Upstream::start(|_| Face::Anthropic.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let body = json!({"model": "up-anthropic/m", "seed": 7, "messages": [{"role": "user", "content": "hello"}]});
    let ask = Ask::post("/v1/chat/completions", &body);
    let answer = gateway.ask(&ask).await.expect_status(200);
    let loss = answer.get("x-lockgate-loss").expect("a dropped member must be named");
    assert!(loss.contains("/seed=drop"), "the loss must name member and level: {loss}");
    let strict = gateway.ask(&ask.header("x-lockgate-strict", "true")).await.expect_status(400);
    let (_, message) = Face::OpenAi.error(&strict.json());
    assert!(message.contains("seed"), "the refusal must name the member: {message}");
    assert_eq!(upstream.seen().len(), 1, "a strict refusal must not reach the upstream");
}

#[tokio::test]
async fn same_dialect_loses_nothing() {
    let upstream = Upstream::start(|_| Face::OpenAi.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    let body =
        json!({"model": "up-openai/m", "seed": 7, "x_new": 1, "messages": [{"role": "user", "content": "hello"}]});
    let ask = Ask::post("/v1/chat/completions", &body).header("x-lockgate-strict", "true");
    let answer = gateway.ask(&ask).await.expect_status(200);
    assert_eq!(answer.get("x-lockgate-loss"), None, "nothing is lost where nothing is translated");
}

#[tokio::test]
async fn what_cannot_be_carried_is_refused_with_its_name() {
    let upstream = Upstream::start(|_| Face::Anthropic.script("fine", false)).await;
    let gateway = Gateway::start(Config::to(&upstream)).await;
    for (member, value) in [("n", json!(2)), ("logprobs", json!(true)), ("logit_bias", json!({"5": 1}))] {
        let mut body = json!({"model": "up-anthropic/m", "messages": [{"role": "user", "content": "hello"}]});
        body[member] = value;
        let answer = gateway.ask(&Ask::post("/v1/chat/completions", &body)).await.expect_status(400);
        let error = answer.json();
        let (kind, message) = Face::OpenAi.error(&error);
        assert_eq!(kind, "invalid_request_error", "{member}: the client must change its request");
        let named =
            error["error"]["param"].as_str().is_some_and(|param| param.contains(member)) || message.contains(member);
        assert!(named, "the refusal must name {member}: {error}");
    }
    assert!(upstream.seen().is_empty(), "a refused request must not reach the upstream");
}
