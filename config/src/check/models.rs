//! Model names of the operator's own: targets resolved, pools of pools flattened, cycles refused.

use super::context::At;
use super::providers::Providers;
use super::settings::{failover_overrides, timeout_overrides};
use crate::nearest::did_you_mean;
use crate::raw::{Named, RawModel, RawTarget};
use crate::types::{FailoverOverrides, Model, Target, TimeoutOverrides};

/// Targets of one name after flattening; more is a mistake of generated files.
const MAX_TARGETS: usize = 1000;

/// Names on the way from one to its targets; longer chains help nobody.
const MAX_CHAIN: usize = 16;

/// A name as it was written, its targets not yet followed.
struct Pool {
    model: Model,
    steps: Vec<Step>,
}

/// A target at a provider, or the place of another pool.
enum Step {
    Target(Target),
    Pool { name: String, weight: u32, timeouts: TimeoutOverrides },
}

pub(super) fn check(at: &At<'_>, raw: Option<&Named<RawModel>>, providers: &Providers) -> Vec<Model> {
    let named = raw.map(|named| named.0.as_slice()).unwrap_or_default();
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let reader = Reader { names: &names, providers };
    let pools: Vec<Pool> = named.iter().map(|(name, raw)| reader.pool(&at.key(name), name, raw)).collect();
    let mut models = Vec::with_capacity(pools.len());
    for (index, pool) in pools.iter().enumerate() {
        let mut flat = Flat { pools: &pools, targets: Vec::new(), chain: vec![index], steps: 0 };
        at.key(&pool.model.name).take(flat.follow(pool, 1, TimeoutOverrides::default()));
        models.push(Model { targets: flat.targets, ..pool.model.clone() });
    }
    // An alias of a pool behaves as the pool does.
    for (index, pool) in pools.iter().enumerate() {
        if let Some(source) = pool.alias_of(&pools)
            && let Some(like) = models.get(source).cloned()
            && let Some(model) = models.get_mut(index)
        {
            *model = Model { name: model.name.clone(), ..like };
        }
    }
    models
}

/// Reads single names; what a target may name is known by now.
struct Reader<'a> {
    names: &'a [&'a str],
    providers: &'a Providers,
}

/// Follows pools to their targets.
struct Flat<'a> {
    pools: &'a [Pool],
    targets: Vec<Target>,
    /// Indexes of the pools on the way here.
    chain: Vec<usize>,
    steps: usize,
}

// === impl Reader ===

impl Reader<'_> {
    fn pool(&self, at: &At<'_>, name: &str, raw: &RawModel) -> Pool {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            at.error(format!("invalid model name `{name}`, it is empty or holds a space"));
        }
        let mut model = Model {
            name: name.to_owned(),
            balance: crate::types::Balance::default(),
            targets: Vec::new(),
            timeouts: TimeoutOverrides::default(),
            failover: FailoverOverrides::default(),
        };
        match raw {
            RawModel::Alias(text) => {
                let steps = self.step(at, text, 1, TimeoutOverrides::default()).into_iter().collect();
                Pool { model, steps }
            }
            RawModel::Pool(raw) => {
                model.balance = raw.balance.unwrap_or_default();
                model.timeouts = timeout_overrides(at, raw.timeouts.as_ref());
                model.failover = failover_overrides(at, raw.layers.as_ref());
                let targets = at.key("targets");
                if raw.targets.is_empty() {
                    targets.error("expected at least one target".to_owned());
                }
                let steps = raw.targets.iter().enumerate();
                let steps = steps.filter_map(|(index, raw)| self.target(&targets.item(index), raw)).collect();
                Pool { model, steps }
            }
        }
    }

    fn target(&self, at: &At<'_>, raw: &RawTarget) -> Option<Step> {
        match raw {
            RawTarget::Short(text) => self.step(at, text, 1, TimeoutOverrides::default()),
            RawTarget::Weighted(raw) => {
                let timeouts = timeout_overrides(at, raw.timeouts.as_ref());
                self.step(&at.key("model"), &raw.model, raw.weight.unwrap_or(1), timeouts)
            }
        }
    }

    fn step(&self, at: &At<'_>, text: &str, weight: u32, timeouts: TimeoutOverrides) -> Option<Step> {
        let Some((provider, model)) = text.split_once('/') else {
            if self.names.contains(&text) {
                return Some(Step::Pool { name: text.to_owned(), weight, timeouts });
            }
            let hint = did_you_mean(text, self.names.iter().copied());
            at.error(format!("unknown model `{text}`{hint} (expected `provider/model` or a name of `models`)"));
            return None;
        };
        if !names_target(at, provider, model, self.providers) {
            return None;
        }
        let provider = self.providers.canonical(provider);
        Some(Step::Target(Target { provider: provider.to_owned(), model: model.to_owned(), weight, timeouts }))
    }
}

/// Tells whether a provider and a model make a target, and warns where the provider cannot answer yet.
pub(super) fn names_target(at: &At<'_>, provider: &str, model: &str, providers: &Providers) -> bool {
    if model.is_empty() {
        at.error(format!("expected a model after `{provider}/`"));
        return false;
    }
    let provider = providers.canonical(provider);
    if !providers.knows(provider) {
        at.error(format!("unknown provider `{provider}`{}", did_you_mean(provider, providers.names())));
        return false;
    }
    if let Some(need) = providers.need(provider) {
        at.warn(format!("provider `{provider}` {need}"));
    }
    true
}

// === impl Pool ===

impl Pool {
    /// Returns the pool that this one is but another name of.
    fn alias_of(&self, pools: &[Self]) -> Option<usize> {
        let mut pool = self;
        let mut last = None;
        for _ in 0..MAX_CHAIN {
            let [Step::Pool { name, .. }] = pool.steps.as_slice() else { break };
            if pool.model.timeouts != TimeoutOverrides::default() || pool.model.failover != FailoverOverrides::default()
            {
                break;
            }
            let index = pools.iter().position(|other| other.model.name == *name)?;
            pool = pools.get(index)?;
            last = Some(index);
        }
        last
    }
}

// === impl Flat ===

impl Flat<'_> {
    fn follow(&mut self, pool: &Pool, weight: u32, timeouts: TimeoutOverrides) -> Result<(), String> {
        for step in &pool.steps {
            self.steps += 1;
            if self.steps > MAX_TARGETS {
                return Err(format!("`{}` has more than {MAX_TARGETS} targets behind it", pool.model.name));
            }
            match step {
                Step::Target(target) => self.targets.push(Target {
                    weight: target.weight.saturating_mul(weight),
                    timeouts: timeouts.with(&target.timeouts),
                    ..target.clone()
                }),
                Step::Pool { name, weight: own, timeouts: nearer } => {
                    let timeouts = timeouts.with(nearer);
                    self.enter(name, weight.saturating_mul(*own), timeouts)?;
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: &str, weight: u32, timeouts: TimeoutOverrides) -> Result<(), String> {
        let pools = self.pools;
        let Some(index) = pools.iter().position(|pool| pool.model.name == name) else { return Ok(()) };
        if self.chain.contains(&index) {
            return self.cycle(index);
        }
        if self.chain.len() >= MAX_CHAIN {
            return Err(format!("`{name}` is more than {MAX_CHAIN} names away from here"));
        }
        let Some(pool) = pools.get(index) else { return Ok(()) };
        self.chain.push(index);
        self.follow(pool, weight, timeouts.with(&pool.model.timeouts))?;
        self.chain.pop();
        Ok(())
    }

    /// A cycle is reported once, by the first of its names.
    fn cycle(&self, index: usize) -> Result<(), String> {
        let is_first = self.chain.first() == Some(&index) && self.chain.iter().min() == Some(&index);
        if !is_first {
            return Ok(());
        }
        let members = self.chain.iter().chain([&index]).filter_map(|index| self.pools.get(*index));
        let names: Vec<String> = members.map(|pool| format!("`{}`", pool.model.name)).collect();
        Err(format!("models name each other in a circle: {}", names.join(" → ")))
    }
}
