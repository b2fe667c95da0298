//! Stamps in text deltas: the time at which the upstream wrote each of them.
//!
//! A stamp is text like any other, so it survives every gateway and every translation. Reading the stamps back tells
//! how many deltas arrived, in which order, and how long each was under way, without knowing the dialect.

use hdrhistogram::Histogram;

/// What a stamp looks like before it is written, and for good where nothing is timed.
pub const PLACEHOLDER: &str = "t@0000000000000000";

const MARK: u8 = b'@';
const DIGITS: usize = 16;
/// One more than the largest stamp; a machine that is up for 115 days wraps.
const MODULUS: u64 = 10_u64.pow(16);
/// How much of the end of an answer is kept, to look for its closing event.
const TAIL_BYTES: usize = 512;

/// Finds the digits of the placeholder in `text`.
pub fn locate(text: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, PLACEHOLDER.as_bytes()).map(|start| start + PLACEHOLDER.len() - DIGITS)
}

/// Writes the stamp `now` over the digits that start at `at`.
pub fn write(text: &mut [u8], at: usize, now: u64) {
    let mut rest = now % MODULUS;
    for digit in text[at..at + DIGITS].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a remainder of ten fits a byte");
        rest /= 10;
    }
}

/// Reads stamps out of a body that arrives in pieces cut anywhere.
#[derive(Debug, Default)]
pub struct Scanner {
    digits: Option<(usize, u64)>,
    seen: u64,
    out_of_order: u64,
    previous: u64,
    first_at: Option<u64>,
    last_at: u64,
    longest_gap: u64,
    tail: Vec<u8>,
}

// === impl Scanner ===

impl Scanner {
    /// Takes the next piece of the body, read at `now`; records how long its deltas took in `transit`.
    pub fn feed(&mut self, piece: &[u8], now: u64, mut transit: Option<&mut Histogram<u64>>) {
        let mut rest = piece;
        loop {
            let Some((count, value)) = self.digits else {
                let Some(mark) = memchr::memchr(MARK, rest) else { break };
                rest = &rest[mark + 1..];
                self.digits = Some((0, 0));
                continue;
            };
            let Some((&byte, after)) = rest.split_first() else { break };
            if !byte.is_ascii_digit() {
                self.digits = None;
                continue;
            }
            rest = after;
            let value = value * 10 + u64::from(byte - b'0');
            if count + 1 < DIGITS {
                self.digits = Some((count + 1, value));
            } else {
                self.digits = None;
                self.take(value, now, transit.as_deref_mut());
            }
        }
        self.keep_tail(piece);
    }

    /// Counts the stamps seen so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Counts stamps that were not later than the one before: repeated or overtaken deltas.
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// Tells when the first stamp was read.
    pub fn first_at(&self) -> Option<u64> {
        self.first_at
    }

    /// Returns the longest time between two successive stamps.
    pub fn longest_gap(&self) -> u64 {
        self.longest_gap
    }

    /// Returns the last bytes of the body.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    fn take(&mut self, value: u64, now: u64, transit: Option<&mut Histogram<u64>>) {
        self.seen += 1;
        if self.first_at.is_none() {
            self.first_at = Some(now);
        } else {
            self.longest_gap = self.longest_gap.max(now.saturating_sub(self.last_at));
        }
        self.last_at = now;
        // Whole answers carry the bare placeholder: they are counted, not timed.
        if value == 0 {
            return;
        }
        if value <= self.previous {
            self.out_of_order += 1;
        }
        self.previous = value;
        if let Some(transit) = transit {
            transit.saturating_record((now % MODULUS).saturating_sub(value).max(1));
        }
    }

    fn keep_tail(&mut self, piece: &[u8]) {
        let kept = TAIL_BYTES.saturating_sub(piece.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(TAIL_BYTES)..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_at_every_cut() {
        let mut text = format!("mail me@home @12 {PLACEHOLDER} then {PLACEHOLDER}").into_bytes();
        let first = locate(&text).expect("the placeholder is in the text");
        write(&mut text, first, 7_000_000_000_123);
        let second = locate(&text).expect("the second placeholder is still bare");
        write(&mut text, second, 7_000_000_000_124);
        for cut in 0..=text.len() {
            let mut scanner = Scanner::default();
            scanner.feed(&text[..cut], 7_000_000_000_200, None);
            scanner.feed(&text[cut..], 7_000_000_000_300, None);
            assert_eq!((scanner.seen(), scanner.out_of_order()), (2, 0), "cut at {cut}");
            assert_eq!(scanner.tail(), text, "cut at {cut}");
        }
    }

    #[test]
    fn a_repeated_delta_is_out_of_order() {
        let mut text = PLACEHOLDER.as_bytes().to_vec();
        write(&mut text, 2, 42);
        let mut scanner = Scanner::default();
        scanner.feed(&text, 50, None);
        scanner.feed(&text, 90, None);
        assert_eq!((scanner.seen(), scanner.out_of_order(), scanner.longest_gap()), (2, 1, 40));
    }
}
