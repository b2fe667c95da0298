//! Which targets serve a model name.
//!
//! In this order: the operator's own names; `provider/model`; a bare name that a provider is known to have, first
//! where the operator listed it, then at its vendor, then at a gateway that resells it.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU32},
};

use arc_swap::ArcSwap;
use lockgate_config::{Config, Kind, Trigger};
use lockgate_filters::model::Str;
use lockgate_layers::{
    failover::RetryOn,
    resolve::{Balance, Directory, Pool, ResolveError},
    target::Target,
};

use super::endpoints::{Known, timeouts};

/// Pools of names that no configuration lists are made when first asked for, and up to this many are kept.
const MAX_MADE: usize = 1024;

/// Model names and the targets behind them.
#[derive(Debug)]
pub struct Models {
    named: HashMap<String, Arc<Pool>>,
    providers: Vec<Known>,
    made: ArcSwap<HashMap<String, Arc<Pool>>>,
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
    pub(super) fn new(config: &Config, providers: Vec<Known>, route: &lockgate_config::Route) -> Self {
        let failover = config.failover.clone().with(&route.failover);
        let caller_keys = providers.iter().filter_map(|known| known.endpoint.caller_key.as_ref());
        let mut models = Self {
            named: HashMap::new(),
            caller_keys: caller_keys.map(ToString::to_string).collect(),
            providers,
            made: ArcSwap::default(),
            retry_on: retry_on(&failover.on),
            attempts: failover.attempts,
        };
        let named = config.models.iter().filter_map(|model| {
            let pool = models.pool(config, model, route)?;
            Some((model.name.clone(), Arc::new(pool)))
        });
        models.named = named.collect();
        models
    }

    fn pool(&self, config: &Config, model: &lockgate_config::Model, route: &lockgate_config::Route) -> Option<Pool> {
        let failover = config.failover.clone().with(&route.failover).with(&model.failover);
        let mut targets = Vec::new();
        let mut weights = Vec::new();
        for target in &model.targets {
            let Some(known) = self.providers.iter().find(|known| *known.endpoint.name == *target.provider) else {
                continue;
            };
            let overrides = config.provider(&target.provider).map(|provider| provider.timeouts).unwrap_or_default();
            let all =
                config.timeouts.with(&overrides).with(&route.timeouts).with(&model.timeouts).with(&target.timeouts);
            targets.push(Arc::new(Target {
                provider: known.endpoint.name.clone(),
                model: Str::from(target.model.as_str()),
                endpoint: known.endpoint.clone(),
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
    pub fn provider(&self, name: &str) -> Option<&Arc<lockgate_layers::target::Endpoint>> {
        let awake = || self.providers.iter().filter(|known| !known.dormant);
        let found = awake()
            .find(|known| *known.endpoint.name == *name)
            .or_else(|| awake().find(|known| known.entry == name))
            .or_else(|| self.providers.iter().find(|known| *known.endpoint.name == *name));
        found.map(|known| &known.endpoint)
    }

    /// The names of the providers that are switched on.
    pub fn provider_names(&self) -> Vec<&str> {
        self.providers.iter().filter(|known| !known.dormant).map(|known| &*known.endpoint.name).collect()
    }

    /// The headers in which callers may send keys for providers.
    pub fn caller_keys(&self) -> &Arc<[String]> {
        &self.caller_keys
    }

    fn make(&self, name: &str) -> Result<Pool, ResolveError> {
        if let Some((provider, model)) = name.split_once('/')
            && let Some(known) = self.known(provider)
        {
            if model.is_empty() {
                return Err(self.unknown(name));
            }
            return Ok(self.single(known, model));
        }
        let bare = self.bare(name).ok_or_else(|| self.unknown(name))?;
        Ok(self.single(bare, name))
    }

    fn known(&self, provider: &str) -> Option<&Known> {
        let by_name = self.providers.iter().find(|known| *known.endpoint.name == *provider);
        by_name.or_else(|| self.providers.iter().find(|known| known.entry == provider))
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

    fn single(&self, known: &Known, model: &str) -> Pool {
        Pool {
            targets: vec![Arc::new(Target {
                provider: known.endpoint.name.clone(),
                model: Str::from(model),
                endpoint: known.endpoint.clone(),
                timeouts: known.endpoint.timeouts,
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
