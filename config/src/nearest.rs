//! The valid name that a mistyped one was probably meant to be.

/// Longer words are not compared: nobody mistypes them by a letter, and the distance is quadratic.
const MAX_COMPARED: usize = 64;

/// Returns ``, did you mean `x`?``, or nothing where no candidate is near.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// Returns ``, did you mean `x`?``, or else ``, expected `a`, `b` or `c` `` with all candidates.
pub fn expected_one_of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let hint = did_you_mean(word, candidates.clone());
    if hint.is_empty() { format!(", expected {}", one_of(candidates)) } else { hint }
}

/// Writes names as `` `a`, `b` or `c` ``.
pub(crate) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Returns the candidate with the fewest edits, at most one for every three letters of the word.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(MAX_COMPARED + 1).collect();
    if word.len() > MAX_COMPARED {
        return None;
    }
    let limit = (word.len() / 3).max(1);
    let mut best = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        if letters.len().abs_diff(word.len()) > limit {
            continue;
        }
        let edits = distance(&word, &letters);
        if edits <= limit && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Counts the edits between two names, letter case aside; names that are too long to compare are far apart.
pub fn name_distance(a: &str, b: &str) -> usize {
    let letters = |name: &str| name.to_lowercase().chars().take(MAX_COMPARED + 1).collect::<Vec<char>>();
    let (a, b) = (letters(a), letters(b));
    if a.len().max(b.len()) > MAX_COMPARED { usize::MAX } else { distance(&a, &b) }
}

/// Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word() {
        let names = ["openai", "anthropic", "gemini", "openrouter"];
        assert_eq!(nearest("opnai", names), Some("openai"));
        assert_eq!(nearest("opneai", names), Some("openai"));
        assert_eq!(nearest("OpenAI", names), Some("openai"));
        assert_eq!(nearest("gemni", names), Some("gemini"));
        assert_eq!(nearest("bedrock", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn lists_read_as_prose() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(expected_one_of("zzz", ["human", "json"]), ", expected `human` or `json`");
    }
}
