//! What a suite says: the one shape that all of them fill, and that every output shows.

use std::collections::BTreeMap;

use foldback::{Clock, SystemClock};
use serde::{Deserialize, Serialize};

use crate::Machine;

mod bars;
mod html;
mod numbers;
mod scale;
mod svg;
mod table;

/// A run of a suite: what was measured, of whom, on what, and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The suite.
    pub suite: String,
    /// When it was taken, as RFC 3339 in UTC.
    pub taken: String,
    /// The command that repeats it.
    pub command: String,
    /// What it ran on.
    pub machine: Machine,
    /// Every option that determines the run, its seed among them.
    pub settings: BTreeMap<String, serde_json::Value>,
    /// What the machine itself can do, measured in the same run.
    pub limits: Vec<Figure>,
    /// What was measured.
    pub rows: Vec<Row>,
    /// The same as curves.
    pub plots: Vec<Plot>,
    /// What follows, a line each, the most important one last.
    pub verdicts: Vec<String>,
}

/// What was measured of one contender in one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Who.
    pub contender: String,
    /// In which case: a target, a number of writers, a length of history.
    pub case: String,
    /// What was measured; at most one figure a name.
    pub figures: Vec<Figure>,
}

/// One quantity, run by run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// In which unit; empty for a plain count. `bytes` and `bytes/s` are shown scaled.
    pub unit: String,
    /// Each run's value.
    pub runs: Vec<f64>,
    /// How much of what the machine allows this reaches: 1 is all of it.
    pub share: Option<f64>,
}

/// Curves over one pair of axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves.
    pub lines: Vec<Line>,
}

/// One axis of a plot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Whether equal factors, not equal differences, lie equally far apart.
    pub log: bool,
}

/// One curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Report {
    /// A report without figures, taken now, by the command that started this process.
    #[must_use]
    pub fn new(suite: impl Into<String>, machine: Machine) -> Self {
        Self {
            suite: suite.into(),
            taken: foldback::instant::show(SystemClock.now()),
            command: command(),
            machine,
            settings: BTreeMap::new(),
            limits: Vec::new(),
            rows: Vec::new(),
            plots: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    /// Notes an option of the run.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// The median of a figure, if it was measured.
    #[must_use]
    pub fn median_of(&self, contender: &str, case: &str, name: &str) -> Option<f64> {
        let mut rows = self.rows.iter();
        let row = rows.find(|row| row.contender == contender && row.case == case)?;
        row.figure_of(name).map(Figure::median)
    }

    /// The median of one of the machine's own limits, if it was measured.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<f64> {
        self.limits.iter().find(|figure| figure.name == name).map(Figure::median)
    }
}

impl Row {
    /// A row without figures.
    #[must_use]
    pub fn new(contender: impl Into<String>, case: impl Into<String>) -> Self {
        Self { contender: contender.into(), case: case.into(), figures: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// The figure of that name.
    #[must_use]
    pub fn figure_of(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}

impl Figure {
    /// A figure of one or more runs.
    ///
    /// # Panics
    ///
    /// If there are no runs, or one is no number.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: impl Into<String>, runs: Vec<f64>) -> Self {
        assert!(!runs.is_empty(), "a figure has a run");
        assert!(runs.iter().all(|run| run.is_finite()), "a run is a number: {runs:?}");
        Self { name: name.into(), unit: unit.into(), runs, share: None }
    }

    /// A figure that was measured once.
    #[must_use]
    pub fn one(name: impl Into<String>, unit: impl Into<String>, run: f64) -> Self {
        Self::new(name, unit, vec![run])
    }

    /// Of a rate, its share of the greatest that the machine allows.
    #[must_use]
    pub fn of_greatest(mut self, limit: f64) -> Self {
        self.share = (limit > 0.0).then(|| self.median() / limit);
        self
    }

    /// Of a cost, how much of it the machine cannot spare us: the least possible over what it is.
    #[must_use]
    pub fn of_least(mut self, limit: f64) -> Self {
        let median = self.median();
        self.share = (median > 0.0).then(|| limit / median);
        self
    }

    /// The run in the middle; of an even number of runs, the mean of the two there.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut runs = self.runs.clone();
        runs.sort_by(f64::total_cmp);
        let middle = runs.len() / 2;
        match runs.len() % 2 {
            1 => runs[middle],
            _ => f64::midpoint(runs[middle - 1], runs[middle]),
        }
    }

    /// The least run.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.runs.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The greatest run.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Plot {
    /// A plot without curves.
    #[must_use]
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self { title: title.into(), x, y, lines: Vec::new() }
    }

    /// Adds a curve.
    #[must_use]
    pub fn line(mut self, name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        self.lines.push(Line { name: name.into(), points });
        self
    }
}

impl Axis {
    /// Equal differences lie equally far apart.
    #[must_use]
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: false }
    }

    /// Equal factors lie equally far apart.
    #[must_use]
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true }
    }
}

/// How this process was started, wherever the program lies.
fn command() -> String {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// A count as a figure's value.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "figures are shown with few digits")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
