//! Ids for what came without one.

use sha2::{Digest, Sha256};

use crate::model::Str;

/// An id for a call to which the upstream gave none. Made from the answer's own id, so that calls of different turns
/// differ, and the same answer always gives the same.
pub(crate) fn mint_id(answer: &str, position: u32) -> Str {
    let hash = Sha256::new().chain_update(answer).chain_update(position.to_be_bytes()).finalize();
    Str::from(format!("call_{}", hex(hash.iter().take(11))))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    let most = bytes.size_hint().1.unwrap_or_default();
    bytes.fold(String::with_capacity(2 * most), |mut digits, byte| {
        digits.extend([byte >> 4, byte & 15].iter().filter_map(|digit| char::from_digit((*digit).into(), 16)));
        digits
    })
}
