//! Reads a stream as the SDK's client does, and is as strict: chunks of types it does not know, words for parts that
//! were not announced and results of calls that were not made are faults, not things to pass over.

use serde_json::{Map, Value, json};

/// A message as the client builds it, and what the stream said besides.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) parts: Vec<Value>,
    pub(super) finish: Option<String>,
    pub(super) metadata: Value,
    pub(super) error: Option<String>,
    open: Vec<(String, String, usize)>,
    inputs: Vec<(String, String)>,
}

/// Reads a whole stream.
pub(super) fn read(stream: &str) -> Read {
    let mut read = Read::default();
    let mut chunks: Vec<&str> = stream.split_terminator("\n\n").collect();
    assert_eq!(chunks.pop(), Some("data: [DONE]"), "the terminator is last");
    for chunk in chunks {
        let data = chunk.strip_prefix("data: ").expect("a chunk is one line of data");
        read.chunk(&serde_json::from_str(data).expect("a chunk is JSON"));
    }
    read
}

fn member<'v>(chunk: &'v Value, name: &str) -> &'v str {
    chunk[name].as_str().unwrap_or_else(|| panic!("{chunk} needs `{name}`"))
}

impl Read {
    /// The parts without those that only mark steps.
    pub(super) fn said(&self) -> Vec<&Value> {
        self.parts.iter().filter(|part| part["type"] != "step-start").collect()
    }

    fn chunk(&mut self, chunk: &Value) {
        assert!(self.finish.is_none() && self.error.is_none(), "nothing follows the end: {chunk}");
        match member(chunk, "type") {
            "start" => assert!(self.parts.is_empty(), "the start comes first"),
            "start-step" => self.parts.push(json!({"type": "step-start"})),
            "finish-step" => assert!(self.open.is_empty(), "parts end before their step: {:?}", self.open),
            kind @ ("text-start" | "reasoning-start") => self.begin(kind.trim_end_matches("-start"), chunk),
            kind @ ("text-delta" | "reasoning-delta") => self.more(kind.trim_end_matches("-delta"), chunk),
            kind @ ("text-end" | "reasoning-end") => self.end(kind.trim_end_matches("-end"), chunk),
            "tool-input-start" => self.call(chunk),
            "tool-input-delta" => {
                let id = member(chunk, "toolCallId");
                let input = self.inputs.iter_mut().find(|(call, _)| call == id).expect("a call is announced");
                input.1.push_str(member(chunk, "inputTextDelta"));
            }
            "tool-input-available" | "tool-input-error" => self.input(chunk),
            "tool-output-available" => {
                let part = self.tool(member(chunk, "toolCallId"));
                part.insert("state".into(), "output-available".into());
                part.insert("output".into(), chunk["output"].clone());
                keep(part, "resultProviderMetadata", &chunk["providerMetadata"]);
            }
            "source-url" | "source-document" | "file" => self.parts.push(chunk.clone()),
            "error" => self.error = Some(member(chunk, "errorText").to_owned()),
            "finish" => {
                self.finish = Some(member(chunk, "finishReason").to_owned());
                self.metadata = chunk["messageMetadata"].clone();
            }
            other => panic!("the client does not know `{other}`"),
        }
    }

    fn begin(&mut self, kind: &str, chunk: &Value) {
        let id = member(chunk, "id").to_owned();
        assert!(!self.open.iter().any(|(of, open, _)| of == kind && *open == id), "an id is open once");
        self.open.push((kind.to_owned(), id, self.parts.len()));
        let mut part = json!({"type": kind, "text": ""});
        keep(part.as_object_mut().expect("an object"), "providerMetadata", &chunk["providerMetadata"]);
        self.parts.push(part);
    }

    fn at(&self, kind: &str, chunk: &Value) -> usize {
        let id = member(chunk, "id");
        let found = self.open.iter().position(|(of, open, _)| of == kind && open == id);
        found.unwrap_or_else(|| panic!("{chunk} is for a part that is not open"))
    }

    fn more(&mut self, kind: &str, chunk: &Value) {
        let at = self.open[self.at(kind, chunk)].2;
        let text = format!("{}{}", self.parts[at]["text"].as_str().expect("text"), member(chunk, "delta"));
        self.parts[at]["text"] = text.into();
        let part = self.parts[at].as_object_mut().expect("an object");
        keep(part, "providerMetadata", &chunk["providerMetadata"]);
    }

    fn end(&mut self, kind: &str, chunk: &Value) {
        let (_, _, at) = self.open.remove(self.at(kind, chunk));
        let part = self.parts[at].as_object_mut().expect("an object");
        keep(part, "providerMetadata", &chunk["providerMetadata"]);
    }

    fn call(&mut self, chunk: &Value) {
        let (id, name) = (member(chunk, "toolCallId"), member(chunk, "toolName"));
        self.inputs.push((id.to_owned(), String::new()));
        let dynamic = chunk["dynamic"] == true;
        let mut part = json!({"toolCallId": id, "state": "input-streaming"});
        part["type"] = if dynamic { "dynamic-tool".into() } else { format!("tool-{name}").into() };
        if dynamic {
            part["toolName"] = name.into();
        }
        if chunk["providerExecuted"] == true {
            part["providerExecuted"] = true.into();
        }
        self.parts.push(part);
    }

    fn input(&mut self, chunk: &Value) {
        let id = member(chunk, "toolCallId").to_owned();
        let at = self.inputs.iter().position(|(call, _)| *call == id).expect("a call is announced");
        let (_, streamed) = self.inputs.remove(at);
        let part = self.tool(&id);
        keep(part, "callProviderMetadata", &chunk["providerMetadata"]);
        if member(chunk, "type") == "tool-input-error" {
            part.insert("state".into(), "output-error".into());
            part.insert("rawInput".into(), chunk["input"].clone());
            part.insert("errorText".into(), chunk["errorText"].clone());
            return;
        }
        if !streamed.trim().is_empty() && chunk["input"].is_object() {
            let streamed: Value = serde_json::from_str(&streamed).expect("what was streamed is JSON");
            assert_eq!(streamed, chunk["input"], "the input is what was streamed");
        }
        part.insert("state".into(), "input-available".into());
        part.insert("input".into(), chunk["input"].clone());
    }

    fn tool(&mut self, id: &str) -> &mut Map<String, Value> {
        let part = self.parts.iter_mut().rev().find(|part| part["toolCallId"] == id);
        part.expect("a call is announced before its result").as_object_mut().expect("an object")
    }
}

/// Later metadata takes the place of earlier; none leaves it as it was.
fn keep(part: &mut Map<String, Value>, name: &str, metadata: &Value) {
    if metadata.is_object() {
        part.insert(name.to_owned(), metadata.clone());
    }
}
