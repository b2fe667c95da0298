//! Fitting a JSON Schema to the subset that an upstream accepts.
//!
//! Every vendor takes another subset of JSON Schema, and answers 400 to the rest. A schema is walked once; what the
//! target lacks is rewritten by what it has (`oneOf` by `anyOf`, a reference by what it refers to), moved into the
//! description where a model still reads it, or dropped. Only schema positions are walked: a *property* named
//! `default` or `pattern` is a property. Keys keep their order, because prompt caches look at bytes.

mod edit;
mod keywords;
mod openapi;
mod read;
mod refs;
mod root;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub use self::read::from_openapi;
pub(crate) use self::root::rooted;
use self::{
    edit::{allow_null, describe, rename, tuple_to_list},
    keywords::{CONSTRAINTS, MANY, MAPS, ONE, formats_of, keeps},
};
use crate::model::{RawJson, Str};

/// Who is to accept the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaTarget {
    /// `OpenAI` with `strict: true`.
    OpenAiStrict,
    /// Anthropic structured output and strict tools.
    Anthropic,
    /// Gemini `parameters` and `responseSchema`: a subset of `OpenAPI` 3.0 schema objects.
    GeminiOpenApi,
    /// Gemini `parametersJsonSchema` and `responseJsonSchema`.
    GeminiJson,
    /// Ollama tools: any JSON Schema without references, which the server would lose.
    Ollama,
}

/// A schema that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The schema.
    pub schema: RawJson,
    /// True if a keyword that constrains values was left out or weakened. `oneOf` read as `anyOf` does not count:
    /// the branches of real schemas exclude each other anyway.
    pub weakened: bool,
}

/// The deepest nesting of schemas that is kept; what lies deeper is cut. Vendors refuse far less.
const MAX_DEPTH: usize = 32;

/// The most JSON values that following references may add, so that references to references do not explode.
const MAX_EXPANSION: usize = 4096;

/// The longest constraint that is worth telling in a description.
const MAX_NOTE_BYTES: usize = 160;

/// Fits `schema` to what `target` accepts. A schema that already fits keeps its bytes.
pub fn fit(schema: &RawJson, target: SchemaTarget) -> Fitted {
    let Ok(root) = serde_json::from_str::<Value>(schema.as_str()) else {
        // Valid JSON, but nested deeper than any schema or with a number that no machine has.
        let any = RawJson::from_checked(Str::from_static(r#"{"type":"object"}"#));
        return Fitted { schema: any, weakened: true };
    };
    let mut fitter = Fitter { target, root: &root, followed: Vec::new(), budget: MAX_EXPANSION, weakened: false };
    let fitted = fitter.root();
    let weakened = fitter.weakened;
    let schema = if fitted == root { schema.clone() } else { RawJson::from_value(&fitted) };
    Fitted { schema, weakened }
}

struct Fitter<'a> {
    target: SchemaTarget,
    root: &'a Value,
    /// The references that lead to the node at hand; one that comes again is a recursion.
    followed: Vec<String>,
    budget: usize,
    weakened: bool,
}

impl Fitter<'_> {
    fn root(&mut self) -> Value {
        let mut root = self.root.clone();
        if let (Value::Object(map), true) = (&mut root, self.is_closed()) {
            // The root must be an object, not a reference to one.
            self.inline(map);
        }
        let fitted = self.node(root, 0);
        if self.target == SchemaTarget::OpenAiStrict {
            let fits = fitted.get("type").is_some_and(|kind| kind == "object") && fitted.get("anyOf").is_none();
            self.weakened |= !fits;
        }
        fitted
    }

    /// Whether objects must be closed (`additionalProperties: false`).
    fn is_closed(&self) -> bool {
        matches!(self.target, SchemaTarget::OpenAiStrict | SchemaTarget::Anthropic)
    }

    fn is_openapi(&self) -> bool {
        self.target == SchemaTarget::GeminiOpenApi
    }

    /// Whether what a reference refers to must stand in its place.
    fn inlines(&self) -> bool {
        matches!(self.target, SchemaTarget::GeminiOpenApi | SchemaTarget::Ollama)
    }

    /// The schema that allows anything, as far as the target has one.
    fn anything(&self) -> Value {
        if self.is_openapi() { json!({"type": "object"}) } else { json!({}) }
    }

    fn cut(&mut self) -> Value {
        self.weakened = true;
        self.anything()
    }

    fn node(&mut self, schema: Value, depth: usize) -> Value {
        let mut map = match schema {
            Value::Object(map) => map,
            Value::Bool(_) if self.target == SchemaTarget::GeminiJson => return schema,
            Value::Bool(true) => return self.anything(),
            _ => return self.cut(),
        };
        if depth > MAX_DEPTH {
            return self.cut();
        }
        let followed = self.followed.len();
        let fitted = if self.resolve(&mut map) {
            self.rewrite(&mut map);
            self.children(&mut map, depth);
            self.restrict(&mut map);
            Value::Object(map)
        } else {
            self.cut()
        };
        self.followed.truncate(followed);
        fitted
    }

    /// Deals with `$ref`, `definitions` and `allOf`; false if a reference cannot be followed.
    fn resolve(&mut self, map: &mut Map<String, Value>) -> bool {
        if self.inlines() && !self.inline(map) {
            return false;
        }
        if self.target != SchemaTarget::Anthropic {
            self.merge_all_of(map);
        }
        if self.inlines() {
            return true;
        }
        if map.get("definitions").is_some_and(Value::is_object) && !map.contains_key("$defs") {
            rename(map, "definitions", "$defs");
        }
        let Some(Value::String(reference)) = map.get_mut("$ref") else { return true };
        if let Some(name) = reference.strip_prefix("#/definitions/") {
            *reference = format!("#/$defs/{name}");
        }
        if !reference.starts_with('#') {
            return self.target == SchemaTarget::GeminiJson;
        }
        if self.is_closed() {
            // "$ref cannot have keywords".
            self.weakened |= map.keys().any(|key| CONSTRAINTS.contains(&key.as_str()));
            map.retain(|key, _| key == "$ref" || key == "$defs");
        }
        true
    }

    /// Says by the target's means what the schema says by others.
    fn rewrite(&mut self, map: &mut Map<String, Value>) {
        if self.target == SchemaTarget::GeminiJson {
            return;
        }
        if !map.contains_key("anyOf") {
            rename(map, "oneOf", "anyOf");
        }
        if map.get("nullable").is_some_and(|nullable| nullable == true) && self.is_closed() {
            map.shift_remove("nullable");
            allow_null(map);
        }
        if self.target != SchemaTarget::Anthropic {
            tuple_to_list(map);
        }
        if map.get("items").is_some_and(Value::is_array) {
            self.weakened |= map.shift_remove("items").is_some();
        }
        if !map.contains_key("type") && !map.contains_key("anyOf") && !map.contains_key("$ref") {
            let implied = [("properties", "object"), ("items", "array")];
            if let Some((_, kind)) = implied.into_iter().find(|(key, _)| map.contains_key(*key)) {
                map.insert("type".to_owned(), json!(kind));
            }
        }
        if self.is_openapi() {
            self.rewrite_openapi(map);
        }
    }

    fn children(&mut self, map: &mut Map<String, Value>, depth: usize) {
        for (key, value) in map.iter_mut() {
            let key = key.as_str();
            match value {
                Value::Object(schemas) if MAPS.contains(&key) => {
                    for schema in schemas.values_mut() {
                        *schema = self.node(schema.take(), depth + 1);
                    }
                }
                Value::Array(schemas) if MANY.contains(&key) => {
                    for schema in schemas {
                        *schema = self.node(schema.take(), depth + 1);
                    }
                }
                Value::Bool(_) if key == "additionalProperties" => {}
                Value::Object(_) | Value::Bool(_) if ONE.contains(&key) && keeps(self.target, key) => {
                    *value = self.node(value.take(), depth + 1);
                }
                _ => {}
            }
        }
    }

    /// Takes out what the target lacks, and adds what it demands.
    fn restrict(&mut self, map: &mut Map<String, Value>) {
        let is_string = map.get("type").is_none_or(|kind| kind == "string" || kind.is_array());
        let mut notes = Vec::new();
        for (key, value) in std::mem::take(map) {
            let fits = match (key.as_str(), value.as_str(), value.as_u64()) {
                ("format", Some(format), _) => formats_of(self.target).is_none_or(|known| known.contains(&format)),
                ("minItems", _, count) if self.target == SchemaTarget::Anthropic => count.is_some_and(|n| n <= 1),
                ("properties" | "$defs", ..) => value.is_object(),
                ("required" | "enum" | "anyOf", ..) => value.is_array(),
                _ => true,
            };
            if fits && keeps(self.target, &key) {
                map.insert(key, value);
            } else if key == "additionalProperties" {
                self.weakened |= value.as_object().is_some_and(|schema| !schema.is_empty());
            } else if CONSTRAINTS.contains(&key.as_str()) && (key != "format" || is_string) {
                self.weakened = true;
                let note = format!("{key}: {value}");
                notes.extend(Some(note).filter(|note| note.len() <= MAX_NOTE_BYTES));
            }
        }
        if !notes.is_empty() {
            describe(map, &notes.join("; "));
        }
        match self.target {
            SchemaTarget::OpenAiStrict | SchemaTarget::Anthropic => self.close(map),
            SchemaTarget::GeminiOpenApi => Self::complete_openapi(map),
            SchemaTarget::GeminiJson | SchemaTarget::Ollama => {}
        }
    }

    /// Closes an object, and in `OpenAI`'s strict form requires all of its properties.
    fn close(&mut self, map: &mut Map<String, Value>) {
        let is_object =
            |kind: &Value| kind == "object" || kind.as_array().is_some_and(|of| of.contains(&json!("object")));
        if !map.get("type").is_some_and(is_object) {
            return;
        }
        let open = map.insert("additionalProperties".to_owned(), json!(false));
        self.weakened |= open.is_some_and(|open| open != false);
        if self.target != SchemaTarget::OpenAiStrict {
            return;
        }
        let required = map.get("required").cloned().unwrap_or_else(|| json!([]));
        let mut required = required.as_array().cloned().unwrap_or_default();
        let properties = map.entry("properties").or_insert_with(|| json!({}));
        let Some(properties) = properties.as_object_mut() else { return };
        required.retain(|name| name.as_str().is_some_and(|name| properties.contains_key(name)));
        for (name, schema) in properties {
            if !required.iter().any(|known| known == name) {
                required.push(json!(name));
                schema.as_object_mut().map(allow_null);
            }
        }
        map.insert("required".to_owned(), Value::Array(required));
    }
}
