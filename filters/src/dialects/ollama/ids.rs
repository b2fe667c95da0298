//! Ids for calls to which the wire gave none.

use sha2::{Digest, Sha256};

use crate::model::Str;

/// The id of a call, made from what tells it from all others: where it stands. The same place always gives the same
/// id, because an answer and the next request that tells it must agree.
pub(super) fn mint(place: &str, position: u64, name: &str) -> Str {
    let hash = Sha256::new()
        .chain_update(place)
        .chain_update([0])
        .chain_update(position.to_be_bytes())
        .chain_update(name)
        .finalize();
    let mut id = String::from("call_");
    for byte in hash.iter().take(11) {
        id.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    Str::from(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_decides() {
        assert_eq!(mint("a", 0, "f"), mint("a", 0, "f"));
        assert_ne!(mint("a", 0, "f"), mint("a", 1, "f"), "two calls of one tool differ");
        assert_ne!(mint("a", 0, "f"), mint("b", 0, "f"), "calls of two answers differ");
        assert_eq!(mint("a", 0, "f").len(), 27);
    }
}
