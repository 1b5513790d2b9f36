//! The time of an event: RFC 3339 text, or a number in a unit that was named.

use std::fmt;

use crate::instant::{is_calendar_time, parse_zoned_nanos};

const NANOS_PER_MICRO: i128 = 1_000;

/// Digits after the point that count: finer than any unit needs, and within an `i128`.
const FRACTION_DIGITS_MAX: usize = 12;

/// The unit of times that are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TimeUnit {
    /// Microseconds since 1970.
    Us,
    /// Milliseconds since 1970.
    Ms,
    /// Seconds since 1970.
    S,
    /// Nanoseconds since 1970.
    Ns,
}

impl TimeUnit {
    const fn nanos(self) -> i128 {
        match self {
            Self::Ns => 1,
            Self::Us => 1_000,
            Self::Ms => 1_000_000,
            Self::S => 1_000_000_000,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ns => "nanoseconds",
            Self::Us => "microseconds",
            Self::Ms => "milliseconds",
            Self::S => "seconds",
        }
    }
}

/// An RFC 3339 time in microseconds; what is finer is cut off, towards the past.
pub(super) fn text_micros(text: &str) -> Result<i64, String> {
    let nanos = parse_zoned_nanos(text).map_err(|error| error.to_string())?;
    Ok(i64::try_from(nanos.div_euclid(NANOS_PER_MICRO)).expect("a calendar's years fit an i64"))
}

/// A whole number of `unit` since 1970 in microseconds; what is finer is cut off.
pub(super) fn integer_micros(number: i128, unit: TimeUnit) -> Result<i64, String> {
    micros_of(number.saturating_mul(unit.nanos()), number, unit)
}

/// A decimal number of `unit` since 1970, as JSON writes it, in microseconds. It is read digit by
/// digit: a float has not enough of them for a time of today in microseconds.
pub(super) fn decimal_micros(text: &str, unit: TimeUnit) -> Result<i64, String> {
    let nanos = decimal_nanos(text, unit)
        .ok_or_else(|| format!("{text} is not a plain decimal number such as 1714557605.25"))?;
    micros_of(nanos, text, unit)
}

fn decimal_nanos(text: &str, unit: TimeUnit) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let padded: i128 = format!("{fraction:0<FRACTION_DIGITS_MAX$}").parse().ok()?;
    let denominator = 10_i128.pow(FRACTION_DIGITS_MAX.try_into().ok()?);
    let whole_nanos = whole.parse::<i128>().ok()?.checked_mul(unit.nanos())?;
    let fraction_nanos = (padded * unit.nanos()).div_euclid(denominator);
    Some(sign * whole_nanos.checked_add(fraction_nanos)?)
}

fn micros_of(nanos: i128, shown: impl fmt::Display, unit: TimeUnit) -> Result<i64, String> {
    let micros = i64::try_from(nanos.div_euclid(NANOS_PER_MICRO)).ok();
    micros.filter(|micros| is_calendar_time(*micros)).ok_or_else(|| {
        format!(
            "{shown} {} since 1970 is outside the years -9999 to 9999; name the unit that it is \
             in with --time-unit",
            unit.name()
        )
    })
}
