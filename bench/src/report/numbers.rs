//! Numbers as people read them: few digits, and units that fit.

/// Factors of a thousand.
const PREFIXES: [&str; 5] = ["", "k", "M", "G", "T"];

/// How quantities of one unit are shown beside each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NumberScale<'u> {
    divisor: f64,
    prefix: &'static str,
    unit: &'u str,
}

impl<'u> NumberScale<'u> {
    /// The scale that suits `value`, and then others beside it.
    pub(crate) fn of(value: f64, unit: &'u str) -> Self {
        let plain = Self { divisor: 1.0, prefix: "", unit };
        match unit {
            "bytes" => Self { unit: "B", ..plain }.scaled(value),
            "bytes/s" => Self { unit: "B/s", ..plain }.scaled(value),
            _ => plain,
        }
    }

    fn scaled(self, value: f64) -> Self {
        let (divisor, prefix) = prefix_of(value);
        Self { divisor, prefix, ..self }
    }

    /// Digits alone.
    pub(crate) fn digits(&self, value: f64) -> String {
        digits(value / self.divisor)
    }

    /// Digits with the unit where it is not that of the whole column.
    pub(crate) fn with_unit(&self, value: f64) -> String {
        match (self.prefix, self.unit) {
            ("", "") => self.digits(value),
            (prefix, unit) => format!("{} {prefix}{unit}", self.digits(value)),
        }
    }
}

/// A number that marks a place of an axis: `0`, `0.25`, `50`, `20 k`, `1.5 M`.
pub(crate) fn mark(value: f64) -> String {
    let (divisor, prefix) = match value.abs() < 10_000.0 {
        true => (1.0, ""),
        false => prefix_of(value),
    };
    let text = format!("{:.6}", value / divisor);
    let text = match text.trim_end_matches('0').trim_end_matches('.') {
        "" | "-0" | "0" if value != 0.0 => format!("{value:e}"),
        text => text.to_owned(),
    };
    match prefix {
        "" => grouped(&text),
        prefix => format!("{text} {prefix}"),
    }
}

/// Three digits that count, and whole numbers whole.
pub(crate) fn digits(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 || size >= 1_000.0 {
        return grouped(&format!("{value:.0}"));
    }
    let mut decimals = 1;
    let mut least = 10.0;
    while size < least && decimals < 9 {
        decimals += 1;
        least /= 10.0;
    }
    grouped(&format!("{value:.decimals$}"))
}

fn prefix_of(value: f64) -> (f64, &'static str) {
    let mut divisor = 1.0;
    for prefix in PREFIXES {
        if value.abs() < divisor * 1_000.0 {
            return (divisor, prefix);
        }
        divisor *= 1_000.0;
    }
    (divisor / 1_000.0, PREFIXES[PREFIXES.len() - 1])
}

/// Commas between thousands.
fn grouped(text: &str) -> String {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (whole, fraction) = text.split_once('.').map_or((text, ""), |parts| parts);
    let mut shown = sign.to_owned();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !whole.contains('e') {
            shown.push(',');
        }
        shown.push(digit);
    }
    match fraction {
        "" => shown,
        fraction => format!("{shown}.{fraction}"),
    }
}

#[cfg(test)]
mod tests;
