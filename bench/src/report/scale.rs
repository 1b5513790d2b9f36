//! How an axis maps values to places, and where its marks stand.

use super::Axis;

/// About how many marks an axis has.
const MARKS: f64 = 6.0;
/// A log axis over fewer decades than this is marked between powers of ten, too.
const DECADES_MARKED_ALONE: f64 = 2.5;
/// A log axis over more decades than this is marked at some of them alone.
const DECADES_MARKED_EACH: f64 = 9.0;
/// How far apart all values of an axis lie at least, in parts of them.
const SPAN_MIN: f64 = 1e-9;

/// An axis over the values that it must show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AxisScale {
    is_log: bool,
    /// Ends, as logarithms on a log axis.
    from: f64,
    to: f64,
}

/// A place on an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AxisMark {
    /// The value there.
    pub(crate) value: f64,
    /// Whether it is too small a step to be labelled.
    pub(crate) is_minor: bool,
}

impl AxisScale {
    /// An axis for these values, of which there is one at least; those of a log axis are over 0.
    pub(crate) fn over(axis: &Axis, values: &[f64]) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match axis.log {
            true => Self::log(least.log10(), most.log10()),
            // Lengths can be compared only where the axis begins at nothing.
            false => Self::linear(least.min(0.0), most.max(0.0)),
        }
    }

    fn linear(from: f64, to: f64) -> Self {
        let to = if to - from < SPAN_MIN { from + 1.0 } else { to };
        let step = step_of((to - from) / MARKS);
        Self { is_log: false, from: (from / step).floor() * step, to: (to / step).ceil() * step }
    }

    /// Ends at powers of ten where values come near them, and a little beyond the values elsewhere.
    fn log(least: f64, most: f64) -> Self {
        let span = (most - least).max(0.3);
        let (near, beyond) = (span * 0.15, span * 0.06);
        let from = if least - least.floor() < near { least.floor() } else { least - beyond };
        let to = if most.ceil() - most < near { most.ceil() } else { most + beyond };
        // A single power of ten has a place of its own between two ends.
        let to = if to - from < SPAN_MIN { from + 1.0 } else { to };
        Self { is_log: true, from, to }
    }

    /// How far along the axis a value stands: 0 at its beginning, 1 at its end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let value = if self.is_log { value.log10() } else { value };
        (value - self.from) / (self.to - self.from)
    }

    /// The marks, in order.
    pub(crate) fn marks(&self) -> Vec<AxisMark> {
        let major = |value| AxisMark { value, is_minor: false };
        if !self.is_log {
            return steps(self.from, self.to, step_of((self.to - self.from) / MARKS))
                .map(major)
                .collect();
        }
        let decades = self.to - self.from;
        if decades < 1.0 {
            let (from, to) = (10_f64.powf(self.from), 10_f64.powf(self.to));
            return steps(from, to, step_of((to - from) / MARKS)).map(major).collect();
        }
        let apart = if decades > DECADES_MARKED_EACH { 3.0 } else { 1.0 };
        let powers = steps(self.from.floor(), self.to, 1.0);
        let marks = powers.flat_map(|power| {
            let is_labelled = power.rem_euclid(apart) == 0.0;
            (1_u8..10).map(move |factor| {
                let value = 10_f64.powf(power) * f64::from(factor);
                let is_between = matches!(factor, 2 | 5) && decades < DECADES_MARKED_ALONE;
                AxisMark { value, is_minor: !is_labelled || (factor != 1 && !is_between) }
            })
        });
        let on_axis = marks.filter(|mark| (-1e-9..=1.0 + 1e-9).contains(&self.place(mark.value)));
        on_axis.filter(|mark| apart == 1.0 || !mark.is_minor).collect()
    }
}

/// 1, 2 or 5 times a power of ten, about as large as `about`.
fn step_of(about: f64) -> f64 {
    let power = 10_f64.powf(about.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| about <= factor * power * 1.000_001);
    power * factor.unwrap_or(10.0)
}

/// Whole multiples of `step` from `from` to `to`.
fn steps(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (from / step - 1e-9).ceil();
    let numbers = std::iter::successors(Some(first), |number| Some(number + 1.0));
    // Adding nothing makes -0 plain.
    numbers
        .map(move |number| number * step + 0.0)
        .take_while(move |value| *value <= to + step * 1e-9)
}

#[cfg(test)]
mod tests;
