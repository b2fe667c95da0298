//! Reading a Gemini `OpenAPI` schema as JSON Schema.

use serde_json::{Map, Value, json};

use super::edit::allow_null;
use crate::model::RawJson;

/// Reads a Gemini `OpenAPI` schema (upper-case types, `nullable`) as JSON Schema.
pub fn from_openapi(schema: &RawJson) -> RawJson {
    let Ok(root) = serde_json::from_str::<Value>(schema.as_str()) else { return schema.clone() };
    let read = openapi_node(root.clone());
    if read == root { schema.clone() } else { RawJson::from_value(&read) }
}

/// One node of an `OpenAPI` schema as JSON Schema.
fn openapi_node(schema: Value) -> Value {
    let Value::Object(members) = schema else { return schema };
    let mut map = Map::new();
    let mut nullable = false;
    for (key, value) in members {
        let key = camel(key);
        match (key.as_str(), value) {
            ("nullable", value) => nullable = value == true,
            ("propertyOrdering" | "example", _) => {}
            ("format", value) if value == "enum" => {}
            ("type", Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => {}
            ("type", Value::String(kind)) => _ = map.insert(key, json!(kind.to_ascii_lowercase())),
            ("properties", Value::Object(properties)) => {
                let read = properties.into_iter().map(|(name, schema)| (name, openapi_node(schema))).collect();
                map.insert(key, Value::Object(read));
            }
            ("items" | "additionalProperties", value) => _ = map.insert(key, openapi_node(value)),
            ("anyOf", Value::Array(branches)) => {
                map.insert(key, branches.into_iter().map(openapi_node).collect());
            }
            // 64-bit integers travel as strings.
            ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties", value) => {
                let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
                map.insert(key, number.map_or(value, |number| json!(number)));
            }
            (_, value) => _ = map.insert(key, value),
        }
    }
    numbers_of_enum(&mut map);
    if nullable {
        allow_null(&mut map);
    }
    Value::Object(map)
}

/// The camel-case form of the few keywords that proto JSON also spells in snake case.
fn camel(key: String) -> String {
    match key.as_str() {
        "any_of" => "anyOf",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "property_ordering" => "propertyOrdering",
        "additional_properties" => "additionalProperties",
        _ => return key,
    }
    .to_owned()
}

/// The numbers that a numeric `enum` lists as strings.
fn numbers_of_enum(map: &mut Map<String, Value>) {
    if !map.get("type").is_some_and(|kind| kind == "integer" || kind == "number") {
        return;
    }
    let Some(Value::Array(values)) = map.get_mut("enum") else { return };
    for value in values {
        let number = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(number) = number.filter(Value::is_number) {
            *value = number;
        }
    }
}
