//! `${NAME}` and `${NAME:-default}` in strings; `$${` stands for itself.
//!
//! A variable that is not set is remembered at the node. Only [`crate::shape`] knows whether that is a mistake: a missing
//! secret is not, since a provider without its key is better than a gateway that does not start.

use crate::env::Env;
use crate::tree::{Node, Value};

/// Expands every string of a tree; calls `wrong` with the node of each malformed reference.
pub(crate) fn expand(node: &mut Node, env: &dyn Env, wrong: &mut dyn FnMut(&Node, String)) {
    match &mut node.value {
        Value::String(text) if text.contains("${") => match expand_text(text, env) {
            Ok(Expansion { text, used, missing }) => {
                node.value = Value::String(text);
                node.expanded = used;
                node.missing = missing;
            }
            Err(message) => wrong(node, message),
        },
        Value::List(items) => items.iter_mut().for_each(|item| expand(item, env, wrong)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| expand(&mut entry.value, env, wrong)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

struct Expansion {
    text: String,
    used: bool,
    missing: Option<String>,
}

fn expand_text(text: &str, env: &dyn Env) -> Result<Expansion, String> {
    let mut expansion = Expansion { text: String::new(), used: false, missing: None };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            expansion.text.push_str(escaped);
            expansion.text.push_str("${");
            rest = after;
            continue;
        }
        expansion.text.push_str(before);
        let Some((reference, tail)) = after.split_once('}') else {
            return Err("`${` has no closing `}`; write `$${` for the characters themselves".to_owned());
        };
        expansion.reference(reference, env)?;
        rest = tail;
    }
    expansion.text.push_str(rest);
    Ok(expansion)
}

impl Expansion {
    fn reference(&mut self, reference: &str, env: &dyn Env) -> Result<(), String> {
        let (name, default) = reference.split_once(":-").map_or((reference, None), |(name, text)| (name, Some(text)));
        if !is_variable_name(name) {
            return Err(format!("invalid variable name in `${{{reference}}}`, expected `${{NAME}}`"));
        }
        self.used = true;
        match (env.var(name), default) {
            // As in a shell, the default also stands in for an empty value.
            (Some(value), None) => self.text.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => self.text.push_str(&value),
            (_, Some(default)) => self.text.push_str(default),
            (None, None) => self.missing = Some(name.to_owned()),
        }
        Ok(())
    }
}

/// Tells whether a name can be an environment variable's.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::MapEnv;

    fn expanded(text: &str) -> Result<Expansion, String> {
        expand_text(text, &MapEnv::new().with_var("A", "1").with_var("EMPTY", ""))
    }

    #[test]
    fn references_are_replaced() {
        for (text, expected) in [
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${B:-2}", "2"),
            ("${A:-2}", "1"),
            ("${EMPTY:-2}", "2"),
            ("${EMPTY}", ""),
            ("${B:-}", ""),
            ("$${A}", "${A}"),
            ("$A", "$A"),
        ] {
            assert_eq!(expanded(text).expect("the reference is sound").text, expected, "{text}");
        }
    }

    #[test]
    fn unset_variables_are_remembered() {
        assert_eq!(expanded("${B}").expect("the reference is sound").missing.as_deref(), Some("B"));
    }

    #[test]
    fn malformed_references_are_mistakes() {
        for text in ["${A", "${}", "${1A}", "${A B}", "${A-x}"] {
            assert!(expanded(text).is_err(), "{text}");
        }
    }
}
