//! Tools: calls in streams, in history, and their results.

use std::collections::BTreeSet;

use lockgate_filters::{
    dialects::Upstream,
    model::{
        CallKind, Candidate, Event, Field, Finish, FinishReason, Media, MediaClass, MediaSource, Part, PartContent,
        PartKind, PartStart, Request, Response, Role, Str, ToolCall, ToolResult, Turn,
    },
    stream::{Restorer, unfold},
};
use serde_json::{Value, json};

use crate::support::{
    answer, args, asking, begin, begin_call, body_of, call, calls, conversing, decode, dialect, encode, end, framed,
    json_of, read, read_request, result, say, sent, stream, text_of, tool, turn, user, write,
};

// === calls in streams ===

/// Two calls of one tool behind some text, as upstreams send them: numbered behind the text, without ids, apart.
fn parallel(name: &str) -> Vec<u8> {
    let city = |city: &str| json!({"city": city});
    let gemini = |part: Value| json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]});
    let line = |message: Value, done: bool| json!({"model": "m", "message": message, "done": done});
    let chat = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let item = |kind: &str, at: u64, item: Value| json!({"type": kind, "output_index": at, "item": item});
    let called = |at: u64, args: &str| {
        json!({"type": "function_call", "id": format!("fc_{at}"), "call_id": format!("call_{at}"), "name": "look",
            "arguments": args})
    };
    let data = match name {
        "openai_chat" => {
            let begun = |at: u64, args: &str| {
                let function = json!({"name": "look", "arguments": args});
                chat(json!({"tool_calls": [{"index": at, "id": format!("call_{at}"), "function": function}]}))
            };
            vec![
                chat(json!({"content": "So."})),
                begun(1, "{\"city\""),
                // Some say id and name again.
                begun(1, ":\"a\"}"),
                begun(2, "{\"city\":\"b\"}"),
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
            ]
        }
        "anthropic" => {
            let begun = |at: u64| {
                let block = json!({"type": "tool_use", "id": format!("toolu_{at}"), "name": "look", "input": {}});
                json!({"type": "content_block_start", "index": at, "content_block": block})
            };
            let more = |at: u64, args: &str| {
                let delta = json!({"type": "input_json_delta", "partial_json": args});
                json!({"type": "content_block_delta", "index": at, "delta": delta})
            };
            vec![
                json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}}),
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "So."}}),
                json!({"type": "content_block_stop", "index": 0}),
                begun(1),
                more(1, "{\"city\""),
                more(1, ":\"a\"}"),
                json!({"type": "content_block_stop", "index": 1}),
                begun(2),
                more(2, "{\"city\":\"b\"}"),
                json!({"type": "content_block_stop", "index": 2}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
                json!({"type": "message_stop"}),
            ]
        }
        "gemini" => vec![
            gemini(json!({"text": "So."})),
            gemini(json!({"functionCall": {"name": "look", "args": city("a")}})),
            gemini(json!({"functionCall": {"name": "look", "args": city("b")}})),
            json!({"candidates": [{"finishReason": "STOP", "index": 0}]}),
        ],
        "ollama" => {
            let called = |city: Value| json!({"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": city}}]});
            vec![
                line(json!({"role": "assistant", "content": "So."}), false),
                line(called(city("a")), false),
                line(called(city("b")), false),
                json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop"}),
            ]
        }
        "openai_responses" => vec![
            json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}}),
            item("response.output_item.added", 0, json!({"type": "message", "id": "msg_1", "content": []})),
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "So."}),
            item("response.output_item.added", 1, called(1, "")),
            json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{\"city\":\"a\"}"}),
            item("response.output_item.done", 1, called(1, "{\"city\":\"a\"}")),
            item("response.output_item.added", 2, called(2, "")),
            item("response.output_item.done", 2, called(2, "{\"city\":\"b\"}")),
            json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}}),
        ],
        _ => panic!("no stream of {name} is written here"),
    };
    framed(name, &data)
}

const SENDERS: [&str; 5] = ["openai_chat", "anthropic", "gemini", "ollama", "openai_responses"];

#[test]
fn pitfall_14_and_15_and_16_and_28_parallel_calls_are_numbered_and_named_apart() {
    for from in SENDERS {
        let events = read(dialect(from), &parallel(from));
        // The most exacting clients: numbers dense from 0, which count calls alone.
        let chunks = json_of(&write(dialect("openai_chat"), &events));
        let deltas = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array()).flatten();
        let mut said = [String::new(), String::new()];
        let mut ids = Vec::new();
        for delta in deltas {
            let at =
                delta["index"].as_u64().and_then(|at| usize::try_from(at).ok()).expect("each piece has its number");
            said.get_mut(at)
                .expect("numbers are dense from 0")
                .push_str(delta["function"]["arguments"].as_str().unwrap_or(""));
            ids.extend(delta["id"].as_str().map(|id| (at, id.to_owned())));
        }
        let said = said.map(|args| serde_json::from_str::<Value>(&args).expect("arguments are whole"));
        assert_eq!(said, [json!({"city": "a"}), json!({"city": "b"})], "{from}");
        assert_eq!(ids.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1], "{from}: each call is named once");
        let unlike = ids[0].1 != ids[1].1 && ids.iter().all(|(_, id)| id != "look" && !id.is_empty());
        assert!(unlike, "{from}: a name is no id: {ids:?}");
        // And whoever else reads them.
        for to in conversing() {
            let told = answer(to, &write(to, &events));
            let found = calls(&told);
            let cities: Vec<Value> = found.iter().map(|call| serde_json::from_str(&call.args).expect("JSON")).collect();
            assert_eq!(cities, [json!({"city": "a"}), json!({"city": "b"})], "{from} to {}", to.name());
            assert_ne!(found[0].id, found[1].id, "{from} to {}", to.name());
        }
    }
}

#[test]
fn pitfall_27_id_and_name_come_with_the_first_piece_alone() {
    let said = [begin_call(0, "call_1"), args(0, "{\"a\""), args(0, ":"), args(0, "1}"), end(0)];
    let chunks = json_of(&write(dialect("openai_chat"), &stream(said, FinishReason::ToolCalls)));
    let deltas: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array()).flatten().collect();
    assert!(deltas.len() >= 4, "arguments leave as they come: {deltas:?}");
    for (at, delta) in deltas.iter().enumerate() {
        let named = [delta.get("id"), delta.get("type"), delta["function"].get("name")].iter().flatten().count();
        assert_eq!(named, if at == 0 { 3 } else { 0 }, "clients concatenate what is repeated: {delta}");
    }
}

#[test]
fn pitfall_17_and_18_interleaved_parts_stay_apart() {
    for dialect in conversing() {
        let name = dialect.name();
        let said = [
            begin_call(0, "call_a"),
            args(0, "{\"x\""),
            begin_call(1, "call_b"),
            begin(2, PartKind::Text),
            args(1, "{\"y\""),
            say(2, "and "),
            args(0, ":1}"),
            say(2, "so on"),
            args(1, ":2}"),
            end(1),
            end(0),
            end(2),
        ];
        let told = answer(dialect, &write(dialect, &stream(said, FinishReason::ToolCalls)));
        let mut found = calls(&told);
        // Some wires have calls whole, in the order in which they end.
        found.sort_by_key(|call| call.args.clone());
        let found: Vec<Value> =
            found.iter().map(|call| serde_json::from_str(&call.args).expect("arguments are whole")).collect();
        assert_eq!(found, [json!({"x": 1}), json!({"y": 2})], "{name}");
        let thought = told.candidates[0].parts.iter().filter_map(|part| match &part.content {
            // Words beside calls are a plan on some wires, and read as thinking.
            PartContent::Reasoning(reasoning) => reasoning.text.as_deref(),
            _ => None,
        });
        let words = text_of(&told) + &thought.collect::<String>();
        assert_eq!(words, "and so on", "{name}");
    }
}

// === arguments ===

fn whole(args: &str) -> Response {
    let (id, name, args) = (Str::from_static("call_1"), Str::from_static("f"), Str::from(args));
    let part = Part::new(PartContent::ToolCall(ToolCall { id, name, kind: CallKind::Function, args }));
    let finish = Finish::new(FinishReason::ToolCalls);
    Response {
        candidates: vec![Candidate { index: 0, parts: vec![part], finish, logprobs: None }],
        ..Response::default()
    }
}

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
            let body = dialect.encode_response(&whole(nothing), &crate::support::reply_to(dialect));
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
        let told = crate::support::fold(&events).unwrap_or_else(|error| panic!("{name}: {error}: {data:?}"));
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
        let client = crate::support::served(name);
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

// === ids and names ===

const ODD_ID: &str = "call|with:odd.characters/and more than sixty-four of them, which is too long for most";

#[test]
fn pitfall_20_an_id_has_one_alias_in_call_and_result() {
    for dialect in conversing().into_iter().filter(|dialect| dialect.name() != "ollama") {
        let name = dialect.name();
        let turns = || {
            vec![
                user("go"),
                turn(Role::Assistant, vec![call(ODD_ID, "{}"), call("other", "{}")]),
                turn(Role::User, vec![result("other", "2"), result(ODD_ID, "1")]),
            ]
        };
        let request = Request { tools: vec![tool("f")], ..asking(turns()) };
        let ids = |turns: Vec<Turn>| -> (Vec<Str>, Vec<Str>) {
            let parts: Vec<Part> = turns.into_iter().flat_map(|turn| turn.parts).collect();
            let made = parts.iter().filter_map(|part| match &part.content {
                PartContent::ToolCall(call) => Some(call.id.clone()),
                _ => None,
            });
            let answered = parts.iter().filter_map(|part| match &part.content {
                PartContent::ToolResult(result) => Some(result.call.clone()),
                _ => None,
            });
            (made.collect(), answered.collect())
        };
        let (made, answered) = ids(sent(dialect, &request));
        assert_eq!(made, answered, "{name}: call and result must meet");
        assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), 2, "{name}: and not another's");
        assert_eq!(ids(sent(dialect, &request)).0, made, "{name}: nor may the alias change from turn to turn");
        let (longest, allowed): (usize, &[u8]) = match name {
            "anthropic" => (256, b"_-"),
            "openai_chat" | "openai_responses" | "bedrock_converse" => (64, b"_-"),
            _ => (4096, b"|:./,-_ "),
        };
        let fits = |id: &Str| {
            id.len() <= longest && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || allowed.contains(&byte))
        };
        assert!(made.iter().all(fits), "{name}: {made:?}");
    }
}

#[test]
fn pitfall_21_long_names_stay_apart_and_come_back() {
    let long = "mcp_server_with_a_long_name__and_a_tool_whose_name_is_long_enough_to_be_cut_somewhere_in_the_middle_of_it_all_and_more_";
    let names = [format!("{long}a"), format!("{long}b"), "ns.tool/x".to_owned()];
    for dialect in conversing() {
        let wire = dialect.name();
        let longest = match wire {
            "anthropic" | "gemini" => 128,
            // No limit is known.
            "ollama" => 4096,
            _ => 64,
        };
        let tools = names.iter().map(|name| tool(name)).collect();
        let request = Request { tools, ..asking(vec![user("go")]) };
        let encoded = encode(dialect, &request).expect("names are fitted");
        let offered: Vec<String> = read_request(dialect, &encoded).tools.iter().map(name_of).collect();
        assert_eq!(
            offered.iter().collect::<BTreeSet<_>>().len(),
            3,
            "{wire}: two tools must not become one: {offered:?}"
        );
        assert!(offered.iter().all(|name| name.len() <= longest), "{wire}: {offered:?}");
        // The model calls them by the names that it was given; the client reads its own.
        let mut restorer = Restorer::new(&request, &encoded);
        for (own, given) in names.iter().zip(&offered) {
            let (id, name) = (Str::from_static("c"), Str::from(given.as_str()));
            let called = ToolCall { id, name, kind: CallKind::Function, args: Str::new() };
            let mut event = begin(0, PartKind::ToolCall(called.clone()));
            restorer.event(&mut event);
            let Event::PartStart(start) = event else { panic!("it stays a start") };
            let PartStart { kind: PartKind::ToolCall(begun), .. } = *start else { panic!("it stays a call") };
            assert_eq!(&*begun.name, own, "{wire}, streamed");
            let mut response = whole("{}");
            response.candidates[0].parts = vec![Part::new(PartContent::ToolCall(called))];
            restorer.response(&mut response);
            assert_eq!(&*calls(&response)[0].name, own, "{wire}, whole");
        }
    }
}

fn name_of(tool: &lockgate_filters::model::Tool) -> String {
    match tool {
        lockgate_filters::model::Tool::Function { name, .. } => name.to_string(),
        other => panic!("{other:?} was not offered"),
    }
}

// === results ===

/// The parts behind the calls: what each is, with the call that it answers.
fn behind_calls(dialect: &dyn Upstream, request: &Request) -> Vec<(&'static str, Option<Str>, bool)> {
    let turns = sent(dialect, request);
    let at = turns.iter().position(|turn| turn.role == Role::Assistant).expect("the calls are there");
    let parts = turns.into_iter().skip(at + 1).flat_map(|turn| turn.parts);
    let kinds = parts.map(|part| match part.content {
        PartContent::ToolResult(result) => {
            let words: String = result.parts.iter().filter_map(Part::as_text).map(|text| &**text).collect();
            let json = result.json.map(|json| json.as_str().to_owned()).unwrap_or_default();
            let failed = result.is_error || (words + &json).to_lowercase().contains("error");
            ("result", Some(result.call), failed)
        }
        PartContent::Media(_) => ("media", None, false),
        _ => ("text", None, false),
    });
    kinds.collect()
}

#[test]
fn pitfall_22_and_24_each_call_has_one_result_and_what_is_missing_is_an_error() {
    for dialect in conversing() {
        let name = dialect.name();
        let turns = vec![
            user("go"),
            turn(Role::Assistant, vec![call("call_a", "{}"), call("call_b", "{}"), call("call_c", "{}")]),
            turn(Role::User, vec![Part::text("and?"), result("call_c", "three"), result("call_a", "one")]),
        ];
        let request = Request { tools: vec![tool("f")], ..asking(turns) };
        let encoded = encode(dialect, &request).expect("it is repaired");
        assert!(encoded.losses.iter().any(|loss| loss.field == Field::ToolResult), "{name}: the repair is told");
        let behind = behind_calls(dialect, &request);
        let kinds: Vec<&str> = behind.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, ["result", "result", "result", "text"], "{name}");
        let failed: Vec<bool> = behind.iter().map(|(_, _, failed)| *failed).collect();
        assert_eq!(failed, [false, true, false, false], "{name}: the one in the middle was never given");
        let answered: BTreeSet<_> = behind.iter().filter_map(|(_, call, _)| call.clone()).collect();
        assert_eq!(answered.len(), 3, "{name}: each answers another call");
    }
}

#[test]
fn pitfall_23_nothing_stands_between_the_results_of_a_turn() {
    let image = || {
        let source = MediaSource::Base64(Str::from_static("iVBORw0KGgo="));
        Part::new(PartContent::Media(Media::new(MediaClass::Image, Some(Str::from_static("image/png")), source)))
    };
    let (id, name) = (Str::from_static("call_a"), Some(Str::from_static("f")));
    let parts = vec![Part::text("one"), image()];
    let seen = Part::new(PartContent::ToolResult(ToolResult { call: id, name, parts, json: None, is_error: false }));
    for dialect in conversing() {
        let turns = vec![
            user("go"),
            turn(Role::Assistant, vec![call("call_a", "{}"), call("call_b", "{}")]),
            turn(Role::User, vec![seen.clone(), image(), Part::text("look"), result("call_b", "two")]),
        ];
        let model =
            if dialect.name() == "cohere" { "command-a-vision-07-2025" } else { crate::support::model_of(dialect) };
        let request = Request { tools: vec![tool("f")], ..asking(turns) };
        let encoded = crate::support::encode_for(dialect, model, &request);
        let encoded = encoded.unwrap_or_else(|error| panic!("{} refuses: {error}", dialect.name()));
        let turns = read_request(dialect, &encoded).turns;
        let parts: Vec<Part> = turns.into_iter().skip(2).flat_map(|turn| turn.parts).collect();
        let results = parts.iter().take_while(|part| matches!(part.content, PartContent::ToolResult(_))).count();
        assert_eq!(results, 2, "{}: {parts:?}", dialect.name());
        let inside = parts.iter().filter_map(|part| match &part.content {
            PartContent::ToolResult(result) => Some(&result.parts),
            _ => None,
        });
        let images =
            inside.flatten().chain(&parts).filter(|part| matches!(part.content, PartContent::Media(_))).count();
        assert_eq!(images, 2, "{}: no image is lost: {parts:?}", dialect.name());
    }
}

#[test]
fn pitfall_24_a_whole_answer_streams_as_many_calls_as_it_has() {
    let mut response = whole("{}");
    response.candidates[0].parts = ["call_a", "call_b"].map(|id| call(id, "{}")).to_vec();
    for dialect in conversing() {
        let mut events = Vec::new();
        unfold(response.clone(), &mut events);
        assert_eq!(calls(&answer(dialect, &write(dialect, &events))).len(), 2, "{}", dialect.name());
    }
}
