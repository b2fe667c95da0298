//! Requests, fact by fact.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{super::AiSdkUi, decode, sealer};
use crate::{
    dialects::{CallHead, Dialect, StreamForm},
    model::{
        Effort, Family, MediaClass, MediaSource, Opaque, OpaqueKind, OutputFormat, Part, PartContent, ReasoningMode,
        Request, Role, Str, Tool, ToolCall, ToolChoice, ToolResult,
    },
};

fn good(body: &Value) -> Request {
    decode(body).expect("the test's request is good")
}

fn of_assistant(parts: &Value) -> Request {
    good(&json!({"messages": [
        {"id": "1", "role": "user", "parts": [{"type": "text", "text": "x"}]},
        {"id": "2", "role": "assistant", "parts": parts},
    ]}))
}

fn asking(parts: &Value) -> Value {
    json!({"id": "chat", "messages": [{"id": "1", "role": "user", "parts": parts}]})
}

fn with(member: &str, value: Value) -> Value {
    let mut body = asking(&json!([{"type": "text", "text": "x"}]));
    body[member] = value;
    body
}

fn calls(parts: &[Part]) -> Vec<&ToolCall> {
    let call = |part| match part {
        &Part { content: PartContent::ToolCall(ref call), .. } => Some(call),
        _ => None,
    };
    parts.iter().filter_map(call).collect()
}

fn results(parts: &[Part]) -> Vec<&ToolResult> {
    let result = |part| match part {
        &Part { content: PartContent::ToolResult(ref result), .. } => Some(result),
        _ => None,
    };
    parts.iter().filter_map(result).collect()
}

fn texts(parts: &[Part]) -> Vec<&str> {
    parts.iter().filter_map(|part| part.as_text().map(|text| &**text)).collect()
}

#[test]
fn a_body_is_claimed_by_what_only_the_sdk_sends() {
    let claims = |body: Value| AiSdkUi.claims(&Bytes::from(body.to_string()));
    assert!(claims(json!({"messages": [], "id": "chat"})));
    assert!(claims(json!({"messages": [], "trigger": "submit-message"})));
    assert!(claims(json!({"model": "m", "messages": [{"role": "user", "parts": []}, {"role": "user"}]})));
    assert!(!claims(json!({"model": "m", "messages": [{"role": "user", "content": "parts"}], "stream": true})));
    assert!(!claims(json!({"model": "m", "messages": []})));
    assert!(!claims(json!({"model": "m", "messages": {"parts": 1}})));
    assert!(!AiSdkUi.claims(&Bytes::from_static(b"not JSON")));
    assert!(!AiSdkUi.claims(&Bytes::from_static(br#"{"messages":[{"role":"user""#)));
}

#[test]
fn routing_reads_the_model_and_always_streams() {
    let inspect = |body: &'static str| AiSdkUi.inspect(&CallHead::default(), &Bytes::from_static(body.as_bytes()));
    let found = inspect(r#"{"messages":[],"model":"a/b"}"#).expect("it is good");
    assert_eq!((&*found.model, found.stream), ("a/b", Some(StreamForm::Sse)));
    assert_eq!(&*inspect(r#"{"messages":[],"model":null}"#).expect("the route may have one").model, "");
    for body in ["", "[]", r#"{"model":1}"#, r#"{"model":"a","mod\u0065l":"b"}"#, r#"{"messages":[],"messages":[]}"#] {
        assert!(inspect(body).is_err(), "{body} must be refused");
    }
}

#[test]
fn a_step_is_calls_then_results() {
    let request = of_assistant(&json!([
        {"type": "step-start"},
        {"type": "text", "text": "Let me see.", "state": "done"},
        {"type": "tool-weather", "toolCallId": "a", "state": "output-available", "input": {"city": "Paris"}, "output": {"temp": 7}},
        {"type": "dynamic-tool", "toolName": "time", "toolCallId": "b", "state": "output-available", "input": {}, "output": "noon"},
        {"type": "step-start"},
        {"type": "text", "text": "Seven degrees."},
    ]));
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::Assistant]);
    let called = calls(&request.turns[1].parts);
    assert_eq!((&*called[0].name, &*called[0].args), ("weather", r#"{"city":"Paris"}"#));
    assert_eq!((&*called[1].name, &*called[1].id), ("time", "b"));
    let answers = results(&request.turns[2].parts);
    assert_eq!((&*answers[0].call, texts(&answers[0].parts)), ("a", vec![r#"{"temp":7}"#]));
    assert_eq!(answers[0].json.as_ref().map(crate::model::RawJson::as_str), Some(r#"{"temp":7}"#));
    assert_eq!((texts(&answers[1].parts), &answers[1].json), (vec!["noon"], &None));
    assert_eq!(texts(&request.turns[3].parts), ["Seven degrees."]);
}

#[test]
fn the_state_of_a_call_decides_what_it_came_to() {
    let part = |state: &str, more: Value| {
        let mut part = json!({"type": "tool-f", "toolCallId": "a", "state": state, "input": {"x": 1}});
        part.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let request = of_assistant(&json!([part]));
        let called = request.turns.get(1).map(|turn| calls(&turn.parts).len()).unwrap_or_default();
        let result = request.turns.get(2).map(|turn| {
            let result = results(&turn.parts)[0].clone();
            (texts(&result.parts).concat(), result.is_error)
        });
        (called, result)
    };
    let told = |text: &str| Some((text.to_owned(), true));
    assert_eq!(part("input-streaming", json!({})), (0, None));
    assert_eq!(part("input-available", json!({})), (1, None));
    assert_eq!(part("approval-requested", json!({"approval": {"id": "p"}})), (1, None));
    assert_eq!(part("approval-responded", json!({"approval": {"id": "p", "approved": true}})), (1, None));
    let denied = part("approval-responded", json!({"approval": {"id": "p", "approved": false, "reason": "too dear"}}));
    assert_eq!(denied, (1, told("too dear")));
    assert_eq!(part("output-denied", json!({})), (1, told("Tool call execution denied.")));
    assert_eq!(part("output-error", json!({"errorText": "boom"})), (1, told("boom")));
    assert_eq!(part("output-available", json!({"output": "half", "preliminary": true})), (1, None));
    assert_eq!(part("output-available", json!({"output": null})), (1, Some((String::new(), false))));
    assert_eq!(part("output-available", json!({"output": [1]})), (1, Some(("[1]".to_owned(), false))));
}

#[test]
fn input_that_could_not_be_parsed_goes_back_as_it_was() {
    let part =
        json!({"type": "tool-f", "toolCallId": "a", "state": "output-error", "rawInput": "{\"a\":", "errorText": "no"});
    let request = of_assistant(&json!([part]));
    assert_eq!(calls(&request.turns[1].parts)[0].args, "{\"a\":");
}

/// Pitfalls 43 and 44: state comes back as its vendor's, and the gateway's envelopes as what they hold.
#[test]
fn state_is_found_where_each_vendors_package_keeps_it() {
    let sealed = Opaque {
        family: Family::Cohere,
        kind: OpaqueKind::Signature,
        model: None,
        id: None,
        data: Str::from_static("theirs"),
    };
    let envelope = sealer().seal(&sealed).to_string();
    for (metadata, family, kind, data) in [
        (json!({"anthropic": {"signature": "s"}}), Family::Anthropic, OpaqueKind::Signature, "s"),
        (json!({"anthropic": {"redactedData": "s"}}), Family::Anthropic, OpaqueKind::Redacted, "s"),
        (json!({"google": {"thoughtSignature": "s"}}), Family::Gemini, OpaqueKind::ThoughtSignature, "s"),
        (json!({"vertex": {"thoughtSignature": "s"}}), Family::Gemini, OpaqueKind::ThoughtSignature, "s"),
        (json!({"bedrock": {"signature": "s"}}), Family::Bedrock, OpaqueKind::Signature, "s"),
        (
            json!({"openai": {"itemId": "rs_1", "reasoningEncryptedContent": "s"}}),
            Family::OpenAi,
            OpaqueKind::Encrypted,
            "s",
        ),
        (json!({"lockgate": {"sealed": [envelope]}}), Family::Cohere, OpaqueKind::Signature, "theirs"),
    ] {
        let request = of_assistant(&json!([{"type": "reasoning", "text": "", "providerMetadata": metadata}]));
        let PartContent::Reasoning(reasoning) = &request.turns[1].parts[0].content else { panic!("thinking") };
        let state = sealer().unwrap(&reasoning.opaque[0]).expect("it is the vendor's, or sealed here");
        assert_eq!((state.family, state.kind, &*state.data), (family, kind, data), "{metadata}");
        assert_eq!(reasoning.redacted, kind == OpaqueKind::Redacted, "{metadata}");
    }
    let forged = of_assistant(
        &json!([{"type": "reasoning", "text": "x", "providerMetadata": {"lockgate": {"sealed": ["TEcxAAAA"]}}}]),
    );
    let PartContent::Reasoning(reasoning) = &forged.turns[1].parts[0].content else { panic!("thinking") };
    assert_eq!(sealer().unwrap(&reasoning.opaque[0]), None, "nobody sealed it");
    let on_call = json!({"type": "tool-f", "toolCallId": "a", "state": "output-available", "input": {}, "output": "x",
        "callProviderMetadata": {"google": {"thoughtSignature": "s"}}});
    let request = of_assistant(&json!([on_call]));
    assert_eq!(request.turns[1].parts[0].opaque[0].family, Family::Gemini);
    let odd = json!([{"type": "text", "text": "x", "providerMetadata": {"google": 1, "anthropic": {"signature": 2}, "x": {}}}]);
    assert!(of_assistant(&odd).turns[1].parts[0].opaque.is_empty());
}

#[test]
fn files_are_told_by_their_type_and_place() {
    let media = |part: Value| {
        let request = good(&asking(&json!([part])));
        let PartContent::Media(media) = request.turns[0].parts[0].content.clone() else { panic!("media") };
        media
    };
    let file = |mime: &str, url: &str| json!({"type": "file", "mediaType": mime, "url": url, "filename": "f"});
    let image = media(file("image/png", "data:image/webp;base64,aGk="));
    assert_eq!((image.class, image.mime.as_deref()), (MediaClass::Image, Some("image/webp")));
    assert_eq!(image.source, MediaSource::Base64(Str::from_static("aGk=")));
    let there = media(file("image/*", "https://a.example/x"));
    assert_eq!((there.class, there.mime.as_deref()), (MediaClass::Image, None));
    assert_eq!(media(file("audio/wav", "data:;base64,aGk=")).class, MediaClass::Audio);
    let pdf = media(file("application/pdf", "data:application/pdf;base64,aGk="));
    assert_eq!((pdf.class, pdf.name.as_deref()), (MediaClass::Document, Some("f")));
    let stored = media(json!({"type": "file", "mediaType": "image/png", "providerReference": {"openai": "file-1"}}));
    assert_eq!(stored.source, MediaSource::File { family: Family::OpenAi, id: Str::from_static("file-1") });
    for url in ["data:text/plain,hello", "ftp://a.example", "blob:https://a.example/1"] {
        let error = decode(&asking(&json!([file("text/plain", url)]))).expect_err("it cannot be fetched");
        assert_eq!(error.param.as_deref(), Some("messages[0].parts[0].url"));
    }
}

#[test]
fn parts_for_show_reach_no_model_and_unknown_ones_are_refused() {
    let request = good(&asking(&json!([
        {"type": "data-weather", "data": {}}, {"type": "text", "text": "x"}, {"type": "text", "text": ""},
        {"type": "source-url", "sourceId": "1", "url": "https://a.example"},
    ])));
    assert_eq!(request.turns[0].parts.len(), 1);
    for (parts, param) in [
        (json!([{"type": "hologram"}]), "messages[0].parts[0].type"),
        (json!([{"type": "text"}]), "messages[0].parts[0].text"),
        (json!([{"type": "file", "mediaType": "image/png"}]), "messages[0].parts[0].url"),
        (json!(["x"]), "messages[0].parts[0]"),
    ] {
        assert_eq!(decode(&asking(&parts)).expect_err("it is no part").param.as_deref(), Some(param));
    }
    let error = decode(&json!({"messages": [{"role": "user", "content": "x"}]})).expect_err("an older form");
    assert_eq!(error.param.as_deref(), Some("messages[0].parts"));
    let error = decode(&json!({"messages": [{"role": "tool", "parts": []}]})).expect_err("no such role");
    assert_eq!(error.param.as_deref(), Some("messages[0].role"));
    assert!(decode(&json!({"messages": []})).is_err());
    let part = json!({"type": "tool-f", "state": "output-available"});
    let body = json!({"messages": [{"role": "assistant", "parts": [part]}]});
    assert_eq!(decode(&body).expect_err("no id").param.as_deref(), Some("messages[0].parts[0].toolCallId"));
}

#[test]
fn system_text_leads_or_keeps_its_place() {
    let message = |role: &str, text: &str| json!({"role": role, "parts": [{"type": "text", "text": text}]});
    let request = good(&json!({
        "instructions": "one",
        "messages": [message("system", "two"), message("user", "x"), message("system", "three"), message("user", "y")],
    }));
    assert_eq!(texts(&request.system), ["one", "two"]);
    assert_eq!((request.turns[1].role, texts(&request.turns[1].parts)), (Role::System, vec!["three"]));
}

#[test]
fn tools_need_a_schema_and_count_once() {
    let schema = json!({"type": "object", "properties": {}});
    let request = good(&with(
        "tools",
        json!([{"name": "a", "description": "first", "inputSchema": schema}, {"name": "a", "inputSchema": schema}]),
    ));
    let [Tool::Function { name, description, schema: Some(_), .. }] = &request.tools[..] else { panic!("one tool") };
    assert_eq!((&**name, description.as_deref()), ("a", Some("first")));
    let named = good(&with("tools", json!({"b": {"parameters": schema}, "c": {"inputSchema": schema}})));
    assert_eq!(named.tools.len(), 2);
    let error = decode(&with("tools", json!([{"name": "a"}]))).expect_err("nobody knows its input");
    assert_eq!(error.param.as_deref(), Some("tools[0].inputSchema"));
    for (choice, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!("weather"), ToolChoice::Named(Str::from_static("weather"))),
        (json!({"type": "tool", "toolName": "weather"}), ToolChoice::Named(Str::from_static("weather"))),
        (json!({"type": "required"}), ToolChoice::Required),
    ] {
        assert_eq!(good(&with("toolChoice", choice)).tool_choice, expected);
    }
}

#[test]
fn settings_have_the_sdks_names() {
    let mut body = asking(&json!([{"type": "text", "text": "x"}]));
    let settings = json!({
        "model": "m", "trigger": "submit-message", "messageId": null, "temperature": 0.5, "topP": 0.9, "topK": 4,
        "presencePenalty": 1, "frequencyPenalty": -1, "seed": 7, "maxOutputTokens": 9, "stopSequences": ["END", ""],
        "verbosity": "low", "webSearch": true,
        "providerOptions": {"openai": {"reasoningEffort": "high"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": true}},
    });
    body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    let request = good(&body);
    let sampling = &request.sampling;
    assert_eq!(
        (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed),
        (Some(0.5), Some(0.9), Some(4), Some(7))
    );
    assert_eq!((request.limits.max_output, request.limits.stop.len()), (Some(9), 1));
    assert_eq!(request.reasoning.mode, ReasoningMode::Effort(Effort::High));
    let OutputFormat::JsonSchema { name, strict, .. } = &request.output.format else { panic!("a schema") };
    assert_eq!((name.as_deref(), *strict), (Some("x"), Some(true)));
    let extra: Vec<_> = request.extra.iter().map(|(name, _)| &**name).collect();
    assert_eq!(extra, ["webSearch"], "what the application adds is kept, and reported by who cannot carry it");
    for (options, mode) in [
        (json!({"anthropic": {"thinking": {"type": "enabled", "budgetTokens": 2000}}}), ReasoningMode::Budget(2000)),
        (json!({"anthropic": {"thinking": {"type": "disabled"}}}), ReasoningMode::Off),
        (
            json!({"google": {"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": true}}}),
            ReasoningMode::Adaptive,
        ),
        (json!({"google": {"thinkingConfig": {"thinkingLevel": "low"}}}), ReasoningMode::Effort(Effort::Low)),
    ] {
        let request = good(&with("providerOptions", options));
        assert_eq!((request.reasoning.mode, request.extra.len()), (mode, 0));
    }
    let request = good(&with("providerOptions", json!({"openai": {"store": false}})));
    assert_eq!(request.extra.len(), 1);
    for (member, value) in
        [("maxOutputTokens", json!(0)), ("temperature", json!("hot")), ("reasoningEffort", json!("huge"))]
    {
        assert_eq!(decode(&with(member, value)).expect_err("it is no such setting").param.as_deref(), Some(member));
    }
}

#[test]
fn tools_of_the_provider_go_back_to_their_own_family_alone() {
    let part = |metadata: Value| {
        json!({"type": "dynamic-tool", "toolName": "web_search", "toolCallId": "s", "state": "output-available",
            "providerExecuted": true, "input": {"q": 1}, "output": {"type": "web_search_tool_result"},
            "callProviderMetadata": metadata})
    };
    let families = |metadata: Value| {
        let request = of_assistant(&json!([part(metadata)]));
        assert_eq!(request.turns.len(), 2, "it is no result of the client's");
        let family = |part: &Part| match &part.content {
            PartContent::ServerCall(call) => call.family,
            PartContent::ServerResult(result) => result.family,
            content => panic!("{content:?}"),
        };
        request.turns[1].parts.iter().map(family).collect::<Vec<_>>()
    };
    assert_eq!(families(json!({"lockgate": {"family": "anthropic"}})), [Family::Anthropic, Family::Anthropic]);
    assert_eq!(families(json!({"anthropic": {}})), [Family::Ollama, Family::Ollama], "in another server's form");
}

#[test]
fn text_is_a_slice_of_the_body() {
    let body = Bytes::from(asking(&json!([{"type": "text", "text": "hello"}])).to_string());
    let request = AiSdkUi.decode_request(&CallHead::default(), &body).expect("it is good");
    let text = request.turns[0].parts[0].as_text().expect("a text");
    assert!(body.as_ptr_range().contains(&text.as_bytes().as_ptr()), "the text was copied");
}
