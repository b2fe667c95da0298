//! Invents JSON that fits a schema. The same schema always gives the same value.

use serde_json::{Map, Value, json};

/// Recursive schemas end here.
const MAX_DEPTH: usize = 12;

/// A value that fits `schema`; strings say `text` where they may.
pub(super) fn invent(schema: &Value, text: &str) -> Value {
    Inventor { root: schema, text }.value(schema, 0)
}

struct Inventor<'a> {
    root: &'a Value,
    text: &'a str,
}

impl Inventor<'_> {
    fn value(&self, schema: &Value, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(fixed) =
            schema.get("const").or_else(|| schema.get("enum")?.get(0)).or_else(|| schema.get("default"))
        {
            return fixed.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return found.map_or(Value::Null, |found| self.value(found, depth + 1));
        }
        for any in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema.get(any).and_then(|any| any.get(0)) {
                return self.value(first, depth + 1);
            }
        }
        match kind(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 16);
                (0..least).map(|_| self.value(items, depth + 1)).collect()
            }
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => json!(self.text),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let members =
            properties.into_iter().flatten().map(|(name, schema)| (name.clone(), self.value(schema, depth + 1)));
        Value::Object(members.collect::<Map<_, _>>())
    }
}

fn kind(schema: &Value) -> String {
    let kind = schema.get("type");
    let kind = kind.and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    let implied = if schema.get("properties").is_some() { "object" } else { "string" };
    kind.unwrap_or(implied).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_shape_of_their_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": ["integer", "null"]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
            },
            "$defs": {"tag": {"type": "object", "properties": {"next": {"$ref": "#/$defs/tag"}}}},
        });
        let value = invent(&schema, "Paris");
        assert_eq!(value["city"], "Paris");
        assert_eq!(value["unit"], "C");
        assert_eq!(value["days"], 1);
        assert!(value["tags"][0].is_object());
    }
}
