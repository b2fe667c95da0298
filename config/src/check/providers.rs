//! Providers: which are switched on, and what each is made of.
//!
//! A provider is an entry laid over an entry of the catalog, or over what its dialect has in common. The result is checked
//! in one way, wherever its parts came from.

use super::context::At;
use super::provider;
use crate::nearest::did_you_mean;
use crate::raw::{RawConfig, RawProvider};
use crate::types::{Kind, Provider, ProviderKeys};
use crate::{DIALECTS, catalog};

/// The providers of a configuration.
pub(super) struct Providers {
    /// Those switched on, in order of precedence.
    pub(super) on: Vec<Provider>,
    /// Those of the catalog that a caller's key can wake.
    pub(super) dormant: Vec<Provider>,
    /// Those configured and switched off, or refused.
    off: Vec<String>,
}

pub(super) fn check(root: &At<'_>, raw: &RawConfig) -> Providers {
    let at = root.key("providers");
    let keys = raw.provider_keys.unwrap_or_default();
    let mut providers = Providers { on: Vec::new(), dormant: Vec::new(), off: Vec::new() };
    for (name, raw) in raw.providers.iter().flat_map(|named| &named.0) {
        match configured(&at.key(name), name, raw) {
            Some(provider) => {
                warn_of_missing_key(&at.key(name), &provider, keys);
                providers.on.push(provider);
            }
            None => providers.off.push(name.clone()),
        }
    }
    for (name, entry) in catalog::entries() {
        if providers.on.iter().any(|other| other.name == *name) || providers.off.contains(name) {
            continue;
        }
        let at = at.key(name);
        let on = is_switched_on(&at, name, entry);
        // A caller's key wakes no local server: nobody said that there is one.
        if !on && (!keys.takes_callers() || entry.kind == Some(Kind::Local)) {
            continue;
        }
        let Some(provider) = provider::build(&at, name, name, entry) else { continue };
        if on { providers.on.push(provider) } else { providers.dormant.push(provider) }
    }
    refuse_shared_headers(&at, &providers.on);
    providers
}

/// Builds a provider of the file; `None` where it is switched off or wrong.
fn configured(at: &At<'_>, name: &str, raw: &RawProvider) -> Option<Provider> {
    if !is_name(name) {
        at.error(format!("invalid provider name `{name}`, expected letters, digits, `-`, `_` and `.`"));
        return None;
    }
    let (entry, base) = base(at, name, raw)?;
    let mut whole = raw.clone().over(&base);
    if entry != name {
        // The other provider of this kind keeps its title and its header.
        whole.title = Some(raw.title.clone().unwrap_or_else(|| name.to_owned()));
        whole.key_header.clone_from(&raw.key_header);
    }
    if raw.enabled == Some(false) {
        return None;
    }
    provider::build(at, name, entry, &whole)
}

/// Finds what a provider is laid over.
fn base<'n>(at: &At<'_>, name: &'n str, raw: &'n RawProvider) -> Option<(&'n str, RawProvider)> {
    if let Some(kind) = &raw.entry {
        let Some(entry) = catalog::entry(kind) else {
            let hint = did_you_mean(kind, catalog::names());
            at.key("type").error(format!("unknown provider type `{kind}`{hint}"));
            return None;
        };
        return Some((kind, entry.clone()));
    }
    if let Some(entry) = catalog::entry(name) {
        return Some((name, entry.clone()));
    }
    let has_url = raw.base_url.is_some() || at.var(&provider::base_url_variable(name)).is_some();
    match (&raw.dialect, has_url) {
        (None, false) => {
            let hint = did_you_mean(name, catalog::names());
            at.error(format!("unknown provider `{name}`{hint} (one of your own needs `dialect` and `base_url`)"));
            None
        }
        (None, true) => {
            at.error(format!("missing key `dialect`, expected {}", crate::nearest::one_of(DIALECTS.iter().copied())));
            None
        }
        (Some(_), false) => {
            at.error("missing key `base_url`".to_owned());
            None
        }
        (Some(dialect), true) => Some((name, catalog::of_dialect(dialect, raw.paths.as_ref()))),
    }
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.bytes().all(inner)
}

/// Tells whether the environment switches a provider of the catalog on.
fn is_switched_on(at: &At<'_>, name: &str, entry: &RawProvider) -> bool {
    match entry.kind {
        Some(Kind::Builtin) => true,
        Some(Kind::Local) => at.var(&provider::base_url_variable(name)).is_some(),
        _ => entry.env.iter().flatten().any(|variable| at.var(variable).is_some()),
    }
}

fn warn_of_missing_key(at: &At<'_>, provider: &Provider, keys: ProviderKeys) {
    let Some(reason) = provider.key_missing.as_ref().filter(|_| keys.takes_configured()) else { return };
    let callers = keys.takes_callers() && provider.request_keys;
    let who = if callers { "; only callers with a key of their own can use it" } else { "" };
    at.warn(format!("provider `{}` has no key, {reason}{who}", provider.name));
}

/// Two providers that take the same header would each get the other's keys.
fn refuse_shared_headers(at: &At<'_>, providers: &[Provider]) {
    for (index, provider) in providers.iter().enumerate() {
        let mut before = providers.iter().take(index);
        if let Some(other) = before.find(|other| other.key_header == provider.key_header) {
            let message = format!("header `{}` is already that of provider `{}`", provider.key_header, other.name);
            at.key(&provider.name).key("key_header").error(message);
        }
    }
}

// === impl Providers ===

impl Providers {
    /// Tells whether a name means a provider, switched on or not.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.on.iter().any(|provider| provider.name == name)
            || self.off.iter().any(|off| off == name)
            || catalog::entry(name).is_some()
    }

    /// Lists the names that mean a provider.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = catalog::names().collect();
        names.extend(self.on.iter().map(|provider| provider.name.as_str()));
        names.extend(self.off.iter().map(String::as_str));
        names
    }

    /// Says what a known provider needs before it can answer; `None` where it can.
    pub(super) fn need(&self, name: &str) -> Option<String> {
        if self.on.iter().any(|provider| provider.name == name) {
            return None;
        }
        if self.off.iter().any(|off| off == name) {
            return Some("is switched off".to_owned());
        }
        let entry = catalog::entry(name)?;
        let variable = match entry.kind {
            Some(Kind::Local) => provider::base_url_variable(name),
            _ => entry.env.iter().flatten().next().cloned().unwrap_or_default(),
        };
        Some(format!("needs `{variable}`, or an entry under `providers`"))
    }
}
