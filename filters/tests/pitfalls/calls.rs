//! Calls in streams: apart, in order, numbered and named.

use lockgate_filters::{
    model::{FinishReason, PartContent, PartKind},
    stream::unfold,
};
use serde_json::{Value, json};

use crate::support::{
    answer, args, begin, begin_call, call, calling, calls, conversing, dialect, end, framed, json_of, read, say,
    stream, text_of, write,
};

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

#[test]
fn pitfall_24_a_whole_answer_streams_as_many_calls_as_it_has() {
    let mut response = calling("{}");
    response.candidates[0].parts = ["call_a", "call_b"].map(|id| call(id, "{}")).to_vec();
    for dialect in conversing() {
        let mut events = Vec::new();
        unfold(response.clone(), &mut events);
        assert_eq!(calls(&answer(dialect, &write(dialect, &events))).len(), 2, "{}", dialect.name());
    }
}
