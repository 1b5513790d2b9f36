//! A report as a page that needs nothing else: no script, no font, no address.

use std::fmt::Write;

use super::svg::escaped;
use super::table::heading;
use super::{Figure, Report};

/// How the page looks, in light and in dark.
const STYLE: &str = include_str!("page.css");

impl Report {
    /// The report as a page of HTML with its plots in it.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = String::new();
        let suite = escaped(&self.suite);
        add(&mut page, &format!("<h1>foldback-bench {suite}</h1>"));
        add(&mut page, &format!("<p class=\"taken\">{}</p>", escaped(&self.taken)));
        if !self.verdicts.is_empty() {
            let verdicts = self.verdicts.iter().map(|it| format!("<li>{}</li>", escaped(it)));
            let verdicts = verdicts.collect::<Vec<_>>().join("\n");
            add(&mut page, &format!("<ul class=\"verdicts\">\n{verdicts}\n</ul>"));
        }
        self.add_plots(&mut page);
        if !self.rows.is_empty() {
            add(&mut page, &format!("<h2>All figures</h2>\n{}", self.rows_element()));
        }
        if !self.limits.is_empty() {
            let rows = self.limits.iter().map(|it| vec![heading(&it.name, &it.unit), it.shown()]);
            let heads = ["limit".to_owned(), "median [min, max]".to_owned()];
            add(&mut page, "<h2>What the machine itself can do</h2>");
            add(&mut page, &table_element(&heads, rows, 1));
        }
        add(&mut page, "<h2>How it was measured</h2>");
        let facts = [
            ("Command", format!("<code>{}</code>", escaped(&self.command))),
            ("Settings", escaped(&self.settings())),
            ("Machine", escaped(&self.machine.described())),
        ];
        let facts = facts.map(|(name, what)| format!("<dt>{name}</dt><dd>{what}</dd>"));
        add(&mut page, &format!("<dl>\n{}\n</dl>", facts.join("\n")));
        add(
            &mut page,
            "<p class=\"note\">Figures are medians, with the least and the greatest run in brackets; \
             a percentage in parentheses is the share of what the machine itself allows. Contenders took \
             turns.</p>",
        );
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
             name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" \
             content=\"light dark\">\n<title>{suite}: foldback-bench</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n{page}</body>\n</html>\n"
        )
    }

    /// The curves, and each quantity that several rows have, numbered as figures of a paper are.
    fn add_plots(&self, page: &mut String) {
        let mut number = 0;
        let mut figure = |drawing: &str, caption: &str| {
            number += 1;
            let caption = format!("<b>Figure {number}.</b> {caption}");
            format!("<figure>\n{drawing}\n<figcaption>{caption}</figcaption>\n</figure>")
        };
        for plot in &self.plots {
            let (drawing, left_out) = plot.svg();
            let mut caption = escaped(&plot.title);
            if left_out > 0 {
                write!(caption, " ({left_out} points not over 0 have no place on a log axis.)")
                    .expect("a string takes any text");
            }
            add(page, &figure(&drawing, &caption));
        }
        for (name, unit) in self.columns() {
            if let Some(drawing) = self.bars(name, unit) {
                let caption = match unit {
                    "" => escaped(name),
                    unit => format!("{}, in {}", escaped(name), escaped(unit)),
                };
                add(page, &figure(&drawing, &caption));
            }
        }
    }

    fn rows_element(&self) -> String {
        let columns = self.columns();
        let names = columns.iter().map(|(name, unit)| heading(name, unit));
        let heads: Vec<_> =
            ["contender".to_owned(), "case".to_owned()].into_iter().chain(names).collect();
        let rows = self.rows.iter().map(|row| {
            let figures = columns.iter().map(|(name, _)| row.figure_of(name));
            let cells = figures.map(|figure| figure.map_or_else(String::new, Figure::shown));
            [row.contender.clone(), row.case.clone()].into_iter().chain(cells).collect()
        });
        table_element(&heads, rows, 2)
    }
}

fn add(page: &mut String, element: &str) {
    page.push_str(element);
    page.push('\n');
}

/// A table whose first so many columns are names.
fn table_element(
    heads: &[String],
    rows: impl Iterator<Item = Vec<String>>,
    names: usize,
) -> String {
    let line = |tag: &str, cells: &[String]| {
        let cells = cells.iter().enumerate().map(|(at, cell)| {
            let class = if at < names { "name" } else { "number" };
            format!("<{tag} class=\"{class}\">{}</{tag}>", escaped(cell))
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let body = rows.map(|cells| line("td", &cells)).collect::<Vec<_>>().join("\n");
    let head = line("th", heads);
    format!(
        "<div class=\"wide\"><table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )
}

#[cfg(test)]
mod tests;
