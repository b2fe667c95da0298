//! Durations, sizes and points in time as people write them.

use std::time::{Duration, SystemTime};

/// Longer durations are surely a mistake, and they keep deadline arithmetic away from overflow.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// Units of a duration, in milliseconds.
const DURATION_UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Units of a size, in bytes.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads `500ms`, `10s`, `5m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let Some((number, unit)) = split_number(text) else {
        return Err(format!("invalid duration `{text}`, expected a whole number and a unit, such as `10s`"));
    };
    if unit.is_empty() {
        return Err(format!("duration `{text}` has no unit, write `{text}s` for seconds"));
    }
    let Some((_, factor)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("unknown unit `{unit}` in duration `{text}`, expected `ms`, `s`, `m` or `h`"));
    };
    let duration = Duration::from_millis(number.saturating_mul(*factor));
    if duration.is_zero() {
        return Err(format!("duration `{text}` must be more than zero"));
    }
    if duration > MAX_DURATION {
        return Err(format!("duration `{text}` is longer than a year"));
    }
    Ok(duration)
}

/// Reads `64KiB`, `32MiB`, `1GiB`, `10MB`, or plain bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let Some((number, unit)) = split_number(text) else {
        return Err(format!("invalid size `{text}`, expected a whole number and a unit, such as `32MiB`"));
    };
    let Some((_, factor)) = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(format!(
            "unknown unit `{unit}` in size `{text}`, expected `KiB`, `MiB`, `GiB`, `KB`, `MB` or `GB`"
        ));
    };
    number.checked_mul(*factor).ok_or_else(|| format!("size `{text}` is too large"))
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Reads an RFC 3339 time such as `2027-01-01T00:00:00Z`, or a date, which begins at midnight UTC.
pub(crate) fn time(text: &str) -> Result<SystemTime, String> {
    parse_time(text).ok_or_else(|| format!("invalid time `{text}`, expected one such as `2027-01-01T00:00:00Z`"))
}

fn parse_time(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00Z"));
    let (year, month, day) = three(date, '-')?;
    let (clock, offset) = split_offset(clock)?;
    let (hour, minute, second) = three(clock.split_once('.').map_or(clock, |(whole, _)| whole), ':')?;
    // A leap second is the first of the next minute, as POSIX counts.
    let valid = (1970..=9999).contains(&year) && (1..=days_in(year, month)?).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

fn three(text: &str, separator: char) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(separator).map(digits);
    let result = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(result)
}

fn digits(text: &str) -> Option<i64> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Splits `10:00:00+02:00` into the clock and its distance from UTC in seconds.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = clock.rfind(['+', '-'])?;
    let (clock, offset) = clock.split_at_checked(at)?;
    let (sign, offset) = match offset.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 3_600 + minutes * 60)))
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => Some(if leap { 29 } else { 28 }),
        4 | 6 | 9 | 11 => Some(30),
        1..=12 => Some(31),
        _ => None,
    }
}

/// Counts days from 1970-01-01; years begin in March, so that the leap day ends one
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let era = year / 400;
    let year_of_era = year % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Option<u64> {
        time(text).ok().map(|time| time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs())
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("5 m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(duration("10"), Err("duration `10` has no unit, write `10s` for seconds".to_owned()));
        for wrong in ["", "s", "0s", "1.5s", "-1s", "9000h", "10 parsecs", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "`{wrong}` is no duration");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_unit() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("10MB"), Ok(10_000_000));
        assert_eq!(size("1gib"), Ok(1 << 30));
        assert_eq!(size("123"), Ok(123));
        for wrong in ["", "MiB", "1.5MiB", "-1", "5 apples", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "`{wrong}` is no size");
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(unix("2027-01-01T00:00:00Z"), Some(1_798_761_600));
        assert_eq!(unix("2027-01-01"), Some(1_798_761_600));
        assert_eq!(unix("2027-01-01T02:00:00.5+02:00"), Some(1_798_761_600));
        assert_eq!(unix("2024-02-29T12:00:00Z"), Some(1_709_208_000));
        for wrong in ["", "2027", "2027-13-01", "2027-02-29", "2027-01-01T25:00:00Z", "2027-01-01T00:00:00", "soon"] {
            assert_eq!(unix(wrong), None, "`{wrong}` is no time");
        }
    }
}
