//! The typed headers of a frame.

use super::MAX_HEADERS;

/// The value of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderValue<'a> {
    /// Yes or no.
    Bool(bool),
    /// A whole number of any width.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// A UUID.
    Uuid([u8; 16]),
}

/// Iterates over the headers of a frame. Gives the complaint, and then nothing, where they are broken off or malformed.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The headers that are written in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all are well formed, each name stands once, and there are no more than [`MAX_HEADERS`].
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let mut names: [&str; MAX_HEADERS] = [""; MAX_HEADERS];
        for (at, header) in self.clone().enumerate() {
            let (name, _) = header?;
            let before = names.get(..at).unwrap_or_default();
            if before.contains(&name) {
                return Err("a header stands twice");
            }
            let Some(slot) = names.get_mut(at) else { return Err("a frame has too many headers") };
            *slot = name;
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    fn step(&mut self) -> Option<Result<(&'a str, HeaderValue<'a>), &'static str>> {
        let [length] = self.array()?;
        let name = self.take(usize::from(length))?;
        let [kind] = self.array()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Int(i8::from_be_bytes(self.array()?).into()),
            3 => HeaderValue::Int(i16::from_be_bytes(self.array()?).into()),
            4 => HeaderValue::Int(i32::from_be_bytes(self.array()?).into()),
            5 => HeaderValue::Int(i64::from_be_bytes(self.array()?)),
            6 => HeaderValue::Bytes(self.sized()?),
            7 => match std::str::from_utf8(self.sized()?) {
                Ok(text) => HeaderValue::Text(text),
                Err(_) => return Some(Err("the text of a header is not UTF-8")),
            },
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => HeaderValue::Uuid(self.array()?),
            _ => return Some(Err("a header has a type that the format does not know")),
        };
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        Some(name.map(|name| (name, value)).ok_or("the name of a header is empty or not UTF-8"))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<(&'a str, HeaderValue<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let step = self.step().unwrap_or(Err("the headers of a frame break off"));
        if step.is_err() {
            self.rest = &[];
        }
        Some(step)
    }
}
