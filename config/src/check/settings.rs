//! Timeouts, limits, failover, passthrough and log.

use std::time::Duration;

use super::context::At;
use super::providers::Providers;
use crate::nearest::{did_you_mean, expected_one_of};
use crate::raw::{
    RawDuration, RawFailover, RawLayers, RawLimitOverrides, RawLimits, RawLog, RawPassthrough, RawRouteTimeouts,
    RawSize, RawTimeoutOverrides, RawTimeouts, RawTrigger,
};
use crate::types::{Failover, FailoverOverrides, Glob, Limits, Log, Passthrough, TimeoutOverrides, Timeouts, Trigger};
use crate::units;

/// Words of [`Trigger`] that are no status.
const TRIGGERS: &[(&str, Trigger)] = &[
    ("connect", Trigger::Connect),
    ("timeout", Trigger::Timeout),
    ("invalid_answer", Trigger::InvalidAnswer),
    ("4xx", Trigger::StatusClass(4)),
    ("5xx", Trigger::StatusClass(5)),
];

/// The HTTP parser takes no head beyond 1 MiB - 1.
const MAX_HEAD: usize = 1_000_000;

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn timeouts(at: &At<'_>, raw: Option<&RawTimeouts>) -> Timeouts {
    let defaults = Timeouts::default();
    let Some(raw) = raw else { return defaults };
    let read = |name: &str, raw: &Option<RawDuration>, default| duration(at, name, raw.as_ref()).unwrap_or(default);
    Timeouts {
        connect: read("connect", &raw.connect, defaults.connect),
        first_event: read("first_event", &raw.first_event, defaults.first_event),
        between_events: read("between_events", &raw.between_events, defaults.between_events),
        total: read("total", &raw.total, defaults.total),
        head: read("head", &raw.head, defaults.head),
        idle: read("idle", &raw.idle, defaults.idle),
        body: read("body", &raw.body, defaults.body),
        commit: read("commit", &raw.commit, defaults.commit),
        drain: read("drain", &raw.drain, defaults.drain),
        write: read("write", &raw.write, defaults.write),
    }
}

/// Reads the timeouts of a provider, model or target.
pub(super) fn timeout_overrides(at: &At<'_>, raw: Option<&RawTimeoutOverrides>) -> TimeoutOverrides {
    let Some(raw) = raw else { return TimeoutOverrides::default() };
    let at = at.key("timeouts");
    TimeoutOverrides {
        connect: duration(&at, "connect", raw.connect.as_ref()),
        first_event: duration(&at, "first_event", raw.first_event.as_ref()),
        between_events: duration(&at, "between_events", raw.between_events.as_ref()),
        total: duration(&at, "total", raw.total.as_ref()),
        commit: duration(&at, "commit", raw.commit.as_ref()),
        ..TimeoutOverrides::default()
    }
}

pub(super) fn route_timeouts(at: &At<'_>, raw: Option<&RawRouteTimeouts>) -> TimeoutOverrides {
    let Some(raw) = raw else { return TimeoutOverrides::default() };
    let at = at.key("timeouts");
    TimeoutOverrides {
        connect: duration(&at, "connect", raw.connect.as_ref()),
        first_event: duration(&at, "first_event", raw.first_event.as_ref()),
        between_events: duration(&at, "between_events", raw.between_events.as_ref()),
        total: duration(&at, "total", raw.total.as_ref()),
        body: duration(&at, "body", raw.body.as_ref()),
        commit: duration(&at, "commit", raw.commit.as_ref()),
        write: duration(&at, "write", raw.write.as_ref()),
    }
}

pub(super) fn duration(at: &At<'_>, name: &str, raw: Option<&RawDuration>) -> Option<Duration> {
    at.key(name).take(units::duration(&raw?.0))
}

pub(super) fn limits(at: &At<'_>, raw: Option<&RawLimits>) -> Limits {
    let defaults = Limits::default();
    let Some(raw) = raw else { return defaults };
    let count = |raw: Option<u32>, default| raw.map_or(default, |count| count as usize);
    Limits {
        body: memory(at, "body", raw.body.as_ref()).unwrap_or(defaults.body),
        upload: size(at, "upload", raw.upload.as_ref()).unwrap_or(defaults.upload),
        head: head(at, raw.head.as_ref()).unwrap_or(defaults.head),
        headers: count(raw.headers, defaults.headers),
        connections: count(raw.connections, defaults.connections),
    }
}

/// Lays a route's limits over those at the top.
pub(super) fn limits_with(at: &At<'_>, raw: Option<&RawLimitOverrides>, top: Limits) -> Limits {
    let Some(raw) = raw else { return top };
    let at = at.key("limits");
    Limits {
        body: memory(&at, "body", raw.body.as_ref()).unwrap_or(top.body),
        upload: size(&at, "upload", raw.upload.as_ref()).unwrap_or(top.upload),
        ..top
    }
}

pub(super) fn size(at: &At<'_>, name: &str, raw: Option<&RawSize>) -> Option<u64> {
    let at = at.key(name);
    let bytes = match raw? {
        RawSize::Bytes(bytes) => *bytes,
        RawSize::Text(text) => at.take(units::size(text))?,
    };
    if bytes == 0 {
        at.error("a size must be more than zero".to_owned());
    }
    Some(bytes)
}

/// The size of a request head, up to what the HTTP parser takes.
fn head(at: &At<'_>, raw: Option<&RawSize>) -> Option<usize> {
    let size = memory(at, "head", raw)?;
    if size > MAX_HEAD {
        at.key("head").error(format!("a request head of {size} bytes is too large, expected at most `1MB`"));
    }
    Some(size)
}

/// A size of something that is held in memory.
fn memory(at: &At<'_>, name: &str, raw: Option<&RawSize>) -> Option<usize> {
    usize::try_from(size(at, name, raw)?).ok()
}

pub(super) fn top_failover(at: &At<'_>, raw: Option<&RawFailover>) -> Failover {
    Failover::default().with(&failover(at, raw))
}

/// Reads the failover of a route's or model's `layers`.
pub(super) fn failover_overrides(at: &At<'_>, raw: Option<&RawLayers>) -> FailoverOverrides {
    failover(&at.key("layers").key("failover"), raw.and_then(|layers| layers.failover.as_ref()))
}

fn failover(at: &At<'_>, raw: Option<&RawFailover>) -> FailoverOverrides {
    let Some(raw) = raw else { return FailoverOverrides::default() };
    let on = raw.on.as_ref().map(|list| {
        let at = at.key("on");
        list.iter().enumerate().filter_map(|(index, raw)| at.item(index).take(trigger(raw))).collect()
    });
    FailoverOverrides { attempts: raw.attempts, on }
}

fn trigger(raw: &RawTrigger) -> Result<Trigger, String> {
    let status = match raw {
        RawTrigger::Status(status) => Ok(*status),
        RawTrigger::Word(word) => word.parse::<u16>().map_err(|_| word),
    };
    match status {
        Ok(status @ 400..=599) => Ok(Trigger::Status(status)),
        Ok(status) => Err(format!("status `{status}` is no failure, expected 400 to 599")),
        Err(word) => {
            let known = TRIGGERS.iter().find(|(name, _)| name == word);
            known.map(|(_, trigger)| *trigger).ok_or_else(|| {
                let names = TRIGGERS.iter().map(|(name, _)| *name);
                format!("unknown failure `{word}`{} (or a status such as `429`)", expected_one_of(word, names))
            })
        }
    }
}

pub(super) fn passthrough(at: &At<'_>, raw: Option<&RawPassthrough>, providers: &Providers) -> Passthrough {
    let defaults = Passthrough::default();
    let Some(raw) = raw else { return defaults };
    for (name, list) in [("allow", &raw.allow), ("deny", &raw.deny)] {
        for (index, pattern) in list.iter().flatten().enumerate() {
            let provider = pattern.split('/').next().unwrap_or_default();
            if provider.contains('*') {
                continue;
            }
            let at = at.key(name).item(index);
            if !providers.knows(provider) {
                let hint = did_you_mean(provider, providers.names());
                at.error(format!("unknown provider `{provider}`{hint}"));
            } else if providers.canonical(provider) != provider {
                // It would be compared with the provider's own name, and neither allow nor deny anything.
                let own = providers.canonical(provider);
                at.error(format!("`{provider}` is an alias, expected the provider's name `{own}`"));
            }
        }
    }
    Passthrough {
        enabled: raw.enabled.unwrap_or(defaults.enabled),
        allow: globs(raw.allow.as_deref()),
        deny: globs(raw.deny.as_deref()),
        v1_alias: raw.v1_alias.unwrap_or(defaults.v1_alias),
    }
}

pub(super) fn globs(list: Option<&[String]>) -> Vec<Glob> {
    list.unwrap_or_default().iter().map(Glob::new).collect()
}

pub(super) fn log(at: &At<'_>, raw: Option<&RawLog>) -> Log {
    let level = raw.and_then(|raw| raw.level.clone()).unwrap_or_else(|| "info".to_owned());
    // Anything with punctuation is a filter, which only the subscriber understands.
    let is_word = level.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word && !LEVELS.contains(&level.to_lowercase().as_str()) {
        let hint = expected_one_of(&level, LEVELS.iter().copied());
        at.key("level").error(format!("unknown level `{level}`{hint}"));
    }
    Log {
        format: raw.and_then(|raw| raw.format).unwrap_or_default(),
        level,
        access: raw.and_then(|raw| raw.access).unwrap_or(true),
    }
}
