//! Names of documents: the service wants one for each, none twice, of few characters. Models read them.

use crate::model::Media;

/// Most bytes of a name; a number that keeps two apart is added to it.
const MAX_NAME: usize = 180;

/// Hands out names within one request.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: Vec<String>,
    count: usize,
}

impl Names {
    /// The name of a document, and whether it is the one that it had, or had none.
    pub(super) fn next(&mut self, media: &Media) -> (String, bool) {
        self.count += 1;
        let own = media.name.as_deref().or(media.title.as_deref());
        let plain = own.map(plain).filter(|name| !name.is_empty());
        let plain = plain.unwrap_or_else(|| format!("document-{}", self.count));
        let mut name = plain.clone();
        let mut copy = 1;
        while self.taken.contains(&name) {
            copy += 1;
            name = format!("{plain} ({copy})");
        }
        self.taken.push(name.clone());
        let kept = own.is_none_or(|own| *own == *name);
        (name, kept)
    }
}

/// A name of the characters that are allowed: letters, digits, hyphens, parentheses, brackets and single spaces.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len().min(MAX_NAME));
    for c in name.trim().chars() {
        if plain.len() >= MAX_NAME {
            break;
        }
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']') => plain.push(c),
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            _ => plain.push('-'),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MediaClass, MediaSource, Str};

    fn named(name: Option<&str>) -> Media {
        let mut media = Media::new(MediaClass::Document, None, MediaSource::Text(Str::new()));
        media.name = name.map(Str::from);
        media
    }

    #[test]
    fn names_are_allowed_and_differ() {
        let mut names = Names::default();
        for (own, name, kept) in [
            (Some("Report (1) [final]"), "Report (1) [final]", true),
            (Some("Report (1) [final]"), "Report (1) [final] (2)", false),
            (Some("a \t b.pdf"), "a b-pdf", false),
            (None, "document-4", true),
            (Some("  "), "document-5", false),
            (Some("Übersicht"), "-bersicht", false),
        ] {
            assert_eq!(names.next(&named(own)), (name.to_owned(), kept));
        }
        assert!(names.next(&named(Some(&"x".repeat(500)))).0.len() <= 200);
    }
}
