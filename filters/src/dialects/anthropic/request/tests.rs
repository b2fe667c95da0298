//! What encoding a request for this vendor must see to, fact by fact.

use serde_json::{Value, json};

use super::super::tests::{call, encode_for, sealer};
use crate::model::{
    CachePoint, Family, Field, LossLevel, Opaque, OpaqueKind, OutputFormat, Part, PartContent, RawJson, Reasoning,
    ReasoningMode, Request, Role, Str, Tool, ToolChoice, ToolResult, Turn,
};

fn encode(model: &str, request: &Request) -> Value {
    let encoded = encode_for(model, request).expect("the request can be carried");
    serde_json::from_slice(&encoded.body).expect("the body is JSON")
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts, name: None }
}

fn asking(turns: Vec<Turn>) -> Request {
    Request { model: Str::from_static("m"), turns, ..Request::default() }
}

fn result(id: &str, text: &str) -> Part {
    Part::new(PartContent::ToolResult(ToolResult {
        call: Str::from(id),
        name: None,
        parts: vec![Part::text(text)],
        json: None,
        is_error: false,
    }))
}

#[test]
fn max_tokens_has_a_default_from_the_profile() {
    let request = asking(vec![turn(Role::User, vec![Part::text("x")])]);
    assert_eq!(encode("claude-3-5-haiku-20241022", &request)["max_tokens"], 8192);
    assert_eq!(encode("claude-next", &request)["max_tokens"], 32_000);
}

#[test]
fn pitfall_22_and_23_and_26_results_come_first_in_call_order_and_missing_ones_are_made_up() {
    let request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, vec![call("a", ""), call("b", "{}"), call("c", "[1]")]),
        turn(Role::User, vec![Part::text("and"), result("c", "3")]),
        turn(Role::User, vec![result("a", "1"), result("z", "orphan")]),
    ]);
    let encoded = encode_for("claude-sonnet-4-5", &request).expect("can be repaired");
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    let calls = &body["messages"][1]["content"];
    assert_eq!(calls[0]["input"], json!({}), "empty arguments are an empty object");
    assert_eq!(calls[2]["input"], json!({"_raw":"[1]"}), "arguments are always an object");
    let answers = body["messages"][2]["content"].as_array().expect("a list");
    let ids: Vec<_> = answers.iter().map(|block| block["tool_use_id"].as_str().unwrap_or("-")).collect();
    assert_eq!(ids, ["a", "b", "c", "-", "-", "-"]);
    assert_eq!(answers[1]["is_error"], true);
    let losses: Vec<_> = encoded.losses.iter().map(|loss| loss.field).collect();
    assert!(losses.contains(&Field::ToolResult) && losses.contains(&Field::ToolArguments), "{losses:?}");
}

#[test]
fn pitfall_64_turns_of_one_role_are_merged_and_empties_dropped() {
    let request = asking(vec![
        turn(Role::User, vec![Part::text("a")]),
        turn(Role::Assistant, vec![Part::text("  ")]),
        turn(Role::User, vec![Part::text(""), Part::text("b")]),
    ]);
    let body = encode("claude-sonnet-4-5", &request);
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["messages"][0]["content"].as_array().map(Vec::len), Some(2));
}

#[test]
fn pitfall_43_and_44_foreign_and_sealed_state_never_reaches_the_vendor() {
    let state = |family, data: Str| Opaque { family, kind: OpaqueKind::Signature, model: None, id: None, data };
    let thinking = |opaque| {
        let reasoning = Reasoning { text: Some(Str::from_static("hm")), redacted: false, opaque: vec![opaque] };
        Part::new(PartContent::Reasoning(reasoning))
    };
    let foreign = state(Family::OpenAi, Str::from_static("theirs"));
    let sealed_foreign = state(Family::Anthropic, sealer().seal(&foreign));
    let own = state(Family::Anthropic, Str::from_static("ours"));
    let sealed_own = state(Family::OpenAi, sealer().seal(&own));
    let parts = [foreign, sealed_foreign, sealed_own].into_iter().map(thinking).chain([Part::text("a")]).collect();
    let request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, parts),
        turn(Role::User, vec![Part::text("y")]),
    ]);
    let content = encode("claude-sonnet-4-5", &request)["messages"][1]["content"].clone();
    let expected = json!([{"type":"thinking","thinking":"hm","signature":"ours"},{"type":"text","text":"a"}]);
    assert_eq!(content, expected);
}

#[test]
fn pitfall_50_a_forced_tool_switches_thinking_off() {
    let mut request = asking(vec![turn(Role::User, vec![Part::text("x")])]);
    request.reasoning.mode = ReasoningMode::Budget(2000);
    request.tools = vec![Tool::Function {
        name: Str::from_static("f"),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }];
    request.tool_choice = ToolChoice::Required;
    let body = encode("claude-sonnet-4-5", &request);
    assert_eq!((&body["thinking"]["type"], &body["tool_choice"]["type"]), (&json!("disabled"), &json!("any")));
    let body = encode("claude-opus-5-5", &request);
    assert_eq!(body["tool_choice"]["type"], "auto", "this model cannot be forced");
}

#[test]
fn pitfall_51_and_52_budgets_fit_under_the_limit() {
    let mut request = asking(vec![turn(Role::User, vec![Part::text("x")])]);
    request.reasoning.mode = ReasoningMode::Budget(9000);
    request.limits.max_output = Some(3000);
    request.sampling.temperature = Some(0.5);
    let body = encode("claude-sonnet-4-5", &request);
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(3000), &json!(2999)));
    assert_eq!(body.get("temperature"), None, "thinking takes no temperature");
    request.limits.max_output = Some(1000);
    assert_eq!(encode("claude-sonnet-4-5", &request).get("thinking"), None, "there is no room to think");
    request.limits.max_output = None;
    assert_eq!(encode("claude-sonnet-4-5", &request)["max_tokens"], 41_000);
    let adaptive = encode("claude-opus-4-8", &request);
    assert_eq!(
        (&adaptive["thinking"]["type"], &adaptive["output_config"]["effort"]),
        (&json!("adaptive"), &json!("medium"))
    );
}

#[test]
fn pitfall_48_a_tool_loop_of_another_model_goes_on_without_a_budget() {
    let mut request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, vec![call("a", "{}")]),
        turn(Role::User, vec![result("a", "1")]),
    ]);
    request.reasoning.mode = ReasoningMode::Budget(2000);
    assert_eq!(encode("claude-sonnet-4-5", &request)["thinking"]["type"], "disabled");
}

#[test]
fn structured_output_is_emulated_where_it_is_missing() {
    let schema = RawJson::parse(Str::from_static(r#"{"type":"object"}"#)).expect("JSON");
    let mut request = asking(vec![turn(Role::User, vec![Part::text("x")])]);
    request.output.format = OutputFormat::JsonSchema { name: None, description: None, schema, strict: Some(true) };
    let encoded = encode_for("claude-3-5-sonnet-20241022", &request).expect("can be emulated");
    assert_eq!(encoded.json_tool.as_deref(), Some("json_answer"));
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    let expected = json!({"type":"tool","name":"json_answer","disable_parallel_tool_use":true});
    assert_eq!((&body["tool_choice"], &body["tools"][0]["name"]), (&expected, &json!("json_answer")));
    let encoded = encode_for("claude-sonnet-4-5", &request).expect("is native");
    assert_eq!(encoded.json_tool, None);
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!(body["output_config"]["format"]["type"], "json_schema");
}

#[test]
fn pitfall_65_prefills_go_only_to_models_that_take_them() {
    let request =
        asking(vec![turn(Role::User, vec![Part::text("x")]), turn(Role::Assistant, vec![Part::text("so: ")])]);
    assert_eq!(encode("claude-haiku-4-5", &request)["messages"][1]["content"][0]["text"], "so:");
    assert!(encode_for("claude-opus-4-6", &request).is_err());
    let request = asking(vec![turn(Role::User, vec![Part::text("x")]), turn(Role::Assistant, vec![call("a", "{}")])]);
    assert!(encode_for("claude-haiku-4-5", &request).is_err(), "a call must have its result");
}

#[test]
fn at_most_four_breakpoints_go_out() {
    let cached = |text: &str| Part { cache: Some(CachePoint::default()), ..Part::text(text) };
    let mut request = asking(vec![turn(Role::User, (0..6).map(|at| cached(&format!("m{at}"))).collect())]);
    request.system = vec![cached("s0"), cached("s1")];
    let encoded = encode_for("claude-sonnet-4-5", &request).expect("fits");
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    let kept = |list: &Value| -> Vec<String> {
        let blocks = list.as_array().into_iter().flatten().filter(|block| block.get("cache_control").is_some());
        blocks.map(|block| block["text"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(kept(&body["system"]), ["s1"]);
    assert_eq!(kept(&body["messages"][0]["content"]), ["m3", "m4", "m5"]);
    assert!(encoded.losses.iter().any(|loss| loss.field == Field::CacheControl && loss.level == LossLevel::Drop));
}

#[test]
fn pitfall_20_names_and_ids_of_other_vendors_are_aliased_alike_in_call_and_result() {
    let request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::Assistant, vec![call("call|1:2", "{}")]),
        turn(Role::User, vec![result("call|1:2", "ok")]),
    ]);
    let body = encode("claude-sonnet-4-5", &request);
    let id = body["messages"][1]["content"][0]["id"].as_str().expect("an id");
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'), "{id}");
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], id);
}

#[test]
fn system_text_in_the_middle_keeps_its_place() {
    let request = asking(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(Role::System, vec![Part::text("be brief")]),
        turn(Role::User, vec![Part::text("y")]),
    ]);
    let body = encode("claude-sonnet-4-5", &request);
    assert_eq!(body["messages"][0]["content"][1]["text"], "<system-reminder>be brief</system-reminder>");
    let encoded = encode_for("claude-opus-4-8", &request).expect("is native");
    assert_eq!(encoded.headers, [("anthropic-beta", Str::from_static("mid-conversation-system-2026-04-07"))]);
}

#[test]
fn what_a_client_would_miss_is_refused() {
    let plain = || asking(vec![turn(Role::User, vec![Part::text("x")])]);
    let mut several = plain();
    several.candidates = Some(2);
    let mut probable = plain();
    probable.sampling.logprobs = true;
    let mut loud = plain();
    loud.output.modalities = vec![Str::from_static("audio")];
    for (request, param) in [(several, "n"), (probable, "logprobs"), (loud, "modalities")] {
        let error = encode_for("claude-sonnet-4-5", &request).expect_err("it cannot be carried");
        assert_eq!(error.param.as_deref(), Some(param));
    }
}

#[test]
fn pitfall_35_hints_without_a_place_are_reported() {
    let mut request = asking(vec![turn(Role::User, vec![Part::text("x")])]);
    request.sampling.seed = Some(7);
    request.sampling.temperature = Some(1.5);
    request.limits.stop = vec![Str::from_static("\n"), Str::from_static("END")];
    request.extra = vec![(Str::from_static("seed2"), RawJson::parse(Str::from_static("1")).expect("JSON"))];
    request.origin = Some("openai_chat");
    let encoded = encode_for("claude-sonnet-4-5", &request).expect("it can be carried");
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!((&body["temperature"], &body["stop_sequences"]), (&json!(1), &json!(["END"])));
    assert_eq!(body.get("seed2"), None, "members of another family stay out");
    let mut losses: Vec<_> = encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect();
    losses.sort_by_key(|(field, _)| format!("{field:?}"));
    let expected = [
        (Field::Extra, LossLevel::Drop),
        (Field::Seed, LossLevel::Drop),
        (Field::Stop, LossLevel::Drop),
        (Field::Temperature, LossLevel::Approx),
    ];
    assert_eq!(losses, expected);
}
