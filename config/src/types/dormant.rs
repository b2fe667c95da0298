//! Providers of the catalog that nobody switched on.

use super::Provider;
use crate::catalog::{self, Slot};
use crate::check;

/// Catalog providers that only a key of a caller's can wake. Most of them are a name here: the catalog is large, hardly
/// any of it is ever asked for, and a provider is made from its entry when it is.
#[derive(Clone, Debug, Default)]
pub struct Dormant {
    made: Vec<Provider>,
    asleep: Vec<&'static Slot>,
}

// === impl Dormant ===

impl Dormant {
    /// Adds one that the environment says something about, or that bare model names lead to.
    pub(crate) fn push(&mut self, provider: Provider) {
        self.made.push(provider);
    }

    /// Adds one that is what its entry says.
    pub(crate) fn push_asleep(&mut self, slot: &'static Slot) {
        self.asleep.push(slot);
    }

    /// Returns those that are made already, in order of precedence. Every one that has models is among them.
    pub fn made(&self) -> &[Provider] {
        &self.made
    }

    /// Returns the names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.made.iter().map(|provider| provider.name.as_str()).chain(self.asleep.iter().map(|slot| slot.name))
    }

    /// Makes one of the others, by its name or an alias.
    pub fn wake(&self, name: &str) -> Option<Provider> {
        let name = catalog::canonical(name)?;
        check::catalog_provider(self.asleep.iter().find(|slot| slot.name == name)?)
    }

    /// Returns the headers in which callers send keys for those that [`wake`](Self::wake) makes.
    pub fn key_headers(&self) -> impl Iterator<Item = String> {
        self.asleep.iter().map(|slot| catalog::slot_key_header(slot))
    }
}
