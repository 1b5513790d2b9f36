//! Spans of time as people write them: `90s`, `1h30m`, `35d`, and retention with its `forever`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use foldback::{SCHEDULE_SECS_MAX, SCHEDULE_SECS_MIN};

use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// One second in microseconds.
pub(crate) const SECOND_MICROS: i64 = 1_000_000;
/// Longest wait between two turns of upkeep: what is due at a time is to go in about that time.
const INTERVAL_MICROS_MAX: i64 = 86_400 * SECOND_MICROS;

/// Every unit a span may be written in, largest first, with its length in microseconds. A day is
/// 24 hours: a span is a length of time, and a length knows no daylight saving.
const UNITS: [(&str, i64); 7] = [
    ("w", 7 * 86_400 * SECOND_MICROS),
    ("d", 86_400 * SECOND_MICROS),
    ("h", 3_600 * SECOND_MICROS),
    ("m", 60 * SECOND_MICROS),
    ("s", SECOND_MICROS),
    ("ms", 1_000),
    ("us", 1),
];

/// How long every instant of a table stays restorable. At least one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// Whole seconds, at least 1.
    Secs(u64),
    /// No instant ever expires.
    Forever,
}

impl FromStr for Retention {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let micros = parse_span_micros(text).map_err(|error| {
            Error::usage(format!("{error}; a retention is a span such as 35d or 12h, or forever"))
        })?;
        if micros < SECOND_MICROS || micros % SECOND_MICROS != 0 {
            return Err(Error::usage(format!(
                "a retention of {text} is not possible: it is counted in whole seconds, from 1s \
                 up; write for example 1s, 12h, 35d or forever"
            )));
        }
        Ok(Self::Secs((micros / SECOND_MICROS).unsigned_abs()))
    }
}

impl From<Retention> for foldback::Retention {
    fn from(retention: Retention) -> Self {
        match retention {
            Retention::Secs(secs) => Self::Secs(secs),
            Retention::Forever => Self::Forever,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Secs(secs) => f.write_str(&format_secs(*secs)),
        }
    }
}

/// Reads a span such as `10m`, `1h30m` or `35d`: whole numbers with units w, d, h, m, s, ms and
/// us, each unit at most once, larger before smaller. The result is never negative.
pub(crate) fn parse_span_micros(text: &str) -> Result<i64> {
    let refuse = |why: &str| Error::usage(format!("{text:?} is not a span of time: {why}"));
    let mut rest = text;
    let mut unit_next = 0;
    let mut micros: i64 = 0;
    if rest.is_empty() {
        return Err(refuse("it is empty; write for example 10m, 1h30m or 35d"));
    }
    while !rest.is_empty() {
        let (number, after_number) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, after_unit) = split_while(after_number, |c| !c.is_ascii_digit());
        if number.is_empty() {
            return Err(refuse("a whole number must stand before each unit, as in 1h30m"));
        }
        if unit.is_empty() {
            return Err(refuse(&format!(
                "{number} has no unit; write {number}s, {number}m, {number}h or {number}d"
            )));
        }
        let Some(at) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(refuse(&format!(
                "{unit:?} is no unit; the units are w, d, h, m, s, ms and us"
            )));
        };
        if at < unit_next {
            return Err(refuse(
                "each unit stands once, the larger before the smaller, as in 1h30m",
            ));
        }
        let too_long = || refuse("it is too long");
        let count: i64 = number.parse().map_err(|_| too_long())?;
        let part = count.checked_mul(UNITS[at].1).ok_or_else(too_long)?;
        micros = micros.checked_add(part).ok_or_else(too_long)?;
        unit_next = at + 1;
        rest = after_unit;
    }
    Ok(micros)
}

/// Reads how long a process waits between two turns of its work.
pub(crate) fn parse_interval(text: &str) -> Result<Duration> {
    let micros = parse_span_micros(text)?;
    let is_whole = micros % SECOND_MICROS == 0;
    match is_whole && (SECOND_MICROS..=INTERVAL_MICROS_MAX).contains(&micros) {
        true => Ok(Duration::from_micros(micros.unsigned_abs())),
        false => Err(Error::usage(format!(
            "{text} is not from 1s to 1d, in whole seconds; write for example 1m"
        ))),
    }
}

/// Reads the time between two backups of a schedule, in seconds.
pub(crate) fn parse_every(text: &str) -> Result<u64> {
    let micros = parse_span_micros(text)?;
    let secs = (micros / SECOND_MICROS).unsigned_abs();
    let is_possible = (SCHEDULE_SECS_MIN..=SCHEDULE_SECS_MAX).contains(&secs);
    match is_possible && micros % SECOND_MICROS == 0 {
        true => Ok(secs),
        false => Err(Error::usage(format!(
            "{text} is not from {} to {}, in whole seconds; write for example 1h or 1d",
            format_secs(SCHEDULE_SECS_MIN),
            format_secs(SCHEDULE_SECS_MAX)
        ))),
    }
}

/// Whole seconds in the largest units that say them exactly: `35d`, `1h30m`, `0s`. What it gives
/// is read back as the same span. Weeks are given as days: nobody says retention in weeks.
pub(crate) fn format_secs(secs: u64) -> String {
    let mut rest = secs;
    let mut text = String::new();
    for (unit, unit_secs) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        let count = rest / unit_secs;
        rest %= unit_secs;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Splits `text` before its first character that does not satisfy `keep`.
fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at(end)
}
