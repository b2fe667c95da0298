//! Appending JSON to a buffer.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

/// For each byte: 0 if it stands for itself in a JSON string, else how it is escaped (`u` for `\u00XX`).
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `text` as a JSON string, quotes included.
pub fn push_str(out: &mut BytesMut, text: &str) {
    out.reserve(text.len() + 2);
    out.put_u8(b'"');
    push_raw_str(out, text);
    out.put_u8(b'"');
}

/// Appends `text` as the inside of a JSON string, without quotes.
pub fn push_raw_str(out: &mut BytesMut, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut clean = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        clean = at + 1;
        if escape == b'u' {
            let high = HEX[usize::from(byte >> 4)];
            let low = HEX[usize::from(byte & 15)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[clean..]);
}

/// Appends a number.
pub fn push_u64(out: &mut BytesMut, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// JSON text on one line, for framings that a line's end would break. In valid JSON a raw line end is a blank.
pub(crate) fn one_line(json: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_ends_between_tokens_become_blanks() {
        let pretty = "{\n  \"a\\n\": [1,\r\n 2]}";
        let line = one_line(pretty);
        assert!(!line.contains(['\n', '\r']));
        let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        assert_eq!(value(&line), value(pretty));
        assert!(matches!(one_line("{}"), Cow::Borrowed(_)), "what has none is not copied");
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in ".*|[\\x00-\\x7f]*") {
            let mut out = BytesMut::new();
            push_str(&mut out, &text);
            let back: String = serde_json::from_slice(&out).expect("what was written is JSON");
            prop_assert_eq!(back, text);
        }
    }
}
