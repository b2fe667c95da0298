//! Facts about requests, both ways.

use serde_json::json;

use super::*;
use crate::{
    dialects,
    model::{
        CallKind, Display, Effort, ErrorClass, Family, Field, LossLevel, Opaque, OpaqueKind, OutputFormat, Part,
        PartContent, RawJson, Reasoning, ReasoningMode, Role, Tool, ToolCall, ToolChoice, ToolResult, Turn,
    },
};

fn with_input(input: &Value) -> Request {
    request(&json!({"model": "m", "input": input}).to_string())
}

fn turn(role: Role, parts: Vec<PartContent>) -> Turn {
    Turn { role, parts: parts.into_iter().map(Part::new).collect(), name: None }
}

fn text(text: &'static str) -> PartContent {
    PartContent::Text(Str::from_static(text))
}

fn call(id: &'static str, kind: CallKind, args: &'static str) -> PartContent {
    let [id, name, args] = [id, "f", args].map(Str::from_static);
    PartContent::ToolCall(ToolCall { id, name, kind, args })
}

fn result(id: &'static str, said: &'static str) -> PartContent {
    let parts = vec![Part::text(said)];
    PartContent::ToolResult(ToolResult { call: Str::from_static(id), name: None, parts, json: None, is_error: false })
}

fn losses(encoded: &Encoded) -> Vec<(Field, LossLevel)> {
    encoded.losses.iter().map(|loss| (loss.field, loss.level)).collect()
}

#[test]
fn pitfall_19_input_is_a_text_or_items() {
    let request = with_input(&json!("hi"));
    assert_eq!(request.turns, [turn(Role::User, vec![text("hi")])]);
    let request = with_input(&json!([
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "encrypted_content": "blob"},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x = 1"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
        {"role": "system", "content": "now hurry"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [{"type": "output_text", "text": "done", "annotations": []}, {"type": "refusal", "refusal": "no"}]},
    ]));
    assert_eq!(request.system, [Part::text("be brief")]);
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::System, Role::Assistant]);
    let [_, assistant, results, _, last] = &request.turns[..] else { panic!("five turns") };
    let PartContent::Reasoning(reasoning) = &assistant.parts[0].content else { panic!("it thought first") };
    assert_eq!(reasoning.text.as_deref(), Some("a\n\nb"));
    assert_eq!(reasoning.opaque[0].id.as_deref(), Some("rs_1"));
    // No arguments at all are those of an empty object.
    assert_eq!(
        assistant.parts[1].content,
        PartContent::ToolCall(ToolCall {
            id: Str::from_static("c1"),
            name: Str::from_static("f"),
            kind: CallKind::Function,
            args: Str::from_static("{}"),
        })
    );
    assert_eq!(results.parts.len(), 2);
    assert_eq!(last.parts[1].content, PartContent::Refusal(Str::from_static("no")));
}

#[test]
fn bad_requests_are_told_where() {
    for (body, param) in [
        (r#"{"model":"m"}"#, "input"),
        (r#"{"model":"m","input":[]}"#, "input"),
        (r#"{"model":"m","input":7}"#, "input"),
        (r#"{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#, "input[0]"),
        (r#"{"model":"m","input":[{"type":"function_call_output","output":"x"}]}"#, "input[0].call_id"),
        (r#"{"model":"m","input":[{"role":"robot","content":"x"}]}"#, "input[0].role"),
        (r#"{"model":"m","input":[{"role":"user","content":[{"type":"hologram"}]}]}"#, "input[0].content[0]"),
        (r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}"#, "input[0].content[0]"),
        (r#"{"model":"m","input":"x","temperature":"hot"}"#, "temperature"),
        (r#"{"model":"m","input":"x","tools":[{"type":"function"}]}"#, "tools[0].name"),
        (r#"{"model":"m","input":"x","tool_choice":"perhaps"}"#, "tool_choice"),
        (r#"{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}"#, "text.format"),
        (r#"{"model":"m","input":"x","reasoning":{"effort":"utter"}}"#, "reasoning.effort"),
        (r#"{"model":"m","input":"x","store":true,"store":false}"#, "store"),
    ] {
        let error = decode(body).expect_err(body);
        assert_eq!((error.class, error.param.as_deref()), (ErrorClass::InvalidRequest, Some(param)), "{body}");
    }
}

#[test]
fn inspection_refuses_what_routing_could_misread() {
    for body in [
        r#"{"model":"a","model":"b"}"#,
        r#"{"model":"a","mod\u0065l":"b"}"#,
        r#"{"model":"a","stream":true,"stream":false}"#,
        r#"{"model":"a","stream":"yes"}"#,
        r#"{"model":""}"#,
        r#"{"model":1}"#,
        r#"{"input":"x"}"#,
        "[]",
        "",
    ] {
        let body = Bytes::from_static(body.as_bytes());
        assert!(OpenAiResponses.inspect(&CallHead::default(), &body).is_err(), "{body:?} must be refused");
    }
}

#[test]
fn pitfall_46_and_62_the_native_lane_changes_the_model_and_nothing_else() {
    let body = Bytes::from_static(br#"{ "a":{"model":"x"}, "model" :"m","stream" : true,"previous_response_id":"r"}"#);
    let inspection = OpenAiResponses.inspect(&CallHead::default(), &body).expect("it is good");
    assert!(inspection.stream.is_some() && inspection.include_usage);
    let sealer = Sealer::new(b"key");
    let edited = |model| {
        let target = Target { model, quirks: &[], usage_in_stream: true, sealer: &sealer };
        crate::json::apply(&body, &mut OpenAiResponses.splices(&inspection, &target))
    };
    assert_eq!(edited("m"), body);
    let expected = br#"{ "a":{"model":"x"}, "model" :"n","stream" : true,"previous_response_id":"r"}"#;
    assert_eq!(&edited("n")[..], expected);
}

#[test]
fn settings_go_where_other_dialects_look() {
    let request = request(
        r#"{"model":"m","input":"x","instructions":"i","max_output_tokens":99,"temperature":0.5,"top_p":0.9,
            "reasoning":{"effort":"low","summary":"auto"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
            "include":["reasoning.encrypted_content","message.output_text.logprobs"],"top_logprobs":3,
            "parallel_tool_calls":false,"metadata":{"a":"b"},"store":false,"user":"old","safety_identifier":"new",
            "prompt_cache_key":"k","service_tier":"flex","truncation":"disabled","stream":true,"stream_options":{"include_obfuscation":false},
            "max_tool_calls":4,"background":false,"previous_response_id":null}"#,
    );
    assert_eq!(request.system, [Part::text("i")]);
    assert_eq!(request.limits.max_output, Some(99));
    assert_eq!(request.reasoning.mode, ReasoningMode::Effort(Effort::Low));
    assert_eq!(request.reasoning.display, Some(Display::Summary));
    assert!(matches!(request.output.format, OutputFormat::JsonSchema { strict: Some(true), .. }));
    assert!(request.sampling.logprobs && request.sampling.top_logprobs == Some(3));
    assert_eq!(request.parallel_tools, Some(false));
    assert_eq!(request.identity.user.as_deref(), Some("new"));
    assert_eq!(request.state.cache_key.as_deref(), Some("k"));
    assert!(request.stream.is_some());
    let names: Vec<&str> = request.extra.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["max_tool_calls"], "what is nothing elsewhere is no loss either");
}

#[test]
fn every_form_of_tool_choice_is_read_and_written() {
    let tools = json!([
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false},
        {"type": "custom", "name": "g"},
        {"type": "web_search"},
    ]);
    for (sent, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!({"type": "function", "name": "f"}), ToolChoice::Named(Str::from_static("f"))),
        (json!({"type": "custom", "name": "g"}), ToolChoice::Named(Str::from_static("g"))),
        (
            json!({"type": "web_search"}),
            ToolChoice::Allowed { names: vec![Str::from_static("web_search")], required: true },
        ),
        (
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}),
            ToolChoice::Allowed { names: ["f", "web_search"].map(Str::from_static).to_vec(), required: false },
        ),
    ] {
        let body = json!({"model": "m", "input": "x", "tools": tools, "tool_choice": sent});
        let request = request(&body.to_string());
        assert_eq!(request.tool_choice, expected);
        assert_eq!(encode(&request, "m").0["tool_choice"], sent);
    }
}

/// Where `strict` goes unsaid, this dialect is strict if the schema allows it, and others are not.
#[test]
fn pitfall_70_strictness_is_always_said() {
    let strict = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let loose = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    for (schema, said, expected) in [
        (&strict, Value::Null, true),
        (&loose, Value::Null, false),
        (&strict, json!(false), false),
        (&loose, json!(true), true),
    ] {
        let tool = json!({"type": "function", "name": "f", "parameters": schema, "strict": said});
        let request = request(&json!({"model": "m", "input": "x", "tools": [tool]}).to_string());
        let Tool::Function { strict, .. } = &request.tools[0] else { panic!("it is a function") };
        assert_eq!(*strict, Some(expected), "{schema} {said}");
    }
    let function =
        Tool::Function { name: Str::from_static("f"), description: None, schema: None, strict: None, cache: None };
    let foreign =
        Request { tools: vec![function], turns: vec![turn(Role::User, vec![text("x")])], ..Request::default() };
    assert_eq!(encode(&foreign, "m").0["tools"][0]["strict"], json!(false));
}

/// Reasoning goes back with the state and the id that belong together, or not at all; ids of other items
/// are never sent.
#[test]
fn pitfall_42_reasoning_goes_back_with_its_id_and_state_or_not_at_all() {
    let own = |id: Option<&'static str>| Opaque {
        family: Family::OpenAi,
        kind: OpaqueKind::Encrypted,
        model: None,
        id: id.map(Str::from_static),
        data: Str::from_static("blob"),
    };
    let thought =
        |opaque| PartContent::Reasoning(Reasoning { text: Some(Str::from_static("why")), redacted: false, opaque });
    let foreign = Opaque { family: Family::Anthropic, kind: OpaqueKind::Signature, ..own(None) };
    let sealed = Opaque { data: Sealer::new(b"key").seal(&own(Some("rs_9"))), ..foreign.clone() };
    let request = Request {
        turns: vec![
            turn(Role::User, vec![text("x")]),
            turn(
                Role::Assistant,
                vec![
                    thought(vec![sealed]),
                    thought(vec![foreign]),
                    thought(Vec::new()),
                    call("c", CallKind::Function, "{}"),
                    // Nothing follows this one.
                    thought(vec![own(Some("rs_8"))]),
                ],
            ),
            turn(Role::User, vec![result("c", "y")]),
        ],
        ..Request::default()
    };
    let (body, encoded) = encode(&request, "gpt-5");
    assert_eq!(
        body["input"][1],
        json!({"type": "reasoning", "id": "rs_9", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": "blob"})
    );
    assert_eq!(body["input"][2], json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}));
    assert_eq!(body["input"].as_array().map(Vec::len), Some(4));
    assert_eq!(losses(&encoded), [(Field::ReasoningHistory, LossLevel::Drop)]);
    assert_eq!(body["store"], json!(false));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    // Models that do not think refuse to be asked for it.
    assert_eq!(encode(&request, "gpt-4o").0.get("include"), None);
}

/// Ids fit, every call is answered, images stay with their result.
#[test]
fn pitfall_20_and_22_and_23_calls_and_results_are_paired() {
    let long = "x".repeat(80);
    let mut named = call("c1", CallKind::Function, "{}");
    if let PartContent::ToolCall(call) = &mut named {
        call.id = Str::from(long.clone());
    }
    let image = crate::model::Media::new(
        crate::model::MediaClass::Image,
        Some(Str::from_static("image/png")),
        crate::model::MediaSource::Base64(Str::from_static("AAAA")),
    );
    let with_image = PartContent::ToolResult(ToolResult {
        call: Str::from(long),
        name: None,
        parts: vec![Part::text("see"), Part::new(PartContent::Media(image))],
        json: None,
        is_error: true,
    });
    let request = Request {
        turns: vec![
            turn(Role::User, vec![text("x")]),
            turn(
                Role::Assistant,
                vec![named, call("c2", CallKind::Custom, "free"), call("c3", CallKind::Function, "{}")],
            ),
            turn(Role::User, vec![text("and"), result("c2", "two"), with_image]),
        ],
        ..Request::default()
    };
    let (body, encoded) = encode(&request, "m");
    let items = body["input"].as_array().expect("a list").clone();
    let kinds: Vec<&str> = items.iter().filter_map(|item| item["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [
            "message",
            "function_call",
            "custom_tool_call",
            "function_call",
            "function_call_output",
            "custom_tool_call_output",
            "function_call_output",
            "message",
        ]
    );
    let id = items[1]["call_id"].as_str().expect("an id");
    assert!(id.len() <= 64 && items[4]["call_id"] == id);
    assert_eq!(items[4]["output"][0], json!({"type": "input_text", "text": "ERROR: "}));
    assert_eq!(items[4]["output"][2]["type"], "input_image");
    assert_eq!(items[5]["output"], "two");
    assert!(losses(&encoded).contains(&(Field::ToolResult, LossLevel::Approx)), "the third call was never answered");
    assert!(losses(&encoded).contains(&(Field::ToolError, LossLevel::Approx)));
}

/// Long names are shortened without colliding, and restored.
#[test]
fn pitfall_21_long_tool_names_are_noted_for_the_reply() {
    let name = |end: &str| Str::from(format!("{}{end}", "n".repeat(70)));
    let tool = |end| Tool::Custom { name: name(end), description: None, format: None };
    let request = Request {
        turns: vec![turn(Role::User, vec![text("x")])],
        tools: vec![tool("a"), tool("b")],
        ..Request::default()
    };
    let (body, encoded) = encode(&request, "m");
    let sent: Vec<&str> = (0..2).filter_map(|at| body["tools"][at]["name"].as_str()).collect();
    assert!(sent[0] != sent[1] && sent.iter().all(|name| name.len() <= 64));
    assert_eq!(encoded.renamed_tools.len(), 2);
}

#[test]
fn pitfall_34_and_52_and_68_what_this_wire_has_no_word_for_is_refused_or_reported() {
    let plain = || Request { turns: vec![turn(Role::User, vec![text("x")])], ..Request::default() };
    let refused = |change: &dyn Fn(&mut Request)| {
        let mut request = plain();
        change(&mut request);
        let error = encode_with(&request, "gpt-5", &[]).expect_err("it must be refused");
        error.param.unwrap_or_default()
    };
    assert_eq!(refused(&|request| request.limits.stop = vec![Str::from_static("x")]), "stop");
    assert_eq!(refused(&|request| request.candidates = Some(2)), "n");
    assert_eq!(refused(&|request| request.limits.max_output = Some(0)), "max_output_tokens");
    assert_eq!(refused(&|request| request.sampling.logprobs = true), "logprobs");
    assert_eq!(refused(&|request| request.output.modalities = vec![Str::from_static("audio")]), "modalities");
    assert_eq!(
        refused(&|request| request.turns.push(turn(Role::Assistant, vec![call("c", CallKind::Function, "{}")]))),
        "input"
    );
    let mut request = plain();
    request.sampling.seed = Some(1);
    request.sampling.top_k = Some(2);
    request.sampling.temperature = Some(0.3);
    request.limits.max_output = Some(5);
    request.identity.user = Some(Str::from("u".repeat(150)));
    let (body, encoded) = encode(&request, "gpt-5");
    let dropped = |field| (field, LossLevel::Drop);
    assert_eq!(
        losses(&encoded),
        [
            dropped(Field::Temperature),
            dropped(Field::TopK),
            dropped(Field::Seed),
            (Field::MaxTokens, LossLevel::Approx),
        ]
    );
    assert_eq!(body["max_output_tokens"], 16);
    assert!(body["safety_identifier"].as_str().is_some_and(|user| user.len() <= 64));
    let (body, _) = encode(&request, "gpt-4o");
    assert_eq!(body["temperature"], 0.3);
}

#[test]
fn tools_of_other_providers_become_the_likes_of_them() {
    let server = |family, kind| Tool::Server {
        family,
        kind: Str::from_static(kind),
        raw: RawJson::from_checked(Str::from_static(r#"{"type":"x"}"#)),
    };
    let sent = |tool| {
        let request =
            Request { turns: vec![turn(Role::User, vec![text("x")])], tools: vec![tool], ..Request::default() };
        encode_with(&request, "m", &[]).map(|encoded| {
            let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
            body["tools"][0].clone()
        })
    };
    assert_eq!(sent(server(Family::Gemini, "googleSearch")).expect("there is one"), json!({"type": "web_search"}));
    assert_eq!(
        sent(server(Family::OpenAi, "web_search_options")).expect("there is one"),
        json!({"type": "web_search"})
    );
    assert_eq!(sent(server(Family::OpenAi, "file_search")).expect("its own"), json!({"type": "x"}));
    assert_eq!(
        sent(server(Family::Anthropic, "code_execution_20250825")).expect("there is one")["type"],
        "code_interpreter"
    );
    assert!(sent(server(Family::Anthropic, "computer_20250124")).is_err());
}

/// What a vendor stores is at that vendor: no other can go on from it.
#[test]
fn stored_state_is_refused_by_every_other_dialect() {
    let sealer = Sealer::new(b"key");
    let target = Target { model: "m", quirks: &[], usage_in_stream: true, sealer: &sealer };
    for (member, param) in [
        (r#""previous_response_id":"resp_1""#, "previous_response_id"),
        (r#""conversation":"conv_1""#, "conversation"),
        (r#""conversation":{"id":"conv_1"}"#, "conversation"),
        (r#""background":true"#, "background"),
    ] {
        let request = request(&format!(r#"{{"model":"m","input":"x",{member}}}"#));
        for upstream in dialects::upstreams().filter(|upstream| upstream.name() != "openai_responses") {
            let error = dialects::encode_request(upstream, &request, &target).expect_err(param);
            assert_eq!((error.class, error.param.as_deref()), (ErrorClass::InvalidRequest, Some(param)));
        }
        let own = dialects::encode_request(&OpenAiResponses, &request, &target).expect("its own it has");
        assert!(String::from_utf8_lossy(&own.body).contains(param));
    }
    let request = with_input(&json!([{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_1"}]));
    assert_eq!(request.state.item.as_deref(), Some("msg_1"));
    for upstream in dialects::upstreams().filter(|upstream| upstream.name() != "openai_responses") {
        let error = dialects::encode_request(upstream, &request, &target).expect_err("item_reference");
        assert_eq!(error.param.as_deref(), Some("input"));
    }
    let (body, _) = encode(&request, "m");
    assert_eq!(body["input"][1], json!({"type": "item_reference", "id": "msg_1"}));
}

/// The state of another provider's thinking, or of a call, that came through this dialect's field, goes back as it was.
#[test]
fn envelopes_bring_foreign_state_back() {
    let sealer = Sealer::new(b"key");
    let target = Target { model: "claude-sonnet-4-5", quirks: &[], usage_in_stream: true, sealer: &sealer };
    for (family, kind, upstream, written) in [
        (Family::Anthropic, OpaqueKind::Signature, "anthropic", r#""thinking":"why","signature":"c2ln""#),
        (Family::Anthropic, OpaqueKind::Redacted, "anthropic", r#"{"type":"redacted_thinking","data":"c2ln"}"#),
        (Family::Gemini, OpaqueKind::ThoughtSignature, "gemini", r#""thoughtSignature":"c2ln""#),
    ] {
        let state = Opaque { family, kind, model: None, id: None, data: Str::from_static("c2ln") };
        let sealed = sealer.seal(&state);
        let request = with_input(&json!([
            {"role": "user", "content": "x"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": &*sealed},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "y"},
        ]));
        let upstream = dialects::upstreams().find(|known| known.name() == upstream).expect("it is in the table");
        let encoded = dialects::encode_request(upstream, &request, &target).expect("it can be carried");
        let body = String::from_utf8(encoded.body.to_vec()).expect("JSON is UTF-8");
        assert!(body.contains(written), "{body}");
    }
}
