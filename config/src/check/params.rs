//! Placeholders of a provider: `{project}` in its base URL, paths and headers, filled once, when a configuration loads.
//!
//! `{model}` in a path is not one of them: it is filled with each request. A placeholder without a value does not refuse
//! the configuration, like a missing key: the provider cannot be used until it has one, and says what would give it one.

use std::cell::RefCell;

use super::context::At;
use crate::nearest::expected_one_of;
use crate::raw::{RawParamParts, RawProvider};

/// The placeholder that each request fills.
const MODEL: &str = "model";

/// Where a placeholder stands, which decides what its value may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a host name: one label, or a part of one.
    Host,
    /// In a path: one segment, or a part of one.
    Segment,
    /// In a query: the value of a parameter, or a part of it.
    Query,
    /// In the value of a header.
    Header,
}

/// The params of one provider.
pub(super) struct Params<'a> {
    at: At<'a>,
    all: Vec<Param>,
    /// Names of placeholders that stand somewhere, `{model}` aside.
    used: RefCell<Vec<String>>,
    /// Of those, the ones that have no value, and whether they stand in the base URL.
    unfilled: RefCell<Vec<(String, bool)>>,
    /// Those whose value has been refused already.
    refused: RefCell<Vec<(String, Place)>>,
}

struct Param {
    name: String,
    parts: RawParamParts,
    value: Option<String>,
    /// What the value is called in messages: the variable that it came from, or the param.
    source: String,
}

/// A piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Placeholder(&'t str),
}

// === impl Params ===

impl<'a> Params<'a> {
    /// Reads the params of an entry that has all its parts.
    pub(super) fn read(at: &At<'a>, raw: &RawProvider) -> Self {
        let at = at.key("params");
        let all = raw.params.iter().flat_map(|params| &params.0).map(|(name, raw)| {
            if !is_name(name) || name == MODEL {
                at.key(name)
                    .error(format!("invalid param name `{name}`, expected letters, digits and `_`, not `model`"));
            }
            let parts = raw.parts();
            let variables = parts.env.iter().flatten();
            let from_env = || variables.clone().find_map(|name| Some((at.var(name)?, format!("`{name}`"))));
            let own = parts.value.clone().map(|value| (value, format!("param `{name}`")));
            let default = || Some((parts.default.clone()?, format!("default of param `{name}`")));
            let (value, source) = own.or_else(from_env).or_else(default).unzip();
            let value = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            Param { name: name.clone(), parts, value, source: source.unwrap_or_default() }
        });
        let all = all.collect();
        Self { at, all, used: RefCell::default(), unfilled: RefCell::default(), refused: RefCell::default() }
    }

    /// Fills a base URL, or chooses the one that a param has for its value. `None` if it cannot be filled.
    pub(super) fn base_url(&self, at: &At<'_>, template: &str) -> Option<String> {
        let of_value = |param: &Param| Some(param.parts.base_urls.as_ref()?.get(param.value.as_deref()?)?.clone());
        let names: Vec<&str> = pieces(template).into_iter().filter_map(Piece::name).collect();
        let chosen = self.all.iter().filter(|param| names.contains(&param.name.as_str())).find_map(|param| {
            let url = of_value(param)?;
            self.used.borrow_mut().push(param.name.clone());
            Some(url)
        });
        let template = chosen.as_deref().unwrap_or(template);
        // From the slash behind the host on, it is a path.
        let after_scheme = template.find("://").map_or(0, |scheme| scheme + 3);
        let host_end = template.get(after_scheme..).and_then(|rest| rest.find('/')).map(|slash| slash + after_scheme);
        let (host, path) = template.split_at_checked(host_end.unwrap_or(template.len())).unwrap_or((template, ""));
        let host = self.fill_at(at, host, Place::Host, true);
        let path = self.fill_at(at, path, Place::Segment, true);
        Some(host? + &path?)
    }

    /// Fills a path, its query included; `{model}` stays.
    pub(super) fn path(&self, at: &At<'_>, template: &str) -> Option<String> {
        let (path, query) = template.split_at_checked(template.find('?').unwrap_or(template.len()))?;
        let path = self.fill_at(at, path, Place::Segment, false);
        let query = self.fill_at(at, query, Place::Query, false);
        Some(path? + &query?)
    }

    /// Fills the value of a header. What is no param stays as it is: braces mean nothing to most headers.
    pub(super) fn header(&self, at: &At<'_>, template: &str) -> Option<String> {
        self.fill_at(at, template, Place::Header, false)
    }

    fn fill_at(&self, at: &At<'_>, template: &str, place: Place, in_base: bool) -> Option<String> {
        // Every placeholder is looked at, so that each mistake is told.
        let filled = pieces(template).into_iter().map(|piece| match piece {
            Piece::Text(text) => Some(text.to_owned()),
            Piece::Placeholder(name) => self.value_at(at, name, place, in_base),
        });
        let filled: Vec<Option<String>> = filled.collect();
        filled.into_iter().collect()
    }

    /// The text that a placeholder stands for; `None` if there is none, or none that may stand there.
    fn value_at(&self, at: &At<'_>, name: &str, place: Place, in_base: bool) -> Option<String> {
        let Some(param) = self.all.iter().find(|param| param.name == name) else {
            if place == Place::Header || (name == MODEL && !in_base) {
                return Some(format!("{{{name}}}"));
            }
            let own = self.all.iter().map(|param| param.name.as_str());
            let known: Vec<&str> = own.chain((!in_base).then_some(MODEL)).collect();
            let hint = if known.is_empty() { String::new() } else { expected_one_of(name, known) };
            at.error(format!("unknown placeholder `{{{name}}}`{hint} (a new one needs a value under `params`)"));
            return None;
        };
        self.used.borrow_mut().push(name.to_owned());
        let Some(value) = &param.value else {
            let mut unfilled = self.unfilled.borrow_mut();
            match unfilled.iter_mut().find(|(other, _)| other == name) {
                Some((_, base)) => *base |= in_base,
                None => unfilled.push((name.to_owned(), in_base)),
            }
            return None;
        };
        self.fits(param, value, place).then(|| value.clone())
    }

    /// A value must not leave its place: with a slash or a dot it could name another host or another endpoint.
    fn fits(&self, param: &Param, value: &str, place: Place) -> bool {
        let fits = |extra: &[u8]| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte));
        let (fit, expected) = match place {
            Place::Host => (
                fits(b"-") && value.len() <= 63 && !value.starts_with('-') && !value.ends_with('-'),
                "letters, digits and `-` in a host name",
            ),
            Place::Segment => {
                (fits(b"-._~:@") && value != "." && value != "..", "letters, digits and `-._~:@` in a path")
            }
            Place::Query => (fits(b"-._~"), "letters, digits and `-._~` in a query"),
            Place::Header => {
                (value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "visible ASCII characters in a header")
            }
        };
        let told = (param.name.clone(), place);
        if !fit && !self.refused.borrow().contains(&told) {
            self.at.key(&param.name).error(format!("invalid {}, expected {expected}", param.source));
            self.refused.borrow_mut().push(told);
        }
        fit
    }

    /// Refuses params that nothing asks for, which are probably mistyped.
    pub(super) fn refuse_unused(&self, entry: Option<&RawProvider>) {
        let of_entry =
            |name: &str| entry.and_then(|entry| entry.params.as_ref()).is_some_and(|all| all.get(name).is_some());
        let used = self.used.borrow();
        for param in &self.all {
            let name = &param.name;
            if used.contains(name) || of_entry(name) || !self.at.key(name).is_written() {
                continue;
            }
            let others = entry.iter().filter_map(|entry| entry.params.as_ref()).flat_map(|all| &all.0);
            let known: Vec<&str> =
                others.map(|(name, _)| name.as_str()).chain(used.iter().map(String::as_str)).collect();
            let hint = if known.is_empty() {
                ", no placeholder of this provider has that name".to_owned()
            } else {
                expected_one_of(name, known)
            };
            self.at.key(name).error(format!("unknown param `{name}`{hint}"));
        }
    }

    /// Says which placeholders have no value, and what would give them one.
    pub(super) fn missing(&self, provider: &str, raw: &RawProvider) -> Option<String> {
        let unfilled = self.unfilled.borrow();
        let told = unfilled.iter().map(|(name, in_base)| {
            let param = self.all.iter().find(|param| param.name == *name);
            let own = param.and_then(|param| param.parts.env.as_ref()?.first());
            // A whole base URL makes the placeholder in the catalog's needless.
            let whole = raw.base_url_env.iter().flatten().next().filter(|_| *in_base);
            let variables = own.into_iter().chain(whole).map(|name| format!("`{name}`"));
            let ways: Vec<String> = variables.chain([format!("`providers.{provider}.params.{name}`")]).collect();
            format!("`{name}` is not set, it is given by {}", ways.join(" or "))
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

// === impl Piece ===

impl<'t> Piece<'t> {
    fn name(self) -> Option<&'t str> {
        match self {
            Self::Placeholder(name) => Some(name),
            Self::Text(_) => None,
        }
    }
}

/// Takes a template apart. Braces around anything but a name are text.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut from = 0;
    while let Some(open) = rest.get(from..).and_then(|tail| tail.find('{')).map(|open| open + from) {
        let after = rest.get(open + 1..).unwrap_or_default();
        match after.split_once('}') {
            Some((name, tail)) if is_name(name) => {
                pieces.push(Piece::Text(rest.get(..open).unwrap_or_default()));
                pieces.push(Piece::Placeholder(name));
                (rest, from) = (tail, 0);
            }
            _ => from = open + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
