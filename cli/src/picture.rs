//! Draws the history of a table as a picture for the terminal, as a pure function of its data.

use foldback::instant::show;
use foldback::{Commit, Seq, Timestamp};

use crate::human::{counted, human_count, human_duration};

mod canvas;
#[cfg(test)]
mod tests;

use canvas::{Columns, bars, flags, mark_rows};

/// Narrowest and widest picture, in columns: below, nothing can be told apart; above, a line is
/// too long for the eye.
const WIDTH_MIN: usize = 32;
const WIDTH_MAX: usize = 160;

/// Rows of the bars.
const BAR_ROWS: usize = 4;

/// Columns at the left, for the names of the rows.
const GUTTER: usize = 8;

/// What runs from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimelineAxis {
    /// The time of the commits: pauses are seen.
    Time,
    /// The number of the commits: every commit has the same room.
    Seq,
}

/// How a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimelineStyle {
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// Colours may be used: the output is a terminal.
    pub(crate) colour: bool,
    /// What runs from left to right.
    pub(crate) axis: TimelineAxis,
}

/// One commit of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimelineCommit {
    /// Its number and its time.
    pub(crate) commit: Commit,
    /// How many events of the table it has.
    pub(crate) events: u64,
}

/// An instant that the table was restored to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimelineMark {
    /// The last commit of it; zero, or one before the first commit, is drawn at the left end.
    pub(crate) seq: Seq,
    /// The instant itself.
    pub(crate) instant: Timestamp,
    /// What the legend says about it.
    pub(crate) label: String,
}

/// The history of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline<'a> {
    /// The table's name.
    pub(crate) table: &'a str,
    /// Its commits, by seq.
    pub(crate) commits: &'a [TimelineCommit],
    /// Seqs of the last commits of sealed segments.
    pub(crate) seals: &'a [Seq],
    /// Seqs of the bases.
    pub(crate) bases: &'a [Seq],
    /// The restored instants, in the order of the legend.
    pub(crate) marks: &'a [TimelineMark],
}

/// Colours of the terminal's own palette, so that they fit any background.
#[derive(Clone, Copy)]
enum Ink {
    Cyan,
    Yellow,
    Green,
    Dim,
}

/// The picture: a heading, bars of events, an axis with its two ends, and below it the seals, the
/// bases and the restored instants, each with a letter that the legend explains. Every line ends
/// with a line end, and none is wider than asked for.
pub(crate) fn draw_timeline(timeline: &Timeline<'_>, style: TimelineStyle) -> String {
    let width = style.width.clamp(WIDTH_MIN, WIDTH_MAX);
    let (Some(first), Some(last)) = (timeline.commits.first(), timeline.commits.last()) else {
        return fit(&format!("{}: no commits yet", timeline.table), width) + "\n";
    };
    let columns = Columns::new(timeline.commits, style.axis, width - GUTTER);
    let (bar_rows, tallest) = bars(timeline.commits, &columns, BAR_ROWS);
    let events: u64 = timeline.commits.iter().map(|commit| commit.events).sum();
    let commits = u64::try_from(timeline.commits.len()).unwrap_or(u64::MAX);
    let heading =
        format!("{}: {}, {}", timeline.table, counted(commits, "commit"), counted(events, "event"));
    let mut lines = vec![fit(&heading, width), fit(&scale(&columns, tallest, style.axis), width)];
    let mut row = |name: &str, cells: &str, ink: Ink| {
        let cells = cells.trim_end();
        let text = if style.colour { ink.paint(cells) } else { cells.to_owned() };
        lines.push(format!("{name:<GUTTER$}{text}").trim_end().to_owned());
    };
    for (at, cells) in bar_rows.iter().enumerate() {
        row(if at + 1 == BAR_ROWS { "events" } else { "" }, cells, Ink::Cyan);
    }
    row("", &"─".repeat(columns.count), Ink::Dim);
    row("", &ends(first, last, style.axis, columns.count), Ink::Dim);
    if !timeline.seals.is_empty() {
        row("seals", &flags(timeline.seals, &columns, '│'), Ink::Dim);
    }
    if !timeline.bases.is_empty() {
        row("bases", &flags(timeline.bases, &columns, '◆'), Ink::Yellow);
    }
    let seqs: Vec<Seq> = timeline.marks.iter().map(|mark| mark.seq).collect();
    for (at, cells) in mark_rows(&seqs, &columns).iter().enumerate() {
        row(if at == 0 { "at" } else { "" }, cells, Ink::Green);
    }
    lines.extend(legend(timeline.marks).iter().map(|line| fit(line, width)));
    lines.join("\n") + "\n"
}

/// What a column and the tallest bar stand for.
fn scale(columns: &Columns<'_>, tallest: u64, axis: TimelineAxis) -> String {
    let span = columns.span_of_one();
    let one = match axis {
        TimelineAxis::Time => human_duration(span),
        TimelineAxis::Seq => counted(span, "commit"),
    };
    format!("a column is {one}, the tallest has {}", counted(tallest, "event"))
}

/// The first and the last instant, at the two ends of the axis, where there is room for both.
fn ends(
    first: &TimelineCommit,
    last: &TimelineCommit,
    axis: TimelineAxis,
    columns: usize,
) -> String {
    let shown = |commit: &TimelineCommit| match axis {
        TimelineAxis::Time => {
            let text = show(commit.commit.timestamp);
            // To the second: the ends of an axis are for the eye, the legend has the rest.
            text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
        }
        TimelineAxis::Seq => format!("#{}", human_count(commit.commit.seq.0)),
    };
    let (left, right) = (shown(first), shown(last));
    let used = left.chars().count() + right.chars().count();
    if used >= columns {
        return fit(&left, columns);
    }
    format!("{left}{}{right}", " ".repeat(columns - used))
}

/// One line a restored instant: its letter, its commit, its time, its label.
fn legend(marks: &[TimelineMark]) -> Vec<String> {
    let seqs: Vec<String> = marks.iter().map(|mark| format!("#{}", mark.seq)).collect();
    let seq_width = seqs.iter().map(String::len).max().unwrap_or(0);
    let lines = marks.iter().zip(&seqs).enumerate().map(|(at, (mark, seq))| {
        format!(
            "  {}  {seq:>seq_width$}  {}  {}",
            canvas::letter(at),
            show(mark.instant),
            mark.label
        )
    });
    lines.collect()
}

/// At most `width` characters of `line`, with a sign where something was cut off.
fn fit(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.trim_end().to_owned();
    }
    let kept: String = line.chars().take(width - 1).collect();
    format!("{kept}…")
}

impl Ink {
    fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Cyan => 36,
            Self::Yellow => 33,
            Self::Green => 32,
            Self::Dim => 2,
        };
        if text.is_empty() { String::new() } else { format!("\x1b[{code}m{text}\x1b[0m") }
    }
}
