//! Curves as SVG: axes with marks, a grid, a legend, and a sign of its own for every curve, so that
//! they can be told apart without colour too.

use std::fmt::Write;

use super::numbers::mark;
use super::scale::AxisScale;
use super::{Line, Plot};

/// The field of the curves, in pixels.
const FIELD: (f64, f64) = (560.0, 320.0);
/// What is around it: for marks and labels.
const LEFT: f64 = 74.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 54.0;
/// Between the field and the legend.
const GAP: f64 = 18.0;
/// A line of the legend.
const LEGEND_LINE: f64 = 22.0;
/// The sample that a line of the legend begins with.
const SAMPLE: f64 = 26.0;
/// About the width of a letter.
const LETTER: f64 = 6.9;
/// Colours that the page has.
pub(crate) const COLOURS: usize = 8;
/// A curve of more points has no signs at them.
const SIGNED_POINTS_MAX: usize = 48;

/// A place in the field.
type Place = (f64, f64);

/// Text that is part of a page.
pub(crate) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

impl Plot {
    /// The plot as an element of a page; and how many points it cannot show, because a log axis has
    /// no place for what is not over 0.
    pub(crate) fn svg(&self) -> (String, usize) {
        let lines: Vec<_> = self.lines.iter().map(|line| self.shown(line)).collect();
        let points = || lines.iter().flat_map(|line| &line.points);
        let left_out = self.lines.iter().map(|line| line.points.len()).sum::<usize>();
        let left_out = left_out - points().count();
        if points().next().is_none() {
            return ("<p>Nothing to plot.</p>".to_owned(), left_out);
        }
        let x = AxisScale::over(&self.x, &points().map(|point| point.0).collect::<Vec<_>>());
        let y = AxisScale::over(&self.y, &points().map(|point| point.1).collect::<Vec<_>>());
        let mut drawing = Drawing::begin(self);
        drawing.grid(&x, &y);
        for (number, line) in lines.iter().enumerate() {
            let places = line.points.iter().map(|point| {
                (LEFT + x.place(point.0) * FIELD.0, TOP + (1.0 - y.place(point.1)) * FIELD.1)
            });
            drawing.curve(number, &places.collect::<Vec<_>>());
        }
        drawing.legend(&lines);
        (drawing.end(), left_out)
    }

    /// The part of a curve that both axes have a place for.
    fn shown(&self, line: &Line) -> Line {
        let has_place = |(x, y): &(f64, f64)| {
            x.is_finite() && y.is_finite() && (!self.x.log || *x > 0.0) && (!self.y.log || *y > 0.0)
        };
        let points = line.points.iter().copied().filter(has_place).collect();
        Line { name: line.name.clone(), points }
    }
}

/// An element that is being written.
struct Drawing<'p> {
    plot: &'p Plot,
    text: String,
}

impl<'p> Drawing<'p> {
    fn begin(plot: &'p Plot) -> Self {
        let longest = plot.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        let longest = f64::from(u16::try_from(longest).unwrap_or(u16::MAX));
        let width = LEFT + FIELD.0 + GAP + SAMPLE + 8.0 + longest * LETTER;
        let height = TOP + FIELD.1 + BOTTOM;
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" width=\"{width:.0}\">\n<title>{}</title>\n",
            escaped(&plot.title)
        );
        Self { plot, text }
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        self.text.write_fmt(element).expect("a string takes any text");
        self.text.push('\n');
    }

    fn grid(&mut self, x: &AxisScale, y: &AxisScale) {
        let (right, bottom) = (LEFT + FIELD.0, TOP + FIELD.1);
        for axis_mark in x.marks() {
            let at = LEFT + x.place(axis_mark.value) * FIELD.0;
            let class = if axis_mark.is_minor { "grid minor" } else { "grid" };
            self.add(format_args!(
                "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"
            ));
            if !axis_mark.is_minor {
                self.add(format_args!(
                    "<text class=\"mark\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                    bottom + 18.0,
                    mark(axis_mark.value)
                ));
            }
        }
        for axis_mark in y.marks() {
            let at = TOP + (1.0 - y.place(axis_mark.value)) * FIELD.1;
            let class = if axis_mark.is_minor { "grid minor" } else { "grid" };
            self.add(format_args!(
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>"
            ));
            if !axis_mark.is_minor {
                self.add(format_args!(
                    "<text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    LEFT - 8.0,
                    at + 4.0,
                    mark(axis_mark.value)
                ));
            }
        }
        self.add(format_args!(
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\n\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
             <text class=\"label\" transform=\"translate(16 {:.1}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            LEFT + FIELD.0 / 2.0,
            bottom + 42.0,
            escaped(&self.plot.x.label),
            TOP + FIELD.1 / 2.0,
            escaped(&self.plot.y.label),
        ));
    }

    fn curve(&mut self, number: usize, places: &[Place]) {
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        if path.len() > 1 {
            let class = line_class(number);
            self.add(format_args!("<path class=\"{class}\" d=\"M{}\"/>", path.join("L")));
        }
        if places.len() <= SIGNED_POINTS_MAX {
            places.iter().for_each(|place| self.sign(number, *place));
        }
    }

    /// A circle, a square, a triangle or a diamond.
    fn sign(&mut self, number: usize, (x, y): Place) {
        let class = format!("sign c{}", number % COLOURS);
        match number % 4 {
            0 => self.add(format_args!(
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.8\"/>"
            )),
            1 => self.add(format_args!(
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>",
                x - 3.5,
                y - 3.5
            )),
            2 => self.add(format_args!(
                "<path class=\"{class}\" d=\"M{x:.1} {:.1}l4.6 8h-9.2z\"/>",
                y - 5.2
            )),
            _ => self.add(format_args!(
                "<path class=\"{class}\" d=\"M{x:.1} {:.1}l4.8 4.8l-4.8 4.8l-4.8 -4.8z\"/>",
                y - 4.8
            )),
        }
    }

    /// The curves by name, in the order in which they end from the top down.
    fn legend(&mut self, lines: &[Line]) {
        let mut order: Vec<_> = (0..lines.len()).collect();
        let end = |line: &Line| line.points.last().map_or(f64::NEG_INFINITY, |point| point.1);
        order.sort_by(|left, right| end(&lines[*right]).total_cmp(&end(&lines[*left])));
        let x = LEFT + FIELD.0 + GAP;
        let mut y = TOP + 12.0;
        for number in order {
            let (from, to) = (x, x + SAMPLE);
            let class = line_class(number);
            self.add(format_args!("<path class=\"{class}\" d=\"M{from:.1} {y:.1}H{to:.1}\"/>"));
            if lines[number].points.len() <= SIGNED_POINTS_MAX {
                self.sign(number, (x + SAMPLE / 2.0, y));
            }
            let name = escaped(&lines[number].name);
            self.add(format_args!(
                "<text class=\"legend\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                to + 8.0,
                y + 4.0
            ));
            y += LEGEND_LINE;
        }
    }

    fn end(self) -> String {
        self.text + "</svg>"
    }
}

/// Curves beyond the last colour are dashed.
fn line_class(number: usize) -> String {
    let dashed = if number < COLOURS { "" } else { " dashed" };
    format!("line c{}{dashed}", number % COLOURS)
}

#[cfg(test)]
mod tests;
