//! The state machine that a client's stream must keep to, as official SDKs check it and as strict clients read it.

use serde_json::Value;

/// The data of each event.
pub(super) fn data(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).expect("streams are UTF-8");
    text.split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.split_once('\n').expect("an event has a name and data");
            let name = name.strip_prefix("event: ").expect("the name comes first");
            let data: Value =
                serde_json::from_str(data.strip_prefix("data: ").expect("then data")).expect("data is JSON");
            assert_eq!(data["type"], name, "an event's name repeats its type");
            data
        })
        .collect()
}

#[derive(Default)]
struct Item {
    id: String,
    parts: Vec<String>,
    open: Option<String>,
    summary: Option<String>,
    args: String,
    done: Option<Value>,
}

/// Checks a stream that was written from its beginning; gives its last event.
pub(super) fn check(stream: &[u8]) -> Value {
    let events = data(stream);
    let mut items: Vec<Item> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at, "events are numbered without gaps");
        let kind = event["type"].as_str().expect("an event has a type");
        match at {
            0 => assert_eq!(kind, "response.created"),
            1 => assert_eq!(kind, "response.in_progress"),
            _ => {}
        }
        if at < 2 {
            assert_eq!(event["response"]["status"], "in_progress");
            assert_eq!(event["response"]["output"], Value::Array(vec![]));
            continue;
        }
        let is_last = matches!(kind, "response.completed" | "response.incomplete" | "response.failed");
        assert_eq!(is_last, at + 1 == events.len(), "the last event, and only that, ends the stream: {kind}");
        if kind == "error" {
            assert_eq!(events[at + 1]["type"], "response.failed", "an error ends the stream");
            assert!(event["error"]["message"].is_string() && event["message"].is_string());
            continue;
        }
        if is_last {
            continue;
        }
        let index = usize::try_from(event["output_index"].as_u64().expect("it is about an item")).expect("small");
        if kind == "response.output_item.added" {
            assert_eq!(index, items.len(), "positions have no gaps");
            let id = event["item"]["id"].as_str().expect("an item has an id").to_owned();
            items.push(Item { id, ..Item::default() });
            continue;
        }
        let item = items.get_mut(index).expect("an item is announced before anything of it comes");
        assert!(item.done.is_none(), "nothing comes behind an item's end");
        if kind == "response.output_item.done" {
            assert!(item.open.is_none(), "an item ends after its parts");
            assert_eq!(event["item"]["id"], item.id.as_str(), "an item keeps its id");
            whole(item, &event["item"]);
            item.done = Some(event["item"].clone());
            continue;
        }
        assert_eq!(event["item_id"], item.id.as_str(), "an item keeps its id");
        inside(item, kind, event);
    }
    let last = events.last().expect("a stream has an end").clone();
    let expected: Vec<Value> = items.iter().filter_map(|item| item.done.clone()).collect();
    assert_eq!(last["response"]["output"], Value::Array(expected), "the end holds the items in their order");
    if last["type"] != "response.failed" {
        assert!(items.iter().all(|item| item.done.is_some()), "every item ends");
    }
    last
}

/// What an item said in pieces is what it says at its end.
fn whole(item: &Item, done: &Value) {
    match done["type"].as_str().expect("an item has a type") {
        "message" => {
            let texts: Vec<String> = done["content"]
                .as_array()
                .expect("a message has content")
                .iter()
                .map(|part| part["text"].as_str().or_else(|| part["refusal"].as_str()).expect("text").to_owned())
                .collect();
            assert!(!texts.is_empty(), "no message is opened for nothing");
            assert_eq!(texts, item.parts);
        }
        "reasoning" => {
            let summary = done["summary"].as_array().expect("a summary is a list");
            assert_eq!(summary.first().and_then(|part| part["text"].as_str()), item.summary.as_deref());
        }
        "function_call" => assert_eq!(done["arguments"], item.args.as_str()),
        "custom_tool_call" => assert_eq!(done["input"], item.args.as_str()),
        _ => {}
    }
}

fn inside(item: &mut Item, kind: &str, event: &Value) {
    let delta = || event["delta"].as_str().expect("a delta is text");
    match kind {
        "response.content_part.added" => {
            assert!(item.open.is_none(), "one part is open at a time");
            assert_eq!(event["content_index"], item.parts.len());
            item.open = Some(String::new());
        }
        "response.output_text.delta" | "response.refusal.delta" => {
            assert_eq!(event["content_index"], item.parts.len());
            assert_eq!(kind == "response.output_text.delta", event["logprobs"].is_array());
            item.open.as_mut().expect("a part is announced").push_str(delta());
        }
        "response.output_text.annotation.added" => assert!(item.open.is_some() && event["annotation"].is_object()),
        "response.output_text.done" | "response.refusal.done" => {
            let text = event["text"].as_str().or_else(|| event["refusal"].as_str());
            assert_eq!(text, item.open.as_deref(), "the whole is what came in pieces");
        }
        "response.content_part.done" => item.parts.push(item.open.take().expect("a part ends once")),
        "response.reasoning_summary_part.added" => assert!(item.summary.replace(String::new()).is_none()),
        "response.reasoning_summary_text.delta" => {
            item.summary.as_mut().expect("a summary is announced").push_str(delta());
        }
        "response.reasoning_summary_text.done" => assert_eq!(event["text"].as_str(), item.summary.as_deref()),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            item.args.push_str(delta());
        }
        "response.function_call_arguments.done" => assert_eq!(event["arguments"], item.args.as_str()),
        "response.custom_tool_call_input.done" => assert_eq!(event["input"], item.args.as_str()),
        _ => {}
    }
}
