//! Call ids and tool names that a target's character set allows.
//!
//! The alias of a name is a function of the name alone: a call and its result arrive in different requests and must
//! still meet, and a model must see the same tool name in every turn.

use sha2::{Digest, Sha256};

use crate::model::Str;

/// What a target allows in an id or a name.
#[derive(Clone, Copy, Debug)]
pub struct Charset {
    /// Most bytes.
    pub max: usize,
    /// ASCII characters allowed besides letters and digits.
    pub extra: &'static [u8],
    /// Whether the first character must be a letter or an underscore.
    pub starts_with_letter: bool,
}

impl Charset {
    fn allows(self, text: &str) -> bool {
        let first = text.bytes().next();
        !text.is_empty()
            && text.len() <= self.max
            && text.bytes().all(|byte| self.allows_byte(byte))
            && (!self.starts_with_letter || first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_'))
    }

    fn allows_byte(self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || self.extra.contains(&byte)
    }
}

/// The text itself if the target allows it, else a readable prefix of it with a hash of the whole.
pub fn alias(text: &Str, charset: Charset) -> Str {
    if charset.allows(text) {
        return text.clone();
    }
    let hash = Sha256::digest(text.as_bytes());
    let hash = hash.iter().take(4).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
    let keep = charset.max.saturating_sub(hash.len() + 2);
    let lead = if charset.starts_with_letter { "_" } else { "" };
    let clean: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).take(keep).collect();
    Str::from(format!("{lead}{clean}_{hash}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: Charset = Charset { max: 64, extra: b"_-", starts_with_letter: true };

    #[test]
    fn what_is_allowed_stays() {
        assert_eq!(alias(&Str::from_static("get_weather-2"), NAMES), "get_weather-2");
    }

    proptest! {
        #[test]
        fn pitfall_20_and_21_aliases_are_allowed_and_differ(a in ".{0,100}", b in ".{0,100}") {
            let (a, b) = (Str::from(a), Str::from(b));
            let (of_a, of_b) = (alias(&a, NAMES), alias(&b, NAMES));
            prop_assert!(NAMES.allows(&of_a), "{of_a} is not allowed");
            prop_assert_eq!(a == b, of_a == of_b);
        }
    }
}
