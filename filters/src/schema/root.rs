//! Schemas whose root must be an object: arguments of tools are members of one.

use serde_json::{Map, Value};

use super::Fitted;
use crate::model::{RawJson, Str};

/// The schema with an object at its root. One that has it keeps its bytes.
pub(crate) fn rooted(schema: &RawJson) -> Fitted {
    let Value::Object(mut root) = schema.to_value() else {
        let any = RawJson::from_checked(Str::from_static(r#"{"type":"object"}"#));
        return Fitted { schema: any, weakened: true };
    };
    let has_type = root.get("type").is_some_and(|kind| kind == "object");
    let combined = ["anyOf", "oneOf", "allOf"].into_iter().any(|word| root.contains_key(word));
    if has_type && !combined {
        return Fitted { schema: schema.clone(), weakened: false };
    }
    if combined {
        flatten(&mut root);
    }
    root.insert("type".to_owned(), Value::from("object"));
    Fitted { schema: RawJson::from_value(&Value::Object(root)), weakened: combined }
}

/// Merges the branches of root combinations: all their properties, and of what they require what every accepted
/// value has.
fn flatten(root: &mut Map<String, Value>) {
    for word in ["allOf", "anyOf", "oneOf"] {
        let Some(Value::Array(branches)) = root.shift_remove(word) else { continue };
        let mut required: Option<Vec<Value>> = None;
        for branch in &branches {
            let properties = branch.get("properties").and_then(Value::as_object);
            let slot = root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
            if let (Some(slot), Some(properties)) = (slot.as_object_mut(), properties) {
                for (name, schema) in properties {
                    slot.entry(name.as_str()).or_insert_with(|| schema.clone());
                }
            }
            let of_branch = branch.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            required = Some(match required {
                None => of_branch,
                Some(all) if word == "allOf" => all.into_iter().chain(of_branch).collect(),
                Some(all) => all.into_iter().filter(|name| of_branch.contains(name)).collect(),
            });
        }
        let slot = root.entry("required").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(slot) = slot.as_array_mut() {
            slot.extend(required.unwrap_or_default());
            let mut seen: Vec<Value> = Vec::new();
            slot.retain(|name| {
                !seen.contains(name) && {
                    seen.push(name.clone());
                    true
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(schema: &str) -> String {
        let schema = RawJson::parse(Str::from(schema)).expect("the schema is JSON");
        rooted(&schema).schema.as_str().to_owned()
    }

    #[test]
    fn an_object_schema_keeps_its_bytes() {
        let schema = r#"{ "type":"object", "properties":{"a":{"anyOf":[]}} }"#;
        assert_eq!(root(schema), schema);
    }

    #[test]
    fn root_combinations_are_flattened() {
        let schema =
            r#"{"anyOf":[{"properties":{"a":{}},"required":["a","b"]},{"properties":{"b":{}},"required":["b"]}]}"#;
        assert_eq!(root(schema), r#"{"properties":{"a":{},"b":{}},"required":["b"],"type":"object"}"#);
    }
}
