//! Sizes, counts and lengths of time in the form that a person reads at a glance.

#[cfg(test)]
mod tests;

/// `17 B`, `1.5 KiB`, `64 MiB`: three significant digits, powers of 1024.
pub(crate) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    // In hundredths, whole numbers: what is shown never depends on how floats are rounded.
    let mut hundredths = u128::from(bytes) * 100;
    while hundredths >= 102_400 && unit + 1 < UNITS.len() {
        hundredths = (hundredths + 512) / 1024;
        unit += 1;
    }
    format!("{} {}", three_digits(hundredths), UNITS[unit])
}

/// `1,234,567`: digits in groups of three.
pub(crate) fn human_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `850 µs`, `12.3 ms`, `2.41 s`, `3m05s`, `2h10m`, `35d4h`: how long something took.
pub(crate) fn human_duration(micros: u64) -> String {
    let secs = micros / 1_000_000;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", three_digits(u128::from(micros / 10))),
        1_000_000..60_000_000 => format!("{} s", three_digits(u128::from(micros / 10_000))),
        60_000_000..3_600_000_000 => format!("{}m{:02}s", secs / 60, secs % 60),
        3_600_000_000..86_400_000_000 => format!("{}h{:02}m", secs / 3_600, secs / 60 % 60),
        _ => format!("{}d{}h", secs / 86_400, secs / 3_600 % 24),
    }
}

/// `"1 row"`, `"2 rows"`: a count with its noun, whose plural only takes an s.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", human_count(count))
}

/// Hundredths with at most three digits in all, and no zeros at the end of a fraction.
fn three_digits(hundredths: u128) -> String {
    let (whole, fraction) = (hundredths / 100, hundredths % 100);
    match whole {
        0..10 if fraction % 10 != 0 => format!("{whole}.{fraction:02}"),
        0..100 if fraction >= 10 => format!("{whole}.{}", fraction / 10),
        _ => whole.to_string(),
    }
}
