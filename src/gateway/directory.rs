//! Which targets serve a model name.
//!
//! In this order: the operator's own names; `provider/model`; a bare name that a provider is known to have, first
//! where the operator listed it, then at its vendor, then at a gateway that resells it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU32},
};

use arc_swap::ArcSwap;
use lockgate_config::{Config, Dormant, Kind, Trigger};
use lockgate_filters::model::Str;
use lockgate_layers::{
    failover::RetryOn,
    resolve::{Balance, Directory, Pool, ResolveError},
    target::{Endpoint, Target},
};

use super::{
    BuildError,
    endpoints::{Common, Known, endpoints, timeouts},
};

/// Pools of names that no configuration lists are made when first asked for, and up to this many are kept.
const MAX_MADE: usize = 1024;

/// Model names and the targets behind them.
#[derive(Debug)]
pub struct Models {
    named: HashMap<String, Arc<Pool>>,
    providers: Vec<Known>,
    dormant: Dormant,
    common: Common,
    made: ArcSwap<HashMap<String, Arc<Pool>>>,
    /// Dormant providers that somebody has asked for.
    woken: ArcSwap<HashMap<String, Arc<Endpoint>>>,
    /// Sorted.
    caller_keys: Arc<[String]>,
    retry_on: RetryOn,
    attempts: u32,
}

/// A model, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// The name to ask for.
    pub id: String,
    /// Who has it; the gateway itself for the operator's names.
    pub owner: String,
}

impl Models {
    pub(super) fn new(
        config: &Config,
        sim: Option<SocketAddr>,
        route: &lockgate_config::Route,
    ) -> Result<Self, BuildError> {
        let common = Common::new(config, &route.timeouts, sim);
        let providers = endpoints(config, &common)?;
        let failover = config.failover.clone().with(&route.failover);
        let caller_keys = providers.iter().filter_map(|known| known.endpoint.caller_key.as_ref());
        let mut caller_keys: Vec<_> = caller_keys.map(ToString::to_string).collect();
        caller_keys.extend(config.dormant.key_headers());
        caller_keys.sort_unstable();
        let mut models = Self {
            named: HashMap::new(),
            caller_keys: caller_keys.into(),
            providers,
            dormant: config.dormant.clone(),
            common,
            made: ArcSwap::default(),
            woken: ArcSwap::default(),
            retry_on: retry_on(&failover.on),
            attempts: failover.attempts,
        };
        let named = config.models.iter().filter_map(|model| {
            let pool = models.pool(config, model, route)?;
            Some((model.name.clone(), Arc::new(pool)))
        });
        models.named = named.collect();
        Ok(models)
    }

    fn pool(&self, config: &Config, model: &lockgate_config::Model, route: &lockgate_config::Route) -> Option<Pool> {
        let failover = config.failover.clone().with(&route.failover).with(&model.failover);
        let mut targets = Vec::new();
        let mut weights = Vec::new();
        for target in &model.targets {
            let Some(endpoint) = self.endpoint(&target.provider) else { continue };
            let overrides = config.provider(&target.provider).map(|provider| provider.timeouts).unwrap_or_default();
            let all =
                config.timeouts.with(&overrides).with(&route.timeouts).with(&model.timeouts).with(&target.timeouts);
            targets.push(Arc::new(Target {
                provider: endpoint.name.clone(),
                model: Str::from(target.model.as_str()),
                endpoint,
                timeouts: timeouts(&all, target.timeouts.total.or(overrides.total)),
            }));
            weights.push(target.weight);
        }
        let balance = match model.balance {
            lockgate_config::Balance::RoundRobin => Balance::RoundRobin { weights, turn: AtomicU32::new(0) },
            _ => Balance::Failover,
        };
        let attempts = failover.attempts;
        let (retry_on, total) = (retry_on(&failover.on), model.timeouts.total);
        (!targets.is_empty()).then_some(Pool { targets, balance, attempts, retry_on, total })
    }

    /// Every model that is known by name and can be asked for now, sorted by name.
    pub fn list(&self) -> Vec<ListedModel> {
        let named = self.named.keys().map(|name| ListedModel { id: name.clone(), owner: "lockgate".to_owned() });
        let known = self.providers.iter().filter(|known| !known.dormant && known.ready).flat_map(|known| {
            let provider = &known.endpoint.name;
            known
                .models
                .known
                .iter()
                .map(move |model| ListedModel { id: format!("{provider}/{model}"), owner: provider.to_string() })
        });
        let mut all: Vec<_> = named.chain(known).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|a, b| a.id == b.id);
        all
    }

    /// The listed name of a model that can be asked for: its own, or `provider/model` for a bare one.
    pub fn listed(&self, name: &str) -> Option<ListedModel> {
        if self.named.contains_key(name) {
            return Some(ListedModel { id: name.to_owned(), owner: "lockgate".to_owned() });
        }
        let pool = self.find(name).ok()?;
        let target = pool.targets.first()?;
        let (provider, model) = (&target.provider, &target.model);
        Some(ListedModel { id: format!("{provider}/{model}"), owner: provider.to_string() })
    }

    /// The provider of a name: an instance's own, or the first instance of a catalog entry.
    pub fn provider(&self, name: &str) -> Option<Arc<Endpoint>> {
        let awake = || self.providers.iter().filter(|known| !known.dormant);
        let found = awake()
            .find(|known| *known.endpoint.name == *name)
            .or_else(|| awake().find(|known| known.entry == name || known.aliases.iter().any(|alias| alias == name)));
        found.map(|known| known.endpoint.clone()).or_else(|| self.endpoint(name))
    }

    /// The names of the providers that are switched on.
    pub fn provider_names(&self) -> Vec<&str> {
        self.providers.iter().filter(|known| !known.dormant).map(|known| &*known.endpoint.name).collect()
    }

    /// The headers in which callers may send keys for providers, sorted.
    pub fn caller_keys(&self) -> &Arc<[String]> {
        &self.caller_keys
    }

    fn make(&self, name: &str) -> Result<Pool, ResolveError> {
        if let Some((provider, model)) = name.split_once('/')
            && let Some(endpoint) = self.endpoint(provider)
        {
            if model.is_empty() {
                return Err(self.unknown(name));
            }
            return Ok(self.single(endpoint, model));
        }
        let bare = self.bare(name).ok_or_else(|| self.unknown(name))?;
        Ok(self.single(bare.endpoint.clone(), name))
    }

    /// The provider before a slash: of that name, the first of that catalog entry, one of that alias, or a dormant one.
    fn endpoint(&self, name: &str) -> Option<Arc<Endpoint>> {
        let find = |is: &dyn Fn(&Known) -> bool| self.providers.iter().find(|known| is(known));
        let known = find(&|known| *known.endpoint.name == *name)
            .or_else(|| find(&|known| known.entry == name))
            .or_else(|| find(&|known| known.aliases.iter().any(|alias| alias == name)));
        known.map(|known| known.endpoint.clone()).or_else(|| self.wake(name))
    }

    /// Makes a dormant provider of the catalog when it is first asked for.
    fn wake(&self, name: &str) -> Option<Arc<Endpoint>> {
        if let Some(endpoint) = self.woken.load().get(name) {
            return Some(endpoint.clone());
        }
        let endpoint = Arc::new(self.common.endpoint(&self.dormant.wake(name)?).ok()?);
        // Names and aliases of the catalog alone: there are not many.
        self.woken.rcu(|woken| {
            let mut woken = HashMap::clone(woken);
            woken.insert(name.to_owned(), endpoint.clone());
            woken
        });
        Some(endpoint)
    }

    /// The provider of a bare name. The order of the providers decides between equals.
    fn bare(&self, name: &str) -> Option<&Known> {
        let listed = |known: &&Known| known.models.known.iter().any(|model| model == name);
        let named = |known: &&Known| known.models.has(name);
        let awake = || self.providers.iter().filter(|known| !known.dormant);
        let ready = || awake().filter(|known| known.ready);
        ready()
            .find(listed)
            .or_else(|| ready().filter(|known| known.kind == Kind::Vendor).find(named))
            .or_else(|| ready().find(named))
            .or_else(|| awake().find(named))
            .or_else(|| self.providers.iter().find(named))
    }

    fn single(&self, endpoint: Arc<Endpoint>, model: &str) -> Pool {
        Pool {
            targets: vec![Arc::new(Target {
                provider: endpoint.name.clone(),
                model: Str::from(model),
                timeouts: endpoint.timeouts,
                endpoint,
            })],
            balance: Balance::Failover,
            attempts: self.attempts,
            retry_on: self.retry_on.clone(),
            total: None,
        }
    }

    fn unknown(&self, name: &str) -> ResolveError {
        let mut near: Vec<(usize, String)> = self
            .list()
            .into_iter()
            .map(|listed| listed.id)
            .map(|id| (lockgate_config::name_distance(name, &id), id))
            .collect();
        near.sort();
        let near: Vec<_> = near.into_iter().take(3).map(|(_, id)| format!("`{id}`")).collect();
        let providers = self.provider_names();
        let hint = match name.split_once('/') {
            Some((provider, _)) if !near.is_empty() => format!(
                "no provider `{provider}` is switched on ({}); did you mean {}?",
                providers.join(", "),
                near.join(", ")
            ),
            _ if near.is_empty() => format!("use `provider/model`, with one of: {}", providers.join(", ")),
            _ => format!("use `provider/model`, or did you mean {}? `GET /v1/models` lists all", near.join(", ")),
        };
        let short: String = name.chars().take(100).collect();
        ResolveError::Unknown { model: Str::from(short), hint: Str::from(hint) }
    }
}

impl Directory for Models {
    fn find(&self, model: &str) -> Result<Arc<Pool>, ResolveError> {
        if let Some(pool) = self.named.get(model) {
            return Ok(pool.clone());
        }
        if let Some(pool) = self.made.load().get(model) {
            return Ok(pool.clone());
        }
        let pool = Arc::new(self.make(model)?);
        self.made.rcu(|made| {
            let mut made = HashMap::clone(made);
            if made.len() < MAX_MADE {
                made.insert(model.to_owned(), pool.clone());
            }
            made
        });
        Ok(pool)
    }

    /// A hint means, in this order: a name that is known, a known name that it is part of, and a model of the provider that
    /// it names or whose models are called so. Only what can be asked for now counts.
    fn hinted(&self, hints: &[Str], allowed: &dyn Fn(&str) -> bool) -> Option<Str> {
        let mut listed: Vec<String> = self.list().into_iter().map(|listed| listed.id).collect();
        listed.retain(|id| allowed(id));
        hints.iter().find_map(|hint| self.meant(hint, &listed).filter(|name| allowed(name)))
    }
}

impl Models {
    fn meant(&self, hint: &str, listed: &[String]) -> Option<Str> {
        let is_bare = |id: &&String| id.split_once('/').is_some_and(|(_, model)| model == hint);
        let exact = listed.iter().find(|id| *id == hint).or_else(|| listed.iter().find(is_bare));
        let lower = hint.to_ascii_lowercase();
        let found = exact.or_else(|| listed.iter().find(|id| id.to_ascii_lowercase().contains(&lower)));
        if let Some(id) = found {
            return Some(Str::from(id.as_str()));
        }
        let ready = || self.providers.iter().filter(|known| known.ready && !known.dormant);
        if let Some((provider, model)) = hint.split_once('/').filter(|(_, model)| !model.is_empty()) {
            let named = ready().find(|known| *known.endpoint.name == *provider)?;
            return Some(Str::from(format!("{}/{model}", named.endpoint.name)));
        }
        let called = ready().find(|known| known.models.has(hint))?;
        Some(Str::from(format!("{}/{hint}", called.endpoint.name)))
    }
}

fn retry_on(triggers: &[Trigger]) -> RetryOn {
    let statuses = triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Status(status) => Some((*status, *status)),
        Trigger::StatusClass(class) => Some((class * 100, class * 100 + 99)),
        _ => None,
    });
    RetryOn {
        connect: triggers.contains(&Trigger::Connect),
        timeout: triggers.contains(&Trigger::Timeout),
        invalid_answer: triggers.contains(&Trigger::InvalidAnswer),
        statuses: statuses.collect(),
    }
}
