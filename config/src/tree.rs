//! YAML as a tree whose nodes know where they were written.
//!
//! Reads the events of `saphyr-parser` (YAML 1.2, core schema). Stricter than YAML: one document, keys are scalars and
//! unique, no tags of one's own. Anchors and aliases work, within bounds that a document of this kind never meets.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::Number;

/// Deeper documents are refused; the deepest valid configuration has nine levels.
const MAX_DEPTH: usize = 64;

/// What all aliases together may copy, in bytes of text and [`NODE_COST`] per value: no billion laughs.
const MAX_COPIED: usize = 8 * 1024 * 1024;

/// Counted for each copied value besides its text.
const NODE_COST: usize = 16;

/// A place in the file, line and column counted from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pos {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Pos,
    pub(crate) value: Value,
    /// Written without quotes, so that its text may turn out to be a number after expansion.
    pub(crate) plain: bool,
    /// Its text came, at least in part, from the environment and is not to be shown.
    pub(crate) expanded: bool,
    /// The variable that was asked for and is not set.
    pub(crate) missing: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Pos,
    pub(crate) value: Node,
}

/// A mistake in the YAML itself.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) at: Pos,
    pub(crate) path: String,
    pub(crate) message: String,
}

/// Reads a text; an empty one is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<Node, Vec<SyntaxError>> {
    let mut builder = Builder::default();
    if let Err(error) = builder.run(text) {
        builder.errors.push(error);
    }
    if !builder.errors.is_empty() {
        return Err(builder.errors);
    }
    let start = Pos { line: 1, column: 1 };
    match builder.root {
        Some(Node { value: Value::Null, .. }) | None => Ok(Node::new(start, Value::Map(Vec::new()))),
        Some(root) => Ok(root),
    }
}

/// Gives a plain scalar its type by YAML's core schema.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // `inf`, `nan` and `1e5x` are texts, though Rust would parse the first two.
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !numeric {
        return None;
    }
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    whole.ok().or_else(|| Number::from_f64(text.parse().ok()?))
}

/// Reads events into [`Node`]s; the stack is explicit, so that a hostile file cannot exhaust the thread's.
#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchor>,
    copied: usize,
    documents: usize,
    errors: Vec<SyntaxError>,
}

struct Frame {
    at: Pos,
    anchor: usize,
    open: Open,
}

/// A collection that has not ended.
enum Open {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, usize>, key: Option<(String, Pos)> },
}

struct Anchor {
    node: Node,
    cost: usize,
    height: usize,
}

// === impl Node ===

impl Node {
    pub(crate) fn new(at: Pos, value: Value) -> Self {
        Self { at, value, plain: false, expanded: false, missing: None }
    }

    /// Returns the entry of a mapping.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Returns the value as JSON, empty values left out.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.clone()),
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                let entries = entries.iter().filter(|entry| !matches!(entry.value.value, Value::Null));
                Json::Object(entries.map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }

    fn cost(&self) -> usize {
        NODE_COST
            + match &self.value {
                Value::String(text) => text.len(),
                Value::List(items) => items.iter().map(Self::cost).sum(),
                Value::Map(entries) => entries.iter().map(|entry| entry.key.len() + entry.value.cost()).sum(),
                Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            }
    }

    fn height(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.height()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

// === impl Builder ===

impl Builder {
    fn run(&mut self, text: &str) -> Result<(), SyntaxError> {
        let mut parser = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| {
                let at = Pos { line: error.marker().line(), column: error.marker().col() + 1 };
                self.error(at, format!("invalid yaml: {}", error.info().to_lowercase()))
            })?;
            if matches!(event, Event::StreamEnd) {
                break;
            }
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let at = Pos { line: span.start.line(), column: span.start.col() + 1 };
        match event {
            Event::DocumentStart(_) => self.document(at),
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), at)?;
                self.keep(anchor, &node)?;
                self.complete(node)
            }
            Event::SequenceStart(anchor, tag) => self.open(at, anchor, tag.as_deref(), Open::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let map = Open::Map { entries: Vec::new(), seen: HashMap::new(), key: None };
                self.open(at, anchor, tag.as_deref(), map)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn document(&mut self, at: Pos) -> Result<(), SyntaxError> {
        self.documents += 1;
        if self.documents > 1 {
            return Err(self.error(at, "expected one yaml document, found a second one".to_owned()));
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Pos) -> Result<Node, SyntaxError> {
        self.check_tag(tag, at)?;
        let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.suffix != "str");
        let value = if plain { resolve(text) } else { Value::String(text.to_owned()) };
        Ok(Node { plain, ..Node::new(at, value) })
    }

    fn check_tag(&self, tag: Option<&Tag>, at: Pos) -> Result<(), SyntaxError> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                Err(self.error(at, format!("tag `{}{}` is not supported", tag.handle, tag.suffix)))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, at: Pos, anchor: usize, tag: Option<&Tag>, open: Open) -> Result<(), SyntaxError> {
        self.check_tag(tag, at)?;
        if self.waits_for_key() {
            return Err(self.error(at, "expected a name as the key, found a mapping or a list".to_owned()));
        }
        self.check_depth(at, self.frames.len() + 1)?;
        self.frames.push(Frame { at, anchor, open });
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.open {
            Open::List(items) => Value::List(items),
            Open::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node::new(frame.at, value);
        self.keep(frame.anchor, &node)?;
        self.complete(node)
    }

    /// Hands a finished value to the collection around it.
    fn complete(&mut self, node: Node) -> Result<(), SyntaxError> {
        if self.waits_for_key() {
            let key = self.key_text(&node)?;
            if let Some(Frame { open: Open::Map { key: slot, .. }, .. }) = self.frames.last_mut() {
                *slot = Some((key, node.at));
            }
            return Ok(());
        }
        let path = self.path();
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, seen, key }) => {
                let Some((key, at)) = key.take() else { return Ok(()) };
                if let Some(first) = seen.get(&key) {
                    let message = format!("duplicate key `{key}`, it is already on line {first}");
                    self.errors.push(SyntaxError { at, path, message });
                } else {
                    seen.insert(key.clone(), at.line);
                    entries.push(Entry { key, at, value: node });
                }
            }
        }
        Ok(())
    }

    fn waits_for_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { open: Open::Map { key: None, .. }, .. }))
    }

    fn key_text(&self, node: &Node) -> Result<String, SyntaxError> {
        match &node.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            Value::Null => Err(self.error(node.at, "expected a name as the key, found nothing".to_owned())),
            Value::List(_) | Value::Map(_) => {
                Err(self.error(node.at, "expected a name as the key, found a mapping or a list".to_owned()))
            }
        }
    }

    /// Remembers an anchored value; the copy counts, since anchors may nest.
    fn keep(&mut self, anchor: usize, node: &Node) -> Result<(), SyntaxError> {
        if anchor == 0 {
            return Ok(());
        }
        let (cost, height) = (node.cost(), node.height());
        self.count_copy(cost, node.at)?;
        self.anchors.insert(anchor, Anchor { node: node.clone(), cost, height });
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Pos) -> Result<(), SyntaxError> {
        let Some(Anchor { cost, height, .. }) = self.anchors.get(&anchor) else {
            return Err(self.error(at, "an alias cannot stand inside the value it names".to_owned()));
        };
        let (cost, depth) = (*cost, self.frames.len() + height);
        self.count_copy(cost, at)?;
        self.check_depth(at, depth)?;
        let node = self.anchors.get(&anchor).map(|anchor| Node { at, ..anchor.node.clone() });
        node.map_or(Ok(()), |node| self.complete(node))
    }

    fn count_copy(&mut self, cost: usize, at: Pos) -> Result<(), SyntaxError> {
        self.copied = self.copied.saturating_add(cost);
        if self.copied > MAX_COPIED {
            return Err(self.error(at, "aliases repeat more than 8 MiB of values".to_owned()));
        }
        Ok(())
    }

    fn check_depth(&self, at: Pos, depth: usize) -> Result<(), SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error(at, format!("values nest deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn error(&self, at: Pos, message: String) -> SyntaxError {
        SyntaxError { at, path: self.path(), message }
    }

    /// Returns the JSON pointer of the value that is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.open {
                Open::List(items) => path = join(&path, &items.len().to_string()),
                Open::Map { key: Some((key, _)), .. } => path = join(&path, key),
                Open::Map { key: None, .. } => {}
            }
        }
        path
    }
}

/// Appends a key to a JSON pointer.
pub(crate) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
