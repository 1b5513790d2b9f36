//! Where things of a history stand in a picture: columns, bars, flags and letters.

use foldback::Seq;

use super::{TimelineAxis, TimelineCommit};

/// Bars by height, in eighths of a row.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Rows of letters at most: instants that find no room in them are in the legend only.
const MARK_ROWS_MAX: usize = 8;

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The columns that a history is drawn in.
pub(super) struct Columns<'a> {
    commits: &'a [TimelineCommit],
    axis: TimelineAxis,
    pub(super) count: usize,
    first: i128,
    /// What all columns together stand for; at least 1.
    span: i128,
}

impl<'a> Columns<'a> {
    /// `count` columns for `commits`, of which there is at least one, ordered by seq.
    pub(super) fn new(commits: &'a [TimelineCommit], axis: TimelineAxis, count: usize) -> Self {
        assert!(count > 0, "a picture has columns");
        let first = position(commits.first().expect("there is a commit"), axis);
        let last = position(commits.last().expect("there is a commit"), axis);
        assert!(first <= last, "commits are given in order");
        Self { commits, axis, count, first, span: last - first + 1 }
    }

    /// Microseconds or commits that one column stands for, rounded up.
    pub(super) fn span_of_one(&self) -> u64 {
        let count = i128::try_from(self.count).expect("columns are few");
        u64::try_from((self.span + count - 1) / count).unwrap_or(u64::MAX)
    }

    /// The column of a commit.
    fn of(&self, commit: &TimelineCommit) -> usize {
        let count = i128::try_from(self.count).expect("columns are few");
        let column = (position(commit, self.axis) - self.first) * count / self.span;
        usize::try_from(column.clamp(0, count - 1)).expect("it was held within the columns")
    }

    /// The column of the last commit at or before `seq`.
    fn of_seq(&self, seq: Seq) -> usize {
        let after = self.commits.partition_point(|commit| commit.commit.seq <= seq);
        self.of(&self.commits[after.saturating_sub(1)])
    }
}

/// Bars of the events in each column, top row first, and the events of the tallest.
pub(super) fn bars(
    commits: &[TimelineCommit],
    columns: &Columns<'_>,
    rows: usize,
) -> (Vec<String>, u64) {
    let mut events = vec![0_u64; columns.count];
    for commit in commits {
        let column = &mut events[columns.of(commit)];
        *column = column.saturating_add(commit.events);
    }
    let tallest = events.iter().copied().max().unwrap_or(0);
    let heights: Vec<usize> =
        events.iter().map(|events| height(*events, tallest, rows * 8)).collect();
    let drawn = (0..rows).map(|row| {
        let below = (rows - 1 - row) * 8;
        heights.iter().map(|height| EIGHTHS[height.saturating_sub(below).min(8)]).collect()
    });
    (drawn.collect(), tallest)
}

/// One row with `flag` in the column of each seq.
pub(super) fn flags(seqs: &[Seq], columns: &Columns<'_>, flag: char) -> String {
    let mut row = vec![' '; columns.count];
    for seq in seqs {
        row[columns.of_seq(*seq)] = flag;
    }
    row.into_iter().collect()
}

/// Rows with the letter of each seq in its column, a seq that finds its place taken a row lower.
pub(super) fn mark_rows(seqs: &[Seq], columns: &Columns<'_>) -> Vec<String> {
    let mut rows: Vec<Vec<char>> = Vec::new();
    for (at, seq) in seqs.iter().enumerate() {
        let column = columns.of_seq(*seq);
        let free = rows.iter().position(|row| row[column] == ' ').unwrap_or(rows.len());
        if free == MARK_ROWS_MAX {
            continue;
        }
        if free == rows.len() {
            rows.push(vec![' '; columns.count]);
        }
        rows[free][column] = letter(at);
    }
    rows.into_iter().map(|row| row.into_iter().collect()).collect()
}

/// The letter of the mark at this place of the legend.
pub(super) fn letter(at: usize) -> char {
    LETTERS.get(at).map_or('*', |letter| char::from(*letter))
}

fn position(commit: &TimelineCommit, axis: TimelineAxis) -> i128 {
    match axis {
        TimelineAxis::Time => commit.commit.timestamp.0.into(),
        TimelineAxis::Seq => commit.commit.seq.0.into(),
    }
}

/// The height of a bar in eighths of a row: whatever is not nothing can be seen.
fn height(events: u64, tallest: u64, height_max: usize) -> usize {
    if events == 0 {
        return 0;
    }
    let height_max = u128::try_from(height_max).expect("rows are few");
    let height = u128::from(events) * height_max / u128::from(tallest);
    usize::try_from(height.max(1)).expect("it is at most height_max")
}
