//! Tools that another vendor ran, as the likes of them that this dialect's clients know.

use bytes::BytesMut;

use super::{output::item_id, wire::Writer};

/// Another vendor's tool that does what one of this vendor's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    WebSearch,
    CodeInterpreter,
}

/// What another vendor's tool is like, by its name.
pub(super) fn of(tool: &str) -> Option<Likeness> {
    match tool {
        "web_search" | "google_search" => Some(Likeness::WebSearch),
        "code_execution" | "bash_code_execution" | "code_interpreter" => Some(Likeness::CodeInterpreter),
        _ => None,
    }
}

/// Appends a search on the web.
pub(super) fn push_web_search(out: &mut BytesMut, id: &str, status: &str, input: &serde_json::Value) {
    let mut item = Writer::object(out);
    item.str("id", id);
    item.str("type", "web_search_call");
    item.str("status", status);
    let mut action = Writer::of_type(item.member("action"), "search");
    action.str("query", input.get("query").and_then(|query| query.as_str()).unwrap_or_default());
    action.end();
    item.end();
}

/// The code in the input of another vendor's tool that runs it.
pub(super) fn code_of(input: &serde_json::Value) -> &str {
    ["code", "command"].iter().find_map(|name| input.get(name)?.as_str()).unwrap_or_default()
}

/// What code printed, in the result of another vendor's tool that ran it.
pub(super) fn logs_of(output: &serde_json::Value) -> String {
    let inner = output.get("content").unwrap_or(output);
    let printed = ["output", "stdout", "stderr"].iter().filter_map(|name| inner.get(name)?.as_str());
    printed.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Appends code that was run, and what it printed. The container is nobody's: clients want its member.
pub(super) fn push_code(out: &mut BytesMut, id: &str, status: &str, code: &str, logs: Option<&str>) {
    let mut item = Writer::object(out);
    item.str("id", id);
    item.str("type", "code_interpreter_call");
    item.str("status", status);
    item.str("code", code);
    item.str("container_id", &item_id("cntr", id, 0));
    match logs {
        Some(logs) => {
            let mut outputs = item.list("outputs");
            let mut output = Writer::of_type(outputs.element(), "logs");
            output.str("logs", logs);
            output.end();
            outputs.end();
        }
        None => item.raw("outputs", "null"),
    }
    item.end();
}
