//! A call whose arguments come in pieces: `partialArgs`, each with a path into the arguments.

use serde_json::{Map, Value};

use crate::dialects::gemini::wire::PartialArg;

/// The deepest path that is followed.
const MAX_DEPTH: usize = 64;

/// Arguments as far as they have come.
#[derive(Debug, Default)]
pub(super) struct PartialArgs {
    root: Map<String, Value>,
    /// The path of a text that is still growing.
    growing: Option<String>,
}

/// A step of a path.
enum Step {
    Name(String),
    Place(usize),
}

impl PartialArgs {
    /// Takes arguments that came whole.
    pub(super) fn whole(&mut self, json: &str) {
        if let Ok(Value::Object(members)) = serde_json::from_str(json) {
            self.root.extend(members);
        }
    }

    /// Puts a piece where its path says. A path that cannot be followed is passed over.
    pub(super) fn apply(&mut self, piece: &PartialArg<'_>) {
        let path = piece.json_path.0.as_ref();
        let value = match (&piece.string_value, &piece.number_value, piece.bool_value) {
            (Some(text), ..) => Value::from(text.0.as_ref()),
            (None, Some(number), _) => Value::from(number.clone()),
            (None, None, Some(flag)) => Value::from(flag),
            (None, None, None) => Value::Null,
        };
        let Some(steps) = steps(path) else { return };
        // A text goes on until another path comes; its last piece may be empty.
        let goes_on = self.growing.as_deref() == Some(path);
        if !goes_on {
            self.growing = Some(path.to_owned());
        }
        match (self.slot(steps), value) {
            (Some(Value::String(text)), Value::String(more)) if goes_on => text.push_str(&more),
            (Some(slot), value) => *slot = value,
            (None, _) => {}
        }
    }

    /// The JSON text of what has come.
    pub(super) fn into_json(self) -> String {
        Value::Object(self.root).to_string()
    }

    fn slot(&mut self, steps: Vec<Step>) -> Option<&mut Value> {
        let mut steps = steps.into_iter();
        let Some(Step::Name(first)) = steps.next() else { return None };
        let mut slot = self.root.entry(first).or_insert(Value::Null);
        for step in steps {
            slot = match step {
                Step::Name(name) => {
                    if !slot.is_object() {
                        *slot = Value::Object(Map::new());
                    }
                    slot.as_object_mut()?.entry(name).or_insert(Value::Null)
                }
                Step::Place(at) => {
                    if !slot.is_array() {
                        *slot = Value::Array(Vec::new());
                    }
                    let places = slot.as_array_mut()?;
                    // Elements come in order; a far one would only be a way to use up memory.
                    if at == places.len() {
                        places.push(Value::Null);
                    }
                    places.get_mut(at)?
                }
            };
        }
        Some(slot)
    }
}

/// The steps of `$.a.b[0]['c']`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == MAX_DEPTH {
            return None;
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'));
            if let Some(quote) = quote {
                let (name, after) = inside.strip_prefix(quote)?.split_once(quote)?;
                steps.push(Step::Name(name.to_owned()));
                rest = after.strip_prefix(']')?;
            } else {
                let (place, after) = inside.split_once(']')?;
                steps.push(Step::Place(place.parse().ok()?));
                rest = after;
            }
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            let (name, after) = name.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
            steps.push(Step::Name(name.to_owned()));
            rest = after;
        }
    }
    Some(steps)
}
