//! Gateway keys and the patterns that narrow them.

use std::fmt;
use std::time::SystemTime;

use crate::secret::Secret;

/// A key with which a client authenticates at the gateway.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name of the key in logs; unique.
    pub name: String,
    /// What a presented key is compared with.
    pub material: KeyMaterial,
    /// Owner, as a path.
    pub path: Option<String>,
    /// Labels for the access line, by name.
    pub labels: Vec<(String, String)>,
    /// Models it may use; none listed means all.
    pub models: Vec<Glob>,
    /// Request paths it may call; none listed means all.
    pub routes: Vec<Glob>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// What a presented key is compared with.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyMaterial {
    /// The key itself.
    Plain(Secret),
    /// Its SHA-256 digest.
    Sha256([u8; 32]),
}

/// A pattern in which `*` stands for any text, slashes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

// === impl Key ===

impl Key {
    /// Tells whether the key may use a model, by any of the names given (`provider/model`, or the name asked for).
    pub fn allows_model(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|glob| glob.matches(name))
    }

    /// Tells whether the key may call a path.
    pub fn allows_path(&self, path: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|glob| glob.matches(path))
    }
}

// === impl KeyMaterial ===

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A digest of a short key can be searched for, so it is not shown either.
        f.write_str("[redacted]")
    }
}

// === impl Glob ===

impl Glob {
    /// Makes a pattern; every text is one.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether a text matches, in time linear in the text for each `*`.
    pub fn matches(&self, text: &str) -> bool {
        let Some((head, tail)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut rest) = text.strip_prefix(head) else { return false };
        let mut parts = tail.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            // The leftmost place is always as good as any later one.
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        true
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, matches) in [
            ("openai/*", "openai/gpt-5", true),
            ("openai/*", "openai/", true),
            ("openai/*", "azure/gpt-5", false),
            ("*", "", true),
            ("fast", "fast", true),
            ("fast", "faster", false),
            ("*/gpt-*-mini", "openai/gpt-5-mini", true),
            ("*/gpt-*-mini", "openai/gpt-mini", false),
            ("a*b*c", "aXbXbc", true),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), matches, "{pattern} on {text}");
        }
    }
}
