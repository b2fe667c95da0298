//! A file on its way from text to raw values: parse, expand, compare with the schema, deserialise.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::env::{Env, MAX_FILE_BYTES};
use crate::expand::expand;
use crate::report::{Problem, Report};
use crate::shape::{Misfit, conform};
use crate::tree::{self, Node, Pos, Value, join};

/// A file's raw value, and its tree, in which later mistakes find their place.
pub(crate) struct Document<T> {
    pub(crate) raw: T,
    pub(crate) source: Source,
    /// Mistakes of form. What they concern is left out of `raw`, so that the rest can be looked at too.
    pub(crate) problems: Vec<Problem>,
}

/// The tree of a file.
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) tree: Node,
}

/// Reads a text as a raw type, or says everything that is wrong with its form.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(
    file: &str,
    text: &str,
    env: &dyn Env,
) -> Result<Document<T>, Report> {
    if text.len() > MAX_FILE_BYTES {
        return Err(Report::of_file(file, "the file is larger than 4 MiB".to_owned()));
    }
    let problem = |at: Pos, path: String, message: String| {
        let Pos { line, column } = at;
        Problem { file: file.to_owned(), line, column, path, message }
    };
    let mut tree = tree::parse(text).map_err(|errors| {
        Report::new(errors.into_iter().map(|error| problem(error.at, error.path, error.message)).collect())
    })?;
    let mut problems = Vec::new();
    expand(&mut tree, env, &mut |node, message| problems.push((node.at, message)));
    let source = Source { file: file.to_owned(), tree };
    let mut problems: Vec<Problem> =
        problems.into_iter().map(|(at, message)| problem(at, source.path_to(at), message)).collect();
    let schema = crate::schema::of::<T>();
    let json = match conform(&source.tree, &schema) {
        Ok(json) => Some(json),
        Err(misfits) => {
            let rest = without(&source.tree, &misfits);
            problems.extend(misfits.into_iter().map(|misfit| problem(misfit.at, misfit.path, misfit.message)));
            rest.and_then(|rest| conform(&rest, &schema).ok())
        }
    };
    match json.map(serde_json::from_value) {
        Some(Ok(raw)) => return Ok(Document { raw, source, problems }),
        // The schema let through what serde does not take. That is a mistake of ours, but a bad file is no crash.
        Some(Err(error)) if problems.is_empty() => {
            problems.push(problem(source.tree.at, String::new(), format!("unreadable value: {error}")));
        }
        _ => {}
    }
    Err(Report::new(problems))
}

/// The tree without what does not fit; `None` where a whole section is in doubt, because everything that refers to it
/// would look wrong as well.
fn without(tree: &Node, misfits: &[Misfit]) -> Option<Node> {
    let mut rest = tree.clone();
    for misfit in misfits {
        let (parent, key) = misfit.path.rsplit_once('/')?;
        if parent.is_empty() {
            return None;
        }
        let mut node = &mut rest;
        for part in parent.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            node = match &mut node.value {
                Value::List(items) => items.get_mut(part.parse::<usize>().ok()?)?,
                Value::Map(entries) => &mut entries.iter_mut().find(|entry| entry.key == part)?.value,
                _ => return None,
            };
        }
        let key = key.replace("~1", "/").replace("~0", "~");
        match &mut node.value {
            Value::Map(entries) => entries.retain(|entry| entry.key != key),
            // Taking an item out would move those behind it.
            _ => return None,
        }
    }
    Some(rest)
}

// === impl Source ===

impl Source {
    /// Returns the place of a JSON pointer: the key of a collection, else the value; of the nearest thing above it where
    /// it is not in the file, or nothing where not even its section is.
    pub(crate) fn place(&self, pointer: &str) -> Option<Pos> {
        let mut place = self.tree.at;
        let mut node = &self.tree;
        for (depth, part) in pointer.split('/').skip(1).enumerate() {
            let part = part.replace("~1", "/").replace("~0", "~");
            match child(node, &part) {
                Some((at, next)) => (place, node) = (at, next),
                None if depth == 0 => return None,
                None => break,
            }
        }
        Some(place)
    }

    /// Returns the node of a JSON pointer.
    pub(crate) fn node(&self, pointer: &str) -> Option<&Node> {
        let mut node = &self.tree;
        for part in pointer.split('/').skip(1) {
            node = child(node, &part.replace("~1", "/").replace("~0", "~"))?.1;
        }
        Some(node)
    }

    /// Finds the JSON pointer of the value at a place.
    fn path_to(&self, at: Pos) -> String {
        fn search(node: &Node, at: Pos, path: &str) -> Option<String> {
            match &node.value {
                Value::List(items) => {
                    items.iter().enumerate().find_map(|(index, item)| search(item, at, &join(path, &index.to_string())))
                }
                Value::Map(entries) => {
                    entries.iter().find_map(|entry| search(&entry.value, at, &join(path, &entry.key)))
                }
                _ => (node.at == at).then(|| path.to_owned()),
            }
        }
        search(&self.tree, at, "").unwrap_or_default()
    }
}

fn child<'a>(node: &'a Node, key: &str) -> Option<(Pos, &'a Node)> {
    match &node.value {
        Value::List(items) => items.get(key.parse::<usize>().ok()?).map(|item| (item.at, item)),
        Value::Map(_) => node.entry(key).map(|entry| {
            let collection = matches!(entry.value.value, Value::List(_) | Value::Map(_) | Value::Null);
            (if collection { entry.at } else { entry.value.at }, &entry.value)
        }),
        _ => None,
    }
}
