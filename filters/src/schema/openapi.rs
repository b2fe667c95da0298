//! Writing a schema in the subset of `OpenAPI` 3.0 that Gemini's `parameters` and `responseSchema` take.

use serde_json::{Map, Value, json};

use super::{
    Fitter, MAX_NOTE_BYTES,
    edit::{describe, rename},
};

impl Fitter<'_> {
    /// Says in `OpenAPI`'s words what has others in JSON Schema.
    pub(super) fn rewrite_openapi(&mut self, map: &mut Map<String, Value>) {
        if let (Some(value), false) = (map.get("const").cloned(), map.contains_key("enum")) {
            map.insert("const".to_owned(), json!([value]));
            rename(map, "const", "enum");
        }
        if let Some(Value::Array(kinds)) = map.get("type").cloned() {
            let mut kinds: Vec<Value> = kinds;
            let count = kinds.len();
            kinds.retain(|kind| kind != "null");
            let nullable = kinds.len() < count;
            if kinds.len() > 1 && !map.contains_key("anyOf") {
                map.shift_remove("type");
                let branches = kinds.into_iter().map(|kind| branch_of(map, kind)).collect();
                map.insert("anyOf".to_owned(), Value::Array(branches));
            } else if let Some(kind) = kinds.into_iter().next() {
                map.insert("type".to_owned(), kind);
            } else {
                map.insert("type".to_owned(), json!("null"));
            }
            if nullable {
                map.insert("nullable".to_owned(), json!(true));
            }
        }
        if map.get("type").is_some_and(is_null_type) {
            map.insert("type".to_owned(), json!("string"));
            map.insert("nullable".to_owned(), json!(true));
            self.weakened = true;
        }
        self.enum_to_strings(map);
        self.spread_any_of(map);
    }

    /// Gemini's `enum` is a list of strings, whatever the type.
    fn enum_to_strings(&mut self, map: &mut Map<String, Value>) {
        let Some(Value::Array(values)) = map.get("enum") else { return };
        if values.iter().all(Value::is_string) {
            if !map.contains_key("type") {
                map.insert("type".to_owned(), json!("string"));
            }
            return;
        }
        let numeric = values.iter().all(|value| value.is_number() || value.is_string() || value.is_null());
        let nullable = values.iter().any(Value::is_null);
        if numeric {
            let text = |value: &Value| match value {
                Value::Null => None,
                Value::String(text) => Some(json!(text)),
                number => Some(json!(number.to_string())),
            };
            let strings: Vec<Value> = values.iter().filter_map(text).collect();
            let has_string = values.iter().any(Value::is_string);
            let all_integers = values.iter().all(|value| value.is_i64() || value.is_u64() || value.is_null());
            if values.iter().any(Value::is_number) {
                map.insert("format".to_owned(), json!("enum"));
            }
            map.insert("enum".to_owned(), Value::Array(strings));
            if !map.contains_key("type") {
                let kind = if has_string {
                    "string"
                } else if all_integers {
                    "integer"
                } else {
                    "number"
                };
                map.insert("type".to_owned(), json!(kind));
            }
        } else {
            // Booleans and objects cannot be listed: the type says most of it, the description the rest.
            let note = format!("enum: {}", Value::Array(values.clone()));
            let boolean = values.iter().all(|value| value.is_boolean() || value.is_null());
            map.shift_remove("enum");
            if note.len() <= MAX_NOTE_BYTES {
                describe(map, &note);
            }
            if boolean && !map.contains_key("type") {
                map.insert("type".to_owned(), json!("boolean"));
            }
            self.weakened = true;
        }
        if nullable {
            map.insert("nullable".to_owned(), json!(true));
        }
    }

    /// `anyOf` must stand alone: what stands beside it goes into its branches.
    fn spread_any_of(&mut self, map: &mut Map<String, Value>) {
        let Some(Value::Array(mut branches)) = map.get("anyOf").cloned() else { return };
        let count = branches.len();
        branches.retain(|branch| !branch.get("type").is_some_and(is_null_type));
        if branches.len() < count {
            map.insert("nullable".to_owned(), json!(true));
        }
        // `anyOf: [{required: [a]}, {required: [b]}]` narrows an object that the parent describes.
        let narrows = branches.iter().all(|branch| {
            branch.as_object().is_some_and(|branch| {
                !["type", "properties", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "items"]
                    .iter()
                    .any(|key| branch.contains_key(*key))
            })
        });
        map.shift_remove("anyOf");
        if branches.is_empty() || (narrows && map.contains_key("type")) {
            self.weakened |= !branches.is_empty();
            if branches.is_empty() && !map.contains_key("type") {
                map.insert("type".to_owned(), json!("string"));
                self.weakened = true;
            }
            return;
        }
        if branches.len() == 1 {
            if let Some(Value::Object(mut only)) = branches.pop() {
                if self.inline(&mut only) {
                    only.extend(std::mem::take(map));
                    *map = only;
                    // The branch may itself hold what this function and its caller rewrite.
                    self.merge_all_of(map);
                    self.rewrite(map);
                } else {
                    self.weakened = true;
                    map.insert("type".to_owned(), json!("object"));
                }
            }
            return;
        }
        let beside = std::mem::take(map);
        for branch in &mut branches {
            if let Value::Object(branch) = branch {
                for (key, value) in &beside {
                    if !branch.contains_key(key) {
                        branch.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        map.insert("anyOf".to_owned(), Value::Array(branches));
    }

    /// Adds what Gemini demands of a schema object.
    pub(super) fn complete_openapi(map: &mut Map<String, Value>) {
        if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
            let nested = std::mem::take(branches);
            for branch in nested {
                match branch {
                    Value::Object(mut inner) if inner.len() == 1 && inner.contains_key("anyOf") => {
                        if let Some(Value::Array(inner)) = inner.shift_remove("anyOf") {
                            branches.extend(inner);
                        }
                    }
                    branch => branches.push(branch),
                }
            }
            return;
        }
        if map.get("properties").and_then(Value::as_object).is_some_and(Map::is_empty) {
            map.shift_remove("properties");
        }
        let names: Vec<String> =
            map.get("properties").and_then(Value::as_object).map(|of| of.keys().cloned().collect()).unwrap_or_default();
        for key in ["required", "propertyOrdering"] {
            let Some(Value::Array(listed)) = map.get_mut(key) else { continue };
            listed.retain(|name| name.as_str().is_some_and(|name| names.iter().any(|known| known == name)));
            if listed.is_empty() {
                map.shift_remove(key);
            }
        }
        let is_array = map.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("array"));
        if is_array && !map.get("items").is_some_and(Value::is_object) {
            // "items: missing field".
            map.insert("items".to_owned(), json!({"type": "string"}));
        }
        if !map.contains_key("type") {
            let kind = if map.contains_key("pattern") || map.contains_key("format") { "string" } else { "object" };
            map.insert("type".to_owned(), json!(kind));
        }
    }
}

/// The parent's schema for one of its types, holding only the keywords that concern that type.
fn branch_of(map: &mut Map<String, Value>, kind: Value) -> Value {
    let keywords: &[&str] = match kind.as_str().unwrap_or_default() {
        "object" => &["properties", "required", "minProperties", "maxProperties"],
        "array" => &["items", "minItems", "maxItems"],
        "string" => &["pattern", "minLength", "maxLength", "format"],
        _ => &["minimum", "maximum"],
    };
    let mut branch = Map::new();
    branch.insert("type".to_owned(), kind);
    for key in keywords {
        // Numbers of both sorts share their bounds; the other keywords have one owner.
        let value = if keywords.contains(&"minimum") { map.get(*key).cloned() } else { map.shift_remove(*key) };
        branch.extend(value.map(|value| ((*key).to_owned(), value)));
    }
    Value::Object(branch)
}

fn is_null_type(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("null"))
}
