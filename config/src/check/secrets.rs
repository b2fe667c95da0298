//! Secrets from the document, the environment and files.

use super::context::At;
use crate::expand::is_variable_name;
use crate::raw::RawSecret;
use crate::secret::Secret;

/// Returns the secret, or why there is none. Only a source that makes no sense is a mistake in itself.
pub(super) fn secret(at: &At<'_>, raw: &RawSecret) -> Result<Secret, String> {
    let text = match raw {
        RawSecret::Value(text) => match at.missing_variable() {
            Some(name) => return Err(not_set(name)),
            None => text.clone(),
        },
        RawSecret::Source(source) => match (&source.env, &source.file) {
            (Some(name), None) => from_variable(&at.key("env"), name)?,
            (None, Some(file)) => at.read(file).map_err(|error| format!("cannot read `{file}`: {error}"))?,
            _ => {
                at.error("expected either `env` or `file`".to_owned());
                return Err("its source is not clear".to_owned());
            }
        },
    };
    checked(at, &text)
}

/// `{env: "${NAME}"}` would take the secret for a name, and show it as one.
fn from_variable(at: &At<'_>, name: &str) -> Result<String, String> {
    if at.is_expanded() || !is_variable_name(name) {
        at.error("expected the bare name of a variable, such as `OPENAI_API_KEY`".to_owned());
        return Err("its variable has no valid name".to_owned());
    }
    at.var(name).ok_or_else(|| not_set(name))
}

/// Returns the first variable's value.
pub(super) fn from_env(at: &At<'_>, names: &[String]) -> Option<Secret> {
    let value = names.iter().find_map(|name| at.var(name))?;
    checked(at, &value).ok()
}

fn checked(at: &At<'_>, text: &str) -> Result<Secret, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    // A key travels in a header, where nothing else is safe.
    if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        at.error("a key may hold only visible ASCII characters".to_owned());
        return Err("it holds characters that a header cannot carry".to_owned());
    }
    Ok(Secret::new(text))
}

fn not_set(name: &str) -> String {
    format!("`{name}` is not set")
}
