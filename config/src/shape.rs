//! Compares a tree with its JSON Schema and says what does not fit, all of it, in place.
//!
//! The schema is the one that [`schemars`] derives from the raw types, so there is one source of truth for the loader, the
//! editor and the documentation. Knows the keywords that these schemas use (a test sees to it), and these habits:
//! - An empty value counts as a key that is not there, and under a map of names as an empty mapping.
//! - A plain `${NAME}` may become a number or a boolean where one is expected.
//! - A key of `x-elsewhere` is known, and told where it belongs.
//! - Under `writeOnly` a missing variable is no mistake, and no text is shown.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use crate::nearest::{did_you_mean, expected_one_of, one_of};
use crate::tree::{Entry, Node, Pos, Value, join, resolve};

/// A place and what is wrong there.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) at: Pos,
    pub(crate) path: String,
    pub(crate) message: String,
}

/// Returns the tree as JSON that fits the schema, or everything that does not fit.
pub(crate) fn conform(tree: &Node, schema: &Json) -> Result<Json, Vec<Misfit>> {
    let mut shape = Shape { root: schema, misfits: Vec::new() };
    let json = shape.value(tree, schema, &Place { path: String::new(), at: tree.at, secret: false });
    if shape.misfits.is_empty() { Ok(json) } else { Err(shape.misfits) }
}

struct Shape<'a> {
    root: &'a Json,
    misfits: Vec<Misfit>,
}

/// Where a value stands: the key's position is better than that of a block mapping's first line.
struct Place {
    path: String,
    at: Pos,
    secret: bool,
}

// === impl Shape ===

impl<'a> Shape<'a> {
    fn value(&mut self, node: &Node, schema: &'a Json, place: &Place) -> Json {
        let schema = self.not_null(schema);
        let place = Place {
            path: place.path.clone(),
            at: place.at,
            secret: place.secret || schema.get("writeOnly") == Some(&Json::Bool(true)),
        };
        if let Some(name) = node.missing.as_ref().filter(|_| !place.secret) {
            let message = format!("environment variable `{name}` is not set; set it, or write `${{{name}:-default}}`");
            self.misfit(&place, message);
            return Json::Null;
        }
        let kinds = self.kinds(schema);
        let retyped = retype(node, &kinds);
        let node = retyped.as_ref().unwrap_or(node);
        if !accepts(&kinds, kind(node)) {
            let message = format!("expected {}, found {}", expected(schema, &kinds), found(node));
            self.misfit(&place, message);
            return Json::Null;
        }
        let schema = self.branch(schema, kind(node));
        match &node.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => self.number(number, schema, &place),
            Value::String(text) => self.string(text, node, schema, &place),
            Value::List(items) => self.list(items, schema, &place),
            Value::Map(entries) => self.map(entries, schema, &place),
        }
    }

    fn number(&mut self, number: &serde_json::Number, schema: &Json, place: &Place) -> Json {
        let value = number.as_f64().unwrap_or(f64::INFINITY);
        let format = schema.get("format").and_then(Json::as_str);
        let of_format = match format {
            Some("uint8") => Some(f64::from(u8::MAX)),
            Some("uint16") => Some(f64::from(u16::MAX)),
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => None,
        };
        let maximum = schema.get("maximum").and_then(Json::as_f64).or(of_format);
        let minimum = schema.get("minimum").and_then(Json::as_f64);
        if let Some(minimum) = minimum.filter(|minimum| value < *minimum) {
            self.misfit(place, format!("`{number}` is too small, expected at least {minimum}"));
        }
        if let Some(maximum) = maximum.filter(|maximum| value > *maximum) {
            self.misfit(place, format!("`{number}` is too large, expected at most {maximum}"));
        }
        Json::Number(number.clone())
    }

    fn string(&mut self, text: &str, node: &Node, schema: &'a Json, place: &Place) -> Json {
        let names = self.names(schema);
        if !names.is_empty() && !names.contains(&text) {
            // What came from the environment may be a secret in the wrong place.
            let message = if node.expanded || place.secret {
                format!("unknown value, expected {}", one_of(names))
            } else {
                format!("unknown value `{text}`{}", expected_one_of(text, names))
            };
            self.misfit(place, message);
        }
        Json::String(text.to_owned())
    }

    fn list(&mut self, items: &[Node], schema: &'a Json, place: &Place) -> Json {
        let of_items = schema.get("items").unwrap_or(&Json::Bool(true));
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = Place { path: join(&place.path, &index.to_string()), at: item.at, secret: place.secret };
            list.push(self.value(item, of_items, &place));
        }
        Json::Array(list)
    }

    fn map(&mut self, entries: &[Entry], schema: &'a Json, place: &Place) -> Json {
        let properties = schema.get("properties").and_then(Json::as_object);
        let mut map = Map::new();
        for entry in entries {
            let at = if is_collection(&entry.value) || is_null(&entry.value) { entry.at } else { entry.value.at };
            let place = Place { path: join(&place.path, &entry.key), at, secret: place.secret };
            if let Some(property) = properties.and_then(|properties| properties.get(&entry.key)) {
                if !is_null(&entry.value) {
                    map.insert(entry.key.clone(), self.value(&entry.value, property, &place));
                }
                continue;
            }
            match schema.get("additionalProperties") {
                Some(Json::Bool(false)) => self.unknown_key(entry, schema, &place),
                Some(names) => {
                    map.insert(entry.key.clone(), self.named(&entry.value, names, &place));
                }
                None => {}
            }
        }
        self.required(&map, schema, place);
        Json::Object(map)
    }

    /// A value under a name of the user's choice; nothing at all is an empty mapping.
    fn named(&mut self, node: &Node, schema: &'a Json, place: &Place) -> Json {
        if is_null(node) && accepts(&self.kinds(schema), "object") {
            return self.value(&Node::new(node.at, Value::Map(Vec::new())), schema, place);
        }
        self.value(node, schema, place)
    }

    fn unknown_key(&mut self, entry: &Entry, schema: &Json, place: &Place) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let elsewhere = schema.get("x-elsewhere").and_then(|elsewhere| elsewhere.get(&entry.key)?.as_str());
        if let Some(where_to) = elsewhere {
            let place = Place { path: place.path.clone(), at: entry.at, secret: false };
            return self.misfit(&place, format!("`{}` has no effect here, it {where_to}", entry.key));
        }
        let names: Vec<&str> = properties.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect();
        let place = Place { path: place.path.clone(), at: entry.at, secret: false };
        self.misfit(&place, format!("unknown key `{}`{}", entry.key, did_you_mean(&entry.key, names)));
    }

    fn required(&mut self, map: &Map<String, Json>, schema: &Json, place: &Place) {
        for name in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if !map.contains_key(name) {
                self.misfit(place, format!("missing key `{name}`"));
            }
        }
    }

    fn misfit(&mut self, place: &Place, message: String) {
        self.misfits.push(Misfit { at: place.at, path: place.path.clone(), message });
    }

    /// Follows `$ref`.
    fn resolve(&self, schema: &'a Json) -> &'a Json {
        let mut schema = schema;
        while let Some(pointer) = schema.get("$ref").and_then(Json::as_str).and_then(|text| text.strip_prefix('#')) {
            let Some(target) = self.root.pointer(pointer) else { break };
            schema = target;
        }
        schema
    }

    /// Takes the wrapping of an optional type off: `anyOf` of it and null.
    fn not_null(&self, schema: &'a Json) -> &'a Json {
        let schema = self.resolve(schema);
        let is_other = |branch: &&Json| branch.get("type").and_then(Json::as_str) != Some("null");
        let mut others = alternatives(schema).filter(is_other);
        match (others.next(), others.next()) {
            (Some(only), None) => self.not_null(only),
            _ => schema,
        }
    }

    /// Returns the JSON types that a schema takes; empty for any.
    fn kinds(&self, schema: &'a Json) -> HashSet<&'a str> {
        let schema = self.resolve(schema);
        match schema.get("type") {
            Some(Json::String(kind)) => return HashSet::from([kind.as_str()]),
            Some(Json::Array(kinds)) => return kinds.iter().filter_map(Json::as_str).collect(),
            _ => {}
        }
        if schema.get("const").is_some() || schema.get("enum").is_some() {
            return HashSet::from(["string"]);
        }
        alternatives(schema).flat_map(|branch| self.kinds(branch)).collect()
    }

    /// Returns the alternative for a type; schemas here have at most one per type, but for lists of names.
    fn branch(&self, schema: &'a Json, kind: &str) -> &'a Json {
        let schema = self.resolve(schema);
        let mut fitting = alternatives(schema).filter(|branch| accepts(&self.kinds(branch), kind));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => self.branch(only, kind),
            _ => schema,
        }
    }

    /// Returns the names a string must be one of; empty for any.
    fn names(&self, schema: &'a Json) -> Vec<&'a str> {
        let schema = self.resolve(schema);
        if let Some(name) = schema.get("const").and_then(Json::as_str) {
            return vec![name];
        }
        if let Some(names) = schema.get("enum").and_then(Json::as_array) {
            return names.iter().filter_map(Json::as_str).collect();
        }
        alternatives(schema).flat_map(|branch| self.names(branch)).collect()
    }
}

fn alternatives(schema: &Json) -> impl Iterator<Item = &Json> {
    ["anyOf", "oneOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten()
}

fn accepts(kinds: &HashSet<&str>, kind: &str) -> bool {
    kinds.is_empty() || kinds.contains(kind) || (kind == "integer" && kinds.contains("number"))
}

/// Gives the text of a plain `${NAME}` the type that is expected of it.
fn retype(node: &Node, kinds: &HashSet<&str>) -> Option<Node> {
    match &node.value {
        Value::String(text) if node.expanded && node.plain && !accepts(kinds, "string") => {
            Some(Node { value: resolve(text), ..node.clone() })
        }
        _ => None,
    }
}

fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node.value, Value::Null)
}

fn is_collection(node: &Node) -> bool {
    matches!(node.value, Value::List(_) | Value::Map(_))
}

fn expected(schema: &Json, kinds: &HashSet<&str>) -> String {
    if let Some(text) = schema.get("x-expected").and_then(Json::as_str) {
        return text.to_owned();
    }
    let names = [
        ("object", "a mapping"),
        ("array", "a list"),
        ("string", "a string"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("boolean", "`true` or `false`"),
    ];
    let names: Vec<&str> = names.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, name)| *name).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(" or ") }
}

/// Describes a value without its text, which may be a key in the wrong place.
fn found(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) if node.expanded => "a value of another type".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(_) => "a string".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}
