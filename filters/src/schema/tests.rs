//! Each rule by name, and what must hold for any schema.

use proptest::prelude::*;

use super::*;

const TARGETS: [SchemaTarget; 5] = [
    SchemaTarget::OpenAiStrict,
    SchemaTarget::Anthropic,
    SchemaTarget::GeminiOpenApi,
    SchemaTarget::GeminiJson,
    SchemaTarget::Ollama,
];

fn raw(value: &Value) -> RawJson {
    RawJson::from_value(value)
}

fn fitted(schema: &Value, target: SchemaTarget) -> (Value, bool) {
    let fitted = fit(&raw(schema), target);
    (fitted.schema.to_value(), fitted.weakened)
}

#[test]
fn pitfall_62_a_schema_that_fits_keeps_its_bytes() {
    let text =
        r#"{ "type":"object" , "properties":{"a":{"type": "string"}},"required":["a"],"additionalProperties":false}"#;
    let schema = RawJson::parse(Str::from_static(text)).expect("a literal");
    for target in TARGETS.into_iter().filter(|target| *target != SchemaTarget::GeminiOpenApi) {
        assert_eq!(fit(&schema, target), Fitted { schema: schema.clone(), weakened: false }, "{target:?}");
    }
    let text = r#"{ "type":"OBJECT" , "properties":{"a":{"type": "STRING","nullable":true}},"required":["a"]}"#;
    let schema = RawJson::parse(Str::from_static(text)).expect("a literal");
    assert_eq!(fit(&schema, SchemaTarget::GeminiOpenApi).schema.as_str(), text);
}

#[test]
fn pitfall_63_properties_named_like_keywords_survive() {
    let names = ["$ref", "$schema", "default", "pattern", "title", "not", "const", "allOf", "examples", "nullable"];
    let properties: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    for target in TARGETS {
        let schema = json!({"type": "object", "properties": properties, "required": names});
        let (fitted, weakened) = fitted(&schema, target);
        let kept: Vec<&String> = fitted["properties"].as_object().expect("an object").keys().collect();
        assert_eq!(kept, names, "{target:?}");
        assert!(!weakened, "{target:?}");
    }
}

#[test]
fn ollama_gets_no_references() {
    let schema = json!({"type": "object", "properties": {
        "a": {"$ref": "#/$defs/a"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}, "c": true,
        "n": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
    }, "$defs": {"a": {"oneOf": [{"type": "string"}, {"type": "null"}]}}});
    let one = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
    let expected = json!({"type": "object", "properties": {
        "a": one, "b": one, "c": {}, "n": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
    }});
    assert_eq!(fitted(&schema, SchemaTarget::Ollama), (expected, false));
    let recursive = json!({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"next": {"$ref": "#/$defs/a"}}}}});
    assert!(fitted(&recursive, SchemaTarget::Ollama).1, "a recursion is cut");
}

#[test]
fn openai_strict_closes_and_requires() {
    let schema = json!({"type": "object", "$schema": "x", "properties": {
        "a": {"type": "string", "default": "x", "format": "uri"},
        "b": {"enum": ["x"]},
        "c": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "d": {"$ref": "#/definitions/D", "description": "d"},
    }, "required": ["b"], "definitions": {"D": {"type": "object", "properties": {"e": {"type": "null"}}}}});
    let (fitted, weakened) = fitted(&schema, SchemaTarget::OpenAiStrict);
    let expected = json!({"type": "object", "properties": {
        "a": {"type": ["string", "null"], "description": "format: \"uri\""},
        "b": {"enum": ["x"]},
        "c": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        "d": {"anyOf": [{"$ref": "#/$defs/D"}, {"type": "null"}]},
    }, "required": ["b", "a", "c", "d"], "$defs": {"D": {
        "type": "object", "properties": {"e": {"type": "null"}}, "additionalProperties": false, "required": ["e"],
    }}, "additionalProperties": false});
    assert_eq!(fitted, expected);
    assert!(weakened, "a lost format is told");
}

#[test]
fn a_root_that_is_a_reference_is_resolved() {
    let schema =
        json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}});
    let (fitted, weakened) = fitted(&schema, SchemaTarget::OpenAiStrict);
    assert_eq!(fitted["type"], "object");
    assert_eq!(fitted["properties"]["a"]["anyOf"][0]["$ref"], "#/$defs/A");
    assert!(!weakened);
}

#[test]
fn maps_and_root_unions_cannot_be_strict() {
    for schema in [
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"anyOf": [{"type": "object"}, {"type": "string"}]}),
    ] {
        assert!(fitted(&schema, SchemaTarget::OpenAiStrict).1);
    }
}

#[test]
fn anthropic_reads_bounds_in_the_description() {
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "description": "count"}}});
    let (fitted, weakened) = fitted(&schema, SchemaTarget::Anthropic);
    let expected = json!({"type": "object", "properties": {
        "n": {"type": "integer", "description": "count (minimum: 1)"},
    }, "additionalProperties": false});
    assert_eq!((fitted, weakened), (expected, true));
}

#[test]
fn pitfall_63_gemini_openapi_has_its_own_words() {
    let schema = json!({"type": "object", "$schema": "x", "additionalProperties": false, "properties": {
        "a": {"type": ["string", "null"], "minLength": 1},
        "b": {"const": 5},
        "c": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "c"},
        "d": {"type": ["string", "integer"], "description": "d"},
        "e": {"type": "array"},
        "f": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
        "g": {"type": "boolean", "enum": [true]},
        "h": {"type": "string", "format": "email"},
        "i": {"allOf": [{"type": "object", "properties": {"x": {"type": "string"}}}, {"required": ["x"]}]},
    }, "required": ["a", "zz"]});
    let (fitted, weakened) = fitted(&schema, SchemaTarget::GeminiOpenApi);
    let expected = json!({"type": "object", "properties": {
        "a": {"type": "string", "minLength": 1, "nullable": true},
        "b": {"enum": ["5"], "format": "enum", "type": "integer"},
        "c": {"type": "string", "description": "c", "nullable": true},
        "d": {"anyOf": [{"type": "string", "description": "d"}, {"type": "integer", "description": "d"}]},
        "e": {"type": "array", "items": {"type": "string"}},
        "f": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
        "g": {"type": "boolean", "description": "enum: [true]"},
        "h": {"type": "string", "description": "format: \"email\""},
        "i": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
    }, "required": ["a"]});
    assert_eq!(fitted, expected);
    assert!(weakened);
}

#[test]
fn gemini_openapi_inlines_references_and_cuts_recursion() {
    let schema = json!({"type": "object", "properties": {
        "node": {"$ref": "#/$defs/Node", "description": "the root"},
        "odd": {"$ref": "#/$defs/a~1b%20c"},
    }, "$defs": {
        "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "v": {"type": "string"}}},
        "a/b c": {"type": "integer"},
    }});
    let (fitted, weakened) = fitted(&schema, SchemaTarget::GeminiOpenApi);
    let expected = json!({"type": "object", "properties": {
        "node": {"type": "object", "properties": {"next": {"type": "object"}, "v": {"type": "string"}}, "description": "the root"},
        "odd": {"type": "integer"},
    }});
    assert_eq!((fitted, weakened), (expected, true));
}

#[test]
fn references_to_references_do_not_explode() {
    let mut defs = Map::new();
    for at in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
        defs.insert(format!("d{at}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    defs.insert("d40".to_owned(), json!({"type": "string"}));
    let fitted = fit(&raw(&json!({"$ref": "#/$defs/d0", "$defs": defs})), SchemaTarget::GeminiOpenApi);
    assert!(fitted.weakened);
    assert!(fitted.schema.as_str().len() < 200_000, "{} bytes", fitted.schema.as_str().len());
}

#[test]
fn gemini_json_keeps_most() {
    let schema = json!({"$schema": "x", "$id": "y", "type": "object", "properties": {
        "a": {"$ref": "#/$defs/A", "description": "a"}, "b": {"type": ["string", "null"], "not": {"const": ""}},
    }, "$defs": {"A": {"oneOf": [{"type": "string"}, true]}}, "additionalProperties": false});
    let expected = json!({"type": "object", "properties": {
        "a": {"$ref": "#/$defs/A", "description": "a"},
        "b": {"type": ["string", "null"], "description": "not: {\"const\":\"\"}"},
    }, "$defs": {"A": {"oneOf": [{"type": "string"}, true]}}, "additionalProperties": false});
    assert_eq!(fitted(&schema, SchemaTarget::GeminiJson), (expected, true));
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [(r#"{"items":"#, "}"), (r#"{"anyOf":["#, "]}"), (r#"{"properties":{"a":"#, "}}")] {
        for depth in [50, 60, 5000] {
            let text = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
            let Ok(schema) = RawJson::parse(Str::from(text)) else { continue };
            for target in TARGETS {
                let fitted = fit(&schema, target).schema;
                assert!(serde_json::from_str::<Value>(fitted.as_str()).is_ok(), "the result is deeper than parsers go");
            }
        }
    }
}

#[test]
fn openapi_reads_as_json_schema() {
    let schema = json!({"type": "OBJECT", "properties": {
        "nullable": {"type": "STRING", "nullable": true, "example": "x"},
        "n": {"type": "INTEGER", "format": "enum", "enum": ["1", "2"]},
        "l": {"type": "ARRAY", "items": {"type": "NUMBER"}, "min_items": "2"},
        "u": {"any_of": [{"type": "STRING"}, {"type": "BOOLEAN"}], "nullable": true},
    }, "propertyOrdering": ["n"]});
    let expected = json!({"type": "object", "properties": {
        "nullable": {"type": ["string", "null"]},
        "n": {"type": "integer", "enum": [1, 2]},
        "l": {"type": "array", "items": {"type": "number"}, "minItems": 2},
        "u": {"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "null"}]},
    }});
    assert_eq!(from_openapi(&raw(&schema)).to_value(), expected);
}

fn schemas() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec!["string", "integer", "number", "boolean", "object", "array", "null"]);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        kind.clone().prop_map(|kind| json!({"type": kind})),
        prop::collection::vec(kind, 0..3).prop_map(|kinds| json!({"type": kinds, "minimum": 1, "maxLength": 3})),
        prop::sample::select(vec![
            json!({"$ref": "#"}),
            json!({"$ref": "#/$defs/a"}),
            json!({"$ref": "#/definitions/b", "title": "t"}),
            json!({"$ref": "http://x"}),
            json!({"enum": [1, null, "x"]}),
            json!({"enum": [true, {}]}),
            json!({"enum": 3}),
            json!({"const": null}),
            json!({"const": "x", "type": "string"}),
            json!({}),
            json!(3),
            json!({"items": []}),
            json!({"type": "array", "minItems": 2}),
            json!({"properties": [], "required": 1}),
            json!({"format": "uri"}),
            json!({"type": "string", "format": "email", "pattern": "^a"}),
            json!({"nullable": true, "type": "string"}),
        ]),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let map = prop::collection::btree_map("[abc]|type|default", inner.clone(), 0..4);
        prop_oneof![
            (prop::sample::select(vec!["anyOf", "oneOf", "allOf", "prefixItems", "items"]), list, inner.clone())
                .prop_map(|(key, list, beside)| with(beside, key, json!(list))),
            (
                prop::sample::select(vec!["items", "not", "additionalProperties", "if", "contains"]),
                inner.clone(),
                inner.clone()
            )
                .prop_map(|(key, value, beside)| with(beside, key, value)),
            (prop::sample::select(vec!["properties", "$defs", "definitions"]), map, inner)
                .prop_map(|(key, map, beside)| with(with(beside, key, json!(map)), "required", json!(["a", "b"]))),
        ]
    })
}

fn with(mut schema: Value, key: &str, value: Value) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
    schema
}

proptest! {
    #[test]
    fn fitting_twice_is_fitting_once(schema in schemas()) {
        for target in TARGETS {
            let once = fit(&raw(&schema), target).schema;
            let twice = fit(&once, target).schema;
            prop_assert_eq!(once.as_str(), twice.as_str(), "{:?} of {}", target, schema);
        }
    }

    #[test]
    fn no_schema_panics(text in r#"[{}\[\]",:0-9a-z$# ]{0,60}"#, schema in schemas()) {
        from_openapi(&raw(&schema));
        if let Ok(schema) = RawJson::parse(Str::from(text)) {
            for target in TARGETS {
                fit(&schema, target);
            }
            from_openapi(&schema);
        }
    }
}
