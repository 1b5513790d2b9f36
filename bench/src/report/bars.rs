//! One quantity of all contenders as SVG: a bar each, with its median, and with a whisker from the
//! least run to the greatest.

use std::fmt::Write;

use super::numbers::mark;
use super::scale::AxisScale;
use super::svg::{COLOURS, escaped};
use super::table::heading;
use super::{Axis, Figure, Report};

/// The field of the bars, in pixels.
const FIELD: f64 = 460.0;
/// For the names of contenders, and for the figures.
const LEFT: f64 = 210.0;
const RIGHT: f64 = 190.0;
/// A bar, and the room that it has.
const BAR: f64 = 14.0;
const BAR_LINE: f64 = 22.0;
/// A line with the name of a case.
const CASE_LINE: f64 = 26.0;
/// Below the bars: for the marks of the axis.
const BOTTOM: f64 = 26.0;

impl Report {
    /// A quantity as bars, if it tells contenders apart: of one alone, the table says as much.
    pub(crate) fn bars(&self, name: &str, unit: &str) -> Option<String> {
        let rows: Vec<_> =
            self.rows.iter().filter_map(|row| Some((row, row.figure_of(name)?))).collect();
        let (mut contenders, mut cases) = (Vec::<&str>::new(), Vec::<&str>::new());
        for (row, _) in &rows {
            note(&mut contenders, &row.contender);
            note(&mut cases, &row.case);
        }
        let differ = rows.iter().any(|(row, figure)| {
            let mut others = rows.iter().filter(|(other, _)| other.case == row.case);
            others.any(|(_, other)| other.median() != figure.median())
        });
        if contenders.len() < 2 || !differ || rows.iter().any(|(_, figure)| figure.min() < 0.0) {
            return None;
        }
        let greatest: Vec<_> = rows.iter().map(|(_, figure)| figure.max()).collect();
        let scale = AxisScale::over(&Axis::linear(""), &greatest);
        let (mut bars, mut y) = (String::new(), 6.0);
        for case in cases {
            let label = escaped(case);
            write(
                &mut bars,
                format_args!(
                    "<text class=\"case\" x=\"{LEFT}\" y=\"{:.1}\">{label}</text>",
                    y + 15.0
                ),
            );
            y += CASE_LINE;
            for (row, figure) in rows.iter().filter(|(row, _)| row.case == case) {
                let number = contenders.iter().position(|known| *known == row.contender);
                bar(&mut bars, &scale, figure, (y, number.unwrap_or_default()));
                let who = escaped(&row.contender);
                write(
                    &mut bars,
                    format_args!(
                        "<text class=\"legend\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{who}</text>",
                        LEFT - 10.0,
                        y + 11.5
                    ),
                );
                y += BAR_LINE;
            }
        }
        let (title, width, height) = (heading(name, unit), LEFT + FIELD + RIGHT, y + BOTTOM);
        Some(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" width=\"{width:.0}\">\n<title>{}</title>\n{}{bars}</svg>",
            escaped(&title),
            axis(&scale, y)
        ))
    }
}

fn note<'n>(known: &mut Vec<&'n str>, name: &'n str) {
    if !known.contains(&name) {
        known.push(name);
    }
}

fn write(text: &mut String, element: std::fmt::Arguments<'_>) {
    text.write_fmt(element).expect("a string takes any text");
    text.push('\n');
}

/// Lines behind the bars, each with its value below them.
fn axis(scale: &AxisScale, bottom: f64) -> String {
    let mut text = String::new();
    for axis_mark in scale.marks() {
        let x = LEFT + scale.place(axis_mark.value) * FIELD;
        let shown = mark(axis_mark.value);
        write(
            &mut text,
            format_args!(
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"4\" y2=\"{bottom:.1}\"/>"
            ),
        );
        write(
            &mut text,
            format_args!(
                "<text class=\"mark\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{shown}</text>",
                bottom + 16.0
            ),
        );
    }
    text
}

/// One bar with its whisker and its figures, at a height and of a contender's colour.
fn bar(text: &mut String, scale: &AxisScale, figure: &Figure, (y, number): (f64, usize)) {
    let x = |value: f64| LEFT + scale.place(value) * FIELD;
    let (median, middle) = (x(figure.median()), y + BAR / 2.0);
    let (start, colour) = (x(0.0), number % COLOURS);
    write(
        text,
        format_args!(
            "<rect class=\"bar c{colour}\" x=\"{start:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>",
            (median - start).max(0.5)
        ),
    );
    if figure.runs.len() > 1 {
        let (least, most) = (x(figure.min()), x(figure.max()));
        write(
            text,
            format_args!(
                "<path class=\"whisker\" d=\"M{least:.1} {middle:.1}H{most:.1}M{least:.1} {:.1}v6M{most:.1} {:.1}v6\"/>",
                middle - 3.0,
                middle - 3.0
            ),
        );
    }
    let at = x(figure.max()).max(median) + 8.0;
    write(
        text,
        format_args!(
            "<text class=\"mark\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            y + 11.5,
            escaped(&figure.shown())
        ),
    );
}
