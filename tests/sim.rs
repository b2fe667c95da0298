//! The built-in simulator: what its documentation says of each word is what happens, in each dialect.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Answer, Ask, Config, Face, Gateway};

async fn gateway() -> Gateway {
    Gateway::start(Config::new().timeout("first_event", "600ms").timeout("between_events", "600ms")).await
}

/// The providers that reach the simulator: one that speaks the client's dialect, and one for each dialect.
const PROVIDERS: &[&str] = &["sim", "sim-openai", "sim-openai-responses", "sim-anthropic", "sim-gemini", "sim-bedrock"];

fn cases() -> impl Iterator<Item = (Face, &'static str)> {
    Face::ALL.iter().flat_map(|face| PROVIDERS.iter().map(|provider| (*face, *provider)))
}

#[tokio::test]
async fn echo_repeats_word_by_word() {
    let gateway = gateway().await;
    for (face, provider) in cases() {
        let text = "caf\u{e9} \"quoted\" \u{1f600} \n tail";
        let model = format!("{provider}/echo");
        let whole = gateway.ask(&face.ask(&model, text, false)).await.expect_status(200);
        assert_eq!(face.text(&whole.json()), text, "{face:?} of {provider}: the text must come back");
        let streamed = gateway.ask(&face.ask(&model, text, true)).await.expect_status(200);
        assert_eq!(face.streamed_text(streamed.text()), text, "{face:?} of {provider}: the text must come back");
        assert!(face.is_complete(streamed.text()), "{face:?} of {provider}: the stream must end properly");
    }
}

#[tokio::test]
async fn simulator_says_the_same_thing_every_time() {
    let gateway = gateway().await;
    for (face, _) in cases().filter(|(_, provider)| *provider == "sim") {
        let ask = face.ask("sim/think+echo", "the same", true);
        let (one, two) = (gateway.ask(&ask).await, gateway.ask(&ask).await);
        assert_eq!(face.streamed_text(one.text()), face.streamed_text(two.text()), "{face:?}: the text must not vary");
        assert_eq!(one.body.len(), two.body.len(), "{face:?}: nothing may vary but ids");
    }
}

#[tokio::test]
async fn chunks_and_pace_are_as_asked() {
    let gateway = gateway().await;
    for (face, provider) in cases() {
        let start = Instant::now();
        let answer =
            gateway.ask(&face.ask(&format!("{provider}/chunks=5+pace=40"), "x", true)).await.expect_status(200);
        let took = start.elapsed();
        let texts = crate::support::face::data(answer.text());
        assert!(texts.len() >= 5, "{face:?} of {provider}: five pieces must come: {}", answer.text());
        assert!(took >= Duration::from_millis(150), "{face:?} of {provider}: the pace must be kept, it took {took:?}");
    }
}

#[tokio::test]
async fn errors_come_with_their_status() {
    let gateway = gateway().await;
    for (face, provider) in cases() {
        for status in [400, 404, 422, 429, 500] {
            let answer = gateway.ask(&face.ask(&format!("{provider}/error={status}"), "x", false)).await;
            assert_eq!(answer.status(), status, "{face:?} of {provider}: the status must come: {:?}", answer.body);
            face.error(&answer.json());
        }
    }
}

#[tokio::test]
async fn broken_streams_end_with_an_error() {
    let gateway = gateway().await;
    for (face, provider) in cases() {
        for word in ["error-at=2", "cut=2", "stall=2"] {
            let answer = gateway.ask(&face.ask(&format!("{provider}/echo+{word}"), "one two three four", true)).await;
            let case = format!("{face:?} of {provider}/echo+{word}");
            assert_eq!(answer.status(), 200, "{case}: the stream must begin");
            assert!(face.streamed_text(answer.text()).starts_with("one two"), "{case}: two pieces: {}", answer.text());
            assert!(face.stream_error(answer.text()).is_some(), "{case}: it must break: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn answers_that_are_none_are_bad_gateways() {
    let gateway = gateway().await;
    for (face, provider) in cases() {
        for word in ["lie=html", "lie=empty", "lie=garbage", "lie=error200", "cut=0"] {
            let answer = gateway.ask(&face.ask(&format!("{provider}/{word}"), "x", true)).await;
            let status = answer.status();
            assert!((500..=504).contains(&status), "{face:?} of {provider}/{word}: came {status} {:?}", answer.body);
            face.error(&answer.json());
        }
        let silent = gateway.ask(&face.ask(&format!("{provider}/stall=0"), "x", true)).await;
        assert_eq!(silent.status(), 504, "{face:?} of {provider}: silence is a timeout");
    }
}

#[tokio::test]
async fn tools_are_called_and_their_results_told() {
    let gateway = gateway().await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    for provider in PROVIDERS {
        for (word, calls) in [("tools", 1), ("parallel", 2)] {
            let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": schema, "description": "d"}});
            let body = json!({
                "model": format!("{provider}/{word}"), "messages": [{"role": "user", "content": "go"}],
                "tools": [tool("weather"), tool("clock")],
            });
            let answer = gateway.ask(&Ask::post("/v1/chat/completions", &body)).await.expect_status(200).json();
            let choice = &answer["choices"][0];
            assert_eq!(choice["finish_reason"], "tool_calls", "{provider}/{word} must call: {answer}");
            let made = choice["message"]["tool_calls"].as_array().expect("there are calls");
            assert_eq!(made.len(), calls, "{provider}/{word} must call that many tools: {answer}");
            let arguments = made[0]["function"]["arguments"].as_str().expect("arguments are text");
            let arguments: Value = serde_json::from_str(arguments).expect("arguments must be JSON");
            assert!(arguments["city"].is_string(), "{provider}/{word}: arguments must fit the schema: {arguments}");
            let mut next = body.clone();
            let messages = next["messages"].as_array_mut().expect("there are messages");
            messages.push(choice["message"].clone());
            messages
                .extend(made.iter().map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "rain"})));
            let told = gateway.ask(&Ask::post("/v1/chat/completions", &next)).await.expect_status(200).json();
            let text = Face::OpenAi.text(&told);
            assert!(text.contains("tool said: rain"), "{provider}/{word}: the result must be told: {text}");
        }
    }
}

#[tokio::test]
async fn endings_are_told_in_each_dialect() {
    let gateway = gateway().await;
    let reason = |face: Face, answer: &Answer| {
        let body = answer.json();
        let reason = match face {
            Face::OpenAi => &body["choices"][0]["finish_reason"],
            Face::Anthropic => &body["stop_reason"],
            Face::Gemini => &body["candidates"][0]["finishReason"],
            Face::Responses if body["status"] == "incomplete" => &body["incomplete_details"]["reason"],
            Face::Responses => &body["status"],
        };
        reason.as_str().unwrap_or_default().to_owned()
    };
    for (face, provider) in cases() {
        for (word, [open_ai, anthropic, gemini, responses]) in [
            ("echo", ["stop", "end_turn", "STOP", "completed"]),
            ("echo+length", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"]),
            ("echo+filter", ["content_filter", "refusal", "SAFETY", "content_filter"]),
        ] {
            let expected = match face {
                Face::OpenAi => open_ai,
                Face::Anthropic => anthropic,
                Face::Gemini => gemini,
                Face::Responses => responses,
            };
            let answer = gateway.ask(&face.ask(&format!("{provider}/{word}"), "hello there", false)).await;
            assert_eq!(reason(face, &answer), expected, "{face:?} of {provider}/{word}: {:?}", answer.body);
        }
    }
}

#[tokio::test]
async fn thinking_comes_before_the_text() {
    let gateway = gateway().await;
    for provider in PROVIDERS {
        let mut ask = json!({"model": format!("{provider}/think+echo"), "max_tokens": 4000, "stream": true,
            "messages": [{"role": "user", "content": "deep"}]});
        ask["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
        let answer = gateway.ask(&Ask::post("/v1/messages", &ask)).await.expect_status(200);
        let sse = answer.text();
        let (thought, text) = (sse.find("thinking_delta"), sse.find("text_delta"));
        assert!(thought.is_some() && thought < text, "{provider}: the thinking must come first: {sse}");
        let thoughts = crate::support::face::data(sse);
        let thoughts: String = thoughts.iter().filter_map(|event| event["delta"]["thinking"].as_str()).collect();
        assert!(thoughts.contains("Thinking about: deep"), "{provider}: the thinking must be readable: {thoughts}");
    }
}

#[tokio::test]
async fn unknown_words_are_told_with_the_known_ones() {
    let gateway = gateway().await;
    for face in Face::ALL.iter().copied() {
        let answer = gateway.ask(&face.ask("sim/ecko", "x", false)).await;
        assert!(matches!(answer.status(), 400 | 404), "an unknown word must be refused: {}", answer.status());
        let (_, message) = face.error(&answer.json());
        assert!(message.contains("echo"), "{face:?}: the words must be told: {message}");
    }
}
