//! Small edits of one schema object that keep the order of its keys.

use serde_json::{Map, Value, json};

/// Renames a key where it stands.
pub(super) fn rename(map: &mut Map<String, Value>, from: &str, to: &str) {
    if map.contains_key(from) {
        let members = std::mem::take(map).into_iter();
        map.extend(members.map(|(key, value)| if key == from { (to.to_owned(), value) } else { (key, value) }));
    }
}

/// Adds a remark to a description.
pub(super) fn describe(map: &mut Map<String, Value>, note: &str) {
    let text = match map.get("description").and_then(Value::as_str) {
        Some(said) if !said.is_empty() => format!("{said} ({note})"),
        _ => note.to_owned(),
    };
    map.insert("description".to_owned(), json!(text));
}

/// Lets a schema accept null as well.
pub(super) fn allow_null(map: &mut Map<String, Value>) {
    if map.is_empty() {
        return;
    }
    // Not called `null`: `json!` would read that as the value.
    let nothing = json!("null");
    if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
        if !branches.iter().any(|branch| branch.get("type").is_some_and(|kind| *kind == nothing)) {
            branches.push(json!({"type": nothing}));
        }
        return;
    }
    let listed = map.contains_key("enum");
    let constant = map.contains_key("const");
    match map.get_mut("type") {
        Some(Value::Array(kinds)) if kinds.contains(&nothing) => {}
        Some(Value::Array(kinds)) => kinds.push(nothing),
        Some(kind) if *kind == nothing => {}
        Some(kind) if !constant => *kind = json!([kind.take(), nothing]),
        None if listed => {}
        _ => {
            let schema = std::mem::take(map);
            map.insert("anyOf".to_owned(), json!([schema, {"type": nothing}]));
            return;
        }
    }
    if let Some(Value::Array(values)) = map.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// A list whose places have schemas of their own becomes a list of any of them.
pub(super) fn tuple_to_list(map: &mut Map<String, Value>) {
    let key = if map.contains_key("prefixItems") { "prefixItems" } else { "items" };
    let Some(Value::Array(places)) = map.get(key) else { return };
    let mut kinds: Vec<Value> = Vec::new();
    for place in places.iter().chain(map.get("items").filter(|rest| rest.is_object() && key == "prefixItems")) {
        if !kinds.contains(place) {
            kinds.push(place.clone());
        }
    }
    let items = match kinds.pop() {
        Some(only) if kinds.is_empty() => only,
        Some(last) => {
            kinds.push(last);
            json!({"anyOf": kinds})
        }
        None => json!({}),
    };
    map.shift_remove("additionalItems");
    map.shift_remove("prefixItems");
    map.insert("items".to_owned(), items);
}
