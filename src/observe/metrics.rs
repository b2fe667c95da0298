//! Prometheus metrics, all under `lockgate_`.
//!
//! Label values are looked up once per exchange: what belongs to one set of labels is one [`Series`].

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use lockgate_layers::record::{Facts, MediaFacts, Record};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// Clients choose model names, so the number of label sets is bounded; what comes later counts under this name.
const OTHER: &str = "other";
const MAX_SERIES: usize = 2000;

const DURATIONS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const FIRST_TOKENS: &[f64] = &[0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
const PER_TOKEN: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0];
const OVERHEADS: &[f64] = &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25];

/// The gateway's metrics.
pub struct Metrics {
    /// Exchanges under way.
    pub in_flight: IntGauge,
    registry: Registry,
    families: Families,
    series: ArcSwap<HashMap<Key, Arc<Series>>>,
}

struct Families {
    requests: IntCounterVec,
    durations: HistogramVec,
    first_tokens: HistogramVec,
    per_token: HistogramVec,
    overheads: HistogramVec,
    tokens: IntCounterVec,
    upstream_errors: IntCounterVec,
    losses: IntCounterVec,
    key_requests: IntCounterVec,
    key_tokens: IntCounterVec,
    media: IntCounterVec,
    media_bytes: IntCounter,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    route: Arc<str>,
    dialect: &'static str,
    provider: String,
    model: String,
    status: u16,
    streamed: bool,
}

/// The metrics of one set of labels.
struct Series {
    requests: IntCounter,
    duration: Histogram,
    first_token: Histogram,
    per_token: Histogram,
    overhead: Histogram,
    input: IntCounter,
    cached: IntCounter,
    output: IntCounter,
    reasoning: IntCounter,
    losses: IntCounter,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let in_flight = IntGauge::new("lockgate_requests_in_flight", "Exchanges under way")
            .expect("the name is a constant and valid");
        let families = Families::new();
        families.register(&registry, &in_flight);
        Self { in_flight, registry, families, series: ArcSwap::default() }
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(8 << 10);
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        text
    }

    /// Counts a closed exchange.
    pub fn count(&self, record: &Record, facts: &Facts) {
        let series = self.series(record, facts);
        series.requests.inc();
        series.duration.observe(record.elapsed().as_secs_f64());
        series.losses.inc_by(facts.losses.iter().count() as u64);
        for (target, fault) in &facts.failures {
            self.families.upstream_errors.with_label_values(&[&*target.provider, fault]).inc();
        }
        self.families.count_media(facts.media);
        if let Some(first) = facts.first_event {
            series.first_token.observe(first.saturating_duration_since(record.started).as_secs_f64());
        }
        if let Some((sent, done)) = facts.sent.zip(facts.upstream_done) {
            let upstream = done.saturating_duration_since(sent);
            series.overhead.observe(record.elapsed().saturating_sub(upstream).as_secs_f64());
        }
        self.count_key(facts);
        let Some(usage) = &facts.usage else { return };
        series.input.inc_by(usage.input());
        series.cached.inc_by(usage.input_cache_read);
        series.output.inc_by(usage.output());
        series.reasoning.inc_by(usage.output_reasoning);
        if let (Some(first), Some(done), true, 2..) =
            (facts.first_event, facts.upstream_done, facts.streamed, usage.output())
        {
            let spread = done.saturating_duration_since(first).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
            series.per_token.observe(spread / (usage.output() - 1) as f64);
        }
    }

    /// Counts for the gateway key. There are as many as the configuration has.
    fn count_key(&self, facts: &Facts) {
        let Some(key) = &facts.key else { return };
        let owner = key.path.as_deref().unwrap_or_default();
        self.families.key_requests.with_label_values(&[&*key.name, owner]).inc();
        let Some(usage) = &facts.usage else { return };
        for (kind, count) in [("input", usage.input()), ("output", usage.output())] {
            self.families.key_tokens.with_label_values(&[&*key.name, owner, kind]).inc_by(count);
        }
    }

    fn series(&self, record: &Record, facts: &Facts) -> Arc<Series> {
        let target = facts.target.as_deref();
        let provider = target.map(|target| &*target.provider).or(facts.provider.as_deref()).unwrap_or_default();
        let mut key = Key {
            route: record.route.clone(),
            dialect: record.dialect_of(facts),
            provider: provider.to_owned(),
            model: target.map(|target| target.model.to_string()).unwrap_or_default(),
            status: facts.status,
            streamed: facts.streamed,
        };
        let known = self.series.load();
        if let Some(series) = known.get(&key) {
            return series.clone();
        }
        if known.len() >= MAX_SERIES {
            OTHER.clone_into(&mut key.model);
            if let Some(series) = known.get(&key) {
                return series.clone();
            }
        }
        let series = Arc::new(self.families.series(&key));
        self.series.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.insert(key.clone(), series.clone());
            known
        });
        series
    }
}

impl Families {
    fn new() -> Self {
        let models = &["route", "dialect", "provider", "model", "stream"];
        Self {
            requests: counters(
                "lockgate_requests_total",
                "Requests answered",
                &["route", "dialect", "provider", "model", "status", "stream"],
            ),
            durations: histograms("lockgate_request_duration_seconds", "Whole exchanges", models, DURATIONS),
            first_tokens: histograms(
                "lockgate_time_to_first_token_seconds",
                "From a request's head to the first meaningful event",
                models,
                FIRST_TOKENS,
            ),
            per_token: histograms(
                "lockgate_time_per_output_token_seconds",
                "Between output tokens of streams",
                models,
                PER_TOKEN,
            ),
            overheads: histograms(
                "lockgate_gateway_overhead_seconds",
                "Of an exchange, what was not the upstream's",
                models,
                OVERHEADS,
            ),
            tokens: counters("lockgate_tokens_total", "Tokens", &["provider", "model", "kind"]),
            upstream_errors: counters(
                "lockgate_upstream_errors_total",
                "Failed attempts, by fault",
                &["provider", "fault"],
            ),
            losses: counters(
                "lockgate_translation_losses_total",
                "Members that translation could not carry",
                &["provider", "model"],
            ),
            key_requests: counters("lockgate_key_requests_total", "Requests, by gateway key", &["key", "owner"]),
            key_tokens: counters("lockgate_key_tokens_total", "Tokens, by gateway key", &["key", "owner", "kind"]),
            media: counters("lockgate_media_fetches_total", "Media fetched by URL, by what came of it", &["result"]),
            media_bytes: IntCounter::new("lockgate_media_bytes_total", "Bytes of media fetched by URL")
                .expect("the name is a constant and valid"),
        }
    }

    fn count_media(&self, media: MediaFacts) {
        if media.fetched > 0 {
            self.media.with_label_values(&["fetched"]).inc_by(media.fetched.into());
            self.media_bytes.inc_by(media.bytes);
        }
        if let Some(failed) = media.failed {
            self.media.with_label_values(&[failed]).inc();
        }
    }

    fn register(&self, registry: &Registry, in_flight: &IntGauge) {
        let all: [Box<dyn prometheus::core::Collector>; 13] = [
            Box::new(in_flight.clone()),
            Box::new(self.requests.clone()),
            Box::new(self.durations.clone()),
            Box::new(self.first_tokens.clone()),
            Box::new(self.per_token.clone()),
            Box::new(self.overheads.clone()),
            Box::new(self.tokens.clone()),
            Box::new(self.upstream_errors.clone()),
            Box::new(self.losses.clone()),
            Box::new(self.key_requests.clone()),
            Box::new(self.key_tokens.clone()),
            Box::new(self.media.clone()),
            Box::new(self.media_bytes.clone()),
        ];
        for collector in all {
            registry.register(collector).expect("the names are constants and differ");
        }
    }

    fn series(&self, key: &Key) -> Series {
        let Key { route, dialect, provider, model, status, streamed } = key;
        let stream = if *streamed { "true" } else { "false" };
        let labels: &[&str] = &[&**route, dialect, provider, model, stream];
        let status = status.to_string();
        let tokens = |kind: &str| self.tokens.with_label_values(&[provider.as_str(), model, kind]);
        Series {
            requests: self.requests.with_label_values(&[&**route, dialect, provider, model, &status, stream]),
            duration: self.durations.with_label_values(labels),
            first_token: self.first_tokens.with_label_values(labels),
            per_token: self.per_token.with_label_values(labels),
            overhead: self.overheads.with_label_values(labels),
            input: tokens("input"),
            cached: tokens("input_cached"),
            output: tokens("output"),
            reasoning: tokens("output_reasoning"),
            losses: self.losses.with_label_values(&[provider.as_str(), model]),
        }
    }
}

fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect("the name is a constant and valid")
}

fn histograms(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    HistogramVec::new(opts, labels).expect("the name is a constant and valid")
}
