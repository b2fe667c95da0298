//! How much to think, next to what forbids it: forced tools, limits, sampling.

use lockgate_filters::model::{Field, ReasoningMode, Request, Str, ToolChoice};
use serde_json::Value;

use crate::support::{asking, dialect, encode_for, tool, user};

#[test]
fn pitfall_50_a_forced_tool_and_thinking_are_not_asked_for_together() {
    for (name, models) in [
        ("anthropic", ["claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5-5", "claude-3-5-haiku-20241022"]),
        (
            "bedrock_converse",
            [
                "anthropic.claude-sonnet-4-5-v1:0",
                "anthropic.claude-opus-4-6-v1",
                "us.anthropic.claude-opus-5-5-v1:0",
                "anthropic.claude-3-5-haiku-20241022-v1:0",
            ],
        ),
    ] {
        for (model, choice) in models.into_iter().flat_map(|model| {
            [ToolChoice::Required, ToolChoice::Named(Str::from_static("f"))].map(|choice| (model, choice))
        }) {
            let mut request = Request { tools: vec![tool("f")], tool_choice: choice, ..asking(vec![user("go")]) };
            request.limits.max_output = Some(8000);
            request.reasoning.mode = ReasoningMode::Budget(2000);
            let encoded = encode_for(dialect(name), model, &request).expect("it can be carried");
            let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
            let text = body.to_string();
            let forced = ["\"any\"", "\"tool\":{", "\"type\":\"tool\""].iter().any(|word| text.contains(word));
            let thinks = ["\"type\":\"enabled\"", "\"type\":\"adaptive\""].iter().any(|word| text.contains(word));
            assert!(!(forced && thinks), "{name}, {model}: {text}");
            let told = encoded.losses.iter().any(|loss| matches!(loss.field, Field::Reasoning | Field::ToolChoice));
            assert!(told, "{name}, {model}: one of the two is given up, and that is told");
        }
    }
}

#[test]
fn pitfall_51_a_budget_fits_under_the_limit_or_is_not_sent() {
    for (name, model, pointer, limit) in [
        ("anthropic", "claude-sonnet-4-5", "/thinking/budget_tokens", "/max_tokens"),
        (
            "bedrock_converse",
            "anthropic.claude-sonnet-4-5-v1:0",
            "/additionalModelRequestFields/thinking/budget_tokens",
            "/inferenceConfig/maxTokens",
        ),
    ] {
        for max_output in [None, Some(500), Some(1024), Some(1025), Some(4000), Some(1_000_000)] {
            for budget in [1, 1023, 1024, 4000, 63_999, 1_000_000] {
                let mut request = asking(vec![user("go")]);
                request.limits.max_output = max_output;
                request.reasoning.mode = ReasoningMode::Budget(budget);
                let encoded = encode_for(dialect(name), model, &request).expect("it can be carried");
                let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
                let sent = body.pointer(pointer).and_then(Value::as_u64);
                let most = body.pointer(limit).and_then(Value::as_u64).expect("there is a limit");
                let case = format!("{name}: {budget} within {max_output:?} became {sent:?} within {most}");
                assert!(sent.is_none_or(|sent| (1024..most).contains(&sent)), "{case}");
                assert!(most <= 64_000, "{case}: the model gives no more");
                let told = encoded.losses.iter().any(|loss| loss.field == Field::Reasoning);
                assert!(sent == Some(budget) || told, "{case}: what changed is told");
            }
        }
    }
}

#[test]
fn pitfall_52_models_get_the_sampling_that_they_take() {
    for (name, model, thinks, taken) in [
        ("anthropic", "claude-3-5-haiku-20241022", false, &["temperature", "top_p", "top_k"][..]),
        ("anthropic", "claude-sonnet-4-5", false, &["temperature", "top_k"]),
        ("anthropic", "claude-sonnet-4-5", true, &[]),
        ("anthropic", "claude-opus-4-8", false, &[]),
        ("anthropic", "claude-of-tomorrow", false, &[]),
        ("openai_chat", "gpt-4.1", false, &["temperature", "top_p"]),
        ("openai_chat", "o3", false, &[]),
        ("openai_chat", "gpt-5", false, &[]),
        ("openai_responses", "gpt-4.1", false, &["temperature", "top_p"]),
        ("openai_responses", "o3", false, &[]),
    ] {
        let mut request = asking(vec![user("go")]);
        (request.sampling.temperature, request.sampling.top_p) = (Some(0.5), Some(0.5));
        request.sampling.top_k = Some(5);
        if thinks {
            request.reasoning.mode = ReasoningMode::Budget(2000);
        }
        let encoded = encode_for(dialect(name), model, &request).expect("it can be carried");
        let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
        for (member, field) in [("temperature", Field::Temperature), ("top_p", Field::TopP), ("top_k", Field::TopK)] {
            let sent = body.get(member).is_some();
            assert_eq!(sent, taken.contains(&member), "{model}, thinking {thinks}: {member}");
            let told = encoded.losses.iter().any(|loss| loss.field == field);
            assert_eq!(told, !sent, "{model}, thinking {thinks}: {member}");
        }
    }
}
