//! Thinking: state that belongs to its maker alone, order, and requests that contradict themselves.

use lockgate_filters::{
    dialects::{Target, Upstream},
    json::apply,
    model::{
        CallKind, Delta, Event, Family, Field, FinishReason, Opaque, OpaqueKind, Part, PartContent, PartKey, PartKind,
        Reasoning, ReasoningMode, Request, Role, Str, ToolCall,
    },
};
use serde_json::{Value, json};

use crate::support::{
    answer, args, asking, begin, begin_call, body_of, call, conversing, decode, dialect, encode, encode_for, end, fold,
    framed, json_of, read, reply_to, result, say, sealer, served, stream, tool, turn, user, write,
};

fn state(family: Family, kind: OpaqueKind, data: &str) -> Opaque {
    let id = (kind == OpaqueKind::Encrypted).then(|| Str::from_static("rs_1"));
    Opaque { family, kind, model: None, id, data: Str::from(data) }
}

/// State of each vendor that has any, told apart by its words.
fn states() -> Vec<Opaque> {
    vec![
        state(Family::Anthropic, OpaqueKind::Signature, "AnthropicAAA"),
        state(Family::Anthropic, OpaqueKind::Redacted, "AnthropicBBB"),
        state(Family::Gemini, OpaqueKind::ThoughtSignature, "GeminiAAA"),
        state(Family::OpenAi, OpaqueKind::Encrypted, "OpenAIAAA"),
        state(Family::Bedrock, OpaqueKind::Signature, "BedrockAAA"),
    ]
}

fn thought(opaque: Opaque) -> Part {
    let redacted = opaque.kind == OpaqueKind::Redacted;
    let text = (!redacted).then(|| Str::from_static("hm"));
    Part::new(PartContent::Reasoning(Reasoning { text, redacted, opaque: vec![opaque] }))
}

/// A tool loop that began with thinking.
fn looped(thinking: Vec<Part>) -> Request {
    let parts = thinking.into_iter().chain([call("call_1", "{}")]).collect();
    let turns = vec![user("go"), turn(Role::Assistant, parts), turn(Role::User, vec![result("call_1", "1")])];
    Request { tools: vec![tool("f")], ..asking(turns) }
}

fn family_of(dialect: &str) -> Option<Family> {
    match dialect {
        "anthropic" => Some(Family::Anthropic),
        "gemini" => Some(Family::Gemini),
        "openai_responses" => Some(Family::OpenAi),
        "bedrock_converse" => Some(Family::Bedrock),
        _ => None,
    }
}

#[test]
fn pitfall_43_and_44_state_goes_back_to_its_maker_alone_and_envelopes_to_nobody() {
    for to in conversing() {
        for opaque in states() {
            let own = family_of(to.name()) == Some(opaque.family);
            // As the vendor gave it, and as clients of others carry it.
            let sealed = Opaque { data: sealer().seal(&opaque), ..state(Family::Anthropic, opaque.kind, "") };
            for carried in [opaque.clone(), sealed] {
                let encoded = encode(to, &looped(vec![thought(carried.clone())])).expect("it can be carried");
                let body = String::from_utf8(encoded.body.to_vec()).expect("a body is text");
                assert!(!body.contains("TEcx"), "{}: an envelope is the gateway's own: {body}", to.name());
                assert_eq!(body.contains(&*opaque.data), own, "{}: {carried:?}: {body}", to.name());
                let told = encoded.losses.iter().any(|loss| loss.field == Field::ReasoningHistory);
                assert!(
                    own || told || encoded.losses.iter().any(|loss| loss.field == Field::Signature),
                    "{}",
                    to.name()
                );
            }
        }
    }
}

#[test]
fn pitfall_44_what_the_gateway_makes_up_it_knows_again() {
    let unsigned =
        [begin(0, PartKind::Reasoning), say(0, "hm"), end(0), begin(1, PartKind::Text), say(1, "so"), end(1)];
    let data = json_of(&write(dialect("anthropic"), &stream(unsigned, FinishReason::Stop)));
    let signature = data.iter().find_map(|data| data["delta"]["signature"].as_str()).expect("clients need one");
    assert!(sealer().open(signature).is_some(), "it names itself: {signature}");
    // The client sends it back, and the vendor never sees it.
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": signature});
    let messages = json!([{"role": "user", "content": "x"},
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "so"}]}, {"role": "user", "content": "y"}]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages}).to_string();
    assert!(lockgate_filters::seal::may_hold_envelope(body.as_bytes()), "so that the bytes do not just pass");
    let request = decode(served("anthropic"), body.as_bytes()).expect("it is good");
    let sent = body_of(dialect("anthropic"), &request);
    assert_eq!(sent["messages"][1]["content"], json!([{"type": "text", "text": "so"}]));
}

#[test]
fn pitfall_45_blocks_of_signed_thinking_keep_order_and_bytes() {
    let content = json!([
        {"type": "thinking", "thinking": " hm,\n\"quoted\" \u{1f30a} ", "signature": "AAA+/="},
        {"type": "redacted_thinking", "data": "BBB="},
        {"type": "text", "text": "I look."},
        {"type": "thinking", "thinking": "", "signature": "CCC="},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"z": 1.50, "a": [{"y": 0, "b": null}]}},
    ]);
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"});
    let messages = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": content},
        {"role": "user", "content": [result]}]);
    let body = json!({"model": "m", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": messages});
    let request = decode(served("anthropic"), body.to_string().as_bytes()).expect("it is good");
    let sent = body_of(dialect("anthropic"), &request);
    assert_eq!(sent["messages"][1]["content"], content);
    assert_eq!(sent["messages"][1]["content"].to_string(), content.to_string(), "members keep their order too");
    assert_eq!(sent["thinking"], body["thinking"]);
}

#[test]
fn pitfall_46_and_62_only_the_model_changes_in_a_request_that_passes() {
    let sealer = sealer();
    let target = Target { model: "other", quirks: &[], usage_in_stream: false, sealer: &sealer };
    for (name, body) in [
        (
            "openai",
            r#"{ "tools":[{"z":1,"a":2}], "messages":[{"role":"system","content":"s"} , {"content":"x","role":"user"},{"role":"system","content":"t"}],"model":"m","zz":1.0e0 }"#,
        ),
        (
            "anthropic",
            r#"{"tools":[{"name":"b"},{"name":"a"}],"model" : "m","system":[{"type":"text","text":""}],"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"}]}]}"#,
        ),
        ("cohere", r#"{"messages":[{"role":"user","content":"x"}],"model":"m","x":[1 ,2]}"#),
        ("ollama", r#"{"stream":true,"model":"m","messages":[],"options":{"b":1,"a":2}}"#),
        (
            "gemini",
            r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"text":"x"}]}],"tools":[{"b":1,"a":2}]}"#,
        ),
        ("bedrock", r#"{"system":[{"text":"s"}],"messages":[],"toolConfig":{"b":1,"a":2}}"#),
    ] {
        let speaker = served(name);
        let verb = if name == "gemini" { "generateContent" } else { "converse" };
        let in_path = matches!(name, "gemini" | "bedrock");
        let head = lockgate_filters::dialects::CallHead {
            model: in_path.then_some("m"),
            verb: in_path.then_some(verb),
            query: None,
        };
        let body = bytes::Bytes::from_static(body.as_bytes());
        let inspection = speaker.inspect(&head, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let upstream = speaker.upstream().expect("there are such servers");
        let edited = apply(&body, &mut upstream.splices(&inspection, &target));
        let expected = String::from_utf8(body.to_vec()).expect("text").replacen("\"m\"", "\"other\"", 1);
        assert_eq!(edited, expected.as_bytes(), "{name}");
    }
}

#[test]
fn pitfall_48_a_tool_loop_that_lost_its_thinking_goes_on_without() {
    for (name, model, pointer) in [
        ("anthropic", "claude-sonnet-4-5", "/thinking/type"),
        ("bedrock_converse", "anthropic.claude-sonnet-4-5-v1:0", "/additionalModelRequestFields/thinking/type"),
    ] {
        let own = state(family_of(name).expect("it has state"), OpaqueKind::Signature, "own");
        let foreign = state(Family::OpenAi, OpaqueKind::Encrypted, "theirs");
        for (thinking, expected) in
            [(vec![], "disabled"), (vec![thought(foreign)], "disabled"), (vec![thought(own)], "enabled")]
        {
            let mut request = looped(thinking);
            request.limits.max_output = Some(9000);
            request.reasoning.mode = ReasoningMode::Budget(2000);
            let encoded = encode_for(dialect(name), model, &request).expect("it can be carried");
            let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
            assert_eq!(body.pointer(pointer), Some(&json!(expected)), "{name}: {body}");
            let told = encoded.losses.iter().any(|loss| loss.field == Field::Reasoning);
            assert_eq!(told, expected == "disabled", "{name}: it is told");
        }
    }
}

#[test]
fn pitfall_49_the_first_call_of_a_step_is_signed() {
    let gemini = dialect("gemini");
    let calls = vec![call("call_1", "{}"), call("call_2", "{}")];
    let turns = vec![
        user("go"),
        turn(Role::Assistant, calls),
        turn(Role::User, vec![result("call_1", "1"), result("call_2", "2")]),
    ];
    let lost = Request { tools: vec![tool("f")], ..asking(turns) };
    let signatures = |body: &Value| {
        let parts = body["contents"][1]["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().map(|part| part["thoughtSignature"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        signatures(&body_of(gemini, &lost)),
        [json!("skip_thought_signature_validator"), Value::Null],
        "where it was lost, the vendor's own word for that, on the first call alone"
    );
    // Where clients carry it, it comes back as it was.
    let part = json!({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "R2VtaW5p"});
    let data = json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]});
    let events = read(gemini, &framed("gemini", &[data]));
    let chunks = json_of(&write(dialect("openai_chat"), &events));
    let deltas = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array()).flatten();
    let mut made = json!({"id": null, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    for delta in deltas {
        for name in ["id", "extra_content"] {
            if let Some(value) = delta.get(name) {
                made[name] = value.clone();
            }
        }
    }
    let messages = json!([{"role": "user", "content": "go"}, {"role": "assistant", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": made["id"], "content": "1"}]);
    let body = json!({"model": "m", "messages": messages}).to_string();
    assert!(!body.contains("R2VtaW5p") && body.contains("TEcx"), "on the way it is sealed: {body}");
    let request = decode(served("openai"), body.as_bytes()).expect("it is good");
    let request = Request { tools: vec![tool("f")], ..request };
    assert_eq!(signatures(&body_of(gemini, &request)), [json!("R2VtaW5p")]);
}

#[test]
fn pitfall_53_thinking_stays_where_it_was_thought() {
    let kinds = |parts: &[Part]| -> Vec<&'static str> {
        parts
            .iter()
            .map(|part| match part.content {
                PartContent::Reasoning(_) => "thinking",
                PartContent::Text(_) => "text",
                PartContent::ToolCall(_) => "call",
                _ => "other",
            })
            .collect()
    };
    let signed = |part, to: &dyn Upstream| {
        let family = family_of(to.name()).expect("it has state");
        let kind = match family {
            Family::Gemini => OpaqueKind::ThoughtSignature,
            Family::OpenAi => OpaqueKind::Encrypted,
            _ => OpaqueKind::Signature,
        };
        Event::Delta { part: PartKey(part), delta: Delta::Opaque(Box::new(state(family, kind, "c3RhdGU="))) }
    };
    for name in ["anthropic", "gemini", "openai_responses", "bedrock_converse"] {
        let to = dialect(name);
        let said = [
            begin(0, PartKind::Reasoning),
            say(0, "first"),
            signed(0, to),
            end(0),
            begin(1, PartKind::Text),
            say(1, "so"),
            end(1),
            begin(2, PartKind::Reasoning),
            say(2, "second"),
            signed(2, to),
            end(2),
            begin_call(3, "call_1"),
            args(3, "{}"),
            end(3),
        ];
        let events = stream(said, FinishReason::ToolCalls);
        let expected = ["thinking", "text", "thinking", "call"];
        let streamed = answer(to, &write(to, &events));
        assert_eq!(kinds(&streamed.candidates[0].parts), expected, "{name}, streamed");
        let whole = to.encode_response(&fold(&events).expect("it is whole"), &reply_to(to));
        let whole = to.decode_response(&whole).expect("it is an answer");
        assert_eq!(kinds(&whole.candidates[0].parts), expected, "{name}, whole");
        // And back as history.
        let parts = whole.candidates.into_iter().next().expect("there is one").parts;
        let called = parts.iter().find_map(|part| match &part.content {
            PartContent::ToolCall(ToolCall { id, kind: CallKind::Function, .. }) => Some(id.to_string()),
            _ => None,
        });
        let back = turn(Role::User, vec![result(&called.expect("it calls"), "1")]);
        let request = Request {
            tools: vec![tool("look"), tool("f")],
            ..asking(vec![user("go"), turn(Role::Assistant, parts), back])
        };
        let turns = crate::support::sent(to, &request);
        let back = kinds(&turns[1].parts);
        let expected_back: &[&str] = match name {
            // Here state sits on what follows the thinking, whose words do not go back.
            "gemini" => &["text", "call"],
            _ => &expected,
        };
        assert_eq!(back, expected_back, "{name}, in the next turn");
    }
}
