//! The small pieces of Gemini's JSON.
//!
//! It is proto3 JSON: members in camel or snake case, 64-bit integers as numbers or strings, enums by name or number,
//! `null` for absent. One element may stand where a list belongs.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use serde_json::value::RawValue;

pub(super) use crate::json::{Text, slice};
use crate::{json::Object, model::Str};

/// The part of `whole` that an optional member's text is.
pub(super) fn lend_opt(whole: &Str, text: Option<&Text<'_>>) -> Option<Str> {
    text.map(|text| text.keep(whole))
}

/// The members of an object in their order, camel case.
#[derive(Debug, Default)]
pub(super) struct Pairs<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Pairs<'a> {
    /// The member of a name that is not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(of, raw)| of == name && raw.get() != "null").map(|(_, raw)| *raw)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(members) = Object::deserialize(deserializer)?;
        Ok(Self(members.into_iter().map(|(name, raw)| (camel(name), raw)).collect()))
    }
}

/// The camel-case form of a member's name.
fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.contains('_') {
        return name;
    }
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '_' && !out.is_empty() {
            upper = true;
        } else {
            out.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        }
    }
    Cow::Owned(out)
}

/// The elements of a list, or the one value that stands in its place.
pub(super) fn list(raw: Option<&RawValue>) -> Result<Vec<&RawValue>, serde_json::Error> {
    match raw {
        None => Ok(Vec::new()),
        Some(raw) if raw.get().starts_with('[') => serde_json::from_str(raw.get()),
        Some(raw) => Ok(vec![raw]),
    }
}

/// An enum value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// By name.
    Name(Cow<'a, str>),
    /// By number.
    Number(i64),
}

/// An integer, however it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Int(pub(super) i64);

impl Int {
    /// The value, if it is not negative.
    pub(super) fn unsigned(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

/// A number, however it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Real(pub(super) f64);

/// A number that may be infinite, or none at all: proto JSON writes `"-Infinity"` and `"NaN"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Loose(pub(super) f64);

/// Reads a scalar that may be written as a string or as a number.
struct Scalar;

enum Read<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Real(f64),
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Read<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Read::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Read::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Read::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map(Read::Int).map_err(|_| E::custom("an integer is too large"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Read::Real(number))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Scalar)? {
            Read::Text(name) => Ok(Self::Name(name)),
            Read::Int(number) => Ok(Self::Number(number)),
            Read::Real(_) => Err(D::Error::custom("an enum is a name or a whole number")),
        }
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Whole numbers up to here are exact as floating point.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match deserializer.deserialize_any(Scalar)? {
            Read::Int(number) => Ok(Self(number)),
            Read::Text(text) => text.parse().map(Self).map_err(|_| D::Error::custom("not a whole number")),
            #[expect(clippy::cast_possible_truncation, reason = "the guard keeps to whole numbers in range")]
            Read::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT => Ok(Self(number as i64)),
            Read::Real(_) => Err(D::Error::custom("not a whole number")),
        }
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Loose(number) = Loose::deserialize(deserializer)?;
        if number.is_finite() { Ok(Self(number)) } else { Err(D::Error::custom("not a finite number")) }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Scalar)? {
            #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
            Read::Int(number) => Ok(Self(number as f64)),
            Read::Real(number) => Ok(Self(number)),
            Read::Text(text) => text.parse().map(Self).map_err(|_| D::Error::custom("not a number")),
        }
    }
}
