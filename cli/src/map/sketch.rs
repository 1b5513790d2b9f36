//! The map in the terminal: the same picture, roughly.

use super::{MapInputs, Plane, ShapeKind};

/// Lines of the plane.
const LINES: usize = 8;
/// Columns at the left, for what a line is called.
const GUTTER: usize = 11;
/// Narrowest plane.
const COLUMNS_MIN: usize = 20;

/// Draws the map in `width` columns of text.
pub(crate) fn sketch(inputs: &MapInputs<'_>, width: usize) -> String {
    let plane = Plane::new(inputs);
    let columns = width.saturating_sub(GUTTER).max(COLUMNS_MIN);
    let mut cells = vec![vec![' '; columns]; LINES];
    for shape in &plane.shapes {
        let mark = match shape.kind {
            ShapeKind::Delta => '░',
            ShapeKind::Segment => '▒',
            ShapeKind::Holds => '─',
            ShapeKind::Base => '┃',
        };
        let (from, to) = (cell(shape.seq.0, columns), cell(shape.seq.1, columns));
        let (low, high) = match shape.kind {
            ShapeKind::Base => (cell(shape.keys.0, LINES), last_cell(shape.keys, LINES)),
            // One thin line, in the middle of the base's keys.
            ShapeKind::Holds => {
                let middle = cell(f64::midpoint(shape.keys.0, shape.keys.1), LINES);
                (middle, middle)
            }
            _ => (cell(shape.keys.0, LINES), cell(shape.keys.1, LINES)),
        };
        for line in low..=high {
            // The least key is at the bottom.
            cells[LINES - 1 - line][from..=to].fill(mark);
        }
    }
    let mut lines = vec![plane.heading.clone()];
    for (at, line) in cells.iter().enumerate() {
        let name = if at + 1 == LINES { "keys" } else { "" };
        lines.push(format!("{name:<GUTTER$}{}", line.iter().collect::<String>().trim_end()));
    }
    let mut bar = vec![' '; columns];
    for ((from, to), _) in &plane.given_up {
        bar[cell(*from, columns)..=cell(*to, columns)].fill('×');
    }
    for ((from, to), _) in &plane.windows {
        bar[cell(*from, columns)..=cell(*to, columns)].fill('━');
    }
    lines.push(format!("{:<GUTTER$}{}", "restorable", bar.iter().collect::<String>().trim_end()));
    let last = format!("#{}", plane.last);
    lines.push(format!("{:<GUTTER$}#1{last:>room$}", "", room = columns - 2));
    let mut legend = "┃ base   ░ delta   ▒ local segment, not sealed".to_owned();
    if plane.shapes.iter().any(|shape| shape.kind == ShapeKind::Holds) {
        legend.push_str("   ─ no event since the base");
    }
    if !plane.given_up.is_empty() {
        legend.push_str("   × given up");
    }
    lines.push(format!("{:<GUTTER$}{legend}", ""));
    lines.extend(plane.given_up.iter().map(|(_, title)| format!("{:<GUTTER$}{title}", "")));
    lines.extend(plane.windows.iter().map(|(_, title)| format!("{:<GUTTER$}{title}", "")));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The cell of `count` cells that a part of the whole falls into.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "parts lie between 0 and 1, and cells are few"
)]
fn cell(part: f64, count: usize) -> usize {
    ((part * count as f64) as usize).min(count - 1)
}

/// The last cell of a range of parts that ends before its upper end.
fn last_cell((from, to): (f64, f64), count: usize) -> usize {
    // Cells are few, so nothing else lies so near below an end.
    cell(to - 1e-9, count).max(cell(from, count))
}
