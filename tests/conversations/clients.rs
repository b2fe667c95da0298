//! Clients of dialects that no server speaks: what they send of a conversation, and what they keep of an answer.
//!
//! What the gateway gave a part besides its words, the client keeps as it came, and sends back in the same place.

use std::collections::HashMap;

use lockgate_filters::model::{
    CallKind, Family, Opaque, OpaqueKind, Part, PartContent, Reasoning, Request, Role, Str, Tool, ToolCall, Turn,
};
use serde_json::{Map, Value, json};

/// How such a client writes and reads.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// Whether its answers are streams; none of these has both.
    pub(super) streams: bool,
    /// Whether it can ask for thinking, without which some upstreams are not told of earlier thoughts.
    pub(super) asks_for_thinking: bool,
    pub(super) write: fn(&Request, &str) -> Value,
    pub(super) read: fn(&str) -> Vec<Part>,
}

/// All of them.
pub(super) const CLIENTS: [Client; 2] = [
    Client {
        name: "ai_sdk_ui",
        path: "/api/chat",
        streams: true,
        asks_for_thinking: true,
        write: write_ui,
        read: read_ui,
    },
    Client {
        name: "mcp_sampling",
        path: "/sampling",
        streams: false,
        asks_for_thinking: false,
        write: write_sampling,
        read: read_sampling,
    },
];

/// What came with a part, kept as it is. Whose it is, the client does not know.
fn kept(value: &Value) -> Vec<Opaque> {
    let state = |data| Opaque { family: Family::Ollama, kind: OpaqueKind::Signature, model: None, id: None, data };
    value.is_object().then(|| state(Str::from(value.to_string()))).into_iter().collect()
}

/// Puts what was kept back in its place.
fn put_back(kept: &[Opaque], member: &str, part: &mut Value) {
    if let Some(state) = kept.first() {
        part[member] = serde_json::from_str(&state.data).expect("it was kept as it came");
    }
}

fn call(id: &Value, name: &str, input: &Value, came_with: &Value) -> Part {
    let call = ToolCall {
        id: Str::from(id.as_str().expect("a call has an id")),
        name: Str::from(name),
        kind: CallKind::Function,
        args: Str::from(input.to_string()),
    };
    Part { opaque: kept(came_with), ..Part::new(PartContent::ToolCall(call)) }
}

fn args(call: &ToolCall) -> Value {
    serde_json::from_str(&call.args).expect("arguments are JSON")
}

fn words(parts: &[Part]) -> String {
    parts.iter().filter_map(Part::as_text).map(|text| &**text).collect()
}

fn tools(request: &Request) -> Vec<Value> {
    let of = |tool: &Tool| match tool {
        Tool::Function { name, description, schema, .. } => {
            let schema = schema.as_ref().map(lockgate_filters::model::RawJson::to_value);
            Some(json!({"name": &**name, "description": description.as_deref(), "inputSchema": schema}))
        }
        _ => None,
    };
    request.tools.iter().filter_map(of).collect()
}

/// A chat of UI messages. What the client's tools gave stands in the message that called them, and the answer to that
/// goes on in it.
fn write_ui(request: &Request, model: &str) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    for turn in &request.turns {
        let parts = ui_parts(turn);
        let said_before = messages.last().is_some_and(|last| last["role"] == "assistant");
        match (turn.role, messages.last_mut()) {
            (Role::Assistant, Some(last)) if said_before => {
                last["parts"].as_array_mut().expect("a message has parts").extend(parts);
            }
            (Role::User, Some(last)) => {
                give_results(turn, last);
                if !parts.is_empty() {
                    messages.push(json!({"id": "u", "role": "user", "parts": parts}));
                }
            }
            (Role::Assistant, _) => messages.push(json!({"id": "a", "role": "assistant", "parts": parts})),
            _ => messages.push(json!({"id": "u", "role": "user", "parts": parts})),
        }
    }
    json!({
        "id": "chat-1", "trigger": "submit-message", "model": model, "system": words(&request.system),
        "messages": messages, "tools": tools(request), "maxOutputTokens": request.limits.max_output,
        "reasoningEffort": "low",
    })
}

fn ui_parts(turn: &Turn) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    if turn.role == Role::Assistant {
        parts.push(json!({"type": "step-start"}));
    }
    for part in &turn.parts {
        match &part.content {
            PartContent::Text(text) => parts.push(json!({"type": "text", "text": &**text})),
            PartContent::Reasoning(thought) => {
                let mut written = json!({"type": "reasoning", "text": thought.text.as_deref()});
                put_back(&thought.opaque, "providerMetadata", &mut written);
                parts.push(written);
            }
            PartContent::ToolCall(call) => {
                let kind = format!("tool-{}", call.name);
                let mut written =
                    json!({"type": kind, "toolCallId": &*call.id, "state": "input-available", "input": args(call)});
                put_back(&part.opaque, "callProviderMetadata", &mut written);
                parts.push(written);
            }
            _ => {}
        }
    }
    parts
}

fn give_results(turn: &Turn, message: &mut Value) {
    for part in &turn.parts {
        let PartContent::ToolResult(result) = &part.content else { continue };
        let parts = message["parts"].as_array_mut().expect("a message has parts");
        let call = parts.iter_mut().find(|part| part["toolCallId"] == *result.call).expect("it was called");
        call["state"] = "output-available".into();
        call["output"] = words(&result.parts).into();
    }
}

/// The parts of a UI message stream, in the order in which they began.
fn read_ui(body: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    let chunks = body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    for chunk in chunks {
        let chunk: Value = serde_json::from_str(chunk).expect("a chunk is JSON");
        let kind = chunk["type"].as_str().expect("a chunk has a type");
        assert_ne!(kind, "error", "{chunk}");
        let id = format!("{} {}", kind.split('-').next().unwrap_or_default(), chunk["id"]);
        match kind {
            "text-start" | "reasoning-start" => {
                open.insert(id.clone(), parts.len());
                let thought = Reasoning { text: Some(Str::new()), redacted: false, opaque: Vec::new() };
                let is_text = kind == "text-start";
                parts.push(if is_text { Part::text("") } else { Part::new(PartContent::Reasoning(thought)) });
            }
            "text-delta" | "reasoning-delta" => {
                append(&mut parts[open[&id]], chunk["delta"].as_str().expect("a delta has words"));
            }
            "tool-input-available" => {
                let name = chunk["toolName"].as_str().expect("a tool has a name");
                parts.push(call(&chunk["toolCallId"], name, &chunk["input"], &chunk["providerMetadata"]));
            }
            _ => {}
        }
        // Later metadata takes the place of earlier; none leaves it as it was.
        if let Some(PartContent::Reasoning(thought)) = open.get(&id).map(|at| &mut parts[*at].content)
            && chunk["providerMetadata"].is_object()
        {
            thought.opaque = kept(&chunk["providerMetadata"]);
        }
    }
    parts
}

fn append(part: &mut Part, more: &str) {
    match &mut part.content {
        PartContent::Text(text) => *text = Str::from(format!("{text}{more}")),
        PartContent::Reasoning(Reasoning { text: Some(text), .. }) => *text = Str::from(format!("{text}{more}")),
        other => panic!("no words belong to {other:?}"),
    }
}

/// Parameters of `sampling/createMessage`. Results stand in a message of their own.
fn write_sampling(request: &Request, model: &str) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    for turn in &request.turns {
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        let (results, said): (Vec<Value>, Vec<Value>) =
            turn.parts.iter().filter_map(sampling_block).partition(|block| block["type"] == "tool_result");
        for content in [results, said].into_iter().filter(|content| !content.is_empty()) {
            messages.push(json!({"role": role, "content": content}));
        }
    }
    json!({
        "messages": messages, "systemPrompt": words(&request.system), "maxTokens": request.limits.max_output,
        "modelPreferences": {"hints": [{"name": model}]}, "tools": tools(request),
    })
}

fn sampling_block(part: &Part) -> Option<Value> {
    match &part.content {
        PartContent::Text(text) => Some(json!({"type": "text", "text": &**text})),
        PartContent::ToolCall(call) => {
            let mut block = json!({"type": "tool_use", "id": &*call.id, "name": &*call.name, "input": args(call)});
            put_back(&part.opaque, "_meta", &mut block);
            Some(block)
        }
        PartContent::ToolResult(result) => {
            let content = json!([{"type": "text", "text": words(&result.parts)}]);
            Some(json!({"type": "tool_result", "toolUseId": &*result.call, "content": content}))
        }
        _ => None,
    }
}

fn read_sampling(body: &str) -> Vec<Part> {
    let result: Map<String, Value> = serde_json::from_str(body).expect("a result is an object");
    let blocks = result["content"].as_array().expect("content is a list for who is no peer");
    let of = |block: &Value| match block["type"].as_str() {
        Some("text") => Part::text(Str::from(block["text"].as_str().expect("a text has words"))),
        Some("tool_use") => {
            call(&block["id"], block["name"].as_str().expect("a tool has a name"), &block["input"], &block["_meta"])
        }
        _ => panic!("{block} is not asked for"),
    };
    blocks.iter().map(of).collect()
}
