//! JSON Schemas of the raw types.

use schemars::JsonSchema;
use serde_json::Value;

/// Returns the schema of a type.
pub(crate) fn of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Config;

    /// Keywords that [`crate::shape`] reads, and those that only people and editors do.
    const READ: &[&str] = &[
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "format",
        "items",
        "maximum",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "type",
        "writeOnly",
        "x-elsewhere",
        "x-expected",
    ];
    const FOR_READERS: &[&str] = &["$schema", "description", "pattern", "title"];

    fn collect(schema: &Value, found: &mut BTreeSet<String>) {
        let Some(object) = schema.as_object() else { return };
        for (keyword, value) in object {
            found.insert(keyword.clone());
            match (keyword.as_str(), value) {
                ("properties" | "$defs", Value::Object(named)) => {
                    named.values().for_each(|value| collect(value, found));
                }
                ("x-elsewhere", _) => {}
                (_, Value::Array(items)) => items.iter().for_each(|item| collect(item, found)),
                _ => collect(value, found),
            }
        }
    }

    #[test]
    fn the_loader_reads_every_keyword_of_the_schema() {
        let mut found = BTreeSet::new();
        collect(&Config::json_schema(), &mut found);
        let unknown: Vec<_> = found
            .iter()
            .filter(|word| !READ.contains(&word.as_str()) && !FOR_READERS.contains(&word.as_str()))
            .collect();
        assert!(unknown.is_empty(), "the schema uses {unknown:?}, which the loader does not check");
    }

    /// `UPDATE=1 cargo test -p lockgate-config` writes the file anew.
    #[test]
    fn the_schema_file_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        let current = format!("{:#}\n", Config::json_schema());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &current).expect("the schema file can be written");
        }
        let file = std::fs::read_to_string(path).expect("the schema file is there");
        assert!(file == current, "schema.json is out of date, run with UPDATE=1");
    }
}
