//! Following references, and joining the members of `allOf`.

use serde_json::{Map, Value, json};

use super::{Fitter, MAX_DEPTH, keywords::CONSTRAINTS};

impl Fitter<'_> {
    /// Puts what a reference refers to in its place; what stood beside it wins.
    pub(super) fn inline(&mut self, map: &mut Map<String, Value>) -> bool {
        while let Some(reference) = map.shift_remove("$ref") {
            let Some(target) = self.follow(&reference) else { return false };
            let beside = std::mem::replace(map, target);
            map.extend(beside);
        }
        true
    }

    fn follow(&mut self, reference: &Value) -> Option<Map<String, Value>> {
        let reference = reference.as_str()?;
        if self.followed.iter().any(|followed| followed == reference) {
            return None;
        }
        let target = self.root.pointer(&unescape(reference.strip_prefix('#')?))?.as_object()?;
        // Counting stops at the budget, and a failed count ends all following: linear for any input.
        let Some(budget) = target.values().try_fold(self.budget, spend) else {
            self.budget = 0;
            return None;
        };
        self.budget = budget;
        self.followed.push(reference.to_owned());
        Some(target.clone())
    }

    /// Joins the members of `allOf` into their parent.
    pub(super) fn merge_all_of(&mut self, map: &mut Map<String, Value>) {
        // A member may itself be an `allOf`; each round takes one level off.
        for _ in 0..MAX_DEPTH {
            let Some(all) = map.shift_remove("allOf") else { return };
            let Value::Array(members) = all else { return };
            let only_notes = !map.keys().any(|key| CONSTRAINTS.contains(&key.as_str()) || key == "$ref");
            if let ([Value::Object(member)], true) = (members.as_slice(), only_notes)
                && let (1, false, Some(reference)) = (member.len(), self.inlines(), member.get("$ref"))
            {
                map.insert("$ref".to_owned(), reference.clone());
                return;
            }
            for member in members {
                match member {
                    Value::Object(mut member) => {
                        if self.inline(&mut member) {
                            self.merge(map, member);
                        } else {
                            self.weakened = true;
                        }
                    }
                    Value::Bool(true) => {}
                    _ => self.weakened = true,
                }
            }
        }
        self.weakened |= map.shift_remove("allOf").is_some();
    }

    fn merge(&mut self, map: &mut Map<String, Value>, other: Map<String, Value>) {
        for (key, value) in other {
            let Some(present) = map.get_mut(&key) else {
                map.insert(key, value);
                continue;
            };
            match (key.as_str(), present, value) {
                (_, present, value) if *present == value => {}
                ("properties" | "$defs" | "definitions", Value::Object(present), Value::Object(value)) => {
                    for (name, schema) in value {
                        match present.get_mut(&name) {
                            Some(both) if *both != schema => *both = json!({"allOf": [both.take(), schema]}),
                            Some(_) => {}
                            None => _ = present.insert(name, schema),
                        }
                    }
                }
                ("required" | "allOf", Value::Array(present), Value::Array(value)) => {
                    for name in value {
                        if !present.contains(&name) {
                            present.push(name);
                        }
                    }
                }
                ("enum", Value::Array(present), Value::Array(value)) if present.iter().any(|v| value.contains(v)) => {
                    present.retain(|allowed| value.contains(allowed));
                }
                ("type", present, value) if value == "integer" && *present == "number" => *present = value,
                _ => self.weakened |= CONSTRAINTS.contains(&key.as_str()),
            }
        }
    }
}

/// Takes the size of a value off the budget; `None` if it is spent.
fn spend(budget: usize, value: &Value) -> Option<usize> {
    let budget = budget.checked_sub(1)?;
    match value {
        Value::Array(values) => values.iter().try_fold(budget, spend),
        Value::Object(values) => values.values().try_fold(budget, spend),
        _ => Some(budget),
    }
}

/// Undoes the percent escapes that a pointer has in a URL fragment.
fn unescape(pointer: &str) -> String {
    let bytes = pointer.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(escaped) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| byte == b'%') {
            out.push(escaped);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| pointer.to_owned())
}
