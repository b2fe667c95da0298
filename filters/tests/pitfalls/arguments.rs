//! Arguments of calls: nothing is an empty object, and each wire has its own type.

use lockgate_filters::model::{Field, FinishReason, PartContent, Request, Role, Str, ToolCall};
use serde_json::{Value, json};

use crate::support::{
    answer, args, asking, begin_call, body_of, call, calling, calls, conversing, decode, dialect, encode, end, fold,
    framed, read, read_request, reply_to, result, sent, served, stream, tool, turn, user, write,
};

/// Whether arguments are an empty object to a parser, whatever blanks came before.
fn is_empty_object(call: &ToolCall) -> bool {
    serde_json::from_str::<Value>(&call.args).is_ok_and(|args| args == json!({}))
}

#[test]
fn pitfall_19_no_arguments_are_an_empty_object_in_every_answer() {
    for dialect in conversing() {
        let name = dialect.name();
        for nothing in [&[][..], &[""], &["  ", "\n"]] {
            let pieces = nothing.iter().map(|piece| args(0, piece));
            let said = std::iter::once(begin_call(0, "call_1")).chain(pieces).chain([end(0)]);
            let told = answer(dialect, &write(dialect, &stream(said, FinishReason::ToolCalls)));
            assert!(is_empty_object(calls(&told)[0]), "{name}, streamed as {nothing:?}");
        }
        for nothing in ["", "  \n"] {
            let body = dialect.encode_response(&calling(nothing), &reply_to(dialect));
            let told = dialect.decode_response(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(is_empty_object(calls(&told)[0]), "{name}, whole as {nothing:?}");
        }
    }
}

#[test]
fn pitfall_19_no_arguments_are_an_empty_object_in_every_request() {
    for dialect in conversing() {
        for nothing in ["", "  \n"] {
            let turns = vec![
                user("go"),
                turn(Role::Assistant, vec![call("call_1", nothing)]),
                turn(Role::User, vec![result("call_1", "1")]),
            ];
            let request = Request { tools: vec![tool("f")], ..asking(turns) };
            let encoded = encode(dialect, &request).expect("it can be carried");
            let args = read_request(dialect, &encoded).turns.into_iter().flat_map(|turn| turn.parts);
            let args: Vec<Str> = args
                .filter_map(|part| match part.content {
                    PartContent::ToolCall(call) => Some(call.args),
                    _ => None,
                })
                .collect();
            assert_eq!(args, ["{}"], "{} of {nothing:?}", dialect.name());
            let reported = encoded.losses.iter().any(|loss| loss.field == Field::ToolArguments);
            assert!(!reported, "{}: nothing is lost", dialect.name());
        }
    }
}

#[test]
fn pitfall_19_what_upstreams_write_for_no_arguments_is_an_empty_object() {
    let chat = |args: Value| {
        let function = json!({"name": "f", "arguments": args});
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "function": function}]},
            "finish_reason": "tool_calls"}]})
    };
    let block = |input: Value| {
        let block = json!({"type": "tool_use", "id": "a", "name": "f", "input": input});
        json!({"type": "content_block_start", "index": 0, "content_block": block})
    };
    let started = json!({"type": "message_start", "message": {"usage": {"input_tokens": 1, "output_tokens": 1}}});
    let partial = |args: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": args}});
    let stopped = json!({"type": "message_stop"});
    let gemini =
        |call: Value| json!({"candidates": [{"content": {"parts": [{"functionCall": call}]}, "finishReason": "STOP"}]});
    let item = |args: &str| {
        let item = json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": args});
        [
            json!({"type": "response.output_item.added", "output_index": 0, "item": item}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item]}}),
        ]
    };
    let ollama =
        |function: Value| json!({"model": "m", "message": {"tool_calls": [{"function": function}]}, "done": true});
    let cases: Vec<(&str, Vec<Value>)> = vec![
        ("openai_chat", vec![chat(json!(""))]),
        ("openai_chat", vec![chat(json!(" \n"))]),
        ("openai_chat", vec![chat(Value::Null)]),
        ("anthropic", vec![started.clone(), block(json!({})), partial(""), stopped.clone()]),
        ("anthropic", vec![started.clone(), block(json!({})), partial("  "), stopped.clone()]),
        ("anthropic", vec![started.clone(), block(Value::Null), stopped.clone()]),
        ("anthropic", vec![started, block(json!("")), stopped]),
        ("gemini", vec![gemini(json!({"name": "f"}))]),
        ("gemini", vec![gemini(json!({"name": "f", "args": null}))]),
        ("openai_responses", item("").to_vec()),
        ("openai_responses", item("  ").to_vec()),
        ("ollama", vec![ollama(json!({"name": "f"}))]),
        ("ollama", vec![ollama(json!({"name": "f", "arguments": null}))]),
        ("ollama", vec![ollama(json!({"name": "f", "arguments": ""}))]),
    ];
    for (name, data) in cases {
        let events = read(dialect(name), &framed(name, &data));
        let told = fold(&events).unwrap_or_else(|error| panic!("{name}: {error}: {data:?}"));
        assert_eq!(calls(&told).len(), 1, "{name}: {data:?}");
        for to in conversing() {
            let told = answer(to, &write(to, &events));
            assert!(is_empty_object(calls(&told)[0]), "{name} to {}: {data:?}", to.name());
        }
    }
}

#[test]
fn pitfall_19_what_clients_write_for_no_arguments_is_an_empty_object() {
    let question = json!({"role": "user", "content": "go"});
    let chat = |args: Value| {
        let called = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": args}});
        let result = json!({"role": "tool", "tool_call_id": "a", "content": "1"});
        json!({"model": "m", "messages": [question, {"role": "assistant", "tool_calls": [called]}, result]})
    };
    let anthropic = |input: Value| {
        let called = json!({"type": "tool_use", "id": "a", "name": "f", "input": input});
        let result = json!({"type": "tool_result", "tool_use_id": "a", "content": "1"});
        json!({"model": "m", "max_tokens": 9, "messages": [question, {"role": "assistant", "content": [called]},
            {"role": "user", "content": [result]}]})
    };
    let bedrock = |input: Value| {
        let called = json!({"toolUse": {"toolUseId": "a", "name": "f", "input": input}});
        let result = json!({"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}});
        json!({"messages": [{"role": "user", "content": [{"text": "go"}]}, {"role": "assistant", "content": [called]},
            {"role": "user", "content": [result]}]})
    };
    let gemini = |args: Value| {
        let called = json!({"functionCall": {"name": "f", "args": args}});
        let result = json!({"functionResponse": {"name": "f", "response": {"result": "1"}}});
        json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}, {"role": "model", "parts": [called]},
            {"role": "user", "parts": [result]}]})
    };
    let ollama = |args: Value| {
        let called = json!({"function": {"name": "f", "arguments": args}});
        let result = json!({"role": "tool", "tool_name": "f", "content": "1"});
        json!({"model": "m", "messages": [question, {"role": "assistant", "tool_calls": [called]}, result]})
    };
    for (name, body) in [
        ("openai", chat(json!(""))),
        ("openai", chat(json!(" \n"))),
        ("openai", chat(Value::Null)),
        ("cohere", chat(json!(""))),
        ("cohere", chat(json!("  "))),
        ("anthropic", anthropic(json!({}))),
        ("anthropic", anthropic(Value::Null)),
        ("anthropic", anthropic(json!(""))),
        ("bedrock", bedrock(json!({}))),
        ("bedrock", bedrock(json!(""))),
        ("gemini", gemini(Value::Null)),
        ("ollama", ollama(json!({}))),
        ("ollama", ollama(Value::Null)),
    ] {
        let client = served(name);
        let request =
            decode(client, body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}: {body}"));
        let request = Request { tools: vec![tool("f")], ..request };
        for to in conversing() {
            let parts = sent(to, &request).into_iter().flat_map(|turn| turn.parts);
            let args: Vec<Str> = parts
                .filter_map(|part| match part.content {
                    PartContent::ToolCall(call) => Some(call.args),
                    _ => None,
                })
                .collect();
            assert_eq!(args, ["{}"], "{name} to {}: {body}", to.name());
        }
    }
}

/// Where the arguments of the only call stand, and whether they are text there.
const ARGUMENTS: [(&str, &str, bool); 7] = [
    ("openai_chat", "/messages/1/tool_calls/0/function/arguments", true),
    ("cohere", "/messages/1/tool_calls/0/function/arguments", true),
    ("openai_responses", "/input/1/arguments", true),
    ("anthropic", "/messages/1/content/0/input", false),
    ("gemini", "/contents/1/parts/0/functionCall/args", false),
    ("bedrock_converse", "/messages/1/content/0/toolUse/input", false),
    ("ollama", "/messages/1/tool_calls/0/function/arguments", false),
];

#[test]
fn pitfall_26_arguments_have_the_type_of_the_wire_and_what_is_no_json_is_told() {
    for (name, pointer, is_text) in ARGUMENTS {
        let with = |args: &str| {
            let turns = vec![
                user("go"),
                turn(Role::Assistant, vec![call("call_1", args)]),
                turn(Role::User, vec![result("call_1", "1")]),
            ];
            Request { tools: vec![tool("f")], ..asking(turns) }
        };
        let body = body_of(dialect(name), &with(r#"{"z":1,"a":"b"}"#));
        let found = body.pointer(pointer).unwrap_or_else(|| panic!("{name}: {body}"));
        let object = match found.as_str() {
            Some(text) => serde_json::from_str(text).expect("arguments are JSON"),
            None => found.clone(),
        };
        assert_eq!((found.is_string(), object), (is_text, json!({"z": 1, "a": "b"})), "{name}");
        if !is_text {
            for broken in ["{\"a\":", "[1]", "so"] {
                let encoded = encode(dialect(name), &with(broken)).expect("it is told, not refused");
                let body: Value = serde_json::from_slice(&encoded.body).expect("a body is JSON");
                let found = body.pointer(pointer).unwrap_or_else(|| panic!("{name}: {body}"));
                assert!(
                    found.is_object() && found.to_string().contains(&broken.replace('"', "\\\"")),
                    "{name}: {found}"
                );
                let reported = encoded.losses.iter().any(|loss| loss.field == Field::ToolArguments);
                assert!(reported, "{name}: {broken} is no object, and somebody must hear of it");
            }
        }
    }
}
