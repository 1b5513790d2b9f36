//! Instants as people write them on the command line, and how they are shown.

use std::fmt;
use std::str::FromStr;

use foldback::Timestamp;
use foldback::instant::show;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Disambiguation, OffsetConflict};

use crate::error::{Error, Result};
use crate::span::{SECOND_MICROS, parse_span_micros};

#[cfg(test)]
mod tests;

/// What `--help` says about every argument that takes an instant.
pub(crate) const INSTANT_HELP: &str = "\
An instant: a time with its zone (2024-05-01T10:00:05Z, 2024-05-01T10:00:05.25+02:00), seconds \
since 1970 (1714557605 or 1714557605.25), a span before now (-10m, -1h30m, -35d), now, or the \
number of a commit (#1234). A whole second is its start: 10:00:05 is 10:00:05.000000, so commits \
of 10:00:05.4 come after it. Microseconds are the finest that can be said.";

/// Never in conflict, never a guess: an offset that is not the zone's, or a local time that a
/// change of clocks makes happen twice or not at all, is an error.
const PARSER: DateTimeParser = DateTimeParser::new()
    .offset_conflict(OffsetConflict::Reject)
    .disambiguation(Disambiguation::Reject);

const NANOS_PER_MICRO: i128 = 1_000;

/// An instant as it was asked for. Only the clock and the catalog can say which commit it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstantArg {
    /// Microseconds since 1970-01-01T00:00:00Z.
    At(i64),
    /// The commit with this number, from 1.
    Seq(u64),
    /// The moment the command runs.
    Now,
    /// So many microseconds before the moment the command runs; never negative.
    Ago(i64),
}

impl InstantArg {
    /// The time meant, in microseconds since the epoch, when it is `now_micros`; a seq has none.
    pub(crate) fn micros(self, now_micros: i64) -> Option<i64> {
        match self {
            Self::At(micros) => Some(micros),
            Self::Now => Some(now_micros),
            Self::Ago(micros) => Some(now_micros.saturating_sub(micros)),
            Self::Seq(_) => None,
        }
    }
}

impl FromStr for InstantArg {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(number) = text.strip_prefix('#') {
            return parse_seq(text, number).map(Self::Seq);
        }
        if let Some(span) = text.strip_prefix('-') {
            return parse_span_micros(span).map(Self::Ago).map_err(|error| {
                Error::usage(format!("{text:?} is not a span before now such as -10m: {error}"))
            });
        }
        let digits_and_points = |c: char| c.is_ascii_digit() || c == '.';
        if !text.is_empty() && text.chars().all(digits_and_points) {
            return parse_epoch_seconds(text).map(Self::At);
        }
        exact_micros(text, parse_zoned_nanos(text)?).map(Self::At)
    }
}

impl fmt::Display for InstantArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(micros) => f.write_str(&show(Timestamp(*micros))),
            Self::Seq(seq) => write!(f, "#{seq}"),
            Self::Now => f.write_str("now"),
            Self::Ago(micros) => {
                let (secs, rest) = (micros / SECOND_MICROS, micros % SECOND_MICROS);
                match (secs, rest) {
                    (0, rest) if rest > 0 => write!(f, "-{rest}us"),
                    (secs, 0) => write!(f, "-{}", crate::span::format_secs(secs.unsigned_abs())),
                    (secs, rest) => {
                        write!(f, "-{}{rest}us", crate::span::format_secs(secs.unsigned_abs()))
                    }
                }
            }
        }
    }
}

/// Reads a time with its zone or offset, to the nanosecond, as nanoseconds since the epoch. A
/// time without either is refused: whose clock it was read from is not ours to guess.
pub(crate) fn parse_zoned_nanos(text: &str) -> Result<i128> {
    let parsed = if text.contains('[') {
        PARSER.parse_zoned(text).map(|zoned| zoned.timestamp())
    } else {
        PARSER.parse_timestamp(text)
    };
    parsed.map(jiff::Timestamp::as_nanosecond).map_err(|error| match PARSER.parse_datetime(text) {
        Ok(civil) if !text.contains('[') => Error::usage(format!(
            "{text} has no time zone: write {civil}Z for UTC, or {civil}+02:00 with the \
                 offset of the clock it was read from"
        )),
        _ => Error::usage(format!(
            "{text:?} is not an instant ({error}); write a time with its zone such as \
                 2024-05-01T10:00:05Z, seconds since 1970, -10m, now, or #SEQ"
        )),
    })
}

/// True when `micros` is a time of the years -9999 to 9999: anything else is a wrong unit.
pub(crate) fn is_calendar_time(micros: i64) -> bool {
    jiff::Timestamp::from_microsecond(micros).is_ok()
}

/// Reads the number of a commit, written as `#1234` or as `1234`.
pub(crate) fn parse_seq_arg(text: &str) -> Result<u64> {
    parse_seq(text, text.strip_prefix('#').unwrap_or(text))
}

fn parse_seq(text: &str, number: &str) -> Result<u64> {
    let digits_only = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse::<u64>() {
        Ok(seq) if digits_only && (1..=i64::MAX.unsigned_abs()).contains(&seq) => Ok(seq),
        _ => Err(Error::usage(format!(
            "{text:?} is not the number of a commit: commits count from #1; write for example #42"
        ))),
    }
}

fn parse_epoch_seconds(text: &str) -> Result<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(Error::usage(format!(
            "{text:?} is not a number of seconds since 1970; write for example 1714557605.25"
        )));
    }
    if let Some(date) = eight_digit_date(text) {
        return Err(Error::usage(format!(
            "{text} may be a date or seconds since 1970: write {date}T00:00:00Z or {text}.0"
        )));
    }
    let nanos = decimal_nanos(whole, fraction)
        .filter(|nanos| i64::try_from(nanos / NANOS_PER_MICRO).is_ok_and(is_calendar_time));
    let Some(nanos) = nanos else {
        return Err(Error::usage(match whole.len() {
            13 => format!(
                "{text} seconds since 1970 is after the year 9999; if these are milliseconds, \
                 write {}.{}",
                &whole[..10],
                &whole[10..]
            ),
            16 => format!(
                "{text} seconds since 1970 is after the year 9999; if these are microseconds, \
                 write {}.{}",
                &whole[..10],
                &whole[10..]
            ),
            _ => format!("{text} seconds since 1970 is after the year 9999"),
        }));
    };
    exact_micros(text, nanos)
}

/// The date that eight digits spell when a person would read them as one.
fn eight_digit_date(text: &str) -> Option<jiff::civil::Date> {
    if text.len() != 8 || !(text.starts_with("19") || text.starts_with("20")) {
        return None;
    }
    PARSER.parse_date(text).ok()
}

/// `whole.fraction` seconds in nanoseconds, when both are digits and nothing finer is asked for.
fn decimal_nanos(whole: &str, fraction: &str) -> Option<i128> {
    let significant = fraction.trim_end_matches('0');
    if significant.len() > 9 {
        // Finer than a nanosecond is finer than a microsecond: one more than a whole number of
        // microseconds says so to `exact_micros`.
        return Some(whole.parse::<i128>().ok()?.checked_mul(1_000_000_000)? + 1);
    }
    let padded = format!("{significant:0<9}");
    whole.parse::<i128>().ok()?.checked_mul(1_000_000_000)?.checked_add(padded.parse().ok()?)
}

/// Nanoseconds as microseconds, refused where that would lose something.
fn exact_micros(text: &str, nanos: i128) -> Result<i64> {
    if nanos % NANOS_PER_MICRO != 0 {
        return Err(Error::usage(format!(
            "{text} is finer than a microsecond, and commits are stamped in microseconds: write at \
             most six digits after the point"
        )));
    }
    i64::try_from(nanos / NANOS_PER_MICRO).map_err(|_| {
        Error::usage(format!("{text} is outside the years that can be written as a timestamp"))
    })
}
