//! The access line: one per exchange.

use std::{
    sync::atomic::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use lockgate_filters::json::{push_str, push_u64};
use lockgate_layers::record::{Facts, Record};
use tokio::time::Instant;

/// How access lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// Appends the line of an exchange.
pub(super) fn write(format: LineFormat, record: &Record, facts: &Facts, line: &mut BytesMut) {
    match format {
        LineFormat::Json => json(record, facts, line),
        LineFormat::Human => human(record, facts, line),
    }
}

fn json(record: &Record, facts: &Facts, line: &mut BytesMut) {
    line.extend_from_slice(br#"{"ts":""#);
    push_time(line, SystemTime::now());
    line.extend_from_slice(br#"","level":"info","message":"access""#);
    let mut object = Object(line);
    object.text("request_id", &record.id);
    object.text("method", record.method.as_str());
    object.text("path", &record.path);
    object.text("route", &record.route);
    if let Some(client) = record.client {
        object.text("client", &client.to_string());
    }
    if let Some(key) = &facts.key {
        object.text("key", &key.name);
        object.optional("owner", key.path.as_deref());
        object.texts("labels", &key.labels);
    }
    object.text("dialect", record.dialect_of(facts));
    object.optional("upstream_dialect", facts.upstream_dialect);
    object.optional("model", facts.model.as_deref());
    object.optional("provider", provider(facts));
    object.optional("upstream_model", facts.target.as_ref().map(|target| &*target.model));
    object.number("attempts", facts.attempts.into());
    object.number("status", facts.status.into());
    object.optional("error", facts.error);
    object.flag("stream", facts.streamed);
    if let Some(usage) = &facts.usage {
        object.number("input_tokens", usage.input());
        object.number("cached_tokens", usage.input_cache_read);
        object.number("output_tokens", usage.output());
        object.number("reasoning_tokens", usage.output_reasoning);
    }
    if facts.media.fetched > 0 {
        object.number("media", facts.media.fetched.into());
        object.number("media_bytes", facts.media.bytes);
    }
    object.optional("media_error", facts.media.failed);
    object.number("losses", facts.losses.iter().count() as u64);
    object.number("bytes_in", facts.bytes_in);
    object.number("bytes_out", record.bytes_out.load(Ordering::Relaxed));
    let times = Times::of(record, facts);
    object.micros("duration_ms", Some(times.total));
    object.micros("first_event_ms", times.first_event);
    object.micros("upstream_ms", times.upstream);
    object.micros("gateway_ms", times.gateway);
    object.optional("ended_by", facts.ended_by.map(lockgate_layers::record::EndedBy::as_str));
    line.extend_from_slice(b"}\n");
}

fn human(record: &Record, facts: &Facts, line: &mut BytesMut) {
    push_time(line, SystemTime::now());
    line.extend_from_slice(b" ");
    push_u64(line, facts.status.into());
    for text in [record.method.as_str(), &record.path, record.dialect_of(facts)] {
        line.extend_from_slice(b" ");
        push_visible(line, text);
    }
    if let Some(provider) = provider(facts) {
        line.extend_from_slice(b" -> ");
        push_visible(line, provider);
        if let Some(target) = &facts.target {
            line.extend_from_slice(b"/");
            push_visible(line, &target.model);
        }
        if facts.attempts > 1 {
            line.extend_from_slice(b" attempts=");
            push_u64(line, facts.attempts.into());
        }
    }
    if let Some(key) = &facts.key {
        line.extend_from_slice(b" key=");
        push_visible(line, &key.name);
        if let Some(owner) = &key.path {
            line.extend_from_slice(b" owner=");
            push_visible(line, owner);
        }
        for (name, label) in &key.labels {
            for text in [" ", name, "=", label] {
                push_visible(line, text);
            }
        }
    }
    let times = Times::of(record, facts);
    if let Some(first) = times.first_event {
        line.extend_from_slice(b" first=");
        push_millis(line, first);
        line.extend_from_slice(b"ms");
    }
    line.extend_from_slice(b" took=");
    push_millis(line, times.total);
    line.extend_from_slice(b"ms");
    if let Some(usage) = &facts.usage {
        line.extend_from_slice(b" tokens=");
        push_u64(line, usage.input());
        line.extend_from_slice(b"+");
        push_u64(line, usage.output());
    }
    if let Some(error) = facts.error {
        line.extend_from_slice(b" error=");
        line.extend_from_slice(error.as_bytes());
    }
    if let Some(ended_by) = facts.ended_by {
        line.extend_from_slice(b" ended_by=");
        line.extend_from_slice(ended_by.as_str().as_bytes());
    }
    line.extend_from_slice(b" id=");
    push_visible(line, &record.id);
    line.extend_from_slice(b"\n");
}

fn provider(facts: &Facts) -> Option<&str> {
    facts.target.as_ref().map(|target| &*target.provider).or(facts.provider.as_deref())
}

/// Appends text of a client's, without what would move a terminal's cursor.
fn push_visible(line: &mut BytesMut, text: &str) {
    lockgate_filters::json::push_raw_str(line, text);
}

/// Durations of an exchange, in microseconds.
struct Times {
    total: u64,
    first_event: Option<u64>,
    upstream: Option<u64>,
    gateway: Option<u64>,
}

impl Times {
    fn of(record: &Record, facts: &Facts) -> Self {
        let micros = |from: Instant, to: Instant| {
            u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
        };
        let total = micros(record.started, Instant::now());
        let upstream = facts.sent.zip(facts.upstream_done).map(|(sent, done)| micros(sent, done));
        Self {
            total,
            first_event: facts.first_event.map(|first| micros(record.started, first)),
            upstream,
            gateway: upstream.map(|upstream| total.saturating_sub(upstream)),
        }
    }
}

/// Appends members to an object that is open and not empty.
struct Object<'a>(&'a mut BytesMut);

impl Object<'_> {
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        push_str(self.0, value);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An object of texts, if there are any.
    fn texts(&mut self, name: &str, texts: &[(String, String)]) {
        if texts.is_empty() {
            return;
        }
        self.name(name);
        for (index, (name, text)) in texts.iter().enumerate() {
            self.0.extend_from_slice(if index == 0 { b"{" } else { b"," });
            push_str(self.0, name);
            self.0.extend_from_slice(b":");
            push_str(self.0, text);
        }
        self.0.extend_from_slice(b"}");
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        push_u64(self.0, value);
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn micros(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.name(name);
            push_millis(self.0, value);
        }
    }
}

/// Appends microseconds as milliseconds with three decimals.
fn push_millis(line: &mut BytesMut, micros: u64) {
    push_u64(line, micros / 1000);
    line.extend_from_slice(b".");
    push_digits::<3>(line, micros % 1000);
}

/// Appends a time as RFC 3339, in UTC, with milliseconds.
fn push_time(line: &mut BytesMut, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    push_digits::<4>(line, year);
    line.extend_from_slice(b"-");
    push_digits::<2>(line, month);
    line.extend_from_slice(b"-");
    push_digits::<2>(line, day);
    line.extend_from_slice(b"T");
    push_digits::<2>(line, second / 3600);
    line.extend_from_slice(b":");
    push_digits::<2>(line, second / 60 % 60);
    line.extend_from_slice(b":");
    push_digits::<2>(line, second % 60);
    line.extend_from_slice(b".");
    push_digits::<3>(line, u64::from(since.subsec_millis()));
    line.extend_from_slice(b"Z");
}

fn push_digits<const N: usize>(line: &mut BytesMut, mut number: u64) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    line.extend_from_slice(&digits);
}

/// Year, month and day of a count of days since 1970-01-01 (the proleptic Gregorian calendar, in eras of 400 years
/// that begin on the first of March).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockgate_layers::auth::Identity;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_763_732_103, "2025-11-21T13:35:03.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let mut line = BytesMut::new();
            push_time(&mut line, UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(std::str::from_utf8(&line), Ok(text));
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_the_client_sent() {
        let record = Record::new("id".into(), "/v1/x".into(), http::Method::POST, "/v1/\"x\n".into(), "openai_chat");
        let key = Identity {
            name: "ci".into(),
            path: Some("/org/\"team".into()),
            models: Vec::new(),
            routes: Vec::new(),
            expires: None,
            labels: vec![("te\"am".to_owned(), "a\n".to_owned()), ("env".to_owned(), "b".to_owned())],
        };
        let facts = Facts { model: Some("m\u{7}\"".into()), key: Some(key.into()), ..Facts::default() };
        let mut line = BytesMut::new();
        write(LineFormat::Json, &record, &facts, &mut line);
        assert_eq!(line[..].split(|byte| *byte == b'\n').count(), 2, "one line");
        let value: serde_json::Value = serde_json::from_slice(&line).expect("it is JSON");
        assert_eq!(value["model"], "m\u{7}\"");
        assert_eq!(value["owner"], "/org/\"team");
        assert_eq!(value["labels"], serde_json::json!({"te\"am": "a\n", "env": "b"}));
        let mut line = BytesMut::new();
        write(LineFormat::Human, &record, &facts, &mut line);
        assert_eq!(line.iter().filter(|byte| **byte < 0x20).count(), 1, "no control character but the line's end");
    }
}
