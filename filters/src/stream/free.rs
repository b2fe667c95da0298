//! Takes free text out of the object that it came in: `{"input":"…"}`, as arguments of a function whose pieces may end
//! anywhere.

use crate::model::Str;

/// The member that holds the text.
const MEMBER: &str = "\"input\"";

/// More than any model writes in front of the text. It bounds how often blanks are looked at again.
const MAX_BEFORE: usize = 256;

/// Reads one call's arguments.
#[derive(Debug, Default)]
pub(super) struct FreeText {
    state: State,
    /// What came before the text; if it turns out that there is none, it is the text.
    before: String,
    /// An escape whose end has not come, and half of a pair of them.
    escape: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In front of the text's opening quote.
    #[default]
    Before,
    /// Inside of the string.
    Inside,
    /// Behind its closing quote.
    Behind,
    /// It is no such object: all of it is the text.
    Plain,
}

impl FreeText {
    /// The text that a piece of the arguments gives.
    pub(super) fn feed(&mut self, piece: &str) -> Str {
        let mut text = String::with_capacity(piece.len());
        for c in piece.chars() {
            match self.state {
                State::Before => self.before(c, &mut text),
                State::Inside => self.inside(c, &mut text),
                State::Behind => {}
                State::Plain => text.push(c),
            }
        }
        Str::from(text)
    }

    /// Before → Inside at the opening quote, Before → Plain where no such object can come any more.
    fn before(&mut self, c: char, text: &mut String) {
        self.before.push(c);
        let rest = self.before.trim_start();
        let Some(rest) = rest.strip_prefix('{').map(str::trim_start) else {
            return self.plain(rest.is_empty(), text);
        };
        let Some(rest) = rest.strip_prefix(MEMBER).map(str::trim_start) else {
            return self.plain(MEMBER.starts_with(rest), text);
        };
        let Some(rest) = rest.strip_prefix(':').map(str::trim_start) else {
            return self.plain(rest.is_empty(), text);
        };
        match rest {
            "\"" => self.state = State::Inside,
            rest => self.plain(rest.is_empty(), text),
        }
    }

    fn plain(&mut self, may_still_come: bool, text: &mut String) {
        if !may_still_come || self.before.len() > MAX_BEFORE {
            self.state = State::Plain;
            text.push_str(&std::mem::take(&mut self.before));
        }
    }

    fn inside(&mut self, c: char, text: &mut String) {
        if !self.escape.is_empty() || c == '\\' {
            self.escape.push(c);
            self.unescape(text);
        } else if c == '"' {
            self.state = State::Behind;
        } else {
            text.push(c);
        }
    }

    /// Takes an escape that is complete. The first of a pair waits for the second.
    fn unescape(&mut self, text: &mut String) {
        let is_unicode = self.escape.get(1..2) == Some("u");
        let is_first = is_unicode
            && self.escape.get(2..3).is_some_and(|digit| matches!(digit, "d" | "D"))
            && self.escape.get(3..4).is_some_and(|digit| matches!(digit, "8" | "9" | "a" | "b" | "A" | "B"));
        let length = match (is_unicode, is_first) {
            (false, _) => 2,
            (true, false) => 6,
            (true, true) => 12,
        };
        if self.escape.chars().count() < length {
            return;
        }
        let escape = std::mem::take(&mut self.escape);
        match serde_json::from_str::<String>(&format!("\"{escape}\"")) {
            Ok(plain) => text.push_str(&plain),
            Err(_) => text.push_str(&escape),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&str]) -> String {
        let mut free = FreeText::default();
        pieces.iter().map(|piece| free.feed(piece).to_string()).collect()
    }

    #[test]
    fn what_is_no_such_object_is_the_text() {
        for text in ["SELECT 1", "{\"query\":1}", "[1]", "{\"input\":7}", "{}"] {
            assert_eq!(read(&[text]), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_cut_anywhere_comes_out(text in ".{0,20}|[\\\\\"\n😀a]{0,12}", ascii in any::<bool>(), blank in "[ \n]{0,2}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
            let mut quoted = serde_json::to_string(&text).expect("text serialises");
            if ascii {
                let escaped = |c: char| {
                    let mut units = [0; 2];
                    let units = c.encode_utf16(&mut units).iter();
                    units.fold(String::new(), |all, unit| format!("{all}\\u{unit:04x}"))
                };
                quoted = quoted.chars().map(|c| if c.is_ascii() { c.to_string() } else { escaped(c) }).collect();
            }
            let whole = format!("{blank}{{{blank}\"input\"{blank}:{blank}{quoted}{blank}}}");
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).filter(|at| whole.is_char_boundary(*at)).collect();
            at.extend([0, whole.len()]);
            at.sort_unstable();
            let pieces: Vec<&str> = at.windows(2).filter_map(|cut| whole.get(cut[0]..cut[1])).collect();
            prop_assert_eq!(read(&pieces), text);
        }
    }
}
