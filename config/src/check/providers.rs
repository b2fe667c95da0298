//! Providers: which are switched on, and what each is made of.
//!
//! A provider is an entry laid over an entry of the catalog, or over what its dialect has in common. The result is checked
//! in one way, wherever its parts came from.

use super::context::{At, Context};
use super::provider;
use crate::DIALECTS;
use crate::catalog::{self, Slot};
use crate::document::Source;
use crate::env::MapEnv;
use crate::nearest::did_you_mean;
use crate::raw::{RawConfig, RawPaths, RawProvider, Spoken};
use crate::tree::{Node, Pos, Value};
use crate::types::{Dormant, Kind, Provider, ProviderKeys};

/// The providers of a configuration.
pub(super) struct Providers {
    /// Those switched on, in order of precedence.
    pub(super) on: Vec<Provider>,
    /// Those of the catalog that a caller's key can wake.
    pub(super) dormant: Dormant,
    /// Those that the environment gives a key, but not all that they need, and what is missing.
    unfilled: Vec<(String, String)>,
    /// Those configured and switched off, or refused.
    off: Vec<String>,
}

pub(super) fn check(root: &At<'_>, raw: &RawConfig) -> Providers {
    let at = root.key("providers");
    let keys = raw.provider_keys.unwrap_or_default();
    let mut providers =
        Providers { on: Vec::new(), dormant: Dormant::default(), unfilled: Vec::new(), off: Vec::new() };
    for (name, raw) in raw.providers.iter().flat_map(|named| &named.0) {
        match configured(&at.key(name), name, raw) {
            Some(provider) => {
                warn_of_missing_key(&at.key(name), &provider, keys);
                warn_of_missing_params(&at.key(name), &provider);
                providers.on.push(provider);
            }
            None => providers.off.push(name.clone()),
        }
    }
    let named = providers.on.len();
    for slot in catalog::slots() {
        let is_on = providers.on.iter().take(named).any(|other| other.name == slot.name);
        if !is_on && !providers.off.iter().any(|off| off == slot.name) {
            providers.add_from_catalog(&at, slot, keys);
        }
    }
    for (name, reason) in &providers.unfilled {
        at.key(name).warn(format!("provider `{name}` has a key, but is not switched on: {reason}"));
    }
    refuse_shared_names(&at, &providers.on);
    refuse_shared_headers(&at, &providers.on);
    providers
}

/// Makes a provider that is what its entry in the catalog says, and nothing else.
pub(crate) fn catalog_provider(slot: &Slot) -> Option<Provider> {
    let nothing = Node::new(Pos::default(), Value::Map(Vec::new()));
    let source = Source { file: String::new(), tree: nothing };
    let env = MapEnv::new();
    let cx = Context::new(&source, &env);
    let entry = slot.parse();
    provider::build(&At::root(&cx).key("providers").key(slot.name), slot.name, slot.name, &entry, Some(&entry))
}

/// Builds a provider of the file; `None` where it is switched off or wrong.
fn configured(at: &At<'_>, name: &str, raw: &RawProvider) -> Option<Provider> {
    if !provider::is_name(name) {
        at.error(format!("invalid provider name `{name}`, expected letters, digits, `-`, `_` and `.`"));
        return None;
    }
    let (entry, base) = base(at, name, raw)?;
    let mut whole = raw.clone().over(&base);
    if entry != name {
        // The other provider of this kind keeps its title, its header and its aliases.
        whole.title = Some(raw.title.clone().unwrap_or_else(|| name.to_owned()));
        whole.key_header.clone_from(&raw.key_header);
        whole.aliases.clone_from(&raw.aliases);
    }
    if raw.enabled == Some(false) {
        return None;
    }
    provider::build(at, name, entry, &whole, Some(&base))
}

/// Finds what a provider is laid over.
fn base<'n>(at: &At<'_>, name: &'n str, raw: &RawProvider) -> Option<(&'n str, RawProvider)> {
    if let Some(kind) = &raw.entry {
        let Some((entry, base)) = of_catalog(kind) else {
            let hint = did_you_mean(kind, catalog::names());
            at.key("type").error(format!("unknown provider type `{kind}`{hint}"));
            return None;
        };
        return Some((entry, base));
    }
    if let Some(entry) = catalog::entry(name) {
        return Some((name, entry));
    }
    // An alias means the catalog's, but for an entry that says itself how it is spoken to.
    if let (None, Some(found)) = (&raw.dialect, of_catalog(name)) {
        return Some(found);
    }
    let has_url = raw.base_url.is_some() || at.var(&provider::base_url_variable(name)).is_some();
    match (&raw.dialect, has_url) {
        (None, false) => {
            let hint = did_you_mean(name, catalog::names());
            at.error(format!("unknown provider `{name}`{hint} (one of your own needs `dialect` and `base_url`)"));
            None
        }
        (None, true) if raw.paths.as_ref().is_some_and(needs_no_dialect) => Some((name, RawProvider::default())),
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

fn of_catalog(name: &str) -> Option<(&'static str, RawProvider)> {
    let name = catalog::canonical(name)?;
    Some((name, catalog::entry(name)?))
}

/// Tells whether paths say by themselves how each is spoken to.
fn needs_no_dialect(paths: &RawPaths) -> bool {
    paths.iter().next().is_some() && paths.iter().all(|(kind, _)| kind.spoken != Spoken::Own)
}

/// Tells whether the environment switches a provider of the catalog on.
fn is_switched_on(at: &At<'_>, slot: &Slot) -> bool {
    match slot.kind() {
        Kind::Builtin => true,
        Kind::Local => at.var(&provider::base_url_variable(slot.name)).is_some(),
        _ => slot.env.iter().any(|variable| at.var(variable).is_some()),
    }
}

fn warn_of_missing_key(at: &At<'_>, provider: &Provider, keys: ProviderKeys) {
    let Some(reason) = provider.key_missing.as_ref().filter(|_| keys.takes_configured()) else { return };
    let callers = keys.takes_callers() && provider.request_keys;
    let who = if callers { "; only callers with a key of their own can use it" } else { "" };
    at.warn(format!("provider `{}` has no key, {reason}{who}", provider.name));
}

fn warn_of_missing_params(at: &At<'_>, provider: &Provider) {
    if let Some(reason) = &provider.params_missing {
        at.warn(format!("provider `{}` cannot be used, {reason}", provider.name));
    }
}

/// An alias is one provider's alone. A provider's own name may be another's alias, and wins.
fn refuse_shared_names(at: &At<'_>, providers: &[Provider]) {
    for (index, provider) in providers.iter().enumerate() {
        for alias in &provider.aliases {
            let mut before = providers.iter().take(index);
            if let Some(other) = before.find(|other| other.aliases.contains(alias)) {
                let message = format!("alias `{alias}` is already that of provider `{}`", other.name);
                at.key(&provider.name).key("aliases").error(message);
            }
        }
    }
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
    /// Adds an entry of the catalog that the file does not name: to those that are on, to the dormant ones, or nowhere.
    fn add_from_catalog(&mut self, at: &At<'_>, slot: &'static Slot, keys: ProviderKeys) {
        let name = slot.name;
        let on = is_switched_on(at, slot);
        // A caller's key wakes no local server: nobody said that there is one. Nor does it wake what wants no key.
        let may_wake = keys.takes_callers() && !slot.env.is_empty() && slot.kind() != Kind::Local;
        if !on && !may_wake {
            return;
        }
        let moved = at.var(&provider::base_url_variable(name)).is_some();
        if !on && !moved && !slot.is_open {
            return self.dormant.push_asleep(slot);
        }
        let entry = slot.parse();
        let at = &at.key(name);
        let build = || provider::build(at, name, name, &entry, Some(&entry));
        let Some(provider) = (if on { build() } else { at.unasked(build).flatten() }) else { return };
        // Its key alone does not make a host one's own: without the rest, nobody has asked for it.
        match (&provider.params_missing, on) {
            (None, true) => return self.on.push(provider),
            (Some(reason), true) => self.unfilled.push((name.to_owned(), reason.clone())),
            (_, false) => {}
        }
        if may_wake {
            self.dormant.push(provider);
        }
    }

    /// Returns the name of the provider that an alias means, where no provider has it for its own name.
    pub(super) fn canonical<'n>(&'n self, name: &'n str) -> &'n str {
        if self.on.iter().any(|provider| provider.name == name) || self.off.iter().any(|off| off == name) {
            return name;
        }
        let by_alias = self.on.iter().find(|provider| provider.aliases.iter().any(|alias| alias == name));
        by_alias.map(|provider| provider.name.as_str()).or_else(|| catalog::canonical(name)).unwrap_or(name)
    }

    /// Tells whether a name means a provider, switched on or not.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.on.iter().any(|provider| provider.name == name)
            || self.off.iter().any(|off| off == name)
            || catalog::canonical(name).is_some()
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
        if let Some((_, reason)) = self.unfilled.iter().find(|(unfilled, _)| unfilled == name) {
            return Some(format!("is not switched on, {reason}"));
        }
        let slot = catalog::slot(name)?;
        let variable = match slot.kind() {
            Kind::Local => Some(provider::base_url_variable(name)),
            _ => slot.env.first().map(|&name| name.to_owned()),
        };
        Some(match variable {
            Some(variable) => format!("needs `{variable}`, or an entry under `providers`"),
            None => "needs an entry under `providers`".to_owned(),
        })
    }
}
