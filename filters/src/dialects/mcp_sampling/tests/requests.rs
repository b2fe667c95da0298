//! Requests, fact by fact.

use std::path::PathBuf;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{bytes, decode, sealer, *};
use crate::model::{
    ErrorClass, Family, MediaClass, MediaSource, Opaque, OpaqueKind, Part, PartContent, Role, Tool, ToolChoice,
};

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": {"type": "text", "text": "x"}}], "maxTokens": 9});
    body[member] = value;
    body
}

fn content(content: &Value) -> Result<Vec<Part>, ErrorInfo> {
    let request = decode(&with("messages", json!([{"role": "user", "content": content}])))?;
    Ok(request.turns[0].parts.clone())
}

fn param(body: &Value) -> String {
    decode(body).expect_err("it must be refused").param.map(|param| param.to_string()).unwrap_or_default()
}

fn examples() -> Vec<PathBuf> {
    let root = std::env::var_os("LOCKGATE_CORPUS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")), PathBuf::from);
    let Ok(cases) = std::fs::read_dir(root.join("mcp-sampling")) else {
        println!("SKIPPED: no corpus at {}, set LOCKGATE_CORPUS", root.display());
        return Vec::new();
    };
    cases.map(|case| case.expect("the folder can be listed").path()).collect()
}

#[test]
fn the_protocols_examples_are_read() {
    for case in examples() {
        let body = std::fs::read(case.join("request.json")).expect("the case has it");
        let mut body: Value = serde_json::from_slice(&body).expect("examples are JSON");
        let name = case.display().to_string();
        if name.contains("samplingmessage") {
            body = with("messages", json!([body]));
        } else if name.contains("result") && !name.contains("params") {
            continue;
        }
        let request = decode(&body).unwrap_or_else(|error| panic!("{name} is refused: {error}"));
        assert_eq!(request.limits.max_output, body["maxTokens"].as_u64(), "{name}");
        let hints = McpSampling::BARE.hints(&bytes(&body));
        let hinted = body["modelPreferences"]["hints"][0]["name"].as_str();
        assert_eq!(hints.first().map(|hint| &**hint), hinted, "{name}");
        if name.contains("follow-up") {
            let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
            assert_eq!(roles, [Role::User, Role::Assistant, Role::User], "{name}");
            assert_eq!(request.turns[2].parts.len(), 2, "{name}");
        }
    }
}

#[test]
fn content_is_a_string_a_block_or_a_list() {
    for form in [json!("x"), json!({"type": "text", "text": "x"}), json!([{"type": "text", "text": "x"}])] {
        let parts = content(&form).expect("it is content");
        assert_eq!(parts.first().and_then(Part::as_text).map(|text| &**text), Some("x"), "{form}");
    }
    let parts = content(&json!([
        {"type": "image", "data": "aGk=", "mimeType": "image/png"}, {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}},
        {"type": "resource", "resource": {"uri": "file:///b", "mimeType": "application/pdf", "blob": "aGk="}},
        {"type": "resource_link", "uri": "file:///c", "name": "notes", "description": "of today"}, {"type": "text", "text": ""},
    ]))
    .expect("all are known");
    let media = |at: usize| match &parts[at].content {
        PartContent::Media(media) => (media.class, media.source.clone()),
        content => panic!("{content:?}"),
    };
    let data = MediaSource::Base64(Str::from_static("aGk="));
    assert_eq!((media(0), media(1)), ((MediaClass::Image, data.clone()), (MediaClass::Audio, data.clone())));
    assert_eq!(parts[2].as_text().map(|text| &**text), Some("inside"));
    assert_eq!(media(3), (MediaClass::Document, data));
    assert_eq!(parts[4].as_text().map(|text| &**text), Some("[notes <file:///c>: of today]"));
    assert_eq!(parts.len(), 5, "an empty text says nothing");
    for (block, at) in [
        (json!([{"type": "hologram"}]), "messages[0].content[0].type"),
        (json!([{"type": "text"}]), "messages[0].content[0].text"),
        (json!({"type": "image", "data": "aGk="}), "messages[0].content.mimeType"),
        (json!([{"type": "resource", "resource": {}}]), "messages[0].content[0].resource"),
        (json!([{"type": "resource_link"}]), "messages[0].content[0].uri"),
        (json!([7]), "messages[0].content[0]"),
        (json!(7), "messages[0].content"),
    ] {
        assert_eq!(content(&block).expect_err("it is no content").param.as_deref(), Some(at));
    }
}

#[test]
fn calls_are_answered_in_the_very_next_message_and_alone() {
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {"a": 1}});
    let result = |id: &str| {
        json!({"type": "tool_result", "toolUseId": id, "content": [{"type": "text", "text": "1"}],
        "structuredContent": {"b": 2}, "isError": true})
    };
    let talk = |messages: Value| with("messages", messages);
    let assistant = |content: Value| json!({"role": "assistant", "content": content});
    let user = |content: Value| json!({"role": "user", "content": content});
    let good = talk(json!([
        user(json!("x")),
        assistant(json!([call("a"), call("b")])),
        user(json!([result("b"), result("a")]))
    ]));
    let request = decode(&good).expect("all calls are answered");
    let PartContent::ToolResult(answer) = &request.turns[2].parts[0].content else { panic!("a result") };
    assert_eq!((&*answer.call, answer.is_error), ("b", true));
    assert_eq!((answer.parts.len(), &answer.json), (2, &None), "the content does not say what the structure does");
    for (messages, words) in [
        (
            json!([
                user(json!("x")),
                assistant(json!([call("a")])),
                user(json!([result("a"), {"type": "text", "text": "and"}]))
            ]),
            "mixed",
        ),
        (json!([user(json!("x")), assistant(json!([call("a"), call("b")])), user(json!([result("a")]))]), "missing"),
        (json!([user(json!("x")), assistant(json!([call("a")]))]), "missing"),
        (json!([user(json!("x")), assistant(json!([call("a")])), user(json!("and"))]), "missing"),
        (json!([user(json!([result("z")]))]), "answers no call"),
        (json!([user(json!([call("a")]))]), "assistant's"),
    ] {
        let error = decode(&talk(messages.clone())).expect_err("the protocol forbids it");
        assert_eq!(error.class, ErrorClass::InvalidRequest);
        assert!(error.message.contains(words), "{messages}: {}", error.message);
    }
}

#[test]
fn a_structured_result_is_told_once() {
    let result = |content: Value, structured: Value| {
        let body = with(
            "messages",
            json!([
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": {"type": "tool_use", "id": "a", "name": "f", "input": {}}},
                {"role": "user", "content": {"type": "tool_result", "toolUseId": "a", "content": content, "structuredContent": structured}},
            ]),
        );
        let request = decode(&body).expect("it is good");
        let PartContent::ToolResult(result) = request.turns[2].parts[0].content.clone() else { panic!("a result") };
        let texts: Vec<_> = result.parts.iter().filter_map(|part| part.as_text().map(ToString::to_string)).collect();
        (texts, result.json.is_some())
    };
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(result(json!([]), json!({"a":1})), (vec![r#"{"a":1}"#.to_owned()], true));
    assert_eq!(result(json!([text(r#"{ "a": 1 }"#)]), json!({"a":1})), (vec![r#"{ "a": 1 }"#.to_owned()], true));
    assert_eq!(result(json!([text("one")]), json!({"a":1})), (vec!["one".to_owned(), r#"{"a":1}"#.to_owned()], false));
    assert_eq!(
        result(json!([text("[1]")]), json!([1])),
        (vec!["[1]".to_owned()], false),
        "only objects go out as such"
    );
}

#[test]
fn parameters_are_read_and_checked() {
    let mut body = with("temperature", json!(0.5));
    body["systemPrompt"] = json!("Be brief.");
    body["stopSequences"] = json!(["END", ""]);
    body["tools"] = json!([{"name": "f", "description": "d", "inputSchema": {"type": "object"}, "annotations": {}}]);
    body["toolChoice"] = json!({"mode": "required"});
    body["includeContext"] = json!("thisServer");
    body["metadata"] = json!({"a": 1});
    body["_meta"] = json!({"progressToken": 1});
    let request = decode(&body).expect("it is good");
    assert_eq!((request.sampling.temperature, request.limits.max_output), (Some(0.5), Some(9)));
    assert_eq!((request.system.len(), request.limits.stop.len()), (1, 1));
    assert!(matches!(&request.tools[..], [Tool::Function { schema: Some(_), .. }]));
    assert_eq!(request.tool_choice, ToolChoice::Required);
    let mut extra: Vec<_> = request.extra.iter().map(|(name, _)| &**name).collect();
    extra.sort_unstable();
    assert_eq!(extra, ["includeContext", "metadata"], "what no provider can be told is kept, and reported");
    assert!(decode(&with("includeContext", json!("none"))).expect("it is good").extra.is_empty());
    assert_eq!(param(&with("maxTokens", json!(null))), "maxTokens");
    assert_eq!(param(&with("maxTokens", json!(0))), "maxTokens");
    assert_eq!(param(&with("messages", json!([]))), "messages");
    assert_eq!(param(&with("messages", json!([{"role": "system", "content": "x"}]))), "messages[0].role");
    assert_eq!(param(&with("toolChoice", json!({"mode": "f"}))), "toolChoice.mode");
    assert_eq!(param(&with("tools", json!([{}]))), "tools");
    let twice = Bytes::from_static(br#"{"maxTokens":1,"maxTokens":2,"messages":[]}"#);
    assert!(McpSampling::BARE.decode_request(&CallHead::default(), &twice).is_err());
}

/// Pitfall 49: what Gemini wants back with a call comes back with it.
#[test]
fn sealed_state_comes_back_with_its_call() {
    let opaque = Opaque {
        family: Family::Gemini,
        kind: OpaqueKind::ThoughtSignature,
        model: None,
        id: None,
        data: Str::from_static("s"),
    };
    let envelope = sealer().seal(&opaque).to_string();
    let body = with(
        "messages",
        json!([
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": {"type": "tool_use", "id": "a", "name": "f", "input": {}, "_meta": {"lockgate/opaque": [envelope]}}},
            {"role": "user", "content": [{"type": "tool_result", "toolUseId": "a", "content": []}]},
        ]),
    );
    let request = decode(&body).expect("it is good");
    assert_eq!(sealer().unwrap(&request.turns[1].parts[0].opaque[0]), Some(opaque));
}

#[test]
fn hints_are_what_is_asked_for() {
    let body = with(
        "modelPreferences",
        json!({"hints": [{"name": "sonnet"}, {}, {"name": ""}, {"name": "gpt"}], "costPriority": 1}),
    );
    assert_eq!(McpSampling::BARE.hints(&bytes(&body)), ["sonnet", "gpt"]);
    let many: Vec<_> = (0..100).map(|at| json!({"name": format!("m{at}")})).collect();
    assert_eq!(McpSampling::BARE.hints(&bytes(&with("modelPreferences", json!({"hints": many})))).len(), 16);
    assert!(McpSampling::BARE.hints(&bytes(&with("modelPreferences", json!([1])))).is_empty());
    assert!(McpSampling::BARE.hints(&Bytes::from_static(b"not JSON")).is_empty());
    let inspection = McpSampling::BARE.inspect(&CallHead::default(), &bytes(&body)).expect("it is good");
    assert!(inspection.model.is_empty() && inspection.stream.is_none());
    for body in ["", "[]", r#"{"messages":[],"messages":[]}"#] {
        assert!(McpSampling::BARE.inspect(&CallHead::default(), &Bytes::from_static(body.as_bytes())).is_err());
    }
}

#[test]
fn envelopes_and_peers_are_told_from_bare_requests() {
    let none = |_: &str| None;
    let peer = |name: &str| (name == "mcp-protocol-version").then_some("2025-06-18");
    let bare = bytes(&with("maxTokens", json!(1)));
    assert!(McpSampling::BARE.variant(&none, &bare).is_none());
    let found = McpSampling::BARE.variant(&peer, &bare).expect("it is a peer");
    assert_eq!((found.dialect.name(), found.id), ("mcp_sampling", None));
    for (id, text) in [(json!(7), "7"), (json!("a\"b"), r#""a\"b""#), (json!(null), "null"), (json!({}), "null")] {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": with("maxTokens", json!(1))});
        let found = McpSampling::BARE.variant(&none, &bytes(&body)).expect("it is in an envelope");
        assert_eq!(found.id.as_deref(), Some(text));
        let request = found.dialect.decode_request(&CallHead::default(), &bytes(&body)).expect("it is good");
        assert_eq!(request.limits.max_output, Some(1));
    }
    let rpc = McpSampling::JSON_RPC;
    let other = bytes(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}));
    assert_eq!(
        rpc.inspect(&CallHead::default(), &other).expect_err("no such method").code.as_deref(),
        Some("method_not_found")
    );
    let empty = bytes(&json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage"}));
    assert_eq!(rpc.inspect(&CallHead::default(), &empty).expect_err("no parameters").param.as_deref(), Some("params"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,a-z0-9 ]{0,80}") {
        for body in [Bytes::from(bytes), Bytes::from(json)] {
            for dialect in [McpSampling::BARE, McpSampling::PEER, McpSampling::JSON_RPC] {
                drop(dialect.variant(&|_| None, &body));
                drop(dialect.inspect(&CallHead::default(), &body));
                drop(dialect.decode_request(&CallHead::default(), &body));
                dialect.hints(&body);
            }
        }
    }

    #[test]
    fn any_id_is_repeated_as_json(id in "[\"0-9a-z.eE+-]{0,12}") {
        let body = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x"}}"#));
        if let Some(found) = McpSampling::BARE.variant(&|_| None, &body) {
            let id = found.id.expect("an envelope has an id");
            prop_assert!(serde_json::from_str::<Value>(&id).is_ok(), "{}", id);
        }
    }
}
